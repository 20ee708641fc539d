"""What the recorder and its writer process share: slots that are given, waited for or refused."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from thermoseg.errors import RecordingError
from thermoseg.recording.ring import Kind
from thermoseg.recording.writer_process import WriterProcess

log = logging.getLogger(__name__)

KEPT_WAIT_S: Final = 30.0
"""Longest wait for the writer with what was kept before the recording began."""


class Handover:
    """The writer of one recording, and whether it still takes anything.

    All but the waits is used under `lock`.
    """

    def __init__(self, path: Path) -> None:
        """Have no writer yet; `path` is that of the recording, for messages."""
        self.lock = threading.Lock()
        self.writer: WriterProcess | None = None
        """None before the recording starts, and once it is finished."""
        self.stopping = False
        """Whether nothing more is to be taken, as its user wished."""
        self.failed = ""
        """Why the recording ended by itself, one sentence; empty if it has not."""
        self._path = path
        self._stuck = False
        """Whether the writer took nothing for as long as something kept waits."""
        self._warned: set[str] = set()

    def running(self) -> WriterProcess:
        """Return the writer.

        Raises
        ------
        RecordingError
            If there is none.
        """
        if self.writer is None:
            raise RecordingError(f"{self._path} is not being recorded; call start first")
        return self.writer

    def has_failed(self) -> bool:
        """Look whether the writer has given up or died, without waiting."""
        if not self.failed and self.writer is not None:
            fault = self.writer.fault(stopping=self.stopping)
            if fault:
                self.end_because(fault)
        return bool(self.failed)

    def end_because(self, sentence: str) -> None:
        """Fail for good; what is in the ring is still written, what comes is dropped."""
        if not self.failed:
            log.warning("%s", sentence)  # whoever records tells the user
            self.failed = sentence
            if self.writer is not None:
                self.writer.tell(Kind.STOP)

    def note(self, kind: Kind, fill: Callable[[NDArray[Any]], None], what: str) -> None:
        """Let `fill` write an event or a mark into a slot and give it to the writer.

        Raises
        ------
        RecordingError
            If nothing is recorded any more, or too many wait for the disk; it names `what` is lost.
        """
        ended = self.stopping or self.has_failed()
        if ended or not self.running().put(kind, fill):
            reason = self.failed or ("recording has stopped" if ended else "disk too slow")
            raise RecordingError(f"{what} was not recorded ({reason}); write it down")

    def warn(self, once: str, message: str, *arguments: object) -> None:
        """Log a warning, but only the first of those called `once`."""
        if once not in self._warned:
            self._warned.add(once)
            log.warning(message, *arguments)

    def wait(self, kind: Kind, limit_s: float) -> bool:
        """Wait for a slot, so that a file is read no faster than written; whether one is free."""
        writer = self.writer
        if writer is None:
            return False
        ring = writer.memory.ring_of(kind)
        deadline = time.monotonic() + limit_s
        while ring.claim() is None:
            with self.lock:
                if self.stopping or self.has_failed() or time.monotonic() >= deadline:
                    return False
            time.sleep(0.001)
        return True

    def wait_with_patience(self, kind: Kind) -> None:
        """Wait for a slot for something kept; once only if the writer takes nothing any more."""
        self._stuck = not self.wait(kind, 0.0 if self._stuck else KEPT_WAIT_S)
