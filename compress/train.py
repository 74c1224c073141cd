"""Trains a rung in floating point; stops after --minutes of training, resumes from its checkpoint.

    nice -n 19 python3 -m compress.train --scale 4 --data build/train.npy --out build/x4.pt --minutes 120

--minutes is the length of the whole schedule: what the checkpoint has already spent counts,
so the same command, given again after an interruption, finishes it.
"""

import argparse
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from .alignment import photometric_loss
from .data import Batches
from .edvr import BUDGETS, rung
from .net import Net


def charbonnier(x, y):
    """Charbonnier loss, eps 1e-3."""
    return torch.sqrt((x - y) ** 2 + 1e-6).mean()


def picture_loss(x, y, done):
    """Charbonnier, which learns faster, and for the last third the mean square that PSNR measures."""
    return charbonnier(x, y) if done < 2 / 3 else F.mse_loss(x, y)


def save(file, state):
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def learning_rate(peak, done):
    """Cosine from `peak` to nearly nothing, after a short warm-up; `done` in [0, 1]."""
    return peak * min(1.0, done / 0.01 + 0.05) * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)) + 1e-3)


def guide_weight(weight, done):
    """Alignment is shown the way for the first tenth; after that the groups of a deformable sample must part, which
    the guide holds together."""
    return weight * max(0.0, 1 - 10 * done)


def train(net, batches, args, seconds_between_saves=120):
    """Trains `net` in place by the clock; the checkpoint args.out carries all that resuming needs."""
    out, peak, minutes = args.out, args.peak, args.minutes
    optimiser = torch.optim.Adam(net.parameters(), lr=peak, betas=(0.9, 0.99))
    spent, step, average = 0.0, 0, None
    if out.exists():
        state = torch.load(out, map_location="cpu")
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["seconds"], state["step"]
    bar = tqdm(total=round(minutes * 60), initial=round(spent), unit="s", mininterval=10)
    saved = time.monotonic()
    while spent < minutes * 60:
        start = time.monotonic()
        done = spent / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(peak, done)
        low, high = batches.next()
        result = net(low)
        loss = picture_loss(result, high, done)
        guide = guide_weight(args.guide, done)
        optimiser.zero_grad()
        (loss + guide * photometric_loss(net, low) if guide else loss).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimiser.step()
        value = charbonnier(result.detach(), high).item()
        average = value if average is None else average + 0.005 * (value - average)
        step += 1
        now = time.monotonic()
        spent += now - start
        bar.update(round(spent) - bar.n)
        bar.set_postfix_str(f"step {step}, loss {average:.5f}", refresh=False)
        if now - saved > seconds_between_saves or spent >= minutes * 60:
            saved = now
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "seconds": spent, "step": step}
            save(out, {**state, "scale": args.scale, "rung": args.rung})
    bar.close()


def load(file, kind=Net):
    """(network, checkpoint) of a checkpoint file: a Net, or what `kind` makes of its graph."""
    state = torch.load(file, map_location="cpu")
    net = kind(rung(state["scale"], state["rung"]))
    net.load_state_dict(state["net"], strict=False)
    return net, state


def arguments(description, peak, guide):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="packed data set (compress.pack)")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, written and resumed from")
    parser.add_argument("--minutes", type=float, required=True, help="length of the whole schedule")
    parser.add_argument("--peak", type=float, default=peak, help="highest learning rate")
    parser.add_argument("--guide", type=float, default=guide, help="weight of the photometric loss, which fades out")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=128, help="high-resolution side of a training patch")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int)
    return parser


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-3, guide=1.0)
    parser.add_argument("--scale", type=int, choices=(2, 4), required=True)
    parser.add_argument("--rung", choices=BUDGETS, default="balanced")
    parser.add_argument("--init", type=Path, help="checkpoint whose weights a new schedule starts from")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net = Net(rung(args.scale, args.rung))
    if args.init:
        net.load_state_dict(torch.load(args.init, map_location="cpu")["net"], strict=False)
    net.to(args.device, memory_format=torch.channels_last)
    train(net, Batches(args.data, args.scale, args.batch, args.side, args.seed, args.device), args)


if __name__ == "__main__":
    main()
