"""The mean of the weights of several networks that were trained on from one (model soups, Wortsman et al., 2022).

    python3 -m compress.average build/x2-1.pt build/x2-2.pt build/x2-3.pt --out build/x2.pt

Short runs from one start end in places that differ by what chance made of each; what lies between them is better than any.
The result is finished: without an optimiser, to be trained on with --init.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from .train import checkpoint, load, save


def mean(nets):
    """The first network with the mean of all weights. Graphs and masks must be the same."""
    first, *others = (net.state_dict() for net in nets)
    for key, value in first.items():
        if value.dtype.is_floating_point:
            value.copy_(sum((other[key] for other in others), value.clone()) / len(nets))
    return nets[0]


def structure(net):
    """What two networks must share, to be averaged."""
    return asdict(net.graph), {k: v.tolist() for k, v in net.named_buffers() if k.endswith("mask")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    nets = [load(file)[0] for file in args.checkpoints]
    for net, file in zip(nets, args.checkpoints):
        if structure(net) != structure(nets[0]):
            sys.exit(f"{file} is another network than {args.checkpoints[0]}: give runs from one start.")
    net = mean(nets)
    save(args.out, checkpoint(net, average=net.state_dict()))


if __name__ == "__main__":
    main()
