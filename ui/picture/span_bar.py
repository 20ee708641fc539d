"""The scale beside the picture: which colour is which temperature, and who decides."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider

from thermoseg.palettes import ALARM
from ui.picture.colour_scale import ColourScale, tick_step
from ui.picture.number_field import NumberField
from ui.picture.span import Limits, SpanMode
from ui.picture.units import Unit
from ui.shell.theme import Theme
from ui.texts.picture import (
    BAND,
    BAND_HIGH,
    BAND_LOW,
    BAND_TIP,
    SPAN_HIGH,
    SPAN_LOW,
    SPAN_MODE,
    SPAN_MODE_TIP,
    SPAN_SLIDER,
    SPAN_SLIDER_TIP,
    UNITS,
)

ROOM: Final = 0.3
"""How far the scale reaches beyond the span on both sides, in spans, so that one can drag there."""

POSSIBLE_C: Final = (-273.15, 5000.0)
"""Temperatures that may be typed."""

WHOLE_PIXELS: Final = 152
"""Height at scale 1 from which on there is room for everything."""

BAND_SHARE: Final = 0.5
"""How much more height an isotherm's band wants."""


class SpanBar(QWidget):
    """Shows the span of the colours and the isotherm, and lets the user take hold of them."""

    span_chosen = pyqtSignal(float, float)
    """The user chose these limits, °C or counts."""
    mode_chosen = pyqtSignal(object)
    """The `SpanMode` that the user wants."""
    isotherm_chosen = pyqtSignal(float, float)
    """The user chose this band, °C or counts."""
    left = pyqtSignal()
    """The user is done with a number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = Unit.CELSIUS
        self._least_height = 0
        self._isotherm: Limits | None = None
        self._shown: tuple[Limits, Limits, Unit, Limits | None] | None = None
        self._unit_button = QToolButton()
        self._unit_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._unit_button.setToolTip(UNITS)
        self._unit_button.setAccessibleName(UNITS)
        self._unit_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._high, self._low = NumberField(SPAN_HIGH), NumberField(SPAN_LOW)
        self._band_label = QLabel(BAND)
        self._band_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._band_label.setToolTip(BAND_TIP)
        self._band_high, self._band_low = NumberField(BAND_HIGH), NumberField(BAND_LOW)
        self._scale = ColourScale()
        self._slider = QDoubleRangeSlider(  # type: ignore[no-untyped-call]
            Qt.Orientation.Vertical
        )
        self._slider.setToolTip(SPAN_SLIDER_TIP)
        self._slider.setAccessibleName(SPAN_SLIDER)
        self._mode = QComboBox()
        self._mode.addItems([mode.value for mode in SpanMode])
        self._mode.setToolTip(SPAN_MODE_TIP)
        self._mode.setAccessibleName(SPAN_MODE)
        self._mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for box in (self._unit_button, self._mode):
            box.setProperty("role", "compact")
        self._build()
        self._connect()
        self.set_isotherm(None)
        self.clear()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._least_height = round(WHOLE_PIXELS * scale)
        self.setFixedWidth(round(92 * scale))
        self._fit()
        self._scale.set_theme(theme)
        colour = "rgb({}, {}, {})".format(*ALARM)
        self._band_label.setStyleSheet(
            f"background: {colour}; color: #101216; border-radius: {round(3 * scale)}px;"
        )
        radius, half = round(6 * scale), round(2 * scale)  # a radius beyond half draws a square
        self._slider.setStyleSheet(
            f"QSlider {{ qproperty-barColor: {theme.accent}; }}"
            f"QSlider::groove:vertical {{ background: {theme.line}; width: {2 * half}px;"
            f" border-radius: {half}px; }}"
            f"QSlider::handle:vertical {{ background: {theme.text}; height: {2 * radius}px;"
            f" margin: 0 -{radius - half}px; border-radius: {radius}px; }}"
        )
        self._scale.inset = radius

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Give up the choices of unit and source where there is no room for all."""
        super().resizeEvent(event)
        self._fit()

    def offer_units(self, units: Sequence[QAction]) -> None:
        """Let the user choose among actions, by a button that says the unit."""
        menu = QMenu(self)
        menu.addActions(units)
        self._unit_button.setMenu(menu)

    def set_palette(self, name: str) -> None:
        """Show the colours of a palette of `thermoseg.palettes`."""
        self._scale.set_palette(name)

    def set_isotherm(self, band_c: Limits | None) -> None:
        """Show a band, °C or counts, and its fields; None for none."""
        self._isotherm = band_c
        for widget in (self._band_high, self._band_low):
            widget.setVisible(band_c is not None)
        self._fit()
        self._write_isotherm()

    def show_span(
        self, span_c: Limits, mode: SpanMode, unit: Unit, possible: Limits = POSSIBLE_C
    ) -> None:
        """Show these limits, and who decides.

        Parameters
        ----------
        span_c
            °C, or counts if that is the unit.
        possible
            Least and largest value that may be chosen, °C or counts.
        """
        self.setEnabled(True)
        with QSignalBlocker(self._mode):
            self._mode.setCurrentText(mode.value)
        if self._slider.isSliderDown():
            return
        changed, self._unit = unit is not self._unit, unit
        limits = self._limits_around(span_c, possible, unit)
        rounded = (round(span_c[0], 1), round(span_c[1], 1))
        shown = (rounded, limits, unit, self._isotherm)
        if shown == self._shown:
            return
        self._shown = shown
        self._write(rounded, limits, possible, anew=changed)
        if changed:
            self._write_isotherm()

    def clear(self) -> None:
        """Show no scale: there is no picture."""
        self._shown = None
        self._scale.show_span((0, 1), (0, 1), None, None)
        self.setEnabled(False)

    def _fit(self) -> None:
        banded = self._isotherm is not None
        roomy = self.height() >= self._least_height * (1 + banded * BAND_SHARE)
        for choice in (self._unit_button, self._mode):
            choice.setVisible(roomy)
        self._band_label.setVisible(banded and roomy)

    def _write(self, span_c: Limits, limits: Limits, possible: Limits, anew: bool) -> None:
        unit = self._unit
        with QSignalBlocker(self._slider):
            self._slider.setRange(*limits)
            self._slider.setValue(span_c)
        for field, value in ((self._low, span_c[0]), (self._high, span_c[1])):
            _write_field(field, unit, possible, value, anew)
        for field in (self._band_low, self._band_high):
            with QSignalBlocker(field):
                field.setRange(unit.of(possible[0]), unit.of(possible[1]))
        self._unit_button.setText(unit.value)
        self._unit_button.setEnabled(unit is not Unit.COUNTS)
        self._scale.show_span(span_c, limits, unit, self._isotherm)

    def _write_isotherm(self) -> None:
        if self._isotherm is None:
            return
        for field, value in zip((self._band_low, self._band_high), self._isotherm, strict=True):
            possible = POSSIBLE_C if self._unit is not Unit.COUNTS else (0.0, 65_535.0)
            _write_field(field, self._unit, possible, value, anew=True)

    def _limits_around(self, span_c: Limits, possible: Limits, unit: Unit) -> Limits:
        """Keep the scale still while the span moves well within it."""
        # Hysteresis: the scale stays while the span keeps 5 % of its width away from both ends and
        # is no less than a third of the scale, or its ticks would move with every frame.  New ends
        # are whole ticks, and never beyond what can be.
        low, high = span_c
        width = max(high - low, 1e-6)
        if self._shown is not None and self._shown[2] is unit:
            limits = self._shown[1]
            below = limits[0] <= max(low - 0.05 * width, possible[0])
            above = min(high + 0.05 * width, possible[1]) <= limits[1]
            if below and above and limits[1] - limits[0] <= 3 * width:
                return limits
        step = tick_step(width, 4)
        bottom = float(np.floor((low - ROOM * width) / step) * step)
        top = float(np.ceil((high + ROOM * width) / step) * step)
        return max(bottom, possible[0]), min(top, possible[1])

    def _on_slid(self, limits: Limits) -> None:
        low, high = limits
        if low < high:
            self.span_chosen.emit(low, high)

    def _on_typed(self) -> None:
        low, high = (self._unit.to_celsius(f.value()) for f in (self._low, self._high))
        if low < high:
            self.span_chosen.emit(low, high)
        elif self._shown is not None:
            for field, value in zip((self._low, self._high), self._shown[0], strict=True):
                with QSignalBlocker(field):
                    field.setValue(self._unit.of(value))

    def _on_band_typed(self) -> None:
        low, high = (self._unit.to_celsius(f.value()) for f in (self._band_low, self._band_high))
        if low <= high:
            self.isotherm_chosen.emit(low, high)
        else:
            self._write_isotherm()

    def _build(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._slider)
        middle.addWidget(self._scale, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._unit_button)
        layout.addWidget(self._high)
        layout.addLayout(middle, 1)
        layout.addWidget(self._low)
        layout.addWidget(self._mode)
        layout.addWidget(self._band_label)
        layout.addWidget(self._band_high)
        layout.addWidget(self._band_low)

    def _connect(self) -> None:
        self._slider.valueChanged.connect(self._on_slid)
        self._high.valueChanged.connect(self._on_typed)
        self._low.valueChanged.connect(self._on_typed)
        self._band_high.valueChanged.connect(self._on_band_typed)
        self._band_low.valueChanged.connect(self._on_band_typed)
        self._mode.activated.connect(lambda place: self.mode_chosen.emit(list(SpanMode)[place]))
        for field in (self._high, self._low, self._band_high, self._band_low):
            field.left.connect(self.left)


def _write_field(
    field: NumberField, unit: Unit, possible: Limits, value_c: float, anew: bool
) -> None:
    """Write a value, but not over what the user is typing, unless its unit is another."""
    with QSignalBlocker(field):
        field.setDecimals(unit.decimals)
        field.setRange(unit.of(possible[0]), unit.of(possible[1]))
        if anew or not field.hasFocus():
            field.setValue(unit.of(value_c))
