"""SAM-CL: self-adversarial multi-scale contrastive learning (Joshi et al., BMVC 2022, §3.1.2).

The prediction is the anchor, the one-hot truth the positive, and the truth with its classes
swapped the negative of a triplet, at full resolution and at three coarser scales of a small
auxiliary network that exists in training only.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.losses import RMI_LAMBDA, bce_loss, region_terms

SCALES: Final = 3
"""Blocks of the auxiliary network; with the input itself its four layers."""


def derangements(count: int, classes: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw permutations that leave no class in its place, evenly among all of them.

    Parameters
    ----------
    count
        How many to draw.
    classes
        Length of each; at least 2.

    Returns
    -------
    (count, classes) int64 on the CPU; row i maps each class to another.

    Raises
    ------
    ValueError
        If `classes` is less than 2, since one class cannot leave its place.
    """
    if classes < 2:
        raise ValueError(f"swapping classes takes at least 2 of them, got {classes}")
    places = torch.arange(classes)
    drawn = torch.empty((count, classes), dtype=torch.int64)
    missing = torch.ones(count, dtype=torch.bool)
    while bool(missing.any()):
        fresh = torch.rand((int(missing.sum()), classes), generator=generator).argsort(1)
        drawn[missing] = fresh
        missing = (drawn == places).any(1)
    return drawn


class AuxiliaryNetwork(nn.Module):
    """Maps of class probabilities at a half, a quarter and an eighth of their size.

    Each block is 1×1 convolution, norm, ReLU, then 3×3 convolution of stride 2, norm, ReLU;
    channels stay equal to the classes, reflected borders, no bias.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(num_classes, num_classes, 1, bias=False),
                nn.BatchNorm2d(num_classes),
                nn.ReLU(inplace=True),
                nn.Conv2d(
                    num_classes,
                    num_classes,
                    3,
                    stride=2,
                    padding=1,
                    padding_mode="reflect",
                    bias=False,
                ),
                nn.BatchNorm2d(num_classes),
                nn.ReLU(inplace=True),
            )
            for _ in range(SCALES)
        )

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Map (n, classes, h, w) to three maps of the same channels, finest first."""
        scales = []
        for block in self.blocks:
            maps = block(maps)
            scales.append(maps)
        return scales


class SamClLoss(nn.Module):
    """L = L_s0 + L_s1 + L_s2 + L_s3 with L_s = max(d(Y, Y⁺) - d(Y, Y⁻) + margin, 0) (eqs. 2, 3).

    d at scale 0 is RMI on logits, at the other scales the cross-entropy between the feature maps
    of the auxiliary network, taken as distributions over its channels.  The anchor is
    differentiable (softmax, not argmax) and the swap is a true derangement for each picture;
    in the released code of the paper neither holds, so that its term trains nothing.
    """

    def __init__(self, num_classes: int, margin: float = 1.0) -> None:
        """Build the auxiliary network; its weights belong into the optimiser too.

        Parameters
        ----------
        num_classes
            Channels of the logits.
        margin
            By how much the truth must be nearer than the swapped truth, at each scale.
        """
        super().__init__()
        self.num_classes = num_classes
        self.margin = margin
        self.auxiliary = AuxiliaryNetwork(num_classes)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits
            (n, num_classes, h, w).
        labels
            (n, h, w), integer; negative ones and those not below `num_classes` are ignored.

        Raises
        ------
        ValueError
            If the shapes do not match.
        """
        truth = labels.long()
        valid = (truth >= 0) & (truth < self.num_classes)
        swap = derangements(len(logits), self.num_classes).to(logits.device)
        known = torch.where(valid, truth, 0)
        swapped = swap.gather(1, known.flatten(1)).view_as(known)
        swapped = torch.where(valid, swapped, -1)

        near, far = region_terms(logits, truth, [swap])
        regions = (1 - RMI_LAMBDA) * (near - far)
        pixels = RMI_LAMBDA * (bce_loss(logits, truth) - bce_loss(logits, swapped))
        total = functional.relu(pixels + regions + self.margin)

        anchor = torch.where(valid[:, None], logits.softmax(1), 0)
        predicted = self.auxiliary(anchor)
        positive = self.auxiliary(_one_hot(truth, valid, anchor))
        negative = self.auxiliary(_one_hot(swapped, valid, anchor))
        for features, right, wrong in zip(predicted, positive, negative, strict=True):
            nearness = _distance(features, right) - _distance(features, wrong) + self.margin
            total = total + functional.relu(nearness)
        return total


def _one_hot(labels: Tensor, valid: Tensor, like: Tensor) -> Tensor:
    hot = torch.zeros_like(like)
    return hot.scatter_(1, labels.clamp_min(0)[:, None], valid[:, None].to(hot.dtype))


def _distance(features: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy between feature maps (n, c, h, w), both turned into distributions."""
    with torch.autocast(features.device.type, enabled=False):
        return functional.cross_entropy(features.float(), target.float().softmax(1))
