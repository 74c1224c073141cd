"""Teaches deformable alignment where things went.

Left to the reconstruction loss alone, a small EDVR settles on constant offsets: a fixed filter, blind to motion.
The photometric loss of optical flow shows the way: the neighbour's luma, sampled at the offsets, should be the
centre's luma. It fades out, so that in the end the offsets serve the picture.
"""

import torch.nn.functional as F

from .net import sample


def pyramid(luma, levels):
    """Luma (B, 1, H, W) at level 0 and halved again and again."""
    result = [luma]
    for _ in range(levels):
        result.append(F.avg_pool2d(result[-1], 2, ceil_mode=True))
    return result


def photometric_loss(net, window):
    """Mean difference between the centre and its neighbours as the last forward pass of `net` aligned them."""
    graph = net.graph
    deforms = [op for op in graph.align if op.op == "deform"]
    levels = max(net.levels[op.out] for op in deforms)
    frames = [pyramid(window[:, i : i + 1], levels) for i in range(window.shape[1])]
    centre = frames.pop(len(frames) // 2)
    total = 0.0
    for frame, aligned in zip(frames, net.aligned):
        for op in deforms:
            level, taps = net.levels[op.out], op.groups * op.kernel**2
            offsets, limit = aligned[op.inputs[1]], op.limit / 16
            dy, dx = (offsets[:, i * taps : (i + 1) * taps].clamp(-limit, limit) for i in (0, 1))
            there, here = (f[level].repeat(1, op.groups, 1, 1) for f in (frame, centre))
            still = dy.new_zeros(1).expand_as(dy)
            total = total + (
                sample(there, dy, dx, op.groups, op.kernel) - sample(here, still, still, op.groups, op.kernel)
            ).abs().mean()
    return total / (len(frames) * len(deforms))
