"""A line of text that gives up some of itself rather than ask for a wider window."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QFontMetrics, QResizeEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy

LEAST_PIXELS = 40
"""Narrower it cannot be read anyway."""


class ElidedLabel(QLabel):
    """Shows as much of its text as there is room for; the tool tip has the whole."""

    def __init__(self, mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle) -> None:
        """Show nothing yet.

        Parameters
        ----------
        mode
            Which part is given up.
        """
        super().__init__()
        self._mode = mode
        self._whole = ""
        self.setMinimumWidth(LEAST_PIXELS)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def whole(self) -> str:
        """The text, shown or not."""
        return self._whole

    def set_text(self, text: str, tip: str = "") -> None:
        """Show `text`; the tool tip is `tip`, or the whole text."""
        self.setToolTip(tip or text)
        if text != self._whole:
            self._whole = text
            self._elide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Fit the text to the new width."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        metrics = QFontMetrics(self.font())
        room = max(LEAST_PIXELS, self.width())
        self.setText(metrics.elidedText(self._whole, self._mode, room))
