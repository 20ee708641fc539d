"""What the control socket can do to a session without a window: start, stop, mark, tell."""

import itertools
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from thermoseg.control import Command
from thermoseg.control_request import Answer, ControlRequest
from thermoseg.errors import RecordingError
from thermoseg.recording.status import RecordingSummary
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState


class SessionCommands:
    """Commands of one session; each answers when what it says has happened."""

    def __init__(self, session: Session, path: Path) -> None:
        """Do nothing yet.

        Parameters
        ----------
        path
            Of the first recording; no client chooses where files go.
        """
        self.paths: tuple[Path, ...] = ()
        """Files of the recordings so far."""
        self._session = session
        self._path = path
        self._lock = threading.Lock()
        self._problem = ""

    def by_name(self) -> Mapping[str, Command]:
        """Return the commands by the words of their requests."""
        return {
            "start": self._start,
            "stop": self._stop,
            "marker": self._mark,
            "state": self._tell,
        }

    def finish(self) -> str:
        """Complete the recording if one runs; return what went wrong with the last, or nothing."""
        if self._session.look().recording is not RecordingState.OFF:
            try:
                self._note(self._session.stop_recording())
            except RecordingError as error:  # another client was quicker
                self._problem = self._problem or str(error)
        return self._problem

    def _start(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        with self._lock:  # two clients at once take two names
            path = self._free_path()
            self._session.start_recording(path)
            self.paths = (*self.paths, path)
        return {"path": str(path.absolute()), "wall_time": time.time()}

    def _stop(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        summary = self._session.stop_recording()
        self._note(summary)
        return {
            "path": str(summary.path),
            "seconds": summary.seconds,
            "recorded": summary.recorded,
            "dropped": summary.dropped,
            "missed": summary.missed,
            "problem": summary.failed,
        }

    def _mark(self, request: ControlRequest, arrived_s: float) -> Answer:
        if self._session.look().recording is not RecordingState.RUNNING:
            raise RecordingError("nothing is being recorded, so nothing was marked; start first")
        self._session.note_event(request.label)
        return {"label": request.label, "wall_time": time.time() - (time.monotonic() - arrived_s)}

    def _tell(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        view = self._session.look()
        running = view.recording in (RecordingState.RUNNING, RecordingState.STARTING)
        recorder = view.recorder
        return {
            "recording": view.recording.value,
            "path": str(self.paths[-1].absolute()) if self.paths and running else None,
            "seconds": recorder.seconds if recorder and running else 0.0,
            "recorded": recorder.recorded if recorder and running else 0,
            "dropped": recorder.dropped if recorder and running else 0,
            "problem": recorder.failed if recorder else "",
            "camera": view.info.model if view.info else "",
            "lost": view.lost,
            "frames_per_s": view.counts.camera_rate_hz,
            "masks_per_s": view.counts.segmented_rate_hz,
        }

    def _free_path(self) -> Path:
        """Return the first that is free of session.h5, session-2.h5, session-3.h5 and so on."""
        names = itertools.chain([self._path.name], (self._numbered(n) for n in itertools.count(2)))
        return next(path for name in names if not (path := self._path.with_name(name)).exists())

    def _numbered(self, number: int) -> str:
        return f"{self._path.stem}-{number}{self._path.suffix}"

    def _note(self, summary: RecordingSummary) -> None:
        self._problem = summary.failed
