"""A recovery from the list is ended by Cancel, and by closing the window."""

from pathlib import Path

import psutil
import pytest
from PyQt6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.conftest import WaitFor
from tests.copying import hold_copying
from ui.replay.page import ReplayPage
from ui.shell.window import MainWindow


@pytest.fixture
def held(crashed: Path, page: ReplayPage, wait_for: WaitFor) -> psutil.Process:
    """The process of a recovery that was begun from the list, which does not get any further."""
    page.recordings.recover(crashed)
    return hold_copying(psutil.Process(), wait_for)


def test_cancel_ends_a_recovery(
    held: psutil.Process, study: Path, page: ReplayPage, window: MainWindow, qtbot: QtBot
) -> None:
    queue = page.recordings.queue
    qtbot.waitUntil(lambda: bool(_cancels(page)))
    _cancels(page)[0].click()
    qtbot.waitUntil(lambda: queue.current is None, timeout=20_000)

    assert not held.is_running()
    assert not list(study.glob("*recovered*"))
    assert not list(study.glob(".*"))
    assert not window.notices.sentences


def test_closing_the_window_ends_a_recovery(
    held: psutil.Process, study: Path, window: MainWindow
) -> None:
    window.end()

    assert not held.is_running()
    assert not list(study.glob("*recovered*"))
    assert not list(study.glob(".*"))


def _cancels(page: ReplayPage) -> list[QPushButton]:
    found = page.list.findChildren(QPushButton)
    return [button for button in found if button.text() == "Cancel" and button.isVisible()]
