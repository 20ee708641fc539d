"""ContrastiveSeg: pixels of one class near each other, all others far (Wang et al., ICCV 2021).

The loss is eq. (1) of Joshi et al., BMVC 2022, on embeddings of pixels: what the network computes
just before its class scores, projected onto a unit sphere.  Anchors are drawn half from pixels that
are predicted wrongly; they are compared with one another and with embeddings of earlier batches.
Constants are those of the published code where nothing else is said; it compares 256 channels and
remembers 5000 pixels and regions per class, where `ObjectiveConfig` has 64 and 512 for small
networks.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from thermoseg.errors import ConfigError

GRID_PX: Final = 4
"""Distance of the pixels that are looked at; HRNet's embeddings, the published ones, are as far."""
MOST_ANCHORS: Final = 1024
"""Most anchors of a batch, divided evenly among the classes of its pictures."""
ANCHORS_PER_CLASS: Final = 100
"""Most anchors of one class in one picture."""
REMEMBERED_PIXELS: Final = 10
"""Pixels kept in memory of one class in one picture, beside the mean of its region."""


def pixel_contrast(
    embeddings: Tensor,
    labels: Tensor,
    temperature: float = 0.1,
    remembered: Tensor | None = None,
    remembered_labels: Tensor | None = None,
) -> Tensor:
    """Supervised contrastive loss between pixels (Joshi et al., BMVC 2022, eq. 1).

    For each anchor y, the mean over its positives y⁺ of
    -log(exp(y·y⁺/τ) / (exp(y·y⁺/τ) + Σ_y⁻ exp(y·y⁻/τ))), and then the mean over anchors.  Positives
    are the other pixels of its class, negatives those of all other classes; an anchor without
    positives counts for nothing.

    Parameters
    ----------
    embeddings
        (anchors, channels) of unit length.
    labels
        (anchors,) integer.
    temperature
        τ.
    remembered, remembered_labels
        (others, channels) of unit length and (others,): more positives and negatives.

    Returns
    -------
    Scalar, float32 or better whatever the precision of training; 0 if no anchor has a positive.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"embeddings must be (anchors, channels) and labels (anchors,), "
            f"got {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )
    with torch.autocast(embeddings.device.type, enabled=False):
        ours = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
        others, other_labels = ours, labels
        if remembered is not None and remembered_labels is not None:
            others = torch.cat((ours, remembered.to(ours.dtype)))
            other_labels = torch.cat((labels, remembered_labels.to(labels.dtype)))
        scores = ours @ others.T / temperature
        same = labels[:, None] == other_labels
        lowest = torch.finfo(scores.dtype).min
        negatives = scores.masked_fill(same, lowest).logsumexp(1)
        # The fraction's logarithm is -softplus(log of the negatives' sum - y·y⁺/τ).
        positives = same.clone().fill_diagonal_(fill_value=False)
        anchor, positive = positives.nonzero(as_tuple=True)
        losses = functional.softplus(negatives[anchor] - scores[anchor, positive])
        counts = positives.sum(1)
        means = losses.new_zeros(len(ours)).index_add(0, anchor, losses) / counts.clamp_min(1)
        return means.sum() / (counts > 0).sum().clamp_min(1)


def draw_anchors(
    labels: Tensor,
    predicted: Tensor,
    classes: int,
    most: int = MOST_ANCHORS,
    per_class: int = ANCHORS_PER_CLASS,
) -> Tensor:
    """Draw pixels, half of them wrong, evenly from the classes of each picture.

    Where one half has too few pixels, the other gives more; unlike in the published code, a
    class with fewer than `per_class` pixels gives all it has instead of none.

    Parameters
    ----------
    labels, predicted
        (n, places) integer; labels that are negative or not below `classes` are never drawn.
    classes
        How many there are.
    most
        Anchors of the batch.
    per_class
        Anchors of a class in a picture.

    Returns
    -------
    (anchors,) int64 places in the flattened labels, ascending.
    """
    # A group is a class in a picture; each present group may give `quota` anchors, so that a class
    # of few pixels weighs as much as the chin.  Half of them should be wrong pixels ("hard"), the
    # other half right ones; where one half has fewer than that, the other fills the quota.  The
    # draw itself is a cut of random ranks at what each half-group may give: ranks are drawn within
    # all half-groups at once, without a loop over pictures and classes.
    group, known = _groups(labels, classes)
    present = torch.bincount(group[known], minlength=len(labels) * classes) > 0
    quota = min(per_class, most // max(int(present.sum()), 1))
    easy = (labels == predicted).flatten()
    half_group = 2 * group + easy
    counts = torch.bincount(half_group[known], minlength=2 * len(present)).view(-1, 2)
    hard_count, easy_count = counts.unbind(1)
    keep_hard = hard_count.minimum((quota - easy_count).clamp_min(quota // 2))
    keep_easy = easy_count.minimum(quota - keep_hard)
    keep = torch.stack((keep_hard, keep_easy), dim=1).flatten()
    places = known.nonzero()[:, 0]
    chosen = _random_ranks(half_group[places]) < keep[half_group[places]]
    return places[chosen]


class Queue(nn.Module):
    """The newest embeddings of each class; kept in buffers, so checkpoints hold them."""

    rows: Tensor
    filled: Tensor
    place: Tensor

    def __init__(self, classes: int, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(classes, size, channels))
        self.register_buffer("filled", torch.zeros(classes, dtype=torch.int64))
        self.register_buffer("place", torch.zeros(classes, dtype=torch.int64))

    @torch.no_grad()
    def push(self, embeddings: Tensor, labels: Tensor) -> None:
        """Add (m, channels) with (m,) labels in place of the oldest of their classes."""
        # A ring buffer per class: `place` is where the oldest lies.  More than `size` at once would
        # write over themselves in an order that CUDA leaves open, so only the newest of them are
        # taken.
        classes, size, _ = self.rows.shape
        if size == 0:
            return
        for label in range(classes):
            fresh = embeddings[labels == label][-size:]
            places = (self.place[label] + torch.arange(len(fresh), device=fresh.device)) % size
            self.rows[label, places] = fresh.to(self.rows.dtype)
            self.place[label] = (self.place[label] + len(fresh)) % size
            self.filled[label] = (self.filled[label] + len(fresh)).clamp_max(size)

    def contents(self) -> tuple[Tensor, Tensor]:
        """Return what is there: (m, channels) and (m,) labels."""
        classes, size, _ = self.rows.shape
        there = torch.arange(size, device=self.rows.device) < self.filled[:, None]
        labels = torch.arange(classes, device=self.rows.device)[:, None].expand(classes, size)
        return self.rows[there], labels[there]


class PixelContrast(nn.Module):
    """Projection head, hard anchor sampling and memory around `pixel_contrast`."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        channels: int = 64,
        memory: int = 512,
        temperature: float = 0.1,
    ) -> None:
        """Build the head; its weights belong into the optimiser too.

        Parameters
        ----------
        num_classes
            Channels of the logits.
        in_channels
            Channels of the network's features.
        channels
            Channels of the projected embeddings; published with 256.
        memory
            Pixels, and as many regions, remembered per class; 0 compares within a batch only.
            Published with 5000.
        temperature
            τ of eq. (1).
        """
        super().__init__()
        self.num_classes = num_classes
        self.temperature = temperature
        self.head = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 1),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, channels, 1),
        )
        self.pixels = Queue(num_classes, memory, channels)
        self.regions = Queue(num_classes, memory, channels)

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, then remember this batch if training.

        Parameters
        ----------
        features
            (n, in_channels, any h, any w) of the same pictures; may be coarser than the labels,
            and may reach beyond them at the bottom and the right, where networks pad.
        logits
            (n, num_classes, h, w).
        labels
            (n, h, w), integer; negative ones and those not below `num_classes` are ignored.

        Returns
        -------
        Scalar; 0 if nothing is labelled.
        """
        (feature_rows, rows), (feature_columns, columns) = (
            _grid(inside, outside, labels.device)
            for inside, outside in zip(features.shape[2:], labels.shape[1:], strict=True)
        )
        projected = self.head(features[:, :, feature_rows[:, None], feature_columns].float())
        truth = labels[:, rows[:, None], columns].long().flatten(1)
        predicted = logits.detach()[:, :, rows[:, None], columns].argmax(1).flatten(1)
        with torch.autocast(projected.device.type, enabled=False):
            vectors = functional.normalize(projected.float(), dim=1)
            vectors = vectors.flatten(2).transpose(1, 2).reshape(-1, projected.shape[1])
        places = draw_anchors(truth, predicted, self.num_classes)
        (old_pixels, pixel_labels), (old_regions, region_labels) = (
            self.pixels.contents(),
            self.regions.contents(),
        )
        loss = pixel_contrast(
            vectors[places],
            truth.flatten()[places],
            self.temperature,
            torch.cat((old_pixels, old_regions)),
            torch.cat((pixel_labels, region_labels)),
        )
        if self.training:
            self._remember(vectors.detach(), truth)
        # Without anchors too, every weight of the head must get a gradient when ranks meet.
        return loss + 0 * vectors.sum()

    @torch.no_grad()
    def _remember(self, vectors: Tensor, truth: Tensor) -> None:
        """Store some pixels and the mean of each region, (n · places, channels)."""
        # Both kinds of memory of ContrastiveSeg (Wang et al., ICCV 2021): a few pixels of each
        # class in each picture, and the mean of all of them, brought back to unit length, as the
        # loss compares cosines.
        group, known = _groups(truth, self.num_classes)
        places = known.nonzero()[:, 0]
        group, vectors = group[places], vectors[places]
        few = _random_ranks(group) < REMEMBERED_PIXELS
        self.pixels.push(vectors[few], group[few] % self.num_classes)
        sums = vectors.new_zeros(len(truth) * self.num_classes, vectors.shape[1])
        sums.index_add_(0, group, vectors)
        present = torch.bincount(group, minlength=len(sums)).nonzero()[:, 0]
        means = functional.normalize(sums[present], dim=1)
        self.regions.push(means, present % self.num_classes)


class FeatureTap:
    """Keeps the features from which a network computes its class scores, whatever network it is.

    They are the input of its last convolution with as many outputs as there are classes.
    """

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        """Listen to `network`.

        Parameters
        ----------
        network
            Any; it is changed by nothing but a hook.
        num_classes
            Channels of its logits.

        Raises
        ------
        ConfigError
            If it has no such convolution.
        """
        found = [
            module
            for module in network.modules()
            if isinstance(module, nn.Conv2d) and module.out_channels == num_classes
        ]
        if not found:
            raise ConfigError(
                f"objective.contrastive: {type(network).__name__} has no convolution with "
                f"{num_classes} outputs before which pixels could be compared; set it to 0"
            )
        self.channels = found[-1].in_channels
        self._features: Tensor | None = None
        found[-1].register_forward_pre_hook(self._keep)

    def take(self) -> Tensor:
        """Return the features of the last pass that can be learnt from, once.

        Raises
        ------
        ValueError
            If there has been none since.
        """
        if self._features is None:
            raise ValueError("run the network with gradients before its features are taken")
        features, self._features = self._features, None
        return features

    def _keep(self, _: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            self._features = arguments[0]


def _grid(inside: int, outside: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Choose places along one side of the features, and the pixels they stand for."""
    pixels = max(1, round(outside / inside))
    step = max(1, GRID_PX // pixels)
    places = torch.arange(step // 2, inside, step, device=device)
    middles = places * pixels + pixels // 2
    there = middles < outside
    return places[there], middles[there]


def _groups(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Number the classes of each picture, flattened; and tell which places have one."""
    known = ((labels >= 0) & (labels < classes)).flatten()
    picture = torch.arange(len(labels), device=labels.device)[:, None]
    group = (picture * classes + labels).flatten()
    return torch.where(known, group, 0), known


def _random_ranks(groups: Tensor) -> Tensor:
    """Give each element a random place, from 0, in a queue of its group."""
    # Elements in a random order, sorted by group without disturbing that order, stand in queues
    # one behind the other; a rank is the place in the sorted row less where the own queue begins.
    # Drawn on the CPU, so that a seed gives the same ranks on every device.
    shuffled = torch.randperm(len(groups)).to(groups.device)
    order = shuffled[groups[shuffled].argsort(stable=True)]
    counts = torch.bincount(groups)
    first = counts.cumsum(0) - counts
    ranks = torch.empty_like(groups)
    ranks[order] = torch.arange(len(groups), device=groups.device) - first[groups[order]]
    return ranks
