"""Lets a network follow pans: its neighbours are shifted by whole pixels, as the picture moves as a whole.

    python3 -m compress.follow --float build/models/x2-quality-narrow.pt --out FOLLOWING.pt

Convolutions of three pixels cannot see a motion of two pixels, and footage of a camera that turns has little else. An engine
finds the pan of a frame once (docs/integer-contract.md), so what the network has left to follow is half a pixel. Features of
full resolution are shifted; those of coarser levels are made anew of what was shifted, as they would lie between two of their
pixels. That takes what the frame stage's convolutions of stride 2 take, once for each neighbour. What a 1x1 convolution makes
of a feature for the align stage alone (compress.regrow) is made there as well, of both frames: to keep it with each frame would
take more memory than that takes time. Where nothing pans, the network draws what it drew. compress.train goes on with the result: its batches are shifted, too.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from .graph import Graph, Op
from .net import Net
from .optimiser import Optimiser
from .train import checkpoint, load, save

LIMIT = 4 * 16  # of offsets, in 1/16 pixel: what is shifted is kept for as many rows as they reach
SHIFTED, AGAIN, CENTRE = "moved_{}", "again_{}", "centre_{}"


def following(net):
    """A copy of `net` whose neighbours are shifted by the pan."""
    graph = Graph.from_dict(asdict(net.graph))
    if graph.follows:
        raise ValueError("follows pans already")
    if graph.rgb or graph.frame[0].unshuffle > 1:
        raise ValueError("only networks that see luma, pixel by pixel, can follow pans")
    frame, table = {op.out: op for op in graph.frame}, graph.tensors("frame")
    state, added = net.state_dict(), {}

    read = {i for op in graph.frame for i in op.inputs} | {i.removeprefix("ref.") for op in graph.fuse for i in op.inputs}
    narrow = {name for name, op in frame.items() if op.op == "conv" and op.kernel == 1 and name not in read}

    def again(out, name, inputs):
        """The convolution that makes a feature, in the align stage."""
        if out not in added:
            if frame[name].op != "conv":
                raise ValueError(f'"{name}" of a coarser level is no convolution')
            added[out] = replace(frame[name], out=out, inputs=inputs)
            for key in [key for key in state if key.startswith(f"convs.{name}.")]:
                state[key.replace(f"convs.{name}.", f"convs.{out}.")] = state[key].clone()
        return out

    def moved(name):
        """What the align stage reads in place of a neighbour's tensor: its name there."""
        if name in narrow or table[name].level > 0:
            return again(AGAIN.format(name), name, [moved(i) for i in frame[name].inputs])
        out = SHIFTED.format(name)
        added.setdefault(out, Op("follow", out, [f"nbr.{name}"], table[name].channels))
        return out

    def in_place_of(name):
        stage, _, feature = name.partition(".")
        if stage == "nbr":
            return moved(feature)
        if stage == "ref" and feature in narrow:
            return again(CENTRE.format(feature), feature, [f"ref.{i}" for i in frame[feature].inputs])
        return name

    for op in graph.align:
        op.inputs = [in_place_of(i) for i in op.inputs]
        op.limit = min(op.limit, LIMIT)
    graph.align[:0] = added.values()
    graph.frame = [op for op in graph.frame if op.out not in narrow]
    for key in [key for key in state if key.split(".")[1] in narrow]:
        del state[key]
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
