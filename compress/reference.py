"""The fixed-point bicubic of the integer contract, as used under the network's residual, and its linear sister."""

import torch
import torch.nn.functional as F



def _coefficients():
    """Catmull-Rom at sixteenths of a pixel in 1/128. The largest tap takes what rounding leaves, so rows sum to 128."""
    rows = []
    for i in range(9):
        t = i / 16
        outer, right, far = -0.5 * t + t**2 - 0.5 * t**3, 0.5 * t + 2 * t**2 - 1.5 * t**3, 0.5 * (t**3 - t**2)
        a, c, d = (round(128 * w) for w in (outer, right, far))
        rows.append([a, 128 - a - c - d, c, d])
    return rows + [row[::-1] for row in rows[7:0:-1]]


BICUBIC = torch.tensor(_coefficients(), dtype=torch.float32)


LINEAR = torch.tensor([[0, 128 - 8 * i, 8 * i, 0] for i in range(16)], dtype=torch.float32)
TAPS = {"bicubic": BICUBIC, "linear": LINEAR}


def phases(scale):
    """For each of the `scale` outputs of a pixel: the offset of its first tap, and its coefficients' row."""
    result = []
    for i in range(scale):
        position = (16 * i + 8) // scale - 8  # in 1/16 pixel, centres aligned
        result.append((position // 16 - 1, position % 16))
    return result


def _filter_rows(x, scale, base):
    """Enlarges (B, 1, H, W) vertically; coefficients in 1/128, so the result is 128 times the input."""
    h = x.shape[2]
    rows = F.pad(x, (0, 0, 2, 2), mode="replicate")
    outputs = []
    for first, row in phases(scale):
        taps = [rows[:, :, 2 + first + k : 2 + first + k + h] * float(TAPS[base][row, k]) for k in range(4)]
        outputs.append(sum(taps))
    return torch.stack(outputs, 3).reshape(x.shape[0], 1, h * scale, x.shape[3])


def bicubic(luma, scale, base="bicubic"):
    """Fixed-point bicubic without its roundings: (B, 1, H, W) to (B, 1, scale * H, scale * W), any range."""
    y = _filter_rows(luma, scale, base)
    return _filter_rows(y.transpose(2, 3), scale, base).transpose(2, 3) / 128**2


def bicubic_fixed(luma, scale, base="bicubic"):
    """The contract's bicubic of 8-bit luma before its last rounding: int32 (B, H, W) to (B, scale * H, scale * W), 2^13
    times the samples."""
    y = (_filter_rows(luma.float().unsqueeze(1), scale, base).int() + 1) >> 1
    return _filter_rows(y.float().transpose(2, 3), scale, base).transpose(2, 3).int()[:, 0]
