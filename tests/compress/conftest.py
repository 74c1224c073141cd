"""Networks and pictures small enough to test with."""

import av
import numpy as np
import pytest
import torch

from compress.edvr import edvr
from compress.follow import following
from compress.net import Net
from compress.quant import QuantNet

torch.set_num_threads(1)


def footage(frames, height, width, seed=0):
    """Smooth random texture that drifts: (frames, height, width) uint8."""
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.normal(size=(1, 1, height + 2 * frames, width + 2 * frames))).float()
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    smooth = (smooth - smooth.mean()) / smooth.std() * 50 + 128
    full = smooth[0, 0].round().clamp(0, 255).byte().numpy()
    return np.stack([full[t : t + height, 2 * t : 2 * t + width] for t in range(frames)])


def random_net(scale, seed=0, bits=(8,), tops=(255,), follow=False, **sizes):
    """A small quantised network with random weights, big enough in offsets and residual to show.

    Operations take `bits` of weights and `tops`, greatest values of outputs, in turn.
    """
    torch.manual_seed(seed)
    sizes = dict(dict(channels=(8, 8, 12), offset_channels=(4, 8, 8), fuse_blocks=1), **sizes)
    graph = edvr(scale, **sizes)
    net = QuantNet(following(Net(graph)).graph if follow else graph)
    for i, op in enumerate(op for op in net.graph.operations() if op.op in ("conv", "add")):
        op.bits, op.max = bits[i % len(bits)], 255 if op.wide else tops[i % len(tops)]
        if op.op == "conv":
            torch.nn.init.normal_(net.convs[op.out].bias, std=0.05)
        if op.op == "conv" and op.out.startswith("offset"):
            net.convs[op.out].weight.data.mul_(20)
    windows = [torch.from_numpy(footage(net.graph.window, 24, 24, s)).float()[None] / 255 for s in range(4)]
    net.calibrate(windows)
    return net.eval()


def video(file, frames, codec="ffv1", pix_fmt="gray"):
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:], pix_fmt
        for picture in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def make_footage():
    return footage


@pytest.fixture
def make_net():
    return random_net


@pytest.fixture
def write_video():
    return video
