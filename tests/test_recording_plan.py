"""A recording under the first run that is free: nothing is overwritten, nobody is refused."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.session_parts import ScriptedCamera
from thermoseg.errors import NameTakenError
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.study_file import Sitting, StudyFile

SITTING = Sitting("07", "01", "rest", {"age": "31"})
STUDY = StudyFile(name="rest", fields=("age",))
MAKE = partial(
    Recorder, info=made.made_info(), address="made:", model=None, limits=DiskLimits(0, 0, 0, 0)
)


def runs_in(study: Path) -> list[str]:
    folder = study / "sourcedata" / "sub-07" / "ses-01"
    return sorted(path.name.partition("run-")[2] for path in folder.glob("*.h5"))


def test_windows_that_begin_the_same_run_at_once_get_one_each(tmp_path: Path) -> None:
    plan = RecordingPlan.in_study(tmp_path, STUDY, SITTING)
    together = threading.Barrier(6)

    def begin(_number: int) -> Recorder:
        together.wait(30)
        return plan.start(MAKE)

    with ThreadPoolExecutor(6) as pool:
        recorders = list(pool.map(begin, range(6)))
    for number, recorder in enumerate(recorders):
        recorder.wait_on_disk()
        recorder.offer(made.made_frame(number, made.made_info()))
    assert {recorder.stop().failed for recorder in recorders} == {""}

    assert runs_in(tmp_path) == [f"0{run}_thermal.h5" for run in range(1, 7)]
    for number, recorder in enumerate(recorders):
        with Recording(recorder.path) as recording:
            assert recording.indices.tolist() == [number]
            assert f"run-0{recording.study['run']}" in recorder.path.name


def test_programs_that_begin_the_same_run_at_once_get_one_each(tmp_path: Path) -> None:
    program = (
        "import sys; from functools import partial; from pathlib import Path\n"
        "from tests.test_recording_plan import MAKE, SITTING, STUDY, RecordingPlan\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "recorder = RecordingPlan.in_study(Path(sys.argv[1]), STUDY, SITTING).start(MAKE)\n"
        "recorder.wait_on_disk(); recorder.stop()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=100)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert runs_in(tmp_path) == [f"0{run}_thermal.h5" for run in (1, 2, 3)]


def test_what_a_crash_has_left_of_a_run_stays(tmp_path: Path) -> None:
    plan = RecordingPlan.in_study(tmp_path, STUDY, SITTING)
    planned = plan.planned_path()
    planned.parent.mkdir(parents=True)
    marker = planned.with_name(planned.name + ".RECORDING")
    marker.write_text("{}")

    recorder = plan.start(MAKE)
    assert "run-02" in recorder.path.name
    recorder.stop()
    assert marker.read_text() == "{}"


def test_a_run_that_appears_after_it_was_planned_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermoseg.recording_plan.next_run", lambda *_arguments: 1)
    plan = RecordingPlan.in_study(tmp_path, STUDY, SITTING)
    plan.planned_path().parent.mkdir(parents=True)
    plan.planned_path().write_bytes(b"somebody's")

    recorder = plan.start(MAKE)
    recorder.stop()
    assert "run-02" in recorder.path.name
    assert plan.planned_path().read_bytes() == b"somebody's"


def test_a_file_of_a_name_is_made_once(tmp_path: Path) -> None:
    plan = RecordingPlan.to_file(tmp_path / "a.h5")
    recorder = plan.start(MAKE)
    with pytest.raises(NameTakenError, match="is being recorded already"):
        plan.start(MAKE)
    recorder.stop()
    with pytest.raises(NameTakenError, match="exists already"):
        plan.start(MAKE)


def test_runs_on_a_share_are_claimed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = type("Partition", (), {"mountpoint": str(tmp_path / "share"), "fstype": "cifs"})
    (tmp_path / "share").mkdir()
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [partition])  # noqa: A006
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    plan = RecordingPlan.in_study(tmp_path / "share", STUDY, SITTING)

    recorders = [plan.start(MAKE) for _ in range(3)]
    assert [recorder.stop().failed for recorder in recorders] == [""] * 3
    assert runs_in(tmp_path / "share") == [f"0{run}_thermal.h5" for run in (1, 2, 3)]
    assert not list((tmp_path / "home").rglob("*.h5*"))


def test_a_session_records_a_sitting_with_its_fields_from_the_first_frame(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    plan = RecordingPlan.in_study(tmp_path, STUDY, SITTING, notes="cold room")
    with Session(ScriptedCamera(range(10_000)), None, address="fake:") as session:
        session.wait_opened(10)
        path = session.start_recording(plan)
        assert path == session.look().recording_path
        with Recording(path) as running:
            assert running.study["participant"] == "07"
            assert running.notes == "cold room"
        wait_for(lambda: session.look().counts.recorded >= 3)
        assert session.stop_recording("cold room, door opened – Tür").path == path
        again = session.start_recording(plan)
        wait_for(lambda: session.look().counts.recorded >= 3)
        session.stop_recording()

    assert "run-01" in path.name
    assert "run-02" in again.name
    with Recording(path) as recording:
        assert dict(recording.study) == {
            "study": "rest",
            "participant": "07",
            "session": "01",
            "task": "rest",
            "emissivity": 0.98,
            "age": "31",
            "run": 1,
        }
        assert recording.notes == "cold room, door opened – Tür"
        assert recording.format_version == "1.2"
    with Recording(again) as recording:
        assert recording.notes == "cold room"
        assert recording.study["run"] == 2


def test_notes_that_are_too_long_are_cut_between_characters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = RecordingPlan.to_file(tmp_path / "a.h5").start(MAKE)
    recorder.set_notes("ü" * 5000)
    recorder.stop()
    assert "are cut after 8000 bytes" in caplog.text
    with Recording(recorder.path) as recording:
        assert recording.notes == "ü" * 4000
