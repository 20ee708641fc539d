"""docs/window.md names the keys that the window has, and no others."""

import re
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtGui import QAction
from pytestqt.qtbot import QtBot

from ui.pages import make_window
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

DOCUMENT = Path(__file__).parents[3] / "docs" / "window.md"


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> MainWindow:
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    window = make_window(settings)
    qtbot.addWidget(window, before_close_func=MainWindow.end)
    return window


def keys_of(actions: list[QAction]) -> dict[str, list[str]]:
    """Return all keys of each action that has one, by the first of them."""
    names = [[key.toString() for key in action.shortcuts()] for action in actions]
    return {each[0]: each for each in names if each}


@pytest.mark.parametrize(
    ("row", "page"),
    [
        ("everywhere, in text fields too", None),
        ("live", PageName.LIVE),
        ("replay", PageName.REPLAY),
    ],
)
def test_the_document_has_the_keys_of_the_window(
    window: MainWindow, row: str, page: PageName | None
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    line = next(each for each in text.splitlines() if each.startswith(f"| {row} | `"))
    told = re.findall(r"`([^`]+)`", line)
    if page is None:
        pages = window.rail.actions_by_page.values()
        absent = [action for action in pages if not action.isEnabled()]
        actions = [action for action in window.actions() if action not in absent]
    else:
        actions = window.show_page(page).actions()
    keys = keys_of(actions)

    assert sorted(told) == sorted(set(told))
    assert set(keys) <= set(told)
    assert set(told) <= {key for all_keys in keys.values() for key in all_keys}
