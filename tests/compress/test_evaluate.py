"""The measures, against values known otherwise."""

from argparse import Namespace

import numpy as np
import pytest
import torch

from compress.evaluate import luma, methods, psnr, score, ssim
from compress.net import Net
from compress.train import checkpoint


def test_psnr():
    a = np.full((20, 20), 100, np.uint8)
    assert psnr(a, a + 5) == pytest.approx(20 * np.log10(255 / 5))


def test_ssim():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (40, 40))
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, rng.integers(0, 256, (40, 40))) < 0.1
    flat = np.full((40, 40), 100)
    c1 = (0.01 * 255) ** 2
    assert ssim(flat, flat + 20) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_luma_is_studio_range():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(colours).tolist() == [[16, 235, 81, 145, 41]]


def test_score_ignores_border_and_ends():
    truth = np.random.default_rng(0).integers(0, 200, (6, 40, 40)).astype(np.uint8)
    result = truth + 1
    result[:, :8] = 0
    result[:2], result[-2:] = 0, 0
    assert score(result, truth)[0] == pytest.approx(20 * np.log10(255))


def test_checkpoints_are_measured(make_net, make_footage, tmp_path):
    net = Net(make_net(2).graph)
    file = tmp_path / "net.pt"
    torch.save(checkpoint(net, average=net.state_dict()), file)
    (name, scale, method), (base, *_) = methods(Namespace(models=[], checkpoint=[file]))
    assert (name, scale, base) == ("net, float", 2, "bicubic x2")
    assert method(make_footage(4, 12, 16)).shape == (4, 24, 32)
