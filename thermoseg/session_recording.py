"""The recordings of one session, one after the other: armed, started, fed, finished.

A recorder is started and stopped without any lock that the capture thread or a window takes, since
both wait for another process and for the disk.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

from thermoseg.camera_feed import Arrival
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import RecordingError
from thermoseg.events import SessionEvent
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.kept_frames import KeptFrame, KeptResult
from thermoseg.manifest_thread import ManifestThreads
from thermoseg.memory_guard import MemoryGuard
from thermoseg.pre_record import PreRecord
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.status import RecorderStatus, RecordingSummary
from thermoseg.recording_notes import RecordingNotes
from thermoseg.recording_plan import RecordingPlan
from thermoseg.result import Result
from thermoseg.rois import RoiSample
from thermoseg.scene import in_scene
from thermoseg.telemetry import Telemetry, describe_telemetry

log = logging.getLogger(__name__)

TELEMETRY_RECORDED_S: Final = 60.0
"""How often what a camera tells of itself is written down, besides the beginning."""
DISK_S: Final = 1.0
"""How often disk and memory are asked after."""
DISK_TOLD_S: Final = 60.0
"""How often trouble with the disk is told while it lasts or comes back."""


class RecordingState(Enum):
    """Phase of a session's recording."""

    OFF = "off"
    ARMED = "armed"
    """A recording will start when the camera is open, before its first frame."""
    STARTING = "starting"
    """The file is being created; frames are taken as soon as its writer is ready."""
    RUNNING = "running"
    FINISHING = "finishing"
    """Frames taken so far are being written; no further ones are taken."""


class SessionRecording:
    """Owns the one recording of a session; methods may be called from any thread."""

    def __init__(
        self,
        address: str,
        model: Callable[[], ModelIdentity | None],
        tell: Callable[[str], None] = lambda _text: None,
        memory: MemoryGuard | None = None,
        *,
        describe: Callable[[CameraInfo], CameraInfo] = lambda info: info,
        rois: Callable[[float], Sequence[DrawnRoi]] = lambda _since_s: (),
    ) -> None:
        """Record nothing yet.

        Parameters
        ----------
        address
            Address of the camera, as the user gave it.
        model
            Which network segments when a recording starts; both are written into it.
        tell
            Told what a user must know of a recording that has started; may call `note`.
        memory
            Asked once a second whether memory runs out, which ends the recording; for tests.
        describe
            Gives the camera the radiometry of its frames when a recording starts.
        rois
            Told when a recording begins (monotonic clock), gives what is drawn, as it was then.
            Each gets a table in the file.
        """
        self._address = address
        self._model = model
        self._tell = tell
        self._memory = memory or MemoryGuard()
        self._describe = describe
        self._rois = rois
        self._changed = threading.Condition()
        self._state = RecordingState.OFF
        self._info: CameraInfo | None = None
        self._armed: RecordingPlan | None = None
        self._closed = False
        self._taking: Recorder | None = None
        """Gets what comes; None while none does."""
        self._newest: Recorder | None = None
        """The last one that took frames, for its status; kept when it is finished."""
        self.notes = RecordingNotes()
        """Takes events and marks."""
        self.pre_record = PreRecord()
        """Keeps what comes while nothing is recorded."""
        self._manifests = ManifestThreads(tell)
        self._told_to: Recorder | None = None
        self._told_s = 0.0
        self._disk_asked_s = 0.0
        self._disk_told_s = -DISK_TOLD_S

    def look(self) -> tuple[RecordingState, RecorderStatus | None]:
        """Return where the recording is, and its status or that of the last one.

        It runs once its file is on the disk, not before; the status is None before the first one.
        """
        state, recorder = self._state, self._newest
        status = None if recorder is None else recorder.status()
        waiting = status is not None and not (status.on_disk or status.failed)
        if state is RecordingState.RUNNING and waiting:
            state = RecordingState.STARTING
        return state, status

    @property
    def path(self) -> Path | None:
        """Where the recording goes, or the last one went; None before the first."""
        recorder = self._newest
        return None if recorder is None else recorder.path

    def start(self, plan: RecordingPlan | Path) -> Path:
        """Record as `plan` says, or into the new file of that name, once the camera is open.

        Returns when the file is on its disk; frames are taken while that is waited for.

        Returns
        -------
        Path of the recording; before the camera is open the planned one.

        Raises
        ------
        RecordingError
            If there is a recording already, no more frames come, or the file cannot be made.
        """
        with self._changed:
            self._check_free()
            plan = RecordingPlan.to_file(plan) if isinstance(plan, Path) else plan
            if self._info is None:
                self._armed, self._state = plan, RecordingState.ARMED
                return plan.planned_path().absolute()
            info, self._state = self._info, RecordingState.STARTING
        recorder = self._begin(plan, info)
        if recorder is None:
            name = plan.planned_path().name
            raise RecordingError(
                f"the session ended before {name} held a frame; start a new one to record"
            )
        try:
            recorder.wait_on_disk()
        except RecordingError:
            self._undo(recorder)
            raise
        self._set_state(RecordingState.RUNNING)
        return recorder.path

    def open(self, info: CameraInfo) -> None:
        """Note that frames of this camera will come, and start the recording that is armed.

        Its file is not waited for, as that is the camera's thread: `status` says if it fails.

        Raises
        ------
        RecordingError
            If its file cannot be made.
        """
        with self._changed:
            self._info, plan, self._armed = info, self._armed, None
            self._state = self._state if plan is None else RecordingState.STARTING
        shortened = self.pre_record.open(info)
        if shortened:
            self._tell(shortened)
        if plan is None:
            return
        if self._begin(plan, info) is None:
            log.info("the session was stopped before %s held a frame", plan.path)
        else:
            self._set_state(RecordingState.RUNNING)

    def close(self) -> None:
        """Start nothing more, since no more frames will come; what runs may be finished."""
        with self._changed:
            self._closed = True
            if self._state is RecordingState.ARMED:
                self._armed, self._state = None, RecordingState.OFF

    def stop(self, *, lost: bool = False, notes: str | None = None) -> RecordingSummary:
        """Finish the recording; if it is still starting or being finished, wait for that as well.

        Parameters
        ----------
        lost
            As that of `Recorder.stop`.
        notes
            Written into the file in place of those of its plan; None leaves those.

        Raises
        ------
        RecordingError
            If nothing is being recorded; one that was armed only will not start any more.
        """
        with self._changed:
            if self._state is RecordingState.ARMED:
                self._armed, self._state = None, RecordingState.OFF
                raise RecordingError(
                    "the recording had not begun and will not; start one once the camera is open"
                )
            self._changed.wait_for(lambda: self._state is not RecordingState.STARTING)
            recorder = self._halt()
        if recorder is None:
            raise RecordingError("nothing is being recorded; start a recording first")
        return self._finish(recorder, lost=lost, notes=notes)

    def finish(self, *, lost: bool = False) -> None:
        """Finish the recording that runs and end all threads; `lost` as that of `Recorder.stop`."""
        recorder = self._halt()
        if recorder is not None:
            self._finish(recorder, lost=lost)
        self.pre_record.close()
        self._manifests.close()

    def wait_started(self, timeout_s: float) -> None:
        """Wait until no recording is being started, at most `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not RecordingState.STARTING, timeout_s)

    def offer(self, arrival: Arrival) -> None:
        """Record a frame, if a recording runs; else keep it, if there is a pre-record."""
        recorder = self._taking
        if not self.pre_record.put(KeptFrame.of(arrival)) and recorder is not None:
            recorder.offer(arrival.frame, arrival.refused_before)

    def offer_result(self, result: Result) -> None:
        """Record a result, if a recording runs; else keep it, if there is a pre-record."""
        recorder = self._taking
        if not self.pre_record.put(KeptResult.of(result)) and recorder is not None:
            recorder.offer_result(result)

    def offer_samples(self, frame: Frame, samples: Sequence[RoiSample]) -> None:
        """Record, or keep, the samples of a frame that nobody segmented, as `offer_result`."""
        recorder = self._taking
        kept = KeptResult(frame.index, frame.time_s, tuple(samples))
        if not self.pre_record.put(kept) and recorder is not None:
            recorder.offer_samples(frame, samples)

    def tell_unrecorded(self, before: Sequence[DrawnRoi], rois: Sequence[DrawnRoi]) -> list[str]:
        """Say which of the ROIs that are new have no table in the file that is recorded."""
        recorder, known = self._taking, {roi.name for roi in before}
        if recorder is None:
            return []
        return [
            f"ROI “{roi.name}” is shown but not recorded, as the recording began without it; "
            "start a new recording to record it"
            for roi in rois
            if roi.name not in known | set(recorder.regions)
        ]

    def note_telemetry(self, telemetry: Telemetry, time_s: float) -> None:
        """Record what the camera tells of itself, at the beginning and once a minute.

        Called by the capture thread alone.

        Parameters
        ----------
        time_s
            On the clock of the frames.
        """
        recorder, now_s = self._taking, time.monotonic()
        if recorder is None or not telemetry:
            return
        if recorder is not self._told_to or now_s - self._told_s >= TELEMETRY_RECORDED_S:
            self._told_to, self._told_s = recorder, now_s
            text = ", ".join(describe_telemetry(telemetry))
            self.notes.note(SessionEvent(time_s, text, time.time()))

    def watch_resources(self) -> None:
        """Tell of a disk that is slow or nearly full, and end before memory does.

        Each is looked at once a second, the disk is told of at most once a minute.

        Called by the capture thread alone.
        """
        recorder, now_s = self._taking, time.monotonic()
        if recorder is None or now_s - self._disk_asked_s < DISK_S:
            return
        self._disk_asked_s = now_s
        complaint = self._memory.complaint(now_s)
        if complaint:
            recorder.end(complaint, "close other programs and record again")
        warning = recorder.status().warning
        if warning and now_s - self._disk_told_s >= DISK_TOLD_S:
            self._disk_told_s = now_s
            self._tell(warning)

    def _check_free(self) -> None:
        if self._closed:
            raise RecordingError("the session has ended; start a new one to record")
        if self._state is RecordingState.FINISHING:
            raise RecordingError(
                "the recording before is still being written; wait until it is finished"
            )
        if self._state is not RecordingState.OFF:
            raise RecordingError("a recording is running; stop it before you start another")

    def _begin(self, plan: RecordingPlan, info: CameraInfo) -> Recorder | None:
        """Start a recorder and let it take what comes; undone, and None, if no frame will come."""
        # The header tells of the beginning, which is earlier than now with a pre-record.
        first, info, since_s = self.pre_record.first, self._describe(info), time.monotonic()
        if first is not None:
            since_s = first.arrived_s
            info = replace(info, radiometry=in_scene(info.radiometry, first.scene))
        try:
            recorder = plan.start(
                partial(
                    Recorder,
                    info=info,
                    address=self._address,
                    model=self._model(),
                    rois=self._rois(since_s),
                )
            )
        except BaseException:
            self._set_state(RecordingState.OFF)
            raise
        with self._changed:
            if not self._closed:
                self.notes.begin(recorder, since_s)
                self._taking = self._newest = recorder
                self.pre_record.begin(recorder)
                self._disk_told_s = -DISK_TOLD_S
        if self._taking is not recorder:
            self._undo(recorder)
            return None
        if recorder.remark:
            self._tell(recorder.remark)
        for text in self.tell_unrecorded((), self._rois(since_s)):  # drawn while the file was made
            self._tell(text)
        return recorder

    def _undo(self, recorder: Recorder) -> None:
        """Stop a recorder that was just started, and leave no file without a frame."""
        self._taking = None
        self.notes.end()
        self.pre_record.end(discard=True)
        try:
            summary = recorder.stop()
            if not summary.recorded and not summary.failed:
                summary.path.unlink(missing_ok=True)
        finally:
            self._set_state(RecordingState.OFF)

    def _halt(self) -> Recorder | None:
        """Let the recorder that runs take nothing more, and return it; None if none runs."""
        with self._changed:
            if self._state not in (RecordingState.RUNNING, RecordingState.FINISHING):
                return None
            self._taking, self._state = None, RecordingState.FINISHING
            self.notes.end()
            self.pre_record.end()
            return self._newest

    def _finish(
        self, recorder: Recorder, *, lost: bool, notes: str | None = None
    ) -> RecordingSummary:
        try:
            self.pre_record.wait_fed()
            if notes is not None:
                recorder.set_notes(notes)
            summary = recorder.stop(lost=lost)
            self._manifests.add(recorder, summary)
            return summary
        finally:
            with self._changed:
                # Whoever waited beside us may find the next recording here already.
                if self._newest is recorder and self._state is RecordingState.FINISHING:
                    self._set_state(RecordingState.OFF)

    def _set_state(self, state: RecordingState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
