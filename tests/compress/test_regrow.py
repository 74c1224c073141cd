"""Operations moved from offsets to reconstruction: what is computed stays, as far as its rank allows."""

import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch

from compress import regrow
from compress.edvr import edvr
from compress.graph import Graph, quads
from compress.net import Net
from compress.optimiser import Optimiser
from compress.train import checkpoint, load


@pytest.fixture
def net():
    torch.manual_seed(1)
    net = Net(edvr(2, channels=(16, 8, 8), offset_channels=(8, 4, 4)))
    for name, value in net.named_parameters():  # offsets begin as zero
        if "offset1" in name:
            torch.nn.init.normal_(value, std=0.05)
    return net


def difference(a, b):
    window = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        x, y = a.residual(window), b.residual(window)
    assert x.std() > 1e-3
    return ((x - y).std() / x.std()).item()


def test_narrow_offsets(net):
    """All ranks: the same. Few: nearer than fewer, and what is read is cheaper."""
    off1 = next(op for op in net.graph.align if op.out == "off1")
    rest = net.graph.tensors("align")[off1.inputs[2]].channels
    few, some, full = (regrow.narrow_offsets(net, rank, torch.eye(16)) for rank in (1, 8, 16))
    assert difference(net, full) < 1e-4
    assert 1e-4 < difference(net, some) < difference(net, few)
    read = (quads([16, 16, rest]) - quads([8, 8, rest])) * 4 * 8 * 9 * 2 / 4
    assert net.graph.macs() - some.graph.macs() == pytest.approx(read - 16 * 8 / 4)


def test_what_footage_has_is_kept(net):
    """By second moments, offsets are nearer to what they were than by weights alone, on what they were taken from."""
    net.convs["block0b"].weight.data[:8] *= 6
    windows = [torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(2)) for _ in range(2)]
    moments = regrow.second_moments(net, windows)
    assert moments.shape == (16, 16) and torch.linalg.eigvalsh(moments).min() > -1e-3 * moments.max()

    def error(narrow):
        totals = []
        for network in (net, narrow):
            network.residual(windows[0])
            frames = [network.run("frame", {"luma": windows[0][:, i : i + 1]}) for i in (1, 0)]
            given = {f"{name}.{k}": v for name, frame in zip(("ref", "nbr"), frames) for k, v in frame.items()}
            totals.append(network.run("align", given)["off1"])
        return (totals[0] - totals[1]).square().mean().item()

    with torch.no_grad():
        assert error(regrow.narrow_offsets(net, 4, moments)) < 0.8 * error(regrow.narrow_offsets(net, 4, torch.eye(16)))


def test_wider(net):
    torch.manual_seed(3)
    grown = regrow.widen(net, "recon0a", 4)
    before, after = (next(op for op in n.graph.fuse if op.out == "recon0a").channels for n in (net, grown))
    assert after == before + 4
    assert difference(net, grown) < 1e-6
    # The new channels learn.
    grown.residual(torch.rand(1, 3, 12, 20)).square().sum().backward()
    assert grown.convs["recon0b"].weight.grad[:, before:].abs().max() > 0


@pytest.mark.parametrize(
    "arguments, message",
    (
        ("--rank 0", "off1.*16 channels of each frame.*: 0 of them"),
        ("--rank 17", "off1.*16 channels of each frame.*: 17 of them"),
        ("--rank 4 --wider fused=4", '"fused" is no convolution'),
        ("--rank 4 --wider nothing=4", '"nothing" is no convolution'),
    ),
)
def test_errors(net, arguments, message, tmp_path, monkeypatch):
    run(net, arguments, tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match=message):
        regrow.main()
    assert not (tmp_path / "out.pt").exists()


def test_sparse_is_refused(net):
    for name, change in (("off1", lambda n: regrow.narrow_offsets(n, 4, torch.eye(16))), ("recon0b", lambda n: regrow.widen(n, "recon0a", 4))):
        graph = Graph.from_dict(asdict(net.graph))
        next(op for op in graph.operations() if op.out == name).quads = 1
        with pytest.raises(ValueError, match="is sparse: regrow before compress.dsm"):
            change(Net(graph))


def test_command(net, tmp_path, monkeypatch, capsys):
    run(net, "--rank 4 --wider recon0a=4 recon1a=8", tmp_path, monkeypatch)
    regrow.main()
    grown, state = load(tmp_path / "out.pt")
    assert state["step"] == 0 and grown.graph.macs() == pytest.approx(float(capsys.readouterr().out.split()[-3]), abs=0.5)
    Optimiser(grown).load_state_dict(state["optimiser"])
    # Once is enough.
    run(grown, "--rank 4", tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match='no convolution "off1" reads a feature'):
        regrow.main()
    for text in ("recon0a", "recon0a=x", "recon0a=0"):
        run(net, f"--rank 4 --wider {text}", tmp_path, monkeypatch)
        with pytest.raises(SystemExit):
            regrow.main()
        assert "is not NAME=CHANNELS" in capsys.readouterr().err


def run(net, arguments, folder, monkeypatch):
    """The command's arguments, with the network as its checkpoint."""
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=5.0, step=7)
    torch.save(checkpoint(net, **start), folder / "in.pt")
    np.save(folder / "data.npy", np.random.default_rng(1).integers(0, 256, (20, 3, 160, 160), np.uint8))
    command = ["regrow", "--float", str(folder / "in.pt"), "--data", str(folder / "data.npy"), "--out", str(folder / "out.pt"), *arguments.split()]
    monkeypatch.setattr(sys, "argv", command)
