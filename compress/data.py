"""Batches of (low-resolution window, high-resolution centre) out of a packed data set (pack.py)."""

import numpy as np
import torch
import torch.nn.functional as F


class Batches:
    """Random batches. Luma in [0, 1]; the low resolution is made on the way, by antialiased bicubic, in 8 bits."""

    def __init__(self, file, scale, batch, side, seed=None, device="cpu"):
        self.samples = np.load(file, mmap_mode="r")
        self.scale, self.batch, self.side, self.device = scale, batch, side, device
        self.rng = np.random.default_rng(seed)

    def next(self):
        """(batch, window, side / scale, side / scale) and (batch, side, side)."""
        picks = self.rng.integers(len(self.samples), size=self.batch)
        clips = torch.from_numpy(np.stack([self._augment(self.samples[i]) for i in picks]))
        clips = clips.to(self.device).float()
        low = F.interpolate(clips, scale_factor=1 / self.scale, mode="bicubic", antialias=True)
        low = low.round().clamp(0, 255) / 255
        margin = (clips.shape[-1] - self.side) // 2 // self.scale * self.scale
        small = slice(margin // self.scale, (margin + self.side) // self.scale)
        large = slice(margin, margin + self.side)
        return low[:, :, small, small].contiguous(), clips[:, clips.shape[1] // 2, large, large] / 255

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
