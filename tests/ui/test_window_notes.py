"""Notes of a recording as they are typed, pasted, taken back and saved."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPlainTextEdit

from tests.ui.window_parts import Hands, only_file
from thermoseg.recording.reader import Recording
from ui.live.recording_control import RecordState
from ui.texts import live as texts


def field_of(hands: Hands) -> QPlainTextEdit:
    """Find the field of the notes."""
    fields = hands.live.desk.panel.findChildren(QPlainTextEdit)
    (field,) = [each for each in fields if each.accessibleName() == texts.NOTES]
    return field


def stop(hands: Hands) -> None:
    control = hands.window.controller.recording
    hands.wait(control.may_stop)
    hands.key(Qt.Key.Key_F9)
    hands.wait(lambda: control.state is RecordState.OFF)


def close_camera(hands: Hands) -> None:
    """End the session, and with it the recording."""
    control = hands.window.controller.recording
    hands.window.controller.stop()
    hands.wait(lambda: control.state is RecordState.OFF)


@pytest.mark.parametrize("end", [stop, close_camera], ids=lambda end: end.__name__)
def test_notes_that_are_taken_back_while_it_records_are_not_in_the_file(
    hands: Hands, recordings: Path, end: Callable[[Hands], None]
) -> None:
    hands.open_camera()
    field = field_of(hands)
    field.setFocus()
    hands.type_in("sub-12 coughs")
    hands.record()
    field.setFocus()
    hands.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    hands.key(Qt.Key.Key_Delete)
    end(hands)

    with Recording(only_file(recordings)) as file:
        assert file.notes == ""
