"""Who gets every frame and every result of a session, each in a thread of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from thermoseg.errors import ThermoSegError
from thermoseg.face_geometry import FaceRois
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.rois import RoiSample

log = logging.getLogger(__name__)

SINK_QUEUE: Final = 32
"""Frames and results that may wait for a slow sink; 640×512 takes 2 MB each."""
SINK_GRACE_S: Final = 0.25
"""After that time a sink may still end what it is at, and loses the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What came of segmenting one frame.  Shared between threads, hence read-only."""

    frame: Frame
    segmentation: Segmentation
    samples: tuple[RoiSample, ...]
    latency_s: float
    """From the frame's arrival to this result."""
    rois: FaceRois | None = None
    """The masks that were measured, for drawing; held ones included.  None without a face."""


class Sink(Protocol):
    """Gets every frame and every result, in order, in a thread of its own.

    One that raises is removed from the session, which goes on; one that is slow loses frames.
    """

    def offer(self, frame: Frame) -> None:
        """Take one frame."""

    def offer_result(self, result: Result) -> None:
        """Take one result; its frame was offered before."""


class Outlet:
    """Carries frames and results to one sink, in a thread that only the sink can hold up."""

    def __init__(self, sink: Sink, report: Callable[["Outlet", Exception], None]) -> None:
        self.sink = sink
        self.name = f"the sink {type(sink).__name__}"
        self.dropped = 0
        self._report = report
        self._waiting: deque[Frame | Result] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(
            target=self._run, name=f"thermoseg {self.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to carry."""
        self._thread.start()

    def put(self, item: Frame | Result) -> None:
        """Let `item` wait for the sink; counted as dropped if too many do."""
        with self._changed:
            if self._closed:
                return
            if len(self._waiting) >= SINK_QUEUE:
                if not self.dropped:
                    log.warning("%s is too slow and loses frames", self.name)
                self.dropped += 1
                return
            self._waiting.append(item)
            self._changed.notify()

    def stop(self, deadline_s: float) -> bool:
        """Let the sink take what waits until `deadline_s`; return whether its thread ended."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is None or join_until(self._thread, deadline_s):
            return True
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        return join_until(self._thread, deadline_s + SINK_GRACE_S)

    def _run(self) -> None:
        error = catch(self._carry, self._thread.name)
        if error is not None:
            with self._changed:
                self._closed = True
                self._waiting.clear()
            self._report(self, error)

    def _carry(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                item = self._waiting.popleft()
            if isinstance(item, Frame):
                self.sink.offer(item)
            else:
                self.sink.offer_result(item)


def catch(body: Callable[[], None], where: str) -> Exception | None:
    """Run what a thread is for; log and return what it raises, as a thread has no caller."""
    try:
        body()
    except ThermoSegError as error:
        log.info("%s ended: %s", where, error, exc_info=True)  # shown by whoever calls `stop`
        return error
    except Exception as error:
        log.exception("%s ended with an error", where)
        return error
    return None


def join_until(thread: threading.Thread, deadline_s: float) -> bool:
    """Wait for the end of `thread` until `deadline_s` (monotonic); return whether it came."""
    thread.join(max(deadline_s - time.monotonic(), 0.0))
    return not thread.is_alive()
