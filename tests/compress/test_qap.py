"""QAP: noise grows from the floating-point network to the integer contract; ranges follow; a run resumes."""

import argparse

import pytest
import torch

from compress.qap import NoisyNet, ProgressiveLoss
from compress.quant import QuantNet
from compress.train import load, train


def noisy(net):
    copy = NoisyNet(net.graph)
    copy.load_state_dict(net.state_dict())
    return copy.train()


@pytest.fixture
def window(make_footage):
    return torch.from_numpy(make_footage(3, 16, 16)).float()[None] / 255


def test_all_noise_is_the_contract_and_none_is_smooth(make_net, window):
    net = make_net(2, bits=(4,))
    copy = noisy(net)
    with torch.no_grad():
        exact = net(window)
        assert torch.equal(copy(window), exact)
        copy.noise = 0.0
        smooth = copy(window)
        copy.noise = 0.5
        torch.manual_seed(0)
        halves = [copy(window) for _ in range(2)]
        torch.manual_seed(0)
        assert torch.equal(copy(window), halves[0]) and not torch.equal(*halves)
        error = (smooth - exact).abs().mean()
        assert error > 0 and not torch.equal(halves[0], smooth)
        assert torch.equal(copy.eval()(window), exact)


def test_noise_grows_and_ranges_follow(make_net, window):
    net = noisy(make_net(2))
    loss, seen = ProgressiveLoss(until=0.5, every=2), []
    high, before = torch.full((1, 32, 32), 0.5), net.range_head.clone()
    for done in (0, 0.25, 0.5, 0.9):
        loss(net, window * 0.25, high, done)
        seen.append(net.noise)
        if done == 0:
            assert torch.equal(net.range_head, before)
    assert seen == [0, 0.5, 1, 1]
    assert net.range_head[1] < before[1]
    kept = net.range_head.clone()
    loss.steps = 1
    loss(net, window, high, 0.5)
    assert torch.equal(net.range_head, kept), "ranges are renewed when all of the rounding is there"


class Same:
    """The same batch again and again."""

    def __init__(self, low):
        self.low = low

    def next(self):
        return self.low, self.low[:, 1].repeat_interleave(2, 1).repeat_interleave(2, 2)


def test_resuming_keeps_ranges(tmp_path, make_net, window):
    net = noisy(make_net(2, bits=(6, 4), tops=(255, 15)))
    args = argparse.Namespace(out=tmp_path / "int.pt", steps=4, minutes=None, peak=1e-4, guide=0.0)
    train(net, Same(window), args, ProgressiveLoss(every=2))
    state = torch.load(args.out)
    args.steps = 8
    again = noisy(make_net(2, seed=1, bits=(6, 4), tops=(255, 15)))
    train(again, Same(window), args, ProgressiveLoss(every=100))
    now = torch.load(args.out)
    assert now["step"] == 8 and state["step"] == 4
    assert all(torch.equal(now["net"][n], state["net"][n]) for n in now["net"] if n.startswith(("range_", "clip_")))
    exact, _ = load(args.out, QuantNet)
    assert [(op.bits, op.max) for op in exact.graph.operations()] == [(op.bits, op.max) for op in net.graph.operations()]
