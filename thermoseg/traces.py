"""The last minute of every region's temperature, kept for plots and signals; gaps stay gaps."""

import threading
from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thermoseg.rois import RoiSample

TraceWindow: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]
"""`time_s` (n,), seconds; `mean_c` (n,), °C, NaN where not valid; `valid` (n,)."""

MAX_RATE_HZ: Final = 100.0
"""Samples per second that the memory is laid out for; faster ones shorten what is kept."""


class Traces:
    """Ring buffers of region temperatures; one thread appends, any thread reads copies."""

    def __init__(self, seconds: float = 60.0) -> None:
        """Keep at least `seconds` of samples at up to `MAX_RATE_HZ`.

        Raises
        ------
        ValueError
            If `seconds` is not positive.
        """
        if seconds <= 0:
            raise ValueError(f"seconds must be positive, got {seconds}")
        self.seconds = seconds
        """Length of what is kept at `MAX_RATE_HZ`."""
        self._rows = int(np.ceil(seconds * MAX_RATE_HZ)) + 1
        self._lock = threading.Lock()
        self._rings: dict[str, _Ring] = {}
        self._newest: dict[str, RoiSample] = {}

    def append(self, samples: Iterable[RoiSample]) -> None:
        """Add the samples of one frame; one that is not valid becomes a gap.

        A sample no newer than the one before starts its trace anew: the source was restarted.
        """
        with self._lock:
            for sample in samples:
                ring = self._rings.get(sample.region)
                if ring is None:
                    ring = self._rings[sample.region] = _Ring(self._rows)
                ring.append(sample.time_s, sample.mean_c if sample.valid else np.nan, sample.valid)
                self._newest[sample.region] = sample

    def window(self, region: str, seconds: float) -> TraceWindow:
        """Copy the last `seconds` of `region`, counted back from its newest sample."""
        with self._lock:
            ring = self._rings.get(region)
            if ring is None:
                return np.empty(0), np.empty(0), np.empty(0, np.bool_)
            return ring.last(seconds)

    def newest(self, region: str) -> RoiSample | None:
        """Return the last sample of `region`, valid or not, with its reason; None before."""
        with self._lock:
            return self._newest.get(region)

    def forget(self, regions: Iterable[str]) -> None:
        """Forget the samples of some regions."""
        with self._lock:
            for region in regions:
                self._rings.pop(region, None)
                self._newest.pop(region, None)

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions seen so far."""
        with self._lock:
            return tuple(self._rings)

    def clear(self) -> None:
        """Forget all samples."""
        with self._lock:
            self._rings.clear()
            self._newest.clear()


class _Ring:
    """Rows written twice, `rows` apart, so that the newest ones always lie in one piece."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._count = 0
        self._time_s = np.zeros(2 * rows, np.float64)
        self._mean_c = np.full(2 * rows, np.nan, np.float64)
        self._valid = np.zeros(2 * rows, np.bool_)

    @property
    def newest_s(self) -> float:
        return float(self._time_s[(self._count - 1) % self._rows])

    def append(self, time_s: float, mean_c: float, valid: bool) -> None:
        if self._count and time_s <= self.newest_s:
            self._count = 0
        row = self._count % self._rows
        for place in (row, row + self._rows):
            self._time_s[place] = time_s
            self._mean_c[place] = mean_c
            self._valid[place] = valid
        self._count += 1

    def last(self, seconds: float) -> TraceWindow:
        kept = min(self._count, self._rows)
        start = self._count % self._rows if self._count > self._rows else 0
        rows = slice(start, start + kept)
        times = self._time_s[rows]
        first = int(np.searchsorted(times, self.newest_s - seconds))
        return (
            times[first:].copy(),
            self._mean_c[rows][first:].copy(),
            self._valid[rows][first:].copy(),
        )
