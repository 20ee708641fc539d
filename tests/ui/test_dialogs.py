"""What is open beside the window takes no key from it: F8 marks and F9 stops, whatever is asked."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import Hands, MakeWindow
from thermoseg.recording.reader import Recording
from ui.live.recording_control import RecordState
from ui.shell.keys import KeySheet
from ui.shell.rail import PageName


@pytest.fixture
def recording(qtbot: QtBot, make_window: MakeWindow) -> Hands:
    hands = Hands(qtbot, make_window())
    hands.window.show_page(PageName.LIVE)
    hands.wait_active()
    hands.open_camera()
    hands.record()
    return hands


def open_sheet(hands: Hands) -> QDialog:
    hands.key(Qt.Key.Key_F1)
    (sheet,) = hands.window.findChildren(KeySheet)
    return sheet


def ask(hands: Hands) -> QDialog:
    hands.key(Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    box = hands.window.question.box
    assert box is not None
    return box


@pytest.mark.parametrize("beside", [open_sheet, ask])
def test_the_keys_of_the_recording_work_in_it(recording: Hands, beside: object) -> None:
    assert callable(beside)
    dialog: QDialog = beside(recording)
    dialog.activateWindow()
    recording.wait(lambda: QApplication.activeWindow() is dialog)
    control = recording.window.controller.recording
    path = control.path
    recording.press_in(dialog, Qt.Key.Key_F8)
    recording.wait(control.may_stop)
    recording.press_in(dialog, Qt.Key.Key_F9)
    recording.wait(lambda: control.state is RecordState.OFF)

    assert path is not None
    with Recording(path) as file:
        assert len(file.markers) == 1
    assert recording.window.isVisible()
    assert recording.window.question.box is None


def test_the_sheet_is_there_once_and_the_window_goes_on(recording: Hands) -> None:
    open_sheet(recording)
    assert QApplication.activeModalWidget() is None
    recording.key(Qt.Key.Key_F1)
    recording.wait(lambda: len(recording.window.findChildren(KeySheet)) == 1)
    for sheet in recording.window.findChildren(KeySheet):
        sheet.close()
    recording.wait(lambda: not recording.window.findChildren(KeySheet))
