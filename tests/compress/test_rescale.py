"""A network of a smaller scale: at first, means of the larger one's residual."""

import sys

import pytest
import torch
import torch.nn.functional as F

from compress import rescale
from compress.edvr import edvr
from compress.net import Net
from compress.optimiser import Optimiser
from compress.train import checkpoint, load


def make(**sizes):
    torch.manual_seed(1)
    return Net(edvr(4, channels=(8, 8, 8), offset_channels=(4, 4, 4), **sizes))


@pytest.mark.parametrize("sizes", ({}, {"cascade": True}, {"unshuffle": 2}))
def test_residual_is_the_mean_of_what_it_replaces(sizes):
    large, window = make(**sizes), torch.rand(2, 3, 12, 20)
    small = rescale.rescale(large, 2)
    with torch.no_grad():
        expected, result = F.avg_pool2d(large.residual(window), 2), small.residual(window)
    assert small.graph.scale == 2
    assert expected.std() > 1e-3
    assert torch.allclose(result, expected, atol=1e-5)


def test_sparse_outputs_keep_what_one_of_them_keeps():
    graph, window = make().graph, torch.rand(2, 3, 12, 20)
    op = next(op for op in graph.fuse if op.out == "residual")
    op.quads = 1  # of a number that the mask says
    large = Net(graph)
    kept = large.convs["residual"].mask
    kept.copy_(torch.rand(kept.shape) < 0.2)
    op.quads = int(kept.sum())
    small = rescale.rescale(large, 2)
    with torch.no_grad():
        assert torch.allclose(small.residual(window), F.avg_pool2d(large.residual(window), 2), atol=1e-5)
    mask = small.convs["residual"].mask
    assert next(op for op in small.graph.fuse if op.out == "residual").quads == mask.sum() < mask.numel()
    assert not small.convs["residual"].weight[~mask[:, small.convs["residual"].quad]].any()


def test_command(tmp_path, monkeypatch):
    net, source, out = make(), tmp_path / "x4.pt", tmp_path / "x2.pt"
    start = dict(average=net.state_dict(), optimiser=Optimiser(net).state_dict(), seconds=5.0, step=7)
    torch.save(checkpoint(net, **start), source)

    def run(scale):
        monkeypatch.setattr(sys, "argv", ["rescale", "--float", str(source), "--scale", str(scale), "--out", str(out)])
        rescale.main()

    run(2)
    small, state = load(out)
    assert small.graph.scale == 2 and state["step"] == 0
    Optimiser(small).load_state_dict(state["optimiser"])
    for scale in (3, 1, 8):
        with pytest.raises(SystemExit, match=f"enlarges x4: no network of x{scale}"):
            run(scale)
