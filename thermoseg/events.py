"""What rarely happens to a session and must not be forgotten: losses, gaps, marks of the user."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

EVENTS_KEPT: Final = 1000
"""Most events that a running session keeps; a recording keeps all."""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something rare that happened while a session ran."""

    time_s: float
    """Time of the event, on the clock of the session's frames."""
    text: str
    wall_time: float
    """Seconds since 1970, UTC."""


class EventLog:
    """The last `EVENTS_KEPT` events, oldest first; used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: tuple[SessionEvent, ...] = ()

    @property
    def events(self) -> tuple[SessionEvent, ...]:
        """All that are kept; a tuple of its own, which grows no more."""
        return self._events

    def append(self, event: SessionEvent) -> None:
        """Keep `event`, and forget the oldest if there are too many."""
        with self._lock:
            self._events = (*self._events[1 - EVENTS_KEPT :], event)


def events_after(
    events: Sequence[SessionEvent], last: SessionEvent | None
) -> tuple[SessionEvent, ...]:
    """List what came after `last`, all if None: each looker keeps the last event it has seen.

    If `last` has been forgotten meanwhile, all events are newer than it.
    """
    for at in range(len(events), 0, -1):
        if events[at - 1] is last:
            return tuple(events[at:])
    return tuple(events)
