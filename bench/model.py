"""Writes one network for every runtime: a model file for dssr, ONNX for the others, frames, and what they should give.

    build/venv/bin/python bench/model.py --size 480x270 --out build/peers [--checkpoint FILE] [--input VIDEO]

Runs in the environment of compress/ (PyTorch). The network is that of a checkpoint of compress.train or
compress.quantise; else the shipped one.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from compress import export, export_onnx
from compress.net import Net
from compress.quant import QuantNet
from compress.train import load

FRAMES = 12
CHECKED = 3  # frames whose enlargement is compared


def noise(width, height):
    """Smooth random texture that drifts, (FRAMES, height, width) uint8."""
    rng = np.random.default_rng(1)
    field = torch.from_numpy(rng.normal(size=(1, 1, height + FRAMES, width + 3 * FRAMES))).float()
    smooth = torch.nn.functional.avg_pool2d(field, 3, 1, 1)[0, 0]
    texture = ((smooth - smooth.mean()) / smooth.std() * 50 + 128).round().clamp(0, 255).byte().numpy()
    return np.stack([texture[t : t + height, 3 * t : 3 * t + width] for t in range(FRAMES)])


def video(file, width, height):
    """The luma of the first frames of a video."""
    import av

    frames = []
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            small = frame.reformat(width, height, 'yuv420p')
            frames.append(small.to_ndarray()[:height, :width].copy())
            if len(frames) == FRAMES:
                break
    if len(frames) < CHECKED + 2:
        sys.exit(f'{file} has only {len(frames)} frames')
    return np.stack(frames)


def copy(net, kind):
    other = kind(net.graph)
    other.load_state_dict(net.state_dict(), strict=False)
    return other.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--checkpoint', type=Path, default=ROOT / 'compress/checkpoints/x4-uniform.pt')
    parser.add_argument('--size', default='480x270', help='of the small picture')
    parser.add_argument('--input', type=Path, help='video whose first frames are used; else noise that moves')
    parser.add_argument('--out', type=Path, required=True, help='folder')
    args = parser.parse_args()
    width, height = map(int, args.size.split('x'))
    args.out.mkdir(parents=True, exist_ok=True)

    frames = video(args.input, width, height) if args.input else noise(width, height)
    pictures = torch.from_numpy(frames).float() / 255
    net, state = load(args.checkpoint, QuantNet)
    if not any(k.startswith('range_') for k in state['net']):
        net.calibrate([pictures[i : i + 3][None] for i in range(0, FRAMES - 2, 4)])
    what = str(args.checkpoint)
    export.export(net.eval(), args.out / 'dssr.safetensors', 'landscape', 'balanced', {'checkpoint': what})

    exportable = copy(net, export_onnx.Exportable)
    export_onnx.export(exportable, width, height, args.out / 'step.onnx')
    exportable.split_groups = True
    export_onnx.export(exportable, width, height, args.out / 'step-split.onnx')

    plain = copy(net, Net)
    with torch.no_grad():
        expected = torch.cat([plain(pictures[i : i + 3][None]) for i in range(CHECKED)])
    np.savez(args.out / 'frames.npz', frames=frames, expected=expected.numpy())
    about = {
        'width': width, 'height': height, 'scale': net.graph.scale, 'macs': net.graph.macs(), 'weights': what,
        'input': str(args.input.resolve()) if args.input else None,
    }
    (args.out / 'about.json').write_text(json.dumps(about))


if __name__ == '__main__':
    main()
