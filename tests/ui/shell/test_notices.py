"""Notices say what happened in rows, at most three, and are gone when they have done."""

import pytest
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

import ui.shell.notices as notices_module
from ui.shell.notices import Notices, Remedy, Severity
from ui.shell.theme import LIGHT


@pytest.fixture
def notices(qtbot: QtBot) -> Notices:
    notices = Notices(lambda sentence: f"{sentence} / versions and log")
    qtbot.addWidget(notices)
    notices.set_theme(LIGHT, 1.0)
    return notices


def buttons(notices: Notices) -> dict[str, QPushButton]:
    return {each.text(): each for each in notices.findChildren(QPushButton) if each.isVisible()}


def test_there_is_no_room_taken_by_nothing(notices: Notices) -> None:
    notices.show()
    notices.tell("One.")
    assert notices.isVisible()
    notices.tell("Two.", key="two")
    notices.dismiss("two")
    row = notices.findChild(QToolButton)
    assert row is not None
    row.click()

    assert notices.sentences == []
    assert not notices.isVisible()


def test_the_same_sentence_is_counted_and_not_stacked(notices: Notices) -> None:
    for _ in range(7):
        notices.tell("It is a fault.", Severity.ERROR)

    assert notices.sentences == ["It is a fault."]
    texts = [label.text() for label in notices.findChildren(QLabel) if label.isVisible()]
    assert "It is a fault. (7 times)" in texts


def test_of_many_the_least_and_oldest_make_room(notices: Notices) -> None:
    notices.tell("Saved.", lasting=True)
    notices.tell("Wrong.", Severity.ERROR)
    notices.tell("Careful.", Severity.WARNING)
    notices.tell("Also careful.", Severity.WARNING)
    assert notices.sentences == ["Wrong.", "Careful.", "Also careful."]
    notices.tell("Worse.", Severity.ERROR)

    assert notices.sentences == ["Wrong.", "Also careful.", "Worse."]


def test_one_of_a_key_takes_the_place_of_that_before(notices: Notices) -> None:
    notices.tell("The disk has 3 min left.", Severity.WARNING, key="disk")
    notices.tell("The disk has 2 min left.", Severity.WARNING, key="disk")

    assert notices.sentences == ["The disk has 2 min left."]


def test_a_remedy_is_done_and_the_notice_goes(notices: Notices) -> None:
    done: list[str] = []
    notices.tell("Saved.", remedies=[Remedy("Replay", lambda: done.append("replay"))])
    buttons(notices)["Replay"].click()

    assert done == ["replay"]
    assert notices.sentences == []


def test_details_are_copied_and_the_notice_stays(notices: Notices) -> None:
    notices.tell("It is a fault.", Severity.ERROR)
    buttons(notices)["Copy details"].click()
    clipboard = QGuiApplication.clipboard()

    assert clipboard is not None
    assert clipboard.text() == "It is a fault. / versions and log"
    assert notices.sentences == ["It is a fault."]


def test_what_is_only_good_to_know_goes_by_itself(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, notices: Notices
) -> None:
    monkeypatch.setattr(notices_module, "SHOWN_MS", 20)
    notices.tell("It is a fault.", Severity.ERROR)
    notices.tell("Saved.", lasting=True)
    notices.tell("Marked.")
    qtbot.waitUntil(lambda: "Marked." not in notices.sentences)

    assert notices.sentences == ["It is a fault.", "Saved."]
