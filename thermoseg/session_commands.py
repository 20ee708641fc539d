"""What the control socket can do to a session without a window: start, stop, mark, tell."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

from thermoseg.control import Command
from thermoseg.control_request import Answer, ControlRequest
from thermoseg.errors import RecordingError
from thermoseg.recording.status import RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState


class SessionCommands:
    """Commands of one session; each answers when what it says has happened."""

    def __init__(self, session: Session, plan: RecordingPlan) -> None:
        """Do nothing yet.

        Parameters
        ----------
        plan
            Of each recording; no client chooses where files go.  It counts names up, or runs.
        """
        self.paths: tuple[Path, ...] = ()
        """Files of the recordings so far."""
        self._session = session
        self._plan = plan
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
            path = self._session.start_recording(self._plan)
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

    def _mark(self, request: ControlRequest, _arrived_s: float) -> Answer:
        if self._session.look().recording is not RecordingState.RUNNING:
            raise RecordingError("nothing is being recorded, so nothing was marked; start first")
        mark = self._session.mark(request.label, source="control")
        return {"label": mark.label, "time_s": mark.begin_s, "wall_time": mark.wall_time}

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

    def _note(self, summary: RecordingSummary) -> None:
        self._problem = summary.failed
