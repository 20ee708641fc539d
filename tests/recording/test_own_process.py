"""A process that works for another leaves nothing behind when nobody hears it any more."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.export.hand_made import write_session
from thermoseg.recording.own_process import command_of, environment

COPYING: dict[str, Callable[[Path, Path], list[str]]] = {
    "thermoseg.export.cut_process": lambda session, copy: [
        json.dumps({"session": str(session), "copy": str(copy), "begin_s": 0.0, "end_s": 3.0})
    ],
    "thermoseg.recording.salvage_process": lambda session, copy: [str(session), str(copy)],
}
LAST = ("notes", "account", "sentence")
"""What the last word of one of them holds."""


def start(module: str, session: Path, copy: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command_of(module, *COPYING[module](session, copy)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )


def hear_out(process: "subprocess.Popen[str]") -> str:
    """Read what it says until its last word, and return which that is."""
    assert process.stdout is not None
    for line in process.stdout:
        for word in LAST:
            if word in json.loads(line):
                return word
    return ""


@pytest.mark.parametrize("module", COPYING)
def test_a_copy_that_nobody_hears_of_is_not_left(module: str, tmp_path: Path) -> None:
    session, copy = write_session(tmp_path / "rest.h5"), tmp_path / "copy.h5"

    with start(module, session, copy) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # who asked is still there, but reads no more
        complaint = process.stderr.read()

    assert process.returncode == 1
    assert not copy.exists()
    assert complaint == ""


@pytest.mark.parametrize("module", COPYING)
@pytest.mark.parametrize("named", [True, False])
def test_a_whole_copy_stays_if_it_got_its_name(module: str, named: bool, tmp_path: Path) -> None:
    session, copy = write_session(tmp_path / "rest.h5"), tmp_path / "copy.h5"

    with start(module, session, copy) as process:
        assert hear_out(process) in LAST[:2]
        assert copy.exists()
        if named:
            copy.rename(tmp_path / "named.h5")
        assert process.stdin is not None
        process.stdin.close()  # as when who asked dies

    assert not copy.exists()
    assert (tmp_path / "named.h5").exists() == named


@pytest.mark.parametrize("module", COPYING)
def test_nothing_is_left_of_what_cannot_be_copied(module: str, tmp_path: Path) -> None:
    session, copy = tmp_path / "rest.h5", tmp_path / "copy.h5"
    session.write_bytes(b"no session")
    copy.touch()  # as whoever asks does, to have the name

    with start(module, session, copy) as process:
        assert hear_out(process) == "sentence"

    assert not copy.exists()
