"""Brings a file to the disk in the background: on a USB stick or a card one fsync takes seconds.

The thread that writes frames never waits for a disk.  What was written when an fsync began is
safe from a power cut once that fsync has ended; until then it is at risk.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

LANES: Final = 3
"""Fsyncs of one file that may run at once.  With a latency of L, one begun each L/3 leaves at most
4/3 L of frames at risk; one after the other would leave 2 L."""
FIRST_PAUSE_S: Final = 0.3
"""Pause between the first fsyncs, while their latency is unknown."""
STRETCH: Final = 2 / 3
"""Pause before the first fsync has ended, as a fraction of the time since it began: it grows."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Position in a session up to which it has been written."""

    frames: int
    time_s: float
    """Time of the last frame written, on the clock of the frames."""


@dataclass(frozen=True, slots=True)
class _Sync:
    number: int
    mark: Mark
    seconds: Future[float]


class DiskSync:
    """Runs fsync for one writer, and tells up to which mark everything is on the disk.

    Used by one thread; the fsyncs run in threads of their own.
    """

    def __init__(self, sync: Callable[[], None], *, lanes: int = LANES) -> None:
        """Prepare to run `sync`, which returns when the disk has everything written before."""
        self._sync = sync
        self._lanes = lanes
        self._pool = ThreadPoolExecutor(lanes + 1, "thermoseg fsync")  # one more for the last
        self._running: list[_Sync] = []
        self._asked: Mark | None = None
        self._begun = 0
        self._safe_number = 0
        self._first_s = self._began_s = 0.0
        self.safe: Mark | None = None
        """Everything up to this is on the disk; None before the first fsync has ended."""
        self.latency_s = math.nan
        """Duration of the last fsync; NaN before the first has ended."""

    def request(self, mark: Mark) -> None:
        """Bring everything written so far, up to `mark`, to the disk as soon as there is a lane.

        Raises
        ------
        OSError
            If the disk could not take what was written before.
        """
        self._asked = mark
        self.look()

    def look(self) -> None:
        """Take note of fsyncs that have ended, and begin the next one if it is due.

        Raises
        ------
        OSError
            If the disk could not take what was written.
        """
        for sync in [sync for sync in self._running if sync.seconds.done()]:
            self._running.remove(sync)
            self.latency_s = sync.seconds.result()
            if sync.number > self._safe_number:  # it may have been overtaken in the other lane
                self._safe_number, self.safe = sync.number, sync.mark
        if len(self._running) < self._lanes and (not self._running or self._is_due()):
            self.hurry()

    def hurry(self) -> None:
        """Begin to bring to the disk what was asked for, whatever is on its way already."""
        if self._asked is None:
            return
        mark, self._asked = self._asked, None
        self._begun += 1
        self._began_s = time.monotonic()
        if self._begun == 1:
            self._first_s = self._began_s
        self._running.append(_Sync(self._begun, mark, self._pool.submit(self._timed)))

    def finish(self) -> None:
        """Wait until everything asked for is on the disk, and end the threads.

        Raises
        ------
        OSError
            If the disk could not take what was written.
        """
        self.hurry()
        self._pool.shutdown(wait=True)
        self.look()

    def _is_due(self) -> bool:
        """Tell whether another fsync would put less at risk than those on their way."""
        # The last fsync stands for the next: begun 1/LANES of its latency apart, they occupy all
        # lanes evenly.  Before the first has ended its latency is unknown, and a fixed pause would
        # fill the lanes at once on a slow disk; pauses that grow with the time waited spread them
        # out.
        now_s = time.monotonic()
        pause_s = self.latency_s / self._lanes
        if math.isnan(pause_s):
            pause_s = max(FIRST_PAUSE_S, STRETCH * (now_s - self._first_s))
        return now_s - self._began_s >= pause_s

    def _timed(self) -> float:
        began_s = time.monotonic()
        self._sync()
        return time.monotonic() - began_s
