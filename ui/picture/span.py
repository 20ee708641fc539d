"""Which temperatures the first and the last colour stand for."""

from enum import Enum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PERCENTILES: Final = (0.5, 99.5)
"""Percentiles of the scene that get the first and last colour; few dead or burning pixels must not
set them."""

FACE_PERCENTILES: Final = (2.0, 99.0)
"""The same of the face; the tip of a cold nose may saturate, veins and nostrils may not."""

FACE_BELOW: Final = 1.0
FACE_ABOVE: Final = 0.3
"""Room below and above the face for hair, ears and warm corners, in spans of the face."""

FACE_PIXELS: Final = 60
"""Fewest pixels that count as a face."""

FACE_HELD_S: Final = 3.0
"""A face that is lost keeps the colours for so long."""

SETTLING_S: Final = 1.5
"""Time constant with which the colours follow the scene: colours that follow every frame make a
steady face flicker."""

MARGIN: Final = 0.04
"""Share of the span that is added on both sides of the scene."""

MIN_SPAN_K: Final = 2.0
"""Narrowest automatic span; below it the picture would show little but noise."""

MIN_SPAN_COUNTS: Final = 8.0
"""The same where pixels are relative counts."""

SAMPLES: Final = 12_000
"""Pixels looked at, about; the percentiles of so many are good to a few hundredths of the span."""

Limits = tuple[float, float]


class SpanMode(Enum):
    """Source of the limits; the value is its name in the window."""

    FACE = "Face"
    """The face, or the scene while there is none."""
    SCENE = "Scene"
    LOCKED = "Locked"
    """The user."""


class Span:
    """Follows the face or the scene slowly, or stays where the user put it."""

    def __init__(self) -> None:
        self.mode = SpanMode.FACE
        """Source of the limits."""
        self._limits: Limits | None = None
        self._time_s = 0.0
        self._face: Limits | None = None
        self._face_at_s = 0.0

    @property
    def limits(self) -> Limits | None:
        """Temperatures of the first and last colour, °C or counts; None before any picture."""
        return self._limits

    def lock(self, low: float, high: float) -> None:
        """Hold these limits from now on.

        Raises
        ------
        ValueError
            If `low` is not below `high`.
        """
        if not low < high:
            raise ValueError(f"the colours need low < high, got {low} and {high}")
        self._limits, self.mode = (low, high), SpanMode.LOCKED

    def forget(self) -> None:
        """Start anew with the next picture: another source."""
        self._limits = self._face = None
        if self.mode is SpanMode.LOCKED:
            self.mode = SpanMode.FACE

    def follow(
        self,
        celsius: NDArray[np.float32],
        labels: NDArray[np.uint8] | None,
        time_s: float,
        radiometric: bool,
    ) -> Limits:
        """Look at the next picture and return the limits to draw it with.

        Parameters
        ----------
        celsius
            (height, width), °C or counts; NaN is left out.
        labels
            (height, width), regions of the face; None if unknown.
        time_s
            `Frame.time_s`; a step back or of several seconds sets the limits at once.
        radiometric
            Whether `celsius` holds °C.
        """
        # First-order low-pass in time: after `elapsed_s` a fraction 1 - exp(-elapsed / SETTLING_S)
        # of the way is done, so the colours settle alike at 9 and at 60 Hz.  A gap longer than
        # three such times has nothing to be continued.
        if self.mode is SpanMode.LOCKED and self._limits is not None:
            return self._limits
        least = MIN_SPAN_K if radiometric else MIN_SPAN_COUNTS
        wanted = self._wanted(celsius, labels, time_s, least)
        if wanted is None:
            return self._limits or (0.0, 1.0)
        elapsed_s, self._time_s = time_s - self._time_s, time_s
        if self._limits is None or not 0 <= elapsed_s < 3 * SETTLING_S:
            self._limits = wanted
        else:
            share = 1 - float(np.exp(-elapsed_s / SETTLING_S))
            low, high = self._limits
            self._limits = low + share * (wanted[0] - low), high + share * (wanted[1] - high)
        return self._limits

    def _wanted(
        self,
        celsius: NDArray[np.float32],
        labels: NDArray[np.uint8] | None,
        time_s: float,
        least: float,
    ) -> Limits | None:
        if self.mode is SpanMode.FACE:
            face = None if labels is None else _face_limits(celsius, labels, least)
            if face is not None:
                self._face, self._face_at_s = face, time_s
            if self._face is not None and 0 <= time_s - self._face_at_s < FACE_HELD_S:
                return self._face
        scene = _percentiles(celsius, PERCENTILES)
        if scene is None:
            return None
        margin = MARGIN * (scene[1] - scene[0])
        return _widened(scene, least, margin, margin)


def _face_limits(
    celsius: NDArray[np.float32], labels: NDArray[np.uint8], least: float
) -> Limits | None:
    # Only the bounding box of the face is compared and indexed, as a face is often a small part of
    # a large picture.
    left, top, width, height = cv2.boundingRect(labels)
    box = slice(top, top + height), slice(left, left + width)
    inside = labels[box] > 0
    if np.count_nonzero(inside) < FACE_PIXELS:
        return None
    found = _percentiles(celsius[box][inside][:, None], FACE_PERCENTILES)
    if found is None:
        return None
    span = max(found[1] - found[0], least / 2)
    return _widened(found, least, FACE_BELOW * span, FACE_ABOVE * span)


def _percentiles(celsius: NDArray[np.float32], percentiles: tuple[float, float]) -> Limits | None:
    """Return two percentiles of a thinned out (rows, columns) array; None if nothing is finite."""
    # Every n-th pixel, some `SAMPLES` of them, which moves a percentile by less than the eye sees;
    # and ranks by partition, as this runs in the window's thread for every picture.
    if celsius.shape[1] == 1:
        sample = celsius[:: max(1, celsius.size // SAMPLES), 0]
    else:
        step = max(1, int(np.sqrt(celsius.size / SAMPLES)))
        sample = celsius[::step, ::step].ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return None
    ranks = [round(p / 100 * (sample.size - 1)) for p in percentiles]
    parted = np.partition(sample, ranks)
    return float(parted[ranks[0]]), float(parted[ranks[1]])


def _widened(limits: Limits, least: float, below: float, above: float) -> Limits:
    low, high = limits[0] - below, limits[1] + above
    missing = max(0.0, least - (high - low)) / 2
    return low - missing, high + missing
