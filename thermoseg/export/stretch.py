"""A stretch of a session: by time or by frames, and what of the session lies in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import ExportError
from thermoseg.events import SessionEvent
from thermoseg.recording.contents import Gap, SessionMarker
from thermoseg.recording.layout import samples_of
from thermoseg.recording.reader import Recording


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A stretch by the session's own clock, on which its times stay."""

    begin_s: float
    """The first frame is not earlier; −∞ for the beginning."""
    end_s: float
    """The last frame is earlier; ∞ for the end."""


@dataclass(frozen=True, slots=True)
class FrameRange:
    """A stretch by positions of frames from 0."""

    first: int
    end: int
    """The last frame is the one before."""


Stretch: TypeAlias = TimeRange | FrameRange


class Excerpt:
    """What lies in a stretch of a recording, or all of it; positions and numbers stay its own."""

    def __init__(self, recording: Recording, stretch: Stretch | None = None) -> None:
        """Note what is wanted; nothing is read yet.

        Parameters
        ----------
        stretch
            None for all.

        Raises
        ------
        ExportError
            If nothing lies in the stretch.
        """
        self._recording = recording
        self.times = None if stretch is None else settle(recording, stretch)
        """The stretch, seconds; None for all."""
        inside = self.inside(recording.times_s)
        self.positions: Sequence[int] = np.flatnonzero(inside).tolist()
        """Positions in the recording of the frames that are wanted, from 0."""

    @property
    def stem(self) -> str:
        """Beginning of the names of its files, if nobody has chosen another: `rest_10-20s`."""
        stem = self._recording.path.stem
        return stem if self.times is None else f"{stem}_{say_times(self._recording, self.times)}"

    def inside(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of these times lie in it, (n,)."""
        if self.times is None:
            return np.ones(len(times_s), bool)
        inside: NDArray[np.bool_] = (times_s >= self.times.begin_s) & (times_s < self.times.end_s)
        return inside

    @property
    def markers(self) -> tuple[SessionMarker, ...]:
        """The markers that begin in it or still last in it."""
        return tuple(
            mark for mark in self._recording.markers if self._lasts(mark.begin_s, mark.duration_s)
        )

    @property
    def events(self) -> tuple[SessionEvent, ...]:
        """The events in it."""
        return tuple(event for event in self._recording.events if self._lasts(event.time_s, 0.0))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps between frames that are in it; at the ends of the session those before, too."""
        if self.times is None:
            return self._recording.gaps
        return tuple(gap for gap in self._recording.gaps if self._has_gap(gap))

    def described(self) -> dict[str, Any]:
        """Name the first and the last of its frames for a file, by position and time."""
        ends = (self.positions[0], self.positions[-1]) if self.positions else ()
        times_s = [round(float(self._recording.times_s[end]), 6) for end in ends]
        names = ("first_frame", "last_frame", "first_s", "last_s")
        return dict(zip(names, (*ends, *times_s), strict=False))

    def _lasts(self, begin_s: float, duration_s: float) -> bool:
        if self.times is None or self.times.begin_s <= begin_s < self.times.end_s:
            return True
        end_s = begin_s + (inf if isnan(duration_s) else duration_s)
        return begin_s < self.times.begin_s < end_s

    def _has_gap(self, gap: Gap) -> bool:
        if not self.positions:
            return False
        recording, first, last = self._recording, self.positions[0], self.positions[-1]
        begins = gap.index_before >= recording.indices[first]
        ends = gap.index_after <= recording.indices[last]
        if gap.index_before < 0:
            begins = first == 0
        if gap.index_after < 0:
            ends = last == len(recording) - 1
        return bool(begins and ends)


def stem_of(session: Path, stretch: Stretch) -> str:
    """Return how the names of files of a stretch begin; see `Excerpt.stem`.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ExportError
        If nothing lies in the stretch.
    """
    with Recording(session) as recording:
        return Excerpt(recording, stretch).stem


def settle(recording: Recording, stretch: Stretch) -> TimeRange:
    """Return the stretch in seconds.

    Raises
    ------
    ExportError
        If nothing lies in it.
    """
    path, times_s = recording.path, recording.times_s
    if isinstance(stretch, FrameRange):
        if not 0 <= stretch.first < stretch.end <= len(times_s):
            raise ExportError(
                f"“{path}” has {len(times_s)} frames, none from {stretch.first} to "
                f"{stretch.end} (not in it); choose a stretch from 0 to {len(times_s)}"
            )
        last_s = float(times_s[stretch.end - 1])
        return TimeRange(float(times_s[stretch.first]), float(np.nextafter(last_s, np.inf)))
    if not stretch.begin_s < stretch.end_s:
        raise ExportError(
            f"a stretch from {stretch.begin_s:g} to {stretch.end_s:g} s is empty; give its "
            "beginning first"
        )
    traces = [recording.table(samples_of(region))["time_s"] for region in recording.regions]
    known_s = np.concatenate([times_s, *traces])
    if not len(known_s):
        raise ExportError(f"“{path}” holds neither frames nor samples; there is nothing to cut")
    if not np.any((known_s >= stretch.begin_s) & (known_s < stretch.end_s)):
        raise ExportError(
            f"“{path}” has nothing from {stretch.begin_s:g} to {stretch.end_s:g} s; it reaches "
            f"from {known_s.min():.3f} to {known_s.max():.3f} s"
        )
    return stretch


def say_times(recording: Recording, times: TimeRange) -> str:
    """Name a stretch for a file: 10-20s, an open end by the session's own."""
    known = recording.times_s.tolist() or [0.0]
    begin_s = times.begin_s if isfinite(times.begin_s) else known[0]
    end_s = times.end_s if isfinite(times.end_s) else known[-1]
    return f"{_shortly(begin_s)}-{_shortly(end_s)}s"


def _shortly(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
