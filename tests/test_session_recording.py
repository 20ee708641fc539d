"""The recordings of a session: whole from the first frame, in nobody's way, accounted for."""

import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ScriptedCamera, Step, ended
from thermoseg import camera_feed, session_recording
from thermoseg.errors import CameraLostError, FrameRefusedError, RecordingError
from thermoseg.memory_guard import Memory, MemoryGuard
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState, SessionRecording


def test_what_a_camera_tells_of_itself_is_there_and_in_the_recording(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_feed, "TELEMETRY_S", 0.0)

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
    wait_for(lambda: session.look().visible_jpeg)
    assert session.look().telemetry == {"battery_percent": 83.0, "shutter": "open"}
    wait_for(lambda: session.look().lost)
    wait_for(lambda: not session.look().telemetry)
    assert session.look().visible_jpeg is None
    session.stop()

    assert Telling.asked == {"thermoseg capture"}
    with Recording(path) as recording:
        told = [event.text for event in recording.events]
    assert told.count("battery 83 %, shutter open") == 1
    assert "battery" not in " ".join(event.text for event in session.look().events)


@pytest.mark.usefixtures("quick_watchdog")
def test_a_recording_tells_gaps_losses_and_broken_frames_apart(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    lost, broken = CameraLostError("the cable is out"), FrameRefusedError("half a frame")
    first: list[Step] = [0, 1, 4, broken, 6, lost]
    second: list[Step] = [0, 1, broken, broken, 5, ended()]
    path = tmp_path / "gaps.h5"
    session = Session(ScriptedCamera(first, second), None)
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    counts = session.look().counts
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


@pytest.mark.usefixtures("quick_watchdog")
@pytest.mark.parametrize("ending", ["stop_recording", "stop"])
def test_a_camera_that_stays_away_leaves_a_gap_at_the_end(
    wait_for: WaitFor, tmp_path: Path, ending: str
) -> None:
    lost = CameraLostError("the cable is out")
    session = Session(ScriptedCamera([0, 1, 2, lost], *([lost] for _ in range(999))), None)
    session.start_recording(tmp_path / "s.h5")
    session.start()
    wait_for(lambda: session.look().lost)
    getattr(session, ending)()
    session.stop()

    with Recording(tmp_path / "s.h5") as recording:
        gaps = [(gap.index_before, gap.index_after, gap.cause) for gap in recording.gaps]
        assert gaps == [(2, -1, "lost")]
        assert recording.gaps[0].time_s == recording.times_s[2]
        assert recording.problems == ()
        assert recording.complete


def test_a_recording_armed_before_the_start_holds_every_frame(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    path = tmp_path / "all.h5"
    session = Session(ScriptedCamera([*range(50), ended()]), FaceSegmenter(), address="fake:")
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    counts = session.look().counts
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
        assert session.look().recording is RecordingState.OFF
        session.start_recording(tmp_path / "some.h5")
        assert session.look().recording is RecordingState.RUNNING
        with pytest.raises(RecordingError, match="a recording is running"):
            session.start_recording(tmp_path / "other.h5")
        wait_for(lambda: session.look().counts.recorded >= 10)
        session.note_event("the bell rang")
        summary = session.stop_recording()
        after = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > after)
        with pytest.raises(RecordingError, match="nothing is being recorded"):
            session.stop_recording()

    assert summary.recorded == session.look().counts.recorded >= 10
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
        before = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > before)
        assert session.look().recording is RecordingState.OFF
        session.start_recording(tmp_path / "free.h5")
        assert session.stop_recording().failed == ""


@pytest.mark.parametrize(
    ("said", "kept"), [(None, "sub-12 coughs"), ("", ""), ("quiet", "quiet")], ids=str
)
def test_notes_at_the_end_replace_those_of_the_plan_also_by_none(
    wait_for: WaitFor, tmp_path: Path, said: str | None, kept: str
) -> None:
    plan = RecordingPlan(tmp_path / "a.h5", notes="sub-12 coughs")
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(plan)
        wait_for(lambda: session.look().counts.recorded >= 5)
        session.stop_recording(said)

    with Recording(plan.path) as recording:
        assert recording.notes == kept


def failure_of(session: Session) -> str:
    recorder = session.look().recorder
    return "" if recorder is None else recorder.failed


def test_a_writer_that_dies_ends_the_recording_only(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "torn.h5")
        wait_for(lambda: session.look().counts.recorded >= 5)
        for writer in psutil.Process().children():
            writer.kill()
        wait_for(lambda: failure_of(session))
        after = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > after)
        summary = session.stop_recording()

    assert "recover the session" in summary.failed
    assert summary.dropped > 0
    assert session.look().error is None


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


def test_each_recording_is_told_once_how_the_camera_is(tmp_path: Path) -> None:
    recording = SessionRecording("fake:", lambda: None)
    recording.open(ScriptedCamera([]).open())
    for name in ("a.h5", "b.h5"):
        recording.start(tmp_path / name)
        recording.note_telemetry({}, 1.0)
        recording.note_telemetry({"battery_percent": 83.0}, 2.0)
        recording.note_telemetry({"battery_percent": 82.0}, 3.0)
        recording.stop()

    for name in ("a.h5", "b.h5"):
        with Recording(tmp_path / name) as read:
            assert [(event.time_s, event.text) for event in read.events] == [(2.0, "battery 83 %")]


def test_a_recording_that_is_armed_can_be_called_off(wait_for: WaitFor, tmp_path: Path) -> None:
    session = Session(ScriptedCamera([0, 1, ended()]), None)
    session.start_recording(tmp_path / "never.h5")
    with pytest.raises(RecordingError, match="had not begun and will not"):
        session.stop_recording()
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    assert session.look().counts.captured == 2
    assert list(tmp_path.iterdir()) == []


def test_stopping_before_the_camera_opens_calls_an_armed_recording_off(tmp_path: Path) -> None:
    session = Session(ScriptedCamera([0]), None)
    session.start_recording(tmp_path / "never.h5")
    session.stop()

    assert session.look().recording is RecordingState.OFF
    assert list(tmp_path.iterdir()) == []


def test_a_disk_in_trouble_is_told_of_once_and_not_at_each_frame(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_recording, "DISK_S", 0.0)
    trouble = "the disk of a.h5 is slow: a power cut now would cost the last 2.0 s"
    status = Recorder.status
    monkeypatch.setattr(
        Recorder, "status", lambda recorder: replace(status(recorder), warning=trouble)
    )
    session = Session(ScriptedCamera([*range(30)]), None)
    session.start_recording(tmp_path / "a.h5")
    session.start()
    wait_for(lambda: session.look().counts.recorded == 30)
    session.stop()

    assert [event.text for event in session.look().events].count(trouble) == 1
    with Recording(tmp_path / "a.h5") as recording:
        assert [event.text for event in recording.events] == [trouble]


def test_each_recording_is_told_of_its_own_disk(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_recording, "DISK_S", 0.0)
    status = Recorder.status
    monkeypatch.setattr(
        Recorder,
        "status",
        lambda recorder: replace(
            status(recorder), warning=f"{recorder.path.name} is on a slow disk"
        ),
    )

    def told(session: Session) -> list[str]:
        return [event.text for event in session.look().events]

    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        for name in ("a.h5", "b.h5"):
            session.start_recording(tmp_path / name)
            wait_for(lambda: f"{name} is on a slow disk" in told(session))  # noqa: B023
            session.stop_recording()


def test_memory_that_runs_out_ends_the_recording_with_a_whole_file_that_says_why(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_recording, "DISK_S", 0.0)
    left = itertools.count(400_000_000, -1_000_000)
    path = tmp_path / "s.h5"
    session = Session(ScriptedCamera(range(10_000)), None)
    session._recording._memory = MemoryGuard(lambda: Memory(next(left), 16_000_000_000))
    session.start_recording(path)
    session.start()
    wait_for(lambda: (status := session.look().recorder) is not None and status.failed)
    summary = session.stop_recording()
    counts = session.look().counts
    session.stop()

    assert "memory of this computer is nearly used up" in summary.failed
    assert "close other programs" in summary.failed
    assert summary.recorded > 0
    assert counts.captured > 0, "the session itself goes on"
    with Recording(path) as recording:
        assert recording.complete
        assert "nearly used up" in recording.ended
        assert len(recording) == summary.recorded


def test_memory_that_is_low_and_steady_lets_a_recording_go_on(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_recording, "DISK_S", 0.0)
    looks: list[Memory] = []

    def read() -> Memory:
        looks.append(Memory(100_000_000, 16_000_000_000))
        return looks[-1]

    session = Session(ScriptedCamera(range(10_000)), None)
    session._recording._memory = MemoryGuard(read)
    session.start_recording(tmp_path / "s.h5")
    session.start()
    wait_for(lambda: len(looks) >= 30)
    summary = session.stop_recording()
    session.stop()

    assert summary.failed == ""
