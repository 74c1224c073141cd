"""What the neighbours are worth, of networks of which that is known."""

import torch

from compress.diagnose import diagnose
from compress.net import Net


def measure(net, footage):
    large = footage.repeat(2, 1).repeat(2, 2)
    return diagnose(net, large, footage, [1])


def test_network_without_neighbours_gains_nothing(make_net, make_footage):
    net = Net(make_net(2).graph)
    footage = make_footage(3, 32, 32)
    temporal, alone, _, _ = measure(net, footage)
    assert temporal != alone
    channels = net.convs["fused"].weight.shape[0]
    with torch.no_grad():
        net.convs["fused"].weight[:, :channels] = 0
        net.convs["fused"].weight[:, 2 * channels :] = 0
    temporal, alone, _, _ = measure(net, footage)
    assert temporal == alone


def test_photometric_error_of_still_offsets(make_net, make_footage):
    net = Net(make_net(2).graph)
    with torch.no_grad():
        for name, conv in net.convs.items():
            if name.startswith("offset"):
                conv.weight.zero_()
    _, _, error, still = measure(net, make_footage(3, 32, 32))
    assert error == still > 0
    with torch.no_grad():
        for name, conv in net.convs.items():
            if name.startswith("offset"):
                conv.bias.fill_(0.7)
    _, _, error, unchanged = measure(net, make_footage(3, 32, 32))
    assert unchanged == still != error
