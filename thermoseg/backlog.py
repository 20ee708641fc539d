"""What waits for whom in a session, and whether it grows: the light that turns before a loss."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from thermoseg.frames import Frame
from thermoseg.recording.status import RecorderStatus
from thermoseg.result import Result

RECORDER: Final = "recorder"
NETWORK: Final = "network"
SAMPLE_S: Final = 0.2
"""Least time between two looks at a queue of which its trend is made."""
SAMPLES: Final = 10
"""Looks of which a trend is made: the last two seconds."""
RISE: Final = 0.1
"""Part of its capacity by which a queue must have grown within that time to be called rising."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in one queue at one moment."""

    name: str
    """`RECORDER`, `NETWORK`, or “the sink …”."""
    frames: int
    """Frames, for a sink frames and results, that came and are not dealt with yet."""
    capacity: int
    """As many can wait before some are lost; for the network those of one second, as a mask that is
    older is of another moment."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """A queue with its trend."""

    name: str
    waiting: int
    capacity: int
    rising: bool
    """Whether it has grown in the last seconds, by so much that it can be seen."""

    @property
    def share(self) -> float:
        """How full it is, 0-1."""
        return min(self.waiting / self.capacity, 1.0) if self.capacity else 0.0


class BacklogTrends:
    """Remembers the last seconds of each queue; may be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: dict[str, deque[tuple[float, int]]] = {}

    def look_at(
        self,
        recorder: RecorderStatus | None,
        network: tuple[Frame | None, Result | None, float] | None,
        sinks: Iterable[Waiting],
    ) -> tuple[Backlog, ...]:
        """Return what waits for the recorder, the network and each sink now.

        Parameters
        ----------
        network
            As `waiting_for_network` takes it; None if none is at work.
        """
        queues = [*waiting_for_disk(recorder), *sinks]
        if network is not None:
            queues.append(waiting_for_network(*network))
        return self.look(time.monotonic(), queues)

    def look(self, now_s: float, queues: Iterable[Waiting]) -> tuple[Backlog, ...]:
        """Return the queues with their trends; one that is not among them is forgotten.

        Parameters
        ----------
        now_s
            Monotonic clock.
        """
        with self._lock:
            queues = tuple(queues)
            names = {queue.name for queue in queues}
            self._before = {name: old for name, old in self._before.items() if name in names}
            return tuple(self._follow(now_s, queue) for queue in queues)

    def _follow(self, now_s: float, queue: Waiting) -> Backlog:
        samples = self._before.setdefault(queue.name, deque(maxlen=SAMPLES))
        if not samples or now_s - samples[-1][0] >= SAMPLE_S:
            samples.append((now_s, queue.frames))
        frames = [frames for _, frames in samples]
        half = len(frames) // 2
        growth = sum(frames[-half:]) / half - sum(frames[:half]) / half if half else 0.0
        rising = growth >= max(RISE * queue.capacity, 1.0)
        return Backlog(queue.name, queue.frames, queue.capacity, rising)


def waiting_for_disk(status: RecorderStatus | None) -> list[Waiting]:
    """Return the frames that wait for the recorder's writer; nothing if nothing is recorded."""
    if status is None or not status.slots:
        return []
    return [Waiting(RECORDER, status.waiting, status.slots)]


def waiting_for_network(frame: Frame | None, result: Result | None, rate_hz: float) -> Waiting:
    """Return the frames that came since the one that the newest mask shows.

    Parameters
    ----------
    frame
        The newest one.
    result
        The newest one of the model at work, None before its first.
    rate_hz
        Frames of the camera per second, measured.
    """
    capacity = max(round(rate_hz), 1)
    if frame is None:
        return Waiting(NETWORK, 0, capacity)
    behind = capacity if result is None else frame.index - result.frame.index
    return Waiting(NETWORK, min(max(behind, 0), capacity), capacity)
