"""Flat-field corrections on the live page: asked for by C, kept out of trials by the menu."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtGui import QAction
from pytestqt.qtbot import QtBot

from tests.session_parts import ScriptedCamera
from tests.ui.conftest import MakeController, make_surroundings
from thermoseg.cameras import make_camera
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.inference.segmenter import Segmenter
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState
from thermoseg.study_file import StudyFile, read_study, write_study
from ui.live.page import LivePage
from ui.live.session_controller import CameraState, SessionController
from ui.shell.notices import Notices
from ui.shell.preferences import Preferences
from ui.shell.theme import DARK
from ui.texts import live as texts

CAMERA = "simulated:?width=64&height=48&rate_hz=30"


class Desk:
    """The live page over a real session of the simulated camera."""

    def __init__(self, qtbot: QtBot, controller: SessionController, settings: QSettings) -> None:
        self.qtbot, self.controller = qtbot, controller
        self.notices = Notices(str)
        qtbot.addWidget(self.notices)
        self.preferences = Preferences(settings)
        self.page = LivePage(controller, make_surroundings(self.preferences, self.notices))
        qtbot.addWidget(self.page)
        self.page.set_theme(DARK, 1.0)
        self.page.resize(1200, 700)
        self.page.show()

    def open(self, address: str = CAMERA) -> None:
        self.page.open(address)
        self.qtbot.waitUntil(lambda: self.controller.view.frame is not None, timeout=20_000)
        self.qtbot.waitUntil(lambda: bool(self.menu), timeout=20_000)

    @property
    def between_trials(self) -> QAction:
        return self.page.source._between_trials

    @property
    def menu(self) -> list[str]:
        menu = self.page.source._actions.menu()
        assert menu is not None
        return [action.text() for action in menu.actions() if not action.isSeparator()]

    @property
    def note(self) -> str:
        """Return what stands on the picture."""
        return self.page.pane.view.badges.text("note")

    def press_c(self) -> None:
        (action,) = (each for each in self.page.actions() if each.text() == texts.FLAT_FIELD)
        assert action.shortcut().toString() == "C"
        action.trigger()

    def wait_for_policy(self, policy: CorrectionPolicy) -> None:
        self.qtbot.waitUntil(lambda: self.controller.view.corrections is policy, timeout=20_000)

    def wait_until_told(self, text: str) -> None:
        self.qtbot.waitUntil(
            lambda: any(event.text == text for event in self.controller.view.events),
            timeout=20_000,
        )

    def wait_for_note(self, note: str) -> None:
        self.qtbot.waitUntil(lambda: note in self.note, timeout=20_000)


def make_real(address: str, _: Segmenter | None) -> Session:
    camera = ScriptedCamera(range(100_000)) if address == "fake:" else make_camera(address)
    return Session(camera, None, address=address)


@pytest.fixture
def desk(qtbot: QtBot, make_controller: MakeController, settings: QSettings) -> Iterator[Desk]:
    desk = Desk(qtbot, make_controller(make_real), settings)  # type: ignore[arg-type]
    yield desk
    desk.page.remember()


def test_the_menu_of_the_camera_offers_both(desk: Desk) -> None:
    desk.open()

    assert desk.menu == [texts.FLAT_FIELD, texts.BETWEEN_TRIALS]
    assert not desk.between_trials.isChecked()


def test_c_asks_for_a_correction_and_the_picture_says_that_the_shutter_is_closed(
    desk: Desk,
) -> None:
    desk.open()
    desk.press_c()
    desk.wait_for_note(texts.SHUTTER)
    desk.wait_until_told("Flat-field correction")
    desk.wait_until_told("shutter closed")
    desk.qtbot.waitUntil(lambda: texts.SHUTTER not in desk.note, timeout=20_000)


def test_a_camera_without_a_shutter_is_told_of(desk: Desk) -> None:
    desk.page.open("fake:")
    desk.qtbot.waitUntil(lambda: desk.controller.view.frame is not None, timeout=20_000)
    desk.press_c()

    assert desk.notices.sentences == [texts.NO_FLAT_FIELD]


def test_in_a_trial_a_correction_waits_and_the_picture_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.between_trials.trigger()
    desk.wait_for_policy(CorrectionPolicy.BETWEEN_TRIALS)
    assert desk.controller.record(tmp_path / "a.h5")
    desk.qtbot.waitUntil(
        lambda: desk.controller.view.recording is RecordingState.RUNNING, timeout=20_000
    )
    desk.press_c()
    desk.wait_for_note(texts.FLAT_FIELD_WAITS)
    desk.controller.recording.stop()
    desk.wait_until_told("Flat-field correction at the end of the trial")
    desk.qtbot.waitUntil(lambda: texts.FLAT_FIELD_WAITS not in desk.note, timeout=20_000)


def test_without_a_study_the_choice_is_the_users_and_holds_for_the_next_camera(
    desk: Desk,
) -> None:
    desk.open()
    desk.between_trials.trigger()
    desk.wait_for_policy(CorrectionPolicy.BETWEEN_TRIALS)
    desk.controller.stop()
    desk.qtbot.waitUntil(lambda: desk.controller.state is CameraState.IDLE)
    desk.open()

    desk.wait_for_policy(CorrectionPolicy.BETWEEN_TRIALS)
    desk.between_trials.trigger()
    desk.wait_for_policy(CorrectionPolicy.AUTOMATIC)


def test_a_study_decides_and_the_menu_writes_into_it(desk: Desk, tmp_path: Path) -> None:
    write_study(tmp_path, StudyFile(name="Stroop", corrections="between trials"))
    desk.open()
    desk.page.desk.study.open(tmp_path)
    desk.wait_for_policy(CorrectionPolicy.BETWEEN_TRIALS)
    assert desk.between_trials.isChecked()
    desk.between_trials.trigger()
    desk.wait_for_policy(CorrectionPolicy.AUTOMATIC)
    assert read_study(tmp_path).corrections == "automatic"
    desk.page.desk.study.leave()
    desk.between_trials.trigger()
    desk.wait_for_policy(CorrectionPolicy.BETWEEN_TRIALS)

    assert read_study(tmp_path).corrections == "automatic", "the study is left alone"
