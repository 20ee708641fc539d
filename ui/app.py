"""`thermoseg-ui`: reads arguments, opens the window."""

import argparse
import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PyQt6.QtCore import QSettings
    from PyQt6.QtWidgets import QApplication

    from ui.main_window import MainWindow

FAILED: Final = 1

NO_DISPLAY: Final = (
    "thermoseg-ui: there is no display to open a window on; run it on a desktop, use "
    "--screenshot FILE, or record without a window by “thermoseg record”"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code: 0, or 1 if the screenshot shows a failure."""
    arguments = build_parser().parse_args(argv)
    _choose_platform(bool(arguments.screenshot))
    from PyQt6.QtWidgets import QApplication

    from ui.main_window import MainWindow
    from ui.session_controller import NO_MODEL, SessionController, SessionOpener

    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise TypeError("the window needs a QApplication")
    app.setApplicationName("ThermoSeg")
    app.setOrganizationName("ThermoSeg")
    app.setDesktopFileName("thermoseg")
    settings = _settings(remembered=not arguments.screenshot)
    opener = SessionOpener()
    controller = SessionController(opener)
    window = MainWindow(controller, settings)
    window.errors.catch_all()
    if arguments.theme:
        from ui.theme import THEMES

        window.set_theme(THEMES[arguments.theme])
    if arguments.size:
        window.resize(*arguments.size)
    window.show()
    controller.watch_cameras()
    controller.find_models()
    if arguments.model:
        window.choose_model(arguments.model)
    model = window.model
    if arguments.address:
        window.open_source(arguments.address, model, arguments.record)
    elif model != NO_MODEL:
        controller.prepare(lambda: opener.load(model))
    if arguments.screenshot:
        return _take_screenshot(app, window, arguments.screenshot, arguments.after)
    return app.exec()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `thermoseg-ui`."""
    parser = argparse.ArgumentParser(
        prog="thermoseg-ui",
        description="Watch a thermal camera or file with the regions of the face, their "
        "temperatures and traces, and record it.",
    )
    parser.add_argument(
        "address",
        nargs="?",
        default="",
        metavar="ADDRESS",
        help="what to open at once: simulated:, lepton:, file:recording.seq, or a path",
    )
    parser.add_argument("--model", default="", metavar="M", help="model; “none” for none")
    parser.add_argument("--theme", choices=("dark", "light"), help="look, remembered")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record into this new file from the start"
    )
    parser.add_argument("--size", type=_size, metavar="WxH", help="of the window, such as 1280x720")
    parser.add_argument(
        "--screenshot", type=Path, metavar="PNG", help="save what is shown to PNG, then quit"
    )
    parser.add_argument(
        "--after",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="when to take it, seconds after the first picture (default 5)",
    )
    return parser


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{3,5})x(\d{3,5})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"a size is written as 1280x720, not {text!r}")
    return int(found[1]), int(found[2])


def _settings(remembered: bool) -> "QSettings":
    """Return the user's settings, or empty ones that nobody keeps: screenshots look alike."""
    from PyQt6.QtCore import QSettings

    if remembered:
        return QSettings("ThermoSeg", "ThermoSeg")
    folder = Path(tempfile.mkdtemp(prefix="thermoseg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)


def _choose_platform(offscreen: bool) -> None:
    """Draw in memory for a screenshot where there is no display; otherwise say so and end."""
    known = ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in known):
        return
    if not offscreen:
        raise SystemExit(NO_DISPLAY)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


def _take_screenshot(app: "QApplication", window: "MainWindow", path: Path, after_s: float) -> int:
    """Save what the window shows `after_s` after the source opened, or at once if it failed."""
    from PyQt6.QtCore import QTimer

    from ui.session_controller import SessionState

    timer = QTimer(window)
    timer.setSingleShot(True)
    timer.timeout.connect(app.quit)

    def on_state(state: SessionState) -> None:
        if state is SessionState.FAILED:
            timer.start(0)
        elif state is not SessionState.OPENING and not timer.isActive():
            timer.start(round(1000 * after_s))

    window.controller.state_changed.connect(on_state)
    on_state(window.controller.state)
    app.exec()
    saved = window.grab().save(str(path))
    failure = window.failure
    window.close()
    if not saved:
        failure = f"“{path}” cannot be written; choose another place or a name ending in .png"
    if failure:
        sys.stderr.write(f"thermoseg-ui: {failure}\n")
    return FAILED if failure else 0
