"""What stands in the place of a page's content while there is none."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ui.shell.eliding import WrappingLabel
from ui.shell.theme import DARK, Theme, icon
from ui.texts.shell import COPY_DETAILS, COPY_DETAILS_TIP, FAILED

ICON_PIXELS = 56
BUSY_PIXELS = 180


class State(NamedTuple):
    """What is said."""

    icon: str
    title: str
    sentence: str = ""
    busy: bool = False
    """Whether something is at work, of which nobody knows how long it takes."""
    doors: bool = False
    """Whether the buttons are of use."""


def failed(sentence: str) -> State:
    """Return the state of what could not be opened, and why."""
    return State("warning", FAILED, sentence, doors=True)


class StatePage(QWidget):
    """One icon, one title, one sentence, and what the user can do next."""

    def __init__(
        self, state: State, doors: Sequence[QPushButton], copy_details: Callable[[str], None]
    ) -> None:
        """Say `state`; `copy_details` copies a sentence of a failure and what belongs to it."""
        super().__init__()
        self._theme, self._scale = DARK, 1.0
        self._state = State(state.icon, "")
        self._doors = doors
        self._picture = QLabel()
        self._title, self._sentence = WrappingLabel(role="title"), WrappingLabel(role="muted")
        self._busy = QProgressBar()
        self._busy.setTextVisible(False)
        self._busy.setRange(0, 0)
        centre = Qt.AlignmentFlag.AlignHCenter
        for label in (self._title, self._sentence):
            label.setAlignment(centre)
        self._sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy = QPushButton(COPY_DETAILS)
        self._copy.setToolTip(COPY_DETAILS_TIP)
        self._copy.setProperty("role", "link")
        self._copy.clicked.connect(lambda: copy_details(self.sentence))
        row = QHBoxLayout()
        row.addStretch(1)
        for door in (*doors, self._copy):
            row.addWidget(door)
        row.addStretch(1)
        self._layout = QVBoxLayout(self)
        self._layout.addStretch(3)
        self._layout.addWidget(self._picture, 0, centre)
        self._layout.addWidget(self._title)
        self._layout.addWidget(self._sentence)
        self._layout.addWidget(self._busy, 0, centre)
        self._layout.addLayout(row)
        self._layout.addStretch(4)
        self.show_state(state)

    @property
    def sentence(self) -> str:
        """What is said below the title."""
        return self._sentence.text()

    def show_state(self, state: State) -> None:
        """Say something else."""
        if state == self._state:
            return
        self._state = state
        self._title.setText(state.title)
        self._sentence.setText(state.sentence)
        self._sentence.setVisible(bool(state.sentence))
        self._busy.setVisible(state.busy)
        for door in self._doors:
            door.setVisible(state.doors)
        self._copy.setVisible(state.icon == "warning")
        self._show_icon()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        self._busy.setFixedWidth(round(BUSY_PIXELS * scale))
        edge = round(24 * scale)
        self._layout.setContentsMargins(edge, edge, edge, edge)
        self._layout.setSpacing(round(10 * scale))
        self._show_icon()

    def _show_icon(self) -> None:
        side = round(ICON_PIXELS * self._scale)
        bad = self._state.icon == "warning"
        colour = self._theme.danger if bad else self._theme.muted
        self._picture.setPixmap(icon(self._state.icon, colour).pixmap(QSize(side, side)))
