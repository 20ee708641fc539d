"""A row for each trace: its switch, its colour, its temperature or why there is none."""

from typing import Final

import numpy as np
from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter, QPen, QPixmap
from PyQt6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)
from superqt import QElidingLabel

from ui.plots.look import Look, Scale
from ui.shell.scrolled import Scrolled
from ui.shell.theme import numerals
from ui.texts import plots as texts

NAME_PIXELS: Final = 132
VALUE_PIXELS: Final = 126
"""Room for a temperature and its reservation, or a dash and its reason."""
LEAST_VALUE_PIXELS: Final = 102
"""Room for a temperature alone, where the plots have as little."""
DIFFERENCE_PIXELS: Final = 62
CHIP_PIXELS: Final = 14
SCROLL_BAR_PIXELS: Final = 10
WIDEST_VALUE: Final = "−00.00 °C"
"""Room is kept for it, so that reasons do not dance beside numbers."""
EDGES_PIXELS: Final = 22
"""What a button needs around its icon and its text."""


class ReadoutRow(QWidget):
    """Switches one trace and shows one value."""

    switched = pyqtSignal(bool)
    """The user wants to see the trace, or not."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._look: Look | None = None
        self._room = 0
        self._colour = ""
        self.button = QToolButton()
        self.button.setCheckable(True)
        self.button.setChecked(True)
        self.button.setProperty("role", "segment")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.toggled.connect(self._on_toggled)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._reason = QElidingLabel()
        self._reason.setProperty("role", "muted")
        self._reason.setAlignment(right)
        self._value = QLabel()
        self._difference = QLabel()
        self._difference.setAlignment(right)
        self._difference.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(self._reason, 1)
        layout.addWidget(self._value)
        layout.addWidget(self._difference)

    @property
    def text(self) -> str:
        """The temperature, or a dash."""
        return self._value.text()

    @property
    def reason(self) -> str:
        """Why there is none, or what to know about it."""
        return self._reason.text()

    @property
    def difference(self) -> str:
        """What is said of new minus stored; empty if nothing is."""
        return self._difference.text() if not self._difference.isHidden() else ""

    def set_look(self, look: Look, colour: str) -> None:
        """Take colours and sizes."""
        self._look, self._colour = look, colour
        scale = look.scale
        self.button.setFixedWidth(round(NAME_PIXELS * scale))
        font = numerals(9 * scale)
        self.button.setFont(font)
        self.button.setIconSize(QSize(round(CHIP_PIXELS * scale), round(CHIP_PIXELS * scale)))
        room = round((NAME_PIXELS - CHIP_PIXELS - EDGES_PIXELS) * scale)
        mode = Qt.TextElideMode.ElideRight
        self.button.setText(QFontMetrics(font).elidedText(self._name, mode, room))
        self._reason.setFont(numerals(8.5 * scale))
        self._reason.setMinimumWidth(0)
        self._difference.setFixedWidth(round(DIFFERENCE_PIXELS * scale))
        self._difference.setFont(numerals(8.5 * scale))
        self._difference.setStyleSheet(f"color: {look.theme.muted};")
        self._show_switch()

    def show_value(self, mean_c: float, reason: str, scale: Scale) -> None:
        """Write a temperature, °C, and its reservation, or a dash and why there is none."""
        known = np.isfinite(mean_c)
        text = f"{scale.value(mean_c):.2f} {scale.symbol}" if known else "—"
        reason = reason or ("" if known else texts.WAITING)
        if text != self._value.text():
            self._value.setText(text)
            self._value.setMinimumWidth(self._room if known else 0)
        if reason != self._reason.text():
            self._reason.setText(reason)
            self._reason.setToolTip(reason)

    def set_compared(self, compared: bool) -> None:
        """Leave room for new minus stored, or not."""
        self._difference.setVisible(compared)
        self._difference.setText("—")

    def show_difference(self, kelvin: float, scale: Scale) -> None:
        """Write new minus stored, kelvin; a dash for NaN."""
        said = f"{scale.factor * kelvin:+.2f} {scale.difference_symbol}".replace("-", "−")
        self._difference.setText(said if np.isfinite(kelvin) else "—")

    def set_fonts(self, value: QFont, colour: str) -> None:
        """Set the font and the colour of the value."""
        self._value.setFont(value)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._room = QFontMetrics(value).horizontalAdvance(WIDEST_VALUE)
        self._value.setStyleSheet(f"color: {colour};")

    def _on_toggled(self, on: bool) -> None:
        self._show_switch()
        self.switched.emit(on)

    def _show_switch(self) -> None:
        """Fill the chip of a trace that is shown, and say so for those who do not see it."""
        on = self.button.isChecked()
        said = (texts.SHOWN_TIP if on else texts.HIDDEN_TIP).format(name=self._name)
        self.button.setToolTip(said)
        self.button.setAccessibleName(said.split(";")[0])
        if self._look is not None:
            self.button.setIcon(_chip(self._colour, filled=on))
            ink = self._colour if on else self._look.theme.muted
            self.button.setStyleSheet(f"color: {ink}; text-align: left;")


class Readouts(QWidget):
    """All rows, below the moment of which they speak, and the place of the breathing rate."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = QLabel(texts.NOW)
        self._moment.setProperty("role", "muted")
        self._moment.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.rows: dict[str, ReadoutRow] = {}
        self.compared = False
        """Whether the rows have room for new minus stored."""
        self._breathing = QLabel(texts.BREATHING)
        self._rate = QLabel("—")
        self._rate.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._no_rate = QLabel(texts.NO_BREATHING)
        self._no_rate.setProperty("role", "muted")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)

    @property
    def said_moment(self) -> str:
        """The moment of which the rows speak."""
        return self._moment.text()

    def set_rows(self, rows: dict[str, ReadoutRow]) -> None:
        """Show these rows, in their order; rows that are no longer there are deleted."""
        while self._grid.count():
            item = self._grid.takeAt(0)
            widget = item.widget() if item is not None else None
            if isinstance(widget, ReadoutRow) and widget not in rows.values():
                widget.setParent(None)
                widget.deleteLater()
        self.rows = rows
        self._grid.addWidget(self._moment, 0, 0, 1, 2)
        for place, row in enumerate(rows.values(), start=1):
            self._grid.addWidget(row, place, 0, 1, 2)
        below = len(rows) + 1
        for line in range(self._grid.rowCount()):
            self._grid.setRowStretch(line, 0)
        self._grid.addWidget(self._breathing, below, 0)
        self._grid.addWidget(self._rate, below, 1)
        self._grid.addWidget(self._no_rate, below + 1, 0, 1, 2)
        self._grid.setRowStretch(below + 2, 1)

    def set_look(self, look: Look, colours: dict[str, str]) -> None:
        """Take colours and sizes."""
        scale, theme = look.scale, look.theme
        value = numerals(11 * scale, QFont.Weight.DemiBold)
        for region, row in self.rows.items():
            row.set_look(look, colours[region])
            row.set_fonts(value, theme.text)
        self._moment.setFont(numerals(8.5 * scale))
        self._breathing.setStyleSheet(f"color: {theme.text}; font-weight: 600;")
        self._breathing.setFont(numerals(9 * scale))
        self._rate.setFont(value)
        self._no_rate.setFont(numerals(8.5 * scale))
        self._grid.setContentsMargins(0, 0, 0, 0)

    def set_compared(self, compared: bool) -> None:
        """Leave room in every row for new minus stored, or not."""
        self.compared = compared
        for row in self.rows.values():
            row.set_compared(compared)

    def say_moment(self, text: str) -> None:
        """Write of which moment the rows speak."""
        if text != self._moment.text():
            self._moment.setText(text)


class ScrollSide(Scrolled):
    """Room for the rows beside the plots; more rows than fit are scrolled."""

    def __init__(self, rows: Readouts) -> None:
        super().__init__(rows)
        self._rows = rows

    def fit(self, scale: float) -> None:
        """Ask for the width of the rows and of a scroll bar; less, down to the bare values."""
        pixels = NAME_PIXELS + LEAST_VALUE_PIXELS + SCROLL_BAR_PIXELS
        if self._rows.compared:
            pixels += DIFFERENCE_PIXELS
        self.setMinimumWidth(round(pixels * scale))
        self.setMaximumWidth(round((pixels + VALUE_PIXELS - LEAST_VALUE_PIXELS) * scale))


def _chip(colour: str, *, filled: bool) -> QIcon:
    """Draw a piece of the curve: a thick line if it is shown, a hollow one if not."""
    side = 4 * CHIP_PIXELS
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colour), 4))
    if filled:
        painter.setBrush(QColor(colour))
    painter.drawRoundedRect(4, side // 2 - 9, side - 8, 18, 9, 9)
    painter.end()
    return QIcon(pixmap)
