"""The photometric loss knows where things went, and following it teaches the offsets."""

import torch

from compress.alignment import photometric_loss
from compress.net import Net


def drifting(make_footage):
    return torch.from_numpy(make_footage(3, 32, 32)).float()[None] / 255


def set_offsets(net, dy, dx):
    """As if the last forward pass had aligned each neighbour by (dy, dx) pixels of level 0."""
    net.aligned = []
    for sign in (1, -1):
        aligned = {}
        for op in net.graph.align:
            if op.op == "deform":
                level, taps = net.levels[op.out], op.groups * op.kernel**2
                shape = (1, taps, 32 >> level, 32 >> level)
                parts = [torch.full(shape, sign * d / 2**level) for d in (dy, dx)]
                aligned[op.inputs[1]] = torch.cat([*parts, torch.zeros(shape)], 1)
        net.aligned.append(aligned)


def test_true_motion_is_best(make_net, make_footage):
    net = Net(make_net(2).graph)
    window = drifting(make_footage)  # by (1, 2) pixels a frame
    losses = {}
    for motion in ((1, 2), (0, 0), (-1, -2), (2, 1)):
        set_offsets(net, *motion)
        losses[motion] = photometric_loss(net, window).item()
    assert min(losses, key=losses.get) == (1, 2)
    assert losses[1, 2] < 0.6 * losses[0, 0]


def test_offsets_learn(make_net, make_footage):
    net = Net(make_net(2).graph)  # make_net seeds
    window = drifting(make_footage)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    losses = []
    for _ in range(80):
        net(window)
        loss = photometric_loss(net, window)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]
