"""Pans: how they are found, and networks that follow them."""

import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch

from compress import follow
from compress.data import Batches
from compress.edvr import edvr
from compress.graph import Graph
from compress.net import Net
from compress.optimiser import Optimiser
from compress.pack import SIDE, SQUARE
from compress.pan import MOST, pan, pans
from compress.regrow import narrow_offsets
from compress.train import checkpoint, load


@pytest.fixture
def net():
    torch.manual_seed(1)
    net = Net(edvr(2, channels=(8, 8, 8), offset_channels=(4, 4, 4)))
    for name, value in net.named_parameters():  # offsets begin as zero
        if "offset" in name:
            torch.nn.init.normal_(value, std=0.05)
    return net.eval()


def scene(height, width, seed=0):
    """Texture of squares of 6x6 pixels."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2), np.uint8)
    return cells.repeat(6, 0).repeat(6, 1)[:height, :width]


def view(picture, y, x, height, width):
    return picture[y : y + height, x : x + width]


@pytest.mark.parametrize("moved", [(0, 0), (1, 0), (-1, 2), (15, -15), (-7, 13)])
def test_pan(moved):
    picture, (y, x) = scene(150, 170), moved
    before, frame = view(picture, 20, 20, 100, 120), view(picture, 20 + y, 20 + x, 100, 120)
    assert tuple(pan(frame, before)) == moved


def test_no_pan():
    """Not of small pictures, of a motion that is too fast, or where it explains less than an eighth."""
    picture = scene(200, 300)
    assert tuple(pan(view(picture, 3, 0, 63, 200), view(picture, 0, 0, 63, 200))) == (0, 0)
    assert tuple(pan(view(picture, 3, 0, 64, 200), view(picture, 0, 0, 64, 200))) == (3, 0)
    assert tuple(pan(view(picture, 0, 40, 150, 200), view(picture, 0, 0, 150, 200))) == (0, 0)
    other = scene(200, 300, seed=1)
    mixed = [view(picture, 0, x, 160, 200).copy() for x in (0, 4)]
    for frame, still in zip(mixed, (other, scene(200, 300, seed=2))):
        frame[:, : 200 - 32] = still[:160, : 200 - 32]
    assert tuple(pan(mixed[1], mixed[0])) == (0, 0)


def test_pans_of_a_window():
    picture = scene(200, 300)
    window = np.stack([view(picture, 3 * t, 10 * t, 100, 120) for t in range(5)])
    assert pans(window).tolist() == [[6, MOST], [3, 10], [0, 0], [-3, -10], [-6, -MOST]]


def test_what_does_not_move_stays(net):
    window = torch.rand(2, 3, 70, 72, generator=torch.Generator().manual_seed(2))
    following = follow.following(net)
    with torch.no_grad():
        assert torch.equal(net(window), following(window))
    assert following.graph.macs() > net.graph.macs()
    assert {op.limit for op in following.graph.align if op.op == "deform"} == {follow.LIMIT}


def test_what_the_align_stage_alone_reads_is_made_there(net):
    narrow = narrow_offsets(net, 4, torch.eye(8))
    following = follow.following(narrow)
    assert [op.out for op in following.graph.frame] == [op.out for op in narrow.graph.frame if op.out != "offs"]
    assert {"again_offs", "centre_offs"} < {op.out for op in following.graph.align}
    window = torch.rand(2, 3, 40, 44, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.allclose(narrow(window), following(window), atol=1e-6)


def test_what_moves_is_as_if_it_stood(net):
    """Windows of a camera that turns, each by another pan: what the network makes of them is what it makes of neighbours
    that were shifted, apart from the borders."""
    following, picture = follow.following(net), scene(160, 200)
    steps = [(2, -3), (-5, 7)]
    moving = np.stack([[view(picture, 30 + t * y, 60 + t * x, 96, 100) for t in range(3)] for y, x in steps])
    stood = np.stack([[view(picture, 30 + y, 60 + x, 96, 100)] * 3 for y, x in steps])
    with torch.no_grad():
        result, expected, left = (
            n(torch.from_numpy(w).float() / 255)[:, 90:-90, 90:-90]
            for n, w in ((following, moving), (net, stood), (net, moving))
        )
    assert (result - expected).abs().max() < 1e-4 < (left - expected).abs().max()


def test_batches_are_shifted(tmp_path):
    """What a network that follows is shown: neighbours where the centre is, but for a pixel; and the motion that is left."""
    picture, samples, motions = scene(400, 400), [], []
    squares = SIDE // SQUARE
    for step in (0, 2, 6, 10):
        samples.append([view(picture, 60 + t * step, 100 - t * step, SIDE, SIDE) for t in range(3)])
        motions.append(np.broadcast_to(np.array([[[step], [-step]], [[-step], [step]]]), (2, 2, squares * squares)))
    np.save(tmp_path / "x.npy", np.array(samples))
    known = np.array(motions, np.float16).reshape(4, 2, 2, squares, squares)
    for motion in (known, np.full_like(known, np.nan)):  # told, or found
        np.save(tmp_path / "x.motion.npy", motion)
        for shifted in (True, False):
            batches = Batches(tmp_path / "x.npy", 2, 64, 96, seed=1, follow=shifted)
            low, _ = batches.next()
            still = (low[:, 0] - low[:, 1]).abs().mean((1, 2)) < 0.08
            assert 0.8 < still.float().mean() < 1 if shifted else still.float().mean() < 0.6
            if shifted and motion is known:
                assert batches.motion.abs().max() <= 4 and batches.motion.abs().median() <= 1


def run(net, folder, monkeypatch):
    """The command's arguments, with the network as its checkpoint."""
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=5.0, step=7)
    torch.save(checkpoint(net, **start), folder / "in.pt")
    monkeypatch.setattr(sys, "argv", ["follow", "--float", str(folder / "in.pt"), "--out", str(folder / "out.pt")])


def test_command(net, tmp_path, monkeypatch, capsys):
    run(net, tmp_path, monkeypatch)
    follow.main()
    following, state = load(tmp_path / "out.pt")
    assert state["step"] == 0 and following.graph.follows
    assert following.graph.macs() == pytest.approx(float(capsys.readouterr().out.split()[-4]), abs=0.5)
    Optimiser(following).load_state_dict(state["optimiser"])
    run(following, tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match="follows pans already"):
        follow.main()


def test_luma_alone(net):
    for change in (dict(rgb=True), {}):
        graph = Graph.from_dict({**asdict(net.graph), **change})
        if not change:
            graph.frame[0].unshuffle = 2
        net.graph = graph
        with pytest.raises(ValueError, match="only networks that see luma"):
            follow.following(net)
