"""Markers by key and button: the moment of the press, and five seconds to take it back."""

from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from thermoseg.marks import UNDO_S, Mark
from thermoseg.study_file import Condition
from ui.shell.eliding import WrappingLabel, eliding_label, say
from ui.shell.theme import Theme, pad
from ui.texts import live as texts

COLUMNS: Final = 2
SHORT_COLUMNS: Final = 5
"""Columns where the buttons have a number and no name."""

LETTER_PIXELS: Final = 9
"""Room for one letter at scale 1."""


class MarkerPanel(QFrame):
    """One button for each marker, one for each condition, and the last mark with its undo."""

    marked = pyqtSignal(int)
    """Number of the marker, counted from 0."""
    begun = pyqtSignal(int)
    """Number of the condition that begins, counted from 0."""
    taken_back = pyqtSignal(object)
    """The `Mark` that was one too many."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._last: Mark | None = None
        self._names: tuple[str, ...] = ()
        self._conditions: tuple[Condition, ...] = ()
        self._buttons: list[QPushButton] = []
        self._columns = COLUMNS
        self._grid = QGridLayout()
        self._grid.setSpacing(6)
        self._said = WrappingLabel(texts.NO_MARK, role="muted")
        self._undo = QPushButton(texts.UNDO)
        self._undo.setProperty("role", "link")
        self._undo.setAccessibleName(texts.UNDO_MARK)
        self._undo.clicked.connect(self._on_undo)
        self._undo.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._undo.hide)
        row = QHBoxLayout()
        row.addWidget(self._said, 1)
        row.addWidget(self._undo)
        layout = QVBoxLayout(self)
        layout.addLayout(self._grid)
        layout.addLayout(row)

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        pad(self, scale)

    def set_names(self, names: Sequence[str], conditions: Sequence[Condition] = ()) -> None:
        """Offer these markers and conditions."""
        if (tuple(names), tuple(conditions)) == (self._names, self._conditions):
            return
        self._names, self._conditions = tuple(names), tuple(conditions)
        for button in self._buttons:
            self._grid.removeWidget(button)
            button.deleteLater()
        self._buttons = []
        named = any(len(texts.marker(at, name)) > 1 for at, name in enumerate(self._names, 1))
        self._columns = COLUMNS if named or self._conditions else SHORT_COLUMNS
        for place, name in enumerate(self._names):
            self._add(texts.marker(place + 1, name), place, self.marked.emit)
        for place, condition in enumerate(self._conditions):
            self._add(texts.condition(condition.name, condition.duration_s), place, self.begun.emit)

    def set_able(self, able: bool) -> None:
        """Allow marking, or not while no session runs."""
        for button in self._buttons:
            button.setEnabled(able)

    def show_mark(self, mark: Mark) -> None:
        """Say what was marked, and offer to take it back."""
        self._last = mark
        self._said.setText(texts.marked(mark.label, mark.begin_s))
        self._undo.show()
        self._timer.start(round(1000 * UNDO_S))

    def show_taken_back(self, mark: Mark, *, done: bool) -> None:
        """Say whether a mark was taken back."""
        self._undo.hide()
        self._said.setText(texts.taken_back(mark.label) if done else texts.TOO_LATE)

    def clear(self) -> None:
        """Say nothing of a mark of the session before."""
        self._last = None
        self._undo.hide()
        self._said.setText(texts.NO_MARK)

    def _add(self, text: str, place: int, act: object) -> None:
        button = QPushButton()
        button.setAccessibleName(text)
        button.setMinimumWidth(LETTER_PIXELS * 4)
        label = eliding_label(Qt.TextElideMode.ElideRight)
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        label.setMinimumWidth(min(label.minimumWidth(), LETTER_PIXELS * len(text)))
        say(label, text)
        inside = QHBoxLayout(button)
        inside.setContentsMargins(8, 0, 8, 0)
        inside.addWidget(label)
        button.setToolTip(text)
        button.clicked.connect(lambda: act(place))  # type: ignore[operator]
        number = len(self._buttons)
        self._grid.addWidget(button, *divmod(number, self._columns))
        self._buttons.append(button)

    def _on_undo(self) -> None:
        if self._last is not None:
            self.taken_back.emit(self._last)
