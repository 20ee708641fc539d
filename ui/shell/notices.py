"""What the window has to tell: sentences in rows above the page, never in the way, never modal."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.shell.eliding import WrappingLabel
from ui.shell.theme import DARK, Theme, icon
from ui.texts import shell as texts

log = logging.getLogger(__name__)

MOST: Final = 3
"""Rows at once; an older one makes room for a newer."""
SHOWN_MS: Final = 12_000
"""What is only good to know goes by itself after this time."""


class Severity(Enum):
    """How much a notice matters: what is only good to know goes by itself."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that the user can do about a notice, on a button."""

    text: str
    act: Callable[[], object]


class Notices(QWidget):
    """At most `MOST` notices, newest last."""

    def __init__(self, details: Callable[[str], str], parent: QWidget | None = None) -> None:
        """Show none.

        Parameters
        ----------
        details
            Adds to a sentence what a maintainer asks for: versions, system, the end of the log.
        """
        super().__init__(parent)
        self._details = details
        self._theme, self._scale = DARK, 1.0
        self._rows: list[_Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self.setAccessibleName(texts.NOTICES)
        self.hide()

    @property
    def sentences(self) -> list[str]:
        """What is shown, oldest first."""
        return [row.sentence for row in self._rows]

    @property
    def worst(self) -> str:
        """Newest error that is shown; empty if none is."""
        errors = [row.sentence for row in self._rows if row.severity is Severity.ERROR]
        return errors[-1] if errors else ""

    def tell(
        self,
        sentence: str,
        severity: Severity = Severity.INFO,
        remedies: Sequence[Remedy] = (),
        key: str = "",
        *,
        lasting: bool = False,
    ) -> None:
        """Show a notice.

        Parameters
        ----------
        sentence
            What happened and what to do.
        remedies
            Buttons beside it; the notice goes when one is pressed.
        key
            A notice of the same key is replaced; without one, one of the same sentence is counted.
        lasting
            Whether it stays until it is dismissed; warnings and errors always do.
        """
        log.log(_LEVELS[severity], "%s", sentence)
        same = next((row for row in self._rows if _is_same(row, sentence, key)), None)
        times = 1
        if same is not None:
            times += same.times if same.sentence == sentence else 0
            self._drop(same)
        while len(self._rows) >= MOST:
            self._drop(min(self._rows, key=lambda row: _LEVELS[row.severity]))
        row = _Row(sentence, severity, remedies, key, times, self.copy_details)
        row.on_closed(self._drop)
        if severity is Severity.INFO and not lasting:
            row.go_after(SHOWN_MS)
        row.set_theme(self._theme, self._scale)
        self._rows.append(row)
        self._layout.addWidget(row)
        self.show()

    def copy_details(self, sentence: str) -> None:
        """Copy a sentence and what a maintainer asks for beside it."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details(sentence))

    def dismiss(self, key: str) -> None:
        """Take away the notice of this key, if it is shown."""
        for row in [row for row in self._rows if row.key == key]:
            self._drop(row)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        margin = round(8 * scale)
        self._layout.setContentsMargins(margin, round(6 * scale), margin, 0)
        for row in self._rows:
            row.set_theme(theme, scale)

    def _drop(self, row: "_Row") -> None:
        if row in self._rows:
            self._rows.remove(row)
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))


class _Row(QFrame):
    """One sentence, its remedies, and a way to be rid of it."""

    def __init__(
        self,
        sentence: str,
        severity: Severity,
        remedies: Sequence[Remedy],
        key: str,
        times: int,
        copy: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.sentence, self.severity, self.key, self.times = sentence, severity, key, times
        self._drop: Callable[[_Row], None] = lambda _: None
        self.setProperty("role", "notice")
        self.setAccessibleName(sentence)
        self._sign = QLabel()
        text = sentence if times == 1 else texts.told_times(sentence, times)
        self._text = WrappingLabel(text)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._text, 1)
        for remedy in remedies:
            layout.addWidget(self._button(remedy.text, remedy.act, closes=True))
        if severity is not Severity.INFO:
            button = self._button(texts.COPY_DETAILS, lambda: copy(sentence), closes=False)
            button.setToolTip(texts.COPY_DETAILS_TIP)
            layout.addWidget(button)
        self._close = QToolButton()
        self._close.setAccessibleName(texts.DISMISS)
        self._close.setToolTip(texts.DISMISS)
        self._close.setProperty("role", "flat")
        self._close.clicked.connect(lambda: self._drop(self))
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)

    def go_after(self, milliseconds: int) -> None:
        """Be dropped after this time."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(lambda: self._drop(self))
        timer.start(milliseconds)

    def on_closed(self, drop: Callable[["_Row"], None]) -> None:
        """Call `drop` when the notice is to go."""
        self._drop = drop

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        side = round(18 * scale)
        name, colour = {
            Severity.INFO: ("info", theme.accent),
            Severity.WARNING: ("warning", theme.warning),
            Severity.ERROR: ("warning", theme.danger),
        }[self.severity]
        self._sign.setPixmap(icon(name, colour).pixmap(QSize(side, side)))
        self._close.setIcon(icon("close", theme.text))
        self._close.setIconSize(QSize(round(12 * scale), round(12 * scale)))
        edge = f"border-left: {max(3, round(3 * scale))}px solid {colour};"
        self.setStyleSheet(f'QFrame[role="notice"] {{ {edge} }}')

    def _button(self, text: str, act: Callable[[], object], *, closes: bool) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("role", "link")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # it goes when it is pressed

        def on_clicked() -> None:
            if closes:
                self._drop(self)
            act()

        button.clicked.connect(on_clicked)
        return button


def _is_same(row: _Row, sentence: str, key: str) -> bool:
    return row.key == key if key else row.sentence == sentence


_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}
