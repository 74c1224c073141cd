"""Ranges of a finished model for a user's own footage, without training.

    python3 -m compress.calibrate --model models/landscape-x4-balanced.safetensors --video night.mp4 --out night.safetensors

Ranges of activations are chosen anew from what the network makes of the footage: scales, zero points, multipliers,
shifts and biases change, what the weights stand for does not. Half of the places that are looked at are held apart: there
the integer network is compared with its own weights in floating point, before and after. If it is not nearer to
them, the model stays as it was.
"""

import argparse
import copy
import json
import shutil
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from .export import export
from .footage import FootageError, windows_of
from .net import Net
from .quant import value_input
from .restore import ModelError, restore


@torch.no_grad()
def error(net, windows):
    """Root mean square difference of the integer network's residual and the floating-point one's, in 8-bit steps."""
    exact = Net(net.graph)
    exact.load_state_dict(net.state_dict(), strict=False)
    total = [(net.residual(w) - exact.residual(w)).square().mean() for w in windows]
    return 255 * torch.stack(total).mean().sqrt().item()


def concatenated(graph):
    """Outputs of operations that are read beside others by a convolution: its weights are rounded for their scales."""
    names, parents = set(), {}
    for op in graph.operations():
        inputs = [i.split(".")[-1] for i in op.inputs]
        if op.op in ("deform", "up2", "attention", "follow"):
            parents[op.out] = inputs[value_input(op)]
        elif op.op == "conv" and len(set(inputs)) > 1:
            names.update(inputs)
    for name in list(names):
        while name in parents:
            name = parents[name]
            names.add(name)
    return names


def calibrated(net, windows, held):
    """(QuantNet, error before, error after): `net` with the best of its ranges as they are, all chosen anew from
    `windows`, or anew except where weights would have to be rounded again."""
    free, tied = copy.deepcopy(net), copy.deepcopy(net)
    seen = net.observe(windows)
    free.choose_ranges(seen)
    free.choose_gates(seen)
    tied.choose_ranges(seen)
    for name in concatenated(net.graph):
        if hasattr(tied, f"range_{name}"):
            getattr(tied, f"range_{name}").copy_(getattr(net, f"range_{name}"))
    best = min((net, free, tied), key=lambda candidate: error(candidate, windows))
    before, after = error(net, held), error(best, held)
    return (best, before, after) if after < before else (net, before, before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model file")
    parser.add_argument("--video", type=Path, nargs="+", required=True, help="footage, as the model will be given it")
    parser.add_argument("--out", type=Path, required=True, help="model file that is written")
    parser.add_argument("--places", type=int, default=32, help="of each video that are looked at, half of them held apart")
    parser.add_argument("--side", type=int, default=96, help="of the pictures cut out at each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.places < 2 or args.side < 8:
        parser.error("two places and pictures of 8 pixels are the least")
    torch.set_num_threads(args.threads)
    try:
        net, metadata = restore(args.model)
        windows = []
        with tqdm(total=args.places * len(args.video), desc="footage", unit="place") as bar:
            for video in args.video:
                for window in windows_of(video, net.graph.window, args.places, args.side, args.seed):
                    windows.append(torch.from_numpy(window).float()[None] / 255)
                    bar.update()
    except (ModelError, FootageError) as problem:
        sys.exit(str(problem))
    if len(windows) < 2:
        sys.exit("All footage together has one place to look at, two are the least: give a longer video.")
    best, before, after = calibrated(net, windows[::2], windows[1::2])
    print(
        f"Error of the integers on frames held apart, root mean square, 8-bit steps: {before:.3f} before, {after:.3f} after."
    )
    if best is net:
        print(f"No gain: {args.out} has the ranges that {args.model} had.")
        if args.out.resolve() != args.model.resolve():
            shutil.copyfile(args.model, args.out)
        return
    provenance = json.loads(metadata.get("dssr.provenance", "{}"))
    provenance["calibrated"] = {"footage": [v.name for v in args.video], "error_before": before, "error_after": after}
    export(best, args.out, metadata["dssr.scene"], metadata["dssr.rung"], provenance)
    print(f"{args.out}: error {1 - after / before:.0%} smaller.")


if __name__ == "__main__":
    main()
