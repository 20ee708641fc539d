"""The scale beside the picture: which colour is which temperature, and who decides."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider

from ui.picture.palettes import colours_of
from ui.picture.span import Limits, SpanMode
from ui.shell.theme import Theme, numerals

TICK_STEPS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Distances between ticks that are easy to count in, °C or counts."""

ROOM: Final = 0.3
"""How far the scale reaches beyond the span on both sides, in spans, so that one can drag there."""


class TemperatureBar(QWidget):
    """Shows the span of the colours and lets the user take hold of it."""

    span_locked = pyqtSignal(float, float)
    """The user chose these limits, °C or counts."""
    mode_chosen = pyqtSignal(object)
    """The `SpanMode` that the user wants."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._radiometric = True
        self._high = _Limit("Temperature of the last colour")
        self._low = _Limit("Temperature of the first colour")
        self._unit = QLabel()
        self._unit.setProperty("role", "heading")
        self._unit.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._scale = _Scale()
        self._slider = QDoubleRangeSlider(  # type: ignore[no-untyped-call]
            Qt.Orientation.Vertical
        )
        self._slider.setToolTip("Drag to choose which temperatures the colours cover")
        self._mode = QComboBox()
        self._mode.addItems([mode.value for mode in SpanMode])
        self._mode.setToolTip("What the colours follow: face, scene, or nothing (L to lock)")
        self._mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._before_lock = SpanMode.FACE
        self._shown: tuple[Limits, Limits, bool] | None = None
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._slider)
        middle.addWidget(self._scale, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._unit)
        layout.addWidget(self._high)
        layout.addLayout(middle, 1)
        layout.addWidget(self._low)
        layout.addWidget(self._mode)
        self._slider.valueChanged.connect(self._on_slid)
        self._high.valueChanged.connect(self._on_typed)
        self._low.valueChanged.connect(self._on_typed)
        self._mode.activated.connect(self._on_mode_activated)
        self.clear()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme = theme
        self.setFixedWidth(round(86 * scale))
        self._scale.set_theme(theme)
        self._slider.setStyleSheet(
            f"QSlider {{ qproperty-barColor: {theme.accent}; }}"
            f"QSlider::groove:vertical {{ background: {theme.line}; width: {round(4 * scale)}px;"
            f" border-radius: {round(2 * scale)}px; }}"
            f"QSlider::handle:vertical {{ background: {theme.text}; height: {round(12 * scale)}px;"
            f" margin: 0 -{round(4 * scale)}px; border-radius: {round(6 * scale)}px; }}"
        )
        self._scale.inset = round(12 * scale) / 2

    def set_palette(self, name: str) -> None:
        """Show the colours of a palette of `ui.picture.palettes`."""
        self._scale.set_colours(colours_of(name))

    def show_span(self, span_c: Limits, mode: SpanMode, radiometric: bool) -> None:
        """Show these limits, and who decides.

        Parameters
        ----------
        span_c
            °C, or counts if not `radiometric`.
        """
        self.setEnabled(True)
        self._radiometric = radiometric
        if mode is not SpanMode.LOCKED:
            self._before_lock = mode
        self._mode.setCurrentText(mode.value)
        if self._slider.isSliderDown():
            return
        limits = self._limits_around(span_c)
        rounded = (round(span_c[0], 1), round(span_c[1], 1))
        if (rounded, limits, radiometric) == self._shown:
            return
        self._shown = (rounded, limits, radiometric)
        with QSignalBlocker(self._slider), QSignalBlocker(self._high), QSignalBlocker(self._low):
            self._slider.setRange(*limits)
            self._slider.setValue(rounded)
            for box, value in ((self._low, rounded[0]), (self._high, rounded[1])):
                box.setDecimals(1 if radiometric else 0)
                if not box.hasFocus():
                    box.setValue(value)
        unit = "°C" if radiometric else "counts"
        self._unit.setText(unit)
        self._scale.show_span(rounded, limits, unit)

    def toggle_lock(self) -> None:
        """Hold the colours, or let them follow again what they followed before."""
        if self.isEnabled():
            locked = self._mode.currentText() == SpanMode.LOCKED.value
            self.mode_chosen.emit(self._before_lock if locked else SpanMode.LOCKED)

    def clear(self) -> None:
        """Show no scale: there is no picture."""
        self._shown = None
        self._scale.show_span((0, 1), (0, 1), "")
        self.setEnabled(False)

    def _limits_around(self, span_c: Limits) -> Limits:
        """Keep the scale still while the span moves well within it."""
        # Hysteresis: the scale stays while the span keeps 5 % of its width away from both ends and
        # is no less than a third of the scale, or its ticks would move with every frame.  New ends
        # are whole ticks; counts have no negative end.
        low, high = span_c
        width = high - low
        if self._shown is not None and self._shown[2] == self._radiometric:
            limits = self._shown[1]
            tight = limits[0] <= low - 0.05 * width and high + 0.05 * width <= limits[1]
            if tight and limits[1] - limits[0] <= 3 * width:
                return limits
        step = _tick_step(width, 4)
        bottom = float(np.floor((low - ROOM * width) / step) * step)
        return (
            bottom if self._radiometric else max(bottom, min(0.0, low)),
            float(np.ceil((high + ROOM * width) / step) * step),
        )

    def _on_slid(self, limits: Limits) -> None:
        low, high = limits
        if low < high:
            with QSignalBlocker(self._high), QSignalBlocker(self._low):
                self._low.setValue(low)
                self._high.setValue(high)
            if self._shown is not None:
                unit = "°C" if self._radiometric else "counts"
                self._scale.show_span((low, high), self._shown[1], unit)
            self.span_locked.emit(low, high)

    def _on_typed(self) -> None:
        low, high = self._low.value(), self._high.value()
        if low < high:
            self.span_locked.emit(low, high)

    def _on_mode_activated(self, place: int) -> None:
        self.mode_chosen.emit(list(SpanMode)[place])


class _Limit(QDoubleSpinBox):
    """One end of the span, to be typed exactly."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setRange(-300, 100_000)
        self.setDecimals(1)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)


class _Scale(QWidget):
    """The colours between the limits, with ticks."""

    def __init__(self) -> None:
        super().__init__()
        self.inset = 6.0
        """Free above and below, so that the ends meet those of the slider, pixels."""
        self._span = self._limits = (0.0, 1.0)
        self._unit = ""
        self._image = QImage()
        self.setMinimumHeight(60)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def set_colours(self, colours: NDArray[np.uint8]) -> None:
        column = np.ascontiguousarray(colours[::-1])
        image = QImage(column.tobytes(), 1, len(column), 3, QImage.Format.Format_RGB888)
        self._image = image.copy()
        self._ends = [QColor(*map(int, colours[row])) for row in (0, -1)]
        self.update()

    def show_span(self, span: Limits, limits: Limits, unit: str) -> None:
        self._span, self._limits, self._unit = span, limits, unit
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: ARG002, N802  # Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = max(12.0, self.width() * 0.3)
        bar = QRectF(2, self.inset, width, self.height() - 2 * self.inset)
        if not self._unit:
            painter.fillRect(bar, QColor(self._theme.field))
            return
        low_y, high_y = self._y(self._span[0]), self._y(self._span[1])
        painter.fillRect(QRectF(bar.left(), high_y, width, bar.bottom() - high_y), self._ends[0])
        painter.fillRect(QRectF(bar.left(), bar.top(), width, low_y - bar.top()), self._ends[1])
        painter.drawImage(QRectF(bar.left(), high_y, width, low_y - high_y), self._image)
        painter.setPen(QPen(QColor(self._theme.line), 1))
        painter.drawRect(bar)
        self._draw_ticks(painter, bar)

    def _draw_ticks(self, painter: QPainter, bar: QRectF) -> None:
        font = numerals(self.font().pointSizeF() * 0.86)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        low, high = self._limits
        step = _tick_step(high - low, max(2, int(bar.height() / (3.2 * metrics.height()))))
        first = int(np.ceil(low / step - 1e-6))
        for count in range(first, int(np.floor(high / step + 1e-6)) + 1):
            value = count * step
            y = self._y(value)
            painter.setPen(QPen(QColor(self._theme.muted), 1))
            painter.drawLine(int(bar.right()) + 2, round(y), int(bar.right()) + 6, round(y))
            decimals = 1 if step < 1 else 0
            text = f"{value:.{decimals}f}"
            painter.drawText(
                QRectF(bar.right() + 9, y - metrics.height() / 2, 60, metrics.height()),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                text,
            )

    def _y(self, value: float) -> float:
        low, high = self._limits
        share = (value - low) / max(high - low, 1e-9)
        return self.height() - self.inset - share * (self.height() - 2 * self.inset)


def _tick_step(length: float, ticks: int) -> float:
    return next((step for step in TICK_STEPS if length / step <= ticks), TICK_STEPS[-1])
