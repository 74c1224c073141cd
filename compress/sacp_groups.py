"""Which channels of a graph can only go together (SACP).

Found from the operations alone. A *unit* is a smallest set of channels, over all tensors, that must go at once: one
channel of a tensor and what a residual add, an up-sampling, or temporal attention ties to it; for a deformable sample
the channels of one group at all taps with the group's offsets. A *space* is a set of tensors whose units are the same,
such as the trunk of residual blocks.
"""

from dataclasses import dataclass

import numpy as np


def plain(name):
    """The tensor behind `ref.X`, `nbr.X`, `nbr0.X`: names are unique in a graph (net.py)."""
    return name.split(".")[-1]


def deform_ties(op, channels):
    """Channels of the output and the offsets that follow the channels of the feature."""
    feature, offsets = map(plain, op.inputs)
    count, taps = channels[feature], op.kernel**2
    each = np.arange(count)
    yield (op.out, np.arange(taps * count)), (feature, np.tile(each, taps))
    group = each // (count // op.groups)
    for kind_and_tap in range(3 * taps):
        yield (offsets, kind_and_tap * op.groups + group), (feature, each)


def same_ties(op, channels):
    """Channel for channel, all inputs and the output."""
    each = np.arange(op.channels)
    for name in op.inputs:
        yield (op.out, each), (plain(name), each)


def shuffle_ties(op, channels):
    """Four channels to one of twice the size."""
    yield (op.out, np.arange(4 * op.channels) // 4), (plain(op.inputs[0]), np.arange(4 * op.channels))


def attention_ties(op, channels):
    """The two embeddings that are multiplied, and the value with the output."""
    emb, ref, value = map(plain, op.inputs)
    yield (emb, np.arange(channels[emb])), (ref, np.arange(channels[ref]))
    yield (op.out, np.arange(op.channels)), (value, np.arange(op.channels))


TIES = {
    "input": lambda op, channels: (),
    "conv": lambda op, channels: (),
    "head": lambda op, channels: (),
    "add": same_ties,
    "up2": same_ties,
    "follow": same_ties,
    "pool": same_ties,
    "modulate": same_ties,
    "shuffle": shuffle_ties,
    "deform": deform_ties,
    "attention": attention_ties,
}


@dataclass
class Space:
    """Tensors with the same units. `fixed` ones hold the picture, and keep all channels."""

    tensors: list
    units: np.ndarray
    fixed: bool


class Groups:
    """unit[tensor] is the unit of each of its channels; `spaces` partition the units."""

    def __init__(self, graph):
        ops = list(graph.operations())
        for op in ops:
            if op.op not in TIES:
                raise ValueError(f"SACP does not know how channels pass through '{op.op}': add it to sacp_groups.TIES.")
        channels = {op.out: op.channels for op in ops}
        first = dict(zip(channels, np.cumsum([0, *channels.values()])))
        ties = [
            (first[a] + i, first[b] + j, a, b) for op in ops for (a, i), (b, j) in TIES[op.op](op, channels)
        ]  # fmt: skip
        names = {name: i for i, name in enumerate(channels)}
        labels = united(sum(channels.values()), [(i, j) for i, j, _, _ in ties])
        spaces = united(len(channels), [([names[a]], [names[b]]) for _, _, a, b in ties])
        self.unit = {name: labels[first[name] : first[name] + count] for name, count in channels.items()}
        fixed = {op.out for op in ops if op.op in ("input", "head")}
        fixed |= {plain(i) for op in ops if op.op == "head" for i in op.inputs}
        self.spaces = []
        for space in np.unique(spaces):
            tensors = [name for name in channels if spaces[names[name]] == space]
            units = np.unique(np.concatenate([self.unit[name] for name in tensors]))
            self.spaces.append(Space(tensors, units, not fixed.isdisjoint(tensors)))
        self.count = labels.max() + 1

    def kept(self, keep):
        """The channels that stay in each tensor, in order, if `keep` (a boolean for each unit) are kept."""
        return {name: np.flatnonzero(keep[unit]) for name, unit in self.unit.items()}


def united(count, ties):
    """Labels 0, 1, ... of `count` things, equal for those that the pairs of index arrays in `ties` connect."""
    labels = np.arange(count)
    while True:
        before = labels.copy()
        for a, b in ties:
            low = np.minimum(labels[a], labels[b])
            np.minimum.at(labels, a, low)
            np.minimum.at(labels, b, low)
        if (labels == before).all():
            return np.unique(labels, return_inverse=True)[1]
