"""What training makes small."""

import torch

DECAY = 0.7  # the part of the schedule after which the learning rate falls
NOTHING = 1e-5  # a mean square error (0.8 of 255 off) that is no longer worth lowering: such a picture must not rule a batch
WEIGHT = 0.01  # makes gradients about as large as charbonnier's


def charbonnier(x, y):
    """Charbonnier loss, eps 1e-3."""
    return torch.sqrt((x - y) ** 2 + 1e-6).mean()


def picture_loss(x, y):
    """The logarithm of each picture's mean square error, as PSNR has it: means over a whole batch are of its strong pictures
    alone, and faint detail is then taken for noise."""
    return WEIGHT * torch.log1p(((x - y) ** 2).flatten(1).mean(1) / NOTHING).mean()
