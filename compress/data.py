"""Batches of (low-resolution window, high-resolution centre) out of a packed data set (pack.py)."""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


def shrinking(size, scale):
    """Antialiased bicubic as a matrix, (size / scale, size): two products are much faster than F.interpolate."""
    eye = torch.eye(size).view(1, 1, size, size)
    return F.interpolate(eye, size=(size // scale, size), mode="bicubic", antialias=True)[0, 0]


class Batches:
    """Random batches. Luma in [0, 1]; the low resolution is made on the way, by antialiased bicubic, in 8 bits.

    A part `degraded` of the low resolution is noisy or lightly compressed, as real streams are.
    """

    def __init__(self, file, scale, batch, side, seed=None, device="cpu", degraded=0.0):
        self.samples = np.load(file, mmap_mode="r")
        self.scale, self.batch, self.side, self.device, self.degraded = scale, batch, side, device, degraded
        self.rng = np.random.default_rng(seed)
        self.shrink = shrinking(self.samples.shape[-1], scale).to(device)

    def next(self):
        """(batch, window, side / scale, side / scale) and (batch, side, side)."""
        picks = self.rng.integers(len(self.samples), size=self.batch)
        clips = torch.from_numpy(np.stack([self._augment(self.samples[i]) for i in picks]))
        clips = clips.to(self.device).float()
        low = (self.shrink @ clips @ self.shrink.T).round().clamp(0, 255)
        for window in low[: self.rng.binomial(self.batch, self.degraded)]:
            window.copy_(self._degrade(window))
        margin = (clips.shape[-1] - self.side) // 2 // self.scale * self.scale
        small = slice(margin // self.scale, (margin + self.side) // self.scale)
        large = slice(margin, margin + self.side)
        return low[:, :, small, small].contiguous() / 255, clips[:, clips.shape[1] // 2, large, large] / 255

    def _augment(self, clip):
        if self.rng.random() < 0.5:
            clip = clip[::-1]
        if self.rng.random() < 0.5:
            clip = clip[:, ::-1]
        if self.rng.random() < 0.5:
            clip = clip[:, :, ::-1]
        if self.rng.random() < 0.5:
            clip = clip.transpose(0, 2, 1)
        return np.ascontiguousarray(clip)

    def _degrade(self, window):
        if self.rng.random() < 0.5:
            noise = torch.from_numpy(self.rng.normal(scale=self.rng.uniform(0.5, 4), size=window.shape))
            return (window + noise.to(window)).round().clamp(0, 255)
        quality = int(self.rng.integers(50, 96))
        return torch.stack([compressed(frame, quality) for frame in window]).to(window)


def compressed(frame, quality):
    """A frame as JPEG gives it back, which has the blocks and the ringing of a video codec's key frame."""
    file = io.BytesIO()
    Image.fromarray(frame.cpu().byte().numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file)))
