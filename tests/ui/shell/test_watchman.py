"""What the session says of itself is told while it holds, once, and taken away when it is over."""

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import FakeSession, MakeController
from thermoseg.events import SessionEvent
from ui.live.session_controller import SessionController
from ui.shell.notices import Notices
from ui.shell.watchman import Watchman


@pytest.fixture
def controller(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> SessionController:
    controller = make_controller(session)
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state.open)
    return controller


@pytest.fixture
def notices(qtbot: QtBot) -> Notices:
    notices = Notices(str)
    qtbot.addWidget(notices)
    return notices


def test_a_wrong_rate_is_told_once_whatever_its_number_and_goes_when_it_is_right(
    controller: SessionController, notices: Notices
) -> None:
    watchman = Watchman(controller, notices)
    for rate in ("9", "8.7", "29", "30.1"):
        watchman.tell_rate(f"the camera delivers {rate}/s, asked for 30/s")
    assert notices.sentences == ["The camera delivers 9/s, asked for 30/s."]
    watchman.tell_rate("")

    assert notices.sentences == []


def test_of_the_events_those_are_told_that_matter_now(
    qtbot: QtBot, controller: SessionController, notices: Notices, session: FakeSession
) -> None:
    watchman = Watchman(controller, notices)
    session.events = (
        SessionEvent(1.0, "shutter closed", 0.0),
        SessionEvent(2.0, "another face is measured: the first one left", 0.0),
    )
    qtbot.waitUntil(lambda: len(controller.view.events) == 2)
    watchman.look()
    watchman.look()

    assert notices.sentences == ["Another face is measured: the first one left"]
