"""Lines of text that give up some of themselves rather than ask for a wider window."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QSizePolicy
from superqt import QElidingLabel

LEAST_PIXELS = 40
"""Narrower it cannot be read anyway."""


def eliding_label(mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle) -> QElidingLabel:
    """Make a label that shows as much of its text as there is room for.

    Parameters
    ----------
    mode
        Which part is given up.
    """
    label = QElidingLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setElideMode(mode)
    label.setMinimumWidth(LEAST_PIXELS)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def say(label: QElidingLabel, text: str, tip: str = "") -> None:
    """Show `text`; the tool tip is `tip`, or the whole text."""
    if text != label.text():
        label.setText(text)
    label.setToolTip(tip or text)


def breakable(path: str) -> str:
    """Let a label break a path into lines, after each / and _."""
    return path.replace("/", "/\u200b").replace("_", "_\u200b")
