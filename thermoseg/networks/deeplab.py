"""DeepLabV3+ (Chen et al., ECCV 2018): atrous pyramid on a deep backbone, and a light decoder."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermoseg.networks.layers import conv_norm, initialise_xavier, on_padded
from thermoseg.networks.resnet import ResNet101
from thermoseg.networks.xception import Xception65, separable_conv


class AtrousPyramid(nn.Module):
    """Look at the deep features through five windows: 1x1, three atrous 3x3, the whole picture."""

    def __init__(
        self, in_channels: int, channels: int, rates: tuple[int, ...], *, separable: bool
    ) -> None:
        super().__init__()
        self.windows = nn.ModuleList([conv_norm(in_channels, channels, 1)])
        for rate in rates:
            self.windows.append(_conv3(in_channels, channels, rate, separable=separable))
        self.whole = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.whole_norm = nn.BatchNorm2d(channels)
        self.merge = conv_norm((len(rates) + 2) * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, channels, h, w)."""
        views = [window(features) for window in self.windows]
        mean = self.whole(features.mean(dim=(2, 3), keepdim=True))
        # Normalised after spreading: the same numbers, but batches of one picture can be trained.
        spread = mean.expand(-1, -1, *features.shape[-2:])
        views.append(functional.relu(self.whole_norm(spread)))
        return cast("Tensor", self.merge(torch.cat(views, dim=1)))


class DeepLabV3Plus(nn.Module):
    """Backbone, atrous pyramid, and the decoder that brings back what a quarter of the size shows.

    At width 64 pyramid and decoder have 256 channels and the low-level branch 48, as published.
    """

    def __init__(
        self,
        backbone: ResNet101 | Xception65,
        num_classes: int,
        width: int,
        rates: tuple[int, ...],
        *,
        separable: bool,
    ) -> None:
        super().__init__()
        channels, low_channels = 4 * width, max(1, 3 * width // 4)
        self.backbone = backbone
        self.pyramid = AtrousPyramid(backbone.deep_channels, channels, rates, separable=separable)
        self.low = conv_norm(backbone.low_channels, low_channels, 1)
        self.refine = nn.Sequential(
            _conv3(channels + low_channels, channels, separable=separable),
            _conv3(channels, channels, separable=separable),
        )
        self.classify = nn.Conv2d(channels, num_classes, 1)
        initialise_xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) in [-1, 1] to logits (n, num_classes, h, w)."""
        return on_padded(self._forward, images, 16)

    def _forward(self, images: Tensor) -> Tensor:
        low, deep = self.backbone(images)
        deep = _enlarge(self.pyramid(deep), low)
        logits = self.classify(self.refine(torch.cat((deep, self.low(low)), dim=1)))
        return _enlarge(logits, images)


class DeepLabV3PlusResNet101(DeepLabV3Plus):
    """DeepLabv3+ on ResNet-101, output stride 8, not separable; 59 million weights at width 64."""

    def __init__(self, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> None:
        backbone = ResNet101(in_channels, width)
        super().__init__(backbone, num_classes, width, (12, 24, 36), separable=False)


class DeepLabV3PlusXception65(DeepLabV3Plus):
    """DeepLabv3+ on Xception-65, output stride 16, separable; 41 million weights at width 64."""

    def __init__(self, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> None:
        backbone = Xception65(in_channels, width)
        super().__init__(backbone, num_classes, width, (6, 12, 18), separable=True)


def _conv3(
    in_channels: int, out_channels: int, dilation: int = 1, *, separable: bool
) -> nn.Sequential:
    if separable:
        return separable_conv(in_channels, out_channels, dilation=dilation)
    return conv_norm(in_channels, out_channels, 3, dilation=dilation)


def _enlarge(features: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    return functional.interpolate(features, size, mode="bilinear", align_corners=False)
