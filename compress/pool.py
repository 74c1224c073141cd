"""A packed data set on a GPU, so that a step waits for no processor: batches of (low-resolution window, centre) out of it.

    python3 -m compress.pool --data build/mixed.npy --scale 4 --out build/mixed-x4.npz

Where data.py shrinks and degrades samples anew each time, here that is done once, on all cores; `degraded` copies, of random
samples, are as data.py would have degraded them.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from .data import FADED_LUMA, LEAST_CONTRAST, shrinking
from .degrade import degraded


def degraded_copies(windows, seed):
    rng = np.random.default_rng(seed)
    return np.stack([degraded(window, rng) for window in windows])


def prepare(samples, scale, copies, seed, processes=None):
    """What a Pool reads: `centre` (samples, side, side), `low` (samples + copies, window, side / scale, side / scale), uint8,
    and `owner`, the sample that each of `low` belongs to."""
    shrink = shrinking(samples.shape[-1], scale)
    parts = (torch.from_numpy(samples[i : i + 256]).float() for i in range(0, len(samples), 256))
    low = np.concatenate([(shrink @ part @ shrink.T).round().clamp(0, 255).byte().numpy() for part in parts])
    owner = np.random.default_rng(seed).integers(len(low), size=copies)
    jobs = np.array_split(low[owner], max(1, copies // 64)) if copies else []
    with ProcessPoolExecutor(processes) as pool:
        copies = list(pool.map(degraded_copies, jobs, range(seed, seed + len(jobs))))
    owner = np.concatenate([np.arange(len(low)), owner])
    return dict(centre=samples[:, samples.shape[1] // 2], low=np.concatenate([low, *copies]), owner=owner)


class Pool:
    """Random batches of `prepare`'s arrays, mirrored and turned; every draw is of kernels alone, so a CUDA graph can hold it."""

    def __init__(self, arrays, device):
        self.centre, self.low, self.owner = (torch.from_numpy(arrays[k]).to(device) for k in ("centre", "low", "owner"))
        self.scale = self.centre.shape[-1] // self.low.shape[-1]

    def draw(self, batch, side, degraded, faded, generator):
        """(batch, window, side / scale, side / scale) and (batch, side, side) in [0, 1]; parts `degraded` and `faded` as those of
        data.Batches."""
        device, clean, small = self.low.device, len(self.centre), side // self.scale

        def random(*shape):
            return torch.rand(*shape, device=device, generator=generator)

        copies = len(self.low) - clean
        pick = (random(batch) * clean).long().clamp(max=clean - 1)
        if copies and degraded:
            other = clean + (random(batch) * copies).long().clamp(max=copies - 1)
            pick = torch.where(random(batch) < degraded, other, pick)
        room = self.low.shape[-1] - small
        y, x = ((random(batch, 1) * (room + 1)).long().clamp(max=room) for _ in range(2))
        down, right, turned, back = (random(batch, 1) < 0.5 for _ in range(4))

        def squares(start, length, mirrored):
            at = torch.arange(length, device=device)
            return start + torch.where(mirrored, length - 1 - at, at)

        def places(factor):
            """Row and column of every pixel of the patches, each (batch, length, length)."""
            length = small * factor
            rows = squares(y * factor, length, down)[:, :, None].expand(-1, -1, length)
            columns = squares(x * factor, length, right)[:, None, :].expand(-1, length, -1)
            return (torch.where(turned[:, :, None], at.transpose(1, 2), at) for at in (rows, columns))

        rows, columns = places(self.scale)
        high = self.centre[self.owner[pick][:, None, None], rows, columns].float()
        rows, columns = places(1)
        window = self.low.shape[1]
        frames = torch.arange(window, device=device)
        frames = torch.where(back, window - 1 - frames, frames)[:, :, None, None]
        low = self.low[pick[:, None, None, None], frames, rows[:, None], columns[:, None]].float()
        if faded:
            chosen, mean = random(batch, 1, 1) < faded, high.mean((1, 2), keepdim=True)
            contrast = torch.where(chosen, LEAST_CONTRAST ** random(batch, 1, 1), 1.0)
            least, most = FADED_LUMA
            other = torch.where(chosen, least + (most - least) * random(batch, 1, 1), mean)
            high = (other + (high - mean) * contrast).round().clamp(0, 255)
            low = (other[:, None] + (low - mean[:, None]) * contrast[:, None]).round().clamp(0, 255)
        return low / 255, high / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="packed data set (compress.pack)")
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--copies", type=int, default=2000, help="how many degraded windows there are beside the clean ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    np.savez(args.out, **prepare(np.load(args.data), args.scale, args.copies, args.seed))


if __name__ == "__main__":
    main()
