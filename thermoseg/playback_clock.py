"""Which frame of a recording is due when it is played: arithmetic on times, without a clock."""

from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_SPEED: Final = 0.1
MAX_SPEED: Final = 10.0
"""Least and greatest multiple of real time."""

TOLERANCE_S: Final = 1e-6
"""A frame is due so much early: sums of times that are equal on paper differ in their last bits."""


class PlaybackClock:
    """Plays, pauses, steps and loops; every method is told the monotonic time at which it is asked.

    Real times between frames are kept, so a gap lasts as long as it did.  What is played faster
    than frames can be shown skips frames, since only the one that is due is asked for.
    """

    def __init__(self, times_s: NDArray[np.float64]) -> None:
        """Stand still at the first frame.

        Parameters
        ----------
        times_s
            (n,), time of each frame, seconds, strictly increasing.

        Raises
        ------
        ValueError
            If there is no frame.
        """
        if not len(times_s):
            raise ValueError("a recording without a frame cannot be played")
        self._times_s = times_s
        self._index = 0
        self._began: tuple[float, float] | None = None
        """Monotonic time and time in the recording from which on it plays; None if it stands."""
        self._speed = 1.0
        self._loop: tuple[int, int] | None = None

    @property
    def speed(self) -> float:
        """Multiple of real time."""
        return self._speed

    @property
    def loop(self) -> tuple[int, int] | None:
        """First and last frame of the selection that is played round and round, if there is one."""
        return self._loop

    def playing(self, now_s: float) -> bool:
        """Tell whether other frames will be due by themselves."""
        return self._began is not None and (
            self._loop is not None or self._media_s(now_s) < self._times_s[-1] - TOLERANCE_S
        )

    def due(self, now_s: float) -> int:
        """Return the number of the frame that is to be seen at `now_s`."""
        if self._began is None:
            return self._index
        place = int(np.searchsorted(self._times_s, self._media_s(now_s) + TOLERANCE_S, "right")) - 1
        first, last = self._loop or (0, len(self._times_s) - 1)
        return min(max(place, first), last)

    def next_change_s(self, now_s: float) -> float:
        """Return the monotonic time at which another frame will be due; infinite if none will."""
        if not self.playing(now_s):
            return inf
        media_s, index = self._media_s(now_s), self.due(now_s)
        if self._loop is not None and index == self._loop[1]:
            until_s = self._loop_end_s() - media_s
        else:
            until_s = float(self._times_s[index + 1]) - media_s
        return now_s + until_s / self._speed

    def play(self, now_s: float) -> None:
        """Go on from the frame that is seen; from the beginning if it is the last one."""
        first, last = self._loop or (0, len(self._times_s) - 1)
        index = self.due(now_s)
        self._start(first if not first <= index < last else index, now_s)

    def pause(self, now_s: float) -> None:
        """Stand still at the frame that is seen."""
        self._index, self._began = self.due(now_s), None

    def seek(self, index: int, now_s: float) -> None:
        """Go to frame `index`, or the nearest that there is, and go on playing if it plays.

        A seek out of the selection that is looped ends the loop.
        """
        index = self._clipped(index)
        self._stand_at_end(now_s)
        if self._loop is not None and not self._loop[0] <= index <= self._loop[1]:
            self._loop = None
        if self._began is None:
            self._index = index
        else:
            self._start(index, now_s)

    def step(self, frames: int, now_s: float) -> int:
        """Stand still exactly `frames` further, backwards if negative; return that frame.

        At either end it stays there.
        """
        self.pause(now_s)
        self.seek(self._index + frames, now_s)
        return self._index

    def step_seconds(self, seconds: float, now_s: float) -> int:
        """Go `seconds` on, backwards if negative, by one frame at least; return the frame there."""
        index = self.due(now_s)
        target_s = float(self._times_s[index]) + seconds
        if seconds < 0:
            place = int(np.searchsorted(self._times_s, target_s + TOLERANCE_S, "right")) - 1
            place = min(place, index - 1)
        else:
            place = max(int(np.searchsorted(self._times_s, target_s - TOLERANCE_S)), index + 1)
        self.seek(place, now_s)
        return self.due(now_s)

    def set_speed(self, speed: float, now_s: float) -> None:
        """Play on at another speed, from where it is between two frames.

        Raises
        ------
        ValueError
            If it is beyond `MIN_SPEED` and `MAX_SPEED`.
        """
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"speed must be from {MIN_SPEED:g} to {MAX_SPEED:g}, got {speed:g}")
        self._keep_place(now_s)
        self._speed = speed

    def set_loop(self, selection: tuple[int, int] | None, now_s: float) -> None:
        """Play frames `selection`, the last one included, round and round; None plays on.

        What is seen is the first of them if it was none of them.

        Raises
        ------
        ValueError
            If there are no such frames.
        """
        index = self.due(now_s)
        if selection is not None and not 0 <= selection[0] <= selection[1] < len(self._times_s):
            raise ValueError(
                f"a selection lies within 0 and {len(self._times_s) - 1}, got {selection}"
            )
        self._keep_place(now_s)
        self._loop = selection
        if selection is not None and not selection[0] <= index <= selection[1]:
            self.seek(selection[0], now_s)

    def _start(self, index: int, now_s: float) -> None:
        self._index, self._began = index, (now_s, float(self._times_s[index]))

    def _keep_place(self, now_s: float) -> None:
        """Count from where it is now, so that what is changed then changes nothing before."""
        self._stand_at_end(now_s)
        if self._began is not None:
            self._began = now_s, self._media_s(now_s)

    def _stand_at_end(self, now_s: float) -> None:
        if not self.playing(now_s):
            self.pause(now_s)

    def _clipped(self, index: int) -> int:
        return min(max(index, 0), len(self._times_s) - 1)

    def _media_s(self, now_s: float) -> float:
        """Return where in the recording it is, seconds on the clock of the frames."""
        if self._began is None:
            return float(self._times_s[self._index])
        since_s, from_s = self._began
        media_s = from_s + max(0.0, now_s - since_s) * self._speed
        if self._loop is None:
            return media_s
        # The last frame is seen as long as the step behind it, then the first one again.
        first_s = float(self._times_s[self._loop[0]])
        round_s = self._loop_end_s() - first_s
        inside_s = (media_s - first_s) % round_s
        return first_s if round_s - inside_s < TOLERANCE_S else first_s + inside_s

    def _loop_end_s(self) -> float:
        """Return when the last frame of the selection has been seen for its time."""
        _, last = self._loop or (0, len(self._times_s) - 1)
        if last + 1 < len(self._times_s):
            return float(self._times_s[last + 1])
        if last == 0:
            return float(self._times_s[0]) + 1.0
        return float(2 * self._times_s[last] - self._times_s[last - 1])
