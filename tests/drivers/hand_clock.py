"""A clock that a test sets by hand, and what stand-ins need of any clock."""

from typing import Protocol


class Clock(Protocol):
    """What is used of the module `time`."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> object: ...


class HandClock:
    """A clock that stands still except while somebody sleeps, in place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
