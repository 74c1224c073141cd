"""PSNR and SSIM of models, through the real element in a real pipeline.

    python3 -m compress.evaluate --data ../shared/data/bench/vid4 models/landscape-x4-balanced.safetensors

The protocol of shared/peers.md: on Y (BT.601 studio range, rounded), 8-pixel border ignored, low
resolution made by antialiased bicubic from RGB rounded to 8 bits, all frames but the first and last two
of each clip, mean over clips. `--checkpoint` measures the floating-point network as well.
"""

import argparse
import functools
import json
import sys
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from tqdm import tqdm

from .element import enlarge
from .train import load

BORDER, ENDS = 8, 2


def luma(rgb):
    """BT.601 studio-range luma of uint8 RGB, rounded."""
    y = 16 + rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)
    return np.rint(y).astype(np.uint8)


@functools.cache
def read_clip(file, scale):
    """High- and low-resolution luma of a clip, (frames, height, width); sizes cut to a multiple of `scale`."""
    large, small = [], []
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            image = frame.to_image()
            width, height = image.width // scale * scale, image.height // scale * scale
            image = image.crop((0, 0, width, height))
            large.append(luma(np.asarray(image)))
            small.append(luma(np.asarray(image.resize((width // scale, height // scale), Image.BICUBIC))))
    return np.stack(large), np.stack(small)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2))


def ssim(a, b):
    """Structural similarity (Wang et al., 2004): 11x11 Gaussian window, sigma 1.5."""
    x = torch.arange(11) - 5.0
    g = torch.exp(-(x**2) / (2 * 1.5**2)).double()
    g = g / g.sum()
    a, b = (torch.from_numpy(i.astype(np.float64))[None, None] for i in (a, b))

    def blur(i):
        return F.conv2d(F.conv2d(i, g.view(1, 1, 1, -1)), g.view(1, 1, -1, 1))

    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean().item()


def inner_pairs(result, truth):
    """The pictures of a clip that count, without their borders: pairs of what came out and the truth."""
    inner = slice(BORDER, -BORDER)
    return [(r[inner, inner], t[inner, inner]) for r, t in zip(result, truth)][ENDS:-ENDS]


def mean_psnr(result, truth):
    """Of a clip."""
    return float(np.mean([psnr(*pair) for pair in inner_pairs(result, truth)]))


def score(result, truth):
    """Mean PSNR and SSIM of a clip."""
    return mean_psnr(result, truth), float(np.mean([ssim(*pair) for pair in inner_pairs(result, truth)]))


def bicubic(small, scale):
    """The base line: Pillow's bicubic."""
    return np.stack([
        np.asarray(Image.fromarray(s).resize((s.shape[1] * scale, s.shape[0] * scale), Image.BICUBIC)) for s in small
    ])  # fmt: skip


@torch.no_grad()
def float_network(net, small):
    """The floating-point network over a clip, with the element's window at its ends."""
    reach = net.graph.window // 2
    frames = torch.from_numpy(small).float() / 255
    results = []
    for t in range(len(frames)):
        window = [frames[min(max(t + i, 0), len(frames) - 1)] for i in range(-reach, reach + 1)]
        results.append((net(torch.stack(window)[None])[0] * 255).round().clamp(0, 255).byte().numpy())
    return np.stack(results)


@torch.no_grad()
def network_psnr(net, folder, every=10):
    """PSNR of a Net in floating point, or a QuantNet in integers, without the element: the mean over the clips of a
    folder of their means over every `every`th frame. To compare networks while they are made."""
    scale, reach = net.graph.scale, net.graph.window // 2
    inner = slice(BORDER, -BORDER)
    means = []
    for clip in sorted(folder.glob("*.mkv")):
        large, small = read_clip(clip, scale)
        values = []
        for t in range(max(ENDS, reach), len(small) - max(ENDS, reach), every):
            window = torch.from_numpy(small[t - reach : t + reach + 1])[None]
            picture = net.picture(window) if hasattr(net, "picture") else (net(window.float() / 255) * 255).round()
            values.append(psnr(picture[0].clamp(0, 255).numpy()[inner, inner], large[t][inner, inner]))
        means.append(np.mean(values))
    return float(np.mean(means))


def model_scale(file):
    with safe_open(str(file), "numpy") as model:
        return int(model.metadata()["dssr.scale"])


def methods(args):
    """The name, scale and function of everything to be measured."""
    scales = {model_scale(file) for file in args.models}
    for file in args.models:
        scale = model_scale(file)
        properties = dict(model=file.resolve(), backend=args.backend, lookahead=args.lookahead)
        yield file.stem, scale, lambda small, s=scale, p=properties: enlarge(small, s, **p)
    for file in args.checkpoint:
        net, _ = load(file)
        scales.add(net.graph.scale)
        yield f"{file.stem}, float", net.graph.scale, lambda small, n=net: float_network(n, small)
    for scale in sorted(scales):
        yield f"bicubic x{scale}", scale, lambda small, s=scale: bicubic(small, s)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of lossless clips")
    parser.add_argument("--checkpoint", nargs="*", type=Path, default=[], help="floating-point checkpoints")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--lookahead", type=int)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    clips = sorted(args.data.glob("*.mkv"))
    if not clips:
        sys.exit(f"No .mkv clips in {args.data}: give a folder such as ../shared/data/bench/vid4.")

    table = {}
    for name, scale, method in methods(args):
        row = {}
        for clip in tqdm(clips, name, leave=False):
            large, small = read_clip(clip, scale)
            result = method(small)
            if len(result) != len(large):
                sys.exit(f"{name}, {clip.name}: {len(large)} frames went in, {len(result)} came out.")
            row[clip.stem] = score(result, large)
        row["mean"] = tuple(np.mean(list(row.values()), 0).tolist())
        table[name] = row

    columns = [c.stem for c in clips] + ["mean"]
    print("| | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for name, row in table.items():
        print(f"| {name} | " + " | ".join(f"{row[c][0]:.2f} / {row[c][1]:.3f}" for c in columns) + " |")
    if args.json:
        args.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
