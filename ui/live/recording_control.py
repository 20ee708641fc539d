"""The recording as the window knows it: off, starting, on, stopping or failed."""

import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.errors import RecordingError
from thermoseg.recording.status import RecorderStatus, RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session_recording import RecordingState
from thermoseg.session_view import SessionView
from ui.shell.jobs import Jobs

SECOND_PRESS_S: Final = 1.0
"""A key pressed again sooner than this after the start was pressed once too often: no Stop."""


class RecordState(Enum):
    """Phase of the recording; nothing is said to be recorded before its file is on the disk."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPING = "stopping"
    FAILED = "failed"
    """Ended by itself, or never began; the next one may be started."""

    @property
    def active(self) -> bool:
        """Whether something would be lost if the session ended without a question."""
        return self in (RecordState.STARTING, RecordState.ON, RecordState.STOPPING)


class Recordable(Protocol):
    """What a recording needs of a session."""

    def start_recording(self, plan: RecordingPlan | Path) -> Path:
        """Record from now on; returns when the file is on its disk, with its path."""

    def stop_recording(self, notes: str | None = None) -> RecordingSummary:
        """Finish the recording."""


class _Outcome:
    """What came of one recording, kept by the threads that start and finish it, one by one."""

    def __init__(self) -> None:
        self._refusal: RecordingError | None = None
        self._summary: RecordingSummary | None = None

    def start(self, session: Recordable, plan: RecordingPlan | Path) -> Path:
        try:
            return session.start_recording(plan)
        except RecordingError as error:
            self._refusal = error
            raise

    def finish(self, session: Recordable, notes: str | None) -> RecordingSummary:
        """Finish it, unless that was done before; whoever asks again gets the same answer."""
        if self._refusal is not None:
            raise self._refusal
        if self._summary is None:
            self._summary = session.stop_recording(notes)
        return self._summary


class RecordingControl(QObject):
    """Starts and stops the recordings of the session that runs; knows no widget.

    Whatever order things are asked in, each start is followed by one `saved` or one `failed`.
    """

    changed = pyqtSignal()
    """State, or what is recorded, is another."""
    saved = pyqtSignal(object)
    """The `RecordingSummary` of a recording that ended, by Stop or with its source."""
    failed = pyqtSignal(object)
    """An exception: why a recording did not begin or could not be finished."""

    def __init__(
        self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._jobs = Jobs("recording", self)
        self._state = RecordState.OFF
        self._session: Recordable | None = None
        self._asked_s = float("-inf")
        self._answered = False
        self._stop_wanted = False
        self._path: Path | None = None
        self.notes: Callable[[], str | None] = lambda: None
        """Returns the notes as they stand when the recording ends; None for those of its plan."""
        self._status: RecorderStatus | None = None
        self._outcome = _Outcome()

    @property
    def state(self) -> RecordState:
        """Phase of the recording."""
        return self._state

    @property
    def path(self) -> Path | None:
        """File that is being recorded; None before it has a name, and when none is."""
        return self._path

    @property
    def status(self) -> RecorderStatus | None:
        """Numbers of the very recording that runs or is being finished; None if none is."""
        return self._status

    def start(self, session: Recordable, plan: RecordingPlan | Path) -> bool:
        """Record `session`; returns whether that was begun, false if a recording is active."""
        if self._state.active:
            return False
        self._session, self._asked_s = session, self._clock()
        self._answered = self._stop_wanted = False
        self._path = self._status = None
        self._jobs.forget()
        self._set_state(RecordState.STARTING)
        outcome = self._outcome = _Outcome()
        self._jobs.run(lambda: outcome.start(session, plan), self._on_started, self._on_not_started)
        return True

    def may_stop(self) -> bool:
        """Whether a press of the record key now is meant as Stop, and not one too many."""
        if self._state not in (RecordState.STARTING, RecordState.ON):
            return False
        return self._clock() - self._asked_s >= SECOND_PRESS_S

    def stop(self) -> None:
        """Finish the recording; if it is still starting, as soon as it has started."""
        if self._state is RecordState.STARTING and not self._answered:
            self._stop_wanted = True
            self._set_state(RecordState.STOPPING)
        elif self._state in (RecordState.STARTING, RecordState.ON):
            self._finish()

    def look(self, view: SessionView) -> None:
        """Follow the session: called with each look at it."""
        if self._state is RecordState.STARTING and self._answered:
            if view.recorder is not None and view.recorder.failed:
                self._status = view.recorder
                self._finish()
            elif view.recording is RecordingState.RUNNING:
                self._status = view.recorder
                self._set_state(RecordState.ON)
        elif self._state is RecordState.ON:
            self._status = view.recorder
            if view.recorder is not None and view.recorder.failed:
                self._finish()
        elif self._state is RecordState.STOPPING and self._answered:
            self._status = view.recorder

    def give_up(self) -> bool:
        """Let whoever ends the session end its recording; returns whether there is one.

        `finish` must follow, in another thread, and then `end` with what came of it.
        """
        active = self._state.active
        if active:
            self._jobs.forget()
            self._set_state(RecordState.STOPPING)
        return active

    def finish(self, session: Recordable, notes: str | None) -> RecordingSummary:
        """Finish a recording that was given up, once what is at work on it is done.

        Raises
        ------
        RecordingError
            If it did not begin, or could not be finished.
        """
        self._jobs.wait()
        return self._outcome.finish(session, notes)

    def end(self, summary: RecordingSummary | None, error: BaseException | None = None) -> None:
        """Take what came of a recording that somebody else finished; None if it never began."""
        if summary is not None:
            self._on_finished(summary)
        elif error is not None:
            self._on_not_started(error)
        else:
            self._leave(RecordState.OFF)

    def close(self) -> None:
        """Wait for what is at work."""
        self._jobs.close()

    def _finish(self) -> None:
        session = self._session
        if session is None:
            return
        self._set_state(RecordState.STOPPING)
        notes, outcome = self.notes(), self._outcome
        self._jobs.run(
            lambda: outcome.finish(session, notes), self._on_finished, self._on_not_started
        )

    def _on_started(self, path: Path) -> None:
        self._answered = True
        self._path = path
        if self._stop_wanted:
            self._finish()
        else:
            self.changed.emit()

    def _on_not_started(self, error: BaseException) -> None:
        self._leave(RecordState.FAILED)
        self.failed.emit(error)

    def _on_finished(self, summary: RecordingSummary) -> None:
        self._leave(RecordState.FAILED if summary.failed else RecordState.OFF)
        self.saved.emit(summary)

    def _leave(self, state: RecordState) -> None:
        self._session = self._path = self._status = None
        self._stop_wanted = False
        self._set_state(state)

    def _set_state(self, state: RecordState) -> None:
        if state is not self._state:
            self._state = state
            self.changed.emit()
