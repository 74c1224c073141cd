#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a frame costs on each rung: CPU time, bytes to and from memory, and joules where the CPU counts them.

    energy.py BUILD quality=FILE balanced=FILE saver=FILE
"""

import argparse
import os
import re
import statistics
import subprocess
from pathlib import Path

RAPL = Path("/sys/class/powercap")


def joules():
    """The counters of all packages, or None: by name, microjoules and where they begin anew."""
    counters = {}
    for zone in sorted(RAPL.glob("intel-rapl:?")):
        try:
            counters[zone.name] = [int((zone / name).read_text()) for name in ("energy_uj", "max_energy_range_uj")]
        except OSError:
            return None
    return counters or None


def spent(before, after):
    return sum((after[zone][0] - before[zone][0]) % before[zone][1] for zone in before) / 1e6


def run(tool, model, size, frames):
    """CPU seconds and joules of a run."""
    before = joules()
    child = subprocess.Popen([tool, "--model", model, "--size", size, "--threads", "1", "--frames", str(frames)],
                             stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{tool} failed")
    after = joules()
    return usage.ru_utime + usage.ru_stime, spent(before, after) if before and after else None


def plan(tool, model, size):
    text = subprocess.run([tool, "plan", model, "--size", size], check=True, capture_output=True, text=True).stdout
    fused = float(re.search(r"all, fused.* ([\d.]+)$", text, re.M)[1])
    macs = float(re.search(r"([\d.]+) G multiply-accumulates", text)[1])
    return macs, fused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("models", nargs="+", metavar="RUNG=FILE")
    parser.add_argument("--size", default="480x270")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    models = dict(model.split("=", 1) for model in args.models)
    bench, tool = args.build / "tools" / "dssr-bench", args.build / "tools" / "dssr-model"

    # A short run and a long one: the difference has no start in it. All rungs in turn, so that one
    # hour of a busy machine is the same for all.
    costs = {rung: [] for rung in models}
    for _ in range(args.rounds):
        for rung, model in models.items():
            short, long = (run(bench, model, args.size, n) for n in (args.frames // 10, args.frames))
            counted = args.frames - args.frames // 10
            energy = (long[1] - short[1]) / counted if long[1] is not None else None
            costs[rung].append(((long[0] - short[0]) / counted, energy))

    print("| rung | GMAC | MB moved | CPU ms | joules |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for rung, model in models.items():
        macs, moved = plan(tool, model, args.size)
        cpu = statistics.median(cost[0] for cost in costs[rung]) * 1e3
        energy = [cost[1] for cost in costs[rung]]
        text = f"{statistics.median(energy):.3f}" if None not in energy else "no RAPL here"
        print(f"| {rung} | {macs:.2f} | {moved:.1f} | {cpu:.2f} | {text} |")


if __name__ == "__main__":
    main()
