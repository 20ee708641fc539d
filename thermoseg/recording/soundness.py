"""Tells what in a session cannot be: times that go backwards, negative sizes, unknown labels.

Checksums show what a disk has damaged.  What a program has written wrongly, or somebody has made
up, shows only by what it says.
"""

from bisect import bisect_left, bisect_right
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import NUM_CLASSES
from thermoseg.radiometry import KELVIN
from thermoseg.recording.layout import GAP_CAUSES

MAX_WALL_TIME: Final = 1e10
"""Seconds since 1970, in the year 2286: later clocks are wrong, and calendars fail on them."""
MAX_RATE_HZ: Final = 1e6
"""No thermal camera is nearly so fast."""

_LEAST: Final = {
    "frame_index": 0,
    "pixels": 0,
    "sd_k": 0,
    "index_before": -1,
    "index_after": -1,
    "frames": 0,
    "duration_s": 0,
    "rate_per_min": 0,
    "window_s": 0,
    "noise_k": 0,
    "apnoea_s": 0,
    "emissivity": 1e-6,
    "reflected_c": -KELVIN,
}
"""Smallest valid value of a field of a table; NaN means absent and always passes."""
_MOST: Final[dict[str, float]] = {"valid": 1, "emissivity": 1}
_UNCHECKED: Final = "wall_time"
"""A row whose wall clock is wrong is still in its place."""
_KEYS: Final = ("time_s", "begin_s")
"""Fields that may not even be NaN: without them nobody knows where a row belongs."""
_IN_ORDER: Final = ("samples/", "breathing", "perspiration", "scenes")
"""Tables whose times never go backwards."""


def longest_rise(values: NDArray[Any], *, strictly: bool = True) -> NDArray[np.bool_]:
    """Mark the longest run of rows that rise, others left out.

    One wild value costs one row then, and not all that follow.  Longest increasing subsequence by
    patience sorting, n log n (Fredman 1975).

    Parameters
    ----------
    values
        (n,), without NaN.
    strictly
        Whether equal neighbours are no rise.

    Returns
    -------
    (n,), True where a row belongs to it.

    Examples
    --------
    >>> longest_rise(np.array([1, 2, 99, 3, 4])).tolist()
    [True, True, False, True, True]
    """
    steps = np.diff(values)
    if ((steps > 0) if strictly else (steps >= 0)).all():
        return np.ones(len(values), bool)
    find = bisect_left if strictly else bisect_right
    ends: list[Any] = []  # least last value of a rise of each length
    last_rows: list[int] = []  # and its row
    previous = np.full(len(values), -1)
    for row, value in enumerate(values.tolist()):
        length = find(ends, value)
        if length:
            previous[row] = last_rows[length - 1]
        if strictly and ends[length : length + 1] == [value]:
            continue  # of two that are equal, the first belongs here
        ends[length : length + 1] = [value]
        last_rows[length : length + 1] = [row]
    chosen = np.zeros(len(values), bool)
    row = last_rows[-1]
    while row >= 0:
        chosen[row] = True
        row = int(previous[row])
    return chosen


def possible_frames(
    indices: NDArray[np.int64], times_s: NDArray[np.float64], sound: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the frames whose numbers and times can be, both rising, among those that are `sound`.

    All are (n,).
    """
    possible: NDArray[np.bool_] = sound & np.isfinite(times_s) & (indices >= 0)
    for values in (times_s, indices):
        rows = np.flatnonzero(possible)
        possible[rows] = longest_rise(values[rows])
    return possible


def possible_rows(
    name: str, rows: NDArray[Any], sound: NDArray[np.bool_], *, newer: bool
) -> NDArray[np.bool_]:
    """Mark the rows of a compound table whose values can be, among those that are `sound`.

    Parameters
    ----------
    name
        Name of the table.
    rows, sound
        (n,).
    newer
        Whether a newer program wrote them, which may know causes of gaps that this one does not.
    """
    # A bound is broken only by what is below or above it: NaN is neither and stays, since it stands
    # for a value that was absent.  Turned around (`values >= least`) the same line would drop it.
    possible = sound.copy()
    most = _MOST if newer else _MOST | {"cause": len(GAP_CAUSES) - 1}
    for field in rows.dtype.names or ():
        values = rows[field]
        if values.dtype.kind not in "iuf" or field == _UNCHECKED:
            continue
        possible &= ~((values < _LEAST.get(field, -inf)) | (values > most.get(field, inf)))
        if values.dtype.kind == "f":
            possible &= ~np.isinf(values)
        if field in _KEYS:
            possible &= ~np.isnan(values)
    if name.startswith(_IN_ORDER) and "time_s" in (rows.dtype.names or ()):
        kept = np.flatnonzero(possible)
        possible[kept] = longest_rise(rows["time_s"][kept], strictly=False)
    return possible


def possible_wall_times(wall_times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the times that a calendar knows, (n,); NaN is absent and may be."""
    return np.isnan(wall_times) | ((wall_times >= 0) & (wall_times <= MAX_WALL_TIME))


def are_regions(labels: NDArray[np.uint8], *, newer: bool) -> bool:
    """Tell whether every label is a region; a newer program, `newer`, may have more of them."""
    return newer or int(labels.max(initial=0)) < NUM_CLASSES


def say_rows(name: str, wrong: NDArray[np.bool_], fault: str, remedy: str) -> str:
    """Say how many rows of a table are at fault, and the first of them.

    Parameters
    ----------
    wrong
        (n,), at least one of them True.
    fault
        What they do, after “rows”: a clause.
    remedy
        What became of them.
    """
    number = int(wrong.sum())
    return f"{name}: {number} of {len(wrong)} rows {fault} (first: {np.argmax(wrong)}); {remedy}"
