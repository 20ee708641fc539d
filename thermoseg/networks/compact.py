"""The network made for two CPU cores: a residual U-Net at half resolution with a fine last step."""

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermoseg.networks.layers import AttentionGate, initialise_xavier, on_padded

WIDENING: Final = (1, 2, 4, 6, 8)
"""Channels of each level, as multiples of the width; less than doubling keeps it small."""
FINE_CHANNELS: Final = 8
"""Channels of the full-resolution branch; each costs as much as four of the first level."""


class Residual(nn.Module):
    """x + conv(ReLU(norm(conv(x)))), then ReLU (He et al., CVPR 2016); plain 3x3 throughout."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(
                out_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False
            ),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            pool: list[nn.Module] = [nn.AvgPool2d(stride)] if stride != 1 else []
            self.shortcut = nn.Sequential(
                *pool,
                nn.Conv2d(in_channels, out_channels, 1, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h / stride, w / stride)."""
        return functional.relu(self.body(features) + self.shortcut(features))


class GlobalContext(nn.Module):
    """Let every place of the deepest level know the whole picture.

    Means over the whole, over halves and over quarters of the picture are mapped to as many
    channels and added back, after Zhao et al., CVPR 2017 (pyramid pooling).
    """

    bins = (1, 2, 4)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pooled = nn.ModuleList(nn.Conv2d(channels, channels // 4, 1) for _ in self.bins)
        self.merge = nn.Sequential(
            nn.Conv2d(channels + len(self.bins) * (channels // 4), channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape."""
        size = features.shape[-2:]
        views = [features]
        for bins, project in zip(self.bins, self.pooled, strict=True):
            mean = functional.relu(project(functional.adaptive_avg_pool2d(features, bins)))
            views.append(functional.interpolate(mean, size, mode="bilinear", align_corners=False))
        return cast("Tensor", features + self.merge(torch.cat(views, dim=1)))


class Decoder(nn.Module):
    """Enlarge the deep features, gate the skipped ones by them, and merge both."""

    def __init__(self, deep_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(deep_channels, skip_channels, 1)
        self.gate = AttentionGate(skip_channels, skip_channels, max(skip_channels // 2, 8))
        self.merge = Residual(2 * skip_channels, skip_channels)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Map (n, deep_channels, h, w) and (n, skip_channels, 2h, 2w) to the shape of `skip`."""
        enlarged = functional.interpolate(self.reduce(deep), scale_factor=2.0, mode="nearest")
        return cast("Tensor", self.merge(torch.cat((self.gate(enlarged, skip), enlarged), dim=1)))


class Compact(nn.Module):
    """Five residual levels below half resolution and a light full-resolution branch.

    The picture enters as 2x2 blocks folded into channels, so no pixel is lost while the costly
    first level works on a quarter of the places.  The last step returns to full resolution and
    looks at the picture again, so that eyes three pixels high keep their shape.
    """

    multiple = 32
    """Sides are padded to a multiple of this many pixels inside."""

    def __init__(self, num_classes: int = 6, width: int = 24, in_channels: int = 1) -> None:
        super().__init__()
        channels = [width * factor for factor in WIDENING]
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * in_channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.down = nn.ModuleList(
            Residual(before, after, stride=1 if before == after else 2)
            for before, after in zip([width, *channels[:-1]], channels, strict=True)
        )
        self.context = nn.Sequential(
            Residual(channels[-1], channels[-1], dilation=2), GlobalContext(channels[-1])
        )
        self.up = nn.ModuleList(
            Decoder(deep, skip)
            for deep, skip in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.unfold = nn.Sequential(nn.Conv2d(width, 4 * FINE_CHANNELS, 1), nn.PixelShuffle(2))
        self.look_again = nn.Sequential(
            nn.Conv2d(in_channels, FINE_CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm2d(FINE_CHANNELS),
            nn.ReLU(inplace=True),
        )
        self.refine = nn.Sequential(
            nn.Conv2d(2 * FINE_CHANNELS, 2 * FINE_CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * FINE_CHANNELS),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * FINE_CHANNELS, num_classes, 1),
        )
        initialise_xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) in [-1, 1] to logits (n, num_classes, h, w)."""
        return on_padded(self._forward, images, self.multiple)

    def _forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        skips = []
        for level in self.down:
            features = level(features)
            skips.append(features)
        features = self.context(skips.pop())
        for level in self.up:
            features = level(features, skips.pop())
        fine = torch.cat((self.unfold(features), self.look_again(images)), dim=1)
        return cast("Tensor", self.refine(fine))
