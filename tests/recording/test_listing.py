"""Recordings of a folder are listed with what each says of itself."""

import json
import shutil
from pathlib import Path

import h5py
import psutil
import pytest

from tests.conftest import WaitFor
from tests.recording.conftest import MakeRecorder
from tests.recording.made_frames import made_frame, made_info, running_writer
from thermoseg.errors import RecordingError
from thermoseg.recording import listing
from thermoseg.recording.listing import ListedRecording, RecordingList, Soundness
from thermoseg.recording.recovery import recover


def by_name(listed: tuple[ListedRecording, ...]) -> dict[str, ListedRecording]:
    return {recording.path.name: recording for recording in listed}


def states(listed: tuple[ListedRecording, ...]) -> dict[str, Soundness]:
    return {recording.path.name: recording.soundness for recording in listed}


def test_a_finished_recording_says_who_when_and_how_much(session: Path) -> None:
    (found,) = RecordingList().look(session.parent)

    assert found.soundness is Soundness.COMPLETE
    assert (found.frames, found.missed, found.dropped) == (600, 0, 0)
    assert found.seconds == pytest.approx(599 / 30)
    assert found.created is not None
    assert found.created.tzinfo is not None


def test_a_manifest_that_fits_spares_opening_the_file(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {
        "files": [{"name": session.name, "bytes": session.stat().st_size, "sha256": None}],
        "session_id": "x",
        "created": "2026-11-28T07:10:28+00:00",
        "seconds": 2.5,
        "camera": {},
        "model": None,
        "regions": [],
        "pictures": True,
        "study": {"participant": "07", "session": "01", "task": "rest", "run": 2},
        "notes": "",
        "counts": {"captured": 9, "recorded": 7, "dropped": 2, "missed": 1},
        "format_version": "1.2",
        "software": {},
    }
    session.with_suffix(".json").write_text(json.dumps(manifest))
    monkeypatch.setattr(listing, "Recording", None)
    (found,) = RecordingList().look(session.parent)

    assert (found.participant, found.session, found.task, found.run) == ("07", "01", "rest", "2")
    assert (found.frames, found.missed, found.dropped, found.seconds) == (7, 1, 2, 2.5)


def test_what_no_field_tells_is_read_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "sub-07_ses-01_task-rest_run-02_thermal.h5").write_bytes(b"nothing of ours")
    (tmp_path / "subject_run-x_notes.h5").write_bytes(b"nothing of ours")
    damaged, other = RecordingList().look(tmp_path)

    assert (damaged.participant, damaged.session, damaged.task) == ("07", "01", "rest")
    assert damaged.run == "2"
    assert (other.participant, other.run) == ("", "x")


def test_a_manifest_of_another_file_does_not_count(session: Path) -> None:
    session.with_suffix(".json").write_text('{"files": [], "counts": {"recorded": 1}}')
    (found,) = RecordingList().look(session.parent)

    assert found.frames == 600


def test_folders_in_folders_are_looked_into_and_hidden_ones_are_not(
    session: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "sub-01" / "ses-01"
    deep.mkdir(parents=True)
    shutil.copy(session, deep / "deep.h5")
    (tmp_path / ".trash").mkdir()
    shutil.copy(session, tmp_path / ".trash" / "old.h5")

    assert set(by_name(RecordingList().look(tmp_path))) == {"session.h5", "deep.h5"}


def test_analyses_and_files_of_other_programs_are_no_recordings(session: Path) -> None:
    shutil.copy(session, session.with_name("session.analysis-1.h5"))
    with h5py.File(session.with_name("other.h5"), "w") as other:
        other["numbers"] = [1, 2, 3]

    assert set(by_name(RecordingList().look(session.parent))) == {"session.h5"}


def test_damaged_files_are_listed_with_what_is_wrong(session: Path) -> None:
    content = session.read_bytes()
    session.with_name("cut.h5").write_bytes(content[: len(content) // 2])
    session.with_name("noise.h5").write_bytes(b"noise" * 1000)
    found = by_name(RecordingList().look(session.parent))

    assert found["cut.h5"].soundness is found["noise.h5"].soundness is Soundness.DAMAGED
    assert found["cut.h5"].problem
    assert found["noise.h5"].problem


def test_a_recording_runs_crashes_and_is_recovered(
    make_recorder: MakeRecorder, wait_for: WaitFor, tmp_path: Path
) -> None:
    recorder, list_of = make_recorder(), RecordingList()
    writer = running_writer(recorder)
    for index in range(12):
        recorder.offer(made_frame(index, made_info()))
    wait_for(lambda: writer.control["flushed"] == 12)
    assert states(list_of.look(tmp_path)) == {"session.h5": Soundness.RECORDING}

    psutil.Process(writer.pid).kill()
    path = recorder.stop().path
    assert states(list_of.look(tmp_path)) == {"session.h5": Soundness.CRASHED}

    recover(path)
    assert states(list_of.look(tmp_path)) == {
        "session.h5": Soundness.RECOVERED,
        "session.recovered.h5": Soundness.COMPLETE,
    }


def test_what_has_not_changed_is_not_read_again(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_of, read = RecordingList(), list[Path]()
    describe = listing.describe

    def counted(path: Path) -> ListedRecording:
        read.append(path)
        return describe(path)

    monkeypatch.setattr(listing, "describe", counted)
    first = list_of.look(session.parent)
    assert list_of.look(session.parent) == first
    assert read == [session]

    with session.open("ab") as file:
        file.write(b"x")
    list_of.look(session.parent)
    assert read == [session, session]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="choose another folder"):
        RecordingList().look(tmp_path / "gone")
