"""An hour of use, simulated: cameras opened, recorded, marked, replayed, and nothing grows.

`make soak` runs it for `SOAK_MINUTES`.
"""

import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PyQt6.QtCore import QSettings, Qt, QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import discard
from thermoseg.recording.reader import Recording
from ui.live.page import LivePage
from ui.live.recording_control import RecordState
from ui.pages import make_window
from ui.replay.page import ReplayPage
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
CAMERA = "simulated:?width=320&height=256&rate_hz=30&loop_s=8"
GROWTH_BYTES = 60e6
"""Most that may be added after the first rounds; traces of an hour take 6 MB of it."""
WARM_ROUNDS = 15
"""Until caches of frames and the arenas of the network are as large as they get: eight minutes."""
NOTICES = 40
"""Widgets of as many notices as can be there at once; of a hundred rounds each may leave none."""


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    window = make_window(QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat))
    window.show()
    window.show_page(PageName.LIVE)
    window.choose_first_model("face-compact")
    yield window
    discard(window)


def press(window: MainWindow, key: Qt.Key) -> None:
    page = window.page
    assert page is not None
    QTest.keyClick(page, key)  # type: ignore[call-overload]  # static; its stub has a self


def use(qtbot: QtBot, window: MainWindow, study: Path) -> Path:
    """Record ten seconds with markers and switched looks, replay them; returns the file."""
    controller = window.controller
    window.show_page(PageName.LIVE)
    qtbot.waitUntil(lambda: controller.view.result is not None, timeout=120_000)
    page = window.page
    assert isinstance(page, LivePage)
    page.record_at_once()
    qtbot.waitUntil(lambda: controller.recording.state is RecordState.ON, timeout=60_000)
    for key in (Qt.Key.Key_1, Qt.Key.Key_M, Qt.Key.Key_O, Qt.Key.Key_P, Qt.Key.Key_F, Qt.Key.Key_F):
        press(window, key)
        qtbot.wait(1500)
    path = controller.recording.path
    assert path is not None
    press(window, Qt.Key.Key_F9)
    qtbot.waitUntil(lambda: controller.recording.state is RecordState.OFF, timeout=60_000)
    window.open_file(str(path))
    replay = window.page
    assert isinstance(replay, ReplayPage)
    qtbot.waitUntil(lambda: replay.settled, timeout=60_000)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Home):
        press(window, key)
        qtbot.wait(500)
    return path


def counted() -> tuple[int, int, int]:
    """Widgets, timers and threads that there are."""
    gc.collect()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    timers = [each for each in gc.get_objects() if isinstance(each, QTimer)]
    widgets: list[QWidget] = app.allWidgets()
    return len(widgets), len(timers), threading.active_count()


@pytest.mark.skipif(sys.platform == "win32", reason="memory is counted otherwise there")
def test_an_hour_of_use_leaves_nothing_behind(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    study = tmp_path / "recordings"
    page = window.page
    assert isinstance(page, LivePage)
    page.desk.study.record_into(study)
    window.open_address(CAMERA)
    own, ends_s = psutil.Process(), time.monotonic() + 60 * MINUTES
    rounds, first, began = 0, 0, (0, 0, 0)
    while time.monotonic() < ends_s or rounds <= WARM_ROUNDS:
        path = use(qtbot, window, study)
        with Recording(path) as recording:
            assert recording.complete
            assert recording.counts.dropped == 0
        shutil.rmtree(study)
        rounds += 1
        now = own.memory_info().rss, counted()
        sys.stdout.write(
            f"round {rounds}: {now[0] / 1e6:.0f} MB, {now[1]} widgets, timers, threads\n"
        )
        sys.stdout.flush()
        if rounds == WARM_ROUNDS:
            first, began = now

    assert own.memory_info().rss - first < GROWTH_BYTES
    assert counted()[0] <= began[0] + NOTICES, "widgets stay"
    assert counted()[1] <= began[1] + 2, "timers stay"
    assert counted()[2] <= began[2] + 1, "threads stay"
