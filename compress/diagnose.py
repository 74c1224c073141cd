"""Does a network use its neighbours? What alignment is worth, in seconds, on a few frames of each clip.

    python3 -m compress.diagnose --data ../shared/data/bench/vid4 build/x4.pt

PSNR (protocol of evaluate.py, floating point) with the neighbours, and with the centre frame in their
place: a network that aligns gains at least 0.3 dB. Photometric error (alignment.py) as a part of what it
is with no offsets: below 1 where the offsets follow the motion.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from .alignment import photometric_loss
from .evaluate import BORDER, ENDS, psnr, read_clip
from .train import load


def still(net, window):
    """The photometric error of `window` with no offsets."""
    learned = net.aligned
    offsets = [op.inputs[1] for op in net.graph.align if op.op == "deform"]
    net.aligned = [{name: torch.zeros_like(align[name]) for name in offsets} for align in learned]
    error = photometric_loss(net, window).item()
    net.aligned = learned
    return error


@torch.no_grad()
def diagnose(net, large, small, frames):
    """Means over `frames`: PSNR with neighbours, PSNR without, photometric error, the same with no offsets."""
    inner = slice(BORDER, -BORDER)
    rows = []
    for t in frames:
        window = torch.from_numpy(small[t - 1 : t + 2]).float()[None] / 255
        alone = window[:, 1:2].expand(-1, 3, -1, -1)
        results = [(net(w)[0] * 255).round().clamp(0, 255).numpy()[inner, inner] for w in (alone, window)]
        without, with_neighbours = (psnr(r, large[t][inner, inner]) for r in results)
        rows.append((with_neighbours, without, photometric_loss(net, window).item(), still(net, window)))
    return np.mean(rows, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of lossless clips")
    parser.add_argument("--every", type=int, default=10, help="frames between two that are measured")
    args = parser.parse_args()
    clips = sorted(args.data.glob("*.mkv"))
    print("| | clip | PSNR | alone | gain | photometric error, of still |\n|" + " --- |" * 6)
    for file in args.checkpoints:
        net, state = load(file)
        rows = []
        for clip in clips:
            large, small = read_clip(clip, state["scale"])
            rows.append(diagnose(net, large, small, range(ENDS, len(small) - ENDS, args.every)))
        for name, (temporal, alone, error, zero) in zip([c.stem for c in clips] + ["mean"], [*rows, np.mean(rows, 0)]):
            print(f"| {file.stem} | {name} | {temporal:.2f} | {alone:.2f} | {temporal - alone:+.2f} | {error / zero:.2f} |")


if __name__ == "__main__":
    main()
