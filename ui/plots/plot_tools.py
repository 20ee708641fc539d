"""The buttons above the plots: which stretch of time, follow or hold still, save."""

from typing import Final

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from ui.plots.look import Look
from ui.plots.time_window import WHOLE
from ui.shell.theme import icon
from ui.texts import plots as texts

ICON_PIXELS: Final = 16
"""Size of an icon at scale 1."""


class PlotTools(QWidget):
    """Says what the user wants; decides nothing."""

    stepped = pyqtSignal(int)
    """−1: earlier, 1: later."""
    length_chosen = pyqtSignal(float)
    """Seconds to show, infinite for all."""
    follow_chosen = pyqtSignal(bool)
    """Follow the newest sample or the played moment, or hold still."""
    picture_asked = pyqtSignal()
    """The user wants a picture of the plots."""
    table_asked = pyqtSignal()
    """The user wants the values as a table."""

    def __init__(self) -> None:
        super().__init__()
        self._state = QLabel()
        self._state.setProperty("role", "warning")
        self.earlier = _button(texts.EARLIER, texts.EARLIER_TIP)
        self.later = _button(texts.LATER, texts.LATER_TIP)
        self.length = QComboBox()
        self.length.setAccessibleName(texts.LENGTH)
        self.length.setToolTip(texts.LENGTH)
        for seconds, name in texts.LENGTHS.items():
            self.length.addItem(name, seconds)
        self.follow = _button(texts.NOW_BUTTON, texts.NOW_TIP)
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        self.follow.setText(texts.NOW_BUTTON)
        self.follow.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.picture = _button(texts.SAVE_PICTURE, texts.SAVE_PICTURE)
        self.table = _button(texts.SAVE_TABLE, texts.SAVE_TABLE)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._state)
        self.length.setProperty("role", "compact")
        self.length.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.length.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        for widget in (self.earlier, self.later, self.length, self.follow):
            layout.addWidget(widget)
        layout.addSpacing(6)
        layout.addWidget(self.picture)
        layout.addWidget(self.table)
        self.earlier.clicked.connect(lambda: self.stepped.emit(-1))
        self.later.clicked.connect(lambda: self.stepped.emit(1))
        self.length.activated.connect(self._on_length_activated)
        self.follow.clicked.connect(self.follow_chosen)
        self.picture.clicked.connect(self.picture_asked)
        self.table.clicked.connect(self.table_asked)

    @property
    def state(self) -> str:
        """What is said of the plots: nothing, or that they are held still."""
        return self._state.text()

    def set_look(self, look: Look) -> None:
        """Take colours and sizes."""
        text, accent = look.theme.text, look.theme.accent
        side = round(ICON_PIXELS * look.scale)
        for button in (self.earlier, self.later, self.follow, self.picture, self.table):
            button.setIconSize(QSize(side, side))
        self.earlier.setIcon(icon("earlier", text))
        self.later.setIcon(icon("later", text))
        self.picture.setIcon(icon("picture", text))
        self.table.setIcon(icon("table", text))
        self.follow.setIcon(icon("now", text, checked=accent))

    def set_recorded(self, recorded: bool) -> None:
        """Name the button by what it follows: the played moment of a recording, or now."""
        self.follow.setText(texts.CURSOR_BUTTON if recorded else texts.NOW_BUTTON)
        tip = texts.CURSOR_TIP if recorded else texts.NOW_TIP
        self.follow.setToolTip(tip)
        self.follow.setAccessibleName(self.follow.text())
        self.follow.setAccessibleDescription(tip)

    def show_window(self, length_s: float, follows: bool) -> None:
        """Show how much time is seen, and whether the plots follow."""
        self.follow.setChecked(follows)
        self._state.setText("" if follows else texts.PAUSED)
        place = self.length.findData(length_s)
        if place < 0:
            self.length.setPlaceholderText(texts.say_length(length_s))
        self.length.setCurrentIndex(place)

    def _on_length_activated(self, place: int) -> None:
        seconds = self.length.itemData(place)
        self.length_chosen.emit(WHOLE if seconds is None else float(seconds))


def _button(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setProperty("role", "compact")
    button.setAccessibleName(name)
    button.setToolTip(tip)
    return button
