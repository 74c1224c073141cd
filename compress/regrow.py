"""Moves operations from the search for offsets to the reconstruction.

    python3 -m compress.regrow --float build/models/x2-quality-tuned.pt --rank 8 --wider recon0a=4 recon1a=4 --out GROWN.pt

The convolution that begins the offsets of full resolution reads all channels of both frames, for each neighbour: more than
a quarter of x2 quality. Most of what it sees of a frame lies in few directions of its channels: a 1x1 convolution of the
frame stage, which runs once a frame, makes those (`offs`; singular value decomposition), and the convolution reads them.
What that saves, hidden channels of residual blocks can have: new ones begin with random inputs and outputs of zero, so that
the network draws what it drew (Net2Net, Chen et al. 2016). The result is a checkpoint that compress.train goes on with.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from .graph import STAGES, Graph, Op
from .net import Net
from .optimiser import Optimiser
from .train import checkpoint, load, save

OFFSETS, NARROW = "off1", "offs"


def narrow_offsets(net, rank):
    """A copy of `net` whose offsets of full resolution come from `rank` channels of each frame."""
    graph = Graph.from_dict(asdict(net.graph))
    op = next((op for op in graph.align if op.out == OFFSETS), None)
    names = [name.removeprefix("nbr.") for name in op.inputs[:1]] if op else []
    if not names or op.inputs[:2] != [f"nbr.{names[0]}", f"ref.{names[0]}"] or names == [NARROW]:
        raise ValueError(f'no convolution "{OFFSETS}" reads a feature of both frames')
    channels = graph.tensors("frame")[names[0]].channels
    if op.quads is not None:
        raise ValueError(f'"{OFFSETS}" is sparse: regrow before compress.dsm')
    if not 0 < rank <= channels:
        raise ValueError(f'"{OFFSETS}" reads {channels} channels of each frame: {rank} of them cannot be made')

    state = net.state_dict()
    weight = state[f"convs.{OFFSETS}.weight"]
    frames, rest = weight[:, : 2 * channels].unflatten(1, (2, channels)), weight[:, 2 * channels :]
    directions = torch.linalg.svd(frames.movedim(2, -1).reshape(-1, channels), full_matrices=False).Vh[:rank]
    narrow = torch.einsum("ofcyx,rc->ofryx", frames, directions)
    state[f"convs.{OFFSETS}.weight"] = torch.cat([narrow.flatten(1, 2), rest], 1)
    state[f"convs.{NARROW}.weight"] = directions[:, :, None, None]
    state[f"convs.{NARROW}.bias"] = torch.zeros(rank)
    op.inputs[:2] = [f"nbr.{NARROW}", f"ref.{NARROW}"]
    graph.frame.append(Op("conv", NARROW, names, rank))
    return build(graph, state)


def widen(net, name, more):
    """A copy of `net` in which convolution `name` makes `more` channels, and which computes the same."""
    graph = Graph.from_dict(asdict(net.graph))
    ops = [op for stage in STAGES for op in getattr(graph, stage)]
    op = next((op for op in ops if op.out == name and op.op == "conv"), None)
    readers = [other for other in ops if any(i.split(".")[-1] == name for i in other.inputs)]
    if op is None or len(readers) != 1 or readers[0].op != "conv" or readers[0].inputs != [name]:
        raise ValueError(f'"{name}" is no convolution whose output one other convolution alone reads')
    if op.quads is not None or readers[0].quads is not None:
        raise ValueError(f'"{name}" or what reads it is sparse: regrow before compress.dsm')

    state = net.state_dict()
    weight, out = state[f"convs.{name}.weight"], state[f"convs.{readers[0].out}.weight"]
    state[f"convs.{name}.weight"] = torch.cat([weight, torch.randn(more, *weight.shape[1:]) * weight.std()])
    state[f"convs.{name}.bias"] = torch.cat([state[f"convs.{name}.bias"], torch.zeros(more)])
    state[f"convs.{readers[0].out}.weight"] = torch.cat([out, torch.zeros(len(out), more, *out.shape[2:])], 1)
    op.channels += more
    return build(graph, state)


def build(graph, state):
    net = Net(graph)
    net.load_state_dict(state)
    return net


def wider(argument):
    name, _, more = argument.partition("=")
    if not more.isdigit() or int(more) < 1:
        raise argparse.ArgumentTypeError(f'"{argument}" is not NAME=CHANNELS, as in recon0a=4')
    return name, int(more)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train")
    parser.add_argument("--rank", type=int, required=True, help="channels of a frame that its offsets come from")
    parser.add_argument("--wider", type=wider, nargs="*", default=[], help="NAME=CHANNELS: hidden channels to be added")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    net, _ = load(args.float)
    before = net.graph.macs()
    try:
        net = narrow_offsets(net, args.rank)
        narrowed = net.graph.macs()
        for name, more in args.wider:
            net = widen(net, name, more)
    except ValueError as error:
        sys.exit(f"{args.float}: {error}")
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=0.0, step=0)
    save(args.out, checkpoint(net, **start))
    print(f"{before:.0f} multiply-accumulates per output pixel, {narrowed:.0f} with narrow offsets, {net.graph.macs():.0f} in all")


if __name__ == "__main__":
    main()
