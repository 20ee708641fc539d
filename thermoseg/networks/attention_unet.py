"""Attention U-Net (Oktay et al., MIDL 2018), in the layout whose checkpoints users own."""

from typing import cast

import torch
from torch import Tensor, nn

from thermoseg.networks.layers import AttentionGate, DoubleConv, initialise_xavier, on_padded


class UpConv(nn.Module):
    """Double the resolution by nearest neighbour, then 3x3 convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, 2h, 2w)."""
        return cast("Tensor", self.up(features))


class AttentionUNet(nn.Module):
    """Five levels, attention gates on the skips; 34,877,746 parameters at width 64, 1 in, 6 out.

    The attributes keep the names `Conv1` … `Conv_1x1` that published checkpoints use.
    """

    multiple = 16
    """Sides are padded to a multiple of this many pixels inside."""

    def __init__(self, num_classes: int = 6, width: int = 64, in_channels: int = 1) -> None:
        super().__init__()
        one, two, three, four, five = (width * 2**level for level in range(5))
        self.Maxpool = nn.MaxPool2d(2)
        self.Conv1 = DoubleConv(in_channels, one, bias=True)
        self.Conv2 = DoubleConv(one, two, bias=True)
        self.Conv3 = DoubleConv(two, three, bias=True)
        self.Conv4 = DoubleConv(three, four, bias=True)
        self.Conv5 = DoubleConv(four, five, bias=True)
        self.Up5 = UpConv(five, four)
        self.Att5 = AttentionGate(four, four, three)
        self.Up_conv5 = DoubleConv(five, four, bias=True)
        self.Up4 = UpConv(four, three)
        self.Att4 = AttentionGate(three, three, two)
        self.Up_conv4 = DoubleConv(four, three, bias=True)
        self.Up3 = UpConv(three, two)
        self.Att3 = AttentionGate(two, two, one)
        self.Up_conv3 = DoubleConv(three, two, bias=True)
        self.Up2 = UpConv(two, one)
        self.Att2 = AttentionGate(one, one, one // 2)
        self.Up_conv2 = DoubleConv(two, one, bias=True)
        self.Conv_1x1 = nn.Conv2d(one, num_classes, 1)
        initialise_xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) in [-1, 1] to logits (n, num_classes, h, w)."""
        return on_padded(self._forward, images, self.multiple)

    def _forward(self, images: Tensor) -> Tensor:
        one = self.Conv1(images)
        two = self.Conv2(self.Maxpool(one))
        three = self.Conv3(self.Maxpool(two))
        four = self.Conv4(self.Maxpool(three))
        deep = self.Conv5(self.Maxpool(four))

        deep = self.Up5(deep)
        deep = self.Up_conv5(torch.cat((self.Att5(deep, four), deep), dim=1))
        deep = self.Up4(deep)
        deep = self.Up_conv4(torch.cat((self.Att4(deep, three), deep), dim=1))
        deep = self.Up3(deep)
        deep = self.Up_conv3(torch.cat((self.Att3(deep, two), deep), dim=1))
        deep = self.Up2(deep)
        deep = self.Up_conv2(torch.cat((self.Att2(deep, one), deep), dim=1))
        return cast("Tensor", self.Conv_1x1(deep))
