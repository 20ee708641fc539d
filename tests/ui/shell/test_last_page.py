"""The window opens on the page on which it was closed."""

from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from ui.pages import make_window
from ui.shell.rail import PageName


def test_the_page_of_the_last_time_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    window = make_window(settings)
    qtbot.addWidget(window)
    assert window.last_page == PageName.LIVE.value

    window.show_page(PageName.REPLAY)
    window.end()

    again = make_window(settings)
    qtbot.addWidget(again)
    assert again.last_page == PageName.REPLAY.value
    again.end()


@pytest.mark.parametrize("nonsense", ['"training"', '"nowhere"', "45", "", "["])
def test_a_page_that_is_none_is_the_live_page(qtbot: QtBot, tmp_path: Path, nonsense: str) -> None:
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue("window/page", nonsense)

    window = make_window(settings)
    qtbot.addWidget(window)

    assert window.last_page == PageName.LIVE.value
    window.end()
