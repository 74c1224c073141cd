"""A graph in the integer contract (docs/integer-contract.md), for quantisation-aware training.

Every operation computes the contract's integers exactly, and passes gradients as if it had
not rounded (straight-through). What it computes is, to the byte, what the engine computes
from the file that export.py writes.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .graph import STAGES
from .losses import NOTHING
from .net import LEAKY_SLOPE, Net, sample
from .reference import bicubic_fixed

OFFSET_SCALE = 1 / 16  # offsets in 1/16 pixel; logits of modulation and attention in the same steps
RESIDUAL_SCALE = 1 / (64 * 255)
BIAS_MAX = 1 << 24
WEIGHT_MAX = {8: 127, 6: 31, 4: 7}
OBSERVED = 8192  # values of a tensor that ranges are chosen by, of a batch of windows
POSITIONS = 2048  # of a kernel, that clips are chosen by


@dataclass
class Quantised:
    """Integers `q` held in floats (so that gradients pass); they stand for (q - zero) * scale."""

    q: torch.Tensor
    scale: float
    zero: int = 0
    max: int = 255


def mulhrs(a, b):
    return (a * b + 0x4000) >> 15


def half(shift):
    return 1 << (shift - 1) if shift else 0


def sat16(x):
    return x.clamp(-32768, 32767)


def integers(x):
    """The integers in a float tensor, as int32."""
    return x.detach().round().to(torch.int32)


def split_ratio(ratio, wanted):
    """(shift, multiplier) with ratio = multiplier / 2^(15 + shift) and the largest multiplier near `wanted`."""
    shift = max(0, min(24, math.floor(math.log2(wanted / ratio)) - 15))
    return shift, ratio * 2 ** (15 + shift)


def sigmoid_table(greatest=1.0):
    """sigmoid((i - 128) / 16), in 1/256 of the `greatest` that counts, 256 entries: the table of modulation and attention."""
    x = (torch.arange(256) - 128) * OFFSET_SCALE
    return (torch.sigmoid(x.double()) / greatest * 256).round().clamp(0, 255).to(torch.int32)


def best_range(values, weights, levels):
    """(low, high), zero within, with the least mean square error, each times its weight, of `values` rounded to 0 .. `levels`."""
    best = [min(0.0, values.min().item()), max(0.0, values.max().item())]
    least = math.inf
    parts = torch.linspace(1, 0.3, 29).tolist()
    for end in (0, 1, 0, 1):
        start = best[end]
        for part in parts if start else ():
            bounds = [part * start if i == end else b for i, b in enumerate(best)]
            scale, zero = grid(*bounds, levels)
            error = (((values / scale).round() + zero).clamp(0, levels) - zero).mul(scale).sub(values).square().mul(weights).mean()
            if error < least:
                least, best = error, bounds
    return best


def grid(low, high, levels):
    """(scale, zero point) of the integers 0 .. `levels` that stand for `low` .. `high`."""
    scale = max(high - low, 1e-6) / levels
    return scale, min(levels, round(-low / scale))


def best_clips(weight, top, moments):
    """For each row, the part of its largest magnitude that `top` should stand for: the least square error of its
    products with inputs of second moments `moments`."""
    largest = weight.abs().amax(1, keepdim=True).clamp(min=1e-12)
    parts = torch.linspace(1, 0.4, 31)
    errors = []
    for part in parts.tolist():
        scale = largest * part / top
        error = (weight / scale).round().clamp(-top - 1, top) * scale - weight
        errors.append(((error @ moments) * error).sum(1))
    return parts.to(weight.device)[torch.stack(errors).argmin(0)]


def value_input(op):
    """Which input of a gated operation its gates weigh; of others, the first."""
    return 2 if op.op == "attention" else 0


def best_gate(gates, products, scale):
    """The greatest gate that counts, with the least mean square error of products of `gates` and values in steps of `scale`:
    small gates are worth small steps, as what they make is small, and the few that are greater are cut off. Gates and products
    are (values, weights), as Observer.of has them."""
    (gates, weights), (products, product_weights) = gates, products
    squares = (gates.square() * weights).mean().clamp(min=1e-12)
    power = (products.square() * product_weights).mean() / squares
    candidates = torch.linspace(1, 0.04, 97, device=gates.device)
    excess = ((gates - candidates[:, None]).clamp(min=0).square() * weights).mean(1)
    return candidates[(power * excess + (candidates * scale).square() / 12).argmin()].item()


class Observer(Net):
    """`Net` that keeps values of its tensors, gates among them, and the second moments of what its convolutions read.

    What a window's values weigh is one over how large the residual is there: an error is worth less where the picture errs
    anyhow, as in losses.picture_loss.
    """

    def __init__(self, graph):
        super().__init__(graph)
        self.values, self.gates, self.moments, self.weights = {}, {}, {}, []

    def residual(self, window):
        residual = super().residual(window)
        self.weights.append(1 / (residual.square().flatten(1).mean(1) + NOTHING))
        return residual

    def run(self, stage, given):
        values = super().run(stage, given)
        for op in getattr(self.graph, stage):
            self.keep(self.values, op, values[op.out])
        return values

    def keep(self, kept, op, value):
        """Some values of each window of a batch, (windows, values), the number of the batch, and its extremes."""
        some = value.flatten(1)[:, :: self.step(value.numel(), OBSERVED)]
        kept.setdefault(op.out, []).append((some, len(self.weights), value.aminmax()))

    def of(self, kept, out):
        """All that was kept of a tensor, and what each value weighs: 1 on average. Its extremes are among them, as deep
        networks may amplify what is cut off, however rare."""
        values, batches, extremes = zip(*kept[out])
        weights = torch.cat([self.weights[batch].repeat_interleave(some.shape[1]) for some, batch in zip(values, batches)])
        lows, highs = zip(*extremes)
        values = torch.cat([some.flatten() for some in values] + [min(lows)[None], max(highs)[None]])
        return values, torch.cat([weights / weights.mean(), weights.new_ones(2)])

    def op_deform(self, op, inputs):
        self.keep(self.gates, op, torch.sigmoid(inputs[1][:, 2 * op.groups * op.kernel**2 :]))
        return super().op_deform(op, inputs)

    def op_attention(self, op, inputs):
        self.keep(self.gates, op, torch.sigmoid((inputs[0] * inputs[1]).sum(1)))
        return super().op_attention(op, inputs)

    @staticmethod
    def step(count, wanted):
        """From one of `count` that is observed to the next: odd, or it may be the same columns of each row."""
        return -(-count // wanted) | 1

    def op_conv(self, op, inputs):
        x = self.padded(op, torch.cat(inputs, 1))
        columns = F.unfold(x, op.kernel, stride=op.stride)
        columns = columns.transpose(0, 1).flatten(1)
        columns = columns[:, :: self.step(columns.shape[1], POSITIONS)].contiguous()
        self.moments[op.out] = self.moments.get(op.out, 0) + columns @ columns.T
        return super().op_conv(op, inputs)


class QuantNet(Net):
    """`Net` with quantised weights and activations.

    Ranges of activations, the greatest gate that counts of each sampling and attention, and for each row of weights the part
    of its largest magnitude that is kept, are buffers, set by `calibrate`.
    """

    def __init__(self, graph):
        super().__init__(graph)
        for op in graph.operations():
            if op.op in ("conv", "add", "modulate") and not op.wide:
                self.register_buffer(f"range_{op.out}", torch.tensor([0.0, 1.0]))
            if op.op in ("deform", "attention"):
                self.register_buffer(f"gate_{op.out}", torch.tensor(1.0))
            if op.op == "conv":
                self.register_buffer(f"clip_{op.out}", torch.ones(op.channels))

    @torch.no_grad()
    def calibrate(self, windows):
        """Sets all ranges from what the floating-point network makes of `windows`."""
        self.choose(self.observe(windows))

    def choose(self, seen):
        """Sets all ranges by what an Observer has seen."""
        self.choose_ranges(seen)
        self.choose_gates(seen)
        self.choose_clips(seen)

    @torch.no_grad()
    def observe(self, windows):
        """The Observer that has seen `windows`."""
        seen = Observer(self.graph).to(next(self.parameters()).device)
        seen.load_state_dict(self.state_dict(), strict=False)
        for window in windows:
            seen(window)
        return seen

    def choose_ranges(self, seen):
        """Sets the ranges of activations by what an Observer has seen."""
        for op in self.graph.operations():
            if hasattr(self, f"range_{op.out}"):
                bounds = best_range(*seen.of(seen.values, op.out), op.max)
                getattr(self, f"range_{op.out}").copy_(torch.tensor(bounds))

    @torch.no_grad()
    def widen_ranges(self, times):
        """Makes all ranges of activations so many times as wide."""
        for op in self.graph.operations():
            if hasattr(self, f"range_{op.out}"):
                getattr(self, f"range_{op.out}").mul_(times)

    @torch.no_grad()
    def choose_gates(self, seen):
        """Sets the greatest gates, the ranges of activations being set."""
        self.walk(lambda stage, op, inputs: op.out in seen.gates and self._choose_gate(op, inputs, seen))

    def _choose_gate(self, op, inputs, seen):
        gates, products = seen.of(seen.gates, op.out), seen.of(seen.values, op.out)
        getattr(self, f"gate_{op.out}").fill_(best_gate(gates, products, inputs[value_input(op)].scale))

    @torch.no_grad()
    def choose_clips(self, seen):
        """Sets the ranges of weights, those of activations and the gates being set."""
        self.walk(lambda stage, op, inputs: op.op == "conv" and self._choose_clips(op, inputs, seen.moments[op.out]))

    def _choose_clips(self, op, inputs, moments):
        scale = per_channel(inputs, [i.scale for i in inputs], moments.device).flatten().repeat_interleave(op.kernel**2)
        moments = moments / (scale * scale[:, None])
        clips = best_clips(self.folded_weight(op, inputs).flatten(1), WEIGHT_MAX[op.bits], moments)
        getattr(self, f"clip_{op.out}").copy_(clips)

    def walk(self, visit):
        """Calls visit(stage, op, formats of its inputs) for each operation, in order."""
        known = {"rgb": Shape(3, 1 / 255, 0)} if self.graph.rgb else {"luma": Shape(1, 1 / 255, 0)}
        for stage in STAGES:
            given = dict(known)
            for op in getattr(self.graph, stage):
                inputs = [given[i] for i in op.inputs]
                visit(stage, op, inputs)
                given[op.out] = self.shape(op, inputs)
                if stage == "frame":
                    known.update({f"ref.{op.out}": given[op.out], f"nbr.{op.out}": given[op.out]})
                elif stage == "align":
                    known.update({f"nbr{i}.{op.out}": given[op.out] for i in range(self.graph.aligned)})

    def shape(self, op, inputs):
        """The format of an operation's output."""
        if op.op == "conv":
            return Shape(op.channels, *self.output_format(op))
        if op.op == "add":
            return Shape(op.channels, *self.add_parameters(op, *inputs)[1:])
        if op.op == "modulate":
            return Shape(op.channels, *self.modulate_parameters(op, *inputs)[2:])
        like = inputs[value_input(op)]
        return Shape(op.channels, like.scale * (op.gain if op.op == "up2" else self.greatest(op)), like.zero)

    def greatest(self, op):
        """The greatest gate of an operation that counts; 1 of one that has none."""
        return getattr(self, f"gate_{op.out}").item() if op.op in ("deform", "attention") else 1.0

    def output_format(self, op):
        """(scale, zero point) of a convolution's or an addition's output."""
        if op.wide:
            return (OFFSET_SCALE if op.out.startswith("offset") else RESIDUAL_SCALE), 0
        return grid(*getattr(self, f"range_{op.out}").tolist(), op.max)

    def forward(self, window):
        """As Net, without the last rounding to 8 bits, so that it can be trained."""
        return super().forward(window)

    def picture(self, window):
        """The element's output for 8-bit luma (batch, window, height, width), or RGB, as int32."""
        residual = integers(self.residual(window.float() / 255) / RESIDUAL_SCALE)
        planes = self.frame_of(window, window.shape[1] // 2).int()
        base = bicubic_fixed(planes.flatten(0, 1), self.graph.scale, self.graph.base).view_as(residual)
        picture = ((base + (residual << 7) + half(13)) >> 13).clamp(0, 255)
        return picture if self.graph.rgb else picture[:, 0]

    def op_input(self, op, inputs):
        return Quantised(torch.round(super().op_input(op, inputs) * 255), 1 / 255)

    def exactly(self, linear, exact):
        """`exact` in the forward pass, the gradient of `linear` in the backward pass."""
        return linear + (exact - linear).detach()

    def folded_weight(self, op, inputs):
        """A convolution's weights times the scales of its inputs."""
        weight = self.weight(op)
        return weight * per_channel(inputs, [i.scale for i in inputs], weight.device)

    def weight_scale(self, op, weight):
        """What one step of the integers of each row of a folded weight stands for: at most a step of the output, as the
        contract's multipliers are below 1. What is larger is cut off."""
        greatest = self.output_format(op)[0] * 32767 / 32768
        scale = weight.detach().abs().amax((1, 2, 3)) * getattr(self, f"clip_{op.out}") / WEIGHT_MAX[op.bits]
        scale = scale.clamp(max=greatest)
        bias = self.convs[op.out].bias.detach().abs().max().item() / BIAS_MAX  # where masks leave next to nothing
        return scale.clamp(min=max(scale.max().item() / (2 if op.wide else 8), bias, 1e-12))

    def integer_weight(self, op, inputs):
        """A convolution's weights as integers, with gradients, and what a step of each row stands for."""
        weight, top = self.folded_weight(op, inputs), WEIGHT_MAX[op.bits]
        scale = self.weight_scale(op, weight)
        weight = weight / scale.view(-1, 1, 1, 1)
        return self.exactly(weight, weight.round().clamp(-top - 1, top)), scale

    def conv_parameters(self, op, inputs):
        """What the contract needs of a convolution: its integers and the ratio that they stand for.

        Returns a dictionary: weight (O, I, k, k) and bias (O), integers in floats with gradients; mult, mult_neg
        (int32), shift, ratio (float), zero, max, scale. `inputs` are Quantised or what has their scale and zero.
        """
        conv = self.convs[op.out]
        weight, scale = self.integer_weight(op, inputs)
        in_zero = per_channel(inputs, [float(i.zero) for i in inputs], weight.device)
        bias = conv.bias / scale
        bias = self.exactly(bias, bias.round()) - (weight * in_zero).sum((1, 2, 3))
        out_scale, zero = self.output_format(op)
        ratio = scale / out_scale
        shift, _ = split_ratio(ratio.max().item(), 32767 if op.wide else 8191)
        mult = (ratio.double() * 2 ** (15 + shift)).round().clamp(max=32767).to(torch.int32)
        mult_neg = (mult * LEAKY_SLOPE).round().to(torch.int32)
        return dict(
            weight=weight, bias=bias, mult=mult, mult_neg=mult_neg, shift=shift, ratio=ratio,
            zero=zero, max=op.max, scale=out_scale,
        )

    def op_conv(self, op, inputs):
        p = self.conv_parameters(op, [Shape(i.q.shape[1], i.scale, i.zero) for i in inputs])
        x = torch.cat([self.padded(op, i.q, i.zero) for i in inputs], 1)
        acc = self.accumulate(x.contiguous(memory_format=torch.channels_last), p["weight"], p["bias"], op.stride)
        linear = acc.float() * p["ratio"].view(1, -1, 1, 1)
        t = sat16((integers(acc) + half(p["shift"])) >> p["shift"])
        exact = mulhrs(t, p["mult"].view(1, -1, 1, 1))
        if op.act == "relu":
            linear, exact = F.relu(linear), exact.clamp(min=0)
        elif op.act == "leaky":
            linear = F.leaky_relu(linear, LEAKY_SLOPE)
            exact = torch.maximum(exact, mulhrs(t, p["mult_neg"].view(1, -1, 1, 1)))
        if op.wide:
            return Quantised(self.exactly(linear, sat16(exact).float()), p["scale"])
        zero, top = p["zero"], p["max"]
        linear = (linear + zero).clamp(0, top)
        return Quantised(self.exactly(linear, (exact + zero).clamp(0, top).float()), p["scale"], zero, top)

    @staticmethod
    def accumulate(x, weight, bias, stride):
        """The convolution of integers. Floats hold them up to 2^24, so what may become greater is in doubles."""
        greatest = 255 * weight.detach().abs().sum((1, 2, 3)) + bias.detach().abs()
        if greatest.max() < 1 << 24:
            return F.conv2d(x, weight, bias, stride)
        return F.conv2d(x.double(), weight.double(), bias.double(), stride)

    def sum_parameters(self, op, scales):
        """The contract's multipliers of two summands of these scales, and scale and zero point of the sum."""
        scale, zero = self.output_format(op)
        widest = max(scales) / 1.999
        if scale < widest:
            scale, zero = widest, min(op.max, round(zero * scale / widest))
        return [min(32767, round(s / scale * 16384)) for s in scales], scale, zero

    def add_parameters(self, op, a, b):
        """The contract's two multipliers, and scale and zero point of the sum."""
        return self.sum_parameters(op, [a.scale, b.scale])

    def op_add(self, op, inputs):
        a, b = inputs
        mult, scale, zero = self.add_parameters(op, a, b)
        linear = (a.q - a.zero) * (a.scale / scale) + (b.q - b.zero) * (b.scale / scale) + zero
        total = sum(mulhrs((integers(i.q) - i.zero) << 6, m) for i, m in zip(inputs, mult))
        exact = (zero + ((total + 16) >> 5)).clamp(0, op.max)
        return Quantised(self.exactly(linear.clamp(0, op.max), exact.float()), scale, zero, op.max)

    def op_up2(self, op, inputs):
        (x,) = inputs
        linear = F.interpolate(x.q, scale_factor=2, mode="bilinear", align_corners=False)
        return Quantised(self.crop(op, self.exactly(linear, (linear + 0.5).floor())), x.scale * op.gain, x.zero, x.max)

    def op_shuffle(self, op, inputs):
        (x,) = inputs
        return Quantised(super().op_shuffle(op, [x.q]), x.scale, x.zero, x.max)

    def op_follow(self, op, inputs):
        (x,) = inputs
        return Quantised(super().op_follow(op, [x.q]), x.scale, x.zero, x.max)

    def op_pool(self, op, inputs):
        (x,) = inputs
        linear = super().op_pool(op, [x.q - x.zero]) + x.zero
        if op.of == "average":
            linear = self.exactly(linear, torch.div(2 * integers(9 * linear) + 9, 18, rounding_mode="floor").float())
        return Quantised(linear, x.scale, x.zero, x.max)

    def modulate_parameters(self, op, value, gate, addend):
        """The contract's table and two multipliers, and scale and zero point of the result."""
        x = (torch.arange(256) - gate.zero) * gate.scale
        table = (torch.sigmoid(x.double()) * 256).round().clamp(0, 255).to(torch.int32)
        return table, *self.sum_parameters(op, [value.scale * op.gain, addend.scale])

    def op_modulate(self, op, inputs):
        value, gate, addend = inputs
        table, (mult_v, mult_b), scale, zero = self.modulate_parameters(op, value, gate, addend)
        factor = torch.sigmoid((gate.q - gate.zero) * gate.scale) * (value.scale * op.gain / scale)
        linear = (value.q - value.zero) * factor + (addend.q - addend.zero) * (addend.scale / scale) + zero
        t = ((integers(value.q) - value.zero) * table.to(value.q.device)[integers(gate.q).long()] + 2) >> 2
        total = mulhrs(t, mult_v) + mulhrs((integers(addend.q) - addend.zero) << 6, mult_b)
        exact = (zero + ((total + 16) >> 5)).clamp(0, op.max)
        return Quantised(self.exactly(linear.clamp(0, op.max), exact.float()), scale, zero, op.max)

    def op_deform(self, op, inputs):
        feature, offsets = inputs
        taps, limit = op.groups * op.kernel**2, op.limit
        dy, dx, logits = offsets.q.split(taps, 1)
        linear = sample(
            feature.q - feature.zero,
            dy.clamp(-limit, limit) * OFFSET_SCALE,
            dx.clamp(-limit, limit) * OFFSET_SCALE,
            op.groups, op.kernel, op.border,
        )
        value = sample_fixed(
            integers(feature.q), integers(dy).clamp(-limit, limit), integers(dx).clamp(-limit, limit),
            op.groups, op.kernel, feature.zero if op.border == "zero" else None,
        )
        logits = logits.repeat_interleave(op.channels // taps, 1)
        return self.gated(op, feature, linear, value, logits * OFFSET_SCALE, integers(logits))

    def gated(self, op, like, linear, value, logits, steps):
        """Values in the format `like` times the table's gates: `linear` (without its zero point) and `logits` with gradients,
        `value` and `steps` the contract's integers."""
        greatest = self.greatest(op)
        linear = linear * (torch.sigmoid(logits) / greatest).clamp(max=1) + like.zero
        gate = sigmoid_table(greatest).to(steps.device)[(steps + 128).clamp(0, 255).long()]
        exact = like.zero + (((value - like.zero) * gate + 128) >> 8)
        return Quantised(self.exactly(linear, exact.float()), like.scale * greatest, like.zero, like.max)

    @staticmethod
    def attention_parameters(a, b):
        """Shift and multiplier that turn a dot product of embeddings into steps of the table."""
        shift, mult = split_ratio(a.scale * b.scale / OFFSET_SCALE, 8191)
        return shift, min(32767, round(mult))

    def op_attention(self, op, inputs):
        a, b, value = inputs
        dot = ((a.q - a.zero) * (b.q - b.zero)).sum(1, keepdim=True)
        shift, mult = self.attention_parameters(a, b)
        t = sat16((integers(dot) + half(shift)) >> shift)
        return self.gated(op, value, value.q - value.zero, integers(value.q), dot * (a.scale * b.scale), mulhrs(t, mult))

    def op_head(self, op, inputs):
        return super().op_head(op, [inputs[0].q * inputs[0].scale])


@dataclass
class Shape:
    """The format of a tensor: its channels, and the scale and zero point of its integers."""

    channels: int
    scale: float
    zero: int


def per_channel(inputs, values, device):
    """A value for each input as a value for each channel of their concatenation, (1, channels, 1, 1)."""
    return torch.cat([torch.full((i.channels,), v, device=device) for i, v in zip(inputs, values)]).view(1, -1, 1, 1)


def sample_fixed(feature, dy, dx, groups, kernel, outside=None):
    """`net.sample` in the contract: int32 features, offsets in 1/16 pixel, weights in 1/256. Outside the picture is its
    edge, or the value `outside`."""
    b, c, h, w = feature.shape
    k = kernel * kernel
    tap = torch.arange(k, device=feature.device)
    ty, tx = tap // kernel - kernel // 2, tap % kernel - kernel // 2
    ys = torch.arange(h, device=feature.device).view(1, 1, 1, h, 1)
    xs = torch.arange(w, device=feature.device).view(1, 1, 1, 1, w)
    py = dy.view(b, k, groups, h, w) + 16 * (ys + ty.view(1, k, 1, 1, 1))
    px = dx.view(b, k, groups, h, w) + 16 * (xs + tx.view(1, k, 1, 1, 1))
    iy, ix, fy, fx = py >> 4, px >> 4, py & 15, px & 15
    flat = feature.reshape(b, 1, groups, c // groups, h * w).expand(b, k, groups, c // groups, h * w)

    def pixel(y, x):
        index = (y.clamp(0, h - 1) * w + x.clamp(0, w - 1)).long().view(b, k, groups, 1, h * w)
        values = flat.gather(4, index.expand_as(flat)).view(b, k, groups, c // groups, h, w)
        if outside is None:
            return values
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        return values.where(inside.unsqueeze(3), values.new_tensor(outside))

    total = sum(
        pixel(iy + j, ix + i) * ((fx if i else 16 - fx) * (fy if j else 16 - fy)).unsqueeze(3)
        for j in (0, 1) for i in (0, 1)
    )
    return ((total + 128) >> 8).reshape(b, k * c, h, w)
