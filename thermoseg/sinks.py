"""Who gets every frame and every result of a session, each in a thread of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from thermoseg.backlog import Waiting
from thermoseg.errors import ThermoSegError
from thermoseg.frames import Frame
from thermoseg.result import Result

log = logging.getLogger(__name__)

SINK_QUEUE: Final = 32
"""Frames and results that may wait for a slow sink; 640×512 takes 2 MB each."""
SINK_GRACE_S: Final = 0.25
"""Time in which a sink may empty its queue at the end; then it ends what it is at, no more."""


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

    @property
    def waiting(self) -> int:
        """Frames and results that wait for the sink."""
        return len(self._waiting)

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

    def close(self) -> None:
        """Accept nothing more; the sink goes on to take what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def stop(self, deadline_s: float) -> bool:
        """Let the sink take what waits until `deadline_s`; return whether its thread ended."""
        self.close()
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


class FanOut:
    """Offers every frame and every result to all sinks of a session."""

    def __init__(self, sinks: Sequence[Sink], note: Callable[[str], None]) -> None:
        """Offer nothing yet.

        Parameters
        ----------
        note
            Told, in the thread of the sink, that one was removed and why.
        """
        self._note = note
        self._lock = threading.Lock()
        self._running = False
        self._outlets = tuple(Outlet(sink, self._report) for sink in sinks)
        self._dropped_before = 0

    @property
    def dropped(self) -> int:
        """Frames and results that slow sinks could not take, those that are gone included."""
        with self._lock:
            return self._dropped_before + sum(outlet.dropped for outlet in self._outlets)

    @property
    def waiting(self) -> list[Waiting]:
        """What waits for each sink."""
        return [Waiting(outlet.name, outlet.waiting, SINK_QUEUE) for outlet in self._outlets]

    def start(self) -> None:
        """Begin to carry."""
        with self._lock:
            self._running = True
            for outlet in self._outlets:
                outlet.start()

    def put(self, item: Frame | Result) -> None:
        """Offer `item` to each sink; never waits for one."""
        for outlet in self._outlets:
            outlet.put(item)

    def add(self, sink: Sink) -> None:
        """Offer everything from now on to `sink` as well."""
        outlet = Outlet(sink, self._report)
        with self._lock:
            if self._running:
                outlet.start()
            self._outlets = (*self._outlets, outlet)

    def remove(self, sink: Sink, deadline_s: float) -> None:
        """Offer nothing more to `sink`, once it has taken what waits for it.

        Parameters
        ----------
        deadline_s
            Until when it may take, monotonic clock.

        Raises
        ------
        ValueError
            If it is none of these sinks.
        """
        own = [outlet for outlet in self._outlets if outlet.sink is sink]
        if not own:
            raise ValueError(f"{sink!r} is not a sink of this session")
        for outlet in own:
            outlet.stop(deadline_s)
            self._leave_out(outlet)

    def stop(self, deadline_s: float) -> list[str]:
        """Let all sinks take what waits until `deadline_s`; return the names of those that hang."""
        with self._lock:
            self._running = False
            outlets = self._outlets
        for outlet in outlets:  # all before the first is waited for: one that hangs takes all time
            outlet.close()
        return [outlet.name for outlet in outlets if not outlet.stop(deadline_s)]

    def _leave_out(self, outlet: Outlet) -> None:
        with self._lock:
            if outlet in self._outlets:
                self._outlets = tuple(other for other in self._outlets if other is not outlet)
                self._dropped_before += outlet.dropped

    def _report(self, outlet: Outlet, error: Exception) -> None:
        """Remove a sink that raised; called once, in its own thread."""
        self._leave_out(outlet)
        self._note(f"{outlet.name} was removed: {error}")


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
