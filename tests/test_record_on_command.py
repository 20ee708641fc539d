"""`thermoseg record --control`: another program starts, marks and stops the recordings."""

import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WaitFor
from tests.session_parts import ScriptedCamera, Step, ended
from thermoseg import cli, headless, session_recording
from thermoseg.errors import CameraError, ConfigError
from thermoseg.headless import RecordingReport, record_on_command
from thermoseg.memory_guard import Memory, MemoryGuard
from thermoseg.recording.reader import Recording
from thermoseg.recording_plan import RecordingPlan
from thermoseg.study_file import StudyFile, write_study

Ask = Callable[..., dict[str, Any]]


@contextmanager
def talking_to(port: int) -> Iterator[Ask]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
        connection.makefile("rw") as talk,
    ):

        def ask(**request: object) -> dict[str, Any]:
            print(json.dumps(request), file=talk, flush=True)
            answer = json.loads(talk.readline())
            assert isinstance(answer, dict)
            return answer

        yield ask


class Running:
    """`record_on_command` in a thread, with a camera that follows a script."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.finish = threading.Event()
        camera = ScriptedCamera(self._steps())
        monkeypatch.setattr(headless, "make_camera", lambda _address: camera)
        self.ready = threading.Event()
        self.port = 0
        self.reports: list[RecordingReport] = []
        self._path = path
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.ready.wait(30)

    def _steps(self) -> Iterator[Step]:
        for index in itertools.count():
            if self.finish.is_set():
                break
            yield index
        yield ended()

    def join(self) -> RecordingReport:
        self.finish.set()
        self._thread.join(60)
        return self.reports[0]

    def _run(self) -> None:
        def tell_ready(port: int) -> None:
            self.port = port
            self.ready.set()

        self.reports.append(
            record_on_command(
                "fake:",
                RecordingPlan.to_file(self._path),
                None,
                0,
                tell_ready=tell_ready,
                duration_s=60,
            )
        )


def start_program(*arguments: str) -> tuple["subprocess.Popen[str]", int]:
    """Start `thermoseg record … --control`; returns it when it answers, and its port."""
    program = subprocess.Popen(
        [
            *(sys.executable, "-c", "import sys; from thermoseg.cli import main; sys.exit(main())"),
            *("record", *arguments, "--control", "0", "--json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    found = re.fullmatch(r"control +127\.0\.0\.1:(\d+)\n", program.stdout.readline())
    assert found is not None
    return program, int(found[1])


def test_recordings_are_made_as_they_are_asked_for_and_answers_say_what_happened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sub-07.h5"
    program, port = start_program(
        *("simulated:?width=64&height=48", "--model", "none", "--out", str(path))
    )
    with talking_to(port) as ask:
        assert ask(do="state")["recording"] == "off"
        assert not path.exists()
        assert ask(do="start")["path"] == str(path)
        assert path.exists()
        assert ask(do="marker", label="stimulus on")["ok"]
        assert ask(do="state")["recording"] == "running"
        stopped = ask(do="stop")
        with Recording(path) as recording:
            assert recording.complete
            assert len(recording) == stopped["recorded"]
            assert [mark.label for mark in recording.markers] == ["stimulus on"]
        second = ask(do="start")["path"]
    program.send_signal(signal.SIGTERM)
    out, err = program.communicate(timeout=60)

    assert second == str(tmp_path / "sub-07_2.h5")
    with Recording(Path(second)) as recording:
        assert recording.ended == "stopped"
    assert json.loads(out.splitlines()[-1])["files"] == [str(path), second]
    assert program.returncode == 130
    assert "Traceback" not in err


def test_runs_of_a_sitting_are_made_as_they_are_asked_for(tmp_path: Path) -> None:
    camera = "simulated:?width=64&height=48"
    study = StudyFile(name="rest", camera=camera, model="none", fields=("age",))
    write_study(tmp_path, study)
    program, port = start_program(
        *("--study", str(tmp_path), "--participant", "07", "--session", "01"),
        *("--task", "rest", "--field", "age=31"),
    )
    with talking_to(port) as ask:
        paths = []
        for _ in range(2):
            paths.append(Path(ask(do="start")["path"]))
            assert ask(do="marker", label="stimulus on")["ok"]
            assert ask(do="stop")["problem"] == ""
    program.send_signal(signal.SIGTERM)
    _, err = program.communicate(timeout=60)

    folder = tmp_path / "sourcedata" / "sub-07" / "ses-01"
    for run, path in enumerate(paths, 1):
        assert path == folder / f"sub-07_ses-01_task-rest_run-0{run}_thermal.h5"
        with Recording(path) as recording:
            assert (recording.study["age"], recording.study["run"]) == ("31", run)
            assert recording.address == camera
            assert [mark.label for mark in recording.markers] == ["stimulus on"]
    assert program.returncode == 130
    assert "Traceback" not in err


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("somebody's")
    running = Running(monkeypatch, tmp_path / "a.h5")
    with talking_to(running.port) as ask:
        assert "nothing is being recorded" in ask(do="stop")["error"]
        assert "nothing was marked" in ask(do="marker", label="too early")["error"]
        assert ask(do="start")["path"] == str(tmp_path / "a_2.h5")
        assert "is running; stop it" in ask(do="start")["error"]
    report = running.join()

    assert report.paths == (tmp_path / "a_2.h5",)
    assert report.problem == ""
    assert (tmp_path / "a.h5").read_text() == "somebody's"


def test_a_recording_that_ends_by_itself_is_told_and_another_may_follow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wait_for: WaitFor
) -> None:
    monkeypatch.setattr(session_recording, "DISK_S", 0.0)
    free = itertools.count(400_000_000, -1_000_000)
    scarce = threading.Event()

    def read() -> Memory:
        return Memory(next(free) if scarce.is_set() else 8_000_000_000, 16_000_000_000)

    monkeypatch.setattr(session_recording, "MemoryGuard", lambda: MemoryGuard(read))
    running = Running(monkeypatch, tmp_path / "a.h5")
    with talking_to(running.port) as ask:
        assert ask(do="start")["ok"]
        scarce.set()
        wait_for(lambda: "memory" in ask(do="state")["problem"])
        assert "memory" in ask(do="stop")["problem"]
        scarce.clear()
        assert ask(do="start")["ok"]
        assert ask(do="stop")["problem"] == ""
    report = running.join()

    assert len(report.paths) == 2
    assert report.problem == ""


def test_a_port_that_is_taken_is_refused_before_the_camera_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    camera = ScriptedCamera([0])
    monkeypatch.setattr(headless, "make_camera", lambda _address: camera)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot be used"):
            record_on_command("fake:", RecordingPlan.to_file(tmp_path / "a.h5"), None, port)

    assert camera.opened == 0


def test_a_camera_that_does_not_open_ends_it_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(headless, "make_camera", lambda _address: ScriptedCamera())
    ready: list[int] = []
    plan = RecordingPlan.to_file(tmp_path / "a.h5")
    with pytest.raises(CameraError, match="unplugged"):
        record_on_command("fake:", plan, None, 0, tell_ready=ready.append)

    assert ready == [], "nobody is told to connect to what is ending"


def test_without_a_duration_or_a_control_port_nothing_ends_it_so_that_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["record", "simulated:", "--out", str(tmp_path / "a.h5")])
    assert "--duration or --control are required" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http", "5.5", ""])
def test_what_is_no_port_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, port: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["record", "simulated:", "--out", str(tmp_path / "a.h5"), f"--control={port}"])
    assert "from 0 to 65535" in capsys.readouterr().err
