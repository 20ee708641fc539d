"""Losses learnt beside the network: SegAN and SegGAN (Joshi et al., BMVC 2022, Table 1).

Both hold networks that exist in training only and have an optimiser of their own.  Each iteration
first trains the segmentation network on `network_loss`, in which they stand still, and then them on
`critic_loss`, in which the prediction stands still.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final, Protocol, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from thermoseg.networks.unet import UNet
from trainer.config import ObjectiveConfig

CLIP: Final = 0.05
"""Largest weight of SegAN's critic (Xue et al., 2018, released code)."""
LEVELS: Final = 4
"""Blocks of a critic, each of stride 2."""
BETAS: Final = (0.5, 0.999)
"""Decay rates (β₁, β₂) of the critics' Adam (Xue et al., 2018)."""
ADVERSARIAL_WEIGHT: Final = 0.01
"""Weight of SegGAN's discriminator against the L1 distance (Isola et al., CVPR 2017: 1 to 100)."""


def multi_scale_l1(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """Mean over layers of the mean absolute difference (Xue et al., 2018, eq. 1 and 2).

    Parameters
    ----------
    ours, theirs
        Feature maps of the same shapes, one pair for each layer.

    Returns
    -------
    Scalar, float32.
    """
    distances = [
        functional.l1_loss(a.float(), b.float()) for a, b in zip(ours, theirs, strict=True)
    ]
    return torch.stack(distances).mean()


class Pyramid(nn.Module):
    """Convolutions of stride 2, widths doubling; gives the feature maps of every level.

    Normalised by each batch's own statistics, so there is nothing to remember between batches.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        widths = [in_channels, *(width * 2**level for level in range(LEVELS))]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 4, stride=2, padding=1),
                nn.BatchNorm2d(after, track_running_stats=False) if level else nn.Identity(),
                nn.LeakyReLU(0.2),
            )
            for level, (before, after) in enumerate(pairwise(widths))
        )

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Map (n, in_channels, h, w) to four maps, finest first."""
        features = []
        for level in self.levels:
            maps = level(maps)
            features.append(maps)
        return features


class SegAn(nn.Module):
    """SegAN: features of the picture masked by the prediction against those masked by the truth.

    min over the network, max over the critic C of Σ_layers |C(x∘P) - C(x∘Y)| (Xue et al.,
    Neuroinformatics 2018, eq. 1), where x∘P are as many copies of the picture as there are classes,
    each multiplied with the probability of one.  Weights of the critic are clipped to ±0.05, and
    with them the scales of its norms: behind a norm of scale 1 the clipping of convolutions bounds
    nothing, and a critic that blows up every difference leaves the network nowhere to go.
    Pictures are in [-1, 1] here and are moved to [0.5, 1.5] first, or a mask on a temperature of 0
    could not be seen.

    A mean of absolute differences is smallest at the class that is likeliest, so by itself it finds
    no eyes and no mouth; the released code of the publication adds a DICE loss, and so does
    `trainer.published`.
    """

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.critic = Pyramid(num_classes, width)
        self.restrain()

    def critic_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        """Return the negated distance, which the critic makes small.

        Parameters
        ----------
        images
            (n, 1, h, w) in [-1, 1].
        masks
            (n, classes, h, w), predicted probabilities without a gradient.
        truth
            (n, classes, h, w), one-hot.
        """
        ours, theirs = _masked(images, masks), _masked(images, truth)
        return -multi_scale_l1([ours, *self.critic(ours)], [theirs, *self.critic(theirs)])

    def network_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        """Return the distance, which the network makes small; shapes as in `critic_loss`."""
        ours, theirs = _masked(images, masks), _masked(images, truth)
        return multi_scale_l1(
            [ours, *_frozen(self.critic, ours)], [theirs, *_frozen(self.critic, theirs)]
        )

    @torch.no_grad()
    def restrain(self) -> None:
        """Clip the critic's weights."""
        for weight in self.parameters():
            weight.clamp_(-CLIP, CLIP)


class SegGan(nn.Module):
    """SegGAN: a picture painted from the predicted masks must look like the picture itself.

    A generative network that has learnt how pictures follow from true masks tells by that whether
    predicted masks belong to a picture (Zhang et al., BigMM 2018, abstract; it is what Table 1
    cites, and not Luc et al., 2016, where a discriminator tells true masks from predicted ones).
    The generator G, here a U-Net, makes |G(Y) - x| + 0.01·softplus(-D(G(Y), Y)) small for pictures
    x, true masks Y and a discriminator D(picture, masks); the network's loss is |G(P) - x|.

    The publication trains G and D beforehand, and the segmentation network too.  Here both happen
    in the first `seg_gan_from` of a run: the network learns from its other losses alone, G and D
    from true masks.  Those other losses stay to the end: |G(P) - x| by itself is small for whatever
    masks a picture can be painted from, and a network that is free to choose finds a code of its
    own which is no segmentation.
    """

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.generator = UNet(1, width, num_classes)
        self.discriminator = nn.Sequential(
            LastOf(Pyramid(num_classes + 1, width)),
            nn.Conv2d(width * 2 ** (LEVELS - 1), 1, 3, padding=1),
        )

    def critic_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:  # noqa: ARG002
        """Return the losses of generator and discriminator, summed; arguments as in SegAN."""
        # Generator and discriminator are learnt in one backward pass: the discriminator does not
        # see how its fake was made (`detach`), and the generator's gradient passes through a
        # discriminator whose weights are frozen, so each gets the gradient of its own loss only.
        painted = self.generator(truth)
        real = self.discriminator(torch.cat((images, truth), dim=1))
        fake = self.discriminator(torch.cat((painted.detach(), truth), dim=1))
        scores = _frozen(self.discriminator, torch.cat((painted, truth), dim=1))
        discrimination = (
            functional.softplus(-real.float()).mean() + functional.softplus(fake.float()).mean()
        )
        adversarial = _softplus(-scores)
        return (
            functional.l1_loss(painted.float(), images.float())
            + ADVERSARIAL_WEIGHT * adversarial
            + discrimination
        )

    def network_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:  # noqa: ARG002
        """Return how far the picture painted from the prediction is; arguments as in SegAN."""
        painted: Tensor = _frozen(self.generator, masks)
        return functional.l1_loss(painted.float(), images.float())

    def restrain(self) -> None:
        """Do nothing: its weights are free."""


class Rival(Protocol):
    """A loss that is learnt; shapes as in `SegAn.critic_loss`."""

    def critic_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        """Return what its own weights make small."""
        ...

    def network_loss(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        """Return what the network makes small, without a gradient for its own weights."""
        ...

    def restrain(self) -> None:
        """Bring its weights within their bounds again."""
        ...


class LastOf(nn.Module):
    """The coarsest feature map of a pyramid."""

    def __init__(self, pyramid: Pyramid) -> None:
        super().__init__()
        self.pyramid = pyramid

    def forward(self, maps: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, 8 · width, h / 16, w / 16)."""
        features: list[Tensor] = self.pyramid(maps)
        return features[-1]


class Critics(nn.Module):
    """The adversarial losses that are configured, with the optimiser of what they learn.

    Its state holds the optimiser's too.  Computes in float32 whatever the precision of training.
    """

    def __init__(self, config: ObjectiveConfig, num_classes: int) -> None:
        """Build those whose weight is not zero.

        Parameters
        ----------
        config
            Their weights, width and learning rate.
        num_classes
            Channels of the logits.

        Raises
        ------
        ValueError
            If both weights are zero.
        """
        super().__init__()
        self.num_classes = num_classes
        kinds: dict[str, tuple[float, type[SegAn | SegGan]]] = {
            "seg_an": (config.seg_an, SegAn),
            "seg_gan": (config.seg_gan, SegGan),
        }
        self.weights = {name: weight for name, (weight, _) in kinds.items() if weight > 0}
        self._joins = {"seg_an": 0.0, "seg_gan": config.seg_gan_from}
        if not self.weights:
            raise ValueError("seg_an and seg_gan have weight 0; there is nothing to learn")
        self.rivals = nn.ModuleDict(
            {name: kinds[name][1](num_classes, config.critic_width) for name in self.weights}
        )
        self._optimiser = torch.optim.Adam(self.parameters(), config.critic_learning_rate, BETAS)

    def network_loss(
        self, images: Tensor, logits: Tensor, labels: Tensor, progress: float = 1.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the network's weighted sum, and each part by name, detached and unweighted.

        No gradient reaches the critics.

        Parameters
        ----------
        images
            (n, 1, h, w), as the network sees them.
        logits
            (n, classes, h, w).
        labels
            (n, h, w), integer; ignored pixels are masked out of everything.
        progress
            Fraction of the run that is over, 0-1.  Before `config.seg_gan_from` SegGAN's part is
            reported and counts nothing in the sum.
        """
        with torch.autocast(images.device.type, enabled=False):
            pictures, masks, truth = _masks(images, logits, labels, self.num_classes)
            parts = {
                name: rival.network_loss(pictures, masks, truth)
                for name, rival in self._named().items()
            }
        weights = {
            name: weight if progress >= self._joins[name] else 0.0
            for name, weight in self.weights.items()
        }
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: part.detach() for name, part in parts.items()}

    def learn(
        self,
        images: Tensor,
        logits: Tensor,
        labels: Tensor,
        average: Callable[[list[Tensor]], None] | None = None,
    ) -> dict[str, Tensor]:
        """Change the critics' weights once; return by name what they make small, detached.

        Arguments are those of `network_loss`, and nothing reaches the network; `average`, if
        given, makes the gradients the mean of those of all processes, in place.
        """
        with torch.autocast(images.device.type, enabled=False):
            pictures, masks, truth = _masks(images, logits.detach(), labels, self.num_classes)
            losses = {
                f"{name}_critic": rival.critic_loss(pictures, masks, truth)
                for name, rival in self._named().items()
            }
            total = torch.stack(list(losses.values())).sum()
            self._optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
        if average is not None:
            average([weight.grad for weight in self.parameters() if weight.grad is not None])
        self._optimiser.step()
        for rival in self._named().values():
            rival.restrain()
        return {name: loss.detach() for name, loss in losses.items()}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the optimiser's state, for checkpoints."""
        return self._optimiser.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the optimiser's state back."""
        self._optimiser.load_state_dict(state)

    def _named(self) -> dict[str, Rival]:
        return cast("dict[str, Rival]", dict(self.rivals.items()))


def _masks(
    images: Tensor, logits: Tensor, labels: Tensor, classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return pictures, probabilities and one-hot truth, all 0 where a pixel is ignored."""
    labels = labels.long()[:, None]
    known = ((labels >= 0) & (labels < classes)).float()
    masks = logits.float().softmax(1) * known
    truth = torch.zeros_like(masks).scatter_(1, labels.clamp(0, classes - 1), known)
    return images.float() * known, masks, truth


def _masked(images: Tensor, masks: Tensor) -> Tensor:
    # Images in [-1, 1] become 0.5 to 1.5: a cold pixel inside a mask must differ from the 0
    # outside.
    return (images / 2 + 1) * masks


def _softplus(scores: Tensor) -> Tensor:
    return functional.softplus(scores.float()).mean()


def _frozen(module: nn.Module, maps: Tensor) -> Any:  # noqa: ANN401 - what the module returns
    """Run `module` so that gradients reach `maps` but not its weights."""
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return functional_call(module, weights, (maps,))
