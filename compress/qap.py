"""QAP: quantisation noise that grows while a network trains, from nothing to the whole integer contract.

Every rounding of the contract (weights, biases, sums, samples, gates) happens to a random part of the values, drawn
anew at each step (Fan et al., 2020, "Training with quantization noise"); the others pass as they are, with true
gradients. The part grows linearly until it is everything. Until then ranges can follow the network, chosen anew from the
last batches, periodically; it does not pay (docs/compression.md).
"""

from collections import deque

import torch

from .losses import picture_loss
from .quant import QuantNet

PROGRESS = 0.5  # of the schedule, in which the part grows to everything
RECALIBRATION_BATCHES = 4


class NoisyNet(QuantNet):
    """`QuantNet` that rounds only a random part `noise` of its values while it trains."""

    noise = 1.0

    def exactly(self, linear, exact):
        if self.noise >= 1 or not self.training:
            return super().exactly(linear, exact)
        chosen = torch.rand_like(linear) < self.noise
        return linear + ((exact - linear) * chosen).detach()


class ProgressiveLoss:
    """A loss for train(): `loss_of` as there, with a NoisyNet's noise raised to everything in the part `until` of the
    schedule, and its ranges renewed each `every` steps till then (0: not)."""

    def __init__(self, until=PROGRESS, loss_of=None, every=0):
        self.until, self.loss_of, self.every = until, loss_of, every
        self.steps, self.recent = 0, deque(maxlen=RECALIBRATION_BATCHES)

    def __call__(self, net, low, high, done):
        self.recent.append(low)
        self.steps += 1
        if self.every and self.steps % self.every == 0 and done < self.until:
            net.calibrate(self.recent)
        net.noise = min(1.0, done / self.until) if self.until else 1.0
        return self.loss_of(net, low, high, done) if self.loss_of else picture_loss(net(low), high)
