"""Layers that more than one network is built from."""

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class DoubleConv(nn.Module):
    """Two times 3x3 convolution, batch normalisation, ReLU; the level of a U-Net.

    The sequence is called `conv` because the Attention U-Net checkpoints that users own name it so.
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        return cast("Tensor", self.conv(features))


def conv_norm(
    in_channels: int,
    out_channels: int,
    size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    """Return a convolution without bias, batch normalisation, and ReLU unless `relu` is False.

    Sides of the picture are divided by `stride` and otherwise kept, whatever the dilation.
    """
    layers: list[nn.Module] = []
    if size == 1 and stride != 1:
        # The same numbers, but a strided 1x1 convolution of few channels writes past its memory
        # when it is trained in channels-last on a CPU (oneDNN issue 6035).
        layers.append(nn.AvgPool2d(1, stride))
        stride = 1
    padding = dilation * (size // 2)
    layers += [
        nn.Conv2d(in_channels, out_channels, size, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class AttentionGate(nn.Module):
    """Additive attention gate on a skip connection (Oktay et al., MIDL 2018, eq. 1 and 2).

    α = σ(ψ(ReLU(W_g g + W_x x))) scales the skipped features x, where the deeper features g, seen
    over a larger part of the image, say which places matter.
    """

    def __init__(self, gate_channels: int, skip_channels: int, inner_channels: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(
            nn.Conv2d(gate_channels, inner_channels, 1), nn.BatchNorm2d(inner_channels)
        )
        self.W_x = nn.Sequential(
            nn.Conv2d(skip_channels, inner_channels, 1), nn.BatchNorm2d(inner_channels)
        )
        self.psi = nn.Sequential(nn.Conv2d(inner_channels, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """Weigh `skip` (n, skip_channels, h, w) by `gate` (n, gate_channels, h, w)."""
        return cast("Tensor", skip * self.psi(functional.relu(self.W_g(gate) + self.W_x(skip))))


def on_padded(forward: Callable[[Tensor], Tensor], images: Tensor, multiple: int) -> Tensor:
    """Run `forward` on images padded to a multiple of `multiple` pixels, and cut the result back.

    Parameters
    ----------
    forward
        Maps (n, c, h, w) to (n, k, h, w) and needs sides that divide by `multiple`.
    images
        (n, c, h, w), any h and w; padded at the bottom and right with the border pixel.
    """
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    if not (below or right):
        return forward(images)
    padded = functional.pad(images, (0, right, 0, below), mode="replicate")
    return forward(padded)[..., :height, :width]


@torch.no_grad()
def initialise_xavier(network: nn.Module) -> None:
    """Draw every convolution and linear weight from Xavier's uniform distribution, biases 0.

    Normalisation layers keep their ones and zeros.  The bound is √(6 / (inputs + outputs)) of one
    group, so that depthwise convolutions start as large as others.  Source: Glorot and Bengio,
    AISTATS 2010, as used by Joshi et al., BMVC 2022.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            groups = 1 if isinstance(module, nn.Linear) else module.groups
            if groups == 1:
                nn.init.xavier_uniform_(module.weight)
            else:
                fans = module.weight[0].numel() + module.weight[:, 0].numel() // groups
                bound = math.sqrt(6 / fans)
                nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
