"""PDE: how sensitive each layer is to rounding, and the bits that each gets out of a budget.

    python3 -m compress.pde --float build/x4.pt --data build/train.npy --average-bits 6 --out build/x4-bits.pt \\
        --plot build/x4-bits.svg

The sensitivity of a layer at some bits is the mean square error that the rounding of its weights (or of its output)
adds to the picture, to second order: |J e|^2 / pixels, e the rounding's error, J the network's Jacobian. This is the
error's loss under the Fisher matrix of a Gaussian likelihood, and the gradient of <r, picture> with random signs r
estimates it for all layers at once: the mean of <gradient, e>^2. The usual measure, the trace of the loss's Hessian times
the mean square of e (HAWQ-V2, Dong et al., 2020), is computed beside it as a check.

Bits are weighted by numbers of weights, which is what they cost in dssr: file and memory. Backends widen weights as
they read them, so that a multiply-accumulate costs the same at any bits; --weigh macs is for hardware where it does not.
Activations: --activation-bits below 8 gives 4 bits to the outputs that bear it best, weighted by values per pixel.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from .data import Batches
from .graph import STAGES
from .net import Net
from .quant import QuantNet, per_channel, value_input
from .train import load, save

TOPS = {8: 255, 4: 15}  # greatest value of an activation of so many bits
BITS = {top: bits for bits, top in TOPS.items()}
CALIBRATION_BATCHES = 4
STEP = 1e-3  # of the weights, for the Hessian's finite differences


class Probe(Net):
    """`Net` that keeps every tensor of a forward pass with its gradient."""

    def run(self, stage, given):
        values = super().run(stage, given)
        for op in getattr(self.graph, stage):
            if values[op.out].requires_grad:
                values[op.out].retain_grad()
                self.kept.append((op.out, values[op.out]))
        return values

    def forward(self, window):
        self.kept = []
        return super().forward(window)


def formats(graph):
    """For each tensor that has a rounding of its own, or inherits one: the operation whose format it has."""
    owner = {}
    for stage in STAGES:
        for op in getattr(graph, stage):
            if op.op in ("conv", "add") and not op.wide:
                owner[op.out] = op
            elif op.op in ("deform", "up2", "attention", "follow"):
                parent = owner.get(op.inputs[value_input(op)].split(".")[-1])
                if parent:
                    owner[op.out] = parent
    return owner


class Sensitivity:
    """What the rounding of weights, by bits, and of outputs, by bits, adds to the mean square error of a QuantNet.

    weights, outputs: {name: {bits: error}}; the net is left calibrated to 8 bits.
    """

    def __init__(self, net, windows):
        self.net, self.graph = net, net.graph
        self.owner = formats(self.graph)
        self.seen = net.observe(windows)
        self.errors, self.grids = {}, {}
        for bits, of_outputs in ((8, 4), (4, 8), (6, 8), (8, 8)):
            for op in self.graph.operations():
                op.bits, op.max = bits, TOPS[of_outputs]
            net.choose(self.seen)
            net.walk(lambda stage, op, inputs: self._keep(op, inputs, bits, of_outputs))

    @torch.no_grad()
    def _keep(self, op, inputs, bits, of_outputs):
        if op.op == "conv" and of_outputs == 8:
            weight, scale = self.net.integer_weight(op, inputs)
            in_scale = per_channel(inputs, [i.scale for i in inputs], weight.device)
            self.errors.setdefault(op.out, {})[bits] = weight * scale.view(-1, 1, 1, 1) / in_scale - self.net.weight(op)
        if op.out in self.owner and bits == 8:
            shape = self.net.shape(op, inputs)
            self.grids.setdefault(op.out, {})[of_outputs] = (shape.scale, shape.zero, self.owner[op.out].max)

    def measure(self, windows, seed=0):
        """Estimates both from each of `windows`, (1, frames, height, width); returns itself."""
        probe = Probe(self.graph)
        probe.load_state_dict(self.net.state_dict(), strict=False)
        random = torch.Generator().manual_seed(seed)
        self.weights = {name: dict.fromkeys(errors, 0.0) for name, errors in self.errors.items()}
        self.outputs = {owner.out: dict.fromkeys(self.grids[owner.out], 0.0) for owner in self.owner.values()}
        for window in tqdm(windows, "sensitivity", leave=False):
            probe.zero_grad()
            picture = probe(window)
            signs = torch.randint(0, 2, picture.shape, generator=random) * 2 - 1
            (picture * signs).sum().backward()
            part = 1 / (picture.numel() * len(windows))
            for name, errors in self.errors.items():
                for bits, error in errors.items():
                    self.weights[name][bits] += part * (probe.convs[name].weight.grad * error).sum().item() ** 2
            for (name, bits), product in self._products(probe).items():
                self.outputs[name][bits] += part * product**2
        return self

    @torch.no_grad()
    def _products(self, probe):
        """For outputs and bits, <gradient, error> over all tensors of that format."""
        products = {}
        for out, value in probe.kept:
            if out not in self.owner or value.grad is None:
                continue
            name = self.owner[out].out
            for bits, (scale, zero, top) in self.grids[out].items():
                error = (((value / scale).round() + zero).clamp(0, top) - zero) * scale - value
                products[name, bits] = products.get((name, bits), 0.0) + (value.grad * error).sum().item()
        return products


def hessian_traces(net, low, high, probes=16, seed=0):
    """The trace of the mean square error's Hessian for each convolution's weights (Hutchinson's estimate; products with
    the Hessian by differences of gradients, as sampling has no second derivative in PyTorch)."""
    weights = {name: conv.weight for name, conv in net.convs.items()}
    random = torch.Generator().manual_seed(seed)

    def gradients():
        return torch.autograd.grad(F.mse_loss(net(low), high), list(weights.values()))

    traces = dict.fromkeys(weights, 0.0)
    for _ in tqdm(range(probes), "Hessian", leave=False):
        signs = [torch.randint(0, 2, w.shape, generator=random).float() * 2 - 1 for w in weights.values()]
        sides = []
        for side in (STEP, -STEP):
            _move(weights.values(), signs, side)
            sides.append(gradients())
            _move(weights.values(), signs, -side)
        for name, sign, up, down in zip(weights, signs, *sides):
            traces[name] += (sign * (up - down)).sum().item() / (2 * STEP * probes)
    return traces


@torch.no_grad()
def _move(weights, signs, amount):
    for weight, sign in zip(weights, signs):
        weight.add_(sign, alpha=amount)


def rank_correlation(a, b):
    """Spearman's."""
    ranks = [np.argsort(np.argsort(x)) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def assign(costs, losses, average):
    """{name: bits} of the least sum of `losses`, {name: {bits: loss}}, with bits that average at most `average` when
    weighted by `costs`, {name: whole number}. Exact: all sums of costs that no better choice undercuts are kept."""
    budget = average * sum(costs.values())
    front = [(0, 0.0, ())]
    for name, options in losses.items():
        least = sum(costs[n] * min(losses[n]) for n in list(losses)[list(losses).index(name) + 1 :])
        grown = sorted(
            (cost + costs[name] * bits, loss + options[bits], chosen + (bits,))
            for cost, loss, chosen in front for bits in options
        )  # fmt: skip
        front = []
        for state in grown:
            if state[0] + least <= budget and (not front or state[1] < front[-1][1]):
                front.append(state)
    if not front:
        raise ValueError(f"no choice of bits averages {average}")
    return dict(zip(losses, front[-1][2]))


def work(graph):
    """({convolution: weights}, {convolution: multiply-accumulates}, {output: values}), the last two for each 4096 pixels
    of the input, lanes of quads padded."""
    weights, macs, values = {}, {}, {}
    for stage in STAGES:
        table = graph.tensors(stage)
        times = {"frame": 1, "align": graph.window - 1, "fuse": 1}[stage]
        for op in getattr(graph, stage):
            pixels = times * 4096 // 4 ** table[op.out].level
            lanes = -(-op.channels // 4) * 4
            if op.op == "conv":
                dense = sum(-(-table[i].channels // 4) * 4 for i in op.inputs) * lanes * op.kernel**2
                weights[op.out] = dense if op.quads is None else 4 * op.quads
                macs[op.out] = weights[op.out] * pixels
            if op.op in ("conv", "add") and not op.wide:
                values[op.out] = lanes * pixels
    return weights, macs, values


def average_bits(costs, bits):
    return sum(costs[name] * bits[name] for name in costs) / sum(costs.values())


def choose(net, sensitivity, weight_bits, activation_bits=8, weigh="weights"):
    """Writes the bits that budgets allow into the graph of `net`, and ranges that suit them into its buffers."""
    weights, macs, values = work(net.graph)
    costs = macs if weigh == "macs" else weights
    bits = assign(costs, sensitivity.weights, weight_bits)
    tops = assign(values, sensitivity.outputs, activation_bits)
    for op in net.graph.operations():
        op.bits, op.max = bits.get(op.out, 8), TOPS[tops.get(op.out, 8)]
    net.choose(sensitivity.seen)
    return average_bits(weights, bits), average_bits(macs, bits), average_bits(values, tops)


def added_error(graph, sensitivity):
    """What all of the roundings chosen add to the mean square error, untrained."""
    chosen = {op.out: op for op in graph.operations()}
    weights = sum(errors[chosen[name].bits] for name, errors in sensitivity.weights.items())
    return weights + sum(errors[BITS[chosen[name].max]] for name, errors in sensitivity.outputs.items())


def print_table(graph, sensitivity, traces):
    weights, macs, _ = work(graph)
    total = sum(macs.values())
    print("| layer | weights | MACs | added error at 8, 6, 4 bits | Hessian, 4 bits | bits | output at 8, 4 bits | output |")
    print("|" + " --- |" * 8)
    for op in graph.operations():
        weighted, output = sensitivity.weights.get(op.out), sensitivity.outputs.get(op.out)
        if not weighted and not output:
            continue
        cells = ["", "", "", "", ""]
        if weighted:
            errors = ", ".join(f"{weighted[b] * 255**2:.1e}" for b in (8, 6, 4))
            check = hessian_loss(sensitivity, traces, op.out, 4) * 255**2
            cells = [weights[op.out], f"{macs[op.out] / total:.1%}", errors, f"{check:.1e}", op.bits]
        if output:
            cells += [", ".join(f"{output[b] * 255**2:.1e}" for b in (8, 4)), BITS[op.max]]
        else:
            cells += ["", 16]
        print(f"| {op.out} | " + " | ".join(map(str, cells)) + " |")


def hessian_loss(sensitivity, traces, name, bits):
    error = sensitivity.errors[name][bits]
    return 0.5 * traces[name] * error.square().mean().item()


def plot(graph, sensitivity, file):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    names = list(sensitivity.weights)
    chosen = {op.out: op.bits for op in graph.operations()}
    figure, axes = pyplot.subplots(figsize=(9, 4))
    for bits, marker in zip((8, 6, 4), "vos"):
        errors = [sensitivity.weights[name][bits] * 255**2 for name in names]
        picked = [e if chosen[name] == bits else np.nan for name, e in zip(names, errors)]
        (line,) = axes.plot(errors, marker, fillstyle="none", label=f"{bits} bits")
        axes.plot(picked, marker, color=line.get_color())
    axes.set(yscale="log", ylabel="added square error, 8-bit steps", title="Sensitivity of weights (filled: the bits chosen)")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train, sacp or dsm")
    parser.add_argument("--data", type=Path, required=True, help="packed data set (compress.pack)")
    parser.add_argument("--average-bits", type=float, required=True, help="budget of the weights: 4 to 8")
    parser.add_argument("--activation-bits", type=float, default=8, help="budget of the activations: 4 to 8")
    parser.add_argument("--weigh", choices=("weights", "macs"), default="weights", help="what the budget counts")
    parser.add_argument("--samples", type=int, default=128, help="windows that sensitivity is measured on")
    parser.add_argument("--side", type=int, default=128, help="high-resolution side of a window")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint with bits in its graph")
    parser.add_argument("--plot", type=Path, help="SVG of the sensitivities")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if not (4 <= args.average_bits <= 8 and 4 <= args.activation_bits <= 8):
        parser.error("budgets are 4 to 8 bits")
    torch.set_num_threads(args.threads)
    net, state = load(args.float, QuantNet)
    source = Batches(args.data, net.graph.scale, 16, args.side, args.seed, follow=net.graph.follows)
    sensitivity = Sensitivity(net, [source.next()[0] for _ in range(CALIBRATION_BATCHES)])
    windows = torch.cat([source.next()[0] for _ in range(-(-args.samples // 16))]).split(1)
    sensitivity.measure(windows, args.seed)
    traces = hessian_traces(load(args.float)[0], *source.next(), seed=args.seed)
    averages = choose(net, sensitivity, args.average_bits, args.activation_bits, args.weigh)
    print_table(net.graph, sensitivity, traces)
    pairs = [[f(name, bits) for name in traces for bits in (8, 6, 4)] for f in (
        lambda name, bits: sensitivity.weights[name][bits], lambda name, bits: hessian_loss(sensitivity, traces, name, bits)
    )]  # fmt: skip
    print("\nBits on average: {:.2f} by weights, {:.2f} by MACs, {:.2f} of activations.".format(*averages))
    added = added_error(net.graph, sensitivity)
    print(f"Rounding adds {added * 255**2:.2g} square 8-bit steps before training: {-10 * np.log10(added):.1f} dB beside floating point.")
    print(f"Rank correlation of sensitivity and Hessian: {rank_correlation(*pairs):.3f}.")
    save(args.out, {**state, "graph": asdict(net.graph)})
    if args.plot:
        plot(net.graph, sensitivity, args.plot)


if __name__ == "__main__":
    main()
