"""The marks of one session: told of at once, recorded, and taken back for a while."""

import time
from collections.abc import Callable

from thermoseg.events import SessionEvent
from thermoseg.marks import Mark, MarkLog
from thermoseg.recording_notes import RecordingNotes


class SessionMarks:
    """Makes marks and takes them back; methods may be called from any thread."""

    def __init__(
        self,
        recording: RecordingNotes,
        now_s: Callable[[], float],
        note: Callable[[SessionEvent], None],
    ) -> None:
        """Know of no mark yet.

        Parameters
        ----------
        recording
            Takes the marks.
        now_s
            Returns the present moment on the clock of the frames.
        note
            Told, besides the recording, that a mark is taken back.
        """
        self._recording = recording
        self._now_s = now_s
        self._note = note
        self._log = MarkLog()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The last marks that were not taken back, oldest first, recorded or not."""
        return self._log.marks

    def add(
        self, label: str, kind: str, source: str, time_s: float | None, duration_s: float
    ) -> Mark:
        """Mark a moment or a stretch; it is recorded if a recording runs or starts.

        Parameters
        ----------
        label, kind, source
            See `Mark`.
        time_s
            When the key was pressed, on the clock of the frames; now if None.
        duration_s
            0 for a moment.

        Raises
        ------
        RecordingError
            If a recording runs and does not take it; then it is not marked.
        ValueError
            If the label is empty, or the times cannot be.
        """
        now_s = self._now_s()
        begin_s = now_s if time_s is None else time_s
        mark = Mark.now(label, kind, source, begin_s, now_s, duration_s)
        self._recording.mark(mark)
        self._log.append(mark)
        return mark

    def take_back(self, mark: Mark) -> bool:
        """Take a mark back, which an event tells; False if it is older than `marks.UNDO_S`.

        It is too late, too, once the recording that holds it is being finished.

        Raises
        ------
        RecordingError
            If the recording does not take that; then the mark stays.
        """
        text = f"mark taken back: {mark.label}, made at {mark.begin_s:.2f} s"
        event = SessionEvent(self._now_s(), text, time.time())
        taken = mark in self._log.marks and self._recording.take_back(mark, event)
        if taken:
            self._log.remove(mark)
            self._note(event)
        return taken
