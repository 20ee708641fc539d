"""Newest-only hand-over between threads: a reader never sees a backlog."""

import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A place for one value; a newer one replaces it, and what was replaced unseen is counted.

    Any thread may `put` and `peek`.  One thread may take: what it has taken once it does not get
    again.  `peek` neither waits nor takes, so a window can look at it as often as it likes.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._waiting = False
        self._closed = False
        self._replaced = 0

    def put(self, value: T) -> None:
        """Offer `value`; never waits.  Ignored after `close`."""
        with self._changed:
            if self._closed:
                return
            self._replaced += self._waiting
            self._value = value
            self._waiting = True
            self._changed.notify()

    def peek(self) -> T | None:
        """Return the newest value, taken or not; None before the first."""
        return self._value

    def take_newer(self, timeout_s: float) -> T | None:
        """Wait for a value that was not taken yet, at most `timeout_s` seconds.

        Returns
        -------
        The value, or None if none came in time.  After `close` the last value can still be taken;
        then None at once.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._waiting:
                left_s = deadline_s - time.monotonic()
                if self._closed or left_s <= 0:
                    return None
                self._changed.wait(left_s)
            self._waiting = False
            return self._value

    @property
    def replaced(self) -> int:
        """Values replaced before anybody took them."""
        return self._replaced

    @property
    def closed(self) -> bool:
        """Whether no further value will come."""
        return self._closed

    def close(self) -> None:
        """Accept no further value and wake who waits; may be called more than once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
