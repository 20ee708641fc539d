"""One running camera: the only owner of threads, the same for window and command line.

capture thread   `Camera.read` → `Recorder.offer`, sinks, `Session.frames`: every frame
segment thread   newest frame → `Segmenter` → `RoiMeter` → `Result`: traces, recorder, sinks,
                 `Session.results`
sink threads     one for each sink, behind a short queue that counts what it had to drop

Nobody pushes at a window: it looks at `frames`, `results`, `traces` and `counts` when it likes.
"""

import logging
import math
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from thermoseg.cameras import ActingCamera, Camera, PhotographingCamera, TellingCamera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
    RecordingError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity, Segmentation, Segmenter
from thermoseg.latest import Latest
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.status import RecorderStatus, RecordingSummary
from thermoseg.rois import RoiMeter
from thermoseg.sinks import Outlet, Result, Sink, catch, join_until
from thermoseg.tally import SessionCounts, Tally
from thermoseg.telemetry import Telemetry, describe_telemetry
from thermoseg.timeline import TimeLine
from thermoseg.traces import Traces

log = logging.getLogger(__name__)

READ_TIMEOUT_S: Final = 0.25
"""Longest single wait for a frame, and so for the capture thread to notice `stop`."""
LONGEST_READ_S: Final = 0.5
"""A driver that keeps the capture thread for longer breaks its contract, which is told once."""
IDLE_S: Final = 0.001
"""Pause after a read without a frame, so that a driver that fails at once keeps no core busy."""
SILENCE_LIMIT_S: Final = 5.0
"""Without a frame for this long a camera counts as lost."""
SILENT_FRAMES: Final = 3
"""Slower sources are allowed this many of their own frame intervals."""
BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to open a lost camera again; the last one is repeated."""
JOIN_TIMEOUT_S: Final = 2.0
"""All threads together have this long to end."""
NETWORK_TIMEOUT_S: Final = 60.0
"""A network at work cannot be interrupted; a large one on a busy machine takes seconds a frame."""
SWITCH_S: Final = 0.001
"""How long a thread may keep Python to itself; with the usual 5 ms, capture, network and window
wait for each other (18.5 instead of 15.3 masks per second on two cores)."""
CAPTURE_THREAD: Final = "thermoseg capture"
SEGMENT_THREAD: Final = "thermoseg segment"
EVENTS_KEPT: Final = 1000
TELEMETRY_S: Final = 1.0
"""How often a camera is asked what it tells of itself."""
TELEMETRY_RECORDED_S: Final = 60.0
"""How often that is written into a recording, besides its beginning."""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something rare that happened."""

    time_s: float
    """On the clock of the session's frames."""
    text: str


class Session:
    """Runs one camera, and a segmenter if there is one, until stopped or the source ends.

    All methods may be called from any one thread; properties from any thread.  A session runs
    once.  As a context manager it starts and stops itself.
    """

    def __init__(
        self,
        camera: Camera,
        segmenter: Segmenter | None,
        sinks: Sequence[Sink] = (),
        *,
        address: str = "",
        trace_seconds: float = 60.0,
    ) -> None:
        """Prepare to run; nothing is opened yet.

        Parameters
        ----------
        segmenter
            None to capture and record only.
        address
            Of the camera, as the user gave it; written into recordings.
        trace_seconds
            How much the traces keep.
        """
        self.frames: Latest[Frame] = Latest()
        """The newest frame; peek only."""
        self.results: Latest[Result] = Latest()
        """The newest result; peek only."""
        self.traces = Traces(trace_seconds)
        self._camera = camera
        self._segmenter = segmenter
        self._address = address
        self._arrivals: Latest[_Arrival] = Latest()
        self._meter = RoiMeter()
        self._line = TimeLine()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._opened = threading.Event()
        self._threads: list[threading.Thread] = []
        self._outlets = [Outlet(sink, self._report) for sink in sinks]
        self._info: CameraInfo | None = None
        self._error: Exception | None = None
        self._raised = False
        self._lost = ""
        self._failures: set[str] = set()
        self._telemetry: Telemetry = {}
        self._jpeg: bytes | None = None
        self._told_s = self._recorded_s = -math.inf
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._attempts = 0
        self._complaint = ""
        self._slow = False
        self._recorder: Recorder | None = None
        self._recorder_status: RecorderStatus | None = None
        self._armed_path: Path | None = None
        self._events: deque[SessionEvent] = deque(maxlen=EVENTS_KEPT)
        self._tally = Tally()

    def start(self) -> None:
        """Start the threads and return at once; the camera is opened in its own thread.

        Raises
        ------
        RuntimeError
            If the session was started before.
        """
        if self._threads:
            raise RuntimeError("a session runs once; make a new one")
        sys.setswitchinterval(SWITCH_S)
        for outlet in self._outlets:
            outlet.start()
        work: dict[str, Callable[[], None]] = {CAPTURE_THREAD: self._capture}
        if self._segmenter is not None:
            work[SEGMENT_THREAD] = self._segment
        self._threads = [
            threading.Thread(target=self._run, args=(body,), name=name, daemon=True)
            for name, body in work.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all threads, finish the recording and raise the first error, once.

        Threads end within 2 s, but for a network that is at work on a frame; a recording takes as
        long as the disk needs for what is waiting.
        May be called more than once, and before `start`.

        Raises
        ------
        Exception
            Whatever ended the session, the first time; `CameraError` or `ModelError` as a rule.
        CameraError
            If a thread does not end because the camera's driver, the segmenter or a sink hangs.
        """
        self._wind_down()
        deadline_s = time.monotonic() + JOIN_TIMEOUT_S
        late = [thread for thread in self._threads if not join_until(thread, deadline_s)]
        stuck = [outlet.name for outlet in self._outlets if not outlet.stop(deadline_s)]
        if self._recorder is not None:
            self.stop_recording()
        patience_s = time.monotonic() + NETWORK_TIMEOUT_S
        stuck += [
            thread.name
            for thread in late
            if thread.name != SEGMENT_THREAD or not join_until(thread, patience_s)
        ]
        if stuck and self._error is None:
            self._error = CameraError(
                f"{' and '.join(stuck)} did not end; restart the program to free the camera"
            )
        if self._error is not None and not self._raised:
            self._raised = True
            raise self._error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._raised = True  # the error on its way out is the one to be seen
        self.stop()

    def wait_opened(self, timeout_s: float) -> CameraInfo:
        """Wait until the camera is open, at most `timeout_s` seconds.

        Raises
        ------
        CameraTimeoutError
            If it is not open by then.
        Exception
            What kept it from opening; then `stop` does not raise it again.
        """
        self._opened.wait(timeout_s)
        if self._info is not None:
            return self._info
        if self._error is not None:
            self._raised = True
            raise self._error
        raise CameraTimeoutError(
            f"{self._address or 'the camera'} did not open within {timeout_s:g} s; "
            "check the cable and that no other program uses it"
        )

    @property
    def opened(self) -> bool:
        """Whether the camera has been opened, so that `info` is there."""
        return self._info is not None

    @property
    def info(self) -> CameraInfo:
        """What the camera says of itself.

        Raises
        ------
        CameraError
            If it has not been opened yet.
        """
        if self._info is None:
            raise CameraError("the camera is not open yet; call wait_opened first")
        return self._info

    @property
    def lost(self) -> str:
        """Why the camera is gone, or why it did not open again; empty once pictures come."""
        return self._lost

    @property
    def lost_seconds(self) -> float:
        """For how long the camera has been gone, since its last frame; 0 if it is there."""
        return self._tally.lost_seconds() if self._lost else 0.0

    @property
    def telemetry(self) -> Telemetry:
        """What the camera told of itself at most a second ago; empty if it tells nothing."""
        return self._telemetry

    @property
    def visible_jpeg(self) -> bytes | None:
        """The visible picture that came beside the thermal ones, if the camera takes any."""
        return self._jpeg

    @property
    def actions(self) -> tuple[str, ...]:
        """What the camera can be asked for, such as a flat-field correction; may be nothing."""
        camera = self._camera
        return tuple(camera.actions) if isinstance(camera, ActingCamera) else ()

    def perform(self, action: str) -> None:
        """Ask the camera for one of its `actions`; it is done soon, between two frames.

        That it was done, or why not, is noted as an event.

        Raises
        ------
        ValueError
            If the camera has no such action.
        """
        if action not in self.actions:
            raise ValueError(f"“{action}” is none of the camera's actions: {self.actions}")
        self._asked.put(action)

    @property
    def ended(self) -> bool:
        """Whether no thread works any more: the source ended, or an error, or `stop`."""
        return bool(self._threads) and not any(thread.is_alive() for thread in self._threads)

    @property
    def error(self) -> Exception | None:
        """What ended the session, if not `stop` or the end of the source."""
        return self._error

    @property
    def events(self) -> tuple[SessionEvent, ...]:
        """Losses, gaps, sinks removed, marks of the user: the last ones, oldest first."""
        with self._lock:
            return tuple(self._events)

    def events_after(self, last: SessionEvent | None) -> tuple[SessionEvent, ...]:
        """List what has happened since `last`, one of `events`; everything if None."""
        events = self.events
        for at in range(len(events), 0, -1):
            if events[at - 1] is last:
                return events[at:]
        return events

    @property
    def model(self) -> ModelIdentity | None:
        """Which network segments, None if none does."""
        if self._segmenter is None:
            return None
        return ModelIdentity(
            self._segmenter.model_name, self._segmenter.model_sha256, self._segmenter.backend
        )

    @property
    def recording(self) -> bool:
        """Whether a recording runs or will begin with the first frame."""
        return self._recorder is not None or self._armed_path is not None

    @property
    def recorder_status(self) -> RecorderStatus | None:
        """How the recording goes, or went; its `failed` says if it ended by itself."""
        recorder = self._recorder
        return self._recorder_status if recorder is None else recorder.status()

    def counts(self) -> SessionCounts:
        """Return the account so far; cheap, from any thread."""
        status = self.recorder_status
        with self._lock:
            outlets = tuple(self._outlets)
            return self._tally.report(
                replaced=self._arrivals.replaced if self._segmenter is not None else 0,
                recorded=status.recorded if status else 0,
                dropped=status.dropped if status else 0,
                sink_dropped=self._tally.sink_dropped + sum(outlet.dropped for outlet in outlets),
            )

    def add_sink(self, sink: Sink) -> None:
        """Offer every frame and result from now on to `sink` as well."""
        outlet = Outlet(sink, self._report)
        if self._threads and not self._stopping.is_set():
            outlet.start()
        with self._lock:
            self._outlets = [*self._outlets, outlet]

    def remove_sink(self, sink: Sink) -> None:
        """Offer nothing more to `sink`, once it has taken what waits for it.

        Raises
        ------
        ValueError
            If it is no sink of this session.
        """
        with self._lock:
            own = [outlet for outlet in self._outlets if outlet.sink is sink]
            self._outlets = [outlet for outlet in self._outlets if outlet.sink is not sink]
            self._tally.sink_dropped += sum(outlet.dropped for outlet in own)
        if not own:
            raise ValueError(f"{sink!r} is not a sink of this session")
        for outlet in own:
            outlet.stop(time.monotonic() + JOIN_TIMEOUT_S)

    def start_recording(self, path: Path) -> None:
        """Record every frame and result from now on into the new file `path`.

        Called before the camera is open (before `start`, too) it arms the recording, which then
        begins with the very first frame; should that fail, the session ends with the error.

        Raises
        ------
        RecordingError
            If a recording runs already, the session has ended, or the file cannot be made.
        """
        with self._lock:
            if self.recording:
                raise RecordingError("a recording is running; stop it before you start another")
            if self._stopping.is_set() or self.ended:
                raise RecordingError("the session has ended; start a new one to record")
            if self._info is None:
                self._armed_path = path
                return
            self._begin_recording(path, self._info)

    def stop_recording(self) -> RecordingSummary:
        """Finish the recording; the session goes on.

        Raises
        ------
        RecordingError
            If nothing is being recorded.
        """
        with self._lock:
            recorder, self._recorder, self._armed_path = self._recorder, None, None
        if recorder is None:
            raise RecordingError("nothing is being recorded; start a recording first")
        summary = recorder.stop()
        self._recorder_status = recorder.status()
        return summary

    def note_event(self, text: str) -> None:
        """Mark that something happens now, in `events` and in the recording."""
        event = self._event(text)
        with self._lock:
            self._events.append(event)
        self._write_event(event)

    def _event(self, text: str) -> SessionEvent:
        return SessionEvent(self._line.now_s(time.monotonic()), text)

    def _write_event(self, event: SessionEvent) -> None:
        recorder = self._recorder
        if recorder is not None:
            try:
                recorder.note_event(event.text, event.time_s)
            except RecordingError as error:
                log.warning("%s", error)

    def _run(self, body: Callable[[], None]) -> None:
        error = catch(body, threading.current_thread().name)
        if error is not None:
            with self._lock:
                self._error = self._error or error
            self._stopping.set()
        if error is not None or body == self._capture:
            self._arrivals.close()
            self._opened.set()

    def _wind_down(self) -> None:
        self._stopping.set()
        self._arrivals.close()

    def _capture(self) -> None:
        try:
            self._announce(self._camera.open())
            self._capture_frames()
        except StreamEndedError:
            log.info("the source is at its end")
        finally:
            self._tally.end()
            self._close_camera()

    def _announce(self, info: CameraInfo) -> None:
        """Publish what the camera says of itself, and begin a recording that waits for it."""
        with self._lock:
            path, self._armed_path = self._armed_path, None
            if path is not None:
                self._begin_recording(path, info)
            self._info = info
            self._tally.begin()
            self._line.open(time.monotonic(), live=info.live, rate_hz=info.rate_hz)
        self._opened.set()

    def _begin_recording(self, path: Path, info: CameraInfo) -> None:
        recorder = Recorder(path, info, self._address, self.model)
        recorder.start()
        self._recorder = recorder

    def _capture_frames(self) -> None:
        heard_s = time.monotonic()
        while not self._stopping.is_set():
            self._perform_asked()
            self._ask_camera(time.monotonic())
            try:
                frame = self._read(heard_s)
            except CameraLostError as error:
                if not self.info.live:
                    raise
                self._reopen(error)
                continue
            if frame is None:
                self._stopping.wait(IDLE_S)
                continue
            heard_s = time.monotonic()
            self._deliver(self._line.place(frame, heard_s), heard_s)

    def _perform_asked(self) -> None:
        while not self._asked.empty() and isinstance(self._camera, ActingCamera):
            action = self._asked.get()
            try:
                self._camera.actions[action]()
            except CameraError as error:
                self.note_event(f"{action} failed: {error}")
            else:
                self.note_event(action)

    def _ask_camera(self, now_s: float) -> None:
        """Note what the camera tells of itself, and from time to time write it down."""
        if now_s - self._told_s < TELEMETRY_S:
            return
        self._told_s = now_s
        if isinstance(self._camera, TellingCamera):
            self._telemetry = dict(self._camera.telemetry())
        if isinstance(self._camera, PhotographingCamera):
            self._jpeg = self._camera.visible_jpeg()
        if self._recorder is None:
            self._recorded_s = -math.inf
        elif self._telemetry and now_s - self._recorded_s >= TELEMETRY_RECORDED_S:
            self._recorded_s = now_s
            self._write_event(self._event(", ".join(describe_telemetry(self._telemetry))))

    def _read(self, heard_s: float) -> Frame | None:
        """Return the next frame, or None if none came in time or it is not to be used.

        Raises
        ------
        CameraLostError
            If the camera says so, or none has come for too long.
        """
        self._check_silence(heard_s)
        began_s = time.monotonic()
        try:
            frame = self._camera.read(READ_TIMEOUT_S)
        except CameraTimeoutError:
            self._tally.timeouts += 1
            return None
        except (FrameRefusedError, FormatError) as error:
            if not self.info.live:
                raise
            self._refuse(str(error))
            return None
        finally:
            self._check_pace(time.monotonic() - began_s)
        height, width = frame.counts.shape
        if (width, height) != (self.info.width, self.info.height):
            self._refuse(
                f"a frame came with {width}×{height} instead of "
                f"{self.info.width}×{self.info.height} pixels"
            )
            return None
        return frame

    def _refuse(self, complaint: str) -> None:
        """Count a broken frame; the first of a kind is told."""
        self._tally.refused += 1
        self._line.refused += 1
        if complaint != self._complaint:
            self._complaint = complaint
            self.note_event(f"{self._name}: {complaint}")

    def _check_silence(self, heard_s: float) -> None:
        rate_hz = self.info.rate_hz
        limit_s = max(SILENCE_LIMIT_S, SILENT_FRAMES / rate_hz if rate_hz > 0 else 0.0)
        silent_s = time.monotonic() - max(heard_s, self._line.opened_s)
        if silent_s > limit_s:
            told = (
                f": {self._complaint}"
                if self._line.refused
                else "; check its cable, or unplug it and plug it in again"
            )
            raise CameraLostError(
                f"{self._name} has sent no usable picture for {silent_s:.0f} s{told}"
            )

    def _check_pace(self, seconds: float) -> None:
        if seconds > LONGEST_READ_S and self.info.live and not self._slow:
            self._slow = True
            self.note_event(f"the driver of {self._name} kept a read waiting for {seconds:.1f} s")
            log.warning("a read of %s took %.1f s instead of its 0.25 s", self._name, seconds)

    def _deliver(self, frame: Frame, arrived_s: float) -> None:
        self._attempts = 0
        if self._lost:  # open again, but only a picture proves that it is back
            self._lost = ""
            self._failures.clear()
        gap_s = self._tally.note_frame(frame, arrived_s, self._line.missed)
        if gap_s:
            self.note_event(f"gap of {gap_s:.1f} s: {self._name} was lost")
        if self._line.remark:
            log.warning("%s: %s", self._name, self._line.remark)
            self.note_event(f"{self._name}: {self._line.remark}")
        recorder = self._recorder
        if recorder is not None:
            recorder.offer(frame, self._line.refused_before)
        for outlet in self._outlets:
            outlet.put(frame)
        self.frames.put(frame)
        self._arrivals.put(_Arrival(frame, arrived_s))

    def _reopen(self, reason: CameraLostError) -> None:
        """Try to open the same camera again until it is there or the session is stopped."""
        # As text: who keeps log records would keep the traceback, and with it pictures.
        log.warning("%s; trying to open it again", str(reason))
        if self._tally.note_loss(self._line.arrived_s):
            self.note_event(f"lost: {reason}")
        self._lost = str(reason)
        self._telemetry, self._jpeg = {}, None
        # The pauses go on growing for a camera that can be opened but sends nothing.
        while not self._stopping.wait(BACK_OFF_S[min(self._attempts, len(BACK_OFF_S) - 1)]):
            self._attempts += 1
            self._close_camera()
            try:
                info = self._camera.open()
            except (CameraError, FormatError) as error:
                self._note_failure(str(error))
                continue
            if info.serial != self.info.serial:
                there = f"{info.model} {info.serial}".strip()
                self._note_failure(f"{there} is there instead of {self._name}")
                continue
            self._check_unchanged(info)
            log.info("%s is open again after %d attempts", self._name, self._attempts)
            self._line.open(time.monotonic(), live=info.live, rate_hz=info.rate_hz)
            self._tally.reopened += 1
            return

    def _note_failure(self, why: str) -> None:
        """Tell why the camera could not be opened again; each reason once in a loss."""
        log.debug("attempt %d to open %s: %s", self._attempts, self._name, why)
        self._lost = why
        if why not in self._failures:
            self._failures.add(why)
            self.note_event(f"not open again: {why}")

    def _check_unchanged(self, info: CameraInfo) -> None:
        """Refuse a camera whose counts would mean something else than those before.

        Raises
        ------
        CameraLostError
            If size or radiometry differ.
        """
        if (info.width, info.height) != (self.info.width, self.info.height):
            raise CameraLostError(
                f"{self._name} came back with {info.width}×{info.height} instead of "
                f"{self.info.width}×{self.info.height} pixels; start a new session"
            )
        radiometric = info.radiometric or self.info.radiometric
        if radiometric and info.radiometry != self.info.radiometry:
            raise CameraLostError(
                f"{self._name} came back with another scale of temperatures, set differently or "
                "another camera; start a new session"
            )

    def _close_camera(self) -> None:
        try:
            self._camera.close()
        except CameraError as error:
            log.warning("%s could not be closed: %s", self._address or "the camera", error)

    @property
    def _name(self) -> str:
        info = self.info
        return " ".join(filter(None, (info.model, info.serial))) or "the camera"

    def _segment(self) -> None:
        if self._segmenter is None:
            return
        while not self._stopping.is_set():
            arrival = self._arrivals.take_newer(READ_TIMEOUT_S)
            if arrival is not None:
                self._finish(arrival, self._segmenter.segment(arrival.frame))
            elif self._arrivals.closed:
                return

    def _finish(self, arrival: "_Arrival", segmentation: Segmentation) -> None:
        samples = self._meter.measure(arrival.frame, segmentation)
        now_s = time.monotonic()
        latency_s = now_s - arrival.arrived_s
        result = Result(arrival.frame, segmentation, samples, latency_s, self._meter.rois)
        self.traces.append(samples)
        self.results.put(result)
        self._tally.note_result(now_s, latency_s)
        recorder = self._recorder
        if recorder is not None:
            recorder.offer_result(result)
        for outlet in self._outlets:
            outlet.put(result)

    def _report(self, outlet: Outlet, error: Exception) -> None:
        """Remove a sink that raised; called once, in its own thread."""
        with self._lock:
            self._outlets = [other for other in self._outlets if other is not outlet]
            self._tally.sink_dropped += outlet.dropped
        self.note_event(f"{outlet.name} was removed: {error}")


@dataclass(frozen=True, slots=True, eq=False)
class _Arrival:
    frame: Frame
    arrived_s: float
