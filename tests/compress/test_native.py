"""The C of training against the same in PyTorch: values and gradients."""

import pytest
import torch

from compress.native import Deform, EdgePad
from compress.net import sample


def compare(mine, reference, inputs):
    """Both give the same picture, and pass the same gradients to `inputs`."""
    expected, got = reference(*inputs), mine(*inputs)
    assert torch.allclose(got, expected, atol=2e-5)
    gradient = torch.randn_like(expected)
    for wanted, passed in zip(*(torch.autograd.grad(y, inputs, gradient) for y in (expected, got))):
        assert torch.allclose(passed, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("border", ("edge", "zero"))
@pytest.mark.parametrize("groups, width, kernel, spread", ((2, 4, 1, 1), (3, 4, 3, 4), (2, 5, 3, 30), (8, 8, 3, 2)))
def test_deform(border, groups, width, kernel, spread):
    torch.manual_seed(groups)
    limit, taps = 6, groups * kernel**2
    feature = torch.randn(2, groups * width, 7, 9, requires_grad=True)
    offsets = (spread * torch.randn(2, 3 * taps, 7, 9)).requires_grad_()

    def reference(feature, offsets):
        dy, dx, logits = offsets.split(taps, 1)
        sampled = sample(feature, dy.clamp(-limit, limit), dx.clamp(-limit, limit), groups, kernel, border)
        return sampled * torch.sigmoid(logits).repeat_interleave(width, 1)

    compare(lambda f, o: Deform.apply(f, o, groups, kernel, border, limit), reference, (feature, offsets))


def test_deform_of_nonsense_stays_inside():
    feature, offsets = torch.randn(1, 4, 5, 5), torch.full((1, 3, 5, 5), torch.nan)
    assert Deform.apply(feature, offsets, 1, 1, "edge", 16.0).shape == (1, 4, 5, 5)


@pytest.mark.parametrize("shape", ((2, 4, 5, 7), (1, 3, 1, 1), (2, 8, 2, 1), (1, 2, 1, 6)))
def test_edge_pad(shape):
    x = torch.randn(*shape, requires_grad=True)
    compare(EdgePad.apply, lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), (x,))
