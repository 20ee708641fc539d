"""Temperatures of every region since the session began, for plots and signals; gaps stay gaps."""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.rois import RoiSample

CHUNK_ROWS: Final = 4096
"""Samples of one region that are allocated at once: over two minutes at 30 per second, 57 kB."""

ROWS_KEPT: Final = 12 * 3600 * 30 * 16
"""Samples kept in all: 12 hours of 16 regions at 30 per second, which takes 290 MB of memory.
A usual hour, 9 regions at 12 per second, takes 5.4 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class TraceWindow:
    """Samples of one region, oldest first; its arrays are nobody else's."""

    time_s: NDArray[np.float64]
    """(n,), `Frame.time_s`, increasing."""
    mean_c: NDArray[np.float32]
    """(n,), °C; NaN where not valid."""
    valid: NDArray[np.bool_]
    """(n,)."""
    reason: NDArray[np.uint16]
    """(n,), indices into `reasons`."""
    reasons: tuple[str, ...]
    """Reasons as `RoiSample.reason` gives them."""
    starts: int = 1
    """How often this trace began anew, since a source that restarts sets its clock back."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time_s)

    @classmethod
    def from_samples(cls, samples: NDArray[Any]) -> Self:
        """Make a window of one region's table, as `Recording.samples` gives it.

        Parameters
        ----------
        samples
            (n,) structured: time_s, mean_c, valid, reason; rows without a time are left out.
        """
        samples = samples[np.isfinite(samples["time_s"])]
        reasons, reason = np.unique(samples["reason"], return_inverse=True)
        valid = samples["valid"].astype(np.bool_)
        mean_c = np.where(valid, samples["mean_c"], np.nan).astype(np.float32)
        codes = reason.astype(np.uint16)
        return cls(samples["time_s"].astype(np.float64), mean_c, valid, codes, tuple(reasons))


class Traces:
    """Region temperatures in growing memory; one thread appends, any thread reads copies."""

    def __init__(self, rows_kept: int = ROWS_KEPT) -> None:
        """Start empty.

        Parameters
        ----------
        rows_kept
            Samples of all regions together beyond which the oldest `CHUNK_ROWS` of them go.

        Raises
        ------
        ValueError
            If `rows_kept` is not positive.
        """
        if rows_kept <= 0:
            raise ValueError(f"rows_kept must be positive, got {rows_kept}")
        self._chunks_kept = -(-rows_kept // CHUNK_ROWS)
        self._lock = threading.Lock()
        self._columns: dict[str, _Column] = {}
        self._states: dict[tuple[bool, str], int] = {}
        self._starts: dict[str, int] = {}

    def append(self, samples: Iterable[RoiSample]) -> None:
        """Add the samples of one frame; one that is not valid becomes a gap.

        A sample no newer than the one before starts its trace anew: the source was restarted.
        """
        with self._lock:
            for sample in samples:
                column = self._columns.get(sample.region)
                if column is None or sample.time_s <= column.newest.time_s:
                    column = self._columns[sample.region] = _Column(sample)
                    self._starts[sample.region] = self._starts.get(sample.region, 0) + 1
                state = (bool(sample.valid), sample.reason)
                grown = column.append(sample, self._states.setdefault(state, len(self._states)))
                if grown:
                    self._forget_oldest()

    def window(self, region: str, begin_s: float, end_s: float) -> TraceWindow:
        """Copy the samples of `region` from `begin_s` to `end_s`, both included, seconds.

        The cost grows with what is copied, not with what is kept.
        """
        with self._lock:
            column = self._columns.get(region)
            parts = [] if column is None else column.parts(begin_s, end_s)
            states = tuple(self._states)
            starts = self._starts.get(region, 0)
        valid_of = np.array([valid for valid, _ in states], np.bool_)
        reasons = tuple(reason for _, reason in states)
        if not parts:
            nothing = np.empty(0, np.uint16)
            return TraceWindow(
                np.empty(0), np.empty(0, np.float32), np.empty(0, bool), nothing, reasons, starts
            )
        # Rows are written once, before they are counted, so they can be copied without the lock.
        time_s, mean_c, state = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return TraceWindow(time_s, mean_c, valid_of[state], state, reasons, starts)

    def newest(self, region: str) -> RoiSample | None:
        """Return the last sample of `region`, valid or not, with its reason; None before."""
        with self._lock:
            column = self._columns.get(region)
            return None if column is None else column.newest

    def forget(self, regions: Iterable[str]) -> None:
        """Forget the samples of some regions."""
        with self._lock:
            for region in regions:
                self._columns.pop(region, None)

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that have samples."""
        with self._lock:
            return tuple(self._columns)

    def clear(self) -> None:
        """Forget all samples."""
        with self._lock:
            self._columns.clear()

    def _forget_oldest(self) -> None:
        """Drop the chunk that ended first, of whichever region, if there are too many."""
        if sum(len(column.chunks) for column in self._columns.values()) <= self._chunks_kept:
            return
        oldest = min(self._columns, key=lambda name: self._columns[name].chunks[0].last_s)
        del self._columns[oldest].chunks[0]
        if not self._columns[oldest].chunks:
            del self._columns[oldest]


class _Column:
    """The samples of one region."""

    def __init__(self, first: RoiSample) -> None:
        self.chunks: list[_Chunk] = []
        self.newest = first

    def append(self, sample: RoiSample, state: int) -> bool:
        """Add a sample; tell whether memory was allocated for it."""
        full = not self.chunks or self.chunks[-1].rows == CHUNK_ROWS
        if full:
            self.chunks.append(_Chunk())
        mean_c = sample.mean_c if sample.valid else np.nan
        self.chunks[-1].append(sample.time_s, mean_c, state)
        self.newest = sample
        return full

    def parts(self, begin_s: float, end_s: float) -> list[tuple[NDArray[Any], ...]]:
        """Return views of what lies in a stretch of time, chunk by chunk."""
        first = bisect_left(self.chunks, begin_s, key=lambda chunk: chunk.last_s)
        last = bisect_right(self.chunks, end_s, key=lambda chunk: chunk.first_s)
        return [chunk.part(begin_s, end_s) for chunk in self.chunks[first:last]]


class _Chunk:
    """Up to `CHUNK_ROWS` samples that follow each other."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_s = self.last_s = np.nan
        self._time_s = np.empty(CHUNK_ROWS, np.float64)
        self._mean_c = np.empty(CHUNK_ROWS, np.float32)
        self._state = np.empty(CHUNK_ROWS, np.uint16)

    def append(self, time_s: float, mean_c: float, state: int) -> None:
        row = self.rows
        self._time_s[row], self._mean_c[row], self._state[row] = time_s, mean_c, state
        if not row:
            self.first_s = time_s
        self.last_s = time_s
        self.rows = row + 1

    def part(self, begin_s: float, end_s: float) -> tuple[NDArray[Any], ...]:
        times = self._time_s[: self.rows]
        rows = slice(times.searchsorted(begin_s), times.searchsorted(end_s, side="right"))
        return times[rows], self._mean_c[rows], self._state[rows]
