"""What every test gets: a guard against leaks, a way to wait without sleeping, the test data."""

import contextlib
import gc
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Protocol

import psutil
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

LEAK_GRACE_S = 2.0
"""A thread or process that was told to end may take this long."""

SLOW_DISK = re.compile(r"the disk of .* is slow: a power cut now would cost")
"""Told whenever the machine that runs the tests has too much to do."""

MODULES_MORE = 20
"""So many new modules are worth setting aside."""

LASTING_THREADS = ("pytest_timeout", "tqdm_monitor", "TMonitor")
"""Beginnings of the names of threads that belong to test tools and live until the end."""


class WaitFor(Protocol):
    """What the fixture `wait_for` gives."""

    def __call__(self, condition: Callable[[], object], timeout_s: float = ...) -> None: ...


def without_load(complaints: str) -> str:
    """Leave out of a program's complaints what only a busy machine makes it say: a slow disk."""
    lines = complaints.splitlines(keepends=True)
    return "".join(line for line in lines if not SLOW_DISK.search(line))


@pytest.fixture
def wait_for() -> WaitFor:
    """Wait until a condition holds; fails the test if it does not within `timeout_s`."""

    def wait(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        pause, deadline = threading.Event(), time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"nothing came of waiting {timeout_s} s for the condition")
            pause.wait(0.002)

    return wait


@pytest.fixture
def quick_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a tenth of a second with a silent camera instead of five, and no back-off."""
    from thermoseg import camera_feed

    monkeypatch.setattr(camera_feed, "SILENCE_LIMIT_S", 0.1)
    monkeypatch.setattr(camera_feed, "READ_TIMEOUT_S", 0.02)
    monkeypatch.setattr(camera_feed, "BACK_OFF_S", (0.0, 0.01))


@pytest.fixture(scope="session", autouse=True)
def ordinary_signals() -> None:
    """Let programs under test be interrupted, though the tests run with `nohup` or beside a shell.

    Those start a program with the signal ignored, and every program that it starts inherits that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) is signal.SIG_IGN:
        signal.signal(hang_up, signal.SIG_DFL)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real samples; a test that needs it is skipped where it is not."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("THERMOSEG_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set THERMOSEG_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def modules_aside() -> set[str]:
    """Names of the modules that the garbage collector does not go through any more."""
    return set()


@pytest.fixture(autouse=True)
def leak_guard(request: pytest.FixtureRequest, modules_aside: set[str]) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process, a window or a running timer behind."""
    threads, children = set(threading.enumerate()), _children()
    uses_qt = "qtbot" in request.fixturenames or "qapp" in request.fixturenames
    if uses_qt:
        _set_imports_aside(modules_aside)
    qt_before = {id(thing) for thing in _qt_things()} if uses_qt else set()
    yield
    left = _wait_until_gone(lambda: [*_new_threads(threads), *(_children() - children)])
    if uses_qt:
        left += [thing for thing in _qt_things() if id(thing) not in qt_before]
    for thing in left:  # or every later test would find it
        if isinstance(thing, psutil.Process):
            with contextlib.suppress(psutil.NoSuchProcess):
                thing.kill()
    if left:
        pytest.fail(f"left behind: {', '.join(map(str, left))}", pytrace=False)


def _wait_until_gone(find: Callable[[], list[object]]) -> list[object]:
    deadline, pause = time.monotonic() + LEAK_GRACE_S, threading.Event()
    while (left := find()) and time.monotonic() < deadline:
        pause.wait(0.01)
    return left


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(LASTING_THREADS)
    ]


def _children() -> set[psutil.Process]:
    """Living child processes, without the one that Python keeps to clean up shared memory."""
    multiprocessing.active_children()  # waits for those that ended, so that they are no zombies
    tracker = getattr(resource_tracker._resource_tracker, "_pid", None)
    living = set()
    for child in psutil.Process().children():
        try:
            if child.pid != tracker and child.status() != psutil.STATUS_ZOMBIE:
                living.add(child)
        except psutil.NoSuchProcess:
            continue
    return living


def _windows() -> list[object]:
    """Top-level widgets, without the menus that pyqtgraph keeps for itself."""
    qt = sys.modules.get("PyQt6.QtWidgets")
    if qt is None or qt.QApplication.instance() is None:
        return []
    return [
        widget
        for widget in qt.QApplication.topLevelWidgets()
        if not isinstance(widget, qt.QMenu) and type(widget).__name__ != "QTipLabel"
    ]


def _set_imports_aside(modules: set[str]) -> None:
    """Keep the collector from going through what modules hold: that is most of all there is."""
    if len(sys.modules.keys() - modules) > MODULES_MORE:
        gc.collect()
        gc.freeze()
        modules.update(sys.modules)


def _qt_things() -> list[object]:
    """Top-level widgets and running timers; Qt is not imported for their sake."""
    core = sys.modules.get("PyQt6.QtCore")
    if core is None:
        return []
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    gc.collect()
    sip = sys.modules["PyQt6.sip"]
    timers = [
        thing
        for thing in gc.get_objects()
        if type(thing) is core.QTimer and not sip.isdeleted(thing) and thing.isActive()
    ]
    return [*_windows(), *timers]
