"""The field for the notes of a recording, which holds what the file has room for and no more."""

from typing import Final

from PyQt6.QtCore import QMimeData, Qt, pyqtSignal
from PyQt6.QtGui import QInputMethodEvent, QKeyEvent
from PyQt6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from thermoseg.recording.layout import NOTES_BYTES, encode_text
from ui.shell.eliding import WrappingLabel
from ui.texts import live as texts

CONTROL: Final = Qt.KeyboardModifier.ControlModifier


class NotesField(QWidget):
    """Text of at most `NOTES_BYTES` as UTF-8; what does not fit is refused, and that is said."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit = _FiniteEdit()
        self._edit.setPlaceholderText(texts.NOTES_HINT)
        self._edit.setAccessibleName(texts.NOTES)
        self._edit.setTabChangesFocus(True)
        self._edit.refused.connect(self._on_refused)
        self._complaint = WrappingLabel(role="danger")
        self._complaint.hide()
        self.setFocusProxy(self._edit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._edit)
        column.addWidget(self._complaint)

    @property
    def text(self) -> str:
        """What is written, without blanks around it."""
        return self._edit.toPlainText().strip()

    def clear(self) -> None:
        """Begin anew; nothing can be undone."""
        self._edit.clear()

    def set_height(self, pixels: int) -> None:
        """Give the text this much room."""
        self._edit.setFixedHeight(pixels)

    def hold(self, held: bool) -> None:
        """Let nothing be written while `held`."""
        self._edit.setReadOnly(held)

    def _on_refused(self, characters: int) -> None:
        if characters:
            self._complaint.setText(texts.notes_refused(characters, NOTES_BYTES))
        self._complaint.setVisible(characters > 0)


class _FiniteEdit(QPlainTextEdit):
    """Takes what is typed, pasted or dropped as far as there is room, before it is laid out."""

    refused = pyqtSignal(int)
    """So many characters did not fit; 0 once something did."""

    def __init__(self) -> None:
        super().__init__()
        self.textChanged.connect(lambda: self.refused.emit(0))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Take a character if there is room for it."""
        if event is not None and self._is_full_for(event):
            event.accept()
            self.refused.emit(1)
            return
        super().keyPressEvent(event)

    def inputMethodEvent(self, event: QInputMethodEvent | None) -> None:  # noqa: N802  # Qt's name
        """Take what is composed, as far as there is room."""
        text = "" if event is None else event.commitString()
        fitting = encode_text(text, self._room()).decode()
        if event is not None and len(fitting) < len(text):
            event.setCommitString(fitting)
        super().inputMethodEvent(event)
        self._tell_left(text, fitting)

    def insertFromMimeData(self, source: QMimeData | None) -> None:  # noqa: N802  # Qt's name
        """Take as much of what is pasted or dropped as there is room for."""
        text = "" if source is None else source.text().replace("\r\n", "\n")
        fitting = encode_text(text, self._room()).decode()
        part = QMimeData()
        part.setText(fitting)
        super().insertFromMimeData(part)
        self._tell_left(text, fitting)

    def _is_full_for(self, event: QKeyEvent) -> bool:
        written = not self.isReadOnly() and _writes(event)
        return written and self._room() < _size(event.text())

    def _tell_left(self, text: str, fitting: str) -> None:
        if len(fitting) < len(text):
            self.refused.emit(len(text) - len(fitting))

    def _room(self) -> int:
        """Return how many bytes may take the place of what is selected."""
        chosen = self.textCursor().selectedText().replace("\u2029", "\n")
        return max(0, NOTES_BYTES - _size(self.toPlainText()) + _size(chosen))


def _writes(event: QKeyEvent) -> bool:
    """Tell whether a key inserts its text, and does not move, delete or command."""
    if event.modifiers() in (CONTROL, CONTROL | Qt.KeyboardModifier.ShiftModifier):
        return False
    if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return True
    return event.text().isprintable() and event.text() != ""


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
