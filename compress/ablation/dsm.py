"""DSM beside one-shot magnitude pruning, gradual magnitude pruning and RigL: the same quads, densities and steps.

    python3 -m compress.ablation.dsm --float build/x4.pt --data build/train.npy --bench ../shared/data/bench/vid4 \\
        --steps 3000 --out build/ablation-dsm

All start from the same dense network, which is also trained for as many steps without masks. Magnitudes are norms of
quads; each layer keeps the same part, as published: norms of different layers do not compare (on x4-balanced, 25 %, 200
steps, one-shot: 24.08 dB so, 24.04 by LAMP of Lee et al., 2021, 23.74 by norms over all layers). Gradual: Zhu and Gupta,
2017, a cubic schedule over the time in which DSM learns its masks. RigL: Evci et al., 2020, from the one-shot mask on.
A run that is finished is not repeated.
"""

import math

import torch

from ..dsm import ANNEALED, DifferentiableMasks, MaskedNet, MaskOptimiser, annealed, cubic, importance
from ..evaluate import network_psnr
from ..train import batches, load, train
from .compare import arguments, compare, parse, save, subplots

DENSITIES = (0.5, 0.25, 0.15)
RIGL_END, RIGL_PART, RIGL_ROUNDS = 0.75, 0.3, 30  # until when, the part that is dropped at first, how often


class Magnitudes(MaskedNet):
    """Quads are compared with those of their layer."""

    def places(self):
        """Of each quad: the part of its layer's quads that are smaller."""
        norms = self.magnitudes()
        return self.flat(lambda layer: norms[layer.quads].argsort().argsort() / math.prod(layer.shape))


class OneShot(Magnitudes):
    """Magnitude pruning before the first step."""

    started = False

    def anneal(self, done):
        if not self.started:
            self.set_masks(self.best(self.places(), self.density))
            self.started = True


class Gradual(Magnitudes):
    """Magnitude pruning, a little before each step; what is gone stays gone."""

    fixed = False

    def anneal(self, done):
        if done < ANNEALED:
            worth = self.places().masked_fill(~self.masks(), -1)
            self.set_masks(self.affordable(worth, self.allowance(cubic(done / ANNEALED, self.density))))
        elif not self.fixed:
            self.set_masks(self.best(self.places().masked_fill(~self.masks(), -1), self.density))
            self.fixed = True


class RigL(OneShot):
    """In rounds, each layer drops its smallest quads and grows as many where the gradient is largest, from 0."""

    rounds = 0

    def anneal(self, done):
        super().anneal(done)
        if done < RIGL_END and done * RIGL_ROUNDS / RIGL_END >= self.rounds + 1:
            self.rounds += 1
            self._regrow(RIGL_PART / 2 * (1 + math.cos(math.pi * done / RIGL_END)))

    def residual(self, window):
        result = super().residual(window)
        for weight in self.effective.values():
            if weight.requires_grad:
                weight.retain_grad()
        return result

    @torch.no_grad()
    def _regrow(self, part):
        gradients = self.per_quad({name: weight.grad.square() for name, weight in self.effective.items()})
        magnitudes, kept = self.magnitudes(), self.masks()
        for name, layer in self.layers.items():
            mask = kept[layer.quads]
            count = min(round(part * mask.sum().item()), (~mask).sum().item())
            grown = gradients[layer.quads].masked_fill(mask, -1).topk(count).indices
            dropped = magnitudes[layer.quads].masked_fill(~mask, math.inf).topk(count, largest=False).indices
            mask[dropped], mask[grown] = False, True
            new = torch.zeros_like(mask)
            new[grown] = True
            conv = self.convs[name]
            conv.weight.mul_(~new.view(layer.shape)[:, conv.quad])
        self.set_masks(kept)


METHODS = {"one-shot": OneShot, "gradual": Gradual, "RigL": RigL, "DSM": DifferentiableMasks}


def measure(method, density, args):
    """Trains with one method; {psnr, macs} of what comes out."""
    source_net, _ = load(args.float)
    source = batches(args, source_net.graph)
    args.out = args.folder / f"{method}-{density}.pt"
    args.out.unlink(missing_ok=True)
    if method == "dense":
        net, loss_of, optimiser = source_net, None, None
    else:
        net, loss_of, optimiser = METHODS[method](source_net.graph, density), annealed(), None
        net.load_state_dict(source_net.state_dict(), strict=False)
    net.to(args.device, memory_format=torch.channels_last)
    if method == "DSM":
        net.rank(importance(net, source))
        optimiser = MaskOptimiser(net, args.peak)
        source = batches(args, source_net.graph)
    train(net, source, args, loss_of, optimiser)
    result, _ = load(args.out)
    return dict(psnr=network_psnr(result, args.bench), macs=result.graph.macs())


def table(args, results):
    """Rows of methods, columns of args.densities: PSNR, and what is lost to the dense network trained as long."""
    dense = results["dense-1"]["psnr"]
    lines = ["| | " + " | ".join(f"{100 * d:.0f} %" for d in args.densities) + " |", "|" + " --- |" * (len(args.densities) + 1)]
    for method in METHODS:
        cells = [results[f"{method}-{d}"] for d in args.densities]
        text = (f"{c['psnr']:.2f} ({c['psnr'] - dense:+.2f}), {c['macs']:.0f} MACs" for c in cells)
        lines.append(f"| {method} | " + " | ".join(text) + " |")
    start = results["start"]
    lines.append(f"\nDense: {start['psnr']:.2f} dB at first, {dense:.2f} trained as long; {start['macs']:.0f} MACs.")
    return "\n".join(lines)


def plot(args, results, file):
    figure, axes = subplots(figsize=(6, 4))
    axes.axhline(results["dense-1"]["psnr"], color="grey", linestyle="--", label="dense, trained as long")
    for method in METHODS:
        runs = [results[f"{method}-{d}"] for d in args.densities]
        axes.plot([r["macs"] for r in runs], [r["psnr"] for r in runs], marker="o", label=method)
    axes.set_xlabel("multiply-accumulates per output pixel, as executed")
    axes.set_ylabel("PSNR, dB")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, file)


def run(args, results, keep_results):
    """Fills `results` with what is missing."""
    if "start" not in results:
        net, _ = load(args.float)
        results["start"] = dict(psnr=network_psnr(net, args.bench), macs=net.graph.macs())
    for method, density in [("dense", 1), *((m, d) for d in args.densities for m in METHODS)]:
        if f"{method}-{density}" not in results:
            print(f"{method}, density {density}", flush=True)
            results[f"{method}-{density}"] = measure(method, density, args)
            keep_results()


def main():
    parser = arguments(__doc__.splitlines()[0], peak=1e-3)
    parser.add_argument("--densities", nargs="+", type=float, default=DENSITIES)
    compare(parse(parser), run, table, plot)


if __name__ == "__main__":
    main()
