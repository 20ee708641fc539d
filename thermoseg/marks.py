"""Moments and stretches of a session that somebody names: a key, a button, another program."""

import itertools
import threading
import time
from dataclasses import dataclass
from math import isfinite
from typing import Final

UNDO_S: Final = 5.0
"""Time for which a mark can be taken back."""
MARKS_KEPT: Final = 1000
"""Most marks that a running session keeps; a recording keeps all."""
_numbers: Final = itertools.count(1)


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Something that somebody named while a session ran."""

    begin_s: float
    """Time of the key press, on the clock of the session's frames."""
    label: str
    kind: str
    source: str
    """Origin of the mark: a key, a stream, another program."""
    wall_time: float
    """The same moment, seconds since 1970, UTC."""
    duration_s: float
    """0 for a moment; NaN where the end is not known."""
    made_s: float
    """When the program was told, monotonic clock; for `UNDO_S` from then on it can be undone."""
    number: int
    """Different for each mark of a program."""

    @classmethod
    def now(
        cls, label: str, kind: str, source: str, begin_s: float, now_s: float, duration_s: float
    ) -> "Mark":
        """Make a mark that the program is told of now.

        Parameters
        ----------
        begin_s, now_s
            The moment that is marked, and the present, both on the clock of the frames.

        Raises
        ------
        ValueError
            If it has no label, no finite time or a negative duration.
        """
        if not label.strip():
            raise ValueError("a mark needs a label")
        if not isfinite(begin_s) or duration_s < 0:
            raise ValueError(f"no mark begins at {begin_s} s and lasts {duration_s} s")
        wall_time = time.time() - (now_s - begin_s)
        made_s, number = time.monotonic(), next(_numbers)
        return cls(begin_s, label, kind, source, wall_time, duration_s, made_s, number)

    @property
    def fixed(self) -> bool:
        """Whether it is too old to be taken back."""
        return time.monotonic() - self.made_s >= UNDO_S


class MarkLog:
    """The last `MARKS_KEPT` marks, oldest first; used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: tuple[Mark, ...] = ()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All that are kept; a tuple of its own, which changes no more."""
        return self._marks

    def append(self, mark: Mark) -> None:
        """Keep `mark`, and forget the oldest if there are too many."""
        with self._lock:
            self._marks = (*self._marks[1 - MARKS_KEPT :], mark)

    def remove(self, mark: Mark) -> None:
        """Forget `mark`, if it is there."""
        with self._lock:
            self._marks = tuple(other for other in self._marks if other is not mark)
