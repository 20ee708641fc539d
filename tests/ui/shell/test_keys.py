"""Letters and Space belong to the page, unless what has the focus needs them."""

from collections.abc import Iterator
from functools import partial

import pytest
from PyQt6.QtCore import QEvent, QSettings, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
)
from pytestqt.qtbot import QtBot

from tests.ui.conftest import make_surroundings
from ui.shell.keys import settle_key
from ui.shell.notices import Notices
from ui.shell.page import Page, Surroundings
from ui.shell.preferences import Preferences


class Window(QMainWindow):
    """Settles keys as the real window does."""

    def event(self, event: QEvent | None) -> bool:
        if event is not None and settle_key(QApplication.focusWidget(), event):
            return True
        return super().event(event)


class Bench(Page):
    """A page with one of each: a number, a text, a list, a button, and keys of its own."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.done: list[str] = []
        self.number, self.text = QDoubleSpinBox(), QLineEdit()
        self.choice, self.button = QComboBox(), QPushButton("Go")
        self.choice.addItems(["one", "two"])
        self.button.clicked.connect(lambda: self.done.append("button"))
        layout = QVBoxLayout(self)
        for widget in (self.number, self.text, self.choice, self.button):
            layout.addWidget(widget)
        for key in ("R", "Space", "1"):
            self.add_key(key, key, partial(self.done.append, key))


@pytest.fixture
def bench(qtbot: QtBot, settings: QSettings) -> Iterator[Bench]:
    window = Window()
    notices = Notices(str)
    qtbot.addWidget(notices)
    bench = Bench(make_surroundings(Preferences(settings), notices))
    window.setCentralWidget(bench)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    bench.setFocus()
    qtbot.waitUntil(bench.hasFocus)
    yield bench
    window.close()


def press(key: Qt.Key, text: str = "") -> None:
    focus = QApplication.focusWidget()
    assert focus is not None
    if text:
        for letter in text:
            QTest.keyClick(focus, letter)  # type: ignore[call-overload]  # static; its stub has a self
    else:
        QTest.keyClick(focus, key)  # type: ignore[call-overload]


def test_keys_of_the_page_work_when_the_page_has_the_focus(bench: Bench) -> None:
    for key in (Qt.Key.Key_R, Qt.Key.Key_Space, Qt.Key.Key_1):
        press(key)

    assert bench.done == ["R", "Space", "1"]


def test_after_a_number_is_typed_and_entered_a_letter_is_the_pages_again(bench: Bench) -> None:
    bench.number.setFocus()
    bench.number.selectAll()
    press(Qt.Key.Key_unknown, "36")
    assert bench.done == [], "digits belong to the number"
    press(Qt.Key.Key_Return)
    press(Qt.Key.Key_R)

    assert bench.number.value() == 36
    assert bench.done == ["R"]


def test_escape_leaves_a_number_as_well(bench: Bench) -> None:
    bench.number.setFocus()
    press(Qt.Key.Key_Escape)
    press(Qt.Key.Key_1)

    assert bench.done == ["1"]


def test_a_text_keeps_its_letters_and_spaces(bench: Bench) -> None:
    bench.text.setFocus()
    press(Qt.Key.Key_unknown, "R 1")

    assert bench.text.text() == "R 1"
    assert bench.done == []


def test_space_presses_the_button_that_has_the_focus(bench: Bench) -> None:
    bench.button.setFocus()
    press(Qt.Key.Key_Space)
    press(Qt.Key.Key_R)

    assert bench.done == ["button", "R"]


def test_space_opens_the_list_that_has_the_focus(bench: Bench) -> None:
    bench.choice.setFocus()
    press(Qt.Key.Key_Space)
    view = bench.choice.view()

    assert view is not None
    assert view.isVisible()
    assert bench.done == []
    bench.choice.hidePopup()
