"""Turns an EDVR checkpoint of BasicSR (EDVR-M, EDVR-L) into a quantised model file that the engine runs.

    python3 -m compress.import_basicsr EDVR_M_x4_SR_REDS.pth --video footage.mp4 --out build/edvr-m.safetensors

The network's shape is read from the tensors' names and shapes: RGB in and out, x4, 3, 5 or 7 frames, any number of
channels and blocks, with or without TSA. Networks with the predeblur module are refused. Ranges of activations are
calibrated on --video, or else on generated footage, which is not what the network is for: give it real footage.

Bits of the weights, 8, 6 or 4 for each convolution: those with which the picture suffers least (PDE) of all that make the
file --ratio times smaller than the checkpoint's parameters in 32 bits.

The checkpoint is read as tensors alone (torch.load's weights_only): a file that wants to run code is refused.
"""

import argparse
import platform
import re
import sys
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

from .export import export
from .graph import Graph, Op
from .net import Net
from .pde import Sensitivity, choose, work
from .quant import OFFSET_SCALE, QuantNet

SCALE = 4
LIMIT_MAX = 32767
WINDOWS = (3, 5, 7)
SIDE = 64  # of the pictures that ranges are calibrated on
CALIBRATION_WINDOWS = 8


class CheckpointError(Exception):
    """The checkpoint is not what this imports, or the footage not what it needs; the message says why."""


# ---- The checkpoint ----


def read_checkpoint(file):
    """The tensors of a checkpoint by name, whether bare or under "params_ema" or "params"."""
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of any kind: a file that is no pickle is read as if it were one
        raise CheckpointError(f"it cannot be read as tensors: {error}") from error
    for key in ("params_ema", "params"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(v, torch.Tensor) for v in loaded.values()):
        raise CheckpointError('it has no state dict: neither bare, nor under "params" or "params_ema"')
    return {name.removeprefix("module."): tensor.float() for name, tensor in loaded.items()}


class Shape:
    """An EDVR's sizes, read from its tensors."""

    def __init__(self, state):
        if any(name.startswith("predeblur.") for name in state):
            raise CheckpointError("it has a predeblur module (predeblur.*, also with hr_in), which is not supported")
        self.channels = self._dim(state, "conv_first.weight", 0)
        self.extract_blocks = self._count(state, "feature_extraction")
        self.fuse_blocks = self._count(state, "reconstruction")
        self.tsa = "fusion.feat_fusion.weight" in state
        fusion = "fusion.feat_fusion.weight" if self.tsa else "fusion.weight"
        self.window = self._dim(state, fusion, 1) // self.channels
        self.groups = self._dim(state, "pcd_align.cas_dcnpack.conv_offset.weight", 0) // 27
        self.high_channels = self._dim(state, "conv_hr.weight", 1)
        if self.window not in WINDOWS:
            raise CheckpointError(f"{fusion} fuses {self.window} frames, must be {', '.join(map(str, WINDOWS))}")
        if self.groups < 1 or self.channels % (4 * self.groups):
            raise CheckpointError(
                f"{self.channels} channels in {self.groups} deformable groups: a group must be a multiple of 4 channels"
            )

    @staticmethod
    def _dim(state, name, i):
        if name not in state or state[name].dim() <= i:
            raise CheckpointError(f"the tensor {name} is missing: this is no EDVR in BasicSR's naming")
        return state[name].shape[i]

    @staticmethod
    def _count(state, module):
        numbers = [re.match(rf"{module}\.(\d+)\.", name) for name in state]
        return 1 + max((int(m[1]) for m in numbers if m), default=-1)


def check_names(state, expected):
    """Every tensor that is expected is there with its shape, and no other."""
    wrong = [f"{name} is missing" for name in expected if name not in state]
    wrong += [f"{name} is unknown" for name in state if name not in expected]
    wrong += [
        f"{name} has shape {tuple(state[name].shape)}, must have {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if wrong:
        more = "; ..." if len(wrong) > 20 else ""
        raise CheckpointError("tensors do not fit an EDVR: " + "; ".join(wrong[:20]) + more)


# ---- The graph ----


class Builder:
    """The graph of an EDVR, and which module of the checkpoint each convolution is."""

    def __init__(self, shape):
        self.shape = shape
        self.graph = Graph(SCALE, shape.window, rgb=True, align_centre=True, base="linear")
        self.modules = {}  # of each convolution: the module's name
        self.samplers = {}  # of each convolution that a deformable one became: the number of its taps
        self.expected = {}  # the checkpoint's tensors and their shapes
        self._frame()
        self._align()
        self._fuse()

    def conv(self, stage, out, inputs, channels, module, in_channels, kernel=3, act="leaky", **fields):
        stage.append(Op("conv", out, inputs, channels, kernel=kernel, act=act, border="zero", **fields))
        self.modules[out] = module
        self.expected[f"{module}.weight"] = (channels, in_channels, kernel, kernel)
        self.expected[f"{module}.bias"] = (channels,)
        return out

    def blocks(self, stage, x, prefix, count, module):
        c = self.shape.channels
        for i in range(count):
            self.conv(stage, f"{prefix}{i}a", [x], c, f"{module}.{i}.conv1", c, act="relu")
            self.conv(stage, f"{prefix}{i}b", [f"{prefix}{i}a"], c, f"{module}.{i}.conv2", c, act="none")
            stage.append(Op("add", f"{prefix}{i}", [x, f"{prefix}{i}b"], c))
            x = f"{prefix}{i}"
        return x

    def _frame(self):
        frame, c = self.graph.frame, self.shape.channels
        frame.append(Op("input", "x", ["rgb"], 3))
        self.conv(frame, "first", ["x"], c, "conv_first", 3)
        level1 = self.blocks(frame, "first", "extract", self.shape.extract_blocks, "feature_extraction")
        self.conv(frame, "down2", [level1], c, "conv_l2_1", c, stride=2)
        self.conv(frame, "level2", ["down2"], c, "conv_l2_2", c)
        self.conv(frame, "down3", ["level2"], c, "conv_l3_1", c, stride=2)
        self.conv(frame, "level3", ["down3"], c, "conv_l3_2", c)
        self.features = {1: level1, 2: "level2", 3: "level3"}

    def deformable(self, name, feature, offsets, module, act):
        """A deformable convolution: its offsets, its samples, and the 1x1 convolution that weighs them."""
        align, c, groups = self.graph.align, self.shape.channels, self.shape.groups
        self.conv(align, f"offset_{name}", [offsets], 27 * groups, f"{module}.conv_offset", c, act="none", wide=True)
        align.append(
            Op("deform", f"sampled_{name}", [feature, f"offset_{name}"], 9 * c, kernel=3, groups=groups,
               limit=LIMIT_MAX, border="zero")
        )  # fmt: skip
        out = f"aligned_{name}"
        align.append(Op("conv", out, [f"sampled_{name}"], c, act=act))
        self.modules[out] = module
        self.samplers[out] = 9
        self.expected[f"{module}.weight"] = (c, c, 3, 3)
        self.expected[f"{module}.bias"] = (c,)
        return out

    def _level(self, n, coarser):
        """One level of PCD: offsets from both frames and the coarser level, sample, merge."""
        align, c, f = self.graph.align, self.shape.channels, self.features[n]
        pcd = "pcd_align"
        off = self.conv(align, f"off{n}a", [f"nbr.{f}", f"ref.{f}"], c, f"{pcd}.offset_conv1.l{n}", 2 * c)
        if coarser:
            align.append(Op("up2", f"offup{n}", [f"off{n + 1}"], c, gain=2))
            off = self.conv(align, f"off{n}b", [off, f"offup{n}"], c, f"{pcd}.offset_conv2.l{n}", 2 * c)
            self.conv(align, f"off{n}", [off], c, f"{pcd}.offset_conv3.l{n}", c)
        else:
            self.conv(align, f"off{n}", [off], c, f"{pcd}.offset_conv2.l{n}", c)
        act = "none" if coarser else "leaky"
        aligned = self.deformable(f"l{n}", f"nbr.{f}", f"off{n}", f"{pcd}.dcn_pack.l{n}", act)
        if not coarser:
            return aligned
        align.append(Op("up2", f"up{n}", [coarser], c))
        act = "leaky" if n > 1 else "none"
        return self.conv(align, f"merged{n}", [aligned, f"up{n}"], c, f"{pcd}.feat_conv.l{n}", 2 * c, act=act)

    def _align(self):
        align, c = self.graph.align, self.shape.channels
        aligned = self._level(1, self._level(2, self._level(3, None)))
        self.conv(align, "casa", [aligned, f"ref.{self.features[1]}"], c, "pcd_align.cas_offset_conv1", 2 * c)
        self.conv(align, "casb", ["casa"], c, "pcd_align.cas_offset_conv2", c)
        self.aligned = self.deformable("cas", aligned, "casb", "pcd_align.cas_dcnpack", "leaky")
        if self.shape.tsa:
            self.conv(align, "emb", [self.aligned], c, "fusion.temporal_attn2", c, act="none")

    def _attend(self):
        """TSA: temporal attention before the fusion, spatial attention after it."""
        fuse, c = self.graph.fuse, self.shape.channels
        aligned = [f"nbr{i}.{self.aligned}" for i in range(self.shape.window)]
        self.conv(fuse, "embref", [aligned[self.shape.window // 2]], c, "fusion.temporal_attn1", c, act="none")
        attended = []
        for i, value in enumerate(aligned):
            fuse.append(Op("attention", f"att{i}", [f"nbr{i}.emb", "embref", value], c))
            attended.append(f"att{i}")

        def conv(out, inputs, module, in_channels=c, **fields):
            return self.conv(fuse, out, inputs, c, f"fusion.{module}", in_channels, **fields)

        def pools(name, x):
            for of in ("max", "average"):
                fuse.append(Op("pool", f"{name}{of}", [x], c, of=of))
            return [f"{name}max", f"{name}average"]

        conv("fused", attended, "feat_fusion", c * self.shape.window, kernel=1)
        conv("sa1", attended, "spatial_attn1", c * self.shape.window, kernel=1)
        conv("sa2", pools("sa1", "sa1"), "spatial_attn2", 2 * c, kernel=1)
        conv("sal1", ["sa2"], "spatial_attn_l1", kernel=1)
        conv("sal2", pools("sal1", "sal1"), "spatial_attn_l2", 2 * c)
        conv("sal3", ["sal2"], "spatial_attn_l3")
        fuse.append(Op("up2", "salup", ["sal3"], c))
        conv("sa3", ["sa2"], "spatial_attn3")
        fuse.append(Op("add", "sasum", ["sa3", "salup"], c))
        conv("sa4", ["sasum"], "spatial_attn4", kernel=1)
        fuse.append(Op("up2", "saup", ["sa4"], c))
        conv("sa5", ["saup"], "spatial_attn5", act="none")
        conv("saadd1", ["sa5"], "spatial_attn_add1", kernel=1)
        conv("saadd2", ["saadd1"], "spatial_attn_add2", kernel=1, act="none")
        fuse.append(Op("modulate", "modulated", ["fused", "sa5", "saadd2"], c, gain=2))
        return "modulated"

    def _fuse(self):
        fuse, c, high = self.graph.fuse, self.shape.channels, self.shape.high_channels
        if self.shape.tsa:
            x = self._attend()
        else:
            aligned = [f"nbr{i}.{self.aligned}" for i in range(self.shape.window)]
            x = self.conv(fuse, "fused", aligned, c, "fusion", c * self.shape.window, kernel=1, act="none")
        x = self.blocks(fuse, x, "recon", self.shape.fuse_blocks, "reconstruction")
        # LeakyReLU and pixel shuffle may change places.
        self.conv(fuse, "wide1", [x], 4 * c, "upconv1", c)
        fuse.append(Op("shuffle", "twice", ["wide1"], c))
        self.conv(fuse, "wide2", ["twice"], 4 * high, "upconv2", c)
        fuse.append(Op("shuffle", "fourfold", ["wide2"], high))
        self.conv(fuse, "high", ["fourfold"], high, "conv_hr", high)
        self.conv(fuse, "residual", ["high"], 3, "conv_last", high, act="none", wide=True)
        fuse.append(Op("head", "out", ["residual"], 3))


def reorder_offsets(tensor, groups):
    """Rows of BasicSR's conv_offset, (group, tap, dy or dx) and (group, tap), as dy, dx, modulation of (tap, group)."""
    moves, logits = tensor.split((18 * groups, 9 * groups))
    moves = moves.view(groups, 9, 2, *tensor.shape[1:]).permute(2, 1, 0, *range(3, 2 + tensor.dim())).flatten(0, 2)
    logits = logits.view(groups, 9, *tensor.shape[1:]).transpose(0, 1).flatten(0, 1)
    return torch.cat((moves, logits))


def build(state, network=Net):
    """A network of our own, `network (graph)`, with the weights of a checkpoint."""
    shape = Shape(state)
    builder = Builder(shape)
    check_names(state, builder.expected)
    net = network(builder.graph)
    with torch.no_grad():
        for out, module in builder.modules.items():
            weight, bias = state[f"{module}.weight"], state[f"{module}.bias"]
            if out.startswith("offset"):
                weight, bias = reorder_offsets(weight, shape.groups), reorder_offsets(bias, shape.groups)
            if out in builder.samplers:  # taps outermost, as deform makes them
                weight = weight.flatten(2).transpose(1, 2).flatten(1)[..., None, None]
            net.convs[out].weight.copy_(weight)
            net.convs[out].bias.copy_(bias)
    return net.eval()


# ---- Quantisation ----


def generated_footage(window, count, side=SIDE, seed=0):
    """Windows of coloured texture that drifts: what ranges can be calibrated on where there is no footage."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        noise = torch.randn(1, 3, side + 4 * window, side + 4 * window, generator=generator)
        noise = noise + 2 * F.interpolate(F.avg_pool2d(noise, 8), size=noise.shape[2:], mode="bilinear")
        noise = F.avg_pool2d(F.pad(noise, (1, 1, 1, 1), mode="replicate"), 3, 1)
        picture = (0.5 + 0.2 * (noise - noise.mean()) / noise.std()).clamp(0, 1)
        picture = (picture * 255).round() / 255
        step = torch.randint(-2, 3, (2,), generator=generator).tolist()
        start = [2 * window + min(0, -s * window) + max(0, -s * window) for s in step]
        frames = [
            picture[0, :, start[0] + t * step[0] :, start[1] + t * step[1] :][:, :side, :side] for t in range(window)
        ]
        yield torch.stack(frames)[None]


def read_footage(files, window, count, side=SIDE):
    """Windows from the middle of the pictures of some videos, spread over their length."""
    per_file = -(-count // len(files))
    for file in files:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise CheckpointError(f"{file} has no video")
            total = container.streams.video[0].frames or 300
            starts = {round(i * max(total - window, 0) / per_file) for i in range(per_file)}
            held = []
            for number, frame in enumerate(container.decode(video=0)):
                rgb = frame.to_ndarray(format="rgb24")
                top, left = ((s - side) // 2 if s > side else 0 for s in rgb.shape[:2])
                held = (held + [rgb[top : top + side, left : left + side]])[-window:]
                if number - window + 1 in starts and len(held) == window:
                    yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2)[None].float() / 255


def set_limits(net, windows):
    """Clamps offsets a little above the greatest that are seen, so that a row waits for no more rows than it has to."""
    reach = {}

    def observe(stage, given, run=net.run):
        values = run(stage, given)
        for op in net.graph.align if stage == "align" else ():
            if op.op == "deform":
                taps = 2 * op.groups * op.kernel**2
                greatest = values[op.inputs[1]][:, :taps].abs().max().item()
                reach[op.out] = max(reach.get(op.out, 0), greatest)
        return values

    net.run = observe
    with torch.no_grad():
        for window in windows:
            net(window)
    for op in net.graph.align:
        if op.op == "deform":
            op.limit = min(LIMIT_MAX, round((1.25 * reach[op.out] + 1) / OFFSET_SCALE))


def choose_bits(net, windows, ratio):
    """Gives each convolution the bits (PDE, pde.py) with which the file is `ratio` times smaller than the parameters in 32
    bits, and ranges that suit them; False if 4 bits everywhere are not enough."""
    parameters, weights = sum(p.numel() for p in net.parameters()), sum(work(net.graph)[0].values())
    average = min(8, (32 * parameters / ratio - 8 * overhead(net)) / weights) if ratio else 8
    if average < 4:
        return False
    choose(net, Sensitivity(net, windows).measure(windows), average)
    return True


def overhead(net):
    """Bytes of a file beside its weights: biases and multipliers, tables, the description of graph and arrays."""
    channels = sum(-(-op.channels // 4) * 4 for op in net.graph.operations() if op.op == "conv")
    operations = sum(1 for _ in net.graph.operations())
    return 8 * channels + 600 * operations


def quantise(state, windows, ratio):
    """The network of a checkpoint, quantised and calibrated on `windows`."""
    net = build(state, QuantNet)
    windows = list(windows)
    if not windows:
        raise CheckpointError(f"the footage is shorter than the {net.graph.window} frames that make one")
    plain = build(state)
    set_limits(plain, windows)
    for op, other in zip(net.graph.operations(), plain.graph.operations(), strict=True):
        op.limit = other.limit
    if not choose_bits(net, windows, ratio):
        raise CheckpointError(f"the file cannot be {ratio} times smaller: with 4 bits a weight it is still larger")
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--video", type=Path, nargs="+", help="footage that ranges are calibrated on")
    parser.add_argument("--ratio", type=float, default=5.6, help="how many times smaller than 32 bits a parameter")
    parser.add_argument("--scene", choices=("landscape", "portrait"), default="landscape")
    parser.add_argument("--side", type=int, default=SIDE, help="sides of the pictures for calibration")
    parser.add_argument("--windows", type=int, default=CALIBRATION_WINDOWS, help="how many of those")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        state = read_checkpoint(args.checkpoint)
        window = Shape(state).window
        if args.video:
            windows = read_footage(args.video, window, args.windows, args.side)
        else:
            windows = generated_footage(window, args.windows, args.side)
        net = quantise(state, windows, args.ratio)
    except (CheckpointError, OSError, av.error.FFmpegError) as error:
        sys.exit(f"{args.checkpoint}: {error}")
    provenance = {
        "training data": "unknown: imported from BasicSR",
        "source": args.checkpoint.name,
        "calibration": [f.name for f in args.video] if args.video else "generated footage",
        "tools": f"dssr compress, PyTorch {torch.__version__}, Python {platform.python_version()}",
    }
    export(net, args.out, args.scene, "imported", provenance)
    before, after = args.checkpoint.stat().st_size, args.out.stat().st_size
    parameters = sum(p.numel() for p in net.parameters())
    print(f"{args.checkpoint}: {before} bytes, {parameters} parameters ({4 * parameters} bytes in 32 bits)")
    print(f"{args.out}: {after} bytes, {4 * parameters / after:.2f} times smaller than the parameters in 32 bits")
    counts = dict.fromkeys((8, 6, 4), 0)
    for op in net.graph.operations():
        if op.op == "conv":
            counts[op.bits] += net.convs[op.out].weight.numel()
    print("weights: " + ", ".join(f"{n} of {b} bits" for b, n in counts.items()))
    print(f"{net.graph.macs():.0f} MACs per output pixel")


if __name__ == "__main__":
    main()
