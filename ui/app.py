"""`thermoseg-ui`: reads arguments, opens the window."""

import argparse
import atexit
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from thermoseg.arguments import port_number
from thermoseg.errors import ConfigError
from thermoseg.terminal import open_closed_streams

if TYPE_CHECKING:
    from PyQt6.QtCore import QSettings
    from PyQt6.QtWidgets import QApplication

    from thermoseg.config import Settings
    from ui.shell.window import MainWindow

FAILED: Final = 1

SIGNALLED: Final = 128
"""Added to the number of the signal that ended the program, as shells do."""

LONGEST_WAIT_S: Final = 86_400.0
"""A day; a timer of Qt counts no further than 24 of them."""

HEARD_MS: Final = 200
"""Python hears of signals only when Qt calls it, so it is called this often."""

NO_DISPLAY: Final = (
    "thermoseg-ui: there is no display to open a window on; run it on a desktop, use "
    "--screenshot FILE, or record without a window by “thermoseg record”"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code.

    0: closed; 1: the settings cannot be read, or the screenshot shows a failure; 128 and the
    number of the signal: ended by Ctrl-C, SIGTERM or a closed terminal.
    """
    open_closed_streams()
    arguments = build_parser().parse_args(argv)
    # Until there is something to complete, Ctrl-C ends the program at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from thermoseg.config import load_settings
    from thermoseg.thread_switching import switch_threads_often

    switch_threads_often()
    try:
        written = load_settings()
    except ConfigError as error:
        sys.stderr.write(f"thermoseg-ui: {error}\n")
        return FAILED
    _choose_platform(bool(arguments.screenshot))
    if not arguments.screenshot:
        _keep_log()
    from PyQt6.QtWidgets import QApplication

    from ui.display_loss import completing_without_display

    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise TypeError("the window needs a QApplication")
    app.setApplicationName("ThermoSeg")
    app.setOrganizationName("ThermoSeg")
    app.setDesktopFileName("thermoseg")
    window = _make_window(arguments, written)
    controller = window.controller
    controller.watch_cameras()
    controller.models.find()
    if arguments.control is not None:
        try:
            port = window.listen(arguments.control)
        except ConfigError as error:
            sys.stderr.write(f"thermoseg-ui: {error}\n")
            window.end()
            return FAILED
        sys.stderr.write(f"thermoseg-ui: control 127.0.0.1:{port}\n")
    written_model = written.model if "model" in written.model_fields_set else ""
    window.choose_first_model(arguments.model or written_model)
    window.show()
    with _closing_on_interruption(app, window), completing_without_display(controller.close):
        _open_first(window, arguments)
        if arguments.screenshot:
            return _take_screenshot(app, window, arguments.screenshot, arguments.after)
        return app.exec()


def _make_window(arguments: argparse.Namespace, written: "Settings") -> "MainWindow":
    """Build the window with what was written, remembered and given; nothing is opened yet."""
    from ui.pages import make_window

    window = make_window(_settings(remembered=not arguments.screenshot), written.backend)
    window.defects.catch_all()
    if arguments.theme:
        from ui.shell.theme import THEMES

        window.look.set_theme(THEMES[arguments.theme])
    if arguments.zoom:
        window.look.zoom_to(arguments.zoom)
    if arguments.size:
        window.resize(*arguments.size)
    return window


def _open_first(window: "MainWindow", arguments: argparse.Namespace) -> None:
    """Show the page and open the source that was asked for."""
    from ui.shell.rail import PageName

    address, page = arguments.address, arguments.page
    if not page and address:
        page = "replay" if Path(address).is_file() and not arguments.record else "live"
    page = page or window.last_page
    window.show_page(PageName(page))
    if address and page == "replay":
        window.open_file(address)
    elif address:
        window.open_address(address, arguments.record)


def _keep_log() -> None:
    """Log into a file, or say why not: a window has no terminal as a rule."""
    from thermoseg.log_file import start_log_file

    try:
        start_log_file("thermoseg-ui")
    except ConfigError as error:
        sys.stderr.write(f"thermoseg-ui: {error}\n")


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
        help="what to open at once: simulated:, lepton:, or the path of a recording or picture",
    )
    parser.add_argument(
        "--page", choices=("live", "replay"), help="page to show; files are replayed, if not told"
    )
    parser.add_argument("--model", default="", metavar="M", help="model; “none” for none")
    parser.add_argument("--theme", choices=("dark", "light"), help="look, remembered")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record into this new file from the start"
    )
    parser.add_argument(
        "--control",
        type=port_number,
        metavar="PORT",
        help="let other programs on this computer record with the window (docs/control.md)",
    )
    parser.add_argument("--zoom", type=_zoom, metavar="F", help="size of text, 0.7 to 2.5")
    parser.add_argument("--size", type=_size, metavar="WxH", help="of the window, such as 1280x720")
    parser.add_argument(
        "--screenshot", type=Path, metavar="PNG", help="save what is shown to PNG, then quit"
    )
    parser.add_argument(
        "--after",
        type=_seconds,
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


def _zoom(text: str) -> float:
    try:
        zoom = float(text)
    except ValueError:
        zoom = 0.0
    if not 0.7 <= zoom <= 2.5:
        raise argparse.ArgumentTypeError(f"a zoom is 0.7 to 2.5, not {text!r}")
    return zoom


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(
            f"a time is 0 to {LONGEST_WAIT_S:.0f} seconds, not {text!r}"
        )
    return seconds


@contextmanager
def _closing_on_interruption(app: "QApplication", window: "MainWindow") -> Iterator[None]:
    """Close the window as the user would, so that recordings are whole."""
    from PyQt6.QtCore import QTimer

    from thermoseg.interruption import on_interruption

    def close(number: signal.Signals) -> None:
        # Else Qt quits by itself when the last window closes, with code 0 if it comes to that last.
        app.setQuitOnLastWindowClosed(False)
        window.end()
        app.exit(SIGNALLED + number)

    heartbeat = QTimer(window)
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(HEARD_MS)
    # Python calls this in the middle of anything; Qt calls what closes when it is done.
    with on_interruption(lambda number: QTimer.singleShot(0, lambda: close(number))):
        yield


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
    """Save what the window shows `after_s` after it shows what was asked for, or has failed."""
    from PyQt6.QtCore import QTimer

    timer = QTimer(window)
    timer.setSingleShot(True)
    timer.timeout.connect(lambda: app.exit(0))
    look = QTimer(window)

    def on_look() -> None:
        page = window.page
        ready = page is not None and page.settled and not window.controller.models.busy
        if window.failure or ready:
            look.stop()
            timer.start(0 if window.failure else round(1000 * after_s))

    look.timeout.connect(on_look)
    look.start(HEARD_MS)
    if ended_early := app.exec():
        return ended_early
    failure = window.failure
    saved = window.grab().save(str(path))
    window.end()
    if not saved:
        failure = f"“{path}” cannot be written; choose another place or a name ending in .png"
    if failure:
        sys.stderr.write(f"thermoseg-ui: {failure}\n")
    return FAILED if failure else 0
