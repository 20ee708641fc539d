"""The time axis of a recording: overview, markers, where it is played, what is to be cut."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Final

from PyQt6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from thermoseg.traces import TraceWindow
from ui.plots.axes import say_clock, say_time
from ui.plots.board import NOTCH, ZOOM_PER_NOTCH
from ui.plots.gaps import Gap
from ui.plots.look import Look
from ui.plots.marks import PlotMarker, band_of
from ui.plots.series import Series
from ui.plots.time_window import WHOLE, TimeWindow
from ui.plots.timeline_painting import Moving, Still, paint_moving, paint_still
from ui.shell.theme import DARK, Theme
from ui.texts import plots as texts

HEIGHT_PIXELS: Final = 60
LEAST_WIDTH_PIXELS: Final = 160
SIDE_PIXELS: Final = 18
"""Room at either end, for handles and the halves of labels."""
GRAB_PIXELS: Final = 6
"""A handle or a marker is taken from so far away."""
EMIT_MS: Final = 30
"""Interval of the moments that are told while one drags; the newest wins."""
PAGE: Final = 0.1
"""Share of what is shown by which Page Up and Page Down go on."""


class Timeline(QWidget):
    """Shows and moves a moment and a stretch of a recording; plays nothing itself."""

    position_changed = pyqtSignal(float)
    """The user goes to this moment, seconds."""
    selection_changed = pyqtSignal(object)
    """The user changed the stretch to be cut: (begin, end) in seconds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(texts.TIMELINE)
        self._look = Look(DARK, 1.0)
        self._window = TimeWindow(WHOLE)
        self._end_s = nan
        self._wall_offset_s = nan
        self._trace: Series | None = None
        self._bands: tuple[Gap, ...] = ()
        self._markers: tuple[PlotMarker, ...] = ()
        self._position_s = 0.0
        self._selection: tuple[float, float] | None = None
        self._still: QPixmap | None = None
        self._dragged = ""
        self._hovered_s: float | None = None
        self._waiting_s: float | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(EMIT_MS)
        self._pause.timeout.connect(self._emit_waiting)

    # What is shown.

    @property
    def position_s(self) -> float:
        """The played moment, seconds."""
        return self._position_s

    @property
    def selection(self) -> tuple[float, float] | None:
        """The stretch to be cut, seconds; None if there is none."""
        return self._selection

    @property
    def shown(self) -> tuple[float, float]:
        """Begin and end of what is in sight, seconds."""
        return self._window.shown

    def show_recording(
        self,
        end_s: float,
        trace: TraceWindow | None = None,
        bands: Sequence[Gap] = (),
        wall_offset_s: float = nan,
    ) -> None:
        """Show a recording from 0 to `end_s` seconds, from its begin.

        Parameters
        ----------
        trace
            Drawn as an overview; None if the recording has none.
        bands
            Gaps and shutter closings, ordered by time; those of the trace if there are none.
        wall_offset_s
            Seconds since 1970 UTC at which the recording's time was 0; NaN if unknown.
        """
        self._end_s, self._wall_offset_s = max(end_s, 0.0), wall_offset_s
        self._trace = Series()
        if trace is not None:
            self._trace.append(trace)
        self._bands = tuple(bands or self._trace.gaps_between(0, end_s))
        self._position_s, self._selection, self._markers = 0.0, None, ()
        self._window = TimeWindow(WHOLE)
        self._window.set_cursor(0.0)
        self._window.set_bounds(0.0, self._end_s)
        self._draw_anew()
        self._describe()

    def clear(self) -> None:
        """Show no recording."""
        self._end_s = nan
        self._trace = None
        self._draw_anew()
        self._describe()

    def set_markers(self, markers: Sequence[PlotMarker]) -> None:
        """Show these markers, ordered by time."""
        self._markers = tuple(markers)
        self._draw_anew()

    def set_position(self, time_s: float) -> None:
        """Show the played moment, unless the user drags it at this time."""
        if self._dragged != "position":
            self._move_to(time_s)

    def set_selection(self, selection: tuple[float, float] | None) -> None:
        """Show a stretch to be cut, (begin, end) in seconds; None for none."""
        self._selection = None if selection is None else (min(selection), max(selection))
        self.update()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._look = Look(theme, scale)
        self.setFixedHeight(round(HEIGHT_PIXELS * scale))
        self._draw_anew()

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Ask for room for a few labels."""
        return self.minimumSizeHint() * 2

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Ask for the least that can be read."""
        scale = self._look.scale
        return QSize(round(LEAST_WIDTH_PIXELS * scale), round(HEIGHT_PIXELS * scale))

    # Where things are.

    @property
    def _known(self) -> bool:
        return isfinite(self._end_s)

    @property
    def _lane(self) -> QRectF:
        """The trace and everything on it; labels of time are below."""
        side = SIDE_PIXELS * self._look.scale
        label = QFontMetricsF(self._look.font).height()
        return QRectF(side, label, self.width() - 2 * side, self.height() - 2 * label - 2)

    def _x(self, time_s: float) -> float:
        begin_s, end_s = self._window.shown
        return self._lane.left() + (time_s - begin_s) / (end_s - begin_s) * self._lane.width()

    def _time(self, x: float) -> float:
        begin_s, end_s = self._window.shown
        share = (x - self._lane.left()) / max(self._lane.width(), 1)
        return min(max(begin_s + share * (end_s - begin_s), 0.0), self._end_s)

    def _handle_at(self, x: float) -> str:
        """Name what the pointer would drag: an end of the selection, or the position."""
        reach = GRAB_PIXELS * self._look.scale
        if self._selection is not None:
            far = [(abs(x - self._x(end_s)), end_s) for end_s in self._selection]
            if min(far)[0] <= reach:
                return "begin" if far[0][0] <= far[1][0] else "end"
        return "position"

    # What the user does.

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Go to a moment, or take an end of the selection."""
        if event is None or event.button() != Qt.MouseButton.LeftButton or not self._known:
            return
        self._dragged = self._handle_at(event.position().x())
        self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag, or say what is under the pointer."""
        if event is None or not self._known:
            return
        if self._dragged:
            self._drag(event.position().x())
            return
        self._hovered_s = self._time(event.position().x())
        edge = self._handle_at(event.position().x()) != "position"
        self.setCursor(Qt.CursorShape.SizeHorCursor if edge else Qt.CursorShape.PointingHandCursor)
        said = self.describe(self._hovered_s)
        QToolTip.showText(event.globalPosition().toPoint(), said, self)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """End a drag at the moment where it is let go."""
        if event is None or not self._dragged:
            return
        self._drag(event.position().x())
        self._dragged = ""
        self._pause.stop()
        self._emit_waiting()

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Point at nothing."""
        super().leaveEvent(event)
        self._hovered_s = None
        self.update()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom around the pointer; sideways turns move what is shown."""
        if event is None or not self._known:
            return
        event.accept()
        across, turned = event.angleDelta().x(), event.angleDelta().y()
        if across:
            begin_s, end_s = self._window.shown
            self._window.pan(-across / NOTCH * PAGE * (end_s - begin_s))
            self._draw_anew()
        if turned:
            self._zoom(ZOOM_PER_NOTCH ** (-turned / NOTCH), self._time(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Take Page Up, Page Down, + − and 0; arrows and letters belong to the page."""
        if event is None:
            return
        begin_s, end_s = self._window.shown
        keys = {Qt.Key.Key_PageUp: -PAGE, Qt.Key.Key_PageDown: PAGE}
        zooms = {Qt.Key.Key_Plus: 1 / ZOOM_PER_NOTCH, Qt.Key.Key_Minus: ZOOM_PER_NOTCH}
        key = Qt.Key(event.key())
        if not self._known or key not in {*keys, *zooms, Qt.Key.Key_0}:
            event.ignore()
        elif key in keys:
            self._move_to(self._position_s + keys[key] * (end_s - begin_s))
            self.position_changed.emit(self._position_s)
        elif key in zooms:
            self._zoom(zooms[key], self._position_s)
        else:
            self._window.set_length(WHOLE)
            self._window.follow()
            self._draw_anew()

    def describe(self, time_s: float) -> str:
        """Return what is known of a moment: its time, the time of day, markers, bands."""
        reach_s = GRAB_PIXELS * self._look.scale * self._second_per_pixel
        said = [say_time(time_s, 1)]
        clock = say_clock(time_s + self._wall_offset_s)
        if clock:
            said.append(clock)
        said += [
            marker.label
            for marker in self._markers
            if marker.time_s - reach_s <= time_s <= marker.time_s + marker.duration_s + reach_s
        ]
        touched = {
            band_of(gap.reason): gap.reason
            for gap in self._bands
            if gap.begin_s <= time_s <= gap.end_s
        }
        said += [reason or band.value for band, reason in touched.items()]
        return " · ".join(said)

    @property
    def _second_per_pixel(self) -> float:
        begin_s, end_s = self._window.shown
        return (end_s - begin_s) / max(self._lane.width(), 1)

    def _zoom(self, factor: float, at_s: float) -> None:
        self._window.pause()
        self._window.zoom(factor, at_s)
        self._window.follows = True
        self._draw_anew()

    def _drag(self, x: float) -> None:
        time_s = self._time(x)
        if self._dragged == "position":
            self._move_to(time_s)
            self._waiting_s = time_s
            if not self._pause.isActive():
                self._emit_waiting()
            return
        if self._selection is None:
            return
        begin_s, end_s = self._selection
        if self._dragged == "begin":
            self._selection = (min(time_s, end_s), end_s)
        else:
            self._selection = (begin_s, max(time_s, begin_s))
        self.selection_changed.emit(self._selection)
        self.update()

    def _emit_waiting(self) -> None:
        """Tell the newest moment that was not told yet."""
        if self._waiting_s is None:
            return
        time_s, self._waiting_s = self._waiting_s, None
        self.position_changed.emit(time_s)
        if self._dragged:
            self._pause.start()

    def _move_to(self, time_s: float) -> None:
        if not self._known:
            return
        self._position_s = min(max(time_s, 0.0), self._end_s)
        before = self._window.shown
        self._window.set_cursor(self._position_s)
        if self._window.shown != before:
            self._draw_anew()
        self._describe()
        self.update()

    def _describe(self) -> None:
        said = texts.TIMELINE_EMPTY
        if self._known:
            said = texts.TIMELINE_POSITION.format(
                position=say_time(self._position_s, 1), length=say_time(self._end_s, 1)
            )
        self.setAccessibleDescription(f"{said} {texts.TIMELINE_TIP}")

    # Painting.

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw everything for the new width."""
        super().resizeEvent(event)
        self._draw_anew()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802
        """Lay what moves over what stands still, which is drawn once."""
        painter = QPainter(self)
        if not self._known:
            painter.setFont(self._look.font)
            painter.setPen(QColor(self._look.theme.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter)
            painter.drawText(self.rect(), flags, texts.TIMELINE_EMPTY)
        else:
            if self._still is None:
                self._still = self._draw_still()
            painter.drawPixmap(0, 0, self._still)
            moving = Moving(self._position_s, self._selection, self._hovered_s)
            paint_moving(painter, self._look, self._lane, self._x, moving)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._look.theme.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _draw_anew(self) -> None:
        self._still = None
        self.update()

    def _draw_still(self) -> QPixmap:
        dense = self.devicePixelRatioF()
        pixmap = QPixmap(self.size() * dense)
        pixmap.setDevicePixelRatio(dense)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        still = Still(self._window.shown, self._trace, self._bands, self._markers)
        paint_still(painter, self._look, self._lane, self._x, still)
        painter.end()
        return pixmap
