"""Segmentation networks, one file each, and `build`, which makes one by its name."""

from collections.abc import Callable
from typing import Final

from torch import nn

from thermoseg.networks.attention_unet import AttentionUNet
from thermoseg.networks.compact import Compact
from thermoseg.networks.deeplab import DeepLabV3PlusResNet101, DeepLabV3PlusXception65
from thermoseg.networks.hrnet import HRNetV2W48
from thermoseg.networks.unet import UNet

NETWORKS: Final[dict[str, Callable[[int, int, int], nn.Module]]] = {
    "unet": UNet,
    "attention_unet": AttentionUNet,
    "compact": Compact,
    "deeplabv3plus_resnet101": DeepLabV3PlusResNet101,
    "deeplabv3plus_xception65": DeepLabV3PlusXception65,
    "hrnetv2_w48": HRNetV2W48,
}
"""Everything a model file may name; nothing outside this table is ever constructed from a file."""


def build(name: str, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> nn.Module:
    """Build a network with fresh Xavier-uniform weights.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    num_classes
        Channels of the logits.
    width
        Channels of the first level; deeper levels are multiples of it.  64 is the published size of
        all but `compact`.
    in_channels
        Channels of the picture; 1 for a temperature image.

    Returns
    -------
    A module that maps (n, in_channels, h, w), any h and w, to logits (n, num_classes, h, w).

    Raises
    ------
    ValueError
        If no network has this name, or a number is out of range.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; known are {', '.join(sorted(NETWORKS))}")
    if num_classes < 1 or in_channels < 1 or width < 2:
        raise ValueError(
            f"num_classes and in_channels must be at least 1 and width at least 2, "
            f"got {num_classes}, {in_channels} and {width}"
        )
    return NETWORKS[name](num_classes, width, in_channels)
