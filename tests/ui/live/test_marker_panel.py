"""Markers: one button each, and the last one can be taken back for five seconds."""

import pytest
from PyQt6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

import ui.live.marker_panel as marker_panel
from thermoseg.marks import Mark
from thermoseg.study_file import Condition
from ui.live.marker_panel import MarkerPanel


@pytest.fixture
def panel(qtbot: QtBot) -> MarkerPanel:
    panel = MarkerPanel()
    qtbot.addWidget(panel)
    panel.set_names(["Baseline", "Stress"], [Condition(name="rest", duration_s=60.0)])
    panel.set_able(True)
    panel.show()
    return panel


def button(panel: MarkerPanel, name: str) -> QPushButton:
    found = [each for each in panel.findChildren(QPushButton) if each.accessibleName() == name]
    return found[0]


def mark() -> Mark:
    return Mark.now("Stress", "marker", "key", 12.34, 12.34, 0.0)


def said(panel: MarkerPanel) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]


def test_each_marker_and_condition_has_its_button(qtbot: QtBot, panel: MarkerPanel) -> None:
    with qtbot.waitSignal(panel.marked) as marked:
        button(panel, "2  Stress").click()
    with qtbot.waitSignal(panel.begun) as begun:
        button(panel, "rest (60 s)").click()

    assert (marked.args, begun.args) == ([1], [0])


def test_without_a_session_nothing_can_be_marked(panel: MarkerPanel) -> None:
    panel.set_able(False)

    assert not button(panel, "1  Baseline").isEnabled()


def test_a_mark_is_said_and_can_be_taken_back(qtbot: QtBot, panel: MarkerPanel) -> None:
    one = mark()
    panel.show_mark(one)
    assert "“Stress” at 12.3 s" in said(panel)
    with qtbot.waitSignal(panel.taken_back) as taken:
        button(panel, "Take the last mark back").click()
    panel.show_taken_back(one, done=True)

    assert taken.args == [one]
    assert "“Stress” was taken back." in said(panel)
    assert not button(panel, "Take the last mark back").isVisible()


def test_the_button_goes_when_it_is_too_late(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, panel: MarkerPanel
) -> None:
    monkeypatch.setattr(marker_panel, "UNDO_S", 0.02)
    panel.show_mark(mark())
    undo = button(panel, "Take the last mark back")
    assert undo.isVisible()

    qtbot.waitUntil(lambda: not undo.isVisible())
