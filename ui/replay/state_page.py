"""What stands in the place of a recording while it is opened, or could not be."""

from typing import Final

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from ui.shell.theme import DARK, Theme, icon
from ui.texts import replay as texts


class StatePage(QWidget):
    """One icon, one title, one sentence, one button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._scale, self._name = DARK, 1.0, "replay"
        self._picture, self._title, self._text = QLabel(), QLabel(), QLabel()
        self._title.setProperty("role", "title")
        self._text.setProperty("role", "muted")
        self.to_list: Final = QPushButton(texts.TO_LIST)
        self.to_list.setToolTip(texts.TO_LIST_TIP)
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        centre = Qt.AlignmentFlag.AlignHCenter
        layout.addWidget(self._picture, 0, centre)
        for label in (self._title, self._text):
            label.setAlignment(centre)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            layout.addWidget(label)
        layout.addWidget(self.to_list, 0, centre)
        layout.addStretch(4)

    @property
    def sentence(self) -> str:
        """What is said."""
        return self._text.text()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        self._show(self._name, self._title.text(), self._text.text())

    def show_opening(self, what: str) -> None:
        """Say what is being opened."""
        self._show("replay", what, "")

    def show_failed(self, sentence: str) -> None:
        """Say what went wrong and what to do."""
        self._show("warning", texts.FAILED, sentence)

    def _show(self, name: str, title: str, text: str) -> None:
        self._name = name
        self._title.setText(title)
        self._text.setText(text)
        side = round(56 * self._scale)
        colour = self._theme.danger if name == "warning" else self._theme.muted
        self._picture.setPixmap(icon(name, colour).pixmap(QSize(side, side)))
