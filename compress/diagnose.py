"""Does a network use its neighbours? What alignment is worth, in seconds, on a few frames of each clip.

    python3 -m compress.diagnose --data ../shared/data/bench/vid4 build/x4.pt

PSNR (protocol of evaluate.py, floating point) with the neighbours, and with the centre frame in their
place. Photometric error (alignment.py) as a part of what it is with no offsets: a network that is guided
goes below 1; later its groups may sample apart on purpose. Following: of a picture that moves sideways by so
many small pixels a frame, how much of the motion the offsets at full resolution take up (1: all).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .alignment import photometric_loss
from .evaluate import BORDER, ENDS, psnr, read_clip
from .train import load

MOTIONS = (0.25, 0.5, 1, 2, 3)


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


@torch.no_grad()
def following(net, large, motion):
    """The part of a sideways motion, in small pixels a frame, that the mean offset of the last sampling takes up."""
    scale = net.graph.scale
    picture = Image.fromarray(large).convert("F")
    reach = int(np.ceil(scale * motion))
    width, height = ((side - 2 * reach) // scale for side in picture.size)

    def view(shift):
        box = (reach + shift, reach, reach + shift + scale * width, reach + scale * height)
        return np.asarray(picture.resize((width, height), Image.BICUBIC, box)).round().clip(0, 255)

    def offset(shift):
        net(torch.from_numpy(np.stack([view(-shift), view(0), view(shift)])).float()[None] / 255)
        deform = [op for op in net.graph.align if op.op == "deform"][-1]
        taps = deform.groups * deform.kernel**2
        edge = 4
        return net.aligned[0][deform.inputs[1]][:, taps : 2 * taps, edge:-edge, edge:-edge].mean().item()

    return (offset(scale * motion) - offset(-scale * motion)) / (2 * motion)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of lossless clips")
    parser.add_argument("--every", type=int, default=10, help="frames between two that are measured")
    args = parser.parse_args()
    clips = sorted(args.data.glob("*.mkv"))
    networks = [(file.stem, load(file)[0]) for file in args.checkpoints]
    print("| | clip | PSNR | alone | gain | photometric error, of still |\n|" + " --- |" * 6)
    for title, net in networks:
        rows = []
        for clip in clips:
            large, small = read_clip(clip, net.graph.scale)
            rows.append(diagnose(net, large, small, range(ENDS, len(small) - ENDS, args.every)))
        for name, (temporal, alone, error, zero) in zip([c.stem for c in clips] + ["mean"], [*rows, np.mean(rows, 0)]):
            print(f"| {title} | {name} | {temporal:.2f} | {alone:.2f} | {temporal - alone:+.2f} | {error / zero:.2f} |")

    print("\n| following, at small pixels a frame | " + " | ".join(map(str, MOTIONS)) + " |\n|" + " --- |" * (len(MOTIONS) + 1))
    for title, net in networks:
        pictures = [read_clip(clip, net.graph.scale)[0][ENDS] for clip in clips]
        parts = [np.mean([following(net, p, m) for p in pictures]) for m in MOTIONS]
        print(f"| {title} | " + " | ".join(f"{part:.2f}" for part in parts) + " |")


if __name__ == "__main__":
    main()
