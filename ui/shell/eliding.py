"""Lines of text that give up some of themselves, or break, rather than ask for a wider window."""

import re
from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QSizePolicy
from superqt import QElidingLabel

LEAST_PIXELS = 40
"""Narrower it cannot be read anyway."""
HERE: Final = "\u200b"
"""Takes no room; a line may break there."""
LONG_WORD: Final = re.compile(rf"[^\s\-{HERE}]{{17,}}")
"""Longer than most lines have room for, and than the words of any sentence of ours."""


class WrappingLabel(QLabel):
    """Text in as many lines as it needs, whatever names are in it."""

    def __init__(self, text: str = "", role: str = "") -> None:
        super().__init__()
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        if role:
            self.setProperty("role", role)
        self.setText(text)

    def setText(self, text: str | None) -> None:  # noqa: N802  # Qt's name
        """Show another text."""
        self._whole = text or ""
        super().setText(breakable(self._whole))

    def text(self) -> str:
        """Return the text as it was given."""
        return self._whole


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


def breakable(text: str) -> str:
    """Let a text break into lines: after each / and _ of a path, and anywhere in a long word."""
    text = text.replace("/", f"/{HERE}").replace("_", f"_{HERE}")
    return LONG_WORD.sub(lambda word: HERE.join(word.group()), text)
