"""SACP beside pruning by magnitude and uniform pruning: the same operations, and the same training afterwards.

    python3 -m compress.ablation.sacp --float build/base-x4.pt --data build/train.npy \\
        --bench ../shared/data/bench/vid4 --steps 3000 --out build/ablation-sacp

Two targets. With 53 % of the channels gone: SACP is told to keep 47 % of them, and the others get as many operations as
that needs. With 12 % of the base's operations. All remove whole quads of channels and what is tied to them, and are
distilled from the base for the same steps on the same samples; "in rounds" prunes three times with a sixth of the steps
after the first and after the second. Uniform pruning takes the same part of every tensor, and chooses in it by
magnitude. The base is trained on for as many steps too. A run that is finished is not repeated.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F

from ..distil import Distillation
from ..evaluate import network_psnr
from ..graph import Graph
from ..sacp import pruned_in_rounds, save_pruned
from ..sacp_groups import Groups
from ..sacp_importance import gated, input_means, magnitude, taylor
from ..sacp_select import Selection, Uniform, channels, prune
from ..train import batches, load, train
from .compare import arguments, compare, parse, save, subplots

CHANNELS, PART = 0.47, 0.12
ROUNDS, RECOVERY = 3, 1 / 6
METHODS = ("uniform", "magnitude", "SACP", "SACP, in rounds")
TITLES = {"channels": f"{1 - CHANNELS:.0%} of the channels gone", "operations": f"{PART:.0%} of the operations left"}
PROBED = 60  # channels that are closed one by one to see what an importance is worth


class Ablation:
    """The base, and what is known of its channels, for networks cut from it to be measured."""

    def __init__(self, args):
        self.args = args
        self.base = self.on_device(load(args.float)[0])
        self.groups = Groups(self.base.graph)
        source = batches(args, self.base.graph)
        pairs = [source.next() for _ in range(args.batches)]
        self.copy = gated(self.base, self.groups)
        self.copy.means = input_means(self.copy, [low for low, _ in pairs])
        self.first, second = taylor(self.copy, pairs)
        self.second, self.magnitude = self.first + second, magnitude(self.base, self.groups)
        self.unseen = [source.next() for _ in range(4)]

    def on_device(self, net):
        return net.to(self.args.device, memory_format=torch.channels_last)

    @torch.no_grad()
    def error(self, keep):
        """The mean square error on a few batches, with the gates of all but `keep` closed."""
        self.copy.gates = torch.from_numpy(keep).to(self.copy.gates)[None]
        return np.mean([F.mse_loss(self.copy(low), high).item() for low, high in self.unseen])

    def agreement(self):
        """How well each importance ranks channels by what the error rises when they alone are closed."""
        whole = np.ones(self.groups.count, bool)
        free = np.concatenate([s.units for s in self.groups.spaces if not s.fixed])
        probed = np.random.default_rng(self.args.seed).permutation(free)[:PROBED]
        rises = [self.error(whole & (np.arange(len(whole)) != unit)) for unit in probed]
        importances = dict(magnitude=self.magnitude, first_order=np.abs(self.first), second_order=self.second)
        return {name: rank_correlation(values[probed], rises) for name, values in importances.items()}

    def cut(self, method, budget, cost):
        """(network, channels kept) by one shot of a method."""
        importance = self.second if method == "SACP" else self.magnitude
        kind = Uniform if method == "uniform" else Selection
        keep = kind(self.base.graph, self.groups, importance, cost).run(budget)
        return prune(self.base, keep, self.groups, self.copy.means)

    def measure(self, method, budget, cost, file):
        """Cuts, trains, and returns what came out."""
        args = argparse.Namespace(**{**vars(self.args), "out": file})
        source = batches(args, self.base.graph)
        result = {}
        if method == "SACP, in rounds":
            recovery = round(RECOVERY * args.steps)
            args.steps -= (ROUNDS - 1) * recovery
            net, kept = pruned_in_rounds(self.base, source, args, cost, budget, ROUNDS, recovery)
        else:
            net, kept = self.cut(method, budget, cost)
            result["before"] = network_psnr(net.cpu(), args.bench)
            if not file.exists():
                save_pruned(net, kept, file)
        train(self.on_device(net), source, args, Distillation(self.base, net.graph, kept), kept=kept)
        return {**result, **described(net, args)}


def described(net, args):
    made = {op.out: op.channels for op in net.graph.operations() if op.op == "conv" and not op.wide}
    return dict(psnr=network_psnr(net.cpu(), args.bench), macs=net.graph.macs(), channels=made)


def rank_correlation(a, b):
    """Spearman's."""
    a, b = (np.argsort(np.argsort(values)) for values in (a, b))
    return float(np.corrcoef(a, b)[0, 1])


def run(args, results, keep_results):
    """Fills `results` with what is missing."""
    ablation = Ablation(args)
    base = ablation.base
    if "base" not in results:
        results["base"] = described(load(args.float)[0], args)
        results["agreement"] = ablation.agreement()
        keep_results()
    if "trained on" not in results:
        longer = argparse.Namespace(**{**vars(args), "out": args.folder / "base.pt"})
        net = ablation.on_device(load(args.float)[0])
        train(net, batches(args, net.graph), longer)
        results["trained on"] = network_psnr(net.cpu(), args.bench)
        keep_results()
    net, _ = ablation.cut("SACP", CHANNELS * channels(base.graph), channels)
    targets = {"channels": net.graph.macs(), "operations": PART * base.graph.macs()}
    for target, macs in targets.items():
        for method in METHODS:
            by_channels = target == "channels" and method.startswith("SACP")
            budget, cost = (CHANNELS * channels(base.graph), channels) if by_channels else (macs, Graph.macs)
            name = f"{target}: {method}"
            if name not in results:
                print(name, flush=True)
                file = args.folder / f"{target}-{method.replace(', ', '-').replace(' ', '-')}.pt"
                results[name] = ablation.measure(method, budget, cost, file)
                keep_results()


def table(args, results):
    base = results["base"]
    whole, best = sum(base["channels"].values()), max(base["psnr"], results["trained on"])
    lines = [
        "| target | method | channels | MACs per pixel | PSNR before training | after | lost |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        f"| | base | 100 % | {base['macs']:.0f} (100 %) | {base['psnr']:.2f} | {results['trained on']:.2f} | |",
    ]
    for target, title in TITLES.items():
        for method in METHODS:
            r = results[f"{target}: {method}"]
            before = f"{r['before']:.2f}" if "before" in r else ""
            lines.append(
                f"| {title} | {method} | {sum(r['channels'].values()) / whole:.0%} | {r['macs']:.0f} "
                f"({r['macs'] / base['macs']:.0%}) | {before} | {r['psnr']:.2f} | {best - r['psnr']:.2f} |"
            )
    ranks = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in results["agreement"].items())
    lines.append(f"\n{args.steps} steps each. Rank correlation of importance with what closing a channel costs: {ranks}.")
    return "\n".join(lines)


def plot(args, results, file):
    """PSNR over operations, and how many channels SACP leaves where."""
    figure, (left, right) = subplots(1, 2, figsize=(11, 5), width_ratios=(2, 3))
    base = results["base"]
    best = max(base["psnr"], results["trained on"])
    for method, marker in zip(METHODS, "sdo^"):
        runs = [results[f"{target}: {method}"] for target in TITLES]
        macs, psnr = ([first, *(r[key] for r in runs)] for key, first in (("macs", base["macs"]), ("psnr", best)))
        left.plot(macs, psnr, marker=marker, label=method)
    left.set_xlabel("multiply-accumulates per output pixel")
    left.set_ylabel("PSNR, dB")
    left.grid(alpha=0.3)
    left.legend(frameon=False)
    names = list(base["channels"])
    shown = {"base": "base", **{f"{target}: SACP": title for target, title in TITLES.items()}}
    for (of, title), colour in zip(shown.items(), ("#d5dfe9", "#8fb0cf", "#1f5a92")):
        right.bar(names, [results[of]["channels"][name] for name in names], color=colour, label=title)
    right.tick_params(axis="x", rotation=90)
    right.set_ylabel("channels left by SACP")
    right.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncol=3)
    save(figure, file)


def main():
    parser = arguments(__doc__.splitlines()[0], peak=1e-3)
    parser.add_argument("--batches", type=int, default=64, help="batches that the importance is measured on")
    compare(parse(parser), run, table, plot)


if __name__ == "__main__":
    main()
