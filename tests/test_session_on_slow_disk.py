"""Recordings that take long to start and to finish: nobody waits who need not, nothing is lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ListSink, ScriptedCamera, ended
from thermoseg import session as session_module
from thermoseg import session_recording
from thermoseg.errors import RecordingError
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.status import RecordingSummary
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState


class SlowRecorder(Recorder):
    """Starts and stops when the test says so, as on a slow disk."""

    may_start, may_wait, may_stop = threading.Event(), threading.Event(), threading.Event()
    trouble = ""

    def start(self) -> None:
        self.may_start.wait(30)
        super().start()

    def wait_on_disk(self, timeout_s: float = 30.0) -> None:
        self.may_wait.wait(30)
        if self.trouble:
            raise RecordingError(self.trouble)
        super().wait_on_disk(timeout_s)

    def stop(self, *, lost: bool = False) -> RecordingSummary:
        self.may_stop.wait(30)
        return super().stop(lost=lost)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> type[SlowRecorder]:
    monkeypatch.setattr(session_recording, "Recorder", SlowRecorder)
    monkeypatch.setattr(SlowRecorder, "trouble", "")
    SlowRecorder.may_start.clear()
    SlowRecorder.may_wait.set()
    SlowRecorder.may_stop.set()
    return SlowRecorder


@pytest.fixture
def elsewhere(slow_disk: type[SlowRecorder]) -> Iterator[ThreadPoolExecutor]:
    """Threads that may have to wait for the disk."""
    with ThreadPoolExecutor(3) as pool:
        yield pool
        slow_disk.may_start.set()
        slow_disk.may_wait.set()
        slow_disk.may_stop.set()


@pytest.fixture
def running(slow_disk: type[SlowRecorder]) -> Iterator[Session]:
    session = Session(ScriptedCamera(range(10_000)), FaceSegmenter())
    session.start()
    session.wait_opened(10)
    yield session
    slow_disk.may_start.set()
    slow_disk.may_stop.set()
    session.stop()


def state_of(session: Session) -> RecordingState:
    return session.look().recording


def test_a_recording_that_starts_slowly_holds_up_neither_camera_nor_looks(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    started = elsewhere.submit(running.start_recording, tmp_path / "slow.h5")
    wait_for(lambda: state_of(running) is RecordingState.STARTING)
    captured = running.look().counts.captured
    wait_for(lambda: running.look().counts.captured > captured + 5)
    with pytest.raises(RecordingError, match="a recording is running"):
        running.start_recording(tmp_path / "other.h5")
    running.note_event("while it starts")
    assert not started.done()
    slow_disk.may_start.set()
    started.result(30)
    assert state_of(running) is RecordingState.RUNNING
    wait_for(lambda: running.look().counts.recorded >= 5)
    running.note_event("while it runs")
    running.stop_recording()

    with Recording(tmp_path / "slow.h5") as recording:
        assert recording.indices[0] > captured
        told = [event.text for event in recording.events]
    assert told == ["while it starts", "while it runs"]
    assert not (tmp_path / "other.h5").exists()


def test_no_frame_is_lost_while_a_file_is_slow_to_reach_its_disk(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    slow_disk.may_start.set()
    slow_disk.may_wait.clear()
    started = elsewhere.submit(running.start_recording, tmp_path / "slow.h5")
    wait_for(lambda: running.look().counts.recorded >= 5)
    before = running.look()
    running.note_event("meanwhile")
    assert before.recording is RecordingState.STARTING
    wait_for(lambda: running.look().counts.recorded > before.counts.recorded)
    assert not started.done()
    slow_disk.may_wait.set()
    started.result(30)
    summary = running.stop_recording()

    assert summary.recorded > before.counts.recorded
    with Recording(tmp_path / "slow.h5") as recording:
        numbers = list(recording.indices)
        assert [event.text for event in recording.events] == ["meanwhile"]
    assert numbers == list(range(numbers[0], numbers[0] + summary.recorded))


def test_a_recording_whose_file_does_not_reach_its_disk_is_undone(
    monkeypatch: pytest.MonkeyPatch,
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    tmp_path: Path,
) -> None:
    slow_disk.may_start.set()
    monkeypatch.setattr(SlowRecorder, "trouble", "the disk has not taken the file; use another")
    with pytest.raises(RecordingError, match="has not taken the file"):
        running.start_recording(tmp_path / "never.h5")
    assert state_of(running) is RecordingState.OFF
    monkeypatch.setattr(SlowRecorder, "trouble", "")
    captured = running.look().counts.captured
    wait_for(lambda: running.look().counts.captured > captured)
    running.start_recording(tmp_path / "other.h5")

    assert state_of(running) is RecordingState.RUNNING
    recorder = running.look().recorder
    assert recorder is not None
    assert recorder.on_disk


def test_what_was_recorded_is_known_while_the_file_is_finished_and_afterwards(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    slow_disk.may_start.set()
    running.start_recording(tmp_path / "slow.h5")
    wait_for(lambda: running.look().counts.recorded >= 10)
    slow_disk.may_stop.clear()
    before = running.look().counts.recorded
    stopped = elsewhere.submit(running.stop_recording)
    wait_for(lambda: state_of(running) is RecordingState.FINISHING)
    seen = [running.look() for _ in range(50)]
    with pytest.raises(RecordingError, match="still being written"):
        running.start_recording(tmp_path / "other.h5")
    slow_disk.may_stop.set()
    while not stopped.done():
        seen.append(running.look())
    summary = stopped.result(30)
    wait_for(lambda: state_of(running) is RecordingState.OFF)
    last = running.look()
    seen.append(last)

    recorded = [view.counts.recorded for view in seen]
    assert min(recorded) >= before
    assert recorded == sorted(recorded)
    assert last.recorder is not None
    assert recorded[-1] == last.recorder.recorded == summary.recorded
    assert last.counts.dropped == 0


def test_a_session_that_stops_undoes_a_recording_that_is_just_starting(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    started = elsewhere.submit(running.start_recording, tmp_path / "slow.h5")
    wait_for(lambda: state_of(running) is RecordingState.STARTING)
    stopped = elsewhere.submit(running.stop)
    wait_for(lambda: running.ended)
    assert not stopped.done()
    slow_disk.may_start.set()
    stopped.result(30)

    with pytest.raises(RecordingError, match=r"the session ended before slow\.h5 held a frame"):
        started.result(30)
    assert state_of(running) is RecordingState.OFF
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RecordingError, match="the session has ended"):
        running.start_recording(tmp_path / "late.h5")


def test_stopping_a_recording_that_is_starting_waits_for_it_and_gives_its_account(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    started = elsewhere.submit(running.start_recording, tmp_path / "slow.h5")
    wait_for(lambda: state_of(running) is RecordingState.STARTING)
    stopped = elsewhere.submit(running.stop_recording)
    slow_disk.may_start.set()
    started.result(30)
    summary = stopped.result(30)

    assert summary.path == tmp_path / "slow.h5"
    assert summary.recorded == running.look().counts.recorded
    assert state_of(running) is RecordingState.OFF
    with Recording(summary.path) as recording:
        assert len(recording) == summary.recorded


def test_all_who_stop_a_recording_get_the_same_account(
    wait_for: WaitFor,
    running: Session,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    slow_disk.may_start.set()
    running.start_recording(tmp_path / "slow.h5")
    wait_for(lambda: running.look().counts.recorded >= 3)
    slow_disk.may_stop.clear()
    first = elsewhere.submit(running.stop_recording)
    wait_for(lambda: state_of(running) is RecordingState.FINISHING)
    second = elsewhere.submit(running.stop_recording)
    slow_disk.may_stop.set()

    assert first.result(30) == second.result(30)


def test_an_armed_recording_that_starts_slowly_still_gets_the_first_frame(
    wait_for: WaitFor, slow_disk: type[SlowRecorder], tmp_path: Path
) -> None:
    sink = ListSink()
    session = Session(ScriptedCamera([*range(30), ended()]), FaceSegmenter(), [sink])
    session.start_recording(tmp_path / "slow.h5")
    assert state_of(session) is RecordingState.ARMED
    session.start()
    wait_for(lambda: state_of(session) is RecordingState.STARTING)
    assert session.look().info is None
    assert session.look().frame is None
    slow_disk.may_start.set()
    wait_for(lambda: session.ended)
    session.stop()

    assert sink.indices == list(range(30))
    assert session.look().counts.recorded == session.look().counts.captured == 30


def test_a_session_may_be_stopped_while_its_armed_recording_starts_slowly(
    monkeypatch: pytest.MonkeyPatch,
    wait_for: WaitFor,
    slow_disk: type[SlowRecorder],
    elsewhere: ThreadPoolExecutor,
    tmp_path: Path,
) -> None:
    """The disk may take longer than threads are given to end."""
    monkeypatch.setattr(session_module, "JOIN_TIMEOUT_S", 0.5)
    camera = ScriptedCamera(range(10_000))
    session = Session(camera, None)
    session.start_recording(tmp_path / "slow.h5")
    session.start()
    wait_for(lambda: state_of(session) is RecordingState.STARTING)
    stopped = elsewhere.submit(session.stop)
    assert not slow_disk.may_start.wait(2 * session_module.JOIN_TIMEOUT_S)
    slow_disk.may_start.set()
    stopped.result(30)

    assert session.look().error is None
    assert session.look().counts.captured == 0
    assert camera.closed == 1
