"""HRNetV2 (Sun et al. 2019, arXiv 1904.04514; Wang et al., TPAMI 2020), size W48."""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermoseg.networks.layers import conv_norm, initialise_xavier, on_padded
from thermoseg.networks.resnet import Bottleneck

MODULES: Final = (1, 4, 3)
"""How often branches are worked on and exchanged, with two, three and four branches."""
BLOCKS: Final = 4
"""Residual blocks of a branch between two exchanges."""


class BasicBlock(nn.Module):
    """x + conv3x3(ReLU(conv3x3(x))), each normalised, then ReLU (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(channels, channels, 3), conv_norm(channels, channels, 3, relu=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the same shape."""
        return functional.relu(self.body(features) + features)


class Arrival(nn.Module):
    """Sum up, at one branch, what all branches send it.

    A finer branch reaches a coarser one through strided 3x3 convolutions, a coarser one a finer
    through a 1x1 convolution and bilinear enlargement.
    """

    def __init__(self, channels: tuple[int, ...], target: int) -> None:
        super().__init__()
        self.target = target
        self.paths = nn.ModuleList(
            _path(channels, source, target) for source in range(len(channels))
        )

    def forward(self, branches: list[Tensor]) -> Tensor:
        """Map features of all branches to the shape of the target's."""
        here = branches[self.target]
        arrived = here
        for source, (path, features) in enumerate(zip(self.paths, branches, strict=True)):
            if source != self.target:
                arrived = arrived + _resize(path(features), here)
        return functional.relu(arrived)


class Exchange(nn.Module):
    """Work on each branch alone, then let every branch hear every other."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(count) for _ in range(BLOCKS))) for count in channels
        )
        self.arrivals = nn.ModuleList(Arrival(channels, target) for target in range(len(channels)))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map features at 1, 1/2, 1/4, … of the finest size to the same shapes."""
        worked = [work(features) for work, features in zip(self.branches, branches, strict=True)]
        return [arrival(worked) for arrival in self.arrivals]


class HRNetV2W48(nn.Module):
    """Four branches that keep the resolution, all of them joined for the classifier.

    `width` counts the channels of the stem, 64 as published, and the finest branch has three
    quarters of them: at the default width this is W48, with 65.8 million parameters.
    """

    multiple = 32
    """Sides are padded to a multiple of this many pixels inside."""

    def __init__(self, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> None:
        super().__init__()
        finest = max(1, 3 * width // 4)
        channels = tuple(finest * 2**level for level in range(4))
        self.stem = nn.Sequential(
            conv_norm(in_channels, width, 3, stride=2), conv_norm(width, width, 3, stride=2)
        )
        self.first = nn.Sequential(
            Bottleneck(width, width), *(Bottleneck(4 * width, width) for _ in range(BLOCKS - 1))
        )
        self.enter = conv_norm(4 * width, finest, 3)
        self.deepen = nn.ModuleList(
            conv_norm(before, after, 3, stride=2)
            for before, after in pairwise((4 * width, *channels[1:]))
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Exchange(channels[: count + 2]) for _ in range(modules)))
            for count, modules in enumerate(MODULES)
        )
        joined = sum(channels)
        self.classify = nn.Sequential(
            conv_norm(joined, joined, 1), nn.Conv2d(joined, num_classes, 1)
        )
        initialise_xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) in [-1, 1] to logits (n, num_classes, h, w)."""
        return on_padded(self._forward, images, self.multiple)

    def _forward(self, images: Tensor) -> Tensor:
        features = self.first(self.stem(images))
        branches = [self.enter(features)]
        coarsest = features
        for deepen, stage in zip(self.deepen, self.stages, strict=True):
            branches.append(deepen(coarsest))
            branches = stage(branches)
            coarsest = branches[-1]
        joined = torch.cat([_resize(branch, branches[0]) for branch in branches], dim=1)
        return _resize(self.classify(joined), images)


def _path(channels: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Return what features of branch `source` go through on their way to branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        return conv_norm(channels[source], channels[target], 1, relu=False)
    same = channels[source]
    return nn.Sequential(
        *(conv_norm(same, same, 3, stride=2) for _ in range(target - source - 1)),
        conv_norm(same, channels[target], 3, stride=2, relu=False),
    )


def _resize(features: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    if features.shape[-2:] == size:
        return features
    return functional.interpolate(features, size, mode="bilinear", align_corners=False)
