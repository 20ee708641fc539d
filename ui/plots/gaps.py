"""Stretches of a trace without temperatures: found as samples come, listed by time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_SAMPLES: Final = ""
"""Reason of a gap in which nothing was measured at all."""


class Gap(NamedTuple):
    """A stretch of a trace without temperatures."""

    begin_s: float
    """Time of the last sample before it."""
    end_s: float
    """Time of the first sample after it, or of the newest one while it lasts."""
    reason: str
    """As `RoiSample.reason`; `NO_SAMPLES` if there are not even samples."""


class Gaps:
    """Gaps that follow each other; the last one may grow."""

    def __init__(self) -> None:
        self._count = 0
        self._times_s = np.empty((16, 2))
        self._reasons: list[str] = []

    @property
    def last(self) -> Gap | None:
        """The newest one."""
        return self._gap(self._count - 1) if self._count else None

    def append(self, gap: Gap) -> None:
        """Add a gap that begins where the last one ends or later."""
        if self._count == len(self._times_s):
            self._times_s = np.concatenate((self._times_s, np.empty_like(self._times_s)))
        self._times_s[self._count] = gap.begin_s, gap.end_s
        self._reasons.append(gap.reason)
        self._count += 1

    def end_last(self, end_s: float) -> None:
        """Let the last gap end at another time."""
        self._times_s[self._count - 1, 1] = end_s

    def between(self, begin_s: float, end_s: float, least_s: float = 0.0) -> list[Gap]:
        """List the gaps that touch a stretch of time and last at least `least_s`, oldest first."""
        rows = self._rows_between(begin_s, end_s, least_s)
        times_s = self._times_s[rows].tolist()
        return [
            Gap(begin, end, self._reasons[row])
            for row, (begin, end) in zip(rows, times_s, strict=True)
        ]

    def middles_between(self, begin_s: float, end_s: float, least_s: float) -> NDArray[np.float64]:
        """Return the middles of the gaps that `between` lists, (n,) seconds."""
        middles: NDArray[np.float64] = self._times_s[
            self._rows_between(begin_s, end_s, least_s)
        ].mean(axis=1)
        return middles

    def forget_before(self, time_s: float) -> None:
        """Drop the gaps that ended before `time_s`."""
        gone = int(self._times_s[: self._count, 1].searchsorted(time_s, side="right"))
        self._times_s = np.concatenate((self._times_s[gone:], np.empty((gone, 2))))
        del self._reasons[:gone]
        self._count -= gone

    def _rows_between(self, begin_s: float, end_s: float, least_s: float) -> NDArray[np.intp]:
        begins, ends = self._times_s[: self._count, 0], self._times_s[: self._count, 1]
        first = int(ends.searchsorted(begin_s))
        last = int(begins.searchsorted(end_s, side="right"))
        return first + np.flatnonzero(ends[first:last] - begins[first:last] >= least_s)

    def _gap(self, row: int) -> Gap:
        begin_s, end_s = self._times_s[row]
        return Gap(float(begin_s), float(end_s), self._reasons[row])


def common_gaps(traces: Sequence[Sequence[Gap]]) -> list[Gap]:
    """List the stretches in which none of several traces has temperatures, oldest first.

    The reason is that of the first trace.
    """
    if not traces:
        return []
    found = list(traces[0])
    for others in traces[1:]:
        found = _overlaps(found, others)
    return found


def _overlaps(gaps: Sequence[Gap], others: Sequence[Gap]) -> list[Gap]:
    """Cut `gaps` to where they overlap with `others`; both are sorted."""
    cut, place = [], 0
    for gap in gaps:
        while place < len(others) and others[place].end_s <= gap.begin_s:
            place += 1
        for other in others[place:]:
            if other.begin_s >= gap.end_s:
                break
            begin_s, end_s = max(gap.begin_s, other.begin_s), min(gap.end_s, other.end_s)
            cut.append(Gap(begin_s, end_s, gap.reason))
    return cut
