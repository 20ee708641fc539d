"""U-Net (Ronneberger et al., MICCAI 2015), with padding and batch normalisation."""

from typing import cast

import torch
from torch import Tensor, nn

from thermoseg.networks.layers import DoubleConv, initialise_xavier, on_padded

LEVELS = 5


class UNet(nn.Module):
    """Five levels joined by plain skips; 31 million parameters at width 64."""

    multiple = 2 ** (LEVELS - 1)
    """Sides are padded to a multiple of this many pixels inside."""

    def __init__(self, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(
            DoubleConv(before, after, bias=False)
            for before, after in zip([in_channels, *channels[:-1]], channels, strict=True)
        )
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * after, after, 2, stride=2) for after in reversed(channels[:-1])
        )
        self.up = nn.ModuleList(
            DoubleConv(2 * after, after, bias=False) for after in reversed(channels[:-1])
        )
        self.pool = nn.MaxPool2d(2)
        self.classify = nn.Conv2d(width, num_classes, 1)
        initialise_xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) in [-1, 1] to logits (n, num_classes, h, w)."""
        return on_padded(self._forward, images, self.multiple)

    def _forward(self, images: Tensor) -> Tensor:
        features = self.down[0](images)
        skips = []
        for level in self.down[1:]:
            skips.append(features)
            features = level(self.pool(features))
        for enlarge, level, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            features = level(torch.cat((skip, enlarge(features)), dim=1))
        return cast("Tensor", self.classify(features))
