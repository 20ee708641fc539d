"""The colours between the limits, with ticks."""

from typing import Final

import numpy as np
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from thermoseg.palettes import ALARM, colours_of
from ui.picture.span import Limits
from ui.picture.units import Unit
from ui.shell.theme import Theme, numerals

TICK_STEPS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Distances between ticks that are easy to count in, any unit."""


def tick_step(length: float, ticks: int) -> float:
    """Return the distance at which a scale of `length` has at most so many ticks."""
    return next((step for step in TICK_STEPS if length / step <= ticks), TICK_STEPS[-1])


LEAST_HEIGHT: Final = 24
"""Pixels below which no colours can be told apart."""


class ColourScale(QWidget):
    """Draws which colour is which temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.inset = 6.0
        """Free above and below, so that the ends meet those of the slider, pixels."""
        self._span = self._limits = (0.0, 1.0)
        self._isotherm: Limits | None = None
        self._unit: Unit | None = None
        self._image = QImage()
        self._ends = (QColor(), QColor())
        self._theme: Theme | None = None
        self.setMinimumHeight(LEAST_HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of `theme`."""
        self._theme = theme
        self.update()

    def set_palette(self, name: str) -> None:
        """Show the colours of a palette of `thermoseg.palettes`."""
        colours = colours_of(name)
        column = np.ascontiguousarray(colours[::-1])
        image = QImage(column.tobytes(), 1, len(column), 3, QImage.Format.Format_RGB888)
        self._image = image.copy()
        self._ends = QColor(*map(int, colours[0])), QColor(*map(int, colours[-1]))
        self.update()

    def show_span(
        self, span_c: Limits, limits_c: Limits, unit: Unit | None, isotherm_c: Limits | None
    ) -> None:
        """Show colours over `span_c` on a scale of `limits_c`; no unit for no picture."""
        self._span, self._limits, self._unit = span_c, limits_c, unit
        self._isotherm = isotherm_c
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802  # Qt's name
        """Draw bar, isotherm and ticks."""
        if self._theme is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = max(12.0, self.width() * 0.3)
        bar = QRectF(2, self.inset, width, self.height() - 2 * self.inset)
        if self._unit is None:
            painter.fillRect(bar, QColor(self._theme.field))
            return
        low_y, high_y = self._y(self._span[0]), self._y(self._span[1])
        painter.fillRect(QRectF(bar.left(), high_y, width, bar.bottom() - high_y), self._ends[0])
        painter.fillRect(QRectF(bar.left(), bar.top(), width, low_y - bar.top()), self._ends[1])
        painter.drawImage(QRectF(bar.left(), high_y, width, low_y - high_y), self._image)
        if self._isotherm is not None:
            low, high = (self._y(value) for value in self._isotherm)
            band = QRectF(bar.left(), high, width, max(2.0, low - high))
            painter.fillRect(band.intersected(bar), QColor(*ALARM))
        painter.setPen(QPen(QColor(self._theme.line), 1))
        painter.drawRect(bar)
        self._draw_ticks(painter, bar, self._unit)

    def _draw_ticks(self, painter: QPainter, bar: QRectF, unit: Unit) -> None:
        font = numerals(self.font().pointSizeF() * 0.86)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        low, high = (unit.of(limit) for limit in self._limits)
        step = tick_step(high - low, max(2, int(bar.height() / (3.2 * metrics.height()))))
        first = int(np.ceil(low / step - 1e-6))
        for count in range(first, int(np.floor(high / step + 1e-6)) + 1):
            value = count * step
            y = self._y(unit.to_celsius(value))
            painter.setPen(QPen(QColor(self._theme.muted if self._theme else "#808080"), 1))
            painter.drawLine(int(bar.right()) + 2, round(y), int(bar.right()) + 6, round(y))
            painter.drawText(
                QRectF(bar.right() + 9, y - metrics.height() / 2, 60, metrics.height()),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                f"{value:.{1 if step < 1 else 0}f}",
            )

    def _y(self, value_c: float) -> float:
        low, high = self._limits
        share = (value_c - low) / max(high - low, 1e-9)
        return self.height() - self.inset - share * (self.height() - 2 * self.inset)
