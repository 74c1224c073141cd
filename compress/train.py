"""Trains a network in floating point; stops after --minutes or --steps of training, resumes from its checkpoint.

    python3 -m compress.train --config compress/configs/base-x4.toml --data build/train.npy --out build/x4.pt \\
        --minutes 600

--minutes is the length of the whole schedule: what the checkpoint has already spent counts,
so the same command, given again after an interruption, finishes it. --steps instead makes comparisons fair on a
machine that is busy now and then. Until the last part of the schedule the learning rate is constant, so that a
schedule can be lengthened; the checkpoint also keeps an average of the weights, which is what others start from.
"""

import argparse
import copy
import os
import pickle
import sys
import time
import tomllib
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from .alignment import motion_loss
from .data import Batches
from .distil import Distillation
from .edvr import edvr
from .graph import Graph
from .losses import DECAY, picture_loss
from .net import Net
from .optimiser import Optimiser

AVERAGE = 0.999  # decay of the average of the weights, a step


def save(file, state):
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def learning_rate(step, done):
    """Part of the highest learning rate: a short warm-up, constant, and linear to nearly nothing; `done` in [0, 1]."""
    return min(1.0, (step + 10) / 200) * min(1.0, (1.001 - done) / (1 - DECAY))


@torch.no_grad()
def average_weights(average, net, step):
    """Parameters only: buffers (masks, ranges) are what they are now."""
    decay = min(AVERAGE, step / (step + 10))
    torch._foreach_mul_(list(average.parameters()), decay)
    torch._foreach_add_(list(average.parameters()), list(net.parameters()), alpha=1 - decay)
    for kept, now in zip(average.buffers(), net.buffers()):
        kept.copy_(now)


def checkpoint(net, **fields):
    """What a checkpoint file holds: a network with its graph, and what else its maker wants kept."""
    return {"graph": asdict(net.graph), "net": net.state_dict(), **fields}


def train(net, batches, args, loss_of=None, optimiser=None, seconds_between_saves=120, **fields):
    """Trains `net` in place for args.steps, or if that is None for args.minutes. The checkpoint args.out carries all
    that resuming needs, and `fields`.

    loss_of (net, low, high, done) gives the loss; picture_loss of the network's picture if it is None.
    """
    out, length = args.out, args.steps or args.minutes * 60
    optimiser = optimiser or Optimiser(net, adam=args.peak, muon=5 * args.peak)
    average = copy.deepcopy(net)
    spent, step, value = 0.0, 0, None
    if out.exists():
        state = torch.load(out, map_location="cpu")
        if "optimiser" not in state:
            print(f"{out} was finished without an optimiser to go on with; to train it on, --init it.")
            net.load_state_dict(state["average"])
            return
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["seconds"], state["step"]
    at = step if args.steps else spent
    bar = tqdm(total=round(length), initial=round(at), unit="step" if args.steps else "s", mininterval=10)
    saved = time.monotonic()
    while at < length:
        start = time.monotonic()
        done = at / length
        low, high = batches.next()
        if loss_of:
            loss = loss_of(net, low, high, done)
        else:
            loss = picture_loss(net(low), high)
        optimiser.zero_grad()
        (loss + args.guide * motion_loss(net, batches.motion) if args.guide else loss).backward()
        optimiser.step(learning_rate(step, done))
        average_weights(average, net, step)
        value = loss.item() if value is None else value + 0.005 * (loss.item() - value)
        step += 1
        now = time.monotonic()
        spent += now - start
        at = step if args.steps else spent
        bar.update(round(at) - bar.n)
        bar.set_postfix_str(f"step {step}, loss {value:.5f}", refresh=False)
        if now - saved > seconds_between_saves or at >= length:
            saved = now
            state = dict(average=average.state_dict(), optimiser=optimiser.state_dict(), seconds=spent, step=step)
            save(out, checkpoint(net, **fields, **state))
    bar.close()
    net.load_state_dict(average.state_dict())


def load(file, kind=Net):
    """(network, checkpoint) of a checkpoint file: a Net, or what `kind` makes of its graph. Ends the command, saying why,
    if the file is none."""
    try:
        state = torch.load(file, map_location="cpu")
        graph = Graph.from_dict(state["graph"])
    except OSError as error:
        sys.exit(f"{file} cannot be read: {error.strerror}")
    except (pickle.UnpicklingError, EOFError, RuntimeError, KeyError, TypeError):
        sys.exit(f"{file} is no checkpoint of compress: give one that compress.train, sacp, dsm or quantise wrote.")
    net = kind(graph)
    net.load_state_dict(state["average"], strict=False)
    return net, state


def arguments(description, peak, guide, required=True):
    """The options of what trains; the length of the schedule may be left out unless it is `required`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="packed data set (compress.pack)")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, written and resumed from")
    length = parser.add_mutually_exclusive_group(required=required)
    length.add_argument("--minutes", type=float, help="length of the whole schedule")
    length.add_argument("--steps", type=int, help="the same, in steps")
    parser.add_argument("--peak", type=float, default=peak, help="highest learning rate: of Adam; that of Muon is five times as high")
    parser.add_argument("--guide", type=float, default=guide, help="weight of the error of the offsets, in pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=128, help="high-resolution side of a training patch")
    parser.add_argument("--degraded", type=float, default=0.05, help="part of the samples with noise or compression")
    parser.add_argument("--faded", type=float, default=0.0, help="part of the samples with less contrast")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int)
    return parser


def teacher_arguments(parser):
    parser.add_argument("--teacher", type=Path, help="checkpoint of a larger network to learn from as well")
    parser.add_argument("--only-teacher", action="store_true", help="learn the teacher's pictures and not the true ones")


def taught(args, net, **fields):
    """The loss for train() that --teacher and --only-teacher ask for, None without a teacher; `fields` go to Distillation."""
    if args.only_teacher and not args.teacher:
        sys.exit("--only-teacher wants a teacher: name its checkpoint with --teacher.")
    if not args.teacher:
        return None
    teacher = load(args.teacher)[0]
    if teacher.graph.scale != net.graph.scale:
        sys.exit(f"{args.teacher} enlarges x{teacher.graph.scale}, and what it would teach x{net.graph.scale}: rescale it first (compress.rescale).")
    weights = dict(truth=0.0, output=1.0, features=0.0) if args.only_teacher else {}
    return Distillation(teacher.to(args.device, memory_format=torch.channels_last), net.graph, **fields, **weights)


def batches(args, graph):
    """The batches that the options ask for, as a network of this graph sees them."""
    return Batches(
        args.data, graph.scale, args.batch, args.side, args.seed, args.device, args.degraded, args.faded, graph.follows
    )


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-3, guide=0.05)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--config", type=Path, help="scale and sizes of a network to train from nothing")
    start.add_argument("--init", type=Path, help="checkpoint whose network a new schedule starts from")
    teacher_arguments(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fields = {}
    if args.init:
        net, state = load(args.init)
        fields = {"kept": state["kept"]} if "kept" in state else {}
    else:
        config = tomllib.loads(args.config.read_text())
        net = Net(edvr(config["scale"], **config["network"]))
    net.to(args.device, memory_format=torch.channels_last)
    train(net, batches(args, net.graph), args, taught(args, net, **fields), **fields)


if __name__ == "__main__":
    main()
