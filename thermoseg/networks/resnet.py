"""ResNet-101 (He et al., CVPR 2016) with atrous convolutions in place of its last two strides."""

from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional

from thermoseg.networks.layers import conv_norm

EXPANSION: Final = 4
"""Channels a bottleneck gives, as a multiple of those of its 3x3 convolution."""
BLOCKS: Final = (3, 4, 23, 3)
"""Bottlenecks of the four levels of ResNet-101 (He et al., table 1)."""
MULTI_GRID: Final = (1, 2, 4)
"""Atrous rates within the last level, times the level's own (Chen et al., 2017, section 3.2.1)."""


class Bottleneck(nn.Module):
    """x + conv1x1(conv3x3(conv1x1(x))), each normalised, then ReLU."""

    def __init__(
        self, in_channels: int, channels: int, *, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * channels
        self.body = nn.Sequential(
            conv_norm(in_channels, channels, 1),
            conv_norm(channels, channels, 3, stride=stride, dilation=dilation),
            conv_norm(channels, out_channels, 1, relu=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = conv_norm(in_channels, out_channels, 1, stride=stride, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, 4 channels, h / stride, w / stride)."""
        return functional.relu(self.body(features) + self.shortcut(features))


class ResNet101(nn.Module):
    """The backbone without its classifier, at output stride 8; 42,500,160 parameters for colour.

    Width 64 is the published size.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.low_channels = EXPANSION * width
        self.deep_channels = 8 * EXPANSION * width
        self.stem = nn.Sequential(
            conv_norm(in_channels, width, 7, stride=2), nn.MaxPool2d(3, stride=2, padding=1)
        )
        one, two, three, four = BLOCKS
        self.level1 = _level(width, width, one)
        self.level2 = _level(4 * width, 2 * width, two, stride=2)
        self.level3 = _level(8 * width, 4 * width, three, rates=(2,) * three)
        self.level4 = _level(16 * width, 8 * width, four, rates=tuple(4 * r for r in MULTI_GRID))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, in_channels, h, w) to fine features at h / 4 and deep features at h / 8."""
        low = self.level1(self.stem(images))
        return low, cast("Tensor", self.level4(self.level3(self.level2(low))))


def _level(
    in_channels: int, channels: int, blocks: int, stride: int = 1, rates: tuple[int, ...] = ()
) -> nn.Sequential:
    rates = rates or (1,) * blocks
    first = Bottleneck(in_channels, channels, stride=stride, dilation=rates[0])
    return nn.Sequential(
        first,
        *(Bottleneck(EXPANSION * channels, channels, dilation=rate) for rate in rates[1:]),
    )
