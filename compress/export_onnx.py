"""Writes a network as ONNX, in floating point, for other runtimes to run: one model that makes one frame.

    python3 -m compress.export_onnx --checkpoint build/x4.pt --size 480x270 --out build/x4.onnx

Its inputs are the luma of the frame to come and of the frame to enlarge, and the features of the past frame and of the
one to enlarge, which it has put out before: the frame stage runs once a frame, as in the engine. The bicubic base is a
convolution with constant weights. Opset 16, static shapes, luma in [0, 1].
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .net import LEAKY_SLOPE, Net
from .reference import BICUBIC, phases
from .train import load


class Exportable(Net):
    """`Net` in operations that ONNX has, and few of them.

    split_groups: deformable sampling is a GridSample for each tap and group, for runtimes without a batch dimension;
    else one for all, with the groups as the batch.
    """

    split_groups = False

    def op_conv(self, op, inputs):
        x = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
        if op.kernel == 3:
            x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        x = F.conv2d(x, self.weight(op), self.convs[op.out].bias, op.stride)
        if op.act == "relu":
            return F.relu(x)
        return F.leaky_relu(x, LEAKY_SLOPE) if op.act == "leaky" else x

    def op_deform(self, op, inputs):
        feature, offsets = inputs
        c, h, w = (int(side) for side in feature.shape[1:])  # constants, as ONNX sees them
        groups, k = op.groups, op.kernel**2
        taps, limit = groups * k, op.limit / 16
        tap = np.repeat(np.arange(k), groups)[:, None]
        ty, tx = tap // op.kernel - op.kernel // 2, tap % op.kernel - op.kernel // 2
        y0 = torch.from_numpy(((2 * (ty + np.arange(h)) + 1) / h - 1).astype(np.float32)).view(1, taps, h, 1)
        x0 = torch.from_numpy(((2 * (tx + np.arange(w)) + 1) / w - 1).astype(np.float32)).view(1, taps, 1, w)
        y = offsets[:, :taps].clamp(-limit, limit) * (2 / h) + y0
        x = offsets[:, taps : 2 * taps].clamp(-limit, limit) * (2 / w) + x0
        gate = torch.sigmoid(offsets[:, 2 * taps :])
        if self.split_groups:
            parts = feature.split(c // groups, 1)
            sampled = [
                self.grid_sample(parts[i % groups], x[:, i], y[:, i]) * gate[:, i : i + 1] for i in range(taps)
            ]
            return torch.cat(sampled, 1)

        def batched(plane):
            return plane.view(k, groups, h, w).transpose(0, 1).reshape(groups, k * h, w)

        sampled = self.grid_sample(feature.reshape(groups, c // groups, h, w), batched(x), batched(y))
        sampled = sampled * batched(gate).unsqueeze(1)
        return sampled.view(groups, c // groups, k, h, w).permute(2, 0, 1, 3, 4).reshape(1, k * c, h, w)

    def op_attention(self, op, inputs):
        """The dot product as a convolution: ncnn, by way of pnnx, sums over channels wrongly."""
        emb, ref, value = inputs
        dot = F.conv2d(emb * ref, torch.ones(1, int(emb.shape[1]), 1, 1))
        return value * torch.sigmoid(dot)

    @staticmethod
    def grid_sample(feature, x, y):
        return F.grid_sample(feature, torch.stack((x, y), -1), padding_mode="border", align_corners=False)


def kept(graph):
    """The frame stage's tensors that later stages read, in order."""
    read = {i.split(".")[1] for op in graph.align for i in op.inputs if i.startswith("nbr.")}
    read |= {i.split(".")[1] for op in graph.align + graph.fuse for i in op.inputs if i.startswith("ref.")}
    return [op.out for op in graph.frame if op.out in read]


def base_weights(scale):
    """The bicubic base as a 5x5 convolution to scale^2 channels."""
    rows = torch.zeros(scale, 5)
    for i, (first, row) in enumerate(phases(scale)):
        rows[i, first + 2 : first + 6] = BICUBIC[row] / 128
    return torch.einsum("iy,jx->ijyx", rows, rows).reshape(scale**2, 1, 5, 5)


class Step(torch.nn.Module):
    """One frame of a window of three: (next luma, luma, features of past, features of now) to (picture, features of
    next)."""

    def __init__(self, net):
        super().__init__()
        assert net.graph.window == 3 and net.graph.frame[0].unshuffle == 1
        self.net, self.kept = net, kept(net.graph)
        self.register_buffer("base", base_weights(net.graph.scale))

    def forward(self, luma_next, luma, *features):
        net, n = self.net, len(self.kept)
        net.size = tuple(int(side) for side in luma.shape[2:])
        past = dict(zip(self.kept, features[:n]))
        now = dict(zip(self.kept, features[n:]))
        following = net.run("frame", {"luma": luma_next})
        ref = {f"ref.{k}": v for k, v in now.items()}
        fuse = dict(ref)
        for i, neighbour in enumerate((past, following)):
            aligned = net.run("align", {**ref, **{f"nbr.{k}": v for k, v in neighbour.items()}})
            fuse.update({f"nbr{i}.{k}": v for k, v in aligned.items()})
        residual = net.run("fuse", fuse)[net.graph.fuse[-1].inputs[0]]
        base = F.conv2d(F.pad(luma, (2, 2, 2, 2), mode="replicate"), self.base)
        picture = F.pixel_shuffle(residual + base, net.graph.scale)
        return (picture, *(following[k] for k in self.kept))


@torch.no_grad()
def export(net, width, height, file):
    """Writes the step of `net`, an Exportable, for pictures of this size."""
    step = Step(net).eval()
    luma = torch.zeros(1, 1, height, width)
    net.size = (height, width)
    frame = net.run("frame", {"luma": luma})
    features = [frame[k].contiguous() for k in step.kept]
    names = ["luma_next", "luma", *(f"past.{k}" for k in step.kept), *(f"now.{k}" for k in step.kept)]
    torch.onnx.export(
        step, (luma, luma, *features, *features), str(file), opset_version=16,
        input_names=names, output_names=["picture", *(f"next.{k}" for k in step.kept)],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="written by compress.train")
    parser.add_argument("--size", default="480x270", help="of the small picture")
    parser.add_argument("--split-groups", action="store_true", help="no batch of more than one, for ncnn")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    net, _ = load(args.checkpoint, Exportable)
    if net.graph.follows:
        sys.exit(f"{args.checkpoint} follows pans, which the exported step is not told: give what compress.follow was given.")
    net.split_groups = args.split_groups
    export(net, width, height, args.out)
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
