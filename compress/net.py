"""A graph as a PyTorch network, in floating point.

Pictures are luma in [0, 1], shaped (batch, window, height, width), or RGB (batch, window, 3, height, width). Features are
(batch, channels, height, width), channels_last in memory.
"""

import torch
import torch.nn.functional as F
from torch import nn

from . import native
from .graph import STAGES, quad_of_channel, quads
from .pan import pans
from .reference import bicubic

LEAKY_SLOPE = 0.1


class Net(nn.Module):
    def __init__(self, graph):
        super().__init__()
        self.graph = graph
        self.convs = nn.ModuleDict()
        self.levels = {}
        for stage in STAGES:
            table = graph.tensors(stage)
            for op in getattr(graph, stage):
                assert op.out not in self.levels, f"two tensors are called {op.out}"
                self.levels[op.out] = table[op.out].level
                if op.op == "conv":
                    counts = [table[i].channels for i in op.inputs]
                    conv = nn.Conv2d(sum(counts), op.channels, op.kernel, op.stride)
                    self.convs[op.out] = self._init(conv, op)
                    if op.quads is not None:
                        self._add_mask(conv, counts)

    @staticmethod
    def _init(conv, op):
        nn.init.kaiming_normal_(conv.weight, a=LEAKY_SLOPE)
        nn.init.zeros_(conv.bias)
        if op.wide or op.out.endswith("b"):  # offsets, the residual, and the ends of residual blocks start small
            with torch.no_grad():
                conv.weight.mul_(0.1)
        # The gates between a neighbour and the fusion start open: closed by half, three in a row starve alignment.
        if op.out.startswith("offset"):
            nn.init.constant_(conv.bias[2 * op.channels // 3 :], 2.0)
        if op.out.startswith("emb"):
            nn.init.constant_(conv.bias, 0.7)
        return conv

    @staticmethod
    def _add_mask(conv, counts):
        """Which quads of weights are kept: (output channel, quad of input channels, row, column)."""
        outputs, _, *taps = conv.weight.shape
        conv.register_buffer("mask", torch.ones(outputs, quads(counts), *taps, dtype=torch.bool))
        conv.register_buffer("quad", torch.tensor(quad_of_channel(counts)), persistent=False)

    def weight(self, op):
        """The weights of a convolution, those that are masked 0."""
        conv = self.convs[op.out]
        return conv.weight if op.quads is None else conv.weight * conv.mask[:, conv.quad]

    def forward(self, window):
        """The enlarged centre frame of `window`, (batch, scale * height, scale * width), unclipped; of RGB, its planes."""
        picture = self.base(window) + self.residual(window)
        return picture if self.graph.rgb else picture[:, 0]

    def frame_of(self, window, i):
        """A frame's planes: (batch, planes, height, width)."""
        return window[:, i] if self.graph.rgb else window[:, i : i + 1]

    def residual(self, window):
        """What the network adds to the base: (batch, planes, scale * height, scale * width)."""
        centre = window.shape[1] // 2
        self.size = tuple(-(-s // self.graph.frame[0].unshuffle) for s in window.shape[-2:])
        source = "rgb" if self.graph.rgb else "luma"
        frames = [self.run("frame", {source: self.frame_of(window, i)}) for i in range(window.shape[1])]
        ref = {f"ref.{k}": v for k, v in frames[centre].items()}
        fuse = dict(ref)
        moved = self.pans_of(window) if self.graph.follows else [None] * len(frames)
        self.aligned = []
        for i, (features, self.pans) in enumerate(zip(frames, moved)):
            if i != centre or self.graph.align_centre:
                self.aligned.append(self.run("align", {**ref, **{f"nbr.{k}": v for k, v in features.items()}}))
        for i, align in enumerate(self.aligned):
            fuse.update({f"nbr{i}.{k}": v for k, v in align.items()})
        height, width = (self.graph.scale * s for s in window.shape[-2:])
        self.fused = self.run("fuse", fuse)
        return self.fused["out"][..., :height, :width]

    @staticmethod
    def pans_of(window):
        """For each frame, where each window of the batch has there what its centre has: whole pixels, rows and columns."""
        pictures = (window.detach() * 255).round().byte().cpu().numpy()
        return list(zip(*(pans(picture) for picture in pictures)))

    def base(self, window):
        planes = self.frame_of(window, window.shape[1] // 2)
        enlarged = bicubic(planes.flatten(0, 1).unsqueeze(1), self.graph.scale, self.graph.base)
        return enlarged.view(*planes.shape[:2], *enlarged.shape[2:])

    def run(self, stage, given):
        """Executes a stage on the tensors `given` by name; returns them and all that it computes."""
        values = dict(given)
        for op in getattr(self.graph, stage):
            values[op.out] = getattr(self, "op_" + op.op)(op, [values[i] for i in op.inputs])
        return values

    def crop(self, op, x):
        """Cuts an enlarged tensor to the size of its level, which is odd where the picture's is."""
        level = self.levels[op.out]
        height, width = (s << -level if level < 0 else -(-s >> level) for s in self.size)
        return x[..., :height, :width]

    def op_input(self, op, inputs):
        (x,) = inputs
        if op.unshuffle > 1:
            height, width = x.shape[2:]
            x = F.pad(x, (0, -width % op.unshuffle, 0, -height % op.unshuffle), mode="replicate")
            x = F.pixel_unshuffle(x, op.unshuffle)
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def padded(op, x, zero=0):
        """What a convolution reads: with the pixels around the picture, of which `zero` stands for 0."""
        if op.kernel == 1:
            return x
        if op.border == "zero":
            return F.pad(x, (1, 1, 1, 1), value=zero)
        return native.EdgePad.apply(x) if native.serves(x) else F.pad(x, (1, 1, 1, 1), mode="replicate")

    def op_conv(self, op, inputs):
        x = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
        x = F.conv2d(self.padded(op, x), self.weight(op), self.convs[op.out].bias, op.stride)
        if op.act == "relu":
            return F.relu(x, inplace=True)
        if op.act == "leaky":
            return F.leaky_relu(x, LEAKY_SLOPE, inplace=True)
        return x

    def op_add(self, op, inputs):
        return inputs[0] + inputs[1]

    def op_up2(self, op, inputs):
        return self.crop(op, F.interpolate(inputs[0], scale_factor=2, mode="bilinear", align_corners=False)) * op.gain

    def op_shuffle(self, op, inputs):
        return self.crop(op, F.pixel_shuffle(inputs[0], 2))

    def op_follow(self, op, inputs):
        (x,) = inputs
        if not any(map(any, self.pans)):
            return x
        height, width = (torch.arange(size, device=x.device) for size in x.shape[2:])
        moved = [
            feature[:, (height + y).clamp(0, len(height) - 1)][:, :, (width + x).clamp(0, len(width) - 1)]
            for feature, (y, x) in zip(x, self.pans)
        ]
        return torch.stack(moved).contiguous(memory_format=torch.channels_last)

    def op_pool(self, op, inputs):
        return (F.max_pool2d if op.of == "max" else F.avg_pool2d)(inputs[0], 3, 2, 1)

    def op_modulate(self, op, inputs):
        value, gate, addend = inputs
        return value * torch.sigmoid(gate) * op.gain + addend

    def op_deform(self, op, inputs):
        feature, offsets = inputs
        taps = op.groups * op.kernel**2
        limit = op.limit / 16
        if native.serves(feature):
            return native.Deform.apply(feature, offsets, op.groups, op.kernel, op.border, limit)
        dy = offsets[:, :taps].clamp(-limit, limit)
        dx = offsets[:, taps : 2 * taps].clamp(-limit, limit)
        sampled = sample(feature, dy, dx, op.groups, op.kernel, op.border)
        return sampled * self.modulation(offsets[:, 2 * taps :], op)

    @staticmethod
    def modulation(logits, op):
        """Sigmoids of (batch, taps * groups), repeated for the channels that each modulates."""
        return torch.sigmoid(logits).repeat_interleave(op.channels // (op.groups * op.kernel**2), 1)

    def op_attention(self, op, inputs):
        emb, ref, value = inputs
        return value * torch.sigmoid((emb * ref).sum(1, keepdim=True))

    def op_head(self, op, inputs):
        return F.pixel_shuffle(inputs[0], self.graph.scale * self.graph.frame[0].unshuffle >> -self.levels[op.out])


def sample(feature, dy, dx, groups, kernel, border="edge"):
    """Bilinear samples at every pixel displaced by its tap and offset; outside is the edge pixel, or zero.

    feature (B, C, H, W); dy, dx (B, kernel^2 * groups, H, W) in pixels, taps outermost.
    Returns (B, kernel^2 * C, H, W), taps outermost.
    """
    b, c, h, w = feature.shape
    k = kernel * kernel
    tap = torch.arange(k, device=feature.device)
    ty = (tap // kernel - kernel // 2).view(1, k, 1, 1, 1)
    tx = (tap % kernel - kernel // 2).view(1, k, 1, 1, 1)
    ys = torch.arange(h, device=feature.device).view(1, 1, 1, h, 1)
    xs = torch.arange(w, device=feature.device).view(1, 1, 1, 1, w)
    py = dy.reshape(b, k, groups, h, w) + ty + ys
    px = dx.reshape(b, k, groups, h, w) + tx + xs
    grid = torch.stack((px * (2 / w) + (1 / w - 1), py * (2 / h) + (1 / h - 1)), -1)
    grid = grid.transpose(1, 2).reshape(b * groups, k * h, w, 2)
    x = feature.contiguous().view(b * groups, c // groups, h, w)
    padding = "border" if border == "edge" else "zeros"
    y = F.grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    y = y.view(b, groups, c // groups, k, h, w).permute(0, 3, 1, 2, 4, 5)
    return y.reshape(b, k * c, h, w).contiguous(memory_format=torch.channels_last)
