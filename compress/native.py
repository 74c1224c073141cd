"""What a training step on a CPU spends long on in PyTorch, in C: native.c, compiled when it is first needed."""

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

import torch

SOURCE = Path(__file__).with_suffix(".c")
FOLDER = SOURCE.parents[1] / "build" / "native"
# What -ffast-math has, but for what it does to all of a process: numbers near nothing become 0.
FAST = ["-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-ffinite-math-only"]
FLAGS = ["-O3", "-march=native", *FAST, "-shared", "-fPIC"]
LAST = torch.channels_last


class Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("batch", "height", "width", "channels", "groups", "kernel", "zero_border")]
    _fields_ += [("limit", ctypes.c_float)]


@cache
def library():
    """The compiled functions; a file for each version of the source, so that several processes may compile at once."""
    file = FOLDER / f"{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", *FLAGS, SOURCE, "-o", partial, "-lm"], check=True)
        os.replace(partial, file)
    return ctypes.CDLL(str(file))


def call(function, like, *tensors, groups=1, kernel=1, border="edge", limit=0.0):
    b, c, h, w = like.shape
    shape = Shape(b, h, w, c, groups, kernel, border == "zero", limit)
    getattr(library(), function)(ctypes.byref(shape), *(ctypes.c_void_p(t.data_ptr()) for t in tensors))


def serves(x):
    return x.device.type == "cpu" and x.dtype == torch.float


class Deform(torch.autograd.Function):
    """Modulated deformable sampling of `feature` (B, C, H, W) at `offsets` (B, 3 * kernel^2 * groups, H, W): rows,
    columns, in pixels up to `limit`, and logits of what each sample is multiplied by. Returns (B, kernel^2 * C, H, W),
    taps outermost (Zhu et al., 2019)."""

    @staticmethod
    def forward(ctx, feature, offsets, groups, kernel, border, limit):
        ctx.how = dict(groups=groups, kernel=kernel, border=border, limit=limit)
        feature, offsets = (x.contiguous(memory_format=LAST) for x in (feature, offsets))
        ctx.save_for_backward(feature, offsets)
        b, c, h, w = feature.shape
        out = torch.empty((b, kernel**2 * c, h, w), memory_format=LAST)
        call("deform_forward", feature, feature, offsets, out, **ctx.how)
        return out

    @staticmethod
    def backward(ctx, grad):
        feature, offsets = ctx.saved_tensors
        d_feature, d_offsets = torch.zeros_like(feature), torch.empty_like(offsets)
        call("deform_backward", feature, feature, offsets, grad.contiguous(memory_format=LAST), d_feature, d_offsets, **ctx.how)
        return d_feature, d_offsets, None, None, None, None


class EdgePad(torch.autograd.Function):
    """One more pixel on each side, the edge's. F.pad leaves channels_last, and costs a quarter of a training step."""

    @staticmethod
    def forward(ctx, x):
        b, c, h, w = x.shape
        x, y = x.contiguous(memory_format=LAST), torch.empty((b, c, h + 2, w + 2), memory_format=LAST)
        call("pad_forward", x, x, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        b, c, h, w = grad.shape
        x = torch.empty((b, c, h - 2, w - 2), memory_format=LAST)
        call("pad_backward", x, grad.contiguous(memory_format=LAST), x)
        return x
