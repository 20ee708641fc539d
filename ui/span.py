"""Which temperatures the first and the last colour stand for."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PERCENTILES: Final = (0.5, 99.5)
"""Of the picture; a few dead or burning pixels must not set the colours."""

SETTLING_S: Final = 1.5
"""Time constant with which the colours follow the scene: colours that follow every frame make a
steady face flicker."""

MARGIN: Final = 0.04
"""Of the span, added on both sides."""

MIN_SPAN_K: Final = 2.0
"""Narrowest automatic span; below it the picture would show little but noise."""

MIN_SPAN_COUNTS: Final = 8.0
"""The same where pixels are relative counts."""

SAMPLES: Final = 12_000
"""Pixels looked at, about; the percentiles of so many are good to a few hundredths of the span."""


class Span:
    """Follows the scene slowly, or stays where the user put it."""

    def __init__(self) -> None:
        self._limits: tuple[float, float] | None = None
        self._scene: tuple[float, float] | None = None
        self._time_s = 0.0
        self._locked = False

    @property
    def limits(self) -> tuple[float, float] | None:
        """Temperatures of the first and last colour, °C or counts; None before any picture."""
        return self._limits

    @property
    def scene(self) -> tuple[float, float] | None:
        """Percentiles of the newest picture, °C or counts."""
        return self._scene

    @property
    def locked(self) -> bool:
        """Whether the user holds the limits."""
        return self._locked

    def lock(self, low: float, high: float) -> None:
        """Hold these limits from now on.

        Raises
        ------
        ValueError
            If `low` is not below `high`.
        """
        if not low < high:
            raise ValueError(f"the colours need low < high, got {low} and {high}")
        self._limits, self._locked = (low, high), True

    def hold(self) -> None:
        """Lock the limits as they are; does nothing before the first picture."""
        self._locked = self._limits is not None

    def release(self) -> None:
        """Follow the scene again."""
        self._locked = False

    def forget(self) -> None:
        """Start anew with the next picture: another source."""
        self._limits = self._scene = None
        self._locked = False

    def follow(
        self, celsius: NDArray[np.float32], time_s: float, radiometric: bool
    ) -> tuple[float, float]:
        """Look at the next picture and return the limits to draw it with.

        Parameters
        ----------
        celsius
            (height, width), °C or counts; NaN is left out.
        time_s
            `Frame.time_s`; a step back or of several seconds sets the limits at once.
        radiometric
            Whether `celsius` holds °C.
        """
        scene = _scene_limits(celsius)
        if scene is not None:
            self._scene = scene
        if self._locked and self._limits is not None:
            return self._limits
        if scene is None:
            return self._limits or (0.0, 1.0)
        wanted = _widened(scene, MIN_SPAN_K if radiometric else MIN_SPAN_COUNTS)
        elapsed_s, self._time_s = time_s - self._time_s, time_s
        if self._limits is None or not 0 <= elapsed_s < 3 * SETTLING_S:
            self._limits = wanted
        else:
            share = 1 - np.exp(-elapsed_s / SETTLING_S)
            low, high = self._limits
            self._limits = (
                float(low + share * (wanted[0] - low)),
                float(high + share * (wanted[1] - high)),
            )
        return self._limits


def _scene_limits(celsius: NDArray[np.float32]) -> tuple[float, float] | None:
    step = max(1, int(np.sqrt(celsius.size / SAMPLES)))
    sample = celsius[::step, ::step].ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return None
    ranks = [min(sample.size - 1, round(p / 100 * (sample.size - 1))) for p in PERCENTILES]
    parted = np.partition(sample, ranks)
    return float(parted[ranks[0]]), float(parted[ranks[1]])


def _widened(limits: tuple[float, float], least: float) -> tuple[float, float]:
    low, high = limits
    missing = max(0.0, least - (high - low)) / 2
    margin = MARGIN * (high - low)
    return low - missing - margin, high + missing + margin
