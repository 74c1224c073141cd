"""Which units go for a budget, and the network without them (SACP).

Units go by whole quads of channels, the smallest steps that the engine saves anything by: each time those of the space
where the importance lost is least for what is saved. At the end what still fits comes back, and quads of two spaces
are exchanged while that gains.
"""

from dataclasses import replace

import numpy as np
import torch

from .graph import STAGES, Graph
from .net import Net
from .sacp_groups import Groups, plain

QUAD = 4


def channels(graph):
    """Channels that convolutions make, but for offsets and the residual: the other cost beside Graph.macs."""
    return sum(op.channels for op in graph.operations() if op.op == "conv" and not op.wide)


def shrunk(graph, kept):
    """The graph with only the channels `kept` of each tensor."""

    def op_of(op):
        groups = len(kept[plain(op.inputs[1])]) // (3 * op.kernel**2) if op.op == "deform" else op.groups
        return replace(op, inputs=list(op.inputs), channels=len(kept[op.out]), groups=groups)

    return replace(graph, **{stage: [op_of(op) for op in getattr(graph, stage)] for stage in STAGES})


class Selection:
    """`keep`, a boolean for each unit of `graph`, worked down to a budget of `cost` (a function of a Graph)."""

    def __init__(self, graph, groups, importance, cost=Graph.macs):
        self.graph, self.groups, self.importance = graph, groups, importance
        self.cost_of, self.known = cost, {}
        self.keep = np.ones(groups.count, bool)
        self.spaces = [s for s in groups.spaces if not s.fixed]
        # Channels of each unit in each tensor that is read in quads: offsets are not.
        wide = {op.out for op in graph.operations() if op.wide}
        self.sizes = [
            np.array([[(groups.unit[t] == u).sum() for u in s.units] for t in s.tensors if t not in wide])
            for s in self.spaces
        ]  # fmt: skip

    def cost(self, keep):
        counts = tuple(keep[s.units].sum() for s in self.spaces)
        if counts not in self.known:
            self.known[counts] = self.cost_of(shrunk(self.graph, self.groups.kept(keep)))
        return self.known[counts]

    def loss(self, keep):
        return self.importance[~keep].sum()

    def whole(self, space, keep):
        """Whether what is kept of a space fills quads, at least one."""
        kept = self.sizes[space] @ keep[self.spaces[space].units]
        return (kept % QUAD == 0).all() and kept.all()

    def step(self, space, keep, back=False):
        """`keep` with the least important quad of a space gone, or with the most important missing one `back`; or
        None."""
        keep, units = keep.copy(), self.spaces[space].units
        candidates = units[keep[units] != back]
        for unit in candidates[np.argsort(-self.importance[candidates] if back else self.importance[candidates])]:
            keep[unit] = back
            if self.whole(space, keep) or (back and keep[units].all()):
                return keep
        return None

    def steps(self, keep, back=False):
        """(space, keep) of every step that there is."""
        made = ((space, self.step(space, keep, back)) for space in range(len(self.spaces)))
        return [(space, after) for space, after in made if after is not None]

    def price(self, space, after):
        """What a removal loses for what it saves."""
        return max(self.loss(after) - self.loss(self.keep), 0) / (self.cost(self.keep) - self.cost(after))

    def run(self, budget):
        while self.cost(self.keep) > budget:
            removals = self.steps(self.keep)
            if not removals:
                raise ValueError(f"The smallest network costs {self.cost(self.keep):.0f}, more than {budget:.0f}.")
            self.keep = min(removals, key=lambda r: (self.price(*r), r[0]))[1]
        self.fill(budget)
        return self.keep

    def fill(self, budget):
        """Takes back what fits and exchanges quads, while the loss falls."""
        while True:
            starts = [self.keep] + [after for _, after in self.steps(self.keep)]
            ends = [after for start in starts for _, after in self.steps(start, back=True)]
            best = min((end for end in ends if self.cost(end) <= budget), key=self.loss, default=self.keep)
            if self.loss(best) >= self.loss(self.keep):
                return
            self.keep = best


class Uniform(Selection):
    """The same part of every space goes, as near as quads allow; the importance only chooses within a space."""

    def price(self, space, after):
        return -self.keep[self.spaces[space].units].mean(), self.cost(after)

    def fill(self, budget):
        """Takes back what fits, the thinnest spaces first."""
        while ends := [end for end in self.steps(self.keep, back=True) if self.cost(end[1]) <= budget]:
            self.keep = min(ends, key=lambda e: (self.keep[self.spaces[e[0]].units].mean(), e[0]))[1]


@torch.no_grad()
def prune(net, keep, groups=None, means=None):
    """(the network with only the units in `keep`, the channels kept of each tensor). Closed gates of Gated, with the
    same `means`, give the same pictures."""
    groups = groups or Groups(net.graph)
    kept = groups.kept(keep)
    small = Net(shrunk(net.graph, kept)).to(next(net.parameters()))
    for op in net.graph.operations():
        if op.op == "conv":
            source, target = net.convs[op.out], small.convs[op.out]
            read = np.concatenate([groups.unit[plain(i)] for i in op.inputs])
            rows, columns = torch.from_numpy(kept[op.out]), torch.from_numpy(np.flatnonzero(keep[read]))
            bias = source.bias
            if means:
                bias = bias + source.weight.sum((2, 3)) @ (means[op.out] * torch.from_numpy(~keep[read]).to(bias))
            target.weight.copy_(source.weight[rows][:, columns])
            target.bias.copy_(bias[rows])
    return small, kept
