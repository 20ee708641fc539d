"""Which stretch of time is shown: the newest one, or one that stands still."""

from math import inf
from typing import Final

SHORTEST_S: Final = 5.0
"""Shortest stretch that can be shown."""
WHOLE: Final = inf
"""Length that stands for everything since the start."""
REMEMBERED_WHOLE: Final = "whole"
"""How `WHOLE` is remembered: not every kind of settings file knows infinity."""
LEAD: Final = 0.1
"""Share of the stretch that lies before the played position after it has left the stretch."""


def remembered_length(value: object) -> float | None:
    """Return a remembered length, seconds; None if it is none that can be shown."""
    if value == REMEMBERED_WHOLE:
        return WHOLE
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if SHORTEST_S <= value < inf else None


class TimeWindow:
    """Follows the newest sample, or the played position of a recording, until somebody pans."""

    def __init__(self, length_s: float = 60.0) -> None:
        self.length_s = length_s
        """Seconds shown, or `WHOLE`."""
        self.follows = True
        """Whether new samples move what is shown."""
        self._begin_s = 0.0
        self._end_s = 0.0
        self._left_s = 0.0
        self._cursor_s: float | None = None

    @property
    def shown(self) -> tuple[float, float]:
        """Begin and end of what is shown, seconds."""
        length_s = self._seconds
        if self.follows and self.length_s == WHOLE:
            return self._begin_s, self._begin_s + length_s
        if self.follows and self._cursor_s is None:
            return self._end_s - length_s, self._end_s
        return self._left_s, self._left_s + length_s

    def set_bounds(self, begin_s: float, end_s: float) -> None:
        """Tell from when to when there are samples; while it follows, the end is now."""
        self._begin_s, self._end_s = begin_s, max(begin_s, end_s)
        if self._cursor_s is not None:
            self._keep_inside()

    def set_cursor(self, time_s: float | None) -> None:
        """Follow the played position of a recording instead of the newest sample."""
        self._cursor_s = time_s
        if time_s is None or not self.follows or self.length_s == WHOLE:
            return
        left_s, right_s = self._left_s, self._left_s + self._seconds
        if not left_s <= time_s <= right_s:
            self._left_s = time_s - LEAD * self._seconds
            self._keep_inside()

    def set_length(self, seconds: float) -> None:
        """Show so many seconds, `WHOLE` for all; the end stays where it is, or the cursor's place.

        Raises
        ------
        ValueError
            If `seconds` is less than `SHORTEST_S`.
        """
        if not seconds >= SHORTEST_S:
            raise ValueError(f"a window is at least {SHORTEST_S:g} s long, got {seconds}")
        anchor_s = self.shown[1] if self._cursor_s is None else self._cursor_s
        self._change_length(seconds, anchor_s)

    def zoom(self, factor: float, at_s: float) -> None:
        """Lengthen what is shown by `factor`, and leave the moment `at_s` in its place.

        While it follows the newest sample, that one stays in its place instead.
        """
        whole_s = max(self._end_s - self._begin_s, SHORTEST_S)
        seconds = max(self._seconds * factor, SHORTEST_S)
        if self.follows and self._cursor_s is None:
            at_s = self._end_s
        self._change_length(WHOLE if seconds >= whole_s and factor > 1 else seconds, at_s)

    def pan(self, seconds: float) -> None:
        """Move what is shown to later times, negative to earlier ones, and follow no longer."""
        self.pause()
        self._left_s += seconds
        self._keep_inside()

    def pause(self) -> None:
        """Show what is shown now until somebody asks for something else."""
        left_s, right_s = self.shown
        if self.length_s == WHOLE:
            self.length_s = right_s - left_s
        self._left_s = left_s
        self.follows = False

    def set_following(self, follows: bool) -> None:
        """Follow, or hold still."""
        if follows:
            self.follow()
        else:
            self.pause()

    def follow(self) -> None:
        """Show the newest sample, or the played position, again."""
        self.follows = True
        self.set_cursor(self._cursor_s)

    @property
    def _seconds(self) -> float:
        if self.length_s == WHOLE:
            return max(self._end_s - self._begin_s, SHORTEST_S)
        return self.length_s

    def _change_length(self, seconds: float, at_s: float) -> None:
        left_s, right_s = self.shown
        share = min(max((at_s - left_s) / (right_s - left_s), 0.0), 1.0)
        self.length_s = seconds
        if seconds == WHOLE:
            self._left_s = self._begin_s
        else:
            self._left_s = at_s - share * seconds
            self._keep_inside()

    def _keep_inside(self) -> None:
        """Show no time without samples, as far as there are enough of them."""
        latest_s = self._end_s - self._seconds
        earliest_s = min(self._begin_s, latest_s)
        if self._cursor_s is not None:  # a recording shorter than the stretch begins at its left
            latest_s = max(latest_s, self._begin_s)
            earliest_s = self._begin_s
        self._left_s = min(max(self._left_s, earliest_s), latest_s)
