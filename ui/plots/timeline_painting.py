"""How a timeline looks: what stands still while a recording is played, and what moves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from ui.plots.axes import time_ticks
from ui.plots.gaps import Gap
from ui.plots.look import Look
from ui.plots.marks import PlotMarker, band_brush, band_of, lay_out, marker_colour, mixed
from ui.plots.series import Series

PlaceOf: TypeAlias = Callable[[float], float]
"""Turns seconds into pixels from the left."""

TRACE_SHARE: Final = 0.92
"""Share of the lane's height from the lowest to the highest temperature."""
KNOB_PIXELS: Final = 4.5
HANDLE_PIXELS: Final = 4.0
DIM_ALPHA: Final = 150
"""How much of the card covers what is not selected."""


@dataclass(frozen=True, slots=True)
class Still:
    """What is drawn once."""

    shown: tuple[float, float]
    """Seconds."""
    trace: Series | None
    bands: tuple[Gap, ...]
    markers: tuple[PlotMarker, ...]


@dataclass(frozen=True, slots=True)
class Moving:
    """What is drawn each time, all in seconds."""

    position_s: float
    selection: tuple[float, float] | None
    hovered_s: float | None


def paint_still(painter: QPainter, look: Look, lane: QRectF, place: PlaceOf, still: Still) -> None:
    """Draw lane, bands, trace, markers and labels."""
    theme = look.theme
    painter.fillRect(lane, QColor(theme.card))
    for gap in still.bands:
        left, right = (
            min(max(place(edge), lane.left()), lane.right()) for edge in (gap.begin_s, gap.end_s)
        )
        if right > left:
            band = QRectF(left, lane.top(), max(right - left, 1), lane.height())
            painter.fillRect(band, band_brush(band_of(gap.reason), theme))
    _paint_trace(painter, look, lane, place, still)
    painter.setPen(QPen(QColor(theme.line), 1))
    painter.drawRect(lane)
    _paint_markers(painter, look, lane, place, still)
    _paint_times(painter, look, lane, place, still.shown)


def paint_moving(
    painter: QPainter, look: Look, lane: QRectF, place: PlaceOf, moving: Moving
) -> None:
    """Draw the selection with its handles, the moment under the pointer, the played moment."""
    theme, scale = look.theme, look.scale
    if moving.selection is not None:
        begin, end = (min(max(place(edge), lane.left()), lane.right()) for edge in moving.selection)
        dim = QColor(theme.window)
        dim.setAlpha(DIM_ALPHA)
        painter.fillRect(QRectF(lane.left(), lane.top(), begin - lane.left(), lane.height()), dim)
        painter.fillRect(QRectF(end, lane.top(), lane.right() - end, lane.height()), dim)
        for edge, inward in ((begin, 1), (end, -1)):
            _paint_handle(painter, look, lane, edge, inward)
    if moving.hovered_s is not None:
        painter.setPen(QPen(QColor(theme.muted), round(scale), Qt.PenStyle.DotLine))
        x = place(moving.hovered_s)
        painter.drawLine(QLineF(x, lane.top(), x, lane.bottom()))
    x = place(moving.position_s)
    if lane.left() - 1 <= x <= lane.right() + 1:
        painter.setPen(Qt.PenStyle.NoPen)
        width = max(2.0, round(2 * scale))
        line = QRectF(
            round(x - width / 2), lane.top() - 2 * scale, width, lane.height() + 4 * scale
        )
        painter.fillRect(line, QColor(theme.text))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(theme.text))
        knob = KNOB_PIXELS * scale
        painter.drawEllipse(QPointF(x, lane.top() - 2 * scale), knob, knob)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)


def _paint_trace(painter: QPainter, look: Look, lane: QRectF, place: PlaceOf, still: Still) -> None:
    if still.trace is None or not len(still.trace):
        return
    time_s, mean_c = still.trace.drawn(*still.shown, max(int(lane.width()), 1))
    known = np.isfinite(mean_c)
    if not known.any():
        return
    low, high = float(mean_c[known].min()), float(mean_c[known].max())
    half = max(high - low, 0.5) / 2
    middle = (low + high) / 2
    share = (mean_c - middle) / half
    y = lane.center().y() - share * TRACE_SHARE * lane.height() / 2
    x = place(0.0) + time_s * (place(1.0) - place(0.0))
    painter.save()
    painter.setClipRect(lane)
    painter.setPen(QPen(QColor(look.theme.nostrils), 1))
    for run in np.split(np.arange(len(x)), np.flatnonzero(~known)):
        points = [QPointF(x[row], y[row]) for row in run if known[row]]
        if len(points) > 1:
            painter.drawPolyline(QPolygonF(points))
        elif points:
            painter.drawPoint(points[0])
    painter.restore()


def _paint_markers(
    painter: QPainter, look: Look, lane: QRectF, place: PlaceOf, still: Still
) -> None:
    begin_s, end_s = still.shown
    seen = [
        marker
        for marker in still.markers
        if marker.time_s <= end_s and marker.time_s + marker.duration_s >= begin_s
    ]
    metrics = QFontMetricsF(look.font)
    names = [
        metrics.elidedText(marker.label, Qt.TextElideMode.ElideRight, lane.width() / 3)
        for marker in seen
    ]
    centres = [place(marker.time_s) - lane.left() for marker in seen]
    widths = [metrics.horizontalAdvance(name) + 2 for name in names]
    labels = lay_out(centres, widths, lane.width())
    painter.setFont(look.font)
    for marker, name, at, label in zip(seen, names, centres, labels, strict=True):
        colour = QColor(marker_colour(marker.kind, look.theme))
        if marker.duration_s > 0:
            left = max(at, 0.0)
            right = min(place(marker.time_s + marker.duration_s) - lane.left(), lane.width())
            bar = QRectF(lane.left() + left, lane.bottom() - 3 * look.scale, right - left, 3)
            painter.fillRect(bar, mixed(colour.name(), look.theme.card, 0.7))
        if at >= 0:
            x = lane.left() + at
            painter.setPen(QPen(colour, round(look.scale)))
            painter.drawLine(QLineF(x, lane.top(), x, lane.bottom()))
        if label is not None:
            painter.setPen(colour)
            room = QRectF(
                lane.left() + label[0], 0, metrics.horizontalAdvance(name) + 4, lane.top()
            )
            painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), name)


def _paint_times(
    painter: QPainter, look: Look, lane: QRectF, place: PlaceOf, shown: tuple[float, float]
) -> None:
    metrics = QFontMetricsF(look.font)
    widest = metrics.horizontalAdvance("0:00:00" if shown[1] >= 3600 else "00:00")
    ticks = time_ticks(*shown, lane.width(), widest, lane.left())
    painter.setFont(look.font)
    painter.setPen(QColor(look.theme.muted))
    for time_s, text in ticks:
        x = place(time_s)
        painter.drawLine(QLineF(x, lane.bottom(), x, lane.bottom() + 2 * look.scale))
        box = QRectF(x - widest, lane.bottom() + look.scale, 2 * widest, metrics.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)


def _paint_handle(painter: QPainter, look: Look, lane: QRectF, edge: float, inward: int) -> None:
    """Draw a bracket that opens towards the selection."""
    scale, accent = look.scale, QColor(look.theme.accent)
    thick = max(2.0, round(2 * scale))
    reach = HANDLE_PIXELS * scale * inward
    painter.fillRect(QRectF(edge - thick / 2, lane.top(), thick, lane.height()), accent)
    for y in (lane.top(), lane.bottom() - thick):
        painter.fillRect(QRectF(edge, y, reach, thick).normalized(), accent)
    grip = QRectF(edge - 3 * scale, lane.center().y() - 7 * scale, 6 * scale, 14 * scale)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(look.theme.card), 1))
    painter.setBrush(accent)
    painter.drawRoundedRect(grip, 3 * scale, 3 * scale)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
