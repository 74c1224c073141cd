"""Muon (Jordan et al., 2024) for the weights of convolutions, Adam for the rest.

Muon's step is the nearest orthogonal matrix to the gradient's running mean, by Newton-Schulz iterations; a base of 32
channels learnt as much in 350 steps as by Adam alone in 570 (one run each, at the start). Adam keeps what Muon does not suit: biases, the first
convolution, and the last ones of each path (offsets, embeddings, residual).
"""

import torch

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonal(matrices):
    """The nearest (semi-)orthogonal matrices to (count, rows, columns), roughly: singular values near 1."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-12)
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Weights of one shape, as matrices of (outputs, inputs * taps), are stepped together."""

    def __init__(self, weights, lr):
        super().__init__(weights, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        shapes = {}
        for group in self.param_groups:
            for p in group["params"]:
                shapes.setdefault((group["lr"], p.shape[0], p[0].numel()), []).append(p)
        for (lr, rows, columns), weights in shapes.items():
            for p in weights:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - MOMENTUM)
            nesterov = [p.grad.lerp(self.state[p]["mean"], MOMENTUM).reshape(rows, columns) for p in weights]
            update = orthogonal(torch.stack(nesterov)) * max(1, rows / columns) ** 0.5
            for p, u in zip(weights, update):
                p.sub_(u.view(p.shape) * lr)


class Optimiser:
    """Both, for a Net. Learning rates are given as parts of their highest."""

    def __init__(self, net, adam=2e-3, muon=0.01, capturable=False):
        self.highest = (adam, muon)
        by_adam = {"head", "residual"}
        by_muon = [
            conv.weight for name, conv in net.convs.items()
            if name not in by_adam and not name.startswith(("offset", "emb"))
        ]  # fmt: skip
        chosen = set(map(id, by_muon))
        self.rest = [p for p in net.parameters() if id(p) not in chosen]
        self.parts = (torch.optim.Adam(self.rest, lr=adam, betas=(0.9, 0.99), capturable=capturable), Muon(by_muon, muon))

    def step(self, rate, clip=0.5):
        torch.nn.utils.clip_grad_norm_(self.rest, clip)
        for part, highest in zip(self.parts, self.highest):
            for group in part.param_groups:
                group["lr"] = highest * rate
            part.step()

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad()

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state):
        for part, saved in zip(self.parts, state):
            part.load_state_dict(saved)
