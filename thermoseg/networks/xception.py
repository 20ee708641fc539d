"""Xception-65: Xception (Chollet, CVPR 2017) as deepened by Chen et al., ECCV 2018, figure 4."""

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from thermoseg.networks.layers import conv_norm

MIDDLE_BLOCKS: Final = 16
"""Twice as many as Chollet's."""
FULL_WIDTH: Final = 64
"""Channels of the second convolution in the published network; the others go with it."""


def separable_conv(
    in_channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1, relu: bool = True
) -> nn.Sequential:
    """Return a 3x3 convolution per channel and a 1x1 across channels, each normalised.

    ReLU follows the first always (Chen et al., ECCV 2018, section 3.2) and the second if `relu`.
    """
    return nn.Sequential(
        nn.Conv2d(
            in_channels, in_channels, 3, stride, dilation, dilation, groups=in_channels, bias=False
        ),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        conv_norm(in_channels, out_channels, 1, relu=relu),
    )


class Block(nn.Module):
    """x + three times (ReLU, separable convolution); the last one strides instead of pooling."""

    def __init__(
        self, in_channels: int, channels: tuple[int, int, int], *, stride: int = 1
    ) -> None:
        super().__init__()
        before = (in_channels, *channels[:-1])
        strides = (1, 1, stride)
        self.steps = nn.ModuleList(
            separable_conv(inward, outward, stride=step, relu=False)
            for inward, outward, step in zip(before, channels, strides, strict=True)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels[-1]:
            self.shortcut = conv_norm(in_channels, channels[-1], 1, stride=stride, relu=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, c, h, w) to features before the stride and to (n, k, h / stride, w / stride)."""
        first, second, third = self.steps
        fine = second(functional.relu(first(functional.relu(features))))
        return fine, third(functional.relu(fine)) + self.shortcut(features)


class Xception65(nn.Module):
    """The backbone without its classifier, at output stride 16, as the paper trains it."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(1, channels * width // FULL_WIDTH)

        middle = scaled(728)
        self.low_channels = scaled(256)
        self.deep_channels = scaled(2048)
        self.stem = nn.Sequential(
            conv_norm(in_channels, scaled(32), 3, stride=2), conv_norm(scaled(32), scaled(64), 3)
        )
        self.entry = nn.ModuleList(
            Block(before, (after,) * 3, stride=2)
            for before, after in (
                (scaled(64), scaled(128)),
                (scaled(128), scaled(256)),
                (scaled(256), middle),
            )
        )
        self.middle = nn.ModuleList(Block(middle, (middle,) * 3) for _ in range(MIDDLE_BLOCKS))
        self.exit = Block(middle, (middle, scaled(1024), scaled(1024)))
        self.last = nn.Sequential(
            separable_conv(scaled(1024), scaled(1536), dilation=2),
            separable_conv(scaled(1536), scaled(1536), dilation=2),
            separable_conv(scaled(1536), scaled(2048), dilation=2),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, in_channels, h, w) to fine features at h / 4 and deep features at h / 16."""
        first, second, third = self.entry
        low, features = second(first(self.stem(images))[1])
        features = third(features)[1]
        for block in self.middle:
            features = block(features)[1]
        return low, self.last(self.exit(features)[1])
