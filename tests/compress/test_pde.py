"""PDE: sensitivities are what rounding does, and budgets are spent where they matter."""

import itertools
from dataclasses import asdict

import numpy as np
import pytest
import torch

from compress.ablation.pde import uniform
from compress.graph import Graph
from compress.net import Net
from compress.pde import Sensitivity, added_error, assign, average_bits, choose, formats, hessian_traces, rank_correlation, work


@pytest.fixture
def windows(make_footage):
    return [torch.from_numpy(make_footage(3, 16, 16, s)).float()[None] / 255 for s in range(12)]


def test_assign_is_the_best_of_all_choices():
    rng = np.random.default_rng(0)
    for _ in range(10):
        costs = {n: int(rng.integers(1, 50)) for n in "abcde"}
        losses = {n: dict(zip((8, 6, 4), sorted(rng.exponential(size=3)))) for n in "abcde"}
        average = rng.uniform(4.2, 7.8)
        chosen = assign(costs, losses, average)
        assert average_bits(costs, chosen) <= average
        every = (dict(zip("abcde", bits)) for bits in itertools.product((8, 6, 4), repeat=5))
        sums = [sum(losses[n][b] for n, b in c.items()) for c in every if average_bits(costs, c) <= average]
        assert sum(losses[n][b] for n, b in chosen.items()) == pytest.approx(min(sums))
    with pytest.raises(ValueError):
        assign(costs, losses, 3.9)


def test_sensitivity_is_what_rounding_adds(make_net, windows):
    net = make_net(2)
    sensitivity = Sensitivity(net, windows[:4]).measure(windows * 6)
    plain, added = Net(net.graph), []
    plain.load_state_dict(net.state_dict(), strict=False)
    low = torch.cat(windows)
    with torch.no_grad():
        picture = plain(low)
        for name, errors in sensitivity.errors.items():
            plain.convs[name].weight.add_(errors[6])
            added.append((plain(low) - picture).square().mean().item())
            plain.convs[name].weight.sub_(errors[6])
    estimated = [sensitivity.weights[name][6] for name in sensitivity.errors]
    assert rank_correlation(estimated, added) > 0.9
    assert 0.5 < sum(estimated) / sum(added) < 2
    assert all(e[4] > e[8] for e in sensitivity.weights.values())


def test_a_sensitive_layer_gets_more_bits(make_net, windows):
    """Two equal layers in a row, but what comes out of one of them is hardly used."""
    net = make_net(2, fuse_blocks=2)
    with torch.no_grad():
        for name in ("recon0b", "recon1b"):
            net.convs[name].weight.normal_(std=0.1)
        net.convs["recon0b"].weight.mul_(1e-2)
    sensitivity = Sensitivity(net, windows[:4]).measure(windows)
    assert sensitivity.weights["recon1a"][4] > 50 * sensitivity.weights["recon0a"][4]
    averages = choose(net, sensitivity, 5.5, 6.5)
    bits = {op.out: op.bits for op in net.graph.operations()}
    assert bits["recon1a"] > bits["recon0a"]
    assert averages[0] <= 5.5 and 5 < averages[0] and averages[2] <= 6.5
    tops = {op.out: op.max for op in net.graph.operations() if op.out in formats(net.graph)}
    assert {15, 255} == set(tops.values())
    assert Graph.from_dict(asdict(net.graph)) == net.graph
    assert all(op.max == 255 for op in net.graph.operations() if op.wide)


@pytest.mark.parametrize("budgets", [(8, 8), (4, 8), (6, 5)])
def test_added_error_is_that_of_the_picture(make_net, windows, budgets):
    net = make_net(2)
    sensitivity = Sensitivity(net, windows[:4]).measure(windows * 4)
    choose(net, sensitivity, *budgets)
    plain, low = Net(net.graph), torch.cat(windows)
    plain.load_state_dict(net.state_dict(), strict=False)
    with torch.no_grad():
        added = (net(low) - plain(low)).square().mean().item()
    assert 0.5 < added_error(net.graph, sensitivity) / added < 2


def test_uniform_bits_spare_the_residual(make_net, windows):
    net = make_net(2)
    uniform(net, net.observe(windows[:2]), 4, 4)
    assert {op.out: op.bits for op in net.graph.operations() if op.bits != 4} == {"residual": 8}
    assert all(op.max == 15 for op in net.graph.operations())


def test_formats_are_inherited(make_net):
    owner = formats(make_net(2).graph)
    assert owner["sampled1"].out == "block0" and owner["alignedup1"].out == owner["merged2"].out == "merged2"
    assert owner["att1"].out == "merged1" and "offset1" not in owner and "x" not in owner


def test_what_inherits_a_format_counts_by_its_own_steps(make_net, windows):
    net = make_net(2)
    sensitivity = Sensitivity(net, windows[:4]).measure(windows)
    owner = sensitivity.owner["att0"].out
    (scale, *_), (coarse, *_) = sensitivity.grids["att0"][8], sensitivity.grids[owner][8]
    assert scale == pytest.approx(coarse * net.get_buffer("gate_att0").item()) and scale < coarse
    before = sensitivity.outputs[owner][4]
    for out in ("att0", "att1"):
        sensitivity.grids[out][4] = 1e-6, 0, 1e9  # next to exact
    assert sensitivity.measure(windows).outputs[owner][4] < 0.9 * before


def test_work(make_net):
    graph = make_net(2).graph
    weights, macs, values = work(graph)
    assert weights["down3"] == 8 * 12 * 9
    pixels = 4096 * graph.scale**2
    assert sum(macs.values()) / pixels == pytest.approx(graph.macs(), rel=0.01)
    assert values["block0"] == 4096 * 8 and values["off2"] == 2 * 1024 * 8 and "residual" not in values


def test_hessian_of_a_square():
    """The trace for a network whose output is linear in one layer is known: twice the mean square of its inputs."""
    torch.manual_seed(0)

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = torch.nn.ModuleDict(dict(a=torch.nn.Conv2d(1, 1, 3)))

        def forward(self, low):
            return self.convs["a"](low)

    low = torch.randn(1, 1, 40, 40)
    expected = 2 * torch.nn.functional.unfold(low, 3).square().mean().item() * 9
    trace = hessian_traces(Linear(), low, torch.zeros(1, 1, 38, 38), probes=100)["a"]
    assert trace == pytest.approx(expected, rel=0.15)
