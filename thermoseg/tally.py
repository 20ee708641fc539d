"""The account of a session: what came, what was lost, how fast and how late."""

import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from thermoseg.frames import Frame, FrameFlag

RATE_WINDOW_S: Final = 3.0
"""Rates are measured over the last seconds."""
LATENCY_WINDOW: Final = 300
"""Results over which the percentiles of latency are taken."""


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """The account of a session; what is lost anywhere on the way shows up here.

    Without values it is that of a session that has not begun.
    """

    captured: int = 0
    """Frames that arrived from the camera."""
    missed: int = 0
    """Frames that did not, by the camera's own numbers."""
    segmented: int = 0
    replaced: int = 0
    """Frames never segmented because a newer one came."""
    recorded: int = 0
    """Frames written by the recording that runs, or by the last one that ran."""
    dropped: int = 0
    """Frames that this recording could not take."""
    camera_rate_hz: float = 0.0
    """Measured over the last seconds."""
    segmented_rate_hz: float = 0.0
    latency_p50_ms: float = math.nan
    """Median time from a frame's arrival to its result; NaN before the first."""
    latency_p95_ms: float = math.nan
    seconds: float = 0.0
    """Duration from the opening of the camera to the end of the session, or to now."""
    timeouts: int = 0
    """Reads that ended without a frame."""
    refused: int = 0
    """Frames that came broken or of another size than announced, thrown away; not in `missed`."""
    flagged: int = 0
    """Frames that carry any flag but `UNCALIBRATED`."""
    gaps: int = 0
    """Times the camera was lost, come back or not."""
    gap_seconds: float = 0.0
    """Length of all gaps together, from the last frame before to the first one after."""
    sink_dropped: int = 0
    """Frames and results that a slow sink could not take."""
    reopened: int = 0
    """Times the camera was opened again."""


class Tally:
    """Counters behind `SessionCounts`; each is written by one thread."""

    def __init__(self) -> None:
        self.timeouts = 0
        self.refused = 0
        self.reopened = 0
        self._captured = 0
        self._missed = 0
        self._flagged = 0
        self._gaps = 0
        self._gap_s = 0.0
        self._lost_from_s: float | None = None
        self._segmented = 0
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self._arrivals_s: deque[float] = deque(maxlen=1024)
        self._results_s: deque[float] = deque(maxlen=1024)
        self._latencies_s: deque[float] = deque(maxlen=LATENCY_WINDOW)

    def begin(self) -> None:
        """Note that the camera is open."""
        self._began_s = time.monotonic()

    def end(self) -> None:
        """Note that the session is over."""
        self._ended_s = time.monotonic()

    def note_loss(self, last_s: float) -> bool:
        """Note that the camera is gone, whose last frame came at `last_s`; whether that is news."""
        if self._lost_from_s is not None:
            return False
        self._lost_from_s = last_s
        self._gaps += 1
        return True

    def lost_seconds(self) -> float:
        """Return for how long the camera has been gone; 0 if it is there."""
        lost_from_s = self._lost_from_s
        end_s = self._ended_s or time.monotonic()
        return 0.0 if lost_from_s is None else end_s - lost_from_s

    def note_frame(self, frame: Frame, arrived_s: float, missed: int) -> float:
        """Note a frame; return the length of the gap that it ends, 0 if it ends none."""
        gap_s = 0.0
        if self._lost_from_s is not None:
            gap_s, self._lost_from_s = arrived_s - self._lost_from_s, None
            self._gap_s += gap_s
        self._captured += 1
        self._missed += missed
        self._flagged += bool(frame.flags & ~FrameFlag.UNCALIBRATED)
        self._arrivals_s.append(arrived_s)
        return gap_s

    def note_result(self, now_s: float, latency_s: float) -> None:
        """Note that a result came at `now_s`, `latency_s` after its frame."""
        self._segmented += 1
        self._results_s.append(now_s)
        self._latencies_s.append(latency_s)

    def report(
        self, *, replaced: int, recorded: int, dropped: int, sink_dropped: int
    ) -> SessionCounts:
        """Return the account so far, with what only the session knows."""
        end_s = self._ended_s or time.monotonic()
        # Lists of Python, as a window looks 30 times a second: NumPy takes ten times as long.
        latencies_s = sorted(self._latencies_s.copy())
        return SessionCounts(
            captured=self._captured,
            missed=self._missed,
            segmented=self._segmented,
            replaced=replaced,
            recorded=recorded,
            dropped=dropped,
            camera_rate_hz=_rate_hz(self._arrivals_s, end_s),
            segmented_rate_hz=_rate_hz(self._results_s, end_s),
            latency_p50_ms=1e3 * _quantile(latencies_s, 0.5),
            latency_p95_ms=1e3 * _quantile(latencies_s, 0.95),
            seconds=0.0 if self._began_s is None else end_s - self._began_s,
            timeouts=self.timeouts,
            refused=self.refused,
            flagged=self._flagged,
            gaps=self._gaps,
            gap_seconds=self._gap_s + self.lost_seconds(),
            sink_dropped=sink_dropped,
            reopened=self.reopened,
        )


def _rate_hz(moments_s: deque[float], now_s: float) -> float:
    moments = list(moments_s.copy())  # a copy first, since another thread goes on appending
    first = bisect_left(moments, now_s - RATE_WINDOW_S)
    intervals = len(moments) - first - 1
    return intervals / (moments[-1] - moments[first]) if intervals > 0 else 0.0


def _quantile(ordered: Sequence[float], fraction: float) -> float:
    """Return the quantile `fraction` (0-1) of `ordered`, interpolated; NaN if there are none."""
    if not ordered:
        return math.nan
    place = fraction * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
