"""A disk that refuses a write and a file that is taken away end a recording with a sentence."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.recording.conftest import MakeRecorder
from thermoseg.errors import RecordingError
from thermoseg.recording import writer_process
from thermoseg.recording.job import WriterJob
from thermoseg.recording.place import DiskLimits, choose_place

if sys.platform != "win32":
    import resource


def replace(path: Path) -> None:
    """Put another file in the place of one."""
    other = path.with_name("other")
    other.write_bytes(b"somebody's")
    other.replace(path)


def remove_folder(path: Path) -> None:
    """Remove a file together with its folder."""
    shutil.rmtree(path.parent)


def rename(path: Path) -> None:
    """Give a file another name."""
    path.rename(path.with_name("renamed.h5"))


def what_is_left(taken: Path) -> str:
    """Return how a file is told that was renamed; other systems do not know where it is."""
    known = f"what there is of it is {taken.with_name('renamed.h5')}"
    where = f"{known}: " if sys.platform == "linux" else "if it is elsewhere now, "
    return f"{where}recover it there, and record again"


@pytest.mark.parametrize(
    ("take", "left"),
    [
        (Path.unlink, lambda _: "nothing of it is left, so record again"),
        (remove_folder, lambda _: "nothing of it is left, so record again"),
        (rename, what_is_left),
        (replace, lambda _: "nothing of it is left, so record again"),
    ],
    ids=["unlink", "folder", "rename", "replace"],
)
def test_a_file_that_is_taken_away_is_told_at_once(
    take: Callable[[Path], None],
    left: Callable[[Path], str],
    make_recorder: MakeRecorder,
    wait_for: WaitFor,
) -> None:
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    wait_for(lambda: recorder.status().on_disk)
    take(recorder.path)
    wait_for(lambda: recorder.status().failed)
    told = recorder.status().failed
    assert "was removed, renamed or replaced while it was recorded" in told
    assert told.endswith(f"; {left(recorder.path)}")
    assert not recorder.stop().there


@pytest.mark.parametrize("taken", ["session.h5", "session.events.jsonl"])
def test_a_link_that_leads_nowhere_is_a_name_that_is_taken(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).symlink_to("nowhere")
    with pytest.raises(RecordingError, match="exists already and is not overwritten"):
        choose_place(tmp_path / "session.h5", DiskLimits(0, 0, 0, 0))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
@pytest.mark.parametrize(
    ("bytes_allowed", "left"),
    [
        pytest.param(15_000, set(), id="in the header"),
        pytest.param(150_000, {".h5", ".RECORDING", ".jsonl"}, id="in the pictures"),
    ],
)
def test_a_refused_write_is_told_in_one_line(
    make_recorder: MakeRecorder,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    bytes_allowed: int,
    left: set[str],
) -> None:
    """HDF5 tells it in three, prints some of it only, and then crashes."""
    start = writer_process._start

    def start_limited(job: WriterJob, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, limits[1]))
        try:
            return start(job, descriptors)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(writer_process, "_start", start_limited)
    recorder = make_recorder()
    info = made.made_info()
    indices = count()

    def has_failed() -> bool:
        recorder.offer(made.made_frame(next(indices), info))
        return bool(recorder.status().failed)

    wait_for(has_failed)
    wait_for(lambda: recorder._link.writer is not None and recorder._link.writer.ended)
    assert "(File too large); " in recorder.status().failed
    assert "\n" not in recorder.status().failed
    assert capfd.readouterr().err == ""
    assert {path.suffix for path in tmp_path.iterdir()} == left
