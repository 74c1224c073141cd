"""The network that is trained and the element that plays it give the same bytes."""

import numpy as np
import pytest
import torch

from compress.element import enlarge
from compress.export import export


def simulate(net, frames, lookahead):
    """QuantNet over a clip, with the element's window at the ends."""
    reach, pictures = net.graph.window // 2, []
    for t in range(len(frames)):
        last = min(t + lookahead, len(frames) - 1)
        window = [frames[min(max(t + i, 0), last)] for i in range(-reach, reach + 1)]
        with torch.no_grad():
            pictures.append(net.picture(torch.from_numpy(np.stack(window))[None])[0].byte().numpy())
    return np.stack(pictures)


@pytest.mark.parametrize(
    "scale, size, options",
    [
        (2, (24, 32), {}),
        (4, (17, 23), {}),
        (2, (9, 13), dict(bits=(6,))),
        (4, (12, 20), dict(bits=(4,))),
        (2, (15, 22), dict(bits=(6,), tops=(15,))),
        (4, (13, 19), dict(bits=(4,), tops=(15,))),
        (4, (14, 17), dict(bits=(8, 6, 4), tops=(255, 15), frame_blocks=2)),
        (2, (21, 30), dict(unshuffle=2)),
        (2, (16, 16), dict(window=5, frame_blocks=2, offset_kernel=3)),
        (4, (19, 26), dict(cascade=True)),
        (2, (67, 70), dict(follow=True)),
        (2, (66, 81), dict(follow=True, window=5)),
    ],
    ids=lambda v: str(v),
)
@pytest.mark.parametrize("lookahead", [0, 1])
def test_engine_equals_simulation(tmp_path, make_net, make_footage, scale, size, options, lookahead):
    net = make_net(scale, seed=size[0], **options)
    file = tmp_path / "net.safetensors"
    export(net, file, "landscape", "test", {})
    frames = make_footage(4, *size)
    expected = simulate(net, frames, lookahead)
    assert expected.std() > 10
    for backend in ("scalar", "cpu"):
        result = enlarge(frames, scale, model=file, lookahead=lookahead, backend=backend)
        np.testing.assert_array_equal(result, expected)
