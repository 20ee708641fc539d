"""SAM-CL: self-adversarial multi-scale contrastive learning (Joshi et al., BMVC 2022, §3.1.2).

The prediction is the anchor, the one-hot truth the positive, and the truth with its classes
swapped the negative of a triplet, at full resolution and at three coarser scales of a small
auxiliary network that exists in training only.

Two identities make it cheap, and say what it does.  Both distances are cross-entropies but for the
region term, and in the difference d(Y, Y⁺) - d(Y, Y⁻) of two cross-entropies the logarithm of the
anchor's normaliser cancels.  So at full resolution the difference is, for each pixel, the logit of
the swapped class minus that of the true one, and at the other scales the anchor's features times
the difference of the two targets: all that keeps a triplet from growing for ever is its hinge.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.losses import (
    RMI_LAMBDA,
    RegionMutualInformation,
    count_labels,
    is_free_to_read,
    known_labels,
)

SCALES: Final = 3
"""Blocks of the auxiliary network; with the input itself its four layers."""

Triplets = Literal["batch", "place"]

Auxiliary = Callable[[Tensor, Tensor, Tensor], list[Tensor]]
"""Maps anchor, truths and known pixels to features, see `AuxiliaryNetwork.forward`."""


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
    # Rejection: a random permutation (the ranks of random numbers) is a derangement in about 1/e =
    # 37 % of the draws, however many classes there are, so a handful of rounds does; repairing
    # those that are none would favour some derangements over others.
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
    channels stay equal to the classes, reflected borders, no bias.  Anchor, positive and negative
    pass it together, so that they are normalised alike: by itself an anchor that is nearly the same
    everywhere would be blown up to the contrast of the truth, and its gradient 10¹⁰-fold.  The
    statistics are those of what passes in training and evaluation alike; none are remembered.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]
            _forget_statistics
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(num_classes, num_classes, 1, bias=False),
                nn.BatchNorm2d(num_classes, track_running_stats=False),
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
                nn.BatchNorm2d(num_classes, track_running_stats=False),
                nn.ReLU(inplace=True),
            )
            for _ in range(SCALES)
        )

    def forward(self, anchor: Tensor, truths: Tensor, known: Tensor) -> list[Tensor]:
        """Compute the features of probabilities and of one-hot labels, finest first.

        Parameters
        ----------
        anchor
            (n, classes, h, w) probabilities; 0 where a pixel is ignored.
        truths
            (k, n, h, w) int64 labels, any where a pixel is ignored.
        known
            (n, h, w), whether a pixel counts.

        Returns
        -------
        Three maps (n + k · n, classes, h / 2, w / 2) and so on: those of `anchor`, then those of
        each of `truths`.
        """
        maps = self._halve(anchor, truths.flatten(0, 1), known)
        scales = [maps]
        for block in self.blocks[1:]:
            maps = block(maps)
            scales.append(maps)
        return scales

    def _halve(self, anchor: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Run the first block on probabilities and on one-hot labels, (n + k · n, classes, h, w).

        It gives what `self.blocks[0]` would, at a fraction of the cost: most pixels are here.
        """
        # The 1×1 convolution W is linear, so the batch mean and variance of its output follow from
        # those of its input x: mean W·m and variance diag(W·(E[xxᵀ] - mmᵀ)·Wᵀ).  Of one-hot labels
        # E[x] and E[xxᵀ] are the frequencies of the classes, so only the anchor's pixels have to
        # be summed.  With both known, the norm is a scale and an offset that W takes in.
        # Behind it a one-hot pixel can only be one of `classes` vectors (`table`), whose product
        # with the 3×3 kernel is a kernel on the one-hot labels themselves (`both`): two layers in
        # one convolution.  Ignored pixels are all zero, hence one class more, which is bias alone.
        # E[xxᵀ] - mmᵀ is taken in float64, or it would cancel to rounding noise.
        block = cast("nn.Sequential", self.blocks[0])
        mix, norm = cast("nn.Conv2d", block[0]), cast("nn.BatchNorm2d", block[1])
        halve = cast("nn.Conv2d", block[3])
        classes, repeats = anchor.shape[1], len(labels) // len(anchor)
        # One more class for ignored pixels, whose channels are all 0.
        labels = torch.where(known.repeat(repeats, 1, 1), labels, classes)
        with torch.autocast(anchor.device.type, enabled=False):
            counts = count_labels(labels, classes + 1)[:classes]
            flat = anchor.float().flatten(2)
            pixels = (1 + repeats) * known.numel()
            mean = (flat.sum((0, 2)).double() + counts) / pixels
            moments = ((flat @ flat.mT).sum(0).double() + counts.diag()) / pixels
            weight = mix.weight.flatten(1).double()
            variance = ((weight @ (moments - mean.outer(mean))) * weight).sum(1)
            scale = norm.weight / (variance + norm.eps).sqrt()
            weight = weight * scale[:, None]
            bias = norm.bias - weight @ mean
            # What comes out of the ReLU for each class, and for an ignored pixel.
            table = functional.relu(torch.cat((weight + bias[:, None], bias[:, None]), dim=1))
            weight, bias, table = weight.float(), bias.float(), table.float()
            both = torch.einsum("okyx,kc->ocyx", halve.weight.float(), table)
            mixed = torch.baddbmm(bias[:, None], weight.expand(len(flat), -1, -1), flat)
        if is_free_to_read(known) and bool(known.all()):
            both = both[:, :classes].contiguous()
        places = functional.pad(labels[:, None].float(), (1, 1, 1, 1), mode="reflect").long()
        hot = anchor.new_zeros((len(labels), both.shape[1], *places.shape[2:]))
        hot.scatter_(1, places, 1.0)
        ours = halve(functional.relu(mixed.view_as(anchor)))
        theirs = functional.conv2d(hot, both, stride=2)
        halved: Tensor = block[4:](torch.cat((ours, theirs)))
        return halved


def _forget_statistics(
    _: nn.Module,
    state: dict[str, Any],
    prefix: str,
    *__: Any,  # noqa: ANN401 - PyTorch gives more than is needed
) -> None:
    """Take running statistics out of what is loaded: older checkpoints have them."""
    for name in [name for name in state if name.startswith(prefix)]:
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            del state[name]


def sam_cl_loss(
    logits: Tensor,
    labels: Tensor,
    swap: Tensor,
    auxiliary: Auxiliary,
    *,
    margin: float = 1.0,
    triplets: Triplets = "place",
    temperature: float = 1.0,
    regions: RegionMutualInformation | None = None,
) -> Tensor:
    """L_s0 + L_s1 + L_s2 + L_s3 with L_s = max(d(Y, Y⁺) - d(Y, Y⁻) + m, 0) (Joshi 2022, eqs. 2, 3).

    d at scale 0 is RMI on logits, at the other scales the cross-entropy between the feature maps
    of the auxiliary network, taken as distributions over its channels.  The anchor Y is the
    softmax of the logits, Y⁺ the one-hot truth and Y⁻ that truth with its classes swapped.

    Parameters
    ----------
    logits
        (n, classes, h, w).
    labels
        (n, h, w), integer; negative ones and those not below `classes` are ignored.
    swap
        (n, classes) int64, of `derangements`: in picture i, class c becomes class swap[i, c].
    auxiliary
        Computes the features, as `AuxiliaryNetwork` does.
    margin
        m: by how much the truth must be nearer than the swapped truth, at each scale.
    triplets
        What one triplet is: each place (pixel or place of a feature map; region terms are those of
        its picture), or the whole batch, as in the released code.
    temperature
        Divides the features before they are taken as distributions.
    regions
        Region terms of the same logits and labels, where they are computed already.

    Returns
    -------
    Scalar, float32 or better whatever the precision of training.

    Raises
    ------
    ValueError
        If the shapes do not match, or the picture is smaller than 7×7.
    """
    if regions is None:
        regions = RegionMutualInformation(logits, labels)
    classes, count = logits.shape[1], len(logits)
    if swap.shape != (count, classes):
        raise ValueError(f"swap must be {(count, classes)}, got {tuple(swap.shape)}")
    truth, known = known_labels(labels, classes)
    swapped = swap.gather(1, truth.flatten(1)).view_as(truth)

    both = logits.gather(1, torch.stack((truth, swapped), dim=1)).float()
    apart = (regions.bounds - regions.swapped_bounds(swap)).sum(1)
    total = finest_term(both[:, 1] - both[:, 0], apart, known, margin, triplets)

    anchor = torch.where(known[:, None], logits.float().softmax(1), 0)
    counts = known[:, None].float()
    for features in auxiliary(anchor, torch.stack((truth, swapped)), known):
        # A place counts if the convolution that made it has seen any pixel that does.
        counts = functional.max_pool2d(counts, 3, 2, padding=1)
        with torch.autocast(logits.device.type, enabled=False):
            maps = features.float() / temperature
            positive, negative = maps[count:].softmax(1).chunk(2)
            gaps = (maps[:count] * (negative - positive)).sum(1)
            total = total + _mean_hinge(gaps, counts[:, 0] > 0, margin, triplets)
    return total


def finest_term(
    ahead: Tensor, apart: Tensor, known: Tensor, margin: float, triplets: Triplets
) -> Tensor:
    """Compute L_s0, whose d is RMI.

    Parameters
    ----------
    ahead
        (n, h, w), how much the swapped class is ahead of the true one, logits.
    apart
        (n,), how much higher the region terms with the truth are than with the swapped.
    known
        (n, h, w), which pixels count.
    margin, triplets
        As in `sam_cl_loss`.
    """
    # d = λ·BCE + (1 - λ)·region terms.  With BCE(x, t) = softplus(x) - t·x the softplus cancels in
    # d(Y, Y⁺) - d(Y, Y⁻) and the swapped logit less the true one is left: `ahead`.  One more pixel
    # in the denominator, as in `bce_loss`.
    pixels = known.sum() + 1
    region_weight = 1 - RMI_LAMBDA
    if triplets == "batch":
        ahead = torch.where(known, ahead, 0).sum() / pixels
        return functional.relu(RMI_LAMBDA * ahead + region_weight * apart.mean() + margin)
    gaps = RMI_LAMBDA * ahead + region_weight * apart[:, None, None] + margin
    return torch.where(known, functional.relu(gaps), 0).sum() / pixels


def _mean_hinge(gaps: Tensor, known: Tensor, margin: float, triplets: Triplets) -> Tensor:
    """Compute L_s of a coarser scale from the difference of its distances and what counts."""
    places = known.sum().clamp_min(1)
    if triplets == "batch":
        return functional.relu(torch.where(known, gaps, 0).sum() / places + margin)
    return torch.where(known, functional.relu(gaps + margin), 0).sum() / places


class SamClLoss(nn.Module):
    """`sam_cl_loss` with an auxiliary network that learns beside the segmentation network.

    The anchor is differentiable (softmax, not argmax) and the swap is a true derangement for each
    picture; in the released code of the paper neither holds, so that its term trains nothing.
    """

    def __init__(
        self,
        num_classes: int,
        margin: float = 1.0,
        triplets: Triplets = "place",
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the auxiliary network; its weights belong into the optimiser too.

        Parameters
        ----------
        num_classes
            Channels of the logits.
        margin, triplets, temperature
            As in `sam_cl_loss`.  On the phantom the term of whole batches is 0 after some hundred
            iterations, and gains nothing.
        generator
            Draws the swaps; PyTorch's own on the CPU when None.
        """
        super().__init__()
        self.num_classes = num_classes
        self.margin = margin
        self.triplets = triplets
        self.temperature = temperature
        self.generator = generator
        self.auxiliary = AuxiliaryNetwork(num_classes)

    def forward(
        self, logits: Tensor, labels: Tensor, regions: RegionMutualInformation | None = None
    ) -> Tensor:
        """Compute the loss with a swap drawn for each picture.

        Parameters
        ----------
        logits
            (n, num_classes, h, w).
        labels
            (n, h, w), integer; negative ones and those not below `num_classes` are ignored.
        regions
            Region terms of the same logits and labels, where they are computed already.

        Raises
        ------
        ValueError
            If the shapes do not match, or the picture is smaller than 7×7.
        """
        if logits.ndim != 4 or logits.shape[1] != self.num_classes:
            raise ValueError(
                f"logits must have {self.num_classes} classes, got {tuple(logits.shape)}"
            )
        swap = derangements(len(logits), self.num_classes, self.generator)
        return sam_cl_loss(
            logits,
            labels,
            swap.to(logits.device, non_blocking=True),
            self.auxiliary,
            margin=self.margin,
            triplets=self.triplets,
            temperature=self.temperature,
            regions=regions,
        )
