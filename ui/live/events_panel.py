"""What has happened to the session, to be read and copied."""

from collections.abc import Sequence

from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from thermoseg.events import SessionEvent, events_after
from ui.texts import live as texts


class EventsPanel(QWidget):
    """The events of the session that runs, the newest in sight."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._last: SessionEvent | None = None
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setMaximumBlockCount(2000)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setPlaceholderText(texts.NO_EVENTS)
        self._text.setAccessibleName(texts.EVENTS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text)

    @property
    def text(self) -> str:
        """Text of the list."""
        return self._text.toPlainText()

    def show_events(self, events: Sequence[SessionEvent]) -> None:
        """Add those that are new; an empty list clears."""
        if not events:
            self._last = None
            if self._text.toPlainText():
                self._text.clear()
            return
        for event in events_after(events, self._last):
            self._text.appendPlainText(f"{event.time_s:8.1f} s  {event.text}")
        self._last = events[-1]
