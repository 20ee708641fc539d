"""The samples behind a set of plots: taken from a running session, or given as whole tables."""

from collections.abc import Iterable, Mapping
from enum import Enum
from math import inf, nan
from typing import Final, Protocol

import numpy as np

from thermoseg.traces import TraceWindow
from ui.plots.series import Series

SAME_TIME_S: Final = 1e-4
"""Two analyses of one frame may differ by so much in its time, from rounding."""


class TraceSource(Protocol):
    """What plots pull samples from; `thermoseg.traces.Traces` is one."""

    def window(self, region: str, begin_s: float, end_s: float) -> TraceWindow:
        """Return the samples of a stretch of time."""


class Store(Enum):
    """Which of the series of a region."""

    NEW = "new"
    STORED = "stored"
    DIFFERENCE = "difference"


class TraceStore:
    """Series of each region: of now, and where two analyses are compared, stored and difference."""

    def __init__(self) -> None:
        self.new: dict[str, Series] = {}
        self.stored: dict[str, Series] = {}
        self.difference: dict[str, Series] = {}
        """New minus stored, kelvin."""

    def trace(self, store: Store, region: str) -> Series | None:
        """Return one of the series of a region, None if there is none."""
        kept = {Store.NEW: self.new, Store.STORED: self.stored, Store.DIFFERENCE: self.difference}
        return kept[store].get(region)

    def columns(self, regions: Iterable[str]) -> dict[tuple[str, Store], Series]:
        """Return all series of some regions, those of one region beside each other."""
        return {
            (region, store): trace
            for region in regions
            for store in Store
            if (trace := self.trace(store, region)) is not None
        }

    @property
    def bounds(self) -> tuple[float, float]:
        """Time of the oldest and of the newest sample; NaN without one."""
        kept = [trace for trace in (*self.new.values(), *self.stored.values()) if len(trace)]
        if not kept:
            return nan, nan
        return min(trace.begin_s for trace in kept), max(trace.end_s for trace in kept)

    def pull(self, source: TraceSource, regions: Iterable[str]) -> bool:
        """Take what is new of `regions`; tell whether a source had restarted its clock."""
        restarted = False
        for region in regions:
            trace = self.new.get(region)
            if trace is None:
                trace = self.new[region] = Series()
            after_s = np.nextafter(trace.end_s, inf) if len(trace) else -inf
            window = source.window(region, float(after_s), inf)
            if window.starts != trace.starts:
                restarted |= len(trace) > 0
                trace = self.new[region] = Series()
                trace.starts = window.starts
                window = source.window(region, -inf, inf)
            trace.append(window)
        return restarted

    def load(self, windows: Mapping[str, TraceWindow]) -> None:
        """Keep whole tables in place of everything that was there."""
        self.clear()
        self.new = {region: _series(window) for region, window in windows.items()}

    def compare(self, new: Mapping[str, TraceWindow], stored: Mapping[str, TraceWindow]) -> None:
        """Keep two analyses of one recording, and what they differ by where both are valid."""
        self.load(new)
        self.stored = {region: _series(window) for region, window in stored.items()}
        self.difference = {
            region: _series(difference(new[region], stored[region]))
            for region in new
            if region in stored
        }

    def clear(self) -> None:
        """Forget everything."""
        self.new, self.stored, self.difference = {}, {}, {}


def difference(new: TraceWindow, stored: TraceWindow) -> TraceWindow:
    """Return new minus stored, kelvin, at the frames that both have; NaN unless both are valid."""
    _, ours, theirs = np.intersect1d(
        np.round(new.time_s / SAME_TIME_S).astype(np.int64),
        np.round(stored.time_s / SAME_TIME_S).astype(np.int64),
        return_indices=True,
    )
    kelvin = new.mean_c[ours] - stored.mean_c[theirs]
    # Where one of them is not valid, its reason is that of the difference, the newer one first.
    first = ~new.valid[ours]
    reason = np.where(
        first, new.reason[ours], stored.reason[theirs] + np.uint16(len(new.reasons))
    ).astype(np.uint16)
    valid = new.valid[ours] & stored.valid[theirs]
    return TraceWindow(new.time_s[ours], kelvin, valid, reason, new.reasons + stored.reasons)


def _series(window: TraceWindow) -> Series:
    trace = Series()
    trace.append(window)
    return trace
