"""The promises of a session, against cameras that do as they are told."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import psutil
import pytest

from thermoseg import session as session_module
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
    ModelError,
    RecordingError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labels import Region
from thermoseg.radiometry import LinearRadiometry
from thermoseg.recording.reader import Recording
from thermoseg.session import Session
from thermoseg.sinks import SINK_QUEUE, Result

WaitFor = Callable[..., None]

HEIGHT, WIDTH = 24, 32
RADIOMETRY = LinearRadiometry(0.01)
COUNTS_34_C = 30715
"""34.00 °C at 0.01 K per count."""


class ScriptedCamera:
    """Plays lists of steps, one list per opening: a number is a frame's index, an exception is
    raised, an event is waited for.  The last list ends as a camera that goes silent."""

    Options = CameraOptions

    def __init__(
        self,
        *openings: Iterable[int | Exception | threading.Event],
        live: bool = True,
        rate_hz: float = 100.0,
        sizes: Iterable[tuple[int, int]] = (),
        scales_k: Iterable[float] = (),
        serial: str = "7",
    ) -> None:
        self.openings = [iter(steps) for steps in openings]
        self.sizes, self.scales_k = iter(sizes), iter(scales_k)
        self.live, self.rate_hz, self.serial = live, rate_hz, serial
        self.opened = self.closed = 0
        self.threads: set[str] = set()
        self.steps: Iterator[int | Exception | threading.Event] = iter(())
        self.opened_s = 0.0

    def open(self) -> CameraInfo:
        self.threads.add(threading.current_thread().name)
        self.opened += 1
        self.opened_s = time.monotonic()
        if not self.openings:
            raise CameraLostError("the fake camera is unplugged; plug it in")
        self.steps = self.openings.pop(0)
        height, width = next(self.sizes, (HEIGHT, WIDTH))
        scale = LinearRadiometry(next(self.scales_k, 0.01))
        return CameraInfo("fake", self.serial, width, height, self.rate_hz, scale, self.live)

    def read(self, timeout_s: float) -> Frame:
        self.threads.add(threading.current_thread().name)
        step = next(self.steps, None)
        if isinstance(step, threading.Event):
            if not step.wait(timeout_s):
                self.steps = chain_first(step, self.steps)
                raise CameraTimeoutError("nothing yet; read again")
            step = next(self.steps, None)
        if step is None:
            threading.Event().wait(timeout_s)
            raise CameraTimeoutError("no frame came in time; read again")
        if isinstance(step, Exception):
            raise step
        threading.Event().wait(1 / self.rate_hz)
        return make_frame(step, time.monotonic() - self.opened_s)

    def close(self) -> None:
        self.closed += 1

    @classmethod
    def discover(cls) -> list[CameraListing]:
        return []


def chain_first(
    first: threading.Event, rest: Iterator[int | Exception | threading.Event]
) -> Iterator[int | Exception | threading.Event]:
    yield first
    yield from rest


def make_frame(index: int, time_s: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Frame:
    noise = (index + np.arange(shape[0] * shape[1], dtype=np.uint16).reshape(shape)) % 7
    counts = (COUNTS_34_C - 3 + noise).astype(np.uint16)
    return Frame.from_counts(counts, RADIOMETRY, index, time_s, time.time())


class FaceSegmenter:
    """Sees the same face in every frame."""

    model_name = "drawn"
    model_sha256 = "0" * 64
    backend = "test"

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.seen: list[int] = []
        self.labels = np.full((HEIGHT, WIDTH), Region.CHIN, np.uint8)
        self.labels[2:6, 4:28] = Region.EYES
        self.labels[8:14, 10:22] = Region.NOSE
        self.labels[18:22, 8:24] = Region.MOUTH

    def segment(self, frame: Frame) -> Segmentation:
        threading.Event().wait(self.seconds)
        if self.error is not None:
            raise self.error
        self.seen.append(frame.index)
        return Segmentation(self.labels, np.ones(self.labels.shape, np.float32), frame.index)


class ListSink:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.results: list[Result] = []

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.frames]

    def offer(self, frame: Frame) -> None:
        self.frames.append(frame)

    def offer_result(self, result: Result) -> None:
        self.results.append(result)


class RaisingSink(ListSink):
    def offer(self, frame: Frame) -> None:
        super().offer(frame)
        raise OSError("the network cable fell out")


class StuckSink(ListSink):
    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def offer(self, frame: Frame) -> None:
        self.let_go.wait(30)
        super().offer(frame)


@pytest.fixture
def quick_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a tenth of a second instead of five, and no back-off."""
    monkeypatch.setattr(session_module, "SILENCE_LIMIT_S", 0.1)
    monkeypatch.setattr(session_module, "READ_TIMEOUT_S", 0.02)
    monkeypatch.setattr(session_module, "BACK_OFF_S", (0.0, 0.01))


def ended() -> StreamEndedError:
    return StreamEndedError("the fake recording is over")


def test_every_frame_is_captured_and_the_newest_segmented(wait_for: WaitFor) -> None:
    sink, segmenter = ListSink(), FaceSegmenter(seconds=0.05)
    session = Session(ScriptedCamera(range(10_000)), segmenter, [sink])
    session.start()
    wait_for(lambda: len(segmenter.seen) >= 5)
    session.stop()

    assert sink.indices == list(range(len(sink.indices)))
    assert len(segmenter.seen) < len(sink.indices)
    assert segmenter.seen == sorted(set(segmenter.seen))
    result = session.results.peek()
    assert result is not None
    assert result.samples[0].mean_c == pytest.approx(34, abs=0.1)
    assert [result.frame.index for result in sink.results] == segmenter.seen


def test_the_account_balances(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([*range(60), ended()]), FaceSegmenter(seconds=0.03))
    session.start()
    wait_for(lambda: session.ended)
    counts = session.counts()
    session.stop()

    assert counts.captured == 60
    assert counts.segmented + counts.replaced == 60
    assert counts.replaced > 0
    assert counts.missed == counts.dropped == counts.recorded == counts.timeouts == 0
    assert 0 < counts.camera_rate_hz < 110
    assert 0 < counts.segmented_rate_hz < counts.camera_rate_hz
    assert 30 <= counts.latency_p50_ms <= counts.latency_p95_ms


def test_the_end_of_a_source_ends_the_session_without_an_error(wait_for: WaitFor) -> None:
    segmenter = FaceSegmenter()
    camera = ScriptedCamera([0, 1, 2, ended()], live=False)
    session = Session(camera, segmenter)
    session.start()
    wait_for(lambda: session.ended)

    assert session.error is None
    assert segmenter.seen[-1] == 2
    assert camera.closed
    session.stop()


def test_the_camera_is_used_by_the_capture_thread_alone(wait_for: WaitFor) -> None:
    camera = ScriptedCamera(range(10_000))
    with Session(camera, None) as session:
        wait_for(lambda: session.frames.peek() is not None)

    assert camera.threads == {"thermoseg capture"}


def test_starting_does_not_wait_for_a_camera_that_opens_slowly(wait_for: WaitFor) -> None:
    plugged = threading.Event()

    class SlowToOpen(ScriptedCamera):
        def open(self) -> CameraInfo:
            plugged.wait(30)
            return super().open()

    session = Session(SlowToOpen(range(1000)), None, address="fake:slow")
    session.start()

    assert not session.opened
    with pytest.raises(CameraError, match="not open yet"):
        _ = session.info
    with pytest.raises(CameraTimeoutError, match="fake:slow did not open within 0"):
        session.wait_opened(timeout_s=0.01)
    plugged.set()
    assert session.wait_opened(timeout_s=10).model == "fake"
    session.stop()


def test_a_camera_that_cannot_be_opened_is_the_error_of_the_session(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera(), FaceSegmenter())
    session.start()
    wait_for(lambda: session.ended)

    assert isinstance(session.error, CameraLostError)
    with pytest.raises(CameraLostError, match="plug it in"):
        session.wait_opened(timeout_s=10)
    session.stop()


def test_the_first_error_is_raised_once_by_stop(wait_for: WaitFor) -> None:
    session = Session(
        ScriptedCamera(range(10_000)), FaceSegmenter(error=ModelError("the network is broken"))
    )
    session.start()
    wait_for(lambda: session.ended)

    assert isinstance(session.error, ModelError)
    with pytest.raises(ModelError, match="the network is broken"):
        session.stop()
    session.stop()


def test_an_error_nobody_foresaw_is_logged_with_its_traceback(
    wait_for: WaitFor, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(ScriptedCamera([0, ZeroDivisionError("a bug")]), None)
    session.start()
    wait_for(lambda: session.ended)

    with pytest.raises(ZeroDivisionError):
        session.stop()
    assert "Traceback" in caplog.text
    assert "a bug" in caplog.text


def test_stopping_is_quick_and_may_be_repeated(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([]), FaceSegmenter())  # a camera that never sends a thing
    session.start()
    session.wait_opened(10)
    began = time.monotonic()
    session.stop()
    session.stop()

    assert time.monotonic() - began < session_module.JOIN_TIMEOUT_S
    assert session.ended


def test_a_slow_network_may_finish_its_frame(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    class SlowSegmenter(FaceSegmenter):
        at_work = threading.Event()

        def segment(self, frame: Frame) -> Segmentation:
            self.at_work.set()
            return super().segment(frame)

    monkeypatch.setattr(session_module, "JOIN_TIMEOUT_S", 0.6)
    network = SlowSegmenter(seconds=1.5)
    session = Session(ScriptedCamera([0]), network)
    session.start()
    wait_for(network.at_work.is_set)
    session.stop()

    assert network.seen == [0]
    assert session.ended


def test_stopping_before_starting_does_nothing() -> None:
    camera = ScriptedCamera([])
    Session(camera, None).stop()

    assert camera.opened == 0


def test_a_session_runs_once() -> None:
    session = Session(ScriptedCamera([ended()]), None)
    session.start()
    with pytest.raises(RuntimeError, match="runs once"):
        session.start()
    session.stop()


def test_frames_lost_before_us_are_counted_and_marked(wait_for: WaitFor) -> None:
    sink = ListSink()
    session = Session(ScriptedCamera([5, 6, 9, 10, ended()]), None, [sink])
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert session.counts().missed == 2
    marked = [frame.index for frame in sink.frames if frame.flags & FrameFlag.GAP_BEFORE]
    assert marked == [9]


def test_a_read_without_a_frame_is_tolerated(wait_for: WaitFor) -> None:
    silence = CameraTimeoutError("nothing came; read again")
    session = Session(ScriptedCamera([0, silence, silence, 1, ended()]), None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert session.counts().timeouts == 2
    assert session.counts().captured == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_an_unplugged_camera_ends_no_session(wait_for: WaitFor) -> None:
    sink = ListSink()
    lost = CameraLostError("unplugged; plug it in")
    camera = ScriptedCamera([0, 1, 2, lost], [lost], [0, 1, 2, 3, ended()])
    session = Session(camera, FaceSegmenter(), [sink])
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert camera.opened == 3
    assert sink.indices == list(range(7))
    times_s = [frame.time_s for frame in sink.frames]
    assert times_s == sorted(set(times_s))
    assert [bool(frame.flags & FrameFlag.GAP_BEFORE) for frame in sink.frames] == [
        index == 3 for index in range(7)
    ]
    counts = session.counts()
    assert counts.gaps == 1
    assert counts.gap_seconds == pytest.approx(times_s[3] - times_s[2])
    assert counts.reopened == 2, "the first time it was gone at once"
    told = [event.text for event in session.events]
    assert told[0] == "lost: unplugged; plug it in"
    assert told[1].startswith("gap of ")
    assert len(told) == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_a_silent_live_camera_is_opened_again(wait_for: WaitFor) -> None:
    camera = ScriptedCamera([0, 1], [0, 1, ended()])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert camera.opened == 2
    assert session.counts().captured == 4
    assert session.error is None


@pytest.mark.usefixtures("quick_watchdog")
def test_while_the_camera_is_away_the_session_says_so_and_can_be_stopped(
    wait_for: WaitFor,
) -> None:
    session = Session(ScriptedCamera([0, CameraLostError("the cable is out")]), None)
    session.start()
    wait_for(lambda: session.lost)

    wait_for(lambda: session.lost == "the fake camera is unplugged; plug it in")
    assert not session.ended
    session.stop()
    assert session.error is None


@pytest.mark.usefixtures("quick_watchdog")
def test_a_silent_file_is_an_error(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([0], live=False), None)
    session.start()
    wait_for(lambda: session.ended)

    with pytest.raises(CameraLostError, match="has sent no usable picture"):
        session.stop()


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_in_another_size_is_an_error(wait_for: WaitFor) -> None:
    camera = ScriptedCamera(
        [0, CameraLostError("unplugged")], [0], sizes=[(HEIGHT, WIDTH), (HEIGHT, 2 * WIDTH)]
    )
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)

    with pytest.raises(CameraLostError, match="64×24 instead of 32×24"):
        session.stop()


def test_a_frame_of_another_size_is_thrown_away_and_counted(wait_for: WaitFor) -> None:
    class Stutterer(ScriptedCamera):
        def read(self, timeout_s: float) -> Frame:
            frame = super().read(timeout_s)
            return make_frame(1, frame.time_s, (HEIGHT, 8)) if frame.index == 1 else frame

    sink = ListSink()
    session = Session(Stutterer([0, 1, 2, ended()]), None, [sink])
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert sink.indices == [0, 2]
    assert session.counts().refused == 1
    assert session.counts().missed == 0


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_with_another_scale_is_an_error(wait_for: WaitFor) -> None:
    camera = ScriptedCamera([0, CameraLostError("unplugged")], [0], scales_k=[0.01, 0.1])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)

    assert session.counts().captured == 1
    with pytest.raises(CameraLostError, match="another scale of temperatures"):
        session.stop()


@pytest.mark.usefixtures("quick_watchdog")
def test_another_camera_in_its_place_is_not_taken_for_it(wait_for: WaitFor) -> None:
    class Swapped(ScriptedCamera):
        def open(self) -> CameraInfo:
            if self.opened:
                self.serial = "8" if self.opened < 4 else "7"
            return super().open()

    camera = Swapped([0, CameraLostError("unplugged")], [0], [0], [0], [0, 1, ended()])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert camera.opened == 5
    assert session.counts().captured == 3
    assert session.counts().reopened == 1
    told = [event.text for event in session.events]
    assert told.count("not open again: fake 8 is there instead of fake 7") == 1


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_opens_again_without_pictures_is_still_lost(wait_for: WaitFor) -> None:
    picture = threading.Event()
    camera = ScriptedCamera([0, CameraLostError("unplugged")], [picture, 1, picture, 2])
    with Session(camera, None) as session:
        wait_for(lambda: session.counts().reopened)
        assert session.lost == "unplugged"
        picture.set()
        wait_for(lambda: not session.lost)

        assert session.counts().captured >= 2


@pytest.mark.usefixtures("quick_watchdog")
def test_each_reason_why_a_camera_does_not_open_again_is_told_once(wait_for: WaitFor) -> None:
    class Forbidden(ScriptedCamera):
        def open(self) -> CameraInfo:
            if 1 <= self.opened <= 6:
                self.opened += 1
                raise CameraError("no permission" if self.opened % 2 else "in use")
            return super().open()

    unplugged = CameraLostError("unplugged")
    camera = Forbidden([0, unplugged], [0], [ended()])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    told = [event.text for event in session.events if event.text.startswith("not open")]
    assert told == ["not open again: in use", "not open again: no permission"]


def test_what_a_camera_tells_of_itself_is_there_and_in_the_recording(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "TELEMETRY_S", 0.0)

    class Telling(ScriptedCamera):
        asked: ClassVar[set[str]] = set()

        def telemetry(self) -> dict[str, float | str]:
            self.asked.add(threading.current_thread().name)
            return {"battery_percent": 83.0, "shutter": "open"}

        def visible_jpeg(self) -> bytes:
            return b"a photograph"

    path = tmp_path / "s.h5"
    session = Session(Telling([*range(20), CameraLostError("the cable is out")]), None)
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.visible_jpeg)
    assert session.telemetry == {"battery_percent": 83.0, "shutter": "open"}
    wait_for(lambda: session.lost)
    wait_for(lambda: not session.telemetry)
    assert session.visible_jpeg is None
    session.stop()

    assert Telling.asked == {"thermoseg capture"}
    with Recording(path) as recording:
        told = [event.text for event in recording.events]
    assert told.count("battery 83 %, shutter open") == 1
    assert "battery" not in " ".join(event.text for event in session.events)


def test_events_are_followed_without_missing_or_repeating_one() -> None:
    session = Session(ScriptedCamera(), None)
    assert session.events_after(None) == ()
    for text in ("a", "b", "b"):
        session.note_event(text)
    first, second, third = session.events_after(None)

    assert session.events_after(first) == (second, third)
    assert session.events_after(second) == (third,)
    assert session.events_after(third) == ()
    for number in range(session_module.EVENTS_KEPT):
        session.note_event(str(number))
    assert len(session.events_after(third)) == session_module.EVENTS_KEPT


@pytest.mark.parametrize("error", [FrameRefusedError("half a frame"), FormatError("bad header")])
def test_a_broken_frame_is_counted_and_never_delivered(wait_for: WaitFor, error: Exception) -> None:
    sink = ListSink()
    session = Session(ScriptedCamera([0, 1, error, 3, error, 5, ended()]), None, [sink])
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    counts = session.counts()
    assert sink.indices == [0, 1, 3, 5]
    assert (counts.captured, counts.refused, counts.missed) == (4, 2, 0)
    assert [event.text for event in session.events] == [f"fake 7: {error}"]


def test_a_damaged_file_ends_the_session(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([0, FormatError("frame 1 is cut off")], live=False), None)
    session.start()
    wait_for(lambda: session.ended)

    with pytest.raises(FormatError, match="frame 1 is cut off"):
        session.stop()


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_sends_nothing_but_broken_frames_is_opened_again_and_says_why(
    wait_for: WaitFor,
) -> None:
    def broken() -> Iterator[Exception]:
        while True:
            yield FrameRefusedError("a frame without its end")

    camera = ScriptedCamera(broken(), [0, ended()])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert camera.opened == 2
    lost = [event.text for event in session.events if event.text.startswith("lost: ")]
    assert len(lost) == 1
    assert lost[0].endswith("no usable picture for 0 s: a frame without its end")
    assert session.counts().refused < 500, "a camera that fails at once keeps a core busy"


@pytest.mark.usefixtures("quick_watchdog")
def test_a_gap_that_goes_on_is_in_the_account(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([0, 1, CameraLostError("the cable is out")]), None)
    session.start()
    wait_for(lambda: session.lost)
    before_s = session.lost_seconds
    wait_for(lambda: session.lost_seconds > before_s)
    during = session.counts()
    session.stop()
    after = session.counts()

    assert (during.gaps, during.reopened) == (1, 0)
    assert before_s < during.gap_seconds <= after.gap_seconds
    assert session.counts().gap_seconds == after.gap_seconds, "the session has ended"


def test_a_driver_that_keeps_a_read_waiting_is_told(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    monkeypatch.setattr(session_module, "LONGEST_READ_S", 0.05)
    session = Session(ScriptedCamera([0, 1, ended()], rate_hz=8), None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    told = [event.text for event in session.events]
    assert len(told) == 1
    assert told[0].startswith("the driver of fake 7 kept a read waiting for 0.")


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_cannot_be_closed_is_opened_again_all_the_same(wait_for: WaitFor) -> None:
    class Jammed(ScriptedCamera):
        def close(self) -> None:
            super().close()
            raise CameraError("the device is gone")

    session = Session(Jammed([0, CameraLostError("unplugged")], [0, ended()]), None)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert session.counts().captured == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_without_frames_is_given_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    monkeypatch.setattr(session_module, "BACK_OFF_S", (0.0, 0.0, 0.0, 60.0))
    lost = CameraLostError("unplugged")
    camera = ScriptedCamera([0, lost], [lost], [lost], [lost], [lost])
    session = Session(camera, None)
    session.start()
    wait_for(lambda: camera.opened == 4)
    wait_for(lambda: session.lost)
    session.stop()

    assert camera.opened == 4
    assert session.counts().gaps == 1
    assert session.counts().reopened == 3


@pytest.mark.usefixtures("quick_watchdog")
def test_a_hundred_replugs_leave_nothing_behind(wait_for: WaitFor) -> None:
    def cycles(count: int) -> Session:
        lost = CameraLostError("unplugged; plug it in")
        camera = ScriptedCamera(*([0, 1, 2, lost] for _ in range(count)), [0, ended()])
        camera.rate_hz = 1000.0
        session = Session(camera, None, [ListSink()])
        session.start()
        wait_for(lambda: session.ended, timeout_s=60)
        session.stop()
        return session

    cycles(5)
    threads = threading.active_count()
    tracemalloc.start()
    first = tracemalloc.get_traced_memory()[0]
    session = cycles(100)
    counts, kept = session.counts(), len(session.events)
    del session
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()

    assert (counts.gaps, counts.reopened, counts.captured) == (100, 100, 301)
    assert (counts.missed, counts.refused, kept) == (0, 0, 200)
    assert threading.active_count() == threads
    assert grown < 1_000_000, "bytes"


@pytest.mark.usefixtures("quick_watchdog")
def test_a_recording_tells_gaps_losses_and_broken_frames_apart(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    lost, broken = CameraLostError("the cable is out"), FrameRefusedError("half a frame")
    steps = [0, 1, 4, broken, 6, lost], [0, 1, broken, broken, 5, ended()]
    path = tmp_path / "gaps.h5"
    session = Session(ScriptedCamera(*steps), None)
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    counts = session.counts()
    assert (counts.captured, counts.recorded, counts.dropped) == (7, 7, 0)
    assert (counts.missed, counts.refused, counts.gaps, counts.reopened) == (3, 3, 1, 1)
    with Recording(path) as recording:
        gaps = [
            (gap.index_before, gap.index_after, gap.frames, gap.cause) for gap in recording.gaps
        ]
        assert gaps == [
            (1, 4, 2, "camera"),
            (4, 6, 1, "refused"),
            (6, 7, 0, "lost"),
            (8, 12, 1, "camera"),
            (8, 12, 2, "refused"),
        ]
        assert recording.gap_seconds(recording.gaps[2]) == pytest.approx(counts.gap_seconds)
        assert recording.counts.missed == counts.missed
        assert "lost: the cable is out" in [event.text for event in recording.events]


def test_a_camera_is_asked_for_its_actions_in_its_own_thread(wait_for: WaitFor) -> None:
    class WithShutter(ScriptedCamera):
        asked: ClassVar[list[str]] = []

        @property
        def actions(self) -> dict[str, Callable[[], None]]:
            return {"Flat-field correction": self.correct, "Explode": self.explode}

        def correct(self) -> None:
            self.asked.append(threading.current_thread().name)

        def explode(self) -> None:
            raise CameraError("the fuse is missing")

    with Session(WithShutter(range(10_000)), None) as session:
        assert session.actions == ("Flat-field correction", "Explode")
        session.perform("Flat-field correction")
        session.perform("Explode")
        with pytest.raises(ValueError, match="none of the camera's actions"):
            session.perform("Dance")
        wait_for(lambda: len(session.events) == 2)

    assert WithShutter.asked == ["thermoseg capture"]
    assert [event.text for event in session.events] == [
        "Flat-field correction",
        "Explode failed: the fuse is missing",
    ]
    assert Session(ScriptedCamera(), None).actions == ()


def test_a_sink_that_raises_is_removed_and_the_session_goes_on(
    wait_for: WaitFor, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = RaisingSink(), ListSink()
    session = Session(ScriptedCamera(range(10_000)), None, [broken, sound])
    session.start()
    wait_for(lambda: len(sound.frames) > 20)
    session.stop()

    assert len(broken.frames) == 1
    assert sound.indices == list(range(len(sound.indices)))
    assert [event.text for event in session.events] == [
        "the sink RaisingSink was removed: the network cable fell out"
    ]
    assert caplog.text.count("Traceback") == 1


def test_a_stuck_sink_holds_up_neither_camera_nor_other_sinks(wait_for: WaitFor) -> None:
    stuck, sound = StuckSink(), ListSink()
    session = Session(ScriptedCamera(range(10_000)), None, [stuck, sound])
    session.start()
    wait_for(lambda: len(sound.frames) > 2 * SINK_QUEUE)
    counts = session.counts()
    stuck.let_go.set()
    session.stop()

    assert counts.sink_dropped > 0
    assert counts.missed == 0
    assert sound.indices == list(range(len(sound.indices)))


def test_sinks_come_and_go_while_running(wait_for: WaitFor) -> None:
    sink = ListSink()
    with Session(ScriptedCamera(range(10_000)), None) as session:
        wait_for(lambda: session.counts().captured > 5)
        session.add_sink(sink)
        wait_for(lambda: len(sink.frames) > 5)
        session.remove_sink(sink)
        taken = len(sink.frames)
        captured = session.counts().captured
        wait_for(lambda: session.counts().captured > captured + 5)
        with pytest.raises(ValueError, match="is not a sink"):
            session.remove_sink(sink)

    assert sink.indices == list(range(sink.indices[0], sink.indices[0] + taken))


def test_traces_grow_with_the_results(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([*range(20), ended()]), FaceSegmenter())
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    time_s, mean_c, valid = session.traces.window("nostrils", 60)
    assert time_s.size == session.counts().segmented
    assert valid.all()
    np.testing.assert_allclose(mean_c, 34.0, atol=0.05)


def test_a_recording_armed_before_the_start_holds_every_frame(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    path = tmp_path / "all.h5"
    session = Session(ScriptedCamera([*range(50), ended()]), FaceSegmenter(), address="fake:")
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    counts = session.counts()
    assert counts.recorded == counts.captured == 50
    assert counts.dropped == 0
    with Recording(path) as recording:
        assert list(recording.indices) == list(range(50))
        assert recording.address == "fake:"
        assert recording.model is not None
        assert recording.model.name == "drawn"
        assert recording.complete


def test_recording_starts_and_stops_while_running(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        assert not session.recording
        session.start_recording(tmp_path / "some.h5")
        assert session.recording
        with pytest.raises(RecordingError, match="a recording is running"):
            session.start_recording(tmp_path / "other.h5")
        wait_for(lambda: session.counts().recorded >= 10)
        session.note_event("the bell rang")
        summary = session.stop_recording()
        after = session.counts().captured
        wait_for(lambda: session.counts().captured > after)
        with pytest.raises(RecordingError, match="nothing is being recorded"):
            session.stop_recording()

    assert summary.recorded == session.counts().recorded >= 10
    with Recording(tmp_path / "some.h5") as recording:
        assert len(recording) == summary.recorded
        assert "the bell rang" in [event.text for event in recording.events]


def test_a_recording_that_cannot_be_made_leaves_the_session_running(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.h5"
    taken.touch()
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        with pytest.raises(RecordingError, match="exists already"):
            session.start_recording(taken)
        before = session.counts().captured
        wait_for(lambda: session.counts().captured > before)
        assert not session.recording


def test_a_writer_that_dies_ends_the_recording_only(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "torn.h5")
        wait_for(lambda: session.counts().recorded >= 5)
        for writer in psutil.Process().children():
            writer.kill()
        wait_for(lambda: session.recorder_status is not None and session.recorder_status.failed)
        after = session.counts().captured
        wait_for(lambda: session.counts().captured > after)
        summary = session.stop_recording()

    assert "recover the session" in summary.failed
    assert summary.dropped > 0
    assert session.error is None


def test_an_armed_recording_that_cannot_be_made_ends_the_session(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.h5"
    taken.touch()
    session = Session(ScriptedCamera(range(10_000)), None)
    session.start_recording(taken)
    session.start()
    wait_for(lambda: session.ended)

    with pytest.raises(RecordingError, match="exists already"):
        session.stop()


def test_nothing_is_left_running_after_many_sessions(wait_for: WaitFor) -> None:
    before = threading.active_count()
    for _ in range(20):
        session = Session(ScriptedCamera(range(1000)), FaceSegmenter(), [ListSink()])
        session.start()
        wait_for(lambda running=session: running.results.peek() is not None)
        session.stop()

    assert threading.active_count() == before
