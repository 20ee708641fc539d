"""Every chunk of every picture and table is looked at, and what is wrong is counted."""

import json
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.recording.conftest import MakeRecorder
from tests.recording.made_frames import running_writer
from thermoseg import cli
from thermoseg.recording.layout import PICTURES, tables_of
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.verification import State, verify


def flip(path: Path, dataset: str, row: int) -> None:
    """Flip one bit in the middle of a chunk."""
    with h5py.File(path) as file:
        stored = file[dataset]
        info = stored.id.get_chunk_info_by_coord((row,) + (0,) * (stored.ndim - 1))
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 4
    path.write_bytes(data)


def test_a_sound_session_is_sound(session: Path) -> None:
    before = session.read_bytes()
    verdict = verify(session)
    assert (verdict.state, verdict.finished, verdict.problems) == (State.SOUND, True, ())
    assert verdict.damaged == {}
    with Recording(session) as recording:
        assert set(verdict.rows) == {*PICTURES, *tables_of(recording.regions)}
    assert verdict.rows["frames/counts"] == verdict.rows["labels/labels"] == made.SOUND_FRAMES
    assert session.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "row", "lost"),
    [
        ("frames/counts", 311, 1),
        ("labels/labels", 599, 1),
        ("frames/index", 256, 256),
        ("frames/wall_time", 599, 88),
        ("frames/monotonic_s", 0, 256),
        ("labels/time_s", 256, 256),
        ("samples/mouth", 300, 256),
        ("reasons", 0, 2),
        ("events", 0, 1),
    ],
)
def test_one_bit_anywhere_is_found_and_counted(
    session: Path, name: str, row: int, lost: int
) -> None:
    flip(session, name, row)
    verdict = verify(session)
    assert verdict.state is State.DAMAGED
    assert verdict.damaged == {name: lost}
    assert any(problem.startswith(name) for problem in verdict.problems)


def test_damage_of_a_dataset_that_is_not_known_is_found(session: Path) -> None:
    with h5py.File(session, "r+") as file:
        file.create_dataset(
            "pulse", data=np.arange(700.0), maxshape=(None,), chunks=(256,), fletcher32=True
        )
    assert verify(session).state is State.SOUND
    flip(session, "pulse", 256)
    verdict = verify(session)
    assert verdict.damaged == {"pulse": 256}
    assert verdict.state is State.DAMAGED


def test_an_unfinished_session_is_named_as_such(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    recorder = make_recorder()
    writer = running_writer(recorder)
    info = made.made_info()
    for index in range(20):
        frame = made.made_frame(index, info)
        recorder.offer(frame)
        recorder.offer_result(made.made_result(frame, info))
    wait_for(lambda: writer.control["flushed"] == 20)
    verdict = verify(recorder.path)
    assert (verdict.being_recorded, verdict.finished) == (True, False)
    assert verdict.state is State.SOUND
    psutil.Process(writer.pid).kill()
    recorder.stop()
    verdict = verify(recorder.path)
    assert (verdict.being_recorded, verdict.finished) == (False, False)
    assert verdict.state is State.UNFINISHED
    assert any("was never finished" in problem for problem in verdict.problems)
    assert verify(recover(recorder.path).path).state is State.SOUND


def test_the_exit_code_of_several_files_is_that_of_the_worst(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, other = tmp_path / "damaged.h5", tmp_path / "other.txt"
    damaged.write_bytes(session.read_bytes())
    flip(damaged, "frames/counts", 4)
    other.write_bytes(b"no session")
    assert cli.main(["verify", str(session)]) == 0
    assert capsys.readouterr().out == f"{session}: sound (600 frames, 600 pictures of labels)\n"
    assert cli.main(["verify", str(damaged), str(session)]) == 3
    told = capsys.readouterr()
    assert [line.split(": ")[1][:5] for line in told.out.splitlines()] == ["damag", "sound"]
    assert told.err == (
        f"thermoseg: {damaged}: frames/counts: 1 of 600 pictures are damaged (first: 4)\n"
    )
    assert cli.main(["verify", str(damaged), str(other), str(tmp_path / "absent.h5")]) == 1
    assert "absent.h5 does not exist; check its name" in capsys.readouterr().err


def test_each_file_is_an_object_in_json(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(session.read_bytes())
    flip(damaged, "labels/labels", 4)
    assert cli.main(["verify", "--json", str(session), str(damaged)]) == 3
    sound, broken = map(json.loads, capsys.readouterr().out.splitlines())
    assert sound["path"] == str(session)
    assert (sound["state"], sound["damaged"], sound["problems"]) == ("sound", {}, [])
    assert sound["rows"]["samples/nostrils"] == 600
    assert (broken["state"], broken["damaged"]) == ("damaged", {"labels/labels": 1})
