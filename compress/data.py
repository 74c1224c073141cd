"""Batches of (low-resolution window, high-resolution centre) out of a packed data set (pack.py)."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .degrade import degraded
from .pack import SQUARE
from .pan import MOST, pans

LEAST_CONTRAST = 0.1  # of a faded sample, in parts of what it had
FADED_LUMA = (60, 180)  # its mean
MISSED = 0.1  # part of the pans that are a pixel off

# What mirroring a picture does to its motion: rows, columns.
DOWN, RIGHT = (np.array(signs, np.float16).reshape(2, 1, 1) for signs in ((-1, 1), (1, -1)))


def shrinking(size, scale):
    """Antialiased bicubic as a matrix, (size / scale, size): two products are much faster than F.interpolate."""
    eye = torch.eye(size).view(1, 1, size, size)
    return F.interpolate(eye, size=(size // scale, size), mode="bicubic", antialias=True)[0, 0]


def fade(clip, contrast, mean):
    """Luma of 8 bits with a part `contrast` of its contrast, about another mean."""
    return np.rint(mean + (clip - clip.mean()) * contrast).clip(0, 255).astype(np.uint8)


class Batches:
    """Random batches. Luma in [0, 1]; the low resolution is made on the way, by antialiased bicubic, in 8 bits.

    `motion` is that of the last batch, in pixels of the high resolution; not a number where it is not known.
    A part `degraded` of the low resolution is noisy or compressed, as real streams are. A part `faded` of the samples has less
    contrast, as haze leaves it: packs have few such pictures, and without them detail that is faint is taken for noise.
    Networks that `follow` pans see neighbours that are shifted by whole low-resolution pixels; `motion` is what is left.
    """

    def __init__(self, file, scale, batch, side, seed=None, device="cpu", degraded=0.0, faded=0.0, follow=False):
        self.samples = np.load(file, mmap_mode="r")
        motions = Path(file).with_suffix(".motion.npy")
        if motions.exists():
            self.motions = np.load(motions)
        else:
            count, window, *size = self.samples.shape
            shape = (count, window - 1, 2, *(side // SQUARE for side in size))
            self.motions = np.broadcast_to(np.array(np.nan, np.float16), shape)
        self.motion = None
        self.scale, self.batch, self.side, self.device, self.degraded = scale, batch, side, device, degraded
        self.faded, self.follow = faded, follow
        self.rng = np.random.default_rng(seed)
        self.shrink = shrinking(self.samples.shape[-1], scale).to(device)

    def next(self):
        """(batch, window, side / scale, side / scale) and (batch, side, side)."""
        picks = self.rng.integers(len(self.samples), size=self.batch)
        samples, motions = zip(*(self._augment(self.samples[i], self.motions[i]) for i in picks))
        clips = torch.from_numpy(np.stack(samples))
        clips = clips.to(self.device).float()
        low = (self.shrink @ clips @ self.shrink.T).round().clamp(0, 255)
        worse = self.rng.binomial(self.batch, self.degraded)
        for window in low[:worse]:
            window.copy_(torch.from_numpy(degraded(window.cpu().byte().numpy(), self.rng)))
        margin = (clips.shape[-1] - self.side) // 2 // self.scale * self.scale
        motions = np.stack(motions)
        pan = np.zeros((self.batch, low.shape[1], 2), np.int64)
        if self.follow:
            pan = self._pans(low, motions, margin // self.scale)
            motions = motions - self.scale * np.delete(pan, low.shape[1] // 2, 1)[..., None, None]
        large = slice(margin, margin + self.side)
        squares = slice(margin // SQUARE, (margin + self.side) // SQUARE)
        self.motion = torch.from_numpy(motions)[..., squares, squares].to(self.device).float()
        self.motion[:worse] = torch.nan
        starts, length = margin // self.scale + pan, self.side // self.scale
        low = torch.stack([
            torch.stack([frame[y : y + length, x : x + length] for frame, (y, x) in zip(window, start)])
            for window, start in zip(low, starts.tolist())
        ])  # fmt: skip
        return low / 255, clips[:, clips.shape[1] // 2, large, large] / 255

    def _pans(self, low, motions, most):
        """(batch, window, 2): where each frame has what its centre has, where that is known for most of it; else what an
        engine would find. Some are a pixel off, as those are."""
        centre = low.shape[1] // 2
        middle = np.median(motions.reshape(*motions.shape[:3], -1), -1).astype(np.float64)
        found = np.insert(np.nan_to_num(middle) / self.scale, centre, 0, 1).round()
        for i in np.flatnonzero(np.isnan(middle).any((1, 2))):
            found[i] = pans(low[i].byte().cpu().numpy())
        missed = self.rng.random(found.shape[:2]) < MISSED
        missed[:, centre] = False
        found[missed] += self.rng.integers(-1, 2, (missed.sum(), 2))
        return found.clip(-min(MOST, most), min(MOST, most)).astype(np.int64)

    def _augment(self, clip, motion):
        if self.rng.random() < 0.5:
            clip, motion = clip[::-1], motion[::-1]
        if self.rng.random() < 0.5:
            clip, motion = clip[:, ::-1], motion[:, :, ::-1] * DOWN
        if self.rng.random() < 0.5:
            clip, motion = clip[:, :, ::-1], motion[..., ::-1] * RIGHT
        if self.rng.random() < 0.5:
            clip, motion = clip.transpose(0, 2, 1), motion[:, ::-1].transpose(0, 1, 3, 2)
        if self.rng.random() < self.faded:
            clip = fade(clip, LEAST_CONTRAST ** self.rng.random(), self.rng.uniform(*FADED_LUMA))
        return np.ascontiguousarray(clip), np.ascontiguousarray(motion)
