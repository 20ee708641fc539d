"""What another program may ask the window for through the control socket."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from PyQt6.QtCore import QObject, Qt, pyqtSignal

from thermoseg.control import Command, ControlServer
from thermoseg.control_request import Answer, ControlRequest
from thermoseg.errors import RecordingError
from thermoseg.recording.status import RecordingSummary
from ui.live.recording_control import RecordState
from ui.live.session_controller import SessionController
from ui.shell.page import RecordsHere
from ui.texts import shell as texts


class RemoteControl(QObject):
    """Answers a control socket in the window's thread; each answer says what has happened."""

    _handed = pyqtSignal(object)

    def __init__(
        self,
        port: int,
        controller: SessionController,
        recorder: Callable[[], RecordsHere],
        parent: QObject | None = None,
    ) -> None:
        """Take the port and begin to answer.

        Parameters
        ----------
        recorder
            Returns the page that records.

        Raises
        ------
        ConfigError
            If the port is taken or may not be used.
        """
        super().__init__(parent)
        self._controller = controller
        self._recorder = recorder
        self._starting: Future[Answer] | None = None
        self._stopping: Future[Answer] | None = None
        queued = Qt.ConnectionType.QueuedConnection
        self._handed.connect(_do, queued)  # type: ignore[call-arg]
        controller.recording.changed.connect(self._on_changed)
        controller.recording.failed.connect(self._on_failed)
        controller.recording.saved.connect(self._on_saved)
        self._server = ControlServer(port, self._by_name(), self._handed.emit)
        self._server.start()

    @property
    def port(self) -> int:
        """Port on which it listens."""
        return self._server.port

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.close()

    def _by_name(self) -> Mapping[str, Command]:
        return {
            "start": self._start,
            "stop": self._stop,
            "marker": self._mark,
            "state": self._tell,
        }

    def _start(self, _request: ControlRequest, _arrived_s: float) -> Future[Answer]:
        if not self._controller.state.open:
            raise RecordingError("no camera is open in the window; open one there first")
        if self._controller.recording.state.active:
            raise RecordingError("a recording is active; stop it before you start another")
        future: Future[Answer] = Future()
        self._starting = future
        self._recorder().record_at_once()
        return future

    def _stop(self, _request: ControlRequest, _arrived_s: float) -> Future[Answer]:
        if not self._controller.recording.state.active:
            raise RecordingError("nothing is being recorded; start a recording first")
        self._stopping = future = self._stopping or Future()
        self._controller.recording.stop()
        return future

    def _mark(self, request: ControlRequest, arrived_s: float) -> Answer:
        session = self._controller.session
        if session is None or self._controller.recording.state is not RecordState.ON:
            raise RecordingError("nothing is being recorded, so nothing was marked; start first")
        late_s = time.monotonic() - arrived_s
        mark = session.mark(request.label, source="control", time_s=session.now_s() - late_s)
        return {"label": mark.label, "time_s": mark.begin_s, "wall_time": mark.wall_time}

    def _tell(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        controller, view = self._controller, self._controller.view
        recording = controller.recording
        status = recording.status
        return {
            "recording": recording.state.value,
            "path": None if recording.path is None else str(recording.path),
            "seconds": 0.0 if status is None else status.seconds,
            "recorded": 0 if status is None else status.recorded,
            "dropped": 0 if status is None else status.dropped,
            "problem": "" if status is None else status.failed,
            "camera": "" if view.info is None else view.info.model,
            "lost": view.lost,
            "frames_per_s": view.counts.camera_rate_hz,
            "masks_per_s": view.counts.segmented_rate_hz,
        }

    def _on_changed(self) -> None:
        recording = self._controller.recording
        if recording.state is RecordState.ON and self._starting is not None:
            future, self._starting = self._starting, None
            _answer(future, {"path": str(recording.path), "wall_time": time.time()})

    def _on_failed(self, error: BaseException) -> None:
        for future in (self._starting, self._stopping):
            if future is not None:
                with suppress(InvalidStateError):
                    future.set_exception(error)
        self._starting = self._stopping = None

    def _on_saved(self, summary: RecordingSummary) -> None:
        if self._starting is not None:
            future, self._starting = self._starting, None
            sentence = summary.failed or texts.STOPPED_BEFORE
            with suppress(InvalidStateError):
                future.set_exception(RecordingError(sentence))
        if self._stopping is not None:
            future, self._stopping = self._stopping, None
            _answer(
                future,
                {
                    "path": str(summary.path),
                    "seconds": summary.seconds,
                    "recorded": summary.recorded,
                    "dropped": summary.dropped,
                    "missed": summary.missed,
                    "problem": summary.failed,
                },
            )


def _do(job: Callable[[], None]) -> None:
    job()


def _answer(future: "Future[Answer]", answer: Answer) -> None:
    with suppress(InvalidStateError):  # whoever asked has gone
        future.set_result(answer)
