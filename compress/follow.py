"""Lets a network follow pans: its neighbours are shifted by whole pixels, as the picture moves as a whole.

    python3 -m compress.follow --float build/models/x2-quality-narrow.pt --out FOLLOWING.pt

Convolutions of three pixels cannot see a motion of two pixels, and footage of a camera that turns has little else. An engine
finds the pan of a frame once (docs/integer-contract.md), so what the network has left to follow is half a pixel. Features of
full resolution are shifted; those of coarser levels are made anew of what was shifted, as they would lie between two of their
pixels. That takes what the frame stage's convolutions of stride 2 take, once for each neighbour. Where nothing pans, the
network draws what it drew. compress.train goes on with the result: its batches are shifted, too.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from .graph import Graph, Op
from .net import Net
from .optimiser import Optimiser
from .train import checkpoint, load, save

SHIFTED, AGAIN = "moved_{}", "again_{}"


def following(net):
    """A copy of `net` whose neighbours are shifted by the pan."""
    graph = Graph.from_dict(asdict(net.graph))
    if graph.follows:
        raise ValueError("follows pans already")
    if graph.rgb or graph.frame[0].unshuffle > 1:
        raise ValueError("only networks that see luma, pixel by pixel, can follow pans")
    frame, table = {op.out: op for op in graph.frame}, graph.tensors("frame")
    state, added = net.state_dict(), {}

    def moved(name):
        """What the align stage reads in place of a neighbour's tensor: its name there."""
        if table[name].level == 0:
            out = SHIFTED.format(name)
            added.setdefault(out, Op("follow", out, [f"nbr.{name}"], table[name].channels))
            return out
        out, op = AGAIN.format(name), frame[name]
        if out not in added:
            if op.op != "conv":
                raise ValueError(f'"{name}" of a coarser level is no convolution')
            inputs = [moved(i) for i in op.inputs]
            added[out] = replace(op, out=out, inputs=inputs)
            for key in [key for key in state if key.startswith(f"convs.{name}.")]:
                state[key.replace(f"convs.{name}.", f"convs.{out}.")] = state[key].clone()
        return out

    for op in graph.align:
        op.inputs = [moved(i.removeprefix("nbr.")) if i.startswith("nbr.") else i for i in op.inputs]
    graph.align[:0] = added.values()
    result = Net(graph)
    result.load_state_dict(state)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    net, _ = load(args.float)
    before = net.graph.macs()
    try:
        net = following(net)
    except ValueError as error:
        sys.exit(f"{args.float}: {error}")
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=0.0, step=0)
    save(args.out, checkpoint(net, **start))
    print(f"{before:.0f} multiply-accumulates per output pixel, {net.graph.macs():.0f} with pans followed")


if __name__ == "__main__":
    main()
