"""What is painted below and above the curves of a plot, in pixels and in one go."""

from dataclasses import dataclass, field
from typing import Final

import pyqtgraph as pg
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PyQt6.QtWidgets import QGraphicsItem

from ui.plots.gaps import Gap
from ui.plots.look import Look
from ui.plots.marks import PlotMarker, band_brush, band_of, lay_out, marker_colour, mixed

GRID_SHARE: Final = 0.6
BAR_PIXELS: Final = 3
TINT_SHARE: Final = 0.12
"""How much of a marker's colour fills the stretch that it lasts."""
GROUND_ALPHA: Final = 150
"""Of the ground under a plot's name, 0 to 255: curves below it are still seen."""


@dataclass(slots=True)
class Moment:
    """What all plots of a column have in common at one drawing."""

    begin_s: float = 0.0
    end_s: float = 1.0
    ticks_s: tuple[float, ...] = ()
    """Moments that have a label, and a grid line."""
    markers: tuple[PlotMarker, ...] = ()
    """Those that are in sight."""
    cursor_s: float | None = None
    pointed_s: float | None = None

    def x(self, time_s: float, width: float) -> float:
        """Return pixels from the left of a plot of `width`."""
        return (time_s - self.begin_s) / (self.end_s - self.begin_s) * width


@dataclass(slots=True)
class Marks:
    """What is painted in one plot besides its curves."""

    title: str
    look: Look
    moment: Moment
    gaps: list[Gap] = field(default_factory=list)
    lines_y: list[float] = field(default_factory=list)
    """Grid lines, pixels from the top."""
    dots: list[tuple[float, str]] = field(default_factory=list)
    """Pixels from the top and colour of every value under the pointer."""


class _Layer(pg.GraphicsObject):  # type: ignore[misc]
    """Covers a view box, in its pixels."""

    def __init__(self, box: pg.ViewBox, marks: Marks) -> None:
        super().__init__()
        self.setParentItem(box)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption, enabled=False)
        self._box = box
        self._marks = marks
        self._rect = QRectF()
        box.sigResized.connect(self._on_resized)

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        return self._rect

    def _on_resized(self) -> None:
        self.prepareGeometryChange()
        self._rect = QRectF(self._box.rect())


class Underlay(_Layer):
    """Grey bands and grid lines."""

    def __init__(self, box: pg.ViewBox, marks: Marks) -> None:
        super().__init__(box, marks)
        self.setZValue(-1000)

    def paint(self, painter: QPainter, *_: object) -> None:
        """Paint the grid last, so that it is seen in bands too."""
        marks, moment, theme = self._marks, self._marks.moment, self._marks.look.theme
        width, height = self._rect.width(), self._rect.height()
        for marker in moment.markers:
            if marker.duration_s > 0:
                left = max(moment.x(marker.time_s, width), 0.0)
                right = min(moment.x(marker.time_s + marker.duration_s, width), width)
                tint = mixed(marker_colour(marker.kind, theme), theme.card, TINT_SHARE)
                painter.fillRect(QRectF(left, 0, right - left, height), tint)
        for gap in marks.gaps:
            left = max(moment.x(gap.begin_s, width), 0.0)
            right = min(moment.x(gap.end_s, width), width)
            if right > left:
                painter.fillRect(
                    QRectF(left, 0, max(right - left, 1), height),
                    band_brush(band_of(gap.reason), theme),
                )
        grid = mixed(theme.line, theme.card, GRID_SHARE)
        for y in marks.lines_y:
            painter.fillRect(QRectF(0, round(y), width, 1), grid)
        for time_s in moment.ticks_s:
            painter.fillRect(QRectF(round(moment.x(time_s, width)), 0, 1, height), grid)
        painter.fillRect(QRectF(0, height - 1, width, 1), QColor(theme.line))


class Overlay(_Layer):
    """Markers, the played position, the pointer, and the name of the plot."""

    def __init__(self, box: pg.ViewBox, marks: Marks) -> None:
        super().__init__(box, marks)
        self.setZValue(1000)

    def paint(self, painter: QPainter, *_: object) -> None:
        """Paint lines first and the name over them."""
        marks, moment, theme = self._marks, self._marks.moment, self._marks.look.theme
        scale = marks.look.scale
        width, height = self._rect.width(), self._rect.height()

        def stand(time_s: float, pen: QPen) -> None:
            x = moment.x(time_s, width)
            if 0 <= x <= width:
                painter.setPen(pen)
                painter.drawLine(QLineF(x, 0, x, height))

        for marker in moment.markers:
            colour = QColor(marker_colour(marker.kind, theme))
            stand(marker.time_s, QPen(colour, round(scale), Qt.PenStyle.DashLine))
            if marker.duration_s > 0:  # its tint is below bands, so a bar says how long it lasts
                left = max(moment.x(marker.time_s, width), 0.0)
                right = min(moment.x(marker.time_s + marker.duration_s, width), width)
                bar = round(BAR_PIXELS * scale)
                painter.fillRect(QRectF(left, height - bar, right - left, bar), colour)
        if moment.cursor_s is not None:
            stand(moment.cursor_s, QPen(QColor(theme.text), round(1.6 * scale)))
        self._paint_title(painter)
        if moment.pointed_s is None:
            return
        stand(moment.pointed_s, QPen(QColor(theme.muted), round(scale), Qt.PenStyle.DotLine))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = moment.x(moment.pointed_s, width)
        for y, dot in marks.dots:
            painter.setPen(QPen(QColor(theme.card), 1.2 * scale))
            painter.setBrush(QColor(dot))
            painter.drawEllipse(QPointF(x, y), 3.6 * scale, 3.6 * scale)

    def _paint_title(self, painter: QPainter) -> None:
        marks, theme, scale = self._marks, self._marks.look.theme, self._marks.look.scale
        font = marks.look.font
        metrics = QFontMetricsF(font)
        room = metrics.horizontalAdvance(marks.title) + 10 * scale
        text, box = marks.title, QRectF(0, 0, room, metrics.height() + scale)
        ground = QColor(theme.card)
        ground.setAlpha(GROUND_ALPHA)
        painter.fillRect(box, ground)
        painter.setPen(QColor(theme.muted))
        painter.setFont(font)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)


class MarkerLane(pg.GraphicsWidget):  # type: ignore[misc]
    """The names of the markers, above the plots and over their lines."""

    ROWS = 2

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self._moment = moment
        self._look: Look | None = None
        self.shown: tuple[str, ...] = ()
        """Names drawn last; there is no room for the others."""

    def set_look(self, look: Look, *, needed: bool) -> None:
        """Take the colours; without markers the lane needs no room."""
        self._look = look
        rows = self.ROWS if needed else 0
        self.setFixedHeight(rows * (QFontMetricsF(look.font).height() + 1))
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Write every name for which there is room, the earlier ones first."""
        moment, look = self._moment, self._look
        if look is None or not moment.markers:
            self.shown = ()
            return
        metrics = QFontMetricsF(look.font)
        width = self.rect().width()
        longest = width / 3
        names = [
            metrics.elidedText(marker.label, Qt.TextElideMode.ElideRight, longest)
            for marker in moment.markers
        ]
        centres = [moment.x(marker.time_s, width) for marker in moment.markers]
        widths = [metrics.horizontalAdvance(name) + 2 for name in names]
        places = lay_out(centres, widths, width, self.ROWS)
        painter.setFont(look.font)
        line = metrics.height() + 1
        drawn = []
        for marker, name, place, room in zip(moment.markers, names, places, widths, strict=True):
            if place is None:
                continue
            left, row = place
            painter.setPen(QColor(marker_colour(marker.kind, look.theme)))
            # The first row is the lower one, next to the lines.
            top = (self.ROWS - 1 - row) * line
            painter.drawText(
                QRectF(left, top, room + 2, line), int(Qt.AlignmentFlag.AlignVCenter), name
            )
            drawn.append(name)
        self.shown = tuple(drawn)
