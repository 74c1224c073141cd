"""QAP beside quantisation-aware training alone: the same bits, steps and samples.

    python3 -m compress.ablation.qap --float build/x4-early.pt --data build/train.npy \\
        --bench ../shared/data/bench/vid4 --steps 2000 --out build/ablation-qap

The whole integer contract from the first step, as is common; noise that grows to the whole contract; and the same with
ranges renewed meanwhile. --float is a floating-point network in training, and the
floating-point network trained for as many steps more is what the others are measured by. A run that is finished is not
repeated.
"""

import argparse

from ..evaluate import network_psnr
from ..qap import PROGRESS, NoisyNet, ProgressiveLoss
from ..pde import CALIBRATION_BATCHES
from ..train import batches, load, train
from .compare import arguments, compare, parse, save, subplots
from .pde import uniform

BITS = ((6, 8), (4, 8), (4, 4))
# In parts of the steps: until when noise grows, and how often ranges are renewed.
METHODS = {"QAT": (0, 0), "QAP": (PROGRESS, 0), "QAP, ranges renewed": (PROGRESS, 1 / 8)}


def run(args, results, keep_results):
    """Fills `results` with what is missing."""

    def trained(net, name, loss_of=None):
        there = argparse.Namespace(**{**vars(args), "out": args.folder / f"{name.replace(', ', '-').replace(' ', '-')}.pt"})
        train(net, batches(args, net.graph), there, loss_of)
        return network_psnr(net, args.bench)

    if "float" not in results:
        results["float"] = trained(load(args.float)[0], "float")
        keep_results()
    for weight_bits, activation_bits in BITS:
        for method, (until, every) in METHODS.items():
            name = f"{method} {weight_bits} {activation_bits}"
            if name in results:
                continue
            net, _ = load(args.float, NoisyNet)
            source = batches(args, net.graph)
            seen = net.observe(source.next()[0] for _ in range(CALIBRATION_BATCHES))
            uniform(net, seen, weight_bits, activation_bits)
            results[name] = trained(net, name, ProgressiveLoss(until, every=int(every * args.steps)))
            print(name, results[name], flush=True)
            keep_results()


def table(args, results):
    lines = ["| bits of weights, activations | " + " | ".join(METHODS) + " |", "| --- |" + " ---: |" * len(METHODS)]
    for bits in BITS:
        cells = [results[f"{method} {bits[0]} {bits[1]}"] for method in METHODS]
        lines.append(f"| {bits[0]}, {bits[1]} | " + " | ".join(f"{c:.2f} ({c - results['float']:+.2f})" for c in cells) + " |")
    lines.append(f"\nPSNR in dB after {args.steps} steps; in brackets, beside floating point after as many: {results['float']:.2f}.")
    return "\n".join(lines)


def plot(args, results, file):
    """What is lost, by bits and method."""
    figure, axes = subplots(figsize=(7, 4))
    for i, (method, colour) in enumerate(zip(METHODS, ("#d5dfe9", "#8fb0cf", "#1f5a92"))):
        lost = [results["float"] - results[f"{method} {w} {a}"] for w, a in BITS]
        axes.bar([x + 0.27 * (i - 1) for x in range(len(BITS))], lost, 0.25, color=colour, label=method)
    axes.set_xticks(range(len(BITS)), [f"weights {w}, activations {a}" for w, a in BITS])
    axes.set_ylabel("PSNR lost to quantisation, dB")
    axes.legend(frameon=False)
    save(figure, file)


def main():
    compare(parse(arguments(__doc__.splitlines()[0], peak=2e-4)), run, table, plot)


if __name__ == "__main__":
    main()
