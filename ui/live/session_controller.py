"""The window's hold on one session: starts and stops it elsewhere, looks 30 times a second."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, Final

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from thermoseg.cameras import CameraListing, make_camera
from thermoseg.discovery import list_cameras
from thermoseg.errors import CameraTimeoutError, RecordingError, ThermoSegError
from thermoseg.events import SessionEvent, events_after
from thermoseg.hotplug import CameraWatch
from thermoseg.inference.segmenter import Segmenter
from thermoseg.models import list_models
from thermoseg.session import Session
from thermoseg.session_view import SessionView
from thermoseg.traces import TraceWindow

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

TRACE_S: Final = 120.0
"""Length of the traces that is kept: the longest that can be shown."""

NEWS_S: Final = 8.0
"""An event is new for so long: time to notice and to read it."""

TICKS_KEPT: Final = 20_000
"""Eleven minutes of tick times."""

NO_MODEL: Final = "none"
"""Name for working without a network."""


class SessionState(Enum):
    """Phase of the session."""

    IDLE = "idle"
    OPENING = "opening"
    """Model and camera are being made ready, in another thread."""
    RUNNING = "running"
    LOST = "lost"
    """Running, but the camera has sent nothing lately."""
    ENDED = "ended"
    """The source came to its end; its last picture is still there."""
    FAILED = "failed"

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return self in (SessionState.OPENING, SessionState.RUNNING, SessionState.LOST)


class SessionOpener:
    """Makes sessions for addresses, and keeps the last network: loading one takes seconds."""

    def __init__(self, backend: str = "auto") -> None:
        """Remember what is to run the networks."""
        self._backend = backend
        self._lock = threading.Lock()
        self._loaded: tuple[str, Segmenter] | None = None

    def __call__(self, address: str, model: str, stage: Callable[[str], None]) -> Session:
        """Return a session that has not been started.

        Parameters
        ----------
        stage
            Told what is being done, a few words each.

        Raises
        ------
        ThermoSegError
            If the address or the model is not to be had.
        """
        camera = make_camera(address)
        segmenter = None
        if model != NO_MODEL:
            stage(f"Loading the model {model}")
            segmenter = self.load(model)
        return Session(camera, segmenter, address=address, trace_seconds=TRACE_S)

    def load(self, model: str) -> Segmenter:
        """Return the network, from memory if it is the last one used."""
        from thermoseg.inference.choose import choose_segmenter

        with self._lock:
            if self._loaded is None or self._loaded[0] != model:
                self._loaded = (model, choose_segmenter(model, backend=self._backend))
            return self._loaded[1]


SessionFactory = Callable[[str, str, Callable[[str], None]], Session]


class SessionController(QObject):
    """Owns the session and looks at it; whatever may take long happens in a thread of its own.

    Pictures are never sent: `ticked` says that it is time to look, and who listens pulls what it
    needs.
    """

    state_changed = pyqtSignal(object)
    """The new `SessionState`."""
    stage_changed = pyqtSignal(str)
    """Step of the opening."""
    ticked = pyqtSignal()
    """Time to draw."""
    failed = pyqtSignal(object)
    """An exception that the user must hear of."""
    cameras_found = pyqtSignal(object)
    """list[CameraListing]"""
    models_found = pyqtSignal(object)
    """list[str], names."""
    recording_started = pyqtSignal(object)
    """Path of the file."""
    recording_ended = pyqtSignal(object)
    """Path of the file."""

    _job_done = pyqtSignal(object, object)

    def __init__(
        self,
        session_factory: SessionFactory,
        find_cameras: Callable[[], list[CameraListing]] = list_cameras,
        find_models: Callable[[], list[str]] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Start nothing yet.

        Parameters
        ----------
        session_factory
            Makes a session of address and model in the worker thread, such as `SessionOpener`.
        find_cameras, find_models
            Run in a thread too; what the lists of the window offer.
        """
        super().__init__(parent)
        self._make_session = session_factory
        self._find_cameras = find_cameras
        self._find_models = find_models or _model_names
        self._worker = ThreadPoolExecutor(1, "window-session")
        self._scout = ThreadPoolExecutor(1, "window-discovery")
        self._lookout = ThreadPoolExecutor(1, "window-cameras")
        self._over = threading.Event()
        self._live: Session | None = None
        self._session: Session | None = None
        self._attempt = 0
        self._closed = False
        self._state = SessionState.IDLE
        self._frame_at_s = 0.0
        self._recording: tuple[Path, float] | None = None
        self._news: SessionEvent | None = None
        self._news_at_s = 0.0
        self._ticks: deque[float] = deque(maxlen=TICKS_KEPT)
        self.view = SessionView()
        """The last look at the session; an empty one where there is none."""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_timeout)
        # Queued even if a job was done at once, so that what it told on the way arrives before.
        queued = Qt.ConnectionType.QueuedConnection
        self._job_done.connect(self._on_job_done, queued)  # type: ignore[call-arg]

    @property
    def state(self) -> SessionState:
        """Phase of the session."""
        return self._state

    @property
    def tick_times_ms(self) -> list[float]:
        """Duration of each refresh, with the drawing that is done at once, milliseconds."""
        return list(self._ticks)

    @property
    def recording_path(self) -> Path | None:
        """The file being recorded, if one is."""
        return self._recording[0] if self._recording else None

    @property
    def recording_seconds(self) -> float:
        """Time since recording began; 0 if nothing is recorded."""
        return time.monotonic() - self._recording[1] if self._recording else 0.0

    @property
    def news(self) -> str:
        """Last event, as long as it is new; else empty."""
        if self._news is None or time.monotonic() - self._news_at_s > NEWS_S:
            return ""
        return self._news.text

    def perform(self, action: str) -> None:
        """Ask the camera for one of its actions."""
        if self._session is not None:
            self._session.perform(action)

    def watch_cameras(self, make_watch: Callable[[], CameraWatch] = CameraWatch) -> None:
        """Tell by `cameras_found` which cameras are there, again whenever that changes.

        While a session runs nobody looks: its camera is not to be disturbed.
        """
        self._submit(self._lookout, lambda: self._watch(make_watch), lambda _: None)

    def find_cameras(self) -> None:
        """Look for cameras; `cameras_found` tells which."""
        self._submit(self._scout, self._find_cameras, self.cameras_found.emit)

    def find_models(self) -> None:
        """Look for models; `models_found` tells which."""
        self._submit(self._scout, self._find_models, self.models_found.emit)

    def prepare(self, job: Callable[[], object]) -> None:
        """Do in the worker thread now what a session will need later; a failure shows then."""
        self._submit(self._worker, job, lambda _: None, lambda _: None)

    def start(self, address: str, model: str = NO_MODEL) -> None:
        """Open a camera or file with a model; ends the session before."""
        self._attempt += 1
        attempt = self._attempt
        self._forget_session()
        self.stage_changed.emit(f"Opening {address}")
        self._set_state(SessionState.OPENING)
        self._submit(
            self._worker,
            lambda: self._open(attempt, address, model),
            lambda session: self._on_opened(attempt, session),
            lambda error: self._on_not_opened(attempt, error),
        )

    def stop(self) -> None:
        """End the session, whatever it is doing."""
        self._attempt += 1
        self._end_recording()
        self._forget_session()
        self._set_state(SessionState.IDLE)
        self._submit(self._worker, self._stop_live, lambda _: None)

    def start_recording(self, path: Path) -> None:
        """Record the session into a new file; `recording_started` tells when it runs."""
        session = self._session
        if session is None or self._recording is not None:
            return

        def record() -> Path:
            path.parent.mkdir(parents=True, exist_ok=True)
            session.start_recording(path)
            return path

        self._submit(self._worker, record, self._on_recording)

    def stop_recording(self) -> None:
        """Complete the file; the session goes on."""
        session = self._session
        if session is not None and self._recording is not None:
            self._submit(self._worker, session.stop_recording, lambda _: self._end_recording())

    def traces(self, regions: Mapping[str, str], seconds: float) -> dict[str, TraceWindow]:
        """Return the last `seconds` of the regions named, by region."""
        if self._session is None:
            return {}
        return {region: self._session.traces.window(region, seconds) for region in regions}

    def close(self) -> None:
        """End everything and wait for it; the controller cannot be used again."""
        if self._closed:
            return
        self._closed = True
        self._attempt += 1
        self._timer.stop()
        self._session = None
        self._over.set()
        self._worker.submit(self._stop_live)
        self._lookout.shutdown(wait=True, cancel_futures=True)
        self._scout.shutdown(wait=True, cancel_futures=True)
        self._worker.shutdown(wait=True)

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

    def _open(self, attempt: int, address: str, model: str) -> Session:
        self._stop_live()
        session = self._make_session(address, model, self.stage_changed.emit)
        self.stage_changed.emit(f"Opening {address}")
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
        return session

    def _stop_live(self) -> None:
        session, self._live = self._live, None
        if session is not None:
            session.stop()

    # In the window's thread.

    def _on_opened(self, attempt: int, session: Session) -> None:
        if attempt != self._attempt:
            return
        self._session = session
        self._frame_at_s = time.monotonic()
        self.view = session.look()
        self._timer.start()
        self._set_state(SessionState.RUNNING)

    def _on_not_opened(self, attempt: int, error: BaseException) -> None:
        if attempt == self._attempt:
            self._set_state(SessionState.FAILED)
            self.failed.emit(error)

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
        for event in events_after(view.events, self._news):
            self._news, self._news_at_s = event, now_s
        if self._recording is not None and view.recorder is not None and view.recorder.failed:
            self._end_recording()
            self._submit(self._worker, session.stop_recording, lambda _: None, lambda _: None)
            self.failed.emit(RecordingError(view.recorder.failed))
        if view.ended:
            self._on_ended(view.error)
        elif view.info is not None and view.info.live:
            silent = now_s - self._frame_at_s > LOST_AFTER_S
            self._set_state(SessionState.LOST if silent else SessionState.RUNNING)

    def _on_ended(self, error: Exception | None) -> None:
        self._timer.stop()
        self._end_recording()
        self._set_state(SessionState.FAILED if error else SessionState.ENDED)
        # `stop` raises the very error that is told here, so its own failure is not told again.
        self._submit(self._worker, self._stop_live, lambda _: None, lambda _: None)
        if error is not None:
            self.failed.emit(error)

    def _on_recording(self, path: Path) -> None:
        self._recording = (path, time.monotonic())
        self.recording_started.emit(path)

    def _end_recording(self) -> None:
        if self._recording is not None:
            path, self._recording = self._recording[0], None
            self.recording_ended.emit(path)

    def _forget_session(self) -> None:
        self._timer.stop()
        self._session = self._news = None
        self.view = SessionView()

    def _set_state(self, state: SessionState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        job: Callable[[], Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Run `job` in `pool`, and what follows in the window's thread."""
        handlers = (on_done, on_error or self.failed.emit)
        future = pool.submit(job)
        future.add_done_callback(lambda done: self._tell(done, handlers))

    def _tell(self, done: Future[Any], handlers: object) -> None:
        if not done.cancelled():
            self._job_done.emit(done, handlers)

    def _on_job_done(
        self,
        done: Future[Any],
        handlers: tuple[Callable[[Any], None], Callable[[BaseException], None]],
    ) -> None:
        on_done, on_error = handlers
        error = done.exception()
        if error is None:
            on_done(done.result())
        else:
            # What was to be expected is told in the window; a traceback would say nothing more.
            expected = isinstance(error, ThermoSegError)
            level = logging.INFO if expected else logging.WARNING
            log.log(level, "a job of the window failed", exc_info=error)
            on_error(error)


def _model_names() -> list[str]:
    return [model.header.name for model in list_models()]
