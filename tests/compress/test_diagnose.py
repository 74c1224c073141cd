"""What the neighbours are worth, of networks of which that is known."""

import pytest
import torch

from compress.diagnose import diagnose, following, rigid
from compress.net import Net


def measure_large(make_footage):
    return make_footage(1, 80, 120).repeat(2, 1).repeat(2, 2)[0]


def measure(net, footage):
    large = footage.repeat(2, 1).repeat(2, 2)
    return diagnose(net, large, footage, [1])


def test_network_without_neighbours_gains_nothing(make_net, make_footage):
    net = Net(make_net(2).graph)
    footage = make_footage(3, 32, 32)
    temporal, alone = measure(net, footage)
    assert temporal != alone
    channels = net.convs["fused"].weight.shape[0]
    with torch.no_grad():
        net.convs["fused"].weight[:, :channels] = 0
        net.convs["fused"].weight[:, 2 * channels :] = 0
    temporal, alone = measure(net, footage)
    assert temporal == alone


def test_rigid_motion_is_worth_what_neighbours_are(make_net, make_footage):
    net = Net(make_net(2).graph)
    large = measure_large(make_footage)
    assert rigid(net, large, (0, 0)) != 0, "by whole small pixels, or not at all: nothing new is seen"
    assert rigid(net, large, (1, 3)) != 0
    channels = net.convs["fused"].weight.shape[0]
    with torch.no_grad():
        net.convs["fused"].weight[:, :channels] = 0
        net.convs["fused"].weight[:, 2 * channels :] = 0
    assert rigid(net, large, (1, 3)) == 0


class Follower:
    """Searches the whole pixel by which the first frame differs from the centre, and samples there."""

    def __init__(self, graph):
        self.graph = graph
        (*_, self.deform) = [op for op in graph.align if op.op == "deform"]
        self.levels = {op.out: 0 if op is self.deform else 1 for op in graph.align}

    def __call__(self, window):
        first, centre = window[0, 0], window[0, 1]
        errors = {d: (first.roll(-d, 1) - centre)[:, 4:-4].abs().mean().item() for d in range(-3, 4)}
        offset = float(min(errors, key=errors.get))
        channels = 3 * self.deform.groups * self.deform.kernel**2
        self.aligned = [{self.deform.inputs[1]: torch.full((1, channels, *first.shape), offset)}]


def test_following(make_net, make_footage):
    large = measure_large(make_footage)
    follower = Follower(make_net(2).graph)
    assert [following(follower, large, m) for m in (1, 2, 3)] == pytest.approx([1, 1, 1])
    follower = Net(follower.graph)
    with torch.no_grad():
        for name, conv in follower.convs.items():
            if name.startswith("offset"):
                conv.weight.zero_()
    assert following(follower, large, 1) == 0
