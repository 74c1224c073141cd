"""Packs training data: short luma clips cut from stills and real video, as one NumPy file.

    python3 -m compress.pack --data ../shared/data/train --out build/train.npy

Beside it, in train.motion.npy, goes how the samples move. Each sample is `window` frames of SIDE x SIDE luma (BT.601 studio range, 8 bits), uint8.
Stills are moved by a synthetic camera and, in two of five samples, one or two more planes
that move differently; they give sharp pictures and any motion. Stills are reduced in size, until edges are as
sharp as pixels can show: sharper samples and slower motion are worth more than steps (docs/compression.md). Real clips
give real motion; they are reduced by means of squares, as sensors bin pixels, which removes most of their compression.
"""

import argparse
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm


SIDE = 160  # 128 and a margin, so that the low-resolution picture near a crop's edge is right
WINDOW = 3
SQUARE = 8  # side of a square whose motion is told
UNKNOWN = np.full((WINDOW - 1, 2, SIDE // SQUARE, SIDE // SQUARE), np.nan, np.float16)


def luma(image):
    """A picture as float luma in BT.601 studio range (PIL mode F)."""
    rgb = np.asarray(image.convert("RGB"), np.float32)
    y = 16 + (rgb @ np.array([65.481, 128.553, 24.966], np.float32)) / 255
    return Image.fromarray(y.astype(np.float32), "F")


def path(rng, count):
    """Smooth motion: positions of `count` frames. Seven in ten move by up to 3 pixels a frame, which is where neighbours
    can tell most; few stand still, and a quarter are as fast as 20, to learn when neighbours cannot be used."""
    kind = rng.random()
    speed = 0.0 if kind < 0.05 else 3 * rng.random() if kind < 0.76 else 20 * rng.random() ** 2
    angle = rng.uniform(0, 2 * np.pi)
    turn = rng.gauss(0, 0.2)
    x, y, points = 0.0, 0.0, [(0.0, 0.0)]
    for _ in range(count - 1):
        x, y = x + speed * np.cos(angle), y + speed * np.sin(angle)
        points.append((x, y))
        angle += turn
        speed *= 1 + rng.gauss(0, 0.05)
    return points


def moving_plane(rng, image):
    """WINDOW views of `image` by a moving, slightly zooming camera, and their motion; None if it is too small."""
    width, height = image.size
    shrink = rng.uniform(2.0, max(2.0, min(4.0, min(width, height) / 230)))
    zoom = rng.gauss(0, 0.003)
    points = path(rng, WINDOW)
    reach = (SIDE + 2 * max(max(abs(x), abs(y)) for x, y in points)) * shrink * 1.03 + 2
    if width < reach + 2 or height < reach + 2:
        return None
    cx, cy = rng.uniform(reach / 2, width - reach / 2), rng.uniform(reach / 2, height - reach / 2)
    views, boxes = [], []
    for i, (x, y) in enumerate(points):
        half = SIDE * shrink * (1 + zoom * i) / 2
        px, py = cx + (x - points[-1][0] / 2) * shrink, cy + (y - points[-1][1] / 2) * shrink
        boxes.append((max(px - half, 0), max(py - half, 0), min(px + half, width), min(py + half, height)))
        views.append(np.asarray(image.resize((SIDE, SIDE), Image.BICUBIC, boxes[-1])))
    return np.stack(views), motion(boxes)


def motion(boxes):
    """Where the other frames have what the centre frame has in each square, for views of `boxes` of one picture:
    (frames - 1, 2, squares, squares), rows and columns further, in pixels."""
    at = np.arange(SQUARE / 2, SIDE, SQUARE)
    centre = WINDOW // 2

    def moved(start, end):
        size = (end - start)[:, None]
        source = start[centre] + at * size[centre] / SIDE
        return np.delete((source - start[:, None]) * SIDE / size - at, centre, 0)

    left, top, right, bottom = np.array(boxes).T
    dy, dx = np.broadcast_arrays(moved(top, bottom)[:, :, None], moved(left, right)[:, None, :])
    return np.stack([dy, dx], 1)


def moving_mask(rng):
    """WINDOW views of a soft-edged random polygon that moves by its own path."""
    size = 2 * SIDE
    cx, cy, radius = rng.uniform(0.3, 0.7) * size, rng.uniform(0.3, 0.7) * size, rng.uniform(0.08, 0.28) * size
    corners = [
        (cx + radius * rng.uniform(0.4, 1) * np.cos(a), cy + radius * rng.uniform(0.4, 1) * np.sin(a))
        for a in np.linspace(0, 2 * np.pi, rng.randint(5, 12))
    ]
    picture = Image.new("L", (size, size))
    ImageDraw.Draw(picture).polygon(corners, fill=255)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    views = []
    for x, y in path(rng, WINDOW):
        box = [SIDE // 2 - x, SIDE // 2 - y, SIDE // 2 + SIDE - x, SIDE // 2 + SIDE - y]
        views.append(np.asarray(picture.resize((SIDE, SIDE), Image.BICUBIC, box), np.float32) / 255)
    return np.stack(views)


def detail(sample):
    """Mean gradient of the centre frame: tells flat patches, which teach little."""
    centre = sample[WINDOW // 2].astype(np.float32)
    return np.abs(np.diff(centre, axis=0)).mean() + np.abs(np.diff(centre, axis=1)).mean()


def quantise(sample):
    return np.clip(np.rint(sample), 0, 255).astype(np.uint8)


def from_still(job):
    files, seed, count = job
    rng = random.Random(seed)
    images = [luma(Image.open(f)) for f in files]
    samples = []
    for _ in range(20 * count):
        if len(samples) == count:
            break
        plane = moving_plane(rng, images[0])
        if plane is None:
            break
        sample, moves = plane
        if rng.random() < 0.4:
            for _ in range(rng.randint(1, 2)):
                front = moving_plane(rng, rng.choice(images))
                if front is not None:
                    mask = moving_mask(rng)
                    sample = sample * (1 - mask) + front[0] * mask
                    middle = slice(SQUARE // 2, None, SQUARE)
                    moves = np.where(mask[WINDOW // 2, middle, middle] > 0.5, front[1], moves)
        sample = quantise(sample)
        if detail(sample) > rng.uniform(4, 14):
            samples.append((sample, moves.astype(np.float16)))
    return samples


def from_clip(job):
    file, seed, count = job
    rng = random.Random(seed)
    with av.open(str(file)) as container:
        frames = container.decode(video=0)
        window, samples = [], []
        total = container.streams.video[0].frames or 300
        chance = 6.0 * count / total
        for frame in frames:
            image = luma(frame.to_image())
            shrink = max(2, min(image.size) // 230)
            window = (window + [image.reduce(shrink)])[-WINDOW:]
            if len(window) < WINDOW or min(image.size) < SIDE * shrink:
                continue
            for _ in range(int(chance + rng.random())):
                x, y = rng.randrange(window[0].width - SIDE + 1), rng.randrange(window[0].height - SIDE + 1)
                sample = quantise(np.stack([np.asarray(f)[y : y + SIDE, x : x + SIDE] for f in window]))
                if detail(sample) > rng.uniform(2, 8):
                    samples.append((sample, UNKNOWN))
    rng.shuffle(samples)
    return samples[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with stills/ and clips/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", nargs="+", default=["landscape"], help="subfolders to take")
    parser.add_argument("--per-still", type=int, default=50)
    parser.add_argument("--per-clip", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    stills = sorted(f for s in args.scenes for f in (args.data / "stills" / s).iterdir())
    clips = sorted(f for s in args.scenes for f in (args.data / "clips" / s).iterdir() if args.per_clip)
    if not stills and not clips:
        sys.exit(f"No stills and no clips under {args.data}: give the folder that holds stills/ and clips/.")
    still_jobs = [([f, rng.choice(stills)], rng.random(), args.per_still) for f in stills]
    clip_jobs = [(f, rng.random(), args.per_clip) for f in clips]
    samples = []
    with ProcessPoolExecutor(args.processes) as pool:
        results = [pool.map(from_clip, clip_jobs), pool.map(from_still, still_jobs)]
        for batch in tqdm((b for r in results for b in r), "packing", len(still_jobs) + len(clip_jobs)):
            samples += batch
    rng.shuffle(samples)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    pictures, motions = zip(*samples)
    np.save(args.out, np.stack(pictures))
    np.save(args.out.with_suffix(".motion.npy"), np.stack(motions))
    print(f"{len(samples)} samples of {WINDOW} frames, {SIDE}x{SIDE}, in {args.out}")


if __name__ == "__main__":
    main()
