"""Notes of a recording as they are typed, pasted, taken back and saved."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QInputMethodEvent, QKeyEvent
from PyQt6.QtWidgets import QApplication, QPlainTextEdit

from tests.ui.window_parts import Hands, only_file, words_in
from thermoseg.recording.layout import NOTES_BYTES
from thermoseg.recording.reader import Recording
from thermoseg.recording.status import RecordingSummary
from thermoseg.session_recording import SessionRecording
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


def paste(hands: Hands, text: str) -> None:
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setText(text)
    hands.key(Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


@pytest.mark.parametrize(
    "character", ["x", "ä", "👃", "ab\n"], ids=["x", "umlaut", "nose", "lines"]
)
def test_a_long_paste_is_cut_at_what_the_file_holds_and_that_is_said(
    hands: Hands, recordings: Path, character: str
) -> None:
    hands.open_camera()
    hands.record()
    field = field_of(hands)
    field.setFocus()
    hands.type_in("1 ")
    paste(hands, character * 100_000)
    shown = field.toPlainText()
    assert NOTES_BYTES - 4 < len(shown.encode()) <= NOTES_BYTES
    left = len(character) * 100_000 - (len(shown) - len("1 "))
    assert texts.notes_refused(left, NOTES_BYTES) in words_in(hands.live.desk.panel)

    stop(hands)
    with Recording(only_file(recordings)) as file:
        assert file.notes == shown.strip()


def test_what_is_typed_beyond_the_end_is_refused_where_it_is_typed(hands: Hands) -> None:
    hands.open_camera()
    field = field_of(hands)
    field.setFocus()
    full = "begin " + "x" * (NOTES_BYTES - 6)
    paste(hands, full)
    assert "not fit" not in " ".join(words_in(hands.live.desk.panel))
    hands.key(Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    hands.type_in("a")
    assert field.toPlainText() == full
    assert texts.notes_refused(1, NOTES_BYTES) in words_in(hands.live.desk.panel)

    hands.key(Qt.Key.Key_Delete)
    assert "not fit" not in " ".join(words_in(hands.live.desk.panel))
    umlaut = QKeyEvent(
        QEvent.Type.KeyPress, Qt.Key.Key_Adiaeresis, Qt.KeyboardModifier.NoModifier, "ä"
    )
    QApplication.sendEvent(field, umlaut)
    assert field.toPlainText() == full[1:], "two bytes where there is room for one"
    hands.type_in("B")
    assert field.toPlainText() == "B" + full[1:]
    for _ in range(4):
        hands.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert len(field.toPlainText()) <= NOTES_BYTES
    assert field.toPlainText() == ""


def test_what_is_composed_is_cut_at_what_the_file_holds(hands: Hands) -> None:
    hands.open_camera()
    field = field_of(hands)
    field.setFocus()
    paste(hands, "x" * (NOTES_BYTES - 4))
    composed = QInputMethodEvent()
    composed.setCommitString("鼻鼻")
    QApplication.sendEvent(field, composed)

    assert field.toPlainText().strip("x") == "鼻"
    assert texts.notes_refused(1, NOTES_BYTES) in words_in(hands.live.desk.panel)
    hands.key(Qt.Key.Key_Return)
    hands.key(Qt.Key.Key_Return)
    assert len(field.toPlainText().encode()) == NOTES_BYTES


def test_a_paste_may_take_the_place_of_what_is_selected(hands: Hands) -> None:
    hands.open_camera()
    field = field_of(hands)
    field.setFocus()
    paste(hands, "x" * NOTES_BYTES)
    hands.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    paste(hands, "y" * NOTES_BYTES)

    assert field.toPlainText() == "y" * NOTES_BYTES
    assert "not fit" not in " ".join(words_in(hands.live.desk.panel))


def test_nothing_can_be_written_into_notes_that_are_being_saved(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are cleared when they are saved."""
    slow, finish = threading.Event(), SessionRecording.stop

    def stop_slowly(self: SessionRecording, **options: Any) -> RecordingSummary:
        slow.wait(10)
        return finish(self, **options)

    monkeypatch.setattr(SessionRecording, "stop", stop_slowly)
    hands.open_camera()
    hands.record()
    field = field_of(hands)
    field.setFocus()
    hands.type_in("calm")
    hands.wait(hands.window.controller.recording.may_stop)
    hands.key(Qt.Key.Key_F9)
    hands.wait(lambda: hands.window.controller.recording.state is RecordState.STOPPING)
    hands.type_in(" and cold")
    assert field.toPlainText() == "calm"
    slow.set()
    hands.wait(lambda: not hands.window.controller.recording.state.active)
    assert field.toPlainText() == ""
    hands.type_in("next")
    assert field.toPlainText() == "next"
