"""Structured pruning of an EDVR: whole channels go, as many as a budget of operations says, and it is trained again.

    python3 -m compress.sacp --float build/base-x4.pt --budget 2000 --data build/train.npy --out build/x4.pt \\
        --minutes 60

The budget is in multiply-accumulates per output pixel as executed, in quads of four channels (--part, --channels: in
parts of the base). Which channels can only go together is found from the graph (sacp_groups.py), what their loss does
to the picture from second derivatives (sacp_importance.py), and what goes by importance lost for operations saved
(sacp_select.py), in --rounds with --recovery steps of training between them. Then the network is trained for --minutes
or --steps, distilled from the base. Resumes like compress.train; the result is a checkpoint like any other, with
`kept`, the channels of the base in each tensor, for further distillation (compress.train --teacher).
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from .distil import Distillation
from .graph import Graph
from .optimiser import Optimiser
from .sacp_groups import Groups
from .sacp_importance import gated, input_means, taylor
from .sacp_select import Selection, channels, prune
from .train import arguments, batches, checkpoint, load, save, train


def prune_to(net, pairs, budget, cost=Graph.macs):
    """(network, channels kept) of `net` cut down to `budget` of `cost`, by second-order importance over the (low, high)
    batches in `pairs`."""
    if any(op.quads is not None for op in net.graph.operations()):
        raise ValueError("A sparse network cannot lose channels any more: prune channels first, then quads of weights.")
    groups = Groups(net.graph)
    copy = gated(net, groups)
    copy.means = input_means(copy, [low for low, _ in pairs])
    keep = Selection(net.graph, groups, sum(taylor(copy, pairs)), cost).run(budget)
    return prune(net, keep, groups, copy.means)


def save_pruned(net, kept, file):
    """A checkpoint from which train() goes on as from the start of a schedule."""
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=0.0, step=0)
    save(file, checkpoint(net, kept=kept, **start))


def compose(kept, inner):
    """Channels of the base, where `inner` are channels of what has those in `kept`."""
    return {name: (np.asarray(kept[name])[i] if kept else i).tolist() for name, i in inner.items()}


def pruned_in_rounds(base, source, args, cost, budget, rounds, recovery):
    """Prunes to args.out, in rounds of equal factors with `recovery` steps of training between; what is there already
    is not done again. Returns (network, kept)."""
    net, kept, whole = base, None, cost(base.graph)
    for i in range(rounds if args.out.exists() else 1, rounds + 1):
        last = i == rounds
        file = args.out if last else args.out.with_suffix(f".round{i}.pt")
        if not file.exists():
            pairs = [source.next() for _ in range(args.batches)]
            net, inner = prune_to(net, pairs, whole * (budget / whole) ** (i / rounds), cost)
            kept = compose(kept, inner)
            save_pruned(net, kept, file)
        net, state = load(file)
        kept = state["kept"]
        net.to(args.device, memory_format=torch.channels_last)
        if not last:
            fields = {**vars(args), "out": file, "steps": recovery, "minutes": None}
            train(net, source, argparse.Namespace(**fields), Distillation(base, net.graph, kept), kept=kept)
    return net, kept


def main():
    parser = arguments(__doc__.splitlines()[0], peak=1e-3, guide=0.0, required=False)
    parser.set_defaults(seed=1)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train: the base")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--budget", type=float, help="multiply-accumulates per output pixel that stay")
    target.add_argument("--part", type=float, help="part of the base's multiply-accumulates that stays")
    target.add_argument("--channels", type=float, help="part of the base's channels that stays; MACs do not count")
    parser.add_argument("--batches", type=int, default=64, help="batches that the importance is measured on")
    parser.add_argument("--rounds", type=int, default=1, help="steps in which it is pruned")
    parser.add_argument("--recovery", type=int, default=400, help="training steps between two rounds")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    base, _ = load(args.float)
    base.to(args.device, memory_format=torch.channels_last)
    cost = channels if args.channels else Graph.macs
    budget = args.budget or (args.part or args.channels) * cost(base.graph)
    source = batches(args, base.graph)
    net, kept = pruned_in_rounds(base, source, args, cost, budget, args.rounds, args.recovery)
    print(
        f"{base.graph.macs():.0f} to {net.graph.macs():.0f} MACs per output pixel, "
        f"{channels(base.graph)} to {channels(net.graph)} channels"
    )
    if args.minutes or args.steps:
        train(net, source, args, Distillation(base, net.graph, kept), kept=kept)


if __name__ == "__main__":
    main()
