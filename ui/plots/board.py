"""Plots above each other that share their time axis, and what the mouse does to them."""

from collections.abc import Sequence
from typing import Final

import pyqtgraph as pg
from PyQt6.QtCore import QEvent, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QFontMetricsF, QMouseEvent, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QFrame, QSizePolicy, QWidget

from ui.plots.axes import OVERHANG_PIXELS, TickLabels, time_ticks
from ui.plots.layers import MarkerLane, Moment
from ui.plots.look import Look
from ui.plots.marks import PlotMarker
from ui.plots.plot import TracePlot

NOTCH: Final = 120
"""Turn of one notch of a mouse wheel, in Qt's eighths of a degree."""
ZOOM_PER_NOTCH: Final = 1.25
CLICK_PX: Final = 4
"""A press that moves less is a click, not a drag."""
RIGHT_PIXELS: Final = 16.0
LEAST_PLOT_PIXELS: Final = 36


class Board(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Knows pixels and times, and nothing of samples."""

    pointed = pyqtSignal()
    """The pointer moved to another moment, `moment.pointed_s`, or left."""
    panned = pyqtSignal(float)
    """The user dragged the plots to times so many seconds later."""
    zoomed = pyqtSignal(float, float)
    """The user wants to see so many times as much time, around a moment in seconds."""
    clicked = pyqtSignal(float)
    """The user clicked a moment, seconds."""
    resized = pyqtSignal()
    """The plots have other sizes than before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        viewport = self.viewport()
        if viewport is not None:
            viewport.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setMouseTracking(True)
        self.moment = Moment()
        self.plots: list[TracePlot] = []
        self.lane = MarkerLane(self.moment)
        self.times = TickLabels(vertical=False)
        self._look: Look | None = None
        self._press: QPointF | None = None
        self._dragged_from = 0.0
        self._pointer_x: float | None = None
        self._label_width = 30.0
        self.ci.layout.setContentsMargins(0, 0, RIGHT_PIXELS, 0)
        self.ci.layout.setHorizontalSpacing(0)
        self.ci.layout.setColumnStretchFactor(1, 1)

    @property
    def plot_width(self) -> float:
        """Pixels from the begin to the end of what is shown; 1 where there is no room at all."""
        return max(1.0, float(self.plots[0].box.width())) if self.plots else 1.0

    def set_plots(self, plots: Sequence[TracePlot]) -> None:
        """Show these plots, from top to bottom, in place of those before."""
        self.ci.clear()
        self.plots = list(plots)
        self.lane = MarkerLane(self.moment)
        self.times = TickLabels(vertical=False)
        self.ci.addItem(self.lane, 0, 1)
        for row, plot in enumerate(plots, start=1):
            self.ci.addItem(plot.labels, row, 0)
            self.ci.addItem(plot.box, row, 1)
            self.ci.layout.setRowStretchFactor(row, 1)
            if row > 1:
                plot.box.setXLink(plots[0].box)
        self.ci.addItem(self.times, len(plots) + 1, 1)
        self.ci.layout.setRowStretchFactor(len(plots) + 1, 0)
        if self._look is not None:
            self.set_look(self._look)

    def set_look(self, look: Look) -> None:
        """Take colours and sizes; the plots get theirs from their owner."""
        self._look = look
        self.setBackground(look.theme.card)
        metrics = QFontMetricsF(look.font)
        self._label_width = metrics.horizontalAdvance("00:00:00")
        self.times.set_look(look.theme.muted, look.font, metrics.height() + 2 * look.scale)
        self.lane.set_look(look, needed=bool(self.moment.markers))
        right, top = RIGHT_PIXELS * look.scale, OVERHANG_PIXELS * look.scale
        self.ci.layout.setContentsMargins(0, top, right, 0)
        self.ci.layout.setVerticalSpacing(2 * top)
        self.setMinimumHeight(round((LEAST_PLOT_PIXELS * len(self.plots) + 24) * look.scale))

    def set_range(self, begin_s: float, end_s: float) -> None:
        """Show this stretch of time in all plots."""
        moment, width = self.moment, self.plot_width
        moment.begin_s, moment.end_s = begin_s, end_s
        overhang = RIGHT_PIXELS * (1.0 if self._look is None else self._look.scale)
        ticks = time_ticks(begin_s, end_s, width, self._label_width, overhang)
        moment.ticks_s = tuple(time_s for time_s, _ in ticks)
        self.times.show_labels([(moment.x(time_s, width), text) for time_s, text in ticks])
        if self.plots:
            self.plots[0].box.setXRange(begin_s, end_s, padding=0)
        self._find_pointed()

    def set_markers(self, markers: Sequence[PlotMarker], *, needed: bool) -> None:
        """Draw the markers that are in sight; `needed` keeps room for names of any."""
        self.moment.markers = tuple(markers)
        if self._look is not None:
            self.lane.set_look(self._look, needed=needed)

    def repaint_marks(self) -> None:
        """Paint cursor and pointer anew; the curves have not changed."""
        for plot in self.plots:
            plot.repaint_marks()

    def time_at(self, x: float) -> float:
        """Return the moment at a place of the widget, pixels from its left, seconds."""
        if not self.plots:
            return 0.0
        left = self.plots[0].box.sceneBoundingRect().left()
        share = float(self.mapToScene(round(x), 0).x() - left) / self.plot_width
        return self.moment.begin_s + share * (self.moment.end_s - self.moment.begin_s)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Tell that the plots need other points now."""
        super().resizeEvent(event)
        self.resized.emit()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom the time axis around the pointer."""
        if event is None or not self.plots or not event.angleDelta().y():
            return
        event.accept()
        factor = ZOOM_PER_NOTCH ** (-event.angleDelta().y() / NOTCH)
        self.zoomed.emit(factor, self.time_at(event.position().x()))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a drag or a click."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._press = event.position()
            self._dragged_from = event.position().x()
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag, or point at a moment."""
        if event is None:
            return
        event.accept()
        x = event.position().x()
        if self._press is not None and (
            self.cursor().shape() == Qt.CursorShape.ClosedHandCursor
            or abs(x - self._press.x()) >= CLICK_PX
        ):
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            per_pixel_s = (self.moment.end_s - self.moment.begin_s) / self.plot_width
            moved, self._dragged_from = x - self._dragged_from, x
            self.panned.emit(-moved * per_pixel_s)
        self._pointer_x = x
        self._point()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """End a drag, or click."""
        if event is None or self._press is None:
            return
        event.accept()
        dragged = self.cursor().shape() == Qt.CursorShape.ClosedHandCursor
        self._press = None
        self.unsetCursor()
        if not dragged:
            self.clicked.emit(self.time_at(event.position().x()))

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Point at nothing."""
        super().leaveEvent(event)
        self._pointer_x = None
        self._point()

    def _point(self) -> None:
        self._find_pointed()
        self.repaint_marks()
        self.pointed.emit()

    def _find_pointed(self) -> None:
        """Find the moment under the pointer, which changes when the plots scroll below it."""
        moment = self.moment
        moment.pointed_s = None
        if self._pointer_x is not None:
            time_s = self.time_at(self._pointer_x)
            if moment.begin_s <= time_s <= moment.end_s:
                moment.pointed_s = time_s
