"""Batches of (low-resolution window, high-resolution centre) out of a packed data set (pack.py)."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .degrade import degraded
from .pack import SQUARE

LEAST_CONTRAST = 0.1  # of a faded sample, in parts of what it had
FADED_LUMA = (60, 180)  # its mean

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
    """

    def __init__(self, file, scale, batch, side, seed=None, device="cpu", degraded=0.0, faded=0.0):
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
        self.faded = faded
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
        small = slice(margin // self.scale, (margin + self.side) // self.scale)
        large = slice(margin, margin + self.side)
        squares = slice(margin // SQUARE, (margin + self.side) // SQUARE)
        self.motion = torch.from_numpy(np.stack(motions))[..., squares, squares].to(self.device).float()
        self.motion[:worse] = torch.nan
        return low[:, :, small, small].contiguous() / 255, clips[:, clips.shape[1] // 2, large, large] / 255

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
