"""The display dies under the window: what is recorded is complete, and the program ends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PyQt6.QtCore import qWarning

from tests.conftest import WaitFor
from thermoseg.errors import RecordingError
from thermoseg.recording.reader import Recording
from ui.display_loss import completing_without_display

MAIN = "import sys; from ui.app import main; sys.exit(main())"
X11 = "The X11 connection broke (error 1). Did the X11 server die?"
WAYLAND = "The Wayland connection broke. Did the Wayland compositor die?"
WAYLAND_FATAL = "The Wayland connection experienced a fatal error: Protocol error"


@pytest.mark.parametrize("farewell", [X11, WAYLAND, WAYLAND_FATAL])
def test_the_last_words_of_qt_complete_the_recording_and_end_the_program_once(
    farewell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []
    with completing_without_display(lambda: done.append("complete"), done.append):
        qWarning(farewell)
        qWarning(farewell)

    assert done == ["complete", 1]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the display is gone" in said


def test_a_failure_to_complete_is_told_and_does_not_keep_the_program_alive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[int] = []

    def fail() -> None:
        raise RecordingError("the disk that holds a.h5 is full; make space")

    with completing_without_display(fail, done.append):
        qWarning(X11)

    assert done == [1]
    assert "the disk that holds a.h5 is full" in capsys.readouterr().err


def test_other_words_of_qt_go_to_the_log_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    done: list[object] = []
    with completing_without_display(lambda: done.append("complete"), done.append):
        qWarning("QPainter::begin: Paint device returned engine == 0")

    assert done == []
    assert "Paint device returned engine" in caplog.text
    qWarning("after the window")
    assert "after the window" not in caplog.text, "the messages are Qt's own again"


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb whose death to watch")
def test_an_x_server_that_dies_leaves_a_whole_recording_and_no_program(
    tmp_path: Path, wait_for: WaitFor
) -> None:
    path = tmp_path / "a.h5"
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as numbers:
        display = f":{numbers.readline().strip()}"
    environment = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", MAIN, "simulated:?width=64&height=48", "--model", "none"]
    window = subprocess.Popen(
        [*command, "--record", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env={name: os.environ[name] for name in ("PATH",)} | environment,
    )
    try:
        wait_for(lambda: path.exists() or window.poll() is not None, 60)
        server.terminate()
        _, said = window.communicate(timeout=30)
    finally:
        window.kill()
        server.kill()
        server.wait()

    assert window.returncode == 1
    assert said.strip().endswith("open the window again to record on")
    assert said.count("display is gone") == 1
    assert "X11" not in said
    assert "Traceback" not in said
    with Recording(path) as recording:
        assert recording.ended == "stopped"
