"""Labels of time and temperature beside plots; every label that is drawn is drawn whole."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter
from PyQt6.QtWidgets import QGraphicsItem

TIME_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
LABELS_APART: Final = 1.8
"""Widths of a time label from one label to the next, at least."""
OVERHANG_PIXELS: Final = 4.0
"""Room above and below a plot into which its temperature labels may stand out, at scale 1."""
LINES_APART: Final = (2.2, 1.6, 1.1)
"""Heights of a temperature label from one label to the next, at least; if there is only one label
at one of these, the next is tried, as an axis with one label says nothing of its scale."""

Ticks = Sequence[tuple[float, str]]


def say_time(time_s: float, decimals: int = 0) -> str:
    """Return a time since the start: “0:05”, “12:30”, “1:02:03”; with decimals “0:05.2”.

    >>> say_time(3723), say_time(5.25, 1), say_time(-1)
    ('1:02:03', '0:05.2', '−0:01')
    """
    ticks = 10**decimals
    whole = math.floor(abs(time_s) * ticks + 1e-6)
    seconds, fraction = divmod(whole, ticks)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    said = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    sign = "−" if time_s < 0 and whole else ""
    return f"{sign}{said}.{fraction:0{decimals}}" if decimals else f"{sign}{said}"


def say_clock(wall_s: float) -> str:
    """Return the time of day here, “14:05:33”, of seconds since 1970 UTC; empty if unknown."""
    if not math.isfinite(wall_s) or wall_s <= 0:
        return ""
    return f"{datetime.fromtimestamp(wall_s, UTC).astimezone():%H:%M:%S}"


def say_moment(time_s: float, wall_offset_s: float) -> str:
    """Return a moment on all clocks: “1:23.4 · 83.4 s · 14:05:33”; the last if it is known."""
    time_s = round(time_s, 1)
    clock = say_clock(time_s + wall_offset_s)
    said = f"{say_time(time_s, 1)} · {time_s:.1f} s"
    return f"{said} · {clock}" if clock else said


def say_period(begin_s: float, end_s: float, wall_offset_s: float) -> str:
    """Return from when to when, “0:39.9 – 1:39.9 (14:05:33 – 14:06:33)”."""
    said = f"{say_time(begin_s, 1)} – {say_time(end_s, 1)}"
    begin, end = say_clock(begin_s + wall_offset_s), say_clock(end_s + wall_offset_s)
    return f"{said} ({begin} – {end})" if begin else said


def time_ticks(begin_s: float, end_s: float, room: float, label: float, overhang: float) -> Ticks:
    """Choose labelled moments.

    Parameters
    ----------
    room
        Pixels from `begin_s` to `end_s`.
    label
        Width of the widest label, pixels.
    overhang
        Pixels that a label may stand out at either end.
    """
    length_s = end_s - begin_s
    if room <= 0 or length_s <= 0:
        return []
    least_s = LABELS_APART * label / room * length_s
    step_s = next((step for step in TIME_STEPS_S if step >= least_s), TIME_STEPS_S[-1])
    while step_s < least_s:
        step_s *= 2
    inset_s = max(label / 2 - overhang, 0) / room * length_s
    first, last = math.ceil((begin_s + inset_s) / step_s), math.floor((end_s - inset_s) / step_s)
    return [(k * step_s, say_time(k * step_s)) for k in range(max(first, 0), last + 1)]


def value_ticks(low: float, high: float, room: float, label: float, overhang: float) -> Ticks:
    """Choose labelled values, at steps of 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    room
        Pixels from `low` to `high`.
    label
        Height of a label, pixels.
    overhang
        Pixels that a label may stand out at either end.
    """
    span = high - low
    if room <= 0 or not 0 < span < math.inf:
        return []
    inset = max(label / 2 - overhang, 0) / room * span
    for apart in LINES_APART:
        least = max(apart * label / room * span, 1e-6)
        power = 10 ** math.floor(math.log10(least))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)
        first, last = math.ceil((low + inset) / step), math.floor((high - inset) / step)
        if last > first:
            break
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [
        (k * step, f"{k * step:.{decimals}f}".replace("-", "−")) for k in range(first, last + 1)
    ]


class TickLabels(pg.GraphicsWidget):  # type: ignore[misc]
    """A column or a row of labels beside plots."""

    def __init__(self, *, vertical: bool) -> None:
        super().__init__()
        self._vertical = vertical
        self._places: list[tuple[float, str]] = []
        self._colour = QColor()
        self._font = QFont()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemClipsToShape, enabled=False)

    @property
    def shown(self) -> list[tuple[float, str]]:
        """Pixels from the top or the left, and text, of every label."""
        return self._places

    def set_look(self, colour: str, font: QFont, pixels: float) -> None:
        """Take a colour, a font and the width of the column or the height of the row."""
        self._colour, self._font = QColor(colour), font
        if self._vertical:
            self.setFixedWidth(pixels)
        else:
            self.setFixedHeight(pixels)

    def show_labels(self, places: list[tuple[float, str]]) -> None:
        """Draw texts at pixels from the top or the left."""
        if places != self._places:
            self._places = places
            self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        """Include the labels that stand out at the ends."""
        room = QFontMetricsF(self._font).height() * 3
        return QRectF(self.rect()).adjusted(-room, -room / 3, room, room / 3)

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw right beside the plot, or right below it."""
        painter.setPen(self._colour)
        painter.setFont(self._font)
        width, height = self.rect().width(), self.rect().height()
        for at, text in self._places:
            if self._vertical:
                box = QRectF(0, at - height, width - 5, 2 * height)
                flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            else:
                box = QRectF(at - 200, 0, 400, height)
                flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, int(flags), text)
