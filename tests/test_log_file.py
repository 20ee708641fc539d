"""A log file that helps with a report, never grows large, and costs nothing when it cannot be."""

import faulthandler
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thermoseg import log_file
from thermoseg.errors import ConfigError
from thermoseg.log_file import OURS, log_path, log_tail, start_log_file, stop_log_file

log = logging.getLogger("thermoseg.test_log_file")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give back what the tests' own logging is."""
    root = logging.getLogger()
    levels = {handler: handler.level for handler in root.handlers}
    yield
    stop_log_file()
    for handler in [handler for handler in root.handlers if handler not in levels]:
        root.removeHandler(handler)
    for handler, level in levels.items():
        handler.setLevel(level)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    faulthandler.enable(sys.__stderr__ or 2)


def test_the_tail_of_the_log_is_what_happened_last(tmp_path: Path) -> None:
    path = start_log_file("window", tmp_path / "logs")
    for number in range(5):
        log.info("the camera is open, attempt %d", number)
    logging.getLogger("somebody.else").info("chatter")

    assert path == log_path()
    lines = log_tail(2).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["3", "4"]
    assert "INFO thermoseg.test_log_file (MainThread): the camera is open" in lines[0]
    assert "chatter" not in path.read_text(encoding="utf-8")


def test_started_twice_it_is_one_log(tmp_path: Path) -> None:
    path = start_log_file("window", tmp_path)
    assert start_log_file("window", tmp_path) == path
    log.info("once")

    assert log_tail(100).count("once") == 1


def test_it_never_grows_large_and_its_tail_spans_what_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LARGEST_BYTES", 2_000)
    start_log_file("window", tmp_path)
    for number in range(500):
        log.info("frame %d", number)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3 * 2_000
    numbers = [int(line.rpartition(" ")[2]) for line in log_tail(20).splitlines()]
    assert numbers == list(range(480, 500))


def test_without_a_log_there_is_no_tail() -> None:
    assert log_path() is None
    assert log_tail(10) == ""


def test_a_folder_that_cannot_be_made_gives_a_sentence_and_no_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigError, match=r"no log is kept.*make it writable"):
        start_log_file("window", tmp_path / "file" / "logs")
    assert log_path() is None


def test_a_disk_that_takes_nothing_costs_the_log_and_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_log_file("window", tmp_path)

    def refuse(_record: logging.LogRecord) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_file.LogFile, "shouldRollover", lambda _self, record: refuse(record))
    log.info("first")
    log.info("second")

    said = capsys.readouterr().err
    assert said.count("cannot be written any more") == 1
    assert "Traceback" not in said


def test_what_stderr_shows_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    start_log_file("window", tmp_path)
    log.info("not for everybody")
    log.warning("for everybody")
    stop_log_file()

    said = capsys.readouterr().err
    assert "not for everybody" not in said
    assert "for everybody" in said


def test_logs_of_the_oldest_runs_go_and_those_of_living_programs_stay(tmp_path: Path) -> None:
    dead = dead_process()
    for minute in range(20):
        for ending in ("log", "log.1", "crash"):
            path = tmp_path / f"window-20260101-00{minute:02d}00-{dead}.{ending}"
            path.write_text("old")
            os.utime(path, (minute, minute))
    living = tmp_path / f"window-20250101-000000-{os.getppid()}.log"
    living.write_text("an old window that is still open")
    os.utime(living, (0, 0))
    other = tmp_path / "notes.log"
    other.write_text("mine")
    path = start_log_file("window", tmp_path)

    left = {each.name for each in tmp_path.iterdir()}
    kept = {f"window-20260101-00{minute:02d}00-{dead}.log" for minute in range(10, 20)}
    assert {name for name in left if name.endswith(".log")} == (
        kept | {living.name, other.name, path.name}
    )
    assert not any("-000900-" in name for name in left), "with what was set aside"


def test_two_programs_at_once_have_a_file_each(tmp_path: Path) -> None:
    program = (
        "import logging, pathlib, sys; from thermoseg.log_file import *;"
        "start_log_file('window', pathlib.Path(sys.argv[1]));"
        "[logging.getLogger('thermoseg').info('line %d of %s', n, sys.argv[2]) for n in range(200)]"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    both = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [each.wait(60) for each in both] == [0, 0]

    texts = sorted(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.log"))
    assert [(text.count(" of a"), text.count(" of b")) for text in texts] in (
        [(200, 0), (0, 200)],
        [(0, 200), (200, 0)],
    )
    assert list(tmp_path.glob("*.crash")) == [], "nothing has crashed"


def test_a_crash_in_a_library_leaves_where_it_was(tmp_path: Path) -> None:
    program = (
        "import ctypes, pathlib, sys; from thermoseg.log_file import *;"
        "start_log_file('window', pathlib.Path(sys.argv[1])); ctypes.string_at(0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True)

    assert done.returncode != 0
    (crash,) = tmp_path.glob("*.crash")
    assert "string_at" in crash.read_text(encoding="utf-8")


def dead_process() -> int:
    """Return the number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid
