"""Kinds of camera that cannot be used yet, with what each lacks, to be read and copied."""

from collections.abc import Sequence

from PyQt6.QtWidgets import QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from thermoseg.cameras import CameraListing
from ui.texts import live as texts


class LackingPanel(QWidget):
    """A text with one paragraph for each."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(texts.LACKING)
        self._copy = QPushButton(texts.COPY)
        self._copy.clicked.connect(self._on_copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text)
        layout.addWidget(self._copy)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.toPlainText()

    def show_cameras(self, listings: Sequence[CameraListing]) -> None:
        """Say of each that has a problem what to do."""
        lacking = [each for each in listings if each.problem]
        text = "\n\n".join(f"{each.title}: {each.problem}" for each in lacking)
        if text != self.text:
            self._text.setPlainText(text)

    def _on_copy(self) -> None:
        self._text.selectAll()
        self._text.copy()
