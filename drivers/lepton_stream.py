"""Pictures of a Lepton one after the other: their numbers, times and flags."""

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.lepton_telemetry import FfcState, Telemetry
from drivers.picture_stream import PictureHistory, StreamClock
from drivers.uvc_capture import Picture
from thermoseg.errors import FrameRefusedError
from thermoseg.frames import FrameFlag

log = logging.getLogger(__name__)

HELD_FRAMES: Final = 1
"""Frames after the shutter opened that still show what was frozen."""
MOST_MISSED: Final = 10_000
"""A frame counter that goes further, or back, has begun anew."""
MOST_BUFFERED: Final = 32
"""A counter that goes back by no more is that of an earlier picture, whose end is still in the
buffer because the end of this one was lost on the way."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One picture taken apart."""

    counts: NDArray[np.uint16]
    telemetry: Telemetry | None
    picture: Picture
    rows: int
    """Rows that were sent, telemetry included."""
    columns: int

    @property
    def said_k(self) -> float | None:
        """Kelvin per count by telemetry: 0 if counts are no kelvin, None if it does not tell."""
        if self.telemetry is None or self.telemetry.tlinear is None:
            return None
        return self.telemetry.resolution_k if self.telemetry.tlinear else 0.0

    @property
    def blank(self) -> bool:
        """Whether all pixels are the same, which no scene gives."""
        return int(self.counts.min()) == int(self.counts.max())


class Follower:
    """Numbers, times and flags of the frames of one stream, in their order."""

    def __init__(self) -> None:
        self._clock = StreamClock()
        self._history = PictureHistory()
        self._counter: int | None = None
        self._index = -1
        self._held = 0
        """Frames that still show what was frozen, yet to come."""
        self._warned = False

    def again(self, telemetry: Telemetry | None) -> bool:
        """Whether the frame was there before, by its number."""
        return telemetry is not None and telemetry.frame_counter == self._counter

    def place(self, taken: Taken) -> tuple[int, float, FrameFlag]:
        """Return index, seconds since the first frame, and flags of a frame."""
        telemetry, picture = taken.telemetry, taken.picture
        if telemetry is None:
            self._index += 1
            time_s = self._clock.place(picture.taken_s, picture.came_s)
            return self._index, time_s, self._history.flags(taken.counts)
        gap = self._count(telemetry.frame_counter)
        time_s = self._clock.place(telemetry.uptime_ms / 1000, picture.came_s)
        closed = self._frozen(telemetry)
        self._warn(telemetry)
        seen = self._history.flags(taken.counts, closed=closed, since_s=_since_ffc_s(telemetry))
        return self._index, time_s, gap | seen

    def _count(self, counter: int) -> FrameFlag:
        """Advance the index by the camera's own numbers.

        Raises
        ------
        FrameRefusedError
            If the end of the picture is an earlier one's.
        """
        # The counter has 32 bits and wraps, so differences are taken modulo 2³².  A small step back
        # is a frame out of a buffer that was filled earlier; a large one is a camera that began
        # again, whose numbers say nothing of what was lost.
        steps = 1 if self._counter is None else (counter - self._counter) % (1 << 32)
        if -steps % (1 << 32) <= MOST_BUFFERED:
            raise FrameRefusedError(
                "the end of a Lepton's picture was lost on the way; use a shorter cable or another "
                "port if that happens often"
            )
        self._counter = counter
        if not 0 < steps <= MOST_MISSED:
            self._index += 1
            return FrameFlag.GAP_BEFORE
        self._index += steps
        return FrameFlag.GAP_BEFORE if steps > 1 else FrameFlag.NONE

    def _frozen(self, telemetry: Telemetry) -> bool:
        if telemetry.ffc_state is FfcState.RUNNING:
            self._held = HELD_FRAMES
            return True
        self._held -= 1
        return self._held >= 0

    def _warn(self, telemetry: Telemetry) -> None:
        trouble = telemetry.overheating or telemetry.shutter_locked
        if trouble and not self._warned:
            log.warning(
                "the Lepton at %.0f °C %s",
                telemetry.fpa_c,
                "is about to switch itself off; let it cool"
                if telemetry.overheating
                else "keeps its shutter locked, so temperatures drift",
            )
        self._warned = trouble


def _since_ffc_s(telemetry: Telemetry) -> float:
    """Seconds since the last flat-field correction, infinite if there was none."""
    if telemetry.ffc_state is FfcState.NEVER:
        return np.inf
    return ((telemetry.uptime_ms - telemetry.ffc_uptime_ms) % (1 << 32)) / 1000
