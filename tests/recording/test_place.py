"""Where a recording may go; one for a network share is made here and moved."""

import json
import os
import platform
import shutil
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from tests.recording import made_frames as made
from thermoseg.errors import NameTakenError, RecordingError
from thermoseg.recording.place import DiskLimits, move_compared
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.staging import staging_folder

NO_LIMITS = DiskLimits(0, 0, 0, 0)


@pytest.fixture(params=["nfs4", "cifs", "fuse.sshfs", "SMB3"])
def share(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on what the system calls a network share; the user's data lie elsewhere."""
    folder = tmp_path / "share"
    folder.mkdir()
    partition = type("Partition", (), {"mountpoint": str(folder), "fstype": request.param})
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [partition])  # noqa: A006
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return folder


def record(path: Path, frames: int = 5) -> Recorder:
    recorder = Recorder(path, made.made_info(), "made:", None, NO_LIMITS)
    recorder.start()
    for index in range(frames):
        recorder.offer(made.made_frame(index, made.made_info()))
    return recorder


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_recording_for_a_share_is_made_here_and_moved(share: Path) -> None:
    recorder = record(share / "a.h5")
    assert "is on a network share, so the recording is made in" in recorder.remark
    recorder.wait_on_disk()
    assert names_in(share) == ["a.h5.RECORDING"]

    summary = recorder.stop()
    assert (summary.path, summary.failed, summary.recorded) == (share / "a.h5", "", 5)
    assert names_in(share) == ["a.h5"]
    assert names_in(staging_folder()) == []
    with Recording(share / "a.h5") as recording:
        assert (recording.complete, len(recording)) == (True, 5)


@pytest.mark.parametrize("share", ["nfs4"], indirect=True)
def test_a_share_that_is_gone_at_the_end_costs_nothing(share: Path) -> None:
    recorder = record(share / "a.h5")
    shutil.rmtree(share)

    summary = recorder.stop()
    assert summary.path.parent == staging_folder()
    assert f"the recording is whole in {summary.path}" in summary.failed
    assert recorder.status().failed == summary.failed
    with Recording(summary.path) as recording:
        assert (recording.complete, len(recording)) == (True, 5)


@pytest.mark.parametrize("share", ["nfs4"], indirect=True)
def test_a_name_that_was_taken_meanwhile_is_not_overwritten(share: Path) -> None:
    recorder = record(share / "a.h5")
    (share / "a.h5").write_bytes(b"somebody's")

    summary = recorder.stop()
    assert "cannot be written (File exists)" in summary.failed
    assert (share / "a.h5").read_bytes() == b"somebody's"
    assert names_in(share) == ["a.h5"]
    assert summary.path.exists()


@pytest.mark.parametrize("share", ["nfs4"], indirect=True)
def test_a_name_on_a_share_belongs_to_one_recording(share: Path) -> None:
    first = record(share / "a.h5")
    with pytest.raises(NameTakenError, match="is being recorded already"):
        record(share / "a.h5")
    assert first.stop().failed == ""
    with pytest.raises(NameTakenError, match="exists already"):
        record(share / "a.h5")
    assert names_in(share) == ["a.h5"]
    assert names_in(staging_folder()) == []


@pytest.mark.parametrize("share", ["nfs4"], indirect=True)
def test_a_name_that_another_computer_records_is_taken(share: Path) -> None:
    """Whether its process lives, nobody here can tell."""
    marker = share / "a.h5.RECORDING"
    marker.write_text(json.dumps({"pid": 2**22 + 1, "started": 1.0, "host": "the other one"}))
    with pytest.raises(NameTakenError, match="is being recorded already"):
        record(share / "a.h5")
    marker.write_text(json.dumps({"pid": 2**22 + 1, "started": 1.0, "host": platform.node()}))
    assert record(share / "a.h5").stop().failed == ""


def test_what_arrives_otherwise_than_it_was_sent_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "here.h5", tmp_path / "there.h5"
    source.write_bytes(b"all of it")

    def copy_badly(read: BinaryIO, written: BinaryIO, _length: int) -> None:
        written.write(read.read()[:-1] + b"?")

    monkeypatch.setattr(shutil, "copyfileobj", copy_badly)
    with pytest.raises(RecordingError, match=r"what arrived at .* differs; it is still in"):
        move_compared(source, target)
    assert names_in(tmp_path) == ["here.h5"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_share_that_may_not_be_written_is_refused_at_once(share: Path) -> None:
    share.chmod(0o500)
    with pytest.raises(RecordingError, match="may not be written"):
        Recorder(Path(share / "a.h5"), made.made_info(), "made:", None, NO_LIMITS).start()
