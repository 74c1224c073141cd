"""An EDVR of BasicSR, imported: the same network in floating point, close to it in integers, the same in the engine."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from basicsr import Edvr

from compress.element import enlarge
from compress.export import export
from compress.import_basicsr import ImportError_, build, generated_footage, quantise, read_checkpoint

SMALL = dict(channels=16, groups=4, extract=2, reconstruct=2, high=16)
KINDS = {
    "tsa": dict(SMALL),
    "three frames, no tsa": dict(SMALL, frames=3, tsa=False),
    "eight groups": dict(SMALL, channels=32, groups=8, high=12, frames=3),
    "seven frames, lively": dict(SMALL, frames=7, extract=1, reconstruct=1, lively=True, reach=2),
}


def make(seed=1, **sizes):
    torch.manual_seed(seed)
    return Edvr(**sizes).eval()


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(np.float64) - b).mean())


def bytes_of(windows):
    return [(w * 255).round().byte() for w in windows]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(16, 24), (20, 12)])
def test_graph_equals_network(kind, size):
    network = make(**KINDS[kind])
    window = torch.rand(1, KINDS[kind].get("frames", 5), 3, *size)
    with torch.no_grad():
        expected, result = network(window), build(network.state_dict())(window)
    assert (result - expected).abs().max() < 1e-4
    base = torch.nn.functional.interpolate(window[:, window.shape[1] // 2], scale_factor=4, mode="bilinear")
    assert (expected - base).std() > 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_engine_equals_simulation(kind, tmp_path):
    network = make(**KINDS[kind])
    frames = KINDS[kind].get("frames", 5)
    net = quantise(network.state_dict(), generated_footage(frames, 2, 24), 4.2)
    assert {op.bits for op in net.graph.operations() if op.op == "conv"} >= {6}
    export(net, tmp_path / "net.safetensors", "landscape", "test", {})
    (window,) = bytes_of(generated_footage(frames, 1, 19, seed=7))
    clip = window[0, :, :, :, :17]
    expected = []
    for t in range(frames):
        padded = [clip[min(max(t + i, 0), frames - 1)] for i in range(-(frames // 2), frames // 2 + 1)]
        with torch.no_grad():
            expected.append(net.picture(torch.stack(padded)[None])[0].permute(1, 2, 0).byte().numpy())
    pictures = clip.permute(0, 2, 3, 1).numpy()
    for backend in ("scalar", "cpu"):
        result = enlarge(pictures, 4, model=tmp_path / "net.safetensors", lookahead=frames // 2, backend=backend)
        np.testing.assert_array_equal(result, np.stack(expected))
