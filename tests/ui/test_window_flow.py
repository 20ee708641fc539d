"""A sitting from the first click to the exported file: by the mouse, and by keys alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import LIVE_ADDRESS, Hands, MakeWindow
from thermoseg.recording.reader import Recording
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.replay.page import ReplayPage
from ui.shell.rail import PageName
from ui.texts import live as live_words
from ui.texts import replay as replay_words
from ui.texts import replay_export as export_words

Kind = TypeVar("Kind", bound=QWidget)
MOST_TABS = 400
"""More than there are places in the window."""


class Mouse:
    """Clicks; types only into fields."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands

    def named(self, kind: type[Kind], name: str, inside: QWidget) -> Kind:
        """Wait for the widget that a screen reader calls `name`."""

        def find() -> list[Kind]:
            there = inside.findChildren(kind)
            return [each for each in there if each.accessibleName() == name and each.isVisible()]

        self.hands.wait(find)
        return find()[0]

    def press(self, name: str, inside: QWidget) -> None:
        self.hands.click(self.hands.button(name, inside))

    def fill(self, name: str, text: str, inside: QWidget) -> None:
        field = self.named(QLineEdit, name, inside)
        self.hands.click(field)
        field.selectAll()
        self.hands.type_in(text)

    def pick(self, name: str, entry: str, inside: QWidget) -> None:
        """Choose an entry of a menu, which has a loop of its own until that is done."""
        button = self.named(QToolButton, name, inside)

        def choose() -> None:
            menu = QApplication.activePopupWidget()
            assert isinstance(menu, QMenu)
            action = next(each for each in menu.actions() if each.text() == entry)
            place = menu.actionGeometry(action).center()
            self.hands.click_at(menu, place)

        QTimer.singleShot(20, choose)
        self.hands.click(button)
        self.hands.wait_active()

    def choose(self, name: str, entry: str, inside: QWidget) -> None:
        """Choose an entry of a box."""
        box = self.named(QComboBox, name, inside)
        self.hands.click(box)
        rows, model = box.view(), box.model()
        assert rows is not None
        assert model is not None
        self.hands.wait(rows.isVisible)
        place = rows.visualRect(model.index(box.findText(entry), 0)).center()
        viewport = rows.viewport()
        assert viewport is not None
        self.hands.click_at(viewport, place)
        self.hands.wait(lambda: box.currentText() == entry)
        self.hands.wait_active()

    def mark(self) -> None:
        self.press(live_words.marker(1, "Marker 1"), self.hands.live)

    def record(self) -> None:
        self.press("Record", self.hands.window.strip)

    def step(self) -> None:
        self.press(replay_words.FRAME_ON, self.page)

    def cut(self, word: str) -> None:
        self.press(word, self.page)

    @property
    def page(self) -> QWidget:
        page = self.hands.window.page
        assert page is not None
        return page


class Keys(Mouse):
    """Never touches the mouse: Tab until it is there, then Space, Enter, arrows, letters."""

    def go_to(self, widget: QWidget) -> None:
        for _ in range(MOST_TABS):
            if QApplication.focusWidget() is widget:
                return
            self.hands.key(Qt.Key.Key_Tab)
        raise AssertionError(f"Tab never comes to “{widget.accessibleName()}”")

    def press(self, name: str, inside: QWidget) -> None:
        self.go_to(self.hands.button(name, inside))
        self.hands.key(Qt.Key.Key_Space)

    def fill(self, name: str, text: str, inside: QWidget) -> None:
        field = self.named(QLineEdit, name, inside)
        around = field.parentWidget()
        self.go_to(around if isinstance(around, QComboBox) else field)
        field.selectAll()
        self.hands.type_in(text)

    def pick(self, name: str, entry: str, inside: QWidget) -> None:
        self.go_to(self.named(QToolButton, name, inside))

        def choose() -> None:
            menu = QApplication.activePopupWidget()
            assert isinstance(menu, QMenu)
            for _ in menu.actions():
                active = menu.activeAction()
                if active is not None and active.text() == entry:
                    break
                self.hands.press_in(menu, Qt.Key.Key_Down)
            self.hands.press_in(menu, Qt.Key.Key_Return)

        QTimer.singleShot(20, choose)
        self.hands.key(Qt.Key.Key_Space)
        self.hands.wait_active()

    def choose(self, name: str, entry: str, inside: QWidget) -> None:
        box = self.named(QComboBox, name, inside)
        self.go_to(box)
        for _ in range(box.count()):
            if box.currentText() == entry:
                break
            self.hands.key(Qt.Key.Key_Down)
        assert box.currentText() == entry

    def mark(self) -> None:
        self.hands.key(Qt.Key.Key_Escape)  # leaves the field, so that digits are the page's
        self.hands.key(Qt.Key.Key_1)

    def record(self) -> None:
        self.hands.key(Qt.Key.Key_F9)

    def step(self) -> None:
        self.hands.key(Qt.Key.Key_Right)

    def cut(self, word: str) -> None:
        key = Qt.Key.Key_BracketLeft if word == replay_words.CUT_IN else Qt.Key.Key_BracketRight
        self.hands.key(key)


@pytest.mark.parametrize("way", [Mouse, Keys], ids=["mouse", "keys"])
def test_a_sitting_from_the_study_to_the_exported_file(
    qtbot: QtBot,
    make_window: MakeWindow,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: Callable[[Hands], Mouse],
) -> None:
    study = tmp_path / "breath"
    study.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(study))
    hands = Hands(qtbot, make_window())
    hands.window.show_page(PageName.LIVE)
    hands.wait_active()
    user, live, window = way(hands), hands.live, hands.window
    controller = window.controller

    # A study, and who is measured.
    user.pick(live_words.STUDY, live_words.NEW_STUDY, live)
    hands.wait(lambda: live.desk.study.study is not None)
    for name, value in (("Participant", "07"), ("Session", "1"), ("Task", "rest")):
        user.fill(name, value, live)

    # The camera.
    user.fill(live_words.SOURCE, LIVE_ADDRESS, live.source)
    hands.key(Qt.Key.Key_Return)
    hands.wait(lambda: controller.state is CameraState.RUNNING and live.pane.isVisible())

    # Record, mark, stop.
    user.record()
    hands.wait(lambda: hands.doubt_button() is not None)  # no model segments
    user.press(live_words.RECORD_ANYWAY, window.notices)
    hands.wait(lambda: controller.recording.state is RecordState.ON)
    user.mark()
    hands.wait(lambda: len(controller.view.marks) == 1)
    hands.wait(lambda: controller.view.counts.recorded > 10)
    hands.wait(controller.recording.may_stop)
    user.record()
    hands.wait(lambda: not controller.recording.state.active)
    saved = window.notices.sentences[-1]
    (path,) = study.rglob("*.h5")
    assert str(path) in saved
    assert "sub-07" in path.name

    # Look at it, frame by frame.
    user.press("Replay", window.notices)
    page = window.page
    assert isinstance(page, ReplayPage)
    hands.wait(lambda: page.settled and page.controller.shown is not None)
    page.setFocus()
    for _ in range(2):
        user.step()
    hands.wait(lambda: page.controller.index == 2)
    user.cut(replay_words.CUT_IN)
    for _ in range(4):
        user.step()
    user.cut(replay_words.CUT_OUT)
    assert page.controller.selection == (2, 6)

    # Keep the stretch as a file of its own.
    user.choose(export_words.KIND, export_words.KIND_CUT, page)
    user.press(export_words.EXPORT_NOW, page.export)
    hands.wait(lambda: any(each.startswith("Exported") for each in window.notices.sentences))
    (cut,) = set(study.rglob("*.h5")) - {path}
    with Recording(path) as whole, Recording(cut) as part:
        assert len(part) == 5
        assert (part.frame(0).counts == whole.frame(2).counts).all()
        assert (part.frame(4).counts == whole.frame(6).counts).all()
        assert [mark.label for mark in whole.markers] == ["Marker 1"]
        assert whole.study["participant"] == "07"
        assert whole.ended == "stopped"
