"""Marks: at the time of the key press, safe at once, and taken back for five seconds."""

import json
from pathlib import Path

import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.session_parts import ScriptedCamera
from thermoseg import marks as marks_module
from thermoseg.errors import RecordingError
from thermoseg.marks import Mark
from thermoseg.recording import slots
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.recovery import recover
from thermoseg.session import Session


@pytest.fixture
def undo_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks that cannot be taken back at all, so that they are rows with the next frame."""
    monkeypatch.setattr(marks_module, "UNDO_S", 0.0)
    monkeypatch.setattr(slots, "UNDO_S", 0.0)


def labels_in(path: Path) -> list[str]:
    with Recording(path) as recording:
        return [marker.label for marker in recording.markers]


def events_in(path: Path) -> list[str]:
    with Recording(path) as recording:
        return [event.text for event in recording.events]


def test_a_mark_has_the_time_of_its_key_press(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        path = session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: session.look().counts.recorded >= 5)
        before_s = session.now_s()
        now = session.mark("now")
        late = session.mark(
            "Kältereiz", kind="condition", source="button", time_s=before_s - 0.25, duration_s=60
        )
        assert session.look().marks == (now, late)
        session.stop_recording()

    assert now.begin_s == pytest.approx(before_s, abs=0.5)
    with Recording(path) as recording:
        first, second = recording.markers
        assert (first.begin_s, first.label, first.kind) == (now.begin_s, "now", "marker")
        assert (second.begin_s, second.duration_s) == (before_s - 0.25, 60)
        assert (second.label, second.kind, second.source) == ("Kältereiz", "condition", "button")
        passed_s = second.wall_time - recording.wall_times[0]
        assert passed_s == pytest.approx(second.begin_s - recording.times_s[0], abs=0.2)
    assert events_in(path) == []


def test_a_mark_that_is_taken_back_is_an_event_and_no_row(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        path = session.start_recording(tmp_path / "a.h5")
        session.mark("kept")
        slip = session.mark("slip")
        assert session.take_back(slip)
        assert not session.take_back(slip)
        assert [mark.label for mark in session.look().marks] == ["kept"]
        session.stop_recording()
        told = [event.text for event in session.look().events]

    assert labels_in(path) == ["kept"]
    assert events_in(path) == told == [f"mark taken back: slip, made at {slip.begin_s:.2f} s"]


@pytest.mark.usefixtures("undo_at_once")
def test_a_mark_is_a_row_while_the_recording_goes_on(wait_for: WaitFor, tmp_path: Path) -> None:
    def rows() -> int:
        with Recording(path) as recording:
            return len(recording.table("markers"))

    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        path = session.start_recording(tmp_path / "a.h5")
        mark = session.mark("too old")
        wait_for(lambda: rows() == 1)
        assert not session.take_back(mark)
        assert labels_in(path) == ["too old"]
        session.stop_recording()
    assert labels_in(path) == ["too old"]


def test_a_mark_can_be_taken_back_until_its_recording_ends(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        path = session.start_recording(tmp_path / "a.h5")
        mark = session.mark("last")
        session.stop_recording()
        assert not session.take_back(mark)
        assert session.look().marks == (mark,)
    assert labels_in(path) == ["last"]


def test_what_is_marked_while_nothing_is_recorded_is_seen_only(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        seen, slip = session.mark("seen"), session.mark("slip")
        assert session.take_back(slip)
        path = session.start_recording(tmp_path / "a.h5")
        session.stop_recording()
        assert session.look().marks == (seen,)
    assert labels_in(path) == []


@pytest.mark.parametrize(
    ("label", "time_s", "duration_s"),
    [(" ", 0.0, 0.0), ("a", float("nan"), 0.0), ("a", float("inf"), 0.0), ("a", 0.0, -1.0)],
)
def test_a_mark_that_cannot_be_is_refused(label: str, time_s: float, duration_s: float) -> None:
    session = Session(ScriptedCamera([]), None)
    with pytest.raises(ValueError, match="mark"):
        session.mark(label, time_s=time_s, duration_s=duration_s)
    assert session.look().marks == ()


def make_mark(label: str, begin_s: float) -> Mark:
    return Mark.now(label, "marker", "key", begin_s, begin_s, 0.0)


@pytest.fixture
def recorder(tmp_path: Path, wait_for: WaitFor) -> Recorder:
    info = made.made_info()
    recorder = Recorder(tmp_path / "a.h5", info, "made:", made.MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    recorder.offer(made.made_frame(0, info))
    wait_for(lambda: made.running_writer(recorder).control["flushed"] == 1)
    return recorder


def kill_writer(recorder: Recorder, lines: int, wait_for: WaitFor) -> None:
    path = recorder.path.with_suffix(".events.jsonl")
    wait_for(lambda: path.read_bytes().count(b"\n") == lines)
    made.running_writer(recorder)._process.kill()
    recorder.stop()


def test_marks_that_were_no_rows_yet_are_read_and_recovered_after_a_crash(
    recorder: Recorder, wait_for: WaitFor
) -> None:
    slip = make_mark("slip", 1.5)
    recorder.note_mark(make_mark("kept", 1.0))
    recorder.note_mark(slip)
    assert recorder.take_back(slip, "slip was taken back", 2.0)
    recorder.note_event("an event", 2.5)
    kill_writer(recorder, 4, wait_for)

    report = recover(recorder.path)
    assert report.losses == ()
    for path in (recorder.path, report.path):
        with Recording(path) as recording:
            assert [(m.begin_s, m.label) for m in recording.markers] == [(1.0, "kept")]
        assert events_in(path)[:2] == ["slip was taken back", "an event"]
    assert report.tables["markers"].recovered == 1


@pytest.mark.usefixtures("undo_at_once")
def test_marks_that_are_rows_already_are_recovered_once(
    recorder: Recorder, wait_for: WaitFor
) -> None:
    def rows() -> int:
        with Recording(recorder.path) as recording:
            return len(recording.table("markers"))

    recorder.note_mark(make_mark("row", 1.0))
    recorder.offer(made.made_frame(1, made.made_info()))
    wait_for(lambda: rows() == 1)
    recorder.note_mark(make_mark("line", 2.0))
    kill_writer(recorder, 2, wait_for)

    report = recover(recorder.path)
    for path in (recorder.path, report.path):
        assert labels_in(path) == ["row", "line"]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"mark": "x"},
        {"mark": 9, "label": "no kind"},
        {"taken_back": []},
        {"mark": 9, "label": "l", "kind": "k", "source": "s", "duration_s": {}},
    ],
)
def test_lines_of_marks_that_are_none_are_left_out_and_told(
    recorder: Recorder, wait_for: WaitFor, nonsense: dict[str, object]
) -> None:
    recorder.note_mark(make_mark("kept", 1.0))
    kill_writer(recorder, 1, wait_for)
    line = {"time_s": 1.0, "wall_time": 2.0, "text": "x"} | nonsense
    with recorder.path.with_suffix(".events.jsonl").open("a") as lines:
        lines.write(json.dumps(line) + "\n")

    report = recover(recorder.path)
    assert ["1 row of “a.events.jsonl” was cut off" in loss for loss in report.losses] == [True]
    for path in (recorder.path, report.path):
        assert labels_in(path) == ["kept"]


def test_a_mark_that_the_recording_does_not_take_is_told(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        path = session.start_recording(tmp_path / "a.h5")
        recorder = session._recording._newest
        assert recorder is not None
        made.running_writer(recorder)._process.kill()
        wait_for(lambda: recorder.status().failed)
        with pytest.raises(RecordingError, match=r"the mark “gone” was not recorded .*write it"):
            session.mark("gone")
        assert session.look().marks == ()
    assert labels_in(path) == []
