"""EDVR in floating point with BasicSR's names of tensors: what its checkpoints are, for tests of their import.

Own code, after the published architecture; deformable convolution is made of `compress.net.sample`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from compress.net import sample


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def lrelu(x):
    return F.leaky_relu(x, 0.1)


def double(x):
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = conv(channels, channels), conv(channels, channels)
        for layer in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data.mul_(0.1)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Deformable(nn.Module):
    def __init__(self, channels, groups, reach):
        super().__init__()
        self.groups = groups
        bound = (9 * channels) ** -0.5
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.conv_offset = conv(channels, 27 * groups)
        for parameter in self.conv_offset.parameters():
            parameter.data.mul_(reach)

    def forward(self, x, feature):
        first, second, logits = self.conv_offset(feature).chunk(3, 1)
        b, _, h, w = x.shape
        offsets = torch.cat((first, second), 1).view(b, self.groups, 9, 2, h, w)
        dy, dx = (offsets[:, :, :, i].transpose(1, 2).reshape(b, 9 * self.groups, h, w) for i in (0, 1))
        samples = sample(x, dy, dx, self.groups, 3, "zero").view(b, 9, self.groups, -1, h, w)
        mask = torch.sigmoid(logits).view(b, self.groups, 9, 1, h, w).transpose(1, 2)
        samples = (samples * mask).reshape(b, 9, -1, h, w)
        return torch.einsum("btchw,oct->bohw", samples, self.weight.flatten(2)) + self.bias.view(1, -1, 1, 1)


class Alignment(nn.Module):
    def __init__(self, c, groups, reach):
        super().__init__()
        self.offset_conv1, self.offset_conv2, self.offset_conv3 = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.dcn_pack, self.feat_conv = nn.ModuleDict(), nn.ModuleDict()
        for level in ("l3", "l2", "l1"):
            self.offset_conv1[level] = conv(2 * c, c)
            self.offset_conv2[level] = conv(c if level == "l3" else 2 * c, c)
            self.dcn_pack[level] = Deformable(c, groups, reach)
            if level != "l3":
                self.offset_conv3[level] = conv(c, c)
                self.feat_conv[level] = conv(2 * c, c)
        self.cas_offset_conv1, self.cas_offset_conv2 = conv(2 * c, c), conv(c, c)
        self.cas_dcnpack = Deformable(c, groups, reach)

    def forward(self, neighbour, centre):
        coarse_offset = coarse = None
        for level, n, r in zip(("l3", "l2", "l1"), reversed(neighbour), reversed(centre)):
            offset = lrelu(self.offset_conv1[level](torch.cat((n, r), 1)))
            if coarse is None:
                offset = lrelu(self.offset_conv2[level](offset))
            else:
                offset = lrelu(self.offset_conv2[level](torch.cat((offset, 2 * double(coarse_offset)), 1)))
                offset = lrelu(self.offset_conv3[level](offset))
            x = self.dcn_pack[level](n, offset)
            if coarse is not None:
                x = self.feat_conv[level](torch.cat((x, double(coarse)), 1))
            if level != "l1":
                x = lrelu(x)
            coarse_offset, coarse = offset, x
        offset = lrelu(self.cas_offset_conv1(torch.cat((x, centre[0]), 1)))
        return lrelu(self.cas_dcnpack(x, lrelu(self.cas_offset_conv2(offset))))


class Fusion(nn.Module):
    def __init__(self, c, frames):
        super().__init__()
        self.temporal_attn1, self.temporal_attn2 = conv(c, c), conv(c, c)
        self.feat_fusion, self.spatial_attn1 = conv(frames * c, c, 1), conv(frames * c, c, 1)
        self.spatial_attn2, self.spatial_attn3 = conv(2 * c, c, 1), conv(c, c)
        self.spatial_attn4, self.spatial_attn5 = conv(c, c, 1), conv(c, c)
        self.spatial_attn_l1, self.spatial_attn_l2, self.spatial_attn_l3 = conv(c, c, 1), conv(2 * c, c), conv(c, c)
        self.spatial_attn_add1, self.spatial_attn_add2 = conv(c, c, 1), conv(c, c, 1)

    @staticmethod
    def pools(x):
        return torch.cat((F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)), 1)

    def forward(self, aligned):
        reference = self.temporal_attn1(aligned[len(aligned) // 2])
        weights = [torch.sigmoid((self.temporal_attn2(x) * reference).sum(1, keepdim=True)) for x in aligned]
        x = torch.cat([a * w for a, w in zip(aligned, weights)], 1)
        fused = lrelu(self.feat_fusion(x))
        attention = lrelu(self.spatial_attn2(self.pools(lrelu(self.spatial_attn1(x)))))
        deep = lrelu(self.spatial_attn_l2(self.pools(lrelu(self.spatial_attn_l1(attention)))))
        deep = double(lrelu(self.spatial_attn_l3(deep)))
        attention = lrelu(self.spatial_attn3(attention)) + deep[..., : attention.shape[2], : attention.shape[3]]
        attention = double(lrelu(self.spatial_attn4(attention)))[..., : fused.shape[2], : fused.shape[3]]
        attention = self.spatial_attn5(attention)
        added = self.spatial_attn_add2(lrelu(self.spatial_attn_add1(attention)))
        return fused * torch.sigmoid(attention) * 2 + added


class Edvr(nn.Module):
    """Initialised as BasicSR does, but for the offsets' convolutions, which it starts at 0: `reach` multiplies PyTorch's
    weights and biases of these. Such a network adds next to nothing to the picture; a `lively` one has weights that keep
    the variance of what goes through, and adds a lot: at the default sizes 98 of 255, root mean square."""

    def __init__(self, channels=64, frames=5, groups=8, extract=5, reconstruct=10, tsa=True, high=64, reach=20, lively=False):
        super().__init__()
        c = channels
        self.conv_first = conv(3, c)
        self.feature_extraction = nn.Sequential(*(Block(c) for _ in range(extract)))
        self.conv_l2_1, self.conv_l2_2 = conv(c, c, stride=2), conv(c, c)
        self.conv_l3_1, self.conv_l3_2 = conv(c, c, stride=2), conv(c, c)
        self.pcd_align = Alignment(c, groups, reach)
        self.fusion = Fusion(c, frames) if tsa else conv(frames * c, c, 1)
        self.tsa = tsa
        self.reconstruction = nn.Sequential(*(Block(c) for _ in range(reconstruct)))
        self.upconv1, self.upconv2 = conv(c, 4 * c), conv(c, 4 * high)
        self.conv_hr, self.conv_last = conv(high, high), conv(high, 3)
        if lively:
            self.enliven()

    def enliven(self):
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d) and "conv_offset" not in name:
                nn.init.kaiming_normal_(layer.weight, a=0.1)
            if isinstance(layer, Deformable):
                nn.init.kaiming_normal_(layer.weight, a=0.1)
        for layer in self.modules():
            if isinstance(layer, Block):
                layer.conv2.weight.data.mul_(0.1)
        for layer in (self.fusion.temporal_attn1, self.fusion.temporal_attn2) if self.tsa else ():
            layer.weight.data.mul_(0.3)  # or every sigmoid is 0 or 1
        self.conv_last.weight.data.mul_(0.3)

    def features(self, frame):
        first = self.feature_extraction(lrelu(self.conv_first(frame)))
        second = lrelu(self.conv_l2_2(lrelu(self.conv_l2_1(first))))
        return [first, second, lrelu(self.conv_l3_2(lrelu(self.conv_l3_1(second))))]

    def forward(self, window):
        """(batch, frames, 3, height, width) in [0, 1], sides multiples of 4, to (batch, 3, 4 height, 4 width)."""
        centre = window.shape[1] // 2
        features = [self.features(window[:, i]) for i in range(window.shape[1])]
        aligned = [self.pcd_align(f, features[centre]) for f in features]
        x = self.fusion(aligned if self.tsa else torch.cat(aligned, 1))
        x = self.reconstruction(x)
        x = lrelu(F.pixel_shuffle(self.upconv1(x), 2))
        x = lrelu(F.pixel_shuffle(self.upconv2(x), 2))
        x = self.conv_last(lrelu(self.conv_hr(x)))
        return x + F.interpolate(window[:, centre], scale_factor=4, mode="bilinear", align_corners=False)
