"""Distillation: a network learns from the pictures and features of the larger one that it was cut from."""

import torch

from .losses import DECAY, charbonnier, picture_loss

OUTPUT, FEATURES = 0.5, 0.01


def distilled(graph):
    """The features that are compared, as the fuse stage names them: what comes in aligned, what is fused of it, and
    what the residual is made from."""
    makers = {op.out: op for op in graph.fuse}
    residual = makers[next(op for op in graph.fuse if op.op == "head").inputs[0]]
    embeddings = {op.inputs[0] for op in graph.fuse if op.op == "attention"}
    read = [i for op in graph.fuse for i in op.inputs if i.startswith("nbr") and i not in embeddings]
    fused = [op.out for op in graph.fuse if op.op == "conv" and len(op.inputs) > 1]
    return list(dict.fromkeys([*read, *fused, *residual.inputs]))


def floats(x):
    """A tensor as it is, or a Quantised one (quant.py) in floating point."""
    return x if isinstance(x, torch.Tensor) else (x.q - x.zero) * x.scale


class Distillation:
    """A loss for train(): `truth` times that of the true picture, plus `output` times the distance of the teacher's, plus
    `features` times the difference of features in parts of the teacher's variance.

    Features fade out until the learning rate falls: a pruned network has better uses for its channels than to copy.
    `kept` are the teacher's channels that the network has in each tensor (compress.sacp); without them only features
    of equal size are compared.
    """

    def __init__(self, teacher, graph, kept=None, truth=1.0, output=OUTPUT, features=FEATURES):
        self.teacher = teacher.eval().requires_grad_(False)
        self.truth, self.output, self.features = truth, output, features
        ours, theirs = (g.tensors("fuse") for g in (graph, teacher.graph))
        self.channels = {}
        for name in distilled(graph):
            plain = name.split(".")[-1]
            if kept and plain in kept:
                self.channels[name] = torch.as_tensor(kept[plain])
            elif name in theirs and theirs[name].channels == ours[name].channels:
                self.channels[name] = slice(None)

    def __call__(self, net, low, high, done):
        picture = net(low)
        with torch.no_grad():
            target = self.teacher(low)
        loss = self.truth * picture_loss(picture, high) + self.output * charbonnier(picture, target)
        weight = self.features * max(0.0, 1 - done / DECAY)
        if weight and self.channels:
            loss = loss + weight * self.difference(net)
        return loss

    def difference(self, net):
        """Of the features of the last forward pass, the mean over tensors."""
        total = 0.0
        for name, channels in self.channels.items():
            theirs = self.teacher.fused[name][:, channels]
            spread = theirs.var((0, 2, 3), unbiased=False).mean()
            total = total + (floats(net.fused[name]) - theirs).square().mean() / (spread + 1e-8)
        return total / len(self.channels)
