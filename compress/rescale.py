"""A network of a smaller scale out of a trained one: all of it stays, but the last convolution makes fewer pixels.

    python3 -m compress.rescale --float compress/checkpoints/base-x4.pt --scale 2 --out compress/checkpoints/base-x2.pt

What a network has learnt of alignment and detail serves every scale: a base of x4, rescaled to x2 and not trained once
more, is 1 dB better than a x2 base was after hours of its own (docs/compression.md), which never found out what its
neighbours are good for. Each pixel of the result is at first the mean of those that it takes the place of. The result
is a checkpoint that compress.train goes on with.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from .graph import Graph
from .net import Net
from .optimiser import Optimiser
from .train import checkpoint, load, save


def rescale(net, scale):
    """A copy of `net` that enlarges by `scale`, which must divide its own."""
    fields = asdict(net.graph)
    makers = {op["out"]: op for op in fields["fuse"]}
    head = next(op for op in fields["fuse"] if op["op"] == "head")
    last = makers[head["inputs"][0]]
    side, per_side = scale * net.graph.frame[0].unshuffle, net.graph.scale // scale
    head["channels"] = last["channels"] = side**2

    def squares(rows):
        """The outputs that each output of the result takes the place of, in dimensions 1 and 3."""
        return rows.view(side, per_side, side, per_side, *rows.shape[1:])

    op, state = next(op for op in net.graph.fuse if op.out == last["out"]), net.state_dict()
    conv = f"convs.{op.out}"
    state[f"{conv}.weight"] = squares(net.weight(op).detach()).mean((1, 3)).flatten(0, 1)
    state[f"{conv}.bias"] = squares(state[f"{conv}.bias"]).mean((1, 3)).flatten()
    if op.quads is not None:
        state[f"{conv}.mask"] = squares(state[f"{conv}.mask"]).any(3).any(1).flatten(0, 1)
        last["quads"] = int(state[f"{conv}.mask"].sum())
    copy = Net(Graph.from_dict({**fields, "scale": scale}))
    copy.load_state_dict(state)
    return copy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train")
    parser.add_argument("--scale", type=int, required=True, help="of the result; divides that of the checkpoint")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    net, _ = load(args.float)
    if args.scale < 2 or net.graph.scale % args.scale:
        sys.exit(f"{args.float} enlarges x{net.graph.scale}: no network of x{args.scale} can be made of it.")
    copy = rescale(net, args.scale)
    start = dict(average=copy.state_dict(), optimiser=Optimiser(copy).state_dict(), seconds=0.0, step=0)
    save(args.out, checkpoint(copy, **start))


if __name__ == "__main__":
    main()
