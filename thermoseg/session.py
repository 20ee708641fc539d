"""One running camera: the only owner of threads, the same for window and command line.

capture thread   `CameraFeed` → recording, sinks, the newest frame: every frame
segment thread   newest frame → `Measuring`: traces, recording, sinks, the newest result
sink threads     one for each sink, behind a short queue that counts what it had to drop

Nobody pushes at a window: it takes a `look` when it likes.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from thermoseg.backlog import BacklogTrends
from thermoseg.camera_feed import Arrival, CameraFeed
from thermoseg.cameras import OPEN_CLOSE_LIMIT_S, Camera
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.corrections import Corrections
from thermoseg.drawn_rois import DrawnRoi, tell_changes
from thermoseg.errors import CameraError, CameraTimeoutError, StreamEndedError
from thermoseg.events import EventLog, SessionEvent
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import Segmenter
from thermoseg.latest import Latest
from thermoseg.marks import Mark
from thermoseg.measuring import Measuring
from thermoseg.rate_watch import RateWatch, asked_rate_hz
from thermoseg.recording.status import RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.result import Result
from thermoseg.session_marks import SessionMarks
from thermoseg.session_recording import SessionRecording
from thermoseg.session_view import SessionView
from thermoseg.sinks import FanOut, Sink, catch, join_until
from thermoseg.tally import Tally

log = logging.getLogger(__name__)

JOIN_TIMEOUT_S: Final = OPEN_CLOSE_LIMIT_S
"""All threads together have this long to end: the camera may have to be opened and closed yet."""
NETWORK_TIMEOUT_S: Final = 60.0
"""A network at work cannot be interrupted; a large one on a busy machine takes seconds a frame."""
START_TIMEOUT_S: Final = 60.0
"""Nor can a recording that is being started; a slow disk takes seconds to make its file."""
CAPTURE_THREAD: Final = "thermoseg capture"
SEGMENT_THREAD: Final = "thermoseg segment"


class Session:
    """Runs one camera, and a segmenter if there is one, until stopped or the source ends.

    `look`, `note_event`, `perform`, what sets scene, face, ROIs and corrections, and what starts
    and stops a recording may be called from any thread, everything else from any one thread.  A
    session runs once.  As a context manager it starts and stops itself.
    """

    def __init__(
        self,
        camera: Camera,
        segmenter: Segmenter | None,
        sinks: Sequence[Sink] = (),
        *,
        address: str = "",
    ) -> None:
        """Prepare to run; nothing is opened yet.

        Parameters
        ----------
        segmenter
            None to capture and record only.
        address
            Address of the camera, as the user gave it; written into recordings.
        """
        self._address = address
        self._stopping = threading.Event()
        self._opened = threading.Event()
        self._tally = Tally()
        self._events = EventLog()
        self._feed = CameraFeed(camera, self._tally, self.note_event, self._stopping, address)
        self._measuring = Measuring(segmenter, self._tally, self.note_event)
        self.traces = self._measuring.traces
        """The temperatures of each region since the start."""
        self._recording = SessionRecording(
            address,
            self._measuring.identify_model,
            self.note_event,
            describe=self._feed.scene.describe,
            rois=self._measuring.rois_since,
        )
        self._marks = SessionMarks(self._recording.notes, self._feed.now_s, self._events.append)
        self._corrections = Corrections(
            self._feed,
            lambda: self._recording.look()[0],
            lambda: self._marks.marks,
            self.note_event,
        )
        self._sinks = FanOut(sinks, self.note_event)
        self._backlogs = BacklogTrends()
        self._rate, self._asked_hz = RateWatch(), asked_rate_hz(address)
        self._frames: Latest[Frame] = Latest()
        self._threads: list[threading.Thread] = []
        self._info: CameraInfo | None = None
        self._failing = threading.Lock()
        self._error: Exception | None = None
        self._raised = False

    def start(self) -> None:
        """Start the threads and return at once; the camera is opened in its own thread.

        Raises
        ------
        RuntimeError
            If the session was started before.
        """
        if self._threads:
            raise RuntimeError("a session runs once; make a new one")
        self._sinks.start()
        work = {CAPTURE_THREAD: self._capture, SEGMENT_THREAD: self._segment}
        self._threads = [
            threading.Thread(target=self._run, args=(body,), name=name, daemon=True)
            for name, body in work.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all threads, finish the recording and raise the first error, once.

        Threads end within 2 s, but for a network that is at work on a frame; a recording takes as
        long as the disk needs for what is waiting, and one that is just being started is undone.
        May be called more than once, and before `start`.

        Raises
        ------
        Exception
            Whatever ended the session, the first time; `CameraError` or `ModelError` as a rule.
        CameraError
            If a thread does not end because the camera's driver, the segmenter or a sink hangs.
        """
        self._stopping.set()
        self._measuring.close()
        self._recording.close()
        self._recording.wait_started(START_TIMEOUT_S)
        deadline_s = time.monotonic() + JOIN_TIMEOUT_S
        late = [thread for thread in self._threads if not join_until(thread, deadline_s)]
        stuck = self._sinks.stop(deadline_s)
        self._recording.finish(lost=bool(self._feed.lost))
        deadline_s = time.monotonic() + NETWORK_TIMEOUT_S
        stuck += [
            thread.name
            for thread in late
            if thread.name != SEGMENT_THREAD or not join_until(thread, deadline_s)
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
    def ended(self) -> bool:
        """Whether no thread works any more: the source ended, or an error, or `stop`."""
        return bool(self._threads) and not any(thread.is_alive() for thread in self._threads)

    def look(self) -> SessionView:
        """Return what there is to see now; cheap, and waits for nobody.

        What follows from something else is read after it: where `ended` is true neither frame nor
        result is to come, a result is never newer than the frame, and its frame is counted.
        """
        ended, error, feed = self.ended, self._error, self._feed
        model = self._measuring.model
        result = None if model is None else model.results.peek()
        frame = self._frames.peek()
        recording, recorder = self._recording.look()
        counts = self._tally.report(
            replaced=self._measuring.replaced,
            recorded=recorder.recorded if recorder else 0,
            dropped=recorder.dropped if recorder else 0,
            sink_dropped=self._sinks.dropped,
        )
        lost = feed.lost
        return SessionView(
            frame=frame,
            result=result,
            counts=counts,
            recording=recording,
            recorder=recorder,
            recording_path=self._recording.path,
            pre_recorded_s=self._recording.pre_record.kept_s,
            marks=self._marks.marks,
            telemetry=feed.telemetry,
            visible_jpeg=feed.visible_jpeg,
            lost=lost,
            lost_seconds=self._tally.lost_seconds() if lost else 0.0,
            backlogs=self._backlogs.look_at(
                recorder,
                None if model is None else (frame, result, counts.camera_rate_hz),
                self._sinks.waiting,
            ),
            rate_note=self._look_at_rate(0.0 if lost or ended else counts.camera_rate_hz),
            events=self._events.events,
            info=self._info,
            actions=feed.orders.actions,
            corrections=self._corrections.policy,
            correction_waits=self._corrections.waits,
            model=None if model is None else model.identity,
            ended=ended,
            error=error,
        )

    def perform(self, action: str) -> None:
        """Ask the camera for one of its `actions`; it is done soon, between two frames.

        That it was done, or why not, is noted as an event.  A flat-field correction waits for the
        end of a trial, if `set_corrections` says so.

        Raises
        ------
        ValueError
            If the camera has no such action.
        """
        if not self._corrections.hold(action):
            self._feed.orders.ask(action)

    def set_corrections(self, policy: CorrectionPolicy) -> None:
        """Leave flat-field corrections to the camera, or keep them out of trials."""
        self._corrections.set(policy)

    def note_event(self, text: str) -> None:
        """Mark that something happens now, among the events and in the recording."""
        event = SessionEvent(self._feed.now_s(), text, time.time())
        log.info("%s at %.2f s: %s", self._address, event.time_s, text)
        self._events.append(event)
        self._recording.notes.note(event)

    def set_segmenter(self, segmenter: Segmenter | None) -> None:
        """Segment with another model from the next frame on, or with none; noted as an event.

        The model before finishes its frame.  Regions that are held for a while are forgotten; a
        recording that runs keeps the name of its first model and gets the event.
        """
        self._measuring.set_segmenter(segmenter)

    def choose_face(self, x_px: float, y_px: float) -> None:
        """Measure the face at this point of the picture; that it is, or is none, is an event."""
        self._measuring.choose_face(x_px, y_px)

    def set_rois(self, rois: Sequence[DrawnRoi]) -> None:
        """Measure these drawn ROIs instead of those before; changes are noted as events.

        To be called when a drag has ended, not with each of its steps.

        Raises
        ------
        ConfigError
            If two have one name, or there are too many.
        """
        before = self._measuring.set_rois(rois)
        for text in (*tell_changes(before, rois), *self._recording.tell_unrecorded(before, rois)):
            self.note_event(text)

    def set_scene(self, emissivity: float | None = None, reflected_c: float | None = None) -> None:
        """Make °C for this emissivity and reflected temperature (°C) from the next frame on.

        What is None stays as it is.  The step is an event.  Before the camera is open, it is kept
        for its first frame.

        Raises
        ------
        ConfigError
            If a value cannot be, or the camera's °C cannot be made anew.
        """
        self._feed.scene.ask(emissivity, reflected_c)

    def add_sink(self, sink: Sink) -> None:
        """Offer every frame and result from now on to `sink` as well."""
        self._sinks.add(sink)

    def remove_sink(self, sink: Sink) -> None:
        """Offer nothing more to `sink`, once it has taken what waits for it.

        Raises
        ------
        ValueError
            If it is no sink of this session.
        """
        self._sinks.remove(sink, time.monotonic() + JOIN_TIMEOUT_S)

    def now_s(self) -> float:
        """Return the present moment on the clock of the frames, 0 before the camera is open."""
        return self._feed.now_s()

    def mark(
        self,
        label: str,
        *,
        kind: str = "marker",
        source: str = "key",
        time_s: float | None = None,
        duration_s: float = 0.0,
    ) -> Mark:
        """Mark a moment or a stretch; see `SessionMarks.add`."""
        return self._marks.add(label, kind, source, time_s, duration_s)

    def take_back(self, mark: Mark) -> bool:
        """Take a mark back if it is not too late; see `SessionMarks.take_back`."""
        return self._marks.take_back(mark)

    def set_pre_record(self, seconds: float) -> None:
        """Let recordings begin so much earlier, at most 30 s; 0 to begin when they are started.

        Raises
        ------
        RecordingError
            If it does not fit into the memory (it says what would), or the source is a file.
        """
        self._recording.pre_record.set(seconds)

    def start_recording(self, plan: RecordingPlan | Path) -> Path:
        """Record every frame and result from now on, as `plan` says or into the new file it names.

        Returns when the file is on its disk, for which a slow one needs seconds; frames are taken
        meanwhile.  If corrections are kept out of trials, one that is due comes first.

        Called before the camera is open (before `start`, too) it arms the recording, which then
        begins with the very first frame; should that fail, the session ends with the error.

        Returns
        -------
        Path of the recording.  One that is armed may get a later run: `look` says which.

        Raises
        ------
        RecordingError
            If a recording runs already, the session ends, or the file cannot be made.
        """
        self._corrections.correct_before_recording(self._stopping)
        return self._recording.start(plan)

    def stop_recording(self, notes: str | None = None) -> RecordingSummary:
        """Finish the recording, once it has started; the session goes on.

        Parameters
        ----------
        notes
            Written into the file in place of those of its plan; None leaves those.

        Raises
        ------
        RecordingError
            If nothing is being recorded; one that is armed is disarmed.
        """
        return self._recording.stop(lost=bool(self._feed.lost), notes=notes)

    def _look_at_rate(self, delivered_hz: float) -> str:
        info = self._info
        if info is None or not info.live:
            return ""
        return self._rate.note(time.monotonic(), delivered_hz, self._asked_hz or info.rate_hz)

    def _run(self, body: Callable[[], None]) -> None:
        error = catch(body, threading.current_thread().name)
        if error is not None:
            with self._failing:
                self._error = self._error or error
            self._stopping.set()
        if error is not None or body == self._capture:
            self._measuring.close()
            self._recording.close()
            self._opened.set()

    def _capture(self) -> None:
        try:
            info = self._feed.open()
            self._recording.open(info)
            self._tally.begin()
            self._info = info
            self._opened.set()
            while not self._stopping.is_set():
                self._corrections.step()
                arrival = self._feed.next()
                self._recording.note_telemetry(self._feed.telemetry, self._feed.now_s())
                self._recording.watch_resources()
                if arrival is not None:
                    self._deliver(arrival)
        except StreamEndedError:
            log.info("the source is at its end")
        finally:
            self._tally.end()
            self._feed.close()

    def _deliver(self, arrival: Arrival) -> None:
        self._recording.offer(arrival)
        self._sinks.put(arrival.frame)
        self._frames.put(arrival.frame)
        self._measuring.put(arrival)

    def _segment(self) -> None:
        self._measuring.run(self._stopping, self._publish, self._recording.offer_samples)

    def _publish(self, result: Result) -> None:
        self._recording.offer_result(result)
        self._sinks.put(result)
