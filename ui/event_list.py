"""What has happened to the camera since it was opened, to be read and copied."""

from collections.abc import Sequence

from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from thermoseg.events import SessionEvent

NOTHING = "Nothing has happened yet: no loss, no correction, no broken picture."


class EventList(QDialog):
    """A window beside the main one; it may stay open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Events")
        self.resize(820, 320)
        self._shown: tuple[SessionEvent, ...] = ()
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setPlaceholderText(NOTHING)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._text)
        layout.addWidget(buttons)

    @property
    def text(self) -> str:
        """Text of the list."""
        return self._text.toPlainText()

    def show_events(self, events: Sequence[SessionEvent]) -> None:
        """List these, oldest first; the last one is in sight."""
        if tuple(events) == self._shown:
            return
        self._shown = tuple(events)
        self._text.setPlainText("\n".join(f"{e.time_s:8.1f} s   {e.text}" for e in events))
        bar = self._text.verticalScrollBar()
        if bar is not None:
            bar.setValue(bar.maximum())
