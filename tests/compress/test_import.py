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
from compress.import_basicsr import CheckpointError, build, generated_footage, quantise, read_checkpoint

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


@pytest.mark.parametrize("kind", ["tsa", "eight groups"])
def test_close_to_network(kind):
    network = make(**KINDS[kind])
    frames = KINDS[kind].get("frames", 5)
    net = quantise(network.state_dict(), generated_footage(frames, 2, 24), 4.2)
    (window,) = generated_footage(frames, 1, 24, seed=7)
    with torch.no_grad():
        expected = (network(window).clamp(0, 1) * 255).numpy()
        result = net.picture(*bytes_of([window])).numpy()
        base = (net.base(window) * 255).numpy()
    assert psnr(result, expected) > 38
    assert psnr(result, expected) > psnr(base, expected) + 15


def test_checkpoint_layouts(tmp_path):
    state = make(**SMALL).state_dict()
    layouts = [state, {"params": state}, {"params": {}, "params_ema": state}]
    layouts.append({"params": {f"module.{k}": v for k, v in state.items()}})
    for i, layout in enumerate(layouts):
        torch.save(layout, tmp_path / f"{i}.pth")
        read = read_checkpoint(tmp_path / f"{i}.pth")
        assert read.keys() == state.keys()
        assert all(torch.equal(read[name], state[name]) for name in state)


class Harm:
    def __reduce__(self):
        return print, ("run",)


def test_checkpoint_runs_no_code(tmp_path, capsys):
    torch.save({"params": Harm()}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        read_checkpoint(tmp_path / "bad.pth")
    assert capsys.readouterr().out == ""


def test_no_checkpoint(tmp_path):
    for content in (b"", b"root:x:0:0:root", b"PK\3\4", bytes(range(256))):
        (tmp_path / "no.pth").write_bytes(content)
        with pytest.raises(CheckpointError, match="cannot be read as tensors"):
            read_checkpoint(tmp_path / "no.pth")


def without(state, name):
    return {k: v for k, v in state.items() if k != name}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: without(s, "conv_hr.bias"), "conv_hr.bias is missing"),
        (lambda s: without(s, "conv_first.weight"), "conv_first.weight is missing"),
        (lambda s: without(s, "reconstruction.0.conv1.weight"), "reconstruction.0.conv1.weight is missing"),
        (lambda s: s | {"extra.weight": torch.zeros(1)}, "extra.weight is unknown"),
        (lambda s: s | {"upconv1.weight": torch.zeros(4, 16, 3, 3)}, r"upconv1.weight has shape \(4, 16, 3, 3\), must"),
        (lambda s: s | {"predeblur.conv_first.weight": torch.zeros(1)}, "predeblur"),
        (lambda s: s | {"fusion.feat_fusion.weight": torch.zeros(16, 64, 1, 1)}, "fuses 4 frames"),
        (
            lambda s: s | {"pcd_align.cas_dcnpack.conv_offset.weight": torch.zeros(27 * 8, 16, 3, 3)},
            "16 channels in 8 deformable groups",
        ),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(CheckpointError, match=message):
        build(change(make(**SMALL).state_dict()))


def test_footage_that_is_too_short():
    with pytest.raises(CheckpointError, match="shorter than the 3 frames"):
        quantise(make(**dict(SMALL, frames=3)).state_dict(), [], 0)


def test_command(tmp_path):
    torch.save(make(**dict(SMALL, frames=3, extract=1, reconstruct=1)).state_dict(), tmp_path / "a.pth")

    def run(*args):
        command = [sys.executable, "-m", "compress.import_basicsr", "--out", tmp_path / "a.safetensors", *args]
        return subprocess.run([str(c) for c in command], capture_output=True, text=True)

    done = run(tmp_path / "a.pth", "--ratio", "2", "--side", "16", "--windows", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"a\.safetensors: \d+ bytes, [\d.]+ times smaller", done.stdout)
    result = enlarge(np.zeros((3, 8, 8, 3), np.uint8), 4, model=tmp_path / "a.safetensors")
    assert result.shape == (3, 32, 32, 3)
    (tmp_path / "b.pth").write_text("no checkpoint")
    failed = run(tmp_path / "b.pth")
    assert failed.returncode == 1 and "b.pth" in failed.stderr and "Traceback" not in failed.stderr
