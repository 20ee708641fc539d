"""Events and marks on their way into a recording, those of the moments before it began included."""

import logging
import threading
import time
from collections import deque
from typing import Final

from thermoseg.errors import RecordingError
from thermoseg.events import SessionEvent
from thermoseg.marks import Mark
from thermoseg.recording.recorder import Recorder

log = logging.getLogger(__name__)

EARLY_KEPT: Final = 48
"""Most events and marks that a recording begins with; fewer than its writer takes at once."""


class RecordingNotes:
    """Gives events and marks to the recorder that runs; methods may be called from any thread.

    A recording may begin with frames that came before it was started, or while its file was being
    made, so what was noted last is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._early: deque[tuple[float, SessionEvent | Mark]] = deque(maxlen=EARLY_KEPT)
        """What came while nothing was recorded, and when, on the monotonic clock."""
        self._marked: list[tuple[Mark, Recorder]] = []
        """Marks that may still be taken back, and where they are."""

    def begin(self, recorder: Recorder, since_s: float) -> None:
        """Give `recorder` what came from `since_s` on (monotonic clock), and what comes."""
        with self._lock:
            for came_s, noted in self._early:
                if came_s >= since_s:
                    _write(recorder, noted)
                    if isinstance(noted, Mark):
                        self._marked.append((noted, recorder))
            self._early.clear()
            self._recorder = recorder

    def end(self) -> None:
        """Give the recorder nothing more."""
        with self._lock:
            self._recorder = None

    def note(self, event: SessionEvent) -> None:
        """Record an event; what the disk cannot take is logged."""
        recorder = self._recorder_or_keep(event)
        if recorder is not None:
            _write(recorder, event)

    def mark(self, mark: Mark) -> None:
        """Record a mark.

        Raises
        ------
        RecordingError
            If a recording runs and does not take it.
        """
        recorder = self._recorder_or_keep(mark)
        if recorder is not None:
            recorder.note_mark(mark)
            with self._lock:
                self._marked = [pair for pair in self._marked if not pair[0].fixed]
                self._marked.append((mark, recorder))

    def take_back(self, mark: Mark, event: SessionEvent) -> bool:
        """Let `mark` be in no recording, and note there that it was; False if it is too late.

        Raises
        ------
        RecordingError
            If a recording runs and does not take that; the mark stays.
        """
        with self._lock:
            recorders = [recorder for known, recorder in self._marked if known is mark]
            recorder = self._recorder
            if not recorders:
                return not mark.fixed and self._forget(mark, event)
        return recorders[0] is recorder and recorder.take_back(mark, event.text, event.time_s)

    def _recorder_or_keep(self, noted: SessionEvent | Mark) -> Recorder | None:
        with self._lock:
            if self._recorder is None:
                self._early.append((time.monotonic(), noted))
            return self._recorder

    def _forget(self, mark: Mark, event: SessionEvent) -> bool:
        """Keep `event` in place of a mark that no recording has; always true."""
        for place, (came_s, noted) in enumerate(self._early):
            if noted is mark:
                self._early[place] = came_s, event
                break
        return True


def _write(recorder: Recorder, noted: SessionEvent | Mark) -> None:
    try:
        if isinstance(noted, Mark):
            recorder.note_mark(noted)
        else:
            recorder.note_event(noted.text, noted.time_s)
    except RecordingError as error:
        log.warning("%s", error)
