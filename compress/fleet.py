"""Trains several networks at once on an NVIDIA GPU, which one network of this size does not fill.

    python3 -m compress.fleet --plan compress/configs/fleet.toml --folder build/models --minutes 8

The plan says of each network what it starts from, what it learns, and in which part of the time. Each has its own CUDA stream; a
step is one CUDA graph: batch, gradients, optimiser, average. The loss and the learning rate are those of compress.train;
the checkpoints hold the averages of the weights.
"""

import argparse
import sys
import time
import tomllib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from .cuda import WideNet
from .losses import charbonnier, picture_loss
from .net import Net
from .optimiser import Optimiser
from .pool import Pool
from .rescale import rescale
from .train import average_weights, checkpoint, learning_rate, load, save

AHEAD = 3  # steps of a network that may wait on the GPU, so that none runs out of them and none takes all of it
TRAINED = 10**6  # steps that a network seems to have behind it already, to average_weights
LAST = torch.channels_last

torch.backends.cudnn.benchmark = True


@dataclass
class Job:
    """A network of the plan."""

    init: str  # a checkpoint, or another network of the plan
    data: str  # what compress.pool prepared, in the folder
    start: float = 0.0  # the part of the time that it begins at
    end: float = 1.0
    scale: int = 0  # what it starts from is rescaled to this first (compress.rescale)
    teacher: str = ""  # a checkpoint or network of the plan whose pictures it learns as well, rescaled if need be
    truth: float = 1.0  # weights of the true pictures and of the teacher's
    output: float = 0.0
    peak: float = 1e-3  # learning rate
    batch: int = 64
    side: int = 128
    degraded: float = 0.05  # parts of the samples, as those of compress.train
    faded: float = 0.0


def wide(net, device):
    copied = WideNet(net.graph)
    copied.load_state_dict(net.state_dict())
    return copied.to(device, memory_format=LAST)


def of_scale(net, scale):
    return net if scale in (0, net.graph.scale) else rescale(net, scale)


class Runner:
    """A network in training on a GPU. `net` gives its graph; what it starts from comes with `begin`."""

    def __init__(self, job, net, teacher, pool, seed, device):
        self.job, self.pool = job, pool
        self.net, self.average = wide(net, device), wide(net, device)
        self.teacher = wide(teacher, device).eval().requires_grad_(False) if teacher else None
        self.optimiser = Optimiser(self.net, adam=job.peak, muon=5 * job.peak, capturable=True)
        self.rate, self.mean_loss = (torch.zeros((), device=device) for _ in range(2))
        self.generator = torch.Generator(device).manual_seed(seed)
        self.stream, self.waiting, self.steps, self.state = torch.cuda.Stream(device), deque(), 0, "ready"
        self.replay = self.capture()

    def capture(self):
        """A function that puts a step on the GPU, as one CUDA graph."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(3):  # at a rate of nothing: makes the optimiser's state, compiles kernels
                self.step()
        self.stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        self.optimiser.zero_grad()
        with torch.cuda.graph(graph, stream=self.stream):
            self.step()
        return graph.replay

    def step(self):
        job = self.job
        low, high = self.pool.draw(job.batch, job.side, job.degraded, job.faded, self.generator)
        picture = self.net(low)
        loss = job.truth * picture_loss(picture, high)
        if self.teacher:
            with torch.no_grad():
                target = self.teacher(low)
            loss = loss + job.output * charbonnier(picture, target)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step(self.rate)
        self.mean_loss.lerp_(loss.detach(), 0.01)
        average_weights(self.average, self.net, TRAINED)

    @torch.no_grad()
    def begin(self, net, teacher):
        """Takes the weights of `net`, and of `teacher` if it has one; forgets all that it was."""
        for copied, source in ((self.net, net), (self.average, net), (self.teacher, teacher)):
            if copied is not None:
                copied.load_state_dict(source.state_dict())
        for part in self.optimiser.parts:
            for state in part.state.values():
                for value in state.values():
                    value.zero_()
        torch.cuda.synchronize()
        self.state = "running"

    def advance(self, done):
        """Puts a step on the GPU if few wait there; `done` in [0, 1] is the part of its time that is over."""
        while self.waiting and self.waiting[0].query():
            self.waiting.popleft()
        if len(self.waiting) >= AHEAD:
            return
        with torch.cuda.stream(self.stream):
            self.rate.fill_(learning_rate(self.steps, done))
            self.replay()
            self.waiting.append(torch.cuda.Event())
            self.waiting[-1].record()
        self.steps += 1

    def result(self):
        """A network on the CPU with the average of the weights."""
        self.stream.synchronize()
        net = Net(self.net.graph)
        net.load_state_dict({k: v.cpu() for k, v in self.average.state_dict().items()})
        return net


class Fleet:
    def __init__(self, plan, folder, device):
        self.folder, self.jobs = folder, {name: Job(**fields) for name, fields in plan.items()}
        pools, self.runners = {}, {}
        for seed, (name, job) in enumerate(tqdm(self.jobs.items(), "capturing")):
            if job.data not in pools:
                if not (folder / job.data).exists():
                    sys.exit(f"{folder / job.data} is missing: make it with compress.pool.")
                pools[job.data] = Pool(np.load(folder / job.data), device)
            net = self.start_of(name)
            teacher = of_scale(self.start_of(job.teacher), net.graph.scale) if job.teacher else None
            self.runners[name] = Runner(job, net, teacher, pools[job.data], seed, device)

    def start_of(self, name):
        """What a network of the plan is now, or starts from; or a checkpoint's."""
        if name in self.runners and self.runners[name].state != "ready":
            return self.runners[name].result()
        if name in self.jobs:
            return of_scale(self.start_of(self.jobs[name].init), self.jobs[name].scale)
        net = load(Path(name))[0]
        if net.graph.follows:
            sys.exit(f"{name} follows pans: train it with compress.train, as pools do not shift what they show.")
        return net

    def save(self, name):
        net = self.runners[name].result()
        save(self.folder / f"{name}.pt", checkpoint(net, average=net.state_dict(), steps=self.runners[name].steps))

    def run(self, seconds, seconds_between_saves=100):
        start = saved = time.monotonic()
        bar = tqdm(total=round(seconds), unit="s", mininterval=10)
        while True:
            now = time.monotonic()
            at = (now - start) / seconds
            for name, runner in self.runners.items():
                job = runner.job
                if runner.state == "ready" and at >= job.start:
                    net = self.start_of(name)
                    runner.begin(net, of_scale(self.start_of(job.teacher), net.graph.scale) if job.teacher else None)
                elif runner.state == "running" and at >= job.end:
                    runner.state = "done"
                    self.save(name)
                elif runner.state == "running":
                    runner.advance((at - job.start) / (job.end - job.start))
            if all(runner.state == "done" for runner in self.runners.values()):
                break
            if now - saved > seconds_between_saves:
                saved = now
                for name, runner in self.runners.items():
                    if runner.state == "running":
                        self.save(name)
            bar.update(round(min(now - start, seconds)) - bar.n)
        bar.close()
        for name, runner in self.runners.items():
            print(f"{name}: {runner.steps} steps, loss {runner.mean_loss.item():.6f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="has what compress.pool prepared; checkpoints go here")
    parser.add_argument("--minutes", type=float, required=True)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("No NVIDIA GPU is there: train one network at a time with compress.train.")
    Fleet(tomllib.loads(args.plan.read_text()), args.folder, torch.device("cuda")).run(60 * args.minutes)


if __name__ == "__main__":
    main()
