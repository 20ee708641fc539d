"""What a crash has left is found at the next start, and only that."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from thermoseg import cli
from thermoseg.recording.layout import SUFFIX, SessionNames
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.recovery import recover
from thermoseg.recording.unfinished import (
    MARKERS,
    RECOVERED_SUFFIX,
    find_unfinished,
    say_unfinished,
)


@pytest.fixture
def left(session: Path) -> Path:
    """A session as a crash leaves it: its marker is of a process that is gone."""
    with h5py.File(session, "r+") as file:
        file.attrs.modify("complete", np.int64(0))
    SessionNames(session).marker.write_text(json.dumps({"pid": 2**22 + 1, "started": 0.0}))
    return session


def test_the_names_are_those_of_the_session_file(tmp_path: Path) -> None:
    names = SessionNames(tmp_path / f"a{SUFFIX}")
    assert names.marker.match(MARKERS)
    assert RECOVERED_SUFFIX.endswith(SUFFIX)


def test_an_unfinished_session_is_said_with_what_to_type(left: Path) -> None:
    assert find_unfinished(left.parent) == [left]
    assert say_unfinished([left.parent, left.parent]) == [
        f"{left} was not finished (a crash?); recover it with: thermoseg recover {left}"
    ]


def test_a_recovered_session_is_said_no_more(left: Path) -> None:
    recover(left)
    assert find_unfinished(left.parent) == []


def test_a_session_that_is_being_recorded_is_not_unfinished(left: Path) -> None:
    marker = {"pid": os.getpid(), "started": 1e12}
    SessionNames(left).marker.write_text(json.dumps(marker))
    assert find_unfinished(left.parent) == []


def test_a_whole_file_whose_marker_was_left_over_is_not_unfinished(session: Path) -> None:
    SessionNames(session).marker.write_text("{}")
    assert find_unfinished(session.parent) == []


def test_a_marker_without_a_session_and_a_folder_that_is_not_there_say_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "gone.h5.RECORDING").write_text("{}")
    assert find_unfinished(tmp_path) == []
    assert find_unfinished(tmp_path / "absent") == []


def test_the_command_line_says_it_on_stderr(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert cli.main(["models"]) == 0
    assert capsys.readouterr().err == ""
    out = left.parent / "new.h5"
    cli.main(["record", "simulated:?rate_hz=nonsense", "--out", str(out), "--duration", "1"])
    assert capsys.readouterr().err.startswith(f"thermoseg: {left} was not finished (a crash?)")
    monkeypatch.chdir(left.parent)
    assert cli.main(["models"]) == 0
    assert "recover it with: thermoseg recover session.h5\n" in capsys.readouterr().err
    assert cli.main(["recover", "session.h5"]) == 0
    assert "not finished" not in capsys.readouterr().err


def test_nothing_heavy_is_loaded_where_nothing_was_left(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from thermoseg.recording.unfinished import say_unfinished\n"
        "assert say_unfinished([Path(sys.argv[1])]) == []\n"
        "print(sorted({'h5py', 'numpy', 'psutil'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_demonstrations_are_looked_at_in_their_folders(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    stamp = tmp_path / "demo" / "20260101-000000"
    stamp.mkdir(parents=True)
    for name in (left.name, SessionNames(left).marker.name):
        shutil.copy(left.parent / name, stamp / name)
    arguments = cli.build_parser().parse_args(["demo", "--out", str(tmp_path / "demo")])
    (sentence,) = say_unfinished(cli.unfinished_folders(arguments))
    assert str(stamp) in sentence


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("x" * 5_000_000, id="long"),
        pytest.param('{"pid": Infinity, "started": 1}', id="infinite"),
        pytest.param('{"pid": 1e400, "started": 1}', id="huge"),
        pytest.param('{"pid": -5, "started": 9e99}', id="negative"),
        pytest.param("[1, 2]", id="list"),
    ],
)
def test_a_marker_that_is_nonsense_marks_nothing(session: Path, content: str) -> None:
    """Every command looks at the markers of its folder, so none may stop it."""
    SessionNames(session).marker.write_text(content)
    assert not is_being_recorded(session)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_marker_is_not_waited_for(session: Path) -> None:
    os.mkfifo(SessionNames(session).marker)
    assert not is_being_recorded(session)


def test_a_device_in_the_place_of_a_marker_is_not_read(session: Path) -> None:
    SessionNames(session).marker.symlink_to("/dev/zero")
    assert not is_being_recorded(session)
