"""Which units go for a budget, and the network without them (SACP).

Units go by whole quads of channels, the smallest steps that the engine saves anything by: each time those of the space
where the importance lost is least for what is saved. At the end quads come back, those that fit and those that are worth
more than what must go for them.
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

    def price(self, before, after):
        """What a removal loses for what it saves."""
        return max(self.loss(after) - self.loss(before), 0) / (self.cost(before) - self.cost(after))

    def reduced(self, keep, budget, frozen=None):
        """`keep` within the budget by removals at the lowest price, in all spaces but `frozen`; or None. The last
        removal may be any that is enough, the price of what is saved beyond the budget does not count."""
        best = None
        while self.cost(keep) > budget:
            removals = [after for space, after in self.steps(keep) if space != frozen]
            if not removals:
                return best
            enough = [after for after in removals if self.cost(after) <= budget]
            best = min(enough if best is None else [best, *enough], key=self.loss, default=None)
            keep = min(removals, key=lambda after: self.price(keep, after))
        return keep if best is None else best

    def run(self, budget):
        """Removes until the budget is kept, then takes back quads, at the expense of others if it must be, while that
        gains."""
        keep = self.reduced(self.keep, budget)
        while keep is not None:
            self.keep = keep
            others = [self.reduced(after, budget, space) for space, after in self.steps(keep, back=True)]
            best = min((other for other in others if other is not None), key=self.loss, default=keep)
            if self.loss(best) >= self.loss(keep):
                return keep
            keep = best
        raise ValueError(f"A network of one quad in each tensor costs more than {budget:.0f}.")


class Uniform(Selection):
    """The same part of every space goes, as near as quads allow; the importance only chooses within a space."""

    def part(self, space, keep):
        return keep[self.spaces[space].units].mean()

    def run(self, budget):
        while self.cost(self.keep) > budget:
            removals = self.steps(self.keep)
            if not removals:
                raise ValueError(f"A network of one quad in each tensor costs more than {budget:.0f}.")
            self.keep = max(removals, key=lambda r: (self.part(r[0], self.keep), -self.cost(r[1])))[1]
        while ends := [end for end in self.steps(self.keep, back=True) if self.cost(end[1]) <= budget]:
            self.keep = min(ends, key=lambda e: self.part(e[0], self.keep))[1]
        return self.keep


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
