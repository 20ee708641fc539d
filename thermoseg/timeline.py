"""The frames of one camera in one line, however often it is opened, stutters or jumps.

Numbers and times only grow, what is missing is counted, and what no driver can know by itself is
flagged: the same picture again, and the time after a shutter.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import Frame, FrameFlag

AFTER_SHUTTER_S: Final = 2.0
"""Time after a shutter event in which temperatures may step; some cameras take 1 to 3 s."""
FREEZE_S: Final = 0.3
"""A picture that stands still for longer was a shutter of which the camera says nothing; frames
that a slow camera's board sends three times take a tenth."""
FROZEN_S: Final = 5.0
"""No shutter stays closed for so long."""
CLOCK_AHEAD_S: Final = 1.0
"""No frame arrives before it was taken: a clock that gains so much has jumped."""
CLOCK_BEHIND_S: Final = 0.25
"""A clock that goes back by more was set anew; by less, two frames came in the wrong order."""
CLOCK_LATE_S: Final = 5.0
"""No driver keeps a frame for so long: the clock went back without falling behind."""
CLOCK_LEAK: Final = 1e-3
"""Seconds per second by which a camera's clock may run slower than ours."""
STEP_S: Final = 1e-4
"""Least time between two frames."""
JUMP_S: Final = 10.0
"""Numbers that run ahead of both clocks by more were set anew."""


class TimeLine:
    """Places frames one after the other; used by one thread."""

    def __init__(self) -> None:
        self.missed = 0
        """Frames lost between the last two, by the camera's numbers."""
        self.refused = 0
        """Broken frames thrown away since the last one; they are not missed."""
        self.refused_before = 0
        """Broken frames thrown away between the last two."""
        self.remark = ""
        """Irregularity of the last frame, a clause; empty as a rule."""
        self.arrived_s = 0.0
        """When the last frame came, or the camera was opened if none has, monotonic clock."""
        self.opened_s = 0.0
        """When the camera was opened last, monotonic clock."""
        self._live = True
        self._rate_hz = 0.0
        self._last: Frame | None = None
        self._last_number = 0
        self._add_index = 0
        self._add_s = 0.0
        self._new_start = False
        self._delay_s = 0.0
        self._shutter_until_s = -np.inf
        self._still_from_s = 0.0
        self._still_frames = 0

    def open(self, now_s: float, *, live: bool, rate_hz: float) -> None:
        """Expect the first frame of a camera that was opened at `now_s`, or opened again."""
        self._new_start = self._last is not None
        self._live, self._rate_hz, self.opened_s = live, rate_hz, now_s
        if self._last is None:
            self.arrived_s = now_s

    def now_s(self, now_s: float) -> float:
        """Return the moment `now_s`, monotonic clock, on the clock of the frames."""
        passed_s = now_s - self.arrived_s
        return passed_s if self._last is None else self._last.time_s + passed_s

    def place(self, frame: Frame, arrived_s: float) -> Frame:
        """Return `frame` with number and time that follow the last one's, and its flags.

        Parameters
        ----------
        arrived_s
            Monotonic clock.
        """
        self.missed, self.remark = 0, ""
        self.refused_before, self.refused = self.refused, 0
        flags, time_s = frame.flags, frame.time_s
        last, passed_s = self._last, arrived_s - self.arrived_s
        if last is None:
            self._delay_s = arrived_s - time_s
        else:
            time_s = self._time_s(frame, last, arrived_s, passed_s)
            flags |= self._number(frame, last, time_s - last.time_s, passed_s)
        flags |= self._stillness(frame, flags, time_s)
        placed = frame
        if flags != frame.flags or self._add_index or time_s != frame.time_s:
            index = frame.index + self._add_index
            placed = replace(frame, index=index, time_s=time_s, flags=flags)
        self._new_start, self.arrived_s = False, arrived_s
        self._last, self._last_number = placed, frame.index
        return placed

    def _number(self, frame: Frame, last: Frame, step_s: float, passed_s: float) -> FrameFlag:
        """Let the frame's number follow the last one's; return what that says of the frame."""
        if not self._new_start and frame.index == self._last_number:
            self._add_index += 1
            return FrameFlag.DUPLICATE
        # By the camera's numbers `jump` frames are missing.  Losing them takes jump / rate seconds,
        # on the camera's clock or, where that stood still, on ours.  Numbers that run ahead of both
        # together were set anew (a counter that wrapped, a camera that began again): to count that
        # as loss would put millions of frames into the account.
        jump = frame.index + self._add_index - last.index - 1
        ahead_s = jump / self._rate_hz - step_s - passed_s if self._live and self._rate_hz else 0.0
        if ahead_s > JUMP_S and not self._new_start:
            self.remark = f"its frame numbers jumped by {jump + 1}; they go on without the jump"
        if self._new_start or jump < 0 or ahead_s > JUMP_S:
            self._add_index = last.index + 1 - frame.index
            return FrameFlag.GAP_BEFORE
        self.missed = max(jump - self.refused_before, 0)
        return FrameFlag.GAP_BEFORE if jump or self.refused_before else FrameFlag.NONE

    def _time_s(self, frame: Frame, last: Frame, arrived_s: float, passed_s: float) -> float:
        """Return the frame's time, which follows the last one's even if the clock jumps."""
        # Two clocks: the camera's, moved by `_add_s`, and ours at the arrival of the frame.  The
        # camera's is kept, as arrivals jitter with USB and scheduler, but it may be set anew.  The
        # delay from one to the other is never too small, since no frame arrives before it was
        # taken, only too large while frames wait in a buffer.  So the smallest delay so far, which
        # leaks upwards for clocks that run slow, is the reference: one far below it means that the
        # clock has gained.  A clock that loses shows as a step back, or as frames that would have
        # waited longer than any buffer holds them.  After a jump the line goes on by our clock.
        time_s = frame.time_s + self._add_s
        step_s = time_s - last.time_s
        delay_s = arrived_s - time_s
        jump_s = 0.0
        if step_s < -CLOCK_BEHIND_S or (self._live and passed_s - step_s > CLOCK_LATE_S):
            jump_s = step_s - passed_s
        elif self._live and delay_s < self._delay_s - CLOCK_AHEAD_S:
            jump_s = self._delay_s - delay_s
        if self._new_start or jump_s:
            if not self._new_start:
                self.remark = f"its clock jumped by {jump_s:+.1f} s; times go on without the jump"
            self._add_s += last.time_s + max(passed_s, STEP_S) - time_s
            time_s = frame.time_s + self._add_s
            self._delay_s = arrived_s - time_s
        self._delay_s = min(self._delay_s + CLOCK_LEAK * passed_s, arrived_s - time_s)
        return max(time_s, last.time_s + STEP_S)

    def _stillness(self, frame: Frame, flags: FrameFlag, time_s: float) -> FrameFlag:
        """Return what of duplicate and shutter holds for the frame."""
        # Sensors are noisy, so two pictures that are equal bit by bit are one picture sent twice: a
        # camera that repeats frames to fill its rate, or one whose shutter is closed.  Only the
        # length of the stillness tells them apart.  A still that lasted `FREEZE_S` was a flat-field
        # correction, after which temperatures may step.
        found, last = FrameFlag.NONE, self._last
        still = self._live and last is not None and _same(frame.counts, last.counts)
        if still:
            self._still_frames += 1
            if self._still_frames > 1 and self._still_for_s(time_s) >= FROZEN_S:
                self.remark = self.remark or self._frozen(time_s)
        else:
            if self._still_frames > 1 and self._still_for_s(time_s) >= FREEZE_S:
                self._shutter_until_s = time_s + AFTER_SHUTTER_S
            self._still_frames, self._still_from_s = 0, time_s
        if flags & FrameFlag.SHUTTER:
            self._shutter_until_s = time_s + AFTER_SHUTTER_S
            return found
        if still:
            found |= FrameFlag.DUPLICATE
        elif time_s < self._shutter_until_s:
            found |= FrameFlag.AFTER_SHUTTER
        return found

    def _still_for_s(self, time_s: float) -> float:
        return time_s - self._still_from_s

    def _frozen(self, time_s: float) -> str:
        """Say once that the picture stands still."""
        last_s = time_s if self._last is None else self._last.time_s
        before = last_s - self._still_from_s < FROZEN_S
        return f"its picture has stood still for {FROZEN_S:.0f} s" if before else ""


def _same(one: NDArray[np.uint16], other: NDArray[np.uint16]) -> bool:
    """Whether two pictures are equal; the first line tells nearly always, as sensors are noisy."""
    return (
        one.shape == other.shape
        and np.array_equal(one[0], other[0])
        and bool(np.array_equal(one, other))
    )
