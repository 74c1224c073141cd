"""Does a network use its neighbours? What alignment is worth, in seconds, on a few frames of each clip.

    python3 -m compress.diagnose --data ../shared/data/bench/vid4 build/x4.pt

PSNR (protocol of evaluate.py, floating point) with the neighbours, and with the centre frame in their place; and what
neighbours are worth when they are the centre frame moved as a whole, by so many small pixels down and right: what the
network would gain if it followed every motion so far, as all of them show as much that is new. Following: of a picture
that moves sideways by so many small pixels a frame, how much of the motion the samplings at full resolution take up together (1: all).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .evaluate import BORDER, ENDS, psnr, read_clip
from .train import load

MOTIONS = (0.25, 0.5, 1, 2, 3)
RIGID = ((0, 0), (1, 0), (1, 1), (2, 2), (4, 2), (12, 9))  # down, right, in small pixels; and then a large pixel more, both ways


def picture(net, small):
    window = torch.from_numpy(np.stack(small)).float()[None] / 255
    return (net(window)[0] * 255).round().clamp(0, 255).numpy()


@torch.no_grad()
def diagnose(net, large, small, frames):
    """Means over `frames`: PSNR with neighbours, and PSNR without."""
    inner = slice(BORDER, -BORDER)
    rows = []
    for t in frames:
        windows = (small[t - 1 : t + 2], [small[t]] * 3)
        rows.append([psnr(picture(net, w)[inner, inner], large[t][inner, inner]) for w in windows])
    return np.mean(rows, 0)


@torch.no_grad()
def rigid(net, large, motion):
    """PSNR that neighbours are worth which are the picture `large`, moved each frame by `motion`, (down, right) in small
    pixels, and one large pixel more both ways, without which they would show nothing new."""
    scale, inner = net.graph.scale, slice(BORDER, -BORDER)
    motion = [scale * d + 1 for d in motion]
    reach = max(map(abs, motion))
    height, width = ((side - 2 * reach) // scale * scale for side in large.shape)

    def view(times):
        top, left = (reach + times * d for d in motion)
        return large[top : top + height, left : left + width]

    def shrunk(view):
        return np.asarray(Image.fromarray(view).resize((width // scale, height // scale), Image.BICUBIC))

    small = [shrunk(view(times)) for times in (-1, 0, 1)]
    moved, still = (psnr(picture(net, w)[inner, inner], view(0)[inner, inner]) for w in (small, [small[1]] * 3))
    return moved - still


@torch.no_grad()
def following(net, large, motion):
    """The part of a sideways motion, in small pixels a frame, that the mean offsets at full resolution take up."""
    scale = net.graph.scale
    picture = Image.fromarray(large).convert("F")
    reach = int(np.ceil(scale * motion))
    width, height = ((side - 2 * reach) // scale for side in picture.size)

    def view(shift):
        box = (reach + shift, reach, reach + shift + scale * width, reach + scale * height)
        return np.asarray(picture.resize((width, height), Image.BICUBIC, box)).round().clip(0, 255)

    def offset(shift):
        net(torch.from_numpy(np.stack([view(-shift), view(0), view(shift)])).float()[None] / 255)
        edge = 4
        moved = 0.0
        for op in net.graph.align:
            if op.op == "deform" and net.levels[op.out] == 0:
                taps = op.groups * op.kernel**2
                moved += net.aligned[0][op.inputs[1]][:, taps : 2 * taps, edge:-edge, edge:-edge].mean().item()
        return moved

    return (offset(scale * motion) - offset(-scale * motion)) / (2 * motion)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of lossless clips")
    parser.add_argument("--every", type=int, default=10, help="frames between two that are measured")
    args = parser.parse_args()
    clips = sorted(args.data.glob("*.mkv"))
    networks = [(file.stem, load(file)[0]) for file in args.checkpoints]
    print("| | clip | PSNR | alone | gain |\n|" + " --- |" * 5)
    for title, net in networks:
        rows = []
        for clip in clips:
            large, small = read_clip(clip, net.graph.scale)
            rows.append(diagnose(net, large, small, range(ENDS, len(small) - ENDS, args.every)))
        for name, (temporal, alone) in zip([c.stem for c in clips] + ["mean"], [*rows, np.mean(rows, 0)]):
            print(f"| {title} | {name} | {temporal:.2f} | {alone:.2f} | {temporal - alone:+.2f} |")

    def table(heading, columns, measure):
        print(f"\n| {heading} | " + " | ".join(map(str, columns)) + " |\n|" + " --- |" * (len(columns) + 1))
        for title, net in networks:
            pictures = [read_clip(clip, net.graph.scale)[0][ENDS] for clip in clips]
            values = [np.mean([measure(net, p, c) for p in pictures]) for c in columns]
            print(f"| {title} | " + " | ".join(f"{v:.2f}" for v in values) + " |")

    table("gain, of rigid motion by a large pixel and", RIGID, rigid)
    table("following, at small pixels a frame", MOTIONS, following)


if __name__ == "__main__":
    main()
