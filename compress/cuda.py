"""What a training step on an NVIDIA GPU spends long on in PyTorch, in CUDA: native.cu, compiled by CuPy when it is first
needed; and a network that runs the same stage of all frames at once."""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from .net import Net

SOURCE = Path(__file__).with_name("native.cu")
LAST = torch.channels_last
THREADS = 256


@cache
def kernel(name):
    import cupy

    return cupy.RawKernel(SOURCE.read_text(), name)


def call(name, count, *tensors, like, groups=1, kernel_size=1, border="edge", limit=0.0):
    """Runs `count` threads of a kernel of native.cu in PyTorch's current stream."""
    import cupy

    _, channels, height, width = like.shape
    shape = map(np.int32, (count, height, width, channels, groups, kernel_size, border == "zero"))
    arguments = (*(np.uint64(t.data_ptr()) for t in tensors), *shape, np.float32(limit))
    with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
        kernel(name)((-(-count // THREADS),), (THREADS,), arguments)


class Deform(torch.autograd.Function):
    """native.Deform on a GPU."""

    @staticmethod
    def forward(ctx, feature, offsets, groups, kernel_size, border, limit):
        ctx.how = dict(groups=groups, kernel_size=kernel_size, border=border, limit=limit)
        feature, offsets = (x.contiguous(memory_format=LAST) for x in (feature, offsets))
        ctx.save_for_backward(feature, offsets)
        b, c, h, w = feature.shape
        out = torch.empty((b, kernel_size**2 * c, h, w), device=feature.device).contiguous(memory_format=LAST)
        call("deform_forward", offsets.numel() // 3, feature, offsets, out, like=feature, **ctx.how)
        return out

    @staticmethod
    def backward(ctx, grad):
        feature, offsets = ctx.saved_tensors
        d_feature, d_offsets = torch.zeros_like(feature), torch.empty_like(offsets)
        grad = grad.contiguous(memory_format=LAST)
        call("deform_backward", offsets.numel() // 3, feature, offsets, grad, d_feature, d_offsets, like=feature, **ctx.how)
        return d_feature, d_offsets, None, None, None, None


class EdgePad(torch.autograd.Function):
    """native.EdgePad on a GPU."""

    @staticmethod
    def forward(ctx, x):
        b, c, h, w = x.shape
        x = x.contiguous(memory_format=LAST)
        y = torch.empty((b, c, h + 2, w + 2), device=x.device, memory_format=LAST)
        call("pad_forward", y.numel(), x, y, like=x)
        return y

    @staticmethod
    def backward(ctx, grad):
        b, c, h, w = grad.shape
        x = torch.empty((b, c, h - 2, w - 2), device=grad.device, memory_format=LAST)
        call("pad_backward", x.numel(), grad.contiguous(memory_format=LAST), x, like=x)
        return x


class WideNet(Net):
    """A Net of luma on a GPU: a stage runs once for all frames, as one picture of a batch fills a GPU badly."""

    def residual(self, window):
        batch, count, *size = window.shape
        centre = count // 2
        self.size = tuple(-(-s // self.graph.frame[0].unshuffle) for s in size)
        made = self.run("frame", {"luma": window.transpose(0, 1).reshape(batch * count, 1, *size)})
        frames = {k: v.view(count, batch, *v.shape[1:]).unbind() for k, v in made.items() if k in self.seen}
        ref = {f"ref.{k}": v[centre] for k, v in frames.items()}
        given = {k: torch.cat([v] * (count - 1)) for k, v in ref.items()}
        given.update({f"nbr.{k}": torch.cat(v[:centre] + v[centre + 1 :]) for k, v in frames.items()})
        fuse = dict(ref)
        for k, v in self.run("align", given).items():
            if k not in given:
                fuse.update({f"nbr{i}.{k}": part for i, part in enumerate(v.chunk(count - 1))})
        self.fused = self.run("fuse", fuse)
        height, width = (self.graph.scale * s for s in size)
        return self.fused["out"][..., :height, :width]

    @property
    def seen(self):
        """What other stages read of the frame stage."""
        inputs = (i for stage in (self.graph.align, self.graph.fuse) for op in stage for i in op.inputs)
        return {i.split(".")[1] for i in inputs if i.startswith(("ref.", "nbr."))}

    def op_deform(self, op, inputs):
        if not inputs[0].is_cuda:
            return super().op_deform(op, inputs)
        return Deform.apply(*inputs, op.groups, op.kernel, op.border, op.limit / 16)

    @staticmethod
    def padded(op, x, zero=0):
        if op.kernel == 3 and op.border == "edge" and x.is_cuda:
            return EdgePad.apply(x)
        return Net.padded(op, x, zero)
