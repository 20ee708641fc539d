"""Memory that runs out: seen in time to complete a recording, before the system kills somebody."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import psutil

LOW_SHARE: Final = 0.03
"""Part of the memory that must be free."""
LOOKS: Final = 6
"""The pace at which memory goes is measured over the last looks; with fewer there is none."""
STALE_S: Final = 10.0
"""Looks before this are of another time."""
LEFT_S: Final = 60.0
"""Memory that lasts longer than this at its pace is not called falling."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the machine at one moment."""

    free_bytes: int
    """What programs can have without swapping, caches that give way included."""
    total_bytes: int


def read_memory() -> Memory:
    """Return the memory of this machine now."""
    found = psutil.virtual_memory()
    return Memory(found.available, found.total)


class MemoryGuard:
    """Says when memory is nearly gone and goes on falling; a low but steady machine is left alone.

    To be asked about once a second.
    """

    def __init__(self, read: Callable[[], Memory] = read_memory) -> None:
        """Look at nothing yet."""
        self._read = read
        self._looks: deque[tuple[float, int]] = deque(maxlen=LOOKS)

    def complaint(self, now_s: float) -> str:
        """Look, and return what is wrong as a clause; empty if nothing is.

        Parameters
        ----------
        now_s
            Monotonic clock.
        """
        memory = self._read()
        looks = self._looks
        looks.append((now_s, memory.free_bytes))
        while looks[0][0] < now_s - STALE_S:
            looks.popleft()
        if memory.free_bytes >= LOW_SHARE * memory.total_bytes or len(looks) < LOOKS:
            return ""
        if memory.free_bytes > _loss_per_s(looks) * LEFT_S:
            return ""
        return (
            f"the memory of this computer is nearly used up ({memory.free_bytes / 1e6:.0f} MB of "
            f"{memory.total_bytes / 1e9:.0f} GB are free, and falling)"
        )


def _loss_per_s(looks: Sequence[tuple[float, int]]) -> float:
    """Return the pace at which memory goes, bytes per second, negative if it comes.

    It must go from look to look and over all of them: a program that takes its share once is no
    fall, nor is the coming and going of a busy machine.
    """
    paces = [
        (free - free_later) / (later_s - at_s)
        for (at_s, free), (later_s, free_later) in pairwise(looks)
        if later_s > at_s
    ]
    (first_s, first), (last_s, last) = looks[0], looks[-1]
    return min(median(paces), (first - last) / (last_s - first_s)) if paces else 0.0
