"""The loss of motion knows where things went, and following it teaches the offsets."""

import pytest
import torch

from compress.alignment import motion_loss
from compress.edvr import edvr
from compress.net import Net

MOTION = (2.0, 4.0)  # of the large picture, a frame


def drifting(make_footage):
    return torch.from_numpy(make_footage(3, 32, 32)).float()[None] / 255  # by (1, 2) pixels a frame


def true_motion():
    """Of drifting footage enlarged twice: up and left into the past."""
    motion = torch.tensor(MOTION).view(1, 1, 2, 1, 1).expand(1, 2, 2, 8, 8)
    return motion * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1, 1)


def set_offsets(net, dy, dx, spread=0.0):
    """As if the last forward pass had aligned each neighbour by (dy, dx) small pixels, taps spread around."""
    net.aligned = []
    for sign in (1, -1):
        aligned, done = {}, False
        for op in net.graph.align:
            if op.op == "deform":
                level, taps = net.levels[op.out], op.groups * op.kernel**2
                shape = (1, taps, 32 >> level, 32 >> level)
                around = torch.linspace(-spread, spread, taps).view(1, -1, 1, 1)
                scale = 0 if op.inputs[0].startswith("dcn") or op.inputs[0].startswith("merged") else sign / 2**level
                parts = [torch.full(shape, scale * d) + around for d in (dy, dx)]
                aligned[op.inputs[1]] = torch.cat([*parts, torch.zeros(shape)], 1)
        net.aligned.append(aligned)


@pytest.mark.parametrize("cascade", (False, True))
def test_true_motion_is_best(cascade):
    net = Net(edvr(2, channels=(8, 8, 8), offset_channels=(4, 8, 8), cascade=cascade))
    losses = {}
    for motion in ((1, 2), (0, 0), (-1, -2), (2, 1)):
        set_offsets(net, *motion)
        losses[motion] = motion_loss(net, true_motion()).item()
    assert losses[1, 2] == pytest.approx(0, abs=1e-6) and min(losses[m] for m in losses if m != (1, 2)) > 0.1
    set_offsets(net, 1, 2, spread=3)
    assert motion_loss(net, true_motion()).item() == pytest.approx(0, abs=1e-6)


def test_a_cascade_is_led_to_what_is_left():
    net = Net(edvr(2, channels=(8, 8, 8), offset_channels=(4, 8, 8), cascade=True))
    set_offsets(net, 0, 0)
    short = motion_loss(net, true_motion()).item()
    for sign, aligned in zip((1, -1), net.aligned):
        aligned["offset0"][:, :2] += sign
        aligned["offset0"][:, 2:4] += 2 * sign
    assert motion_loss(net, true_motion()).item() < short


def test_unknown_motion_counts_nothing(make_net):
    net = Net(make_net(2).graph)
    set_offsets(net, 5, 5)
    motion = true_motion().clone()
    half = motion_loss(net, motion).item()
    motion[:, :, :, 4:] = float("nan")
    assert 0 < motion_loss(net, motion).item() < half
    assert motion_loss(net, torch.full_like(motion, float("nan"))).item() == 0


def test_offsets_learn(make_net, make_footage):
    net = Net(make_net(2).graph)  # make_net seeds
    window, motion = drifting(make_footage), true_motion()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    losses = []
    for _ in range(80):
        net(window)
        loss = motion_loss(net, motion)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
