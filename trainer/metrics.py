"""Metrics of segmentation: intersection over union of each face region."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import FACE_REGIONS, NUM_CLASSES

NO_LABEL: Final = 255
"""Label of pixels that count for nothing: of no region, not of the background."""


class Confusion:
    """Counts of pixels by true and predicted label, over as many pictures as are added."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
        """(truth, prediction)."""

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        """Count the pixels of one or more pictures of any shape; label 255 is left out.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        if truth.shape != predicted.shape:
            raise ValueError(f"shapes must be equal, got {truth.shape} and {predicted.shape}")
        # A confusion matrix by one histogram: (truth, prediction) as a number of two digits to the
        # base of the classes.  Pixels are summed over all pictures before anything is divided, so a
        # picture in which a region is small counts as little as it has pixels of it.
        known = truth != NO_LABEL
        pairs = truth[known].astype(np.int64) * NUM_CLASSES + predicted[known]
        self.counts += np.bincount(pairs, minlength=NUM_CLASSES**2).reshape(self.counts.shape)

    def scores(self) -> "Scores":
        """Compute the overlaps of everything added so far."""
        # IoU = TP / (TP + FP + FN): the row sum holds TP + FN, the column sum TP + FP, and TP is in
        # both.  0 / 0, a region that neither shows, is NaN and no zero that would lower the mean.
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        with np.errstate(invalid="ignore"):
            overlap = np.where(union > 0, hits / union, np.nan)
        regions = {region.label: float(overlap[region]) for region in FACE_REGIONS}
        shown = [value for value in regions.values() if not np.isnan(value)]
        return Scores(
            mean_iou=float(np.mean(shown)) if shown else float("nan"),
            iou=regions,
            background=float(overlap[0]),
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """Intersection over union; NaN for a region that neither truth nor prediction shows."""

    mean_iou: float
    """Mean over those of the five face regions that truth or prediction show."""
    iou: dict[str, float]
    """Intersection over union by region name."""
    background: float = float("nan")
    """Intersection over union of the background; not part of the mean."""

    def __str__(self) -> str:
        parts = " ".join(f"{name} {value:.3f}" for name, value in self.iou.items())
        return f"mIoU {self.mean_iou:.3f} ({parts})"
