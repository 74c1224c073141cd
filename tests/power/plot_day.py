#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what simulated-day wrote: rung, scene, sensors, frame times and CPU time a frame."""

import argparse
import csv

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "dssr"
matplotlib.rcParams["svg.fonttype"] = "none"
from matplotlib import pyplot as plt  # noqa: E402

RUNGS = ["saver", "balanced", "quality"]
COLOURS = {"quality": "#c44e52", "balanced": "#4c72b0", "saver": "#55a868"}


def stretches(rows, key):
    """(first second, end, value) of stretches with one value."""
    first = 0
    for i in range(1, len(rows) + 1):
        if i == len(rows) or key(rows[i]) != key(rows[first]):
            yield first, i, key(rows[first])
            first = i


def column(rows, name):
    return [float(row[name]) for row in rows]


def draw(rows, fps):
    seconds = [int(row["second"]) for row in rows]
    figure, axes = plt.subplots(4, 1, sharex=True, figsize=(10, 8.5), height_ratios=[2, 2.4, 2, 2],
                                layout="constrained")

    sensors, rungs, times, cpu = axes
    sensors.plot(seconds, column(rows, "battery"), color="#333333", label="battery, %")
    sensors.plot(seconds, column(rows, "temperature"), color="#dd8452", label="heat, °C (limit 75)")
    sensors.axhline(75, color="#dd8452", linewidth=0.7, linestyle="--")
    sensors.axhline(20, color="#333333", linewidth=0.7, linestyle="--")
    sensors.set_ylabel("sensors")
    sensors.legend(loc="lower left", fontsize=8)

    for first, end, (rung, reason) in stretches(rows, lambda r: (r["rung"], r["reason"])):
        y = RUNGS.index(rung)
        rungs.barh(y, end - first, left=first, height=0.7, color=COLOURS[rung])
        if end - first >= 25:
            rungs.text((first + end) / 2, y, reason, ha="center", va="center", fontsize=7, color="white")
    for first, end, scene in stretches(rows, lambda r: r["scene"]):
        rungs.barh(-1, end - first, left=first, height=0.7, color="#8c8c8c" if scene == "portrait" else "#d0d0d0")
        if end - first >= 25:
            rungs.text((first + end) / 2, -1, scene, ha="center", va="center", fontsize=7)
    rungs.set_yticks(range(-1, len(RUNGS)), ["scene", *RUNGS])

    sizes = sorted({row["size"] for row in rows}, key=lambda size: int(size.split("x")[0]))
    for axis in axes:
        for first, end, size in stretches(rows, lambda r: r["size"]):
            if size == sizes[-1]:
                axis.axvspan(first, end, color="#ffe9a8", zorder=0)
    times.semilogy(seconds, column(rows, "frame_ms"), color="#4c72b0", linewidth=1, label="mean of a second")
    times.semilogy(seconds, column(rows, "longest_ms"), color="#4c72b0", linewidth=0.5, alpha=0.5, label="longest")
    times.axhline(1000 / fps, color="black", linewidth=0.7, linestyle="--", label="a frame's duration")
    times.set_ylabel("ms a frame")
    times.legend(loc="center", fontsize=8, ncols=3)

    values = column(rows, "cpu_ms")
    for first, end, rung in stretches(rows, lambda r: r["rung"]):
        cpu.semilogy(seconds[first:end + 1], values[first:end + 1], color=COLOURS[rung], linewidth=1.2)
    cpu.set_ylabel("CPU ms a frame")
    cpu.set_xlabel(f"seconds of the day; {sizes[0]}, and {sizes[-1]} where yellow, enlarged twice, {fps} frames a second")
    cpu.set_xlim(0, len(rows))
    return figure


def summary(rows):
    """A table of what each rung took, for the documentation."""
    print("| size | rung | seconds | frames late | bicubic base alone | CPU ms a frame, median |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    base, found = 0, {}
    for row in rows:
        of = found.setdefault((row["size"], row["rung"]), [0, 0, 0, []])
        of[0] += 1
        of[1] += int(row["late"])
        of[2] += int(row["base_frames"]) - base
        of[3].append(float(row["cpu_ms"]))
        base = int(row["base_frames"])
    for (size, rung), (seconds, late, bases, cpu) in sorted(found.items()):
        print(f"| {size} | {rung} | {seconds} | {late} | {bases} | {sorted(cpu)[len(cpu) // 2]:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("svg")
    args = parser.parse_args()
    with open(args.csv, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = draw(rows, int(rows[0]["frames"]))
    figure.savefig(args.svg, metadata={"Date": None})
    summary(rows)


if __name__ == "__main__":
    main()
