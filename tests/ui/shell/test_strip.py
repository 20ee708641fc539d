"""The strip says what it has room for, whole, and Stop is always there."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QLabel, QMenu, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from thermoseg.backlog import Backlog
from thermoseg.recording.status import RecorderStatus
from ui.live.recording_control import RecordState
from ui.shell.strip import Strip, StripContent
from ui.shell.theme import DARK, Theme

STATUS = RecorderStatus(3704, 0, 125.2, 1_214_000_000, 43 * 10**9, "", on_disk=True, missed=12)
CONTENT = StripContent(
    "Simulated phantom 480×384  ·  30.0/s  ·  face-compact 20.0 masks/s",
    "running",
    (Backlog("network", 1, 30, rising=False),),
    RecordState.ON,
    STATUS,
)


@pytest.fixture
def strip(qtbot: QtBot, worn: Callable[[Theme, float], None]) -> Strip:
    worn(DARK, 1.0)
    strip = Strip(QAction("Stop"), QAction("Marker"), QMenu())
    qtbot.addWidget(strip)
    strip.setMinimumWidth(1)
    strip.show()
    return strip


def shown(strip: Strip) -> list[QWidget]:
    parts = strip.findChildren(QLabel) + strip.findChildren(QToolButton)
    return sorted((part for part in parts if part.isVisible()), key=lambda part: part.x())


def words(strip: Strip) -> list[str]:
    return [part.text() for part in shown(strip) if isinstance(part, QLabel)]


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.61, 2.5])
@pytest.mark.parametrize("width", [400, 640, 830, 1280, 2560])
def test_nothing_overlaps_and_nothing_is_cut(
    strip: Strip,
    qtbot: QtBot,
    worn: Callable[[Theme, float], None],
    scale: float,
    width: int,
) -> None:
    worn(DARK, scale)
    strip.set_theme(DARK, scale)
    strip.show_content(CONTENT)
    width = max(width, strip.minimumSizeHint().width())
    strip.resize(width, 60)
    qtbot.waitUntil(lambda: strip.width() == width)
    qtbot.wait(20)
    parts = shown(strip)

    assert all(left.geometry().right() < right.x() for left, right in pairwise(parts))
    assert parts[-1].geometry().right() < width
    cut = [
        part.text()
        for part in parts
        if type(part) is QLabel and part.width() < part.minimumSizeHint().width()
    ]
    assert cut == []
    assert "02:05" in words(strip)


def test_bad_news_stays_when_good_news_goes(strip: Strip, qtbot: QtBot) -> None:
    strip.set_theme(DARK, 1.0)
    strip.show_content(CONTENT)
    strip.resize(560, 50)
    qtbot.wait(20)
    assert "12 missed" in words(strip)
    assert "0 dropped" not in words(strip)

    strip.show_content(replace(CONTENT, status=replace(STATUS, free_bytes=40_000_000)))
    strip.resize(500, 50)
    qtbot.wait(20)
    assert [word for word in words(strip) if "disk" in word]
    strip.resize(1400, 50)
    qtbot.wait(20)
    assert {"12 missed", "0 dropped", "3704 frames"} <= set(words(strip))
