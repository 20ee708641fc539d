"""One trace as a plot keeps it: growing, with its gaps, and thinned out to the pixels there are."""

import math
from functools import reduce
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thermoseg.traces import TraceWindow
from ui.plots.gaps import NO_SAMPLES, Gap, Gaps

LONGEST_STEP_S: Final = 0.5
"""Without a sample for so long, or for `STEPS` usual steps, a trace is broken, not joined up."""
STEPS: Final = 4
STEPS_REMEMBERED: Final = 64
"""Steps between samples whose median is the usual one."""
STEPS_TO_TRUST: Final = 3
"""Before so many steps are known, only `LONGEST_FIRST_S` makes a gap."""
LONGEST_FIRST_S: Final = 2.0

FACTOR: Final = 8
"""Each level of the pyramid sums up so many rows of the one below."""
LEVELS: Final = 4
BLOCK: Final = FACTOR**LEVELS
LEAST_BLOCKS: Final = 4
"""So many blocks of a level, or more, make a block that is drawn: its size can be chosen finely."""
ROWS_KEPT: Final = 13 * 3600 * 30
"""Rows of one trace beyond which the oldest go: an hour more than `Traces` keeps."""

Line: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float32]]
"""(n,) seconds, (n,) °C, NaN where there is no temperature."""


class Series:
    """Appends samples in constant time each and draws any stretch at the cost of its pixels."""

    def __init__(self) -> None:
        self._rows = 0
        self._time_s = np.empty(BLOCK, np.float64)
        self._mean_c = np.empty(BLOCK, np.float32)
        self._levels = [_Level(FACTOR ** (level + 1)) for level in range(LEVELS)]
        self._steps_s = np.empty(0)
        self._longest_step_s = LONGEST_FIRST_S
        self._gaps = Gaps()
        self._state: str | None = None
        """Reason that the newest sample is not valid; None if it is."""
        self.newest_reason = ""
        """Reason of the newest sample, valid or not."""
        self.starts = 0
        """`TraceWindow.starts` of what is kept."""

    def __len__(self) -> int:
        """Return the number of rows, those that mark a gap included."""
        return self._rows

    @property
    def begin_s(self) -> float:
        """Time of the oldest sample; NaN without one."""
        return float(self._time_s[0]) if self._rows else np.nan

    @property
    def end_s(self) -> float:
        """Time of the newest sample; NaN without one."""
        return float(self._time_s[self._rows - 1]) if self._rows else np.nan

    @property
    def newest_c(self) -> float:
        """The newest temperature, °C; NaN if it is not valid."""
        return float(self._mean_c[self._rows - 1]) if self._rows else np.nan

    def append(self, window: TraceWindow) -> None:
        """Add samples, all newer than those that are there."""
        if not len(window):
            return
        state = np.where(window.valid, -1, window.reason.astype(np.int32))
        missing = self._note_gaps(window.time_s, state, window.reasons)
        time_s, mean_c = window.time_s, window.mean_c
        if missing:  # NaN in the middle, so that no line joins what was never measured
            rows = time_s.searchsorted([gap.end_s for gap in missing])
            time_s = np.insert(time_s, rows, [_middle(gap) for gap in missing])
            mean_c = np.insert(mean_c, rows, np.float32(np.nan))
        self._store(time_s, mean_c)
        self.newest_reason = window.reasons[window.reason[-1]]

    def drawn(self, begin_s: float, end_s: float, most: int) -> Line:
        """Return a line through a stretch of time with some `2.5 * most` points at most.

        Where there are more samples than that, each block of them is drawn by its lowest and its
        highest (peak downsampling), so that no breath and no spike is lost.  Blocks are counted
        from the first sample, not from `begin_s`: a line that scrolls does not shimmer.

        Parameters
        ----------
        most
            Columns of pixels.

        Returns
        -------
        (m,) seconds, (m,) °C; NaN in gaps.
        """
        times = self._time_s[: self._rows]
        first = max(int(times.searchsorted(begin_s)) - 1, 0)
        last = min(int(times.searchsorted(end_s, side="right")) + 1, self._rows)
        step = (last - first) // max(most, 1)
        if step < 3:  # two points for each block of two rows would spare nothing
            return times[first:last].copy(), self._mean_c[first:last].copy()
        level = (
            min(int(math.log(step / LEAST_BLOCKS, FACTOR)), LEVELS) if step > LEAST_BLOCKS else 0
        )
        step -= step % FACTOR**level
        return self._peaks(first // step, -(-last // step), step, level)

    def at(self, time_s: float) -> tuple[float, str]:
        """Return the temperature nearest to a moment, °C, and the reason where it is NaN.

        Between two samples of a slow source the nearer one counts; in a gap there is none.
        """
        touching = self.gaps_between(time_s, time_s)
        for gap in touching:
            if gap.begin_s < time_s < gap.end_s:
                return np.nan, gap.reason
        if not self._rows or not self.begin_s <= time_s <= self.end_s:
            return np.nan, NO_SAMPLES
        times = self._time_s[: self._rows]
        row = int(times.searchsorted(time_s))
        if row and time_s - times[row - 1] < times[row] - time_s:
            row -= 1
        mean_c = float(self._mean_c[row])
        absent = np.isnan(mean_c)  # on the border of a gap
        return mean_c, next((gap.reason for gap in touching), "") if absent else ""

    def samples(self, begin_s: float, end_s: float) -> Line:
        """Return every sample from `begin_s` to `end_s`, (n,) seconds, (n,) °C, NaN if invalid."""
        times = self._time_s[: self._rows]
        rows = slice(times.searchsorted(begin_s), times.searchsorted(end_s, side="right"))
        time_s, mean_c = times[rows], self._mean_c[rows]
        gaps = self.gaps_between(begin_s, end_s)
        real = ~np.isin(time_s, [_middle(gap) for gap in gaps if gap.reason == NO_SAMPLES])
        return time_s[real], mean_c[real]

    def gaps_between(self, begin_s: float, end_s: float, least_s: float = 0.0) -> list[Gap]:
        """List the gaps that touch a stretch of time and last at least `least_s`, oldest first."""
        return self._gaps.between(begin_s, end_s, least_s)

    def _note_gaps(
        self, time_s: NDArray[np.float64], state: NDArray[np.int32], reasons: tuple[str, ...]
    ) -> list[Gap]:
        """Lengthen the list of gaps by what new samples show.

        Parameters
        ----------
        state
            (n,), −1 for a valid sample, else an index into `reasons`.

        Returns
        -------
        The new gaps without samples.
        """
        missing = []
        before_s = self.end_s
        broken = self._too_long(time_s)
        begins = broken.copy()
        begins[0] = True
        begins[1:] |= state[1:] != state[:-1]
        changes = np.flatnonzero(begins)
        ends = np.append(changes[1:], len(time_s)) - 1
        for row, end in zip(changes, ends, strict=True):
            previous_s = float(time_s[row - 1]) if row else before_s
            now_s = float(time_s[row])
            self._close_gap(previous_s if broken[row] else now_s)
            if broken[row]:
                missing.append(Gap(previous_s, now_s, NO_SAMPLES))
                self._gaps.append(missing[-1])
            reason = None if state[row] < 0 else reasons[state[row]]
            if reason is not None:
                joined = self._state is None and not broken[row] and np.isfinite(previous_s)
                self._open_gap(previous_s if joined else now_s, float(time_s[end]), reason)
            self._state = reason
        return missing

    def _open_gap(self, begin_s: float, end_s: float, reason: str) -> None:
        last = self._gaps.last
        if last is not None and last.reason == reason == self._state:
            self._gaps.end_last(end_s)
        else:
            self._gaps.append(Gap(begin_s, end_s, reason))

    def _close_gap(self, end_s: float) -> None:
        if self._state is not None:
            self._gaps.end_last(end_s)

    def _too_long(self, time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell before which of the new samples others are missing, (n,)."""
        steps = np.empty_like(time_s)
        steps[0] = time_s[0] - self.end_s
        np.subtract(time_s[1:], time_s[:-1], out=steps[1:])
        known = self._steps_s = np.concatenate((self._steps_s, steps[np.isfinite(steps)]))
        renewed = known.size >= 2 * STEPS_REMEMBERED
        if renewed or STEPS_TO_TRUST <= known.size < STEPS_REMEMBERED:
            # The lower of two middle ones: with few steps known, a gap is no usual step.
            middle = (known.size - 1) // 2
            usual_s = float(np.partition(known, middle)[middle])
            self._longest_step_s = max(LONGEST_STEP_S, STEPS * usual_s)
        if renewed:
            self._steps_s = known[-STEPS_REMEMBERED:]
        return steps > self._longest_step_s

    def _store(self, time_s: NDArray[np.float64], mean_c: NDArray[np.float32]) -> None:
        rows = self._rows + len(time_s)
        if rows > ROWS_KEPT + BLOCK:
            self._drop((rows - ROWS_KEPT) // BLOCK * BLOCK)
            rows = self._rows + len(time_s)
        self._time_s = _grown(self._time_s, rows)
        self._mean_c = _grown(self._mean_c, rows)
        self._time_s[self._rows : rows] = time_s
        self._mean_c[self._rows : rows] = mean_c
        self._rows = rows
        lows = highs = self._mean_c[:rows]
        for level in self._levels:
            level.append(lows, highs)
            lows, highs = level.lows, level.highs

    def _drop(self, rows: int) -> None:
        """Forget the oldest rows, a multiple of `BLOCK`, or all that there are."""
        rows = min(rows, self._rows // BLOCK * BLOCK)
        self._time_s = self._time_s[rows : self._rows].copy()
        self._mean_c = self._mean_c[rows : self._rows].copy()
        self._rows -= rows
        for level in self._levels:
            level.drop(rows // level.rows)
        self._gaps.forget_before(self.begin_s)

    def _peaks(self, first: int, last: int, step: int, level: int) -> Line:
        """Draw blocks `first` to `last`, each of `step` rows, by their extremes."""
        per_block = step // FACTOR**level
        lows, highs = self._extremes(level, first * per_block, last * per_block)
        # Column by column, as reducing many short rows is slow.
        lows = reduce(np.fmin, (lows[row::per_block] for row in range(per_block)))
        highs = reduce(np.fmax, (highs[row::per_block] for row in range(per_block)))
        points = np.stack((lows, highs), axis=1)
        # Every other block from top to bottom: the line is half as long, and as quick to draw.
        odd = (first + 1) % 2
        points[odd::2] = points[odd::2, ::-1]
        begins = self._time_s[first * step : min(last * step, self._rows) : step]
        return self._apart(begins.repeat(2), points.reshape(-1))

    def _extremes(
        self, level: int, first: int, last: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return lowest and highest of the blocks of one level; NaN beyond the newest row."""
        lows = np.full(last - first, np.nan, np.float32)
        highs = lows.copy()
        if not level:
            rows = self._mean_c[first : min(last, self._rows)]
            lows[: len(rows)] = highs[: len(rows)] = rows
            return lows, highs
        found = self._levels[level - 1]
        whole = len(found.lows)
        kept = max(min(last, whole) - first, 0)
        lows[:kept], highs[:kept] = found.lows[first:last], found.highs[first:last]
        rest = self._mean_c[whole * found.rows : self._rows]
        if rest.size and last > whole:  # the block that is not complete yet
            lows[whole - first] = np.fmin.reduce(rest)
            highs[whole - first] = np.fmax.reduce(rest)
        return lows, highs

    def _apart(self, time_s: NDArray[np.float64], mean_c: NDArray[np.float32]) -> Line:
        """Break the line at gaps that are wider than half a block but lie within one."""
        if len(time_s) < 4:
            return time_s, mean_c
        usual_s = float(time_s[-1] - time_s[0]) / (len(time_s) // 2 - 1)
        middles = self._gaps.middles_between(float(time_s[0]), float(time_s[-1]), usual_s / 2)
        if not middles.size:
            return time_s, mean_c
        places = time_s.searchsorted(middles)
        return np.insert(time_s, places, middles), np.insert(mean_c, places, np.float32(np.nan))


class _Level:
    """Lowest and highest of each block of `rows` samples."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._blocks = 0
        self._lows = np.empty(16, np.float32)
        self._highs = np.empty(16, np.float32)

    @property
    def lows(self) -> NDArray[np.float32]:
        return self._lows[: self._blocks]

    @property
    def highs(self) -> NDArray[np.float32]:
        return self._highs[: self._blocks]

    def append(self, lows: NDArray[np.float32], highs: NDArray[np.float32]) -> None:
        """Sum up what the level below has more than this one; only whole blocks count."""
        blocks = len(lows) // FACTOR
        if blocks == self._blocks:
            return
        new = slice(self._blocks * FACTOR, blocks * FACTOR)
        self._lows, self._highs = _grown(self._lows, blocks), _grown(self._highs, blocks)
        self._lows[self._blocks : blocks] = np.fmin.reduce(lows[new].reshape(-1, FACTOR), axis=1)
        self._highs[self._blocks : blocks] = np.fmax.reduce(highs[new].reshape(-1, FACTOR), axis=1)
        self._blocks = blocks

    def drop(self, blocks: int) -> None:
        self._lows = self._lows[blocks : self._blocks].copy()
        self._highs = self._highs[blocks : self._blocks].copy()
        self._blocks -= blocks


def _grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return an array with room for `rows`; twice what it had, so that growing stays cheap."""
    if rows <= len(array):
        return array
    larger = np.empty(max(rows, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


def _middle(gap: Gap) -> float:
    """Return the time of the row that breaks the line in a gap without samples."""
    return (gap.begin_s + gap.end_s) / 2
