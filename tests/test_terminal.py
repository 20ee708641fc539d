"""The commands where standard input, output and error are closed or lead nowhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from thermoseg.recording.verification import State, verify

RECORD = "record 'simulated:?width=80&height=60' --out {} --duration 0.5 --model none"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


def run_in_shell(arguments: str, redirections: str) -> subprocess.CompletedProcess[str]:
    """Run `thermoseg` with `redirections` of a POSIX shell."""
    command = f"exec {sys.executable} -m thermoseg {arguments} {redirections}"
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("redirections", [">&-", "<&- >&- 2>&-"])
def test_a_recording_needs_no_terminal_nor_anything_in_its_place(
    tmp_path: Path, redirections: str
) -> None:
    path = tmp_path / "s.h5"
    done = run_in_shell(RECORD.format(path), redirections)
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(path).state is State.SOUND


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_goes_to_a_full_disk_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = run_in_shell(RECORD.format(tmp_path / "s.h5"), ">/dev/full")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "where output goes" in done.stderr
    assert verify(tmp_path / "s.h5").state is State.SOUND
