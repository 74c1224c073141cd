"""Teaches deformable alignment where things went.

Left to the reconstruction loss alone, a small EDVR settles on nearly constant offsets: a filter that gains from motions
below three quarters of a small pixel, and nothing from larger ones. Of samples that a synthetic camera made, the motion is
known (compress.pack): the mean of a sampling's offsets is led there, around which its groups and taps are free to spread.
"""

import torch
import torch.nn.functional as F

BETA = 0.1  # pixels up to which an error counts by its square


def mean_offset(op, offsets):
    """Rows and columns that a sampling moves by in the mean of its groups and taps, (batch, 2, height, width)."""
    taps = op.groups * op.kernel**2
    return torch.stack([offsets[:, :taps].mean(1), offsets[:, taps : 2 * taps].mean(1)], 1)


def motion_loss(net, motion):
    """Mean error, in pixels of each level, of where the last forward pass of `net` looked for its neighbours.

    motion: (batch, neighbours, 2, squares, squares), rows and columns in pixels of the large picture that covers the
    same view; not a number where it is not known.
    """
    known = ~motion.isnan()
    motion = motion.nan_to_num()
    total = count = 0
    for i, aligned in enumerate(net.aligned):
        reached = {}
        for op in net.graph.align:
            if op.op != "deform":
                continue
            level, there = net.levels[op.out], mean_offset(op, aligned[op.inputs[1]])
            size = dict(size=there.shape[-2:])
            true = F.interpolate(motion[:, i], **size, mode="bilinear", align_corners=False) / (net.graph.scale * 2**level)
            if op.inputs[0].startswith("nbr."):
                reached[level] = there.detach()
            else:  # a cascade samples what was moved already
                true = true - reached[level]
            weight = F.interpolate(known[:, i].to(true), **size)
            total = total + (weight * F.smooth_l1_loss(there, true, beta=BETA, reduction="none")).mean()
            count += 1
    return total / count
