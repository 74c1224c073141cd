"""PDE beside uniform bits: the same average of bits, and the same training afterwards.

    python3 -m compress.ablation.pde --float build/x4.pt --data build/train.npy --bench ../shared/data/bench/vid4 \\
        --steps 2000 --out build/ablation-pde

Each is measured as calibrated, without training, and after quantisation-aware training of --steps on the same samples.
A run that is finished is not repeated.
"""

import argparse

import torch
import torch.nn.functional as F

from ..evaluate import network_psnr
from ..pde import BITS, CALIBRATION_BATCHES, TOPS, Sensitivity, average_bits, choose, rank_correlation, work
from ..qap import PROGRESS, NoisyNet, ProgressiveLoss
from ..train import batches, load, train
from .compare import arguments, compare, parse, save, subplots

# Name, bits of weights, of activations, and whether PDE spends them or all layers get the same.
CASES = [
    ("uniform", 8, 8), ("uniform", 6, 8), ("PDE", 6, 8), ("PDE", 5, 8), ("PDE", 4.5, 8), ("uniform", 4, 8),
    ("PDE", 6, 6), ("PDE", 5, 5), ("uniform", 6, 4), ("uniform", 4, 4),
]  # fmt: skip


def uniform(net, seen, weight_bits, activation_bits):
    """All layers get the same but what makes the residual, as is usual: its steps are finer than the products of fewer bits."""
    residual = next(op for op in net.graph.fuse if op.op == "head").inputs[0]
    for op in net.graph.operations():
        op.bits, op.max = 8 if op.out == residual else weight_bits, TOPS[activation_bits]
    net.choose(seen)


@torch.no_grad()
def agreement(args, sensitivity, low, bits=4):
    """Rank correlation of the sensitivities of weights with what rounding each layer's weights alone does."""
    net, _ = load(args.float)
    picture, added = net(low), []
    for name, errors in sensitivity.errors.items():
        net.convs[name].weight.add_(errors[bits])
        added.append(F.mse_loss(net(low), picture).item())
        net.convs[name].weight.sub_(errors[bits])
    return rank_correlation([sensitivity.weights[name][bits] for name in sensitivity.errors], added)


def run(args, results, keep_results):
    """Fills `results` with what is missing."""
    net, _ = load(args.float, NoisyNet)
    source = batches(args, net.graph)
    sensitivity = Sensitivity(net, [source.next()[0] for _ in range(CALIBRATION_BATCHES)])
    windows = torch.cat([source.next()[0] for _ in range(-(-args.samples // args.batch))]).split(1)
    sensitivity.measure(windows)
    if "float" not in results:
        results["float"] = network_psnr(load(args.float)[0], args.bench)
        results["agreement"] = agreement(args, sensitivity, source.next()[0])
        keep_results()
    for method, weight_bits, activation_bits in CASES:
        name = f"{method} {weight_bits}/{activation_bits}"
        if name in results:
            continue
        net, _ = load(args.float, NoisyNet)
        if method == "PDE":
            choose(net, sensitivity, weight_bits, activation_bits)
        else:
            uniform(net, sensitivity.seen, weight_bits, activation_bits)
        weights, _, values = work(net.graph)
        chosen = {op.out: op for op in net.graph.operations()}
        row = dict(
            weights=average_bits(weights, {n: chosen[n].bits for n in weights}),
            activations=average_bits(values, {n: BITS[chosen[n].max] for n in values}),
            calibrated=network_psnr(net, args.bench),
        )
        longer = argparse.Namespace(**{**vars(args), "out": args.folder / f"{name.replace('/', '-').replace(' ', '-')}.pt"})
        train(net, batches(args, net.graph), longer, ProgressiveLoss(args.progress))
        results[name] = {**row, "trained": network_psnr(net, args.bench)}
        keep_results()
        print(name, results[name], flush=True)


def table(args, results):
    best = results["float"]
    lines = [
        "| bits | weights | activations | PSNR calibrated | lost | trained | lost |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| floating point | 32 | 32 | | | {best:.2f} | |",
    ]
    for method, weight_bits, activation_bits in CASES:
        r = results[f"{method} {weight_bits}/{activation_bits}"]
        lines.append(
            f"| {method} | {r['weights']:.2f} | {r['activations']:.2f} | {r['calibrated']:.2f} | {best - r['calibrated']:.2f} "
            f"| {r['trained']:.2f} | {best - r['trained']:.2f} |"
        )
    lines.append(
        f"\n{args.steps} steps each. Rank correlation of a layer's sensitivity with what rounding its weights alone to 4 bits "
        f"does to the picture: {results['agreement']:.2f}."
    )
    return "\n".join(lines)


def plot(args, results, file):
    """What is lost over average bits of weights, activations of 8 bits."""
    figure, axes = subplots(figsize=(7, 4.5))
    for method, colour in (("uniform", "#8fb0cf"), ("PDE", "#1f5a92")):
        runs = [results[f"{m} {w}/{a}"] for m, w, a in CASES if m == method and a == 8]
        for key, style in (("calibrated", "--"), ("trained", "-")):
            lost = [results["float"] - r[key] for r in runs]
            axes.plot([r["weights"] for r in runs], lost, style, marker="o", color=colour, label=f"{method}, {key}")
    axes.set_xlabel("bits of a weight, on average")
    axes.set_ylabel("PSNR lost, dB")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    save(figure, file)


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-4)
    parser.add_argument("--samples", type=int, default=128, help="windows that sensitivity is measured on")
    parser.add_argument("--progress", type=float, default=PROGRESS, help="of QAP, as compress.quantise has it")
    compare(parse(parser), run, table, plot)


if __name__ == "__main__":
    main()
