"""When the shutter of a simulated camera is closed: by its clock, or because somebody asked."""

from math import inf
from typing import NamedTuple


class ShutterState(NamedTuple):
    """The shutter at one moment."""

    closed: bool
    since_s: float
    """Seconds since it opened, 0 while it is closed, infinite if it never closed."""
    closings: int
    """Number of the last closing; those that were asked for count from `FIRST_ASKED`."""


FIRST_ASKED = 1_000_000
"""Closings by the clock are never so many."""


class SimulatedShutter:
    """A shutter that closes for a while each `every_s` seconds, and when it is asked to."""

    def __init__(self, every_s: float, length_s: float) -> None:
        """Let it be open.

        Parameters
        ----------
        every_s
            Between two closings by its clock; 0 for none.
        length_s
            How long it stays closed.
        """
        self._every_s, self._length_s = every_s, length_s
        self._automatic = True
        self._by_clock = 0
        """Number of the last closing by its clock."""
        self._asked_s = -inf
        self._asked = 0

    def close(self, time_s: float) -> None:
        """Close it at `time_s`, a correction that somebody asked for."""
        self._asked_s = time_s
        self._asked += 1

    def set_automatic(self, time_s: float, *, on: bool) -> None:
        """Let it close by its clock, or not; what it has missed meanwhile it does at once."""
        if on and not self._automatic and self._due(time_s) > self._by_clock:
            self.close(time_s)
        self._automatic = on

    def at(self, time_s: float) -> ShutterState:
        """Return how it is at `time_s`; asked with times that grow."""
        if self._automatic:
            self._by_clock = self._due(time_s)
        begun_s, number = self._by_clock * self._every_s, self._by_clock
        if self._asked and self._asked_s >= begun_s:
            return self.asked_at(time_s)
        if not number:
            return ShutterState(False, inf, 0)
        return self._state(time_s - begun_s, number)

    def asked_at(self, time_s: float) -> ShutterState:
        """Return how it would be if it had no clock."""
        if not self._asked:
            return ShutterState(False, inf, 0)
        return self._state(time_s - self._asked_s, FIRST_ASKED + self._asked)

    def _due(self, time_s: float) -> int:
        return int(time_s // self._every_s) if self._every_s > 0 else 0

    def _state(self, passed_s: float, number: int) -> ShutterState:
        since_s = passed_s - self._length_s
        return ShutterState(since_s < 0, max(since_s, 0.0), number)
