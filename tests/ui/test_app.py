"""`thermoseg-ui` answers quickly, says clearly that there is no display, and takes pictures."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtGui import QImage

from thermoseg.interruption import SIGNALS
from ui.app import build_parser

WITHOUT_MODEL = ("simulated:?width=64&height=48", "--model", "none")

MAIN = "import sys; from ui.app import main; sys.exit(main())"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    rest = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=rest | environment,
    )


def test_help_needs_neither_qt_nor_torch() -> None:
    program = (
        "import sys; from ui.app import build_parser; build_parser().format_help();"
        "print([name for name in ('torch', 'PyQt6', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_without_a_display_it_ends_with_one_sentence() -> None:
    done = run()

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no display" in done.stderr


def test_a_screenshot_needs_no_display(tmp_path: Path) -> None:
    path = tmp_path / "window.png"
    done = run("--screenshot", str(path), "--after", "0.1", "--size", "900x600", "--model", "none")

    assert done.returncode == 0, done.stderr
    assert (QImage(str(path)).width(), QImage(str(path)).height()) == (900, 600)


def test_a_screenshot_of_a_file_shows_its_frame(tmp_path: Path) -> None:
    file, path = tmp_path / "warm.npy", tmp_path / "window.png"
    np.save(file, np.linspace(20, 40, 48 * 64, dtype=np.float32).reshape(48, 64))
    done = run(str(file), "--screenshot", str(path), "--after", "0.1", "--model", "none")

    assert done.returncode == 0, done.stderr
    seen = QImage(str(path))
    colours = (
        seen.pixelColor(x, y) for x in range(0, seen.width(), 8) for y in range(0, seen.height(), 8)
    )
    orange = [colour for colour in colours if colour.red() > 180 and colour.blue() < 90]
    assert len(orange) > 100


def test_a_screenshot_of_a_failure_says_so(tmp_path: Path) -> None:
    path = tmp_path / "window.png"
    done = run("nonsense", "--screenshot", str(path), "--model", "none")

    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert path.exists()


def test_a_screenshot_of_a_file_that_cannot_be_replayed_says_so(tmp_path: Path) -> None:
    damaged, picture = tmp_path / "damaged.h5", tmp_path / "window.png"
    damaged.write_bytes(b"no session")
    done = run(
        *("--page", "replay", str(damaged), "--screenshot", str(picture)), *WITHOUT_MODEL[1:]
    )

    assert done.returncode == 1
    assert "damaged.h5" in done.stderr
    assert done.stderr.count("\n") == 1
    assert picture.exists()


def test_arguments_are_read() -> None:
    arguments = build_parser().parse_args(["lepton:", "--size", "800x600", "--theme", "light"])

    assert (arguments.address, arguments.size, arguments.theme) == ("lepton:", (800, 600), "light")


def test_a_wrong_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--size", "big"])

    assert "1280x720" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-3", "nan", "soon", "1e9"])
def test_a_wrong_time_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--after", text])

    assert "seconds" in capsys.readouterr().err


def test_what_was_to_be_expected_is_told_in_one_line(tmp_path: Path) -> None:
    done = run("lepton:nobody", "--screenshot", str(tmp_path / "a.png"), "--model", "none")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_recording_that_cannot_begin_fails_a_screenshot(tmp_path: Path) -> None:
    taken = tmp_path / "taken.h5"
    taken.touch()
    done = run(
        *(*WITHOUT_MODEL, "--record", str(taken)),
        *("--screenshot", str(tmp_path / "a.png"), "--after", "1"),
    )

    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_settings_are_told_before_a_window_opens(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('backend = "gpu"', encoding="utf-8")
    done = run("--screenshot", str(tmp_path / "a.png"), THERMOSEG_SETTINGS=str(settings))

    assert done.returncode == 1
    assert "“backend”" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_window_takes_the_model_of_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('model = "nobody-s"', encoding="utf-8")
    done = run(
        *("simulated:?width=64&height=48", "--screenshot", str(tmp_path / "a.png")),
        THERMOSEG_SETTINGS=str(settings),
    )

    assert done.returncode == 1
    assert "nobody-s" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_closes_the_window_and_completes_the_recording(
    tmp_path: Path, number: signal.Signals
) -> None:
    import h5py

    path = tmp_path / "a.h5"
    # The program tells on its own that the recording has begun, so that nobody need wait.
    program = (
        "import os, signal, sys\n"
        "from ui.live.recording_control import RecordingControl, RecordState\n"
        "set_state = RecordingControl._set_state\n"
        "def tell(control, state):\n"
        "    set_state(control, state)\n"
        "    if state is RecordState.ON:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "RecordingControl._set_state = tell\n"
        "from ui.app import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *WITHOUT_MODEL, "--record", str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ
        | {
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_CONFIG_HOME": str(tmp_path / "configuration"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        },
    )

    assert done.returncode == 128 + number
    assert "Traceback" not in done.stderr
    (log,) = (tmp_path / "state").rglob("thermoseg-ui-*.log")
    assert "ThermoSeg" in log.read_text(encoding="utf-8")
    with h5py.File(path, "r") as session:
        assert session.attrs["complete"] == 1
        assert session.attrs["ended"] == b"stopped"
