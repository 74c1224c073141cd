"""DSM: masks on quads of weights, learnt with the weights and annealed to a density.

    python3 -m compress.dsm --float build/x4.pt --density 0.25 --data build/train.npy --out build/x4-sparse.pt \\
        --minutes 60 --teacher build/x4.pt

A quad is what one dot instruction multiplies: one output channel, four channels of one input, one tap. Every quad has a
score. While the masks are learnt, a quad's weights are multiplied by a sigmoid of how far its score lies above a
threshold, which is such that all masks together cost what the schedule allows: multiply-accumulates as executed, so
a quad of full resolution is dearer than one of a quarter. The gradient therefore sets quads of all layers against each
other. The allowance falls from everything to --density, the sigmoid becomes a step, then the masks are fixed and the
weights that are left are fine-tuned. Resumes like compress.train. compress.quantise and compress.export take the result.
"""

import copy
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from .graph import SPARSE_BELOW, Op, quads
from .losses import picture_loss
from .net import Net
from .optimiser import MOMENTUM, Optimiser
from .train import arguments, batches, load, taught, teacher_arguments, train

ANNEALED = 0.6  # the part of the schedule in which masks are learnt
TEMPERATURES = (0.5, 0.02)  # width of the sigmoid at the start and at the end, in standard deviations of the scores
SCORE_RATE = 0.1  # how far a score moves in a step, in temperatures
RANKING_BATCHES = 32


@dataclass
class Layer:
    """A convolution whose quads may be masked, and where they are among all."""

    op: Op
    quads: slice
    shape: torch.Size
    cost: float  # of a quad: multiply-accumulates per output pixel
    whole_cost: float  # of the layer without masks, which computes channels that only pad a quad too


def may_be_sparse(op):
    """Engines skip quads with a stride of 1 only."""
    return op.stride == 1


class MaskedNet(Net):
    """A Net whose quads can be masked, at any time, up to a density of all its multiply-accumulates.

    Subclasses say how: `anneal` is called before each step with the part of the schedule that is done.
    """

    def __init__(self, graph, density, dense=()):
        graph = copy.deepcopy(graph)
        if any(op.quads is not None for op in graph.operations()):
            raise ValueError("the network is sparse already: start from the dense one")
        unknown = set(dense) - {op.out for op, *_ in graph.convolutions()}
        if unknown:
            raise ValueError(f"no convolution is called {', '.join(sorted(unknown))}")
        self.dense_macs, self.density = graph.macs(), density
        costs, whole = {}, {}
        for op, counts, times in graph.convolutions():
            if may_be_sparse(op) and op.out not in dense:
                op.quads = op.channels * quads(counts) * op.kernel**2
                costs[op.out] = 4 * times
                whole[op.out] = 4 * times * 4 * quads([op.channels]) * quads(counts) * op.kernel**2
        super().__init__(graph)
        self.layers, first = {}, 0
        for op in graph.operations():
            if op.out in costs:
                part, shape = slice(first, first + op.quads), self.convs[op.out].mask.shape
                self.layers[op.out] = Layer(op, part, shape, costs[op.out], whole[op.out])
                first += op.quads
        self.register_buffer("cost", self.flat(lambda layer: torch.full(layer.shape, layer.cost)), persistent=False)
        self.fixed_macs = graph.macs() - self.cost.sum().item()
        if self.allowance(density) <= 0:
            raise ValueError(f"density {density}: the layers that stay dense alone are more")
        self.soft, self.effective = None, {}

    def flat(self, of_layer):
        """What a function gives of each layer, as one vector."""
        return torch.cat([of_layer(layer).reshape(-1) for layer in self.layers.values()])

    def of(self, layer, vector):
        return vector[layer.quads].view(layer.shape)

    def allowance(self, density):
        """Multiply-accumulates per output pixel that the maskable layers may cost."""
        return density * self.dense_macs - self.fixed_macs

    def anneal(self, done):
        raise NotImplementedError

    def residual(self, window):
        self.effective = {name: self._effective(layer) for name, layer in self.layers.items()}
        return super().residual(window)

    def _effective(self, layer):
        conv = self.convs[layer.op.out]
        mask = conv.mask if self.soft is None else self.of(layer, self.soft)
        return conv.weight * mask[:, conv.quad]

    def weight(self, op):
        return self.effective[op.out] if op.out in self.effective else super().weight(op)

    def per_quad(self, values):
        """Sums over the channels of each quad, for values like the weights: {name: tensor}, as one vector."""

        def of_layer(layer):
            conv, value = self.convs[layer.op.out], values[layer.op.out]
            return torch.zeros(layer.shape, device=value.device).index_add_(1, conv.quad, value.detach())

        return self.flat(of_layer)

    def magnitudes(self):
        """The norm of each quad's weights."""
        return self.per_quad({name: self.convs[name].weight.square() for name in self.layers}).sqrt()

    def masks(self):
        return self.flat(lambda layer: self.convs[layer.op.out].mask)

    @torch.no_grad()
    def set_masks(self, kept):
        """Fixes the masks. Layers that are kept whole need none."""
        self.soft, self.effective = None, {}
        for name, layer in self.layers.items():
            mask = self.of(layer, kept)
            self.convs[name].mask.copy_(mask)
            layer.op.quads = None if mask.all() else int(mask.sum())

    @torch.no_grad()
    def best(self, worth, density):
        """The quads of most worth that `density` allows: a mask of all. No layer loses all; some are kept whole."""
        whole, allowance = set(), self.allowance(density)
        while True:
            kept = self.affordable(worth, allowance, whole)
            parts = {n: kept[layer.quads].float().mean().item() for n, layer in self.layers.items() if n not in whole}
            fullest = max(parts, key=parts.get, default=None)
            if fullest is None or parts[fullest] < SPARSE_BELOW:
                return kept
            whole.add(fullest)
            if sum(self.layers[name].whole_cost for name in whole) > allowance:
                return kept

    def affordable(self, worth, allowance, whole=()):
        """The quads of most worth within an allowance, after those of the layers that are to be whole."""
        certain = torch.zeros_like(worth, dtype=torch.bool)
        for name, layer in self.layers.items():
            certain[layer.quads.start + worth[layer.quads].argmax()] = True
            if name in whole:
                certain[layer.quads] = True
                allowance -= layer.whole_cost - math.prod(layer.shape) * layer.cost
        order = worth.masked_fill(certain, math.inf).argsort(descending=True)
        kept = torch.zeros_like(certain)
        kept[order] = self.cost[order].double().cumsum(0) <= allowance * (1 + 1e-9)
        return kept


class SoftMasks(torch.autograd.Function):
    """Sigmoids of scores over a threshold, which is such that the masks cost `allowance` in all.

    The gradient is that of the masks with the threshold following, so that what one quad gains others pay.
    """

    @staticmethod
    def forward(ctx, score, cost, allowance, temperature):
        low, high = score.min() - 30 * temperature, score.max() + 30 * temperature
        for _ in range(40):
            middle = (low + high) / 2
            dear = (cost * torch.sigmoid((score - middle) / temperature)).sum() > allowance
            low, high = torch.where(dear, middle, low), torch.where(dear, high, middle)
        mask = torch.sigmoid((score - high) / temperature)
        ctx.save_for_backward(mask, cost)
        ctx.temperature = temperature
        return mask

    @staticmethod
    def backward(ctx, grad):
        mask, cost = ctx.saved_tensors
        slope = mask * (1 - mask) / ctx.temperature
        price = (grad * slope).sum() / (cost * slope).sum().clamp(min=1e-30)
        return slope * (grad - price * cost), None, None, None


def cubic(done, density):
    """The density on the way from 1, fast at first (Zhu and Gupta, 2017); `done` in [0, 1]."""
    return density + (1 - density) * (1 - done) ** 3


class DifferentiableMasks(MaskedNet):
    """Scores are parameters until the masks are fixed."""

    def __init__(self, graph, density, dense=()):
        super().__init__(graph, density, dense)
        self.score = torch.nn.Parameter(torch.zeros_like(self.cost))
        self.register_buffer("fixed", torch.tensor(False))
        self.temperature = TEMPERATURES[0]

    @torch.no_grad()
    def rank(self, importance):
        """Scores from the order of importance per cost, normally distributed: the unit of temperature."""
        order = (importance / self.cost).argsort()
        places = torch.linspace(-1, 1, len(order) + 2, dtype=torch.double)[1:-1]
        self.score[order] = (math.sqrt(2) * torch.erfinv(places)).to(self.score)

    def anneal(self, done):
        if done >= ANNEALED or self.fixed:
            if not self.fixed:
                self._fix()
            return
        self.temperature = TEMPERATURES[0] * (TEMPERATURES[1] / TEMPERATURES[0]) ** (done / ANNEALED)
        allowance = self.allowance(cubic(done / ANNEALED, self.density))
        self.soft = SoftMasks.apply(self.score, self.cost, allowance, self.temperature)

    @torch.no_grad()
    def _fix(self):
        for name, layer in self.layers.items():
            conv = self.convs[name]
            if self.soft is not None:
                conv.weight.mul_(self.of(layer, self.soft)[:, conv.quad])
        self.set_masks(self.best(self.score, self.density))
        self.fixed.fill_(True)

    def load_state_dict(self, state, strict=True):
        result = super().load_state_dict(state, strict)
        if self.fixed:
            self.set_masks(self.masks())
        return result


class MaskOptimiser(Optimiser):
    """Steps the scores as well: by momentum, in units of the temperature and of the gradient's size where masks are
    neither 0 nor 1. (Adam would move those that are, which have next to no gradient, as fast.)"""

    def __init__(self, net, peak):
        super().__init__(net, adam=peak, muon=5 * peak)
        self.net = net
        self.mean = torch.zeros_like(net.score)

    @torch.no_grad()
    def step(self, rate, clip=0.5):
        grad, self.net.score.grad = self.net.score.grad, None
        super().step(rate, clip)
        if grad is not None:
            self.mean.lerp_(grad, 1 - MOMENTUM)
            undecided = (4 * self.net.soft * (1 - self.net.soft)).sum().clamp(min=1)
            size = (self.mean.square().sum() / undecided).sqrt().clamp(min=1e-30)
            self.net.score.sub_(SCORE_RATE * self.net.temperature * (self.mean / size).clamp(-3, 3))

    def state_dict(self):
        return [*super().state_dict(), self.mean]

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.mean.copy_(state[-1])


def importance(net, source, count=RANKING_BATCHES):
    """Of each quad: the mean square of the loss's gradient by its mask, which is the loss's second-order growth
    without it where the network is well trained."""
    net, total = copy.deepcopy(net), torch.zeros_like(net.cost)
    for _ in tqdm(range(count), "importance", leave=False):
        low, high = source.next()
        net.soft = torch.ones_like(total, requires_grad=True)
        (grad,) = torch.autograd.grad(F.mse_loss(net(low), high), net.soft)
        total += grad.square()
    return total / count


def annealed(loss_of=None):
    """A loss for train() that moves the masks on first; the picture's if `loss_of` is None."""

    def masked_loss(net, low, high, done):
        net.anneal(done)
        return loss_of(net, low, high, done) if loss_of else picture_loss(net(low), high)

    return masked_loss


def main():
    parser = arguments(__doc__.splitlines()[0], peak=1e-3, guide=0.0)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of a dense network")
    parser.add_argument("--density", type=float, required=True, help="of all multiply-accumulates, what is to be left")
    parser.add_argument("--dense", nargs="*", default=[], help="layers that are to stay dense, by name")
    teacher_arguments(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    source_net, state = load(args.float)
    fields = {"kept": state["kept"]} if "kept" in state else {}
    try:
        net = DifferentiableMasks(source_net.graph, args.density, args.dense)
    except ValueError as error:
        sys.exit(f"{args.float}: {error}")
    net.load_state_dict(source_net.state_dict(), strict=False)
    net.to(args.device, memory_format=torch.channels_last)
    source = batches(args, net.graph)
    if not args.out.exists():
        net.rank(importance(net, source))
    loss_of = annealed(taught(args, net, **fields))
    train(net, source, args, loss_of, MaskOptimiser(net, args.peak), **fields)
    print(f"{args.out}: {net.graph.macs():.0f} of {net.dense_macs:.0f} MACs per output pixel")
    for layer in net.layers.values():
        total = math.prod(layer.shape)
        print(f"{layer.op.out:>10} {100 * (layer.op.quads or total) / total:4.0f} % of {total} quads")


if __name__ == "__main__":
    main()
