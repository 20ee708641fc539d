"""A session whose attributes are lost or nonsense is read and recovered without them."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.recording.made_frames import SOUND_FRAMES
from thermoseg import cli, exit_codes
from thermoseg.errors import FormatError
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.verification import State, verify

DESCRIPTIVE = (
    *("session_id", "program", "created", "created_epoch_s", "created_monotonic_s", "address"),
    *("camera_model", "camera_serial", "rate_hz", "live", "ended"),
    *("model_name", "model_sha256", "model_backend"),
)
NO_STUDY = ("[" * 30_000, "[]", '{"a": [1]}', "nonsense", 7)
NO_RADIOMETRY = ("[" * 30_000, "[]", "{", '{"kind": "linear"}', '{"kind": ["linear"]}', 7)


def change(path: Path, name: str, value: object = None) -> None:
    """Give an attribute of the file another value, or remove it."""
    with h5py.File(path, "r+", libver="latest") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value


@pytest.mark.parametrize("name", DESCRIPTIVE)
def test_without_what_only_describes_it_a_session_is_one_still(session: Path, name: str) -> None:
    change(session, name)
    with Recording(session) as recording:
        assert len(recording) == SOUND_FRAMES
        assert [name in problem for problem in recording.problems] == [True]
    assert verify(session).state is State.DAMAGED

    report = recover(session)
    assert [name in loss for loss in report.losses] == [True]
    assert verify(report.path).state is State.SOUND
    assert recover(session).losses == report.losses


@pytest.mark.parametrize("study", NO_STUDY)
def test_study_fields_that_are_none_are_left_out(session: Path, study: object) -> None:
    change(session, "study", study)
    with Recording(session) as recording:
        assert recording.study == {}
        assert ["study" in problem for problem in recording.problems] == [True]

    report = recover(session)
    assert ["study" in loss for loss in report.losses] == [True]
    assert verify(report.path).state is State.SOUND


@pytest.mark.parametrize("radiometry", NO_RADIOMETRY)
def test_counts_are_saved_though_their_scale_is_lost(session: Path, radiometry: object) -> None:
    with Recording(session) as recording:
        before = recording.frame(3).counts
    change(session, "radiometry", radiometry)
    with pytest.raises(FormatError, match="recover the session to save its counts"):
        Recording(session)

    report = recover(session)
    assert ["no temperatures" in loss for loss in report.losses] == [True]
    assert verify(report.path).state is State.SOUND
    with Recording(report.path) as recording:
        np.testing.assert_array_equal(recording.frame(3).counts, before)
        assert not recording.info.radiometric


def test_a_scale_that_a_newer_program_knows_is_kept(session: Path) -> None:
    change(session, "radiometry", '{"kind": "quantum"}')
    change(session, "format_minor", 99)
    with h5py.File(recover(session).path) as copy:
        assert copy.attrs["radiometry"] == '{"kind": "quantum"}'


@pytest.mark.parametrize("name", ["captured", "dropped", "complete"])
def test_closing_counts_that_are_lost_are_counted_anew(session: Path, name: str) -> None:
    change(session, name)
    with Recording(session) as recording:
        assert recording.counts.recorded == SOUND_FRAMES
        assert recording.problems
    assert verify(recover(session).path).state is State.SOUND


def test_a_terminal_obeys_nothing_that_stands_in_a_file(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts of a file may move the cursor, and names of files need not be text at all."""
    change(session, "camera_model", "cam\x1b[2J")
    change(session, "study", '{"who": "\\ud800"}')
    hostile = Path(shutil.copy(session, tmp_path / "a\x1b]0;owned\x07\udcff.h5"))

    assert cli.main(["info", str(hostile)]) == exit_codes.OK
    assert cli.main(["verify", str(hostile)]) == exit_codes.OK
    said = "".join(capsys.readouterr())
    assert r"cam\x1b[2J" in said
    assert r"who \ud800" in said
    assert r"a\x1b]0;owned\x07\udcff.h5" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["frames/counts", "labels/labels"])
def test_fewer_pictures_than_rows_are_a_loss(session: Path, name: str) -> None:
    with h5py.File(session, "r+", libver="latest") as file:
        file[name].resize(5, axis=0)
    report = recover(session)
    assert report.losses
    assert verify(report.path).state is State.SOUND


@pytest.mark.parametrize("name", ["labels/labels", "labels/frame_index", "labels/time_s"])
def test_labels_that_belong_to_no_frame_are_told(session: Path, name: str) -> None:
    with h5py.File(session, "r+", libver="latest") as file:
        del file[name]
    with Recording(session) as recording:
        assert any("lack a picture, a frame or a time" in said for said in recording.problems)
        assert recording.labels(0) is None
    assert verify(session).state is State.DAMAGED
    assert recover(session).losses


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading a pipe waits until somebody writes, so for ever."""
    pipe, folder, loop = tmp_path / "pipe.h5", tmp_path / "folder.h5", tmp_path / "loop.h5"
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    for command in ("info", "verify", "recover"):
        assert cli.main([command, str(pipe)]) == exit_codes.FAILED
    assert cli.main(["verify", str(folder)]) == exit_codes.FAILED
    out = tmp_path / "out"
    assert cli.main(["segment", str(pipe), str(loop), "--out", str(out)]) == exit_codes.FAILED
    said = capsys.readouterr().err
    assert said.count("is no file but a folder, a pipe or a device") == 3
    assert said.count("is a pipe or a device") == 2
    assert "loop.h5 cannot be opened" in said
    assert "defect" not in said
