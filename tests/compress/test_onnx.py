"""The exported step computes the network: in PyTorch, and by onnxruntime where bench/setup.sh has installed it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from compress.edvr import edvr
from compress.export_onnx import Exportable, Step, base_weights, export, main
from compress.follow import following
from compress.net import Net
from compress.reference import bicubic
from compress.train import checkpoint

SIDES = (27, 42)  # odd at every level
PEERS = Path(__file__).resolve().parents[2] / "build" / "peers-venv" / "bin" / "python"

RUN = """
import sys, numpy as np, onnxruntime as ort
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = np.load(sys.argv[2])
np.savez(sys.argv[3], *session.run(None, {i.name: inputs[i.name] for i in session.get_inputs()}))
"""


def networks(scale, split_groups):
    """A network whose offsets and residual show, and the same in operations of ONNX."""
    torch.manual_seed(scale)
    plain = Net(edvr(scale, channels=(8, 8, 12), offset_channels=(4, 8, 8), fuse_blocks=1)).eval()
    for name, conv in plain.convs.items():
        torch.nn.init.normal_(conv.bias, std=0.05)
        if name.startswith("offset"):
            conv.weight.data.mul_(30)
    exportable = Exportable(plain.graph).eval()
    exportable.load_state_dict(plain.state_dict())
    exportable.split_groups = split_groups
    return plain, exportable


def features(net, kept, luma):
    net.size = SIDES
    values = net.run("frame", {"luma": luma})
    return [values[k] for k in kept]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("split_groups", [False, True])
def test_steps_make_the_networks_pictures(scale, split_groups):
    plain, exportable = networks(scale, split_groups)
    step = Step(exportable)
    frames = torch.rand(5, 1, 1, *SIDES)
    with torch.no_grad():
        past, now = (features(exportable, step.kept, f) for f in frames[:2])
        for i in range(1, 4):
            picture, *new = step(frames[i + 1], frames[i], *past, *now)
            expected = plain(frames[i - 1 : i + 2, 0, 0][None])
            assert (picture[:, 0] - expected).abs().max() < 1e-5
            assert (expected - plain.base(frames[None, i - 1 : i + 2, 0, 0])[:, 0]).std() > 0.01
            past, now = now, new


@pytest.mark.parametrize("scale", [2, 4])
def test_base_as_a_convolution(scale):
    luma = torch.rand(1, 1, 7, 9)
    padded = torch.nn.functional.pad(luma, (2, 2, 2, 2), mode="replicate")
    base = torch.nn.functional.pixel_shuffle(torch.nn.functional.conv2d(padded, base_weights(scale)), scale)
    assert (base - bicubic(luma, scale)).abs().max() < 1e-6


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("split_groups", [False, True])
def test_onnxruntime_runs_the_file(tmp_path, split_groups):
    import numpy as np

    _, net = networks(4, split_groups)
    file = tmp_path / "step.onnx"
    export(net, SIDES[1], SIDES[0], file)
    assert file.read_bytes().count(b"GridSample") > 2
    if not PEERS.exists():
        pytest.skip("onnxruntime is not installed: run bench/setup.sh")

    step = Step(net)
    frames = torch.rand(3, 1, 1, *SIDES)
    with torch.no_grad():
        past, now = (features(net, step.kept, f) for f in frames[:2])
        expected = step(frames[2], frames[1], *past, *now)
    inputs = {"luma_next": frames[2], "luma": frames[1]}
    inputs.update({f"past.{k}": v for k, v in zip(step.kept, past)})
    inputs.update({f"now.{k}": v for k, v in zip(step.kept, now)})
    np.savez(tmp_path / "in.npz", **{k: v.contiguous().numpy() for k, v in inputs.items()})
    subprocess.run([PEERS, "-c", RUN, file, tmp_path / "in.npz", tmp_path / "out.npz"], check=True)
    results = np.load(tmp_path / "out.npz")
    assert len(results.files) == len(expected)
    for result, tensor in zip(results.values(), expected):
        assert np.abs(result - tensor.numpy()).max() < 1e-4


def test_pans_are_refused(tmp_path, monkeypatch):
    net = following(Net(edvr(2, channels=(8, 8, 8), fuse_blocks=1)))
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "net.pt")
    monkeypatch.setattr(sys, "argv", ["export_onnx", "--checkpoint", str(tmp_path / "net.pt"), "--out", str(tmp_path / "net.onnx")])
    with pytest.raises(SystemExit, match="follows pans"):
        main()
    assert not (tmp_path / "net.onnx").exists()
