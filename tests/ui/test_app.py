"""`thermoseg-ui` answers quickly, says clearly that there is no display, and takes pictures."""

import os
import subprocess
import sys

import pytest
from PyQt6.QtGui import QImage

from ui.app import build_parser

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


def test_a_screenshot_needs_no_display(tmp_path) -> None:
    path = tmp_path / "window.png"
    done = run("--screenshot", str(path), "--after", "0.1", "--size", "900x600", "--model", "none")

    assert done.returncode == 0, done.stderr
    assert (QImage(str(path)).width(), QImage(str(path)).height()) == (900, 600)


def test_a_screenshot_of_a_failure_says_so(tmp_path) -> None:
    path = tmp_path / "window.png"
    done = run("nonsense", "--screenshot", str(path), "--model", "none")

    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert path.exists()


def test_arguments_are_read() -> None:
    arguments = build_parser().parse_args(["lepton:", "--size", "800x600", "--theme", "light"])

    assert (arguments.address, arguments.size, arguments.theme) == ("lepton:", (800, 600), "light")


def test_a_wrong_size_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--size", "big"])

    assert "1280x720" in capsys.readouterr().err
