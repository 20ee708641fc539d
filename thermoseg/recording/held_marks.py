"""Marks that may still be taken back, in the process that writes; each becomes a row in time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import MARKER


class HeldMarks:
    """Marks that are not in the file yet, by number.

    Whoever takes one back sends a message through the same pipe as the frames, so a mark is safe
    from that once a frame has come that was offered later than it could be taken back.  The clock
    of this process would not do: after a stall it is ahead of the messages that wait.
    """

    def __init__(self) -> None:
        self._rows: dict[int, tuple[float, NDArray[Any]]] = {}

    def add(self, slot: NDArray[Any]) -> None:
        """Hold the mark in `slot` of the ring; its `monotonic_s` is when it becomes a row."""
        names = ("time_s", "duration_s", "wall_time", "kind", "text", "source")
        row = np.array(tuple(slot[name].item() for name in names), MARKER)
        self._rows[int(slot["number"])] = float(slot["monotonic_s"]), row

    def remove(self, number: int) -> None:
        """Forget a mark, if it is held."""
        self._rows.pop(number, None)

    def take(self, now_s: float) -> list[NDArray[Any]]:
        """Return the rows that are due at `now_s`, monotonic clock, and hold them no more."""
        due = [number for number, (until_s, _) in self._rows.items() if until_s <= now_s]
        return [self._rows.pop(number)[1] for number in due]
