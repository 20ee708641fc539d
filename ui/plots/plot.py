"""One plot of a column: its curves, its temperature axis, what is below and above them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtGui import QFontMetricsF

from ui.plots.axes import OVERHANG_PIXELS, TickLabels, value_ticks
from ui.plots.fast_curve import FastCurve
from ui.plots.gaps import Gap
from ui.plots.layers import Marks, Moment, Overlay, Underlay
from ui.plots.look import Look, Scale
from ui.plots.series import Line
from ui.plots.trace_store import Store
from ui.shell.theme import DARK

LEAST_RANGE_K: Final = 0.5
"""Smallest temperature axis: below it a plot shows little but noise."""
MARGIN: Final = 0.12
"""Share of what is shown that an axis extends beyond it, at either end."""
SLACK: Final = 0.55
"""An axis is shortened when less than this share of it is used: else it would dance."""
AXIS_PIXELS: Final = 46.0
DOT_PX: Final = 0.6
"""Length of the line that stands for a sample between two gaps, pixels."""


NOTHING: Final[Line] = (np.empty(0), np.empty(0, np.float32))

CurveKey: TypeAlias = tuple[Store, str]
"""Which series of which region a curve shows."""


@dataclass(frozen=True, slots=True)
class CurveStyle:
    """How one line is drawn."""

    colour: str
    width: float
    """Pixels at scale 1."""


class TracePlot:
    """Curves over a common time axis; the axis of temperatures follows what is shown."""

    def __init__(self, title: str, curves: Sequence[CurveKey], moment: Moment) -> None:
        """Build the items; `Board` gives them their place.

        Parameters
        ----------
        curves
            What it shows, the first drawn at the bottom.
        moment
            Shared by all plots of a column.
        """
        self.marks = Marks(title, Look(DARK, 1.0), moment)
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False)
        self.box.disableAutoRange()
        self.box.setDefaultPadding(0)
        self.labels = TickLabels(vertical=True)
        self._scale = Scale()
        self._range = (30.0, 36.0)
        self._seen = False
        self.curves: dict[CurveKey, FastCurve] = {}
        for key in curves:
            curve = FastCurve()
            self.box.addItem(curve)
            # Both hold only for a curve that is in a plot already (pyqtgraph#1855).
            curve.setClipToView(True)
            curve.setDownsampling(auto=True, method="peak")
            self.curves[key] = curve
        self._under = Underlay(self.box, self.marks)
        self._over = Overlay(self.box, self.marks)
        self.box.sigResized.connect(self._show_ticks)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value of the axis, in the unit chosen."""
        return self._range

    def set_look(self, look: Look, styles: dict[CurveKey, CurveStyle], scale: Scale) -> None:
        """Take colours, sizes and the unit."""
        self.marks.look = look
        self.labels.set_look(look.theme.muted, look.font, AXIS_PIXELS * look.scale)
        if scale != self._scale:
            self._scale, self._seen = scale, False
        for key, curve in self.curves.items():
            curve.set_style(styles[key].colour, styles[key].width * look.scale)
        self._show_ticks()

    def draw(self, lines: Mapping[CurveKey, Line], gaps: list[Gap]) -> None:
        """Show lines of °C between the times of the shared moment; the other curves are empty."""
        self.marks.gaps = gaps
        moment, scale = self.marks.moment, self._scale
        low, high = np.inf, -np.inf
        dot_s = DOT_PX * (moment.end_s - moment.begin_s) / max(self.box.width(), 1)
        for key, curve in self.curves.items():
            time_s, mean_c = lines.get(key, NOTHING)
            values = mean_c if scale == Scale() else scale.factor * mean_c + scale.offset
            inside = values[time_s.searchsorted(moment.begin_s) :]
            if inside.size:
                low = min(low, float(np.fmin.reduce(inside)))
                high = max(high, float(np.fmax.reduce(inside)))
            curve.set_points(*_with_dots(time_s, values, dot_s))
        if low <= high:
            self._fit(low, high)
        elif self._seen:
            self._seen = False
            self._show_ticks()
        # Else the view box finds its new transform within the painting, and paints once more.
        self.box.updateMatrix()
        self._under.update()
        self._over.update()

    def point(self, dots: Sequence[tuple[float, str]]) -> None:
        """Mark the values under the pointer, °C each, and their colours."""
        shown = [
            (self._y(self._scale.value(celsius)), colour)
            for celsius, colour in dots
            if np.isfinite(celsius)
        ]
        if shown != self.marks.dots:
            self.marks.dots = shown
            self._over.update()

    def repaint_marks(self) -> None:
        """Paint what is above the curves anew."""
        self._over.update()

    def _y(self, value: float) -> float:
        low, high = self._range
        return float((high - value) / (high - low) * self.box.height())

    def _fit(self, low: float, high: float) -> None:
        """Widen the axis at once, shorten it only when much of it is unused."""
        least = LEAST_RANGE_K * abs(self._scale.factor)
        middle, half = (low + high) / 2, max(high - low, least) / 2
        fits = self._range[0] <= low and high <= self._range[1]
        used = 2 * half / (self._range[1] - self._range[0])
        if self._seen and fits and used >= SLACK:
            return
        self._seen = True
        self._range = (middle - (1 + 2 * MARGIN) * half, middle + (1 + 2 * MARGIN) * half)
        self.box.setYRange(*self._range, padding=0)
        self._show_ticks()

    def _show_ticks(self) -> None:
        height = float(self.box.height())
        label = QFontMetricsF(self.marks.look.font).height()
        overhang = OVERHANG_PIXELS * self.marks.look.scale
        ticks = value_ticks(*self._range, height, label, overhang) if self._seen else []
        places = [(self._y(value), text) for value, text in ticks]
        self.labels.show_labels(places)
        self.marks.lines_y = [y for y, _ in places]
        self._under.update()


def _with_dots(
    time_s: NDArray[np.float64], values: NDArray[Any], dot_s: float
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Make a short line of every value between two gaps; a single point would not be drawn."""
    around = np.zeros(len(values) + 2, np.bool_)
    around[1:-1] = np.isfinite(values)
    alone = np.flatnonzero(around[1:-1] & ~around[:-2] & ~around[2:])
    if not alone.size:
        return time_s, values
    return (
        np.insert(time_s, alone + 1, time_s[alone] + dot_s),
        np.insert(values, alone + 1, values[alone]),
    )
