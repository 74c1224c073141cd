"""How much the loss rises when a channel goes (SACP).

The loss is written as a function of gates that multiply the channels, one for each unit (sacp_groups.py), and expanded
to second order about 1: Optimal Brain Damage (LeCun et al., 1989) on channel gates, as in Molchanov et al., "Importance
estimation for neural network pruning" (2019). Closing gate i changes the loss by

    dL_i = - dL/dg_i + 1/2 d2L/dg_i^2

with the Gauss-Newton second derivative, which for the mean square error is the Fisher information of a Gaussian: with P
pixels and e a picture of white noise it is 2/P E[v_i^2], v = d(e . network(g))/dg. Two backward passes a batch give
both for all gates, each summed over all that is tied before it is squared. (The products v_i v_j would give the whole
matrix, and so what two channels cost together; from a few hundred pictures it chooses no better, docs/compression.md.)

Gates stand where a channel is read: at the inputs of convolutions, and at one of attention's two embeddings. They
close to the channel's mean there and not to zero, as the mean can be had for nothing in the convolution's bias.
"""

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from .net import Net
from .sacp_groups import plain


class Gated(Net):
    """A network with `gates`, (batch or 1, units), open at first; they close to `means`, zero at first."""

    def __init__(self, graph, groups):
        super().__init__(graph)
        convs = [op for op in graph.operations() if op.op == "conv"]
        self.read = {op.out: np.concatenate([groups.unit[plain(i)] for i in op.inputs]) for op in convs}
        self.embedded = {op.out: groups.unit[plain(op.inputs[0])] for op in graph.fuse if op.op == "attention"}
        self.means = {name: torch.zeros(len(units)) for name, units in self.read.items()}
        self.gates = torch.ones(1, groups.count)

    def gate(self, units):
        return self.gates[:, units].view(len(self.gates), -1, 1, 1)

    def op_conv(self, op, inputs):
        x = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
        gate, mean = self.gate(self.read[op.out]), self.means[op.out].to(x).view(1, -1, 1, 1)
        return super().op_conv(op, [mean + gate * (x - mean)])

    def op_attention(self, op, inputs):
        emb, ref, value = inputs
        return super().op_attention(op, [emb * self.gate(self.embedded[op.out]), ref, value])


def gated(net, groups):
    """A copy of `net` with gates."""
    weight = next(net.parameters())
    copy = Gated(net.graph, groups).to(weight.device, weight.dtype, memory_format=torch.channels_last)
    copy.load_state_dict(net.state_dict())
    copy.gates = copy.gates.to(weight)
    return copy.requires_grad_(False)


@torch.no_grad()
def input_means(net, windows):
    """The mean of each input channel of each convolution of the Gated `net` over `windows`."""
    seen = {name: [] for name in net.read}

    def observed(op, inputs, op_conv=net.op_conv):
        seen[op.out].append(torch.cat([x.mean((0, 2, 3)) for x in inputs]))
        return op_conv(op, inputs)

    net.op_conv = observed
    for window in windows:
        net(window)
    del net.op_conv
    return {name: torch.stack(means).mean(0) for name, means in seen.items()}


def taylor(net, pairs, seed=0, progress=True):
    """The two terms of dL for each unit of the Gated `net`, from a list of (low, high) batches."""
    generator = torch.Generator().manual_seed(seed)
    units = net.gates.shape[1]
    slope, squares = torch.zeros(2, units, dtype=torch.double)
    for low, high in tqdm(pairs, "importance", disable=not progress, leave=False):
        net.gates = torch.ones(len(low), units, dtype=low.dtype, device=low.device, requires_grad=True)
        picture = net(low)
        (of_loss,) = torch.autograd.grad(F.mse_loss(picture, high), net.gates, retain_graph=True)
        noise = torch.randn(high.shape, generator=generator).to(high)
        (of_noise,) = torch.autograd.grad((picture * noise).sum(), net.gates)
        slope += of_loss.sum(0).double().cpu()
        squares += of_noise.double().square().mean(0).cpu()
    net.gates = torch.ones_like(net.gates[:1]).detach()
    return -slope.numpy() / len(pairs), squares.numpy() / (len(pairs) * high[0].numel())


def magnitude(net, groups):
    """The usual rule: the squares of the weights that make a unit's channels, in each layer in parts of the layer's
    mean, and the mean over the layers that are tied."""
    total, layers = np.zeros(groups.count), np.zeros(groups.count)
    for op in net.graph.operations():
        if op.op == "conv" and not op.wide:
            squares = net.convs[op.out].weight.detach().square().mean((1, 2, 3)).cpu().numpy()
            total += np.bincount(groups.unit[op.out], squares / squares.mean(), groups.count)
            layers += np.bincount(groups.unit[op.out], minlength=groups.count) > 0
    return total / np.maximum(layers, 1)
