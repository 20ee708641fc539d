"""A page that shows nothing says why, and what to do next."""

from PyQt6.QtWidgets import QLabel, QProgressBar, QPushButton
from pytestqt.qtbot import QtBot

from ui.shell.state_page import State, StatePage, failed

SENTENCE = "gone.h5 is not there; choose another file"


def buttons(page: StatePage) -> list[str]:
    return [each.text() for each in page.findChildren(QPushButton) if each.isVisible()]


def make_page(qtbot: QtBot, copied: list[str]) -> StatePage:
    page = StatePage(State("camera", "Choose a camera"), [QPushButton("Door")], copied.append)
    qtbot.addWidget(page)
    page.show()
    return page


def test_a_failure_has_its_sentence_the_doors_and_its_details(qtbot: QtBot) -> None:
    copied: list[str] = []
    page = make_page(qtbot, copied)
    assert buttons(page) == []
    page.show_state(failed(SENTENCE))
    copy = page.findChildren(QPushButton)[-1]
    copy.click()

    assert buttons(page) == ["Door", copy.text()]
    assert copied == [SENTENCE]
    assert SENTENCE in [label.text() for label in page.findChildren(QLabel)]


def test_what_is_awaited_has_no_door_and_nothing_to_copy(qtbot: QtBot) -> None:
    page = make_page(qtbot, [])
    page.show_state(failed(SENTENCE))
    page.show_state(State("camera", "Opening", busy=True))
    bar = page.findChild(QProgressBar)

    assert buttons(page) == []
    assert bar is not None
    assert bar.isVisible()
    assert page.sentence == ""
