"""Scrolling temperatures of nostrils and perinasal region, each with its number beside it."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QFont, QResizeEvent
from PyQt6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from thermoseg.rois import RoiSample
from thermoseg.traces import TraceWindow
from ui.shell.theme import DARK, Theme, numerals, pad

TRACED: Final = {"nostrils": "Nostrils", "perinasal": "Perinasal"}
"""Region → what the window calls it."""

LENGTHS_S: Final = (30, 60, 120)

TICK_STEPS_S: Final = (5, 10, 15, 30, 60)
TICK_LABELS_APART: Final = 56
"""Pixels between labels of the time axis at scale 1."""

LONGEST_STEP_S: Final = 0.5
"""Without a sample for so long, or for `STEPS` usual steps, a trace is broken, not joined up."""
STEPS: Final = 4

LEAST_RANGE_K: Final = 0.5
"""Smallest temperature axis: below it a plot shows little but noise."""

SHRINK: Final = 0.04
"""Share by which a temperature axis that is too long shortens at each drawing."""

READOUT_PIXELS: Final = 124
NUMBER_POINTS: Final = 22.0
"""Size of the read-outs at scale 1."""

NO_BREATHING: Final = "not estimated in this version"


class TraceView(QFrame):
    """Shows what it is given; knows neither sessions nor threads."""

    length_chosen = pyqtSignal(int)
    """The user wants to see the last so many seconds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.length_s = LENGTHS_S[1]
        """Seconds shown."""
        self._rows = {region: _TraceRow(name) for region, name in TRACED.items()}
        self._breathing = _BreathingRow()
        self._lengths = QButtonGroup(self)
        heading = QLabel("Temperature, °C")
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        top.addWidget(heading)
        top.addStretch(1)
        for seconds in LENGTHS_S:
            button = QToolButton()
            button.setProperty("role", "segment")
            button.setCheckable(True)
            button.setText(f"{seconds} s")
            button.setToolTip(f"Show the last {seconds} seconds")
            self._lengths.addButton(button, seconds)
            top.addWidget(button)
        self._lengths.idClicked.connect(self._on_length_clicked)
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addLayout(top)
        for row in self._rows.values():
            layout.addWidget(row, 1)
        layout.addWidget(self._breathing)
        self._rows["perinasal"].show_time_axis()
        self.set_length(self.length_s)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        pad(self, scale)
        for region, row in self._rows.items():
            row.set_theme(theme, theme.trace_colour(region), scale)
        self._breathing.set_theme(theme, scale)

    def set_length(self, seconds: int) -> None:
        """Show the last so many seconds, one of `LENGTHS_S`."""
        button = self._lengths.button(seconds)
        if button is None:
            raise ValueError(f"a trace is {LENGTHS_S} s long, not {seconds}")
        button.setChecked(True)
        self.length_s = seconds
        for row in self._rows.values():
            row.set_length(seconds)

    def show_traces(self, windows: Mapping[str, TraceWindow], now_s: float) -> None:
        """Draw the traces of the regions given.

        Parameters
        ----------
        windows
            By region; gaps are NaN.
        now_s
            Time at the right border, `Frame.time_s`.
        """
        for region, (time_s, mean_c, _) in windows.items():
            self._rows[region].show_trace(time_s - now_s, mean_c)

    def show_samples(self, samples: Mapping[str, RoiSample], absent: str = "") -> None:
        """Write the newest temperatures, or why there are none.

        Parameters
        ----------
        absent
            The reason where there is not even a sample.
        """
        for region, row in self._rows.items():
            sample = samples.get(region)
            said = ("—", absent) if sample is None else describe_sample(sample)
            row.readout.show_value(*said)

    def clear(self) -> None:
        """Show nothing."""
        for row in self._rows.values():
            row.show_trace(np.empty(0), np.empty(0))
            row.readout.show_value("—", "")

    def _on_length_clicked(self, seconds: int) -> None:
        self.set_length(seconds)
        self.length_chosen.emit(seconds)


class _TraceRow(QWidget):
    """One trace and its number."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._plot = pg.PlotWidget(background=None, axisItems={"bottom": _TimeAxis("bottom")})
        self._plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._plot.setMinimumHeight(76)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setFrameShape(QFrame.Shape.NoFrame)
        self._plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._curve = self._plot.plot(connect="finite")
        self._range_c = (30.0, 36.0)
        self._seconds = LENGTHS_S[0]
        self._scale = 1.0
        self._curve_seen = False
        self.readout = _Readout(name, "°C")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self._plot, 1)
        layout.addWidget(self.readout)
        self._plot.getAxis("bottom").setStyle(showValues=False)
        self._plot.setYRange(*self._range_c, padding=0)

    def set_theme(self, theme: Theme, colour: str, scale: float) -> None:
        self._scale = scale
        self._space_ticks()
        self._curve.setPen(pg.mkPen(colour, width=1.6 if scale < 1.3 else 2.2))
        self._plot.setBackground(theme.card)
        self._plot.getPlotItem().layout.setContentsMargins(
            0, round(4 * scale), round(14 * scale), 0
        )
        for name in ("left", "bottom"):
            axis = self._plot.getAxis(name)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setTickFont(numerals(8 * scale))
            axis.setStyle(tickLength=-4, maxTickLevel=0)
        self._plot.getAxis("left").setWidth(round(44 * scale))
        self._plot.getAxis("left").setStyle(tickTextOffset=round(5 * scale))
        self._plot.showGrid(x=True, y=True, alpha=0.28 if theme is DARK else 0.4)
        self.readout.set_theme(theme, colour, scale)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        super().resizeEvent(event)
        self._space_ticks()

    def set_length(self, seconds: int) -> None:
        self._seconds = seconds
        # A little wider than what is shown, or rounding hides the first and the last tick.
        self._plot.setXRange(-1.001 * seconds, 0.001 * seconds, padding=0)
        self._space_ticks()

    def _space_ticks(self) -> None:
        """Label as many moments as there is room for."""
        room = max(1, int(self._plot.width() / (TICK_LABELS_APART * self._scale)) - 1)
        step = next((s for s in TICK_STEPS_S if self._seconds / s <= room), self._seconds)
        ticks = [(-at, f"−{at} s" if at else "now") for at in range(0, self._seconds + 1, step)]
        self._plot.getAxis("bottom").setTicks([ticks])

    def show_time_axis(self) -> None:
        self._plot.getAxis("bottom").setStyle(showValues=True)

    def show_trace(self, ago_s: NDArray[np.float64], mean_c: NDArray[np.float64]) -> None:
        self._curve.setData(*broken_at_gaps(ago_s, mean_c))
        finite = mean_c[np.isfinite(mean_c)]
        if finite.size:
            self._set_range(float(finite.min()), float(finite.max()))
        self._curve_seen = bool(finite.size)
        self._plot.getAxis("left").setStyle(showValues=self._curve_seen)

    def _set_range(self, low_c: float, high_c: float) -> None:
        """Widen the axis at once, shorten it slowly, and only by steps that ticks can follow."""
        middle, half = (low_c + high_c) / 2, max(high_c - low_c, LEAST_RANGE_K) / 2
        low_c, high_c = middle - 1.12 * half, middle + 1.12 * half
        if self._curve_seen:
            low_c = min(low_c, self._range_c[0] + SHRINK * (low_c - self._range_c[0]))
            high_c = max(high_c, self._range_c[1] + SHRINK * (high_c - self._range_c[1]))
        self._range_c = (low_c, high_c)
        self._plot.setYRange(low_c, high_c, padding=0)


class _TimeAxis(pg.AxisItem):  # type: ignore[misc]
    """Draws its first and last label whole; the original, where it has a grid, leaves them out."""

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        room = 3 * self.height()
        return QRectF(super().boundingRect()).adjusted(-room, 0, room, 0)


class _BreathingRow(QWidget):
    """The place of the breathing rate, with the reason why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._name = QLabel("Breathing rate")
        self._reason = QLabel(NO_BREATHING)
        self._reason.setProperty("role", "muted")
        self._value = QLabel("—")
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self._name)
        words.addWidget(self._reason)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(words, 1)
        layout.addWidget(self._value)

    def set_theme(self, theme: Theme, scale: float) -> None:
        self._name.setStyleSheet(f"color: {theme.text}; font-weight: 600;")
        self._reason.setFont(numerals(8.5 * scale))
        self._value.setFont(numerals(NUMBER_POINTS * scale, QFont.Weight.DemiBold))
        self._value.setFixedWidth(round(READOUT_PIXELS * scale))


class _Readout(QWidget):
    """A name, a big number, and why there is none or what to know about it."""

    def __init__(self, name: str, unit: str) -> None:
        super().__init__()
        self._name = QLabel(name)
        self._value = QLabel("—")
        self._unit = QLabel(unit)
        self._unit.setProperty("role", "muted")
        self._unit.hide()
        self._reason = QLabel("")
        self._reason.setProperty("role", "muted")
        self._reason.setWordWrap(True)
        self._reason.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        number = QHBoxLayout()
        number.setSpacing(5)
        number.addWidget(self._value)
        number.addWidget(self._unit, 0, Qt.AlignmentFlag.AlignBottom)
        number.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._name)
        layout.addLayout(number)
        layout.addWidget(self._reason)
        layout.addStretch(1)

    def set_theme(self, theme: Theme, colour: str, scale: float) -> None:
        self.setFixedWidth(round(READOUT_PIXELS * scale))
        self._name.setStyleSheet(f"color: {colour}; font-weight: 600;")
        self._value.setStyleSheet(f"color: {theme.text};")
        self._value.setFont(numerals(NUMBER_POINTS * scale, QFont.Weight.DemiBold))
        self._reason.setFont(numerals(8.5 * scale))

    def show_value(self, value: str, reason: str) -> None:
        self._value.setText(value)
        self._unit.setVisible(value != "—")
        self._reason.setText(reason)


def describe_sample(sample: RoiSample) -> tuple[str, str]:
    """Return the number to show for a region, "—" if it has none, and the reason."""
    if not sample.valid or not np.isfinite(sample.mean_c):
        return "—", sample.reason
    return f"{sample.mean_c:.2f}", sample.reason


def broken_at_gaps(
    time_s: NDArray[np.float64], mean_c: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put NaN where samples are missing, so that no line joins what was never measured.

    Parameters
    ----------
    time_s, mean_c
        (n,) seconds, increasing, and °C.

    Returns
    -------
    (n + gaps,) both; the NaN lie in the middle of each gap.
    """
    if time_s.size < 2:
        return time_s, mean_c
    steps = np.diff(time_s)
    longest = max(LONGEST_STEP_S, STEPS * float(np.median(steps)))
    before = np.flatnonzero(steps > longest)
    middles = (time_s[before] + time_s[before + 1]) / 2
    return np.insert(time_s, before + 1, middles), np.insert(mean_c, before + 1, np.nan)
