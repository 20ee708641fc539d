"""The window's hold on one session: starts and stops it elsewhere, looks 30 times a second."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from thermoseg.cameras import CameraListing, make_camera
from thermoseg.discovery import list_cameras
from thermoseg.errors import CameraTimeoutError, ThermoSegError
from thermoseg.hotplug import CameraWatch
from thermoseg.inference.segmenter import Segmenter
from thermoseg.recording.status import RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.session_view import SessionView
from ui.live.model_shelf import ModelShelf, ModelState
from ui.live.recording_control import RecordingControl
from ui.shell.jobs import Jobs

log = logging.getLogger(__name__)

TICK_MS: Final = 33
"""30 looks per second: more than a trace needs, as many as a picture needs."""

LOST_AFTER_S: Final = 1.0
"""Without a new frame for this long a live camera is said to be lost."""

OPEN_TIMEOUT_S: Final = 20.0
"""Longer than any camera needs; some calibrate themselves first."""

OPEN_POLL_S: Final = 0.2
"""Interval of looking whether the user has cancelled the opening."""

WATCH_S: Final = 0.5
"""Interval at which the watch for cameras looks whether the window closes or a session runs."""

TICKS_KEPT: Final = 20_000
"""Eleven minutes of tick times."""


class CameraState(Enum):
    """Phase of the session."""

    IDLE = "idle"
    OPENING = "opening"
    """The camera is being made ready, in another thread."""
    RUNNING = "running"
    LOST = "lost"
    """Running, but the camera has sent nothing lately."""
    ENDED = "ended"
    """The source came to its end; its last picture is still there."""
    FAILED = "failed"

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return self in (CameraState.OPENING, CameraState.RUNNING, CameraState.LOST)

    @property
    def open(self) -> bool:
        """Whether pictures come, or will come again."""
        return self in (CameraState.RUNNING, CameraState.LOST)


SessionFactory = Callable[[str, Segmenter | None], Session]
"""Makes a session of an address and the network that is ready, if one is; runs in a thread."""


def make_session(address: str, segmenter: Segmenter | None) -> Session:
    """Return a session that has not been started.

    Raises
    ------
    ThermoSegError
        If the address is none, or nothing here drives such a camera.
    """
    return Session(make_camera(address), segmenter, address=address)


@dataclass(frozen=True, slots=True)
class _Ending:
    """What came of ending a session and the recording that was active."""

    summary: RecordingSummary | None
    not_saved: ThermoSegError | None
    not_stopped: ThermoSegError | None


class SessionController(QObject):
    """Owns camera, model and recording, and looks at them; knows no widget.

    Pictures are never sent: `ticked` says that it is time to look, and who listens pulls what it
    needs from `view`.
    """

    state_changed = pyqtSignal(object)
    """The new `CameraState`."""
    ticked = pyqtSignal()
    """Time to draw."""
    failed = pyqtSignal(object)
    """An exception of the camera that the user must hear of."""
    cameras_found = pyqtSignal(object)
    """list[CameraListing]"""

    def __init__(
        self,
        session_factory: SessionFactory,
        models: ModelShelf,
        find_cameras: Callable[[], list[CameraListing]] = list_cameras,
        parent: QObject | None = None,
    ) -> None:
        """Start nothing yet.

        Parameters
        ----------
        session_factory
            Such as `make_session`.
        find_cameras
            Runs in a thread too; what the list of the window offers.
        """
        super().__init__(parent)
        self.models: Final = models
        self.recording: Final = RecordingControl(self)
        self._make_session = session_factory
        self._find_cameras = find_cameras
        self._worker = Jobs("session", self)
        self._scout = Jobs("discovery", self)
        self._lookout = Jobs("cameras", self)
        self._over = threading.Event()
        self._live: Session | None = None
        """In the worker thread: what must be stopped."""
        self._session: Session | None = None
        self._attempt = 0
        self._closed = False
        self._state = CameraState.IDLE
        self._address = ""
        self._record_first: Path | None = None
        self._frame_at_s = 0.0
        self._ticks: deque[float] = deque(maxlen=TICKS_KEPT)
        self.view = SessionView()
        """The last look at the session; an empty one where there is none."""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_timeout)
        models.ready.connect(lambda _: self._on_model_ready())
        models.changed.connect(self._record_if_wanted)
        for jobs in (self._worker, self._scout, self._lookout):
            jobs.failed.connect(self.failed)

    @property
    def state(self) -> CameraState:
        """Phase of the session."""
        return self._state

    @property
    def address(self) -> str:
        """Address of the camera that is or was open, as it was given; empty before the first."""
        return self._address

    @property
    def session(self) -> Session | None:
        """The session that runs, to be asked for what is quick; None if none does."""
        return self._session

    @property
    def tick_times_ms(self) -> list[float]:
        """Duration of each refresh, with the drawing that is done at once, milliseconds."""
        return list(self._ticks)

    def watch_cameras(self, make_watch: Callable[[], CameraWatch] = CameraWatch) -> None:
        """Tell by `cameras_found` which cameras are there, again whenever that changes.

        While a session runs nobody looks: its camera is not to be disturbed.
        """
        self._lookout.run(lambda: self._watch(make_watch))

    def find_cameras(self) -> None:
        """Look for cameras; `cameras_found` tells which."""
        self._scout.run(self._find_cameras, self.cameras_found.emit)

    def start(self, address: str, record_to: Path | None = None) -> None:
        """Open a camera or file, which ends the session before.

        Parameters
        ----------
        record_to
            Record into this new file from the beginning, or from where the model is loaded.
        """
        self._leave_session()
        self._address, self._record_first = address, record_to
        attempt = self._attempt
        self._set_state(CameraState.OPENING)
        self._worker.run(lambda: self._open(attempt, address), self._on_opened, self._on_not_opened)

    def stop(self) -> None:
        """End the session, whatever it is doing."""
        self._leave_session()
        self._set_state(CameraState.IDLE)

    def record(self, plan: RecordingPlan | Path) -> bool:
        """Record the session; returns whether that was begun, as `recording` tells the rest."""
        session = self._session
        if session is None or not self._state.open:
            return False
        return self.recording.start(session, plan)

    def close(self) -> None:
        """End everything and wait for it; the controller cannot be used again."""
        if self._closed:
            return
        self._leave_session()
        self._closed = True
        self._over.set()
        self._worker.close()
        self.recording.close()
        self.models.close()
        self._scout.close()
        self._lookout.close()

    # In the thread that watches.

    def _watch(self, make_watch: Callable[[], CameraWatch]) -> None:
        with make_watch() as watch:
            while not self._over.is_set():
                if self._state.busy:
                    self._over.wait(WATCH_S)
                    continue
                found = watch.next_change(WATCH_S)
                if found is not None and not self._over.is_set():
                    self.cameras_found.emit(found)

    # In the worker thread, one at a time.

    def _open(self, attempt: int, address: str) -> tuple[Session, Segmenter | None] | None:
        """Open a camera; None if meanwhile another was asked for, or none."""
        if attempt != self._attempt:
            return None
        segmenter = self.models.segmenter
        session = self._make_session(address, segmenter)
        self._live = session
        session.start()
        deadline_s = time.monotonic() + OPEN_TIMEOUT_S
        while attempt == self._attempt:
            try:
                session.wait_opened(OPEN_POLL_S)
                break
            except CameraTimeoutError as error:
                if session.ended:
                    raise
                if time.monotonic() > deadline_s:
                    raise CameraTimeoutError(
                        f"{address} did not open within {OPEN_TIMEOUT_S:.0f} s; "
                        "check the cable and that no other program uses it"
                    ) from error
        return session, segmenter

    def _stop_live(self, notes: str | None, *, recording: bool) -> "_Ending":
        session, self._live = self._live, None
        summary = not_saved = not_stopped = None
        if session is not None and recording:
            try:
                summary = self.recording.finish(session, notes)
            except ThermoSegError as error:
                not_saved = error
        if session is not None:
            try:
                session.stop()
            except ThermoSegError as error:
                not_stopped = error
        return _Ending(summary, not_saved, not_stopped)

    # In the window's thread.

    def _leave_session(self) -> None:
        """Look no more at the session that runs, and let it be ended."""
        self._attempt += 1
        self._worker.forget()
        self._timer.stop()
        self._session, self._record_first = None, None
        self.view = SessionView()
        self._end_session(tell=True)

    def _end_session(self, *, tell: bool) -> None:
        """End session and recording elsewhere; what came of it is told in any later attempt."""
        recording, notes = self.recording.give_up(), self.recording.notes()

        def on_ended(ending: _Ending) -> None:
            if recording:
                self.recording.end(ending.summary, ending.not_saved)
            if tell and ending.not_stopped is not None:
                self.failed.emit(ending.not_stopped)

        self._worker.run(lambda: self._stop_live(notes, recording=recording), on_ended, kept=True)

    def _on_opened(self, opened: tuple[Session, Segmenter | None] | None) -> None:
        if opened is None:
            return
        self._session, segmenter = opened
        self._frame_at_s = time.monotonic()
        if segmenter is not self.models.segmenter:  # loaded, or changed, while the camera opened
            self._on_model_ready()
        self.view = self._session.look()
        self._timer.start()
        self._set_state(CameraState.RUNNING)
        self._record_if_wanted()

    def _on_not_opened(self, error: BaseException) -> None:
        self._set_state(CameraState.FAILED)
        self.failed.emit(error)

    def _on_model_ready(self) -> None:
        if self._session is not None:
            self._session.set_segmenter(self.models.segmenter)

    def _record_if_wanted(self) -> None:
        """Begin the recording that was asked for with the source, once it is known who segments."""
        loading = self.models.choice.state is ModelState.LOADING
        if self._record_first is not None and self._session is not None and not loading:
            path, self._record_first = self._record_first, None
            self.record(path)

    def _on_timeout(self) -> None:
        began = time.perf_counter()
        session = self._session
        if session is None:
            return
        self._look(session)
        self.ticked.emit()
        self._ticks.append(1000 * (time.perf_counter() - began))

    def _look(self, session: Session) -> None:
        now_s, before = time.monotonic(), self.view
        self.view = view = session.look()
        if view.frame is not before.frame:
            self._frame_at_s = now_s
        self.recording.look(view)
        if view.ended:
            self._on_ended(view.error)
        elif view.info is not None and view.info.live:
            silent = now_s - self._frame_at_s > LOST_AFTER_S
            self._set_state(CameraState.LOST if silent else CameraState.RUNNING)

    def _on_ended(self, error: Exception | None) -> None:
        self._timer.stop()
        # `stop` raises the very error that is told here, so its own failure is not told again.
        self._end_session(tell=False)
        self._set_state(CameraState.FAILED if error else CameraState.ENDED)
        if error is not None:
            self.failed.emit(error)

    def _set_state(self, state: CameraState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)
