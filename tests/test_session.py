"""The promises of a session, against cameras that do as they are told."""

import gc
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ListSink, ScriptedCamera, Step, StuckSink, ended
from thermoseg import session as session_module
from thermoseg.errors import CameraLostError, CameraTimeoutError, ModelError
from thermoseg.events import events_after
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.session import Session
from thermoseg.session_view import SessionView
from thermoseg.sinks import SINK_QUEUE


class RaisingSink(ListSink):
    def offer(self, frame: Frame) -> None:
        super().offer(frame)
        raise OSError("the network cable fell out")


def has_result(session: Session) -> bool:
    return session.look().result is not None


def test_every_frame_is_captured_and_the_newest_segmented(wait_for: WaitFor) -> None:
    sink, segmenter = ListSink(), FaceSegmenter(seconds=0.05)
    session = Session(ScriptedCamera(range(10_000)), segmenter, [sink])
    session.start()
    wait_for(lambda: len(segmenter.seen) >= 5)
    session.stop()

    assert sink.indices == list(range(len(sink.indices)))
    assert len(segmenter.seen) < len(sink.indices)
    assert segmenter.seen == sorted(set(segmenter.seen))
    result = session.look().result
    assert result is not None
    assert result.samples[0].mean_c == pytest.approx(34, abs=0.1)
    assert [result.frame.index for result in sink.results] == segmenter.seen


def test_the_account_balances(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([*range(60), ended()]), FaceSegmenter(seconds=0.03))
    session.start()
    wait_for(lambda: session.ended)
    counts = session.look().counts
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

    assert session.look().error is None
    assert segmenter.seen[-1] == 2
    assert camera.closed
    session.stop()


def test_the_camera_is_used_by_the_capture_thread_alone(wait_for: WaitFor) -> None:
    camera = ScriptedCamera(range(10_000))
    with Session(camera, None) as session:
        wait_for(lambda: session.look().frame is not None)

    assert camera.threads == {"thermoseg capture"}


def test_starting_does_not_wait_for_a_camera_that_opens_slowly(wait_for: WaitFor) -> None:
    plugged = threading.Event()

    class SlowToOpen(ScriptedCamera):
        def open(self) -> CameraInfo:
            plugged.wait(30)
            return super().open()

    session = Session(SlowToOpen(range(1000)), None, address="fake:slow")
    session.start()

    assert session.look().info is None
    with pytest.raises(CameraTimeoutError, match="fake:slow did not open within 0"):
        session.wait_opened(timeout_s=0.01)
    plugged.set()
    assert session.wait_opened(timeout_s=10) is session.look().info
    session.stop()


def test_a_camera_that_cannot_be_opened_is_the_error_of_the_session(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera(), FaceSegmenter())
    session.start()
    wait_for(lambda: session.ended)

    assert isinstance(session.look().error, CameraLostError)
    with pytest.raises(CameraLostError, match="plug it in"):
        session.wait_opened(timeout_s=10)
    session.stop()


def test_the_first_error_is_raised_once_by_stop(wait_for: WaitFor) -> None:
    session = Session(
        ScriptedCamera(range(10_000)), FaceSegmenter(error=ModelError("the network is broken"))
    )
    session.start()
    wait_for(lambda: session.ended)

    assert isinstance(session.look().error, ModelError)
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
    counts = session.look().counts
    assert counts.gaps == 1
    assert counts.gap_seconds == pytest.approx(times_s[3] - times_s[2])
    assert counts.reopened == 2, "the first time it was gone at once"
    told = [event.text for event in session.look().events]
    assert told[0] == "lost: unplugged; plug it in"
    assert told[1].startswith("gap of ")
    assert len(told) == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_while_the_camera_is_away_the_session_says_so_and_can_be_stopped(
    wait_for: WaitFor,
) -> None:
    session = Session(ScriptedCamera([0, CameraLostError("the cable is out")]), None)
    session.start()
    wait_for(lambda: session.look().lost)

    wait_for(lambda: session.look().lost == "the fake camera is unplugged; plug it in")
    assert not session.ended
    session.stop()
    assert session.look().error is None


@pytest.mark.usefixtures("quick_watchdog")
def test_a_hundred_replugs_leave_nothing_behind(wait_for: WaitFor) -> None:
    def cycles(count: int) -> Session:
        lost = CameraLostError("unplugged; plug it in")
        openings: list[list[Step]] = [[0, 1, 2, lost] for _ in range(count)]
        camera = ScriptedCamera(*openings, [0, ended()])
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
    counts, kept = session.look().counts, len(session.look().events)
    del session
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()

    assert (counts.gaps, counts.reopened, counts.captured) == (100, 100, 301)
    assert (counts.missed, counts.refused, kept) == (0, 0, 200)
    assert threading.active_count() == threads
    assert grown < 1_000_000, "bytes"


def test_a_camera_is_asked_for_its_actions_in_its_own_thread(wait_for: WaitFor) -> None:
    class WithShutter(ScriptedCamera):
        asked: ClassVar[list[str]] = []

        @property
        def actions(self) -> dict[str, Callable[[], None]]:
            return {"Flat-field correction": self.correct}

        def correct(self) -> None:
            self.asked.append(threading.current_thread().name)

    began = time.time()
    with Session(WithShutter(range(10_000)), None) as session:
        session.wait_opened(10)
        assert session.look().actions == ("Flat-field correction",)
        session.perform("Flat-field correction")
        wait_for(lambda: session.look().events)

    assert WithShutter.asked == ["thermoseg capture"]
    event = session.look().events[0]
    assert event.text == "Flat-field correction"
    assert 0 <= event.time_s <= session.look().counts.seconds
    assert began <= event.wall_time <= time.time()


def test_a_look_before_the_start_shows_an_empty_session() -> None:
    view = Session(ScriptedCamera(), None).look()

    assert (view.frame, view.result, view.info, view.model, view.recorder) == (None,) * 5
    assert (view.counts.captured, view.counts.seconds, view.events) == (0, 0.0, ())
    assert not view.ended


def test_looks_stay_as_they_were_and_each_looker_gets_all_the_news(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([0, 1, ended()]), None)
    session.note_event("before")
    early = session.look()
    session.start()
    wait_for(lambda: session.ended)
    session.note_event("after")
    late = session.look()
    session.stop()

    assert (early.frame, early.counts.captured, early.ended) == (None, 0, False)
    assert late.frame is not None
    assert (late.frame.index, late.counts.captured, late.ended) == (1, 2, True)
    assert [event.text for event in early.events] == ["before"]
    assert [event.text for event in events_after(late.events, early.events[-1])] == ["after"]
    assert [event.text for event in events_after(late.events, None)] == ["before", "after"]


def test_a_look_never_shows_a_result_of_a_frame_to_come(wait_for: WaitFor) -> None:
    camera = ScriptedCamera(range(10_000), rate_hz=1000)
    views: list[SessionView] = []
    with Session(camera, FaceSegmenter()) as session:
        wait_for(lambda: session.look().result is not None)
        while len(views) < 300:
            views.append(session.look())

    for view in views:
        assert view.frame is not None
        assert view.result is not None
        assert view.result.frame.index <= view.frame.index
        assert view.result.frame.index < view.counts.captured
        assert view.counts.segmented > 0


def test_a_session_leaves_the_thread_switching_of_its_program_alone(wait_for: WaitFor) -> None:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    try:
        with Session(ScriptedCamera(range(10_000)), FaceSegmenter()) as session:
            wait_for(lambda: session.look().result is not None)
        assert sys.getswitchinterval() == pytest.approx(0.004)
    finally:
        sys.setswitchinterval(before_s)


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
    assert [event.text for event in session.look().events] == [
        "the sink RaisingSink was removed: the network cable fell out"
    ]
    assert caplog.text.count("Traceback") == 1


def test_a_stuck_sink_holds_up_neither_camera_nor_other_sinks(wait_for: WaitFor) -> None:
    stuck, sound = StuckSink(), ListSink()
    session = Session(ScriptedCamera(range(10_000)), None, [stuck, sound])
    session.start()
    wait_for(lambda: len(sound.frames) > 2 * SINK_QUEUE)
    counts = session.look().counts
    stuck.let_go.set()
    session.stop()

    assert counts.sink_dropped > 0
    assert counts.missed == 0
    assert sound.indices == list(range(len(sound.indices)))


def test_sinks_come_and_go_while_running(wait_for: WaitFor) -> None:
    sink = ListSink()
    with Session(ScriptedCamera(range(10_000)), None) as session:
        wait_for(lambda: session.look().counts.captured > 5)
        session.add_sink(sink)
        wait_for(lambda: len(sink.frames) > 5)
        session.remove_sink(sink)
        taken = len(sink.frames)
        captured = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > captured + 5)
        with pytest.raises(ValueError, match="is not a sink"):
            session.remove_sink(sink)

    assert sink.indices == list(range(sink.indices[0], sink.indices[0] + taken))


def test_traces_grow_with_the_results(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera([*range(20), ended()]), FaceSegmenter())
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    trace = session.traces.window("nostrils", 0, 60)
    assert len(trace) == session.look().counts.segmented
    assert trace.valid.all()
    np.testing.assert_allclose(trace.mean_c, 34.0, atol=0.05)


def test_nothing_is_left_running_after_many_sessions(wait_for: WaitFor) -> None:
    before = threading.active_count()
    for _ in range(20):
        session = Session(ScriptedCamera(range(1000)), FaceSegmenter(), [ListSink()])
        session.start()
        wait_for(partial(has_result, session))
        session.stop()

    assert threading.active_count() == before
