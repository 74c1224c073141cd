"""Moves operations from the search for offsets to the reconstruction.

    python3 -m compress.regrow --float build/models/x2-quality-tuned.pt --data build/models/mixed.npy --rank 8 \\
        --wider recon0a=4 --out GROWN.pt

The convolution that begins the offsets of full resolution reads all channels of both frames, for each neighbour: more than
a quarter of x2 quality. Most of what it sees of a frame lies in few directions of its channels: a 1x1 convolution of the
frame stage, which runs once a frame, makes those (`offs`), and the convolution reads them: the singular vectors of its weights
times the square root of the second moments of what it reads, so that what is lost is what footage has little of.
What that saves, hidden channels of residual blocks can have: new ones begin with random inputs and outputs of zero, so that
the network draws what it drew (Net2Net, Chen et al. 2016). The result is a checkpoint that compress.train goes on with.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from .data import Batches
from .graph import STAGES, Graph, Op
from .losses import NOTHING
from .net import Net
from .optimiser import Optimiser
from .train import checkpoint, load, save

OFFSETS, NARROW = "off1", "offs"
BATCHES, FADED = 8, 0.5  # that moments are taken from, and the part of their samples with less contrast


def feature(graph):
    """What of both frames the offsets of full resolution are made of: its name in the frame stage."""
    op = next((op for op in graph.align if op.out == OFFSETS), None)
    names = [name.removeprefix("nbr.") for name in op.inputs[:1]] if op else []
    if not names or op.inputs[:2] != [f"nbr.{names[0]}", f"ref.{names[0]}"] or names == [NARROW]:
        raise ValueError(f'no convolution "{OFFSETS}" reads a feature of both frames')
    if op.quads is not None:
        raise ValueError(f'"{OFFSETS}" is sparse: regrow before compress.dsm')
    return names[0]


@torch.no_grad()
def second_moments(net, windows):
    """Of that feature, (channels, channels). A window counts as one over how large the residual is there, as in losses."""
    name, total = feature(net.graph), 0
    for window in windows:
        weight = 1 / (net.residual(window).square().flatten(1).mean(1) + NOTHING)
        centre = net.run("frame", {"luma": net.frame_of(window, window.shape[1] // 2)})[name]
        values = (centre * weight.sqrt().view(-1, 1, 1, 1)).transpose(0, 1).flatten(1)
        total = total + values @ values.T / values.shape[1]
    return total


def roots(moments):
    """The square root of a matrix of second moments, and its inverse."""
    values, vectors = torch.linalg.eigh(moments.double())
    values = values.clamp(min=1e-6 * values.max()).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T


def narrow_offsets(net, rank, moments):
    """A copy of `net` whose offsets of full resolution come from `rank` channels of each frame, the best where a frame's
    feature has these second moments."""
    name = feature(net.graph)
    graph = Graph.from_dict(asdict(net.graph))
    op = next(op for op in graph.align if op.out == OFFSETS)
    channels = graph.tensors("frame")[name].channels
    if not 0 < rank <= channels:
        raise ValueError(f'"{OFFSETS}" reads {channels} channels of each frame: {rank} of them cannot be made')

    state = net.state_dict()
    weight = state[f"convs.{OFFSETS}.weight"]
    frames, rest = weight[:, : 2 * channels].unflatten(1, (2, channels)), weight[:, 2 * channels :]
    root, inverse = roots(moments)
    directions = torch.linalg.svd(frames.movedim(2, -1).reshape(-1, channels).double() @ root, full_matrices=False).Vh[:rank]
    made, read = directions @ inverse, root @ directions.T
    size = made.norm(dim=1).mean()  # alone: channels as large as each other are worth as many steps of an integer
    made, read = (made / size).float(), (read * size).float()
    narrow = torch.einsum("ofcyx,cr->ofryx", frames, read)
    state[f"convs.{OFFSETS}.weight"] = torch.cat([narrow.flatten(1, 2), rest], 1)
    state[f"convs.{NARROW}.weight"] = made[:, :, None, None]
    state[f"convs.{NARROW}.bias"] = torch.zeros(rank)
    op.inputs[:2] = [f"nbr.{NARROW}", f"ref.{NARROW}"]
    graph.frame.append(Op("conv", NARROW, [name], rank))
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
    parser.add_argument("--data", type=Path, required=True, help="packed data set (compress.pack)")
    parser.add_argument("--rank", type=int, required=True, help="channels of a frame that its offsets come from")
    parser.add_argument("--wider", type=wider, nargs="*", default=[], help="NAME=CHANNELS: hidden channels to be added")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    net, _ = load(args.float)
    before = net.graph.macs()
    source = Batches(args.data, net.graph.scale, 16, 96, args.seed, faded=FADED)
    try:
        net = narrow_offsets(net, args.rank, second_moments(net, [source.next()[0] for _ in range(BATCHES)]))
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
