"""Spots and outlines that a user draws on the picture, as items that can be taken hold of."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPolygonF
from PyQt6.QtWidgets import QGraphicsItem, QGraphicsPathItem

from thermoseg.drawn_rois import MAX_CORNERS, DrawnRoi
from thermoseg.labels import DRAWN_COLOUR
from ui.picture.overlay import CASING

SPOT_PX: Final = 15
"""Size of a spot on the screen."""

SPOT_EXTENT_PX: Final = 4.0
"""A drawn region that reaches no farther in any direction is a spot, frame pixels."""

LINE: Final = 2.0
SELECTED_LINE: Final = 3.0

LABEL_FILL: Final = (12, 13, 16, 215)
LABEL_COLOUR: Final = "#f2f4f7"

Moved = Callable[[], None]
"""Called after the user has moved or changed an item."""
Chosen = Callable[[], None]
"""Called after the user has clicked an item."""


class DrawnItem(Protocol):
    """A drawn region in a scene."""

    name: str
    """As the user gave it."""

    def items(self) -> Sequence[QGraphicsItem]:
        """Return what has to be in the scene."""
        ...

    def region(self) -> DrawnRoi:
        """Return name and outline as they are now."""
        ...

    def say(self, text: str) -> None:
        """Write beside it."""
        ...

    def set_selected(self, selected: bool) -> None:
        """Show that keys mean this one."""
        ...

    def set_scale(self, scale: float) -> None:
        """Take the scale of lines and text."""
        ...

    def move_by(self, x_px: float, y_px: float) -> None:
        """Move it, frame pixels."""
        ...


class SpotItem:
    """One place."""

    def __init__(self, roi: DrawnRoi, on_moved: Moved, on_chosen: Chosen) -> None:
        x, y = centre_of(roi)
        self.name = roi.name
        self._target = _Target(on_chosen, pos=(x, y), size=SPOT_PX, symbol="crosshair")
        self._target.setZValue(20)
        self._label = _label(roi.name)
        self._target.sigPositionChanged.connect(self._place_label)
        self._target.sigPositionChangeFinished.connect(lambda: on_moved())
        self._scale, self._selected = 1.0, False
        self._style()
        self._place_label()

    def items(self) -> Sequence[QGraphicsItem]:
        """Return cross and label."""
        return self._target, self._label

    def region(self) -> DrawnRoi:
        """Return name and place."""
        place = self._target.pos()
        return DrawnRoi.spot(self.name, float(place.x()), float(place.y()))

    def say(self, text: str) -> None:
        """Write beside it."""
        _say(self._label, text)

    def set_selected(self, selected: bool) -> None:
        """Draw it bolder, or not."""
        self._selected = selected
        self._style()

    def set_scale(self, scale: float) -> None:
        """Take the scale of lines and text."""
        self._scale = scale
        _scale_label(self._label, scale)
        self._style()

    def move_by(self, x_px: float, y_px: float) -> None:
        """Move it, frame pixels."""
        place = self._target.pos()
        self._target.setPos(place.x() + x_px, place.y() + y_px)

    def _style(self) -> None:
        pen = _pen(self._selected, self._scale)
        self._target.casing = _casing_pen(self._selected, self._scale)
        self._target.setPen(pen)
        self._target.setHoverPen(pen)
        self._target.setBrush((*LABEL_FILL[:3], 120))
        self._target.setHoverBrush((*LABEL_FILL[:3], 200))

    def _place_label(self) -> None:
        self._label.setPos(self._target.pos())


class OutlineItem:
    """A closed outline whose corners can be dragged; a rectangle stays one."""

    def __init__(self, roi: DrawnRoi, on_moved: Moved, on_chosen: Chosen) -> None:
        self.name = roi.name
        corners = np.array(roi.outline_px, float)
        self._rectangular = is_rectangle(corners)
        pen = _pen(False, 1.0)
        options = {"pen": pen, "hoverPen": pen, "handlePen": pen, "handleHoverPen": pen}
        if self._rectangular:
            low, high = corners.min(0), corners.max(0)
            self._item = pg.RectROI(low, high - low, sideScalers=True, **options)
            self._item.addScaleHandle((0, 0), (1, 1))
        else:
            self._item = _Polygon(corners, closed=True, **options)
        self._item.setAcceptedMouseButtons(Qt.MouseButton.LeftButton)
        self._item.setZValue(15)
        self._casing = QGraphicsPathItem()
        self._casing.setZValue(14)
        self._label = _label(roi.name)
        self._item.sigRegionChanged.connect(self._follow)
        self._item.sigRegionChangeFinished.connect(lambda: on_moved())
        self._item.sigClicked.connect(lambda: on_chosen())
        self._selected, self._scale = False, 1.0
        self._style()
        self._follow()

    def items(self) -> Sequence[QGraphicsItem]:
        """Return outline, its casing and label."""
        return self._casing, self._item, self._label

    def region(self) -> DrawnRoi:
        """Return name and corners."""
        corners = tuple((float(x), float(y)) for x, y in self._corners())
        return DrawnRoi(name=self.name, outline_px=corners)

    def say(self, text: str) -> None:
        """Write beside it."""
        _say(self._label, text)

    def set_selected(self, selected: bool) -> None:
        """Draw it bolder, or not."""
        self._selected = selected
        self._style()

    def set_scale(self, scale: float) -> None:
        """Take the scale of lines and text."""
        self._scale = scale
        _scale_label(self._label, scale)
        self._style()

    def move_by(self, x_px: float, y_px: float) -> None:
        """Move it, frame pixels."""
        self._item.setPos(self._item.pos() + pg.Point(x_px, y_px), finish=False)

    def _corners(self) -> list[tuple[float, float]]:
        if self._rectangular:
            place, size = self._item.pos(), self._item.size()
            left, top = place.x(), place.y()
            right, bottom = left + size.x(), top + size.y()
            return [(left, top), (right, top), (right, bottom), (left, bottom)]
        points = [self._item.mapToParent(handle.pos()) for handle in self._item.getHandles()]
        return [(point.x(), point.y()) for point in points]

    def _style(self) -> None:
        self._item.setPen(_pen(self._selected, self._scale))
        self._casing.setPen(_casing_pen(self._selected, self._scale))

    def _follow(self) -> None:
        """Bring casing and label to where the outline is now."""
        corners = self._corners()
        if corners:
            path = QPainterPath()
            path.addPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
            path.closeSubpath()
            self._casing.setPath(path)
            self._label.setPos(QPointF(*min(corners, key=lambda corner: corner[1])))


class _Polygon(pg.PolyLineROI):  # type: ignore[misc]
    """An outline that gets a corner where a side is clicked, but not more than can be stored."""

    def segmentClicked(  # noqa: N802  # pyqtgraph's name
        self, segment: object, event: object = None, pos: object = None
    ) -> None:
        """Add a corner."""
        if len(self.handles) < MAX_CORNERS:
            super().segmentClicked(segment, event, pos)


class _Target(pg.TargetItem):  # type: ignore[misc]
    """A target that tells of clicks too."""

    def __init__(self, on_clicked: Chosen, **options: object) -> None:
        super().__init__(**options)
        self._on_clicked = on_clicked
        self.casing = QPen()
        """Drawn under the cross."""

    def paint(self, painter: QPainter, *rest: object) -> None:
        """Draw the cross on its casing."""
        painter.setPen(self.casing)
        painter.drawPath(self.shape())
        super().paint(painter, *rest)

    def mouseClickEvent(self, event: object) -> None:  # noqa: N802  # pyqtgraph's name
        """Tell of a click."""
        super().mouseClickEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:  # type: ignore[attr-defined]
            event.accept()  # type: ignore[attr-defined]
            self._on_clicked()


def is_spot(roi: DrawnRoi) -> bool:
    """Say whether a drawn region is one place rather than an outline."""
    corners = np.array(roi.outline_px, float)
    return bool(np.ptp(corners, axis=0).max() <= SPOT_EXTENT_PX)


def is_rectangle(corners: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    """Say whether (n, 2) corners are those of an upright rectangle."""
    if len(corners) != 4:
        return False
    steps = np.abs(np.diff(np.vstack([corners, corners[:1]]), axis=0))
    return bool((steps.min(1) < 1e-6).all() and (steps.max(1) > 0).all())


def centre_of(roi: DrawnRoi) -> tuple[float, float]:
    """Return x, y in the middle of a drawn region's corners, frame pixels."""
    x, y = np.array(roi.outline_px, float).mean(0)
    return float(x), float(y)


def _pen(selected: bool, scale: float) -> QPen:
    pen = QPen(QColor(*DRAWN_COLOUR), (SELECTED_LINE if selected else LINE) * scale)
    pen.setCosmetic(True)
    return pen


def _casing_pen(selected: bool, scale: float) -> QPen:
    pen = _pen(selected, scale)
    pen.setColor(QColor(CASING))
    pen.setWidthF(pen.widthF() + 2 * scale)
    return pen


def _label(text: str) -> pg.TextItem:
    label = pg.TextItem(text, color=LABEL_COLOUR, fill=LABEL_FILL, anchor=(-0.12, 1.2))
    label.setZValue(25)
    label.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
    return label


def _say(label: pg.TextItem, text: str) -> None:
    if label.toPlainText() != text:
        label.setPlainText(text)


def _scale_label(label: pg.TextItem, scale: float) -> None:
    font = QFont()
    font.setPixelSize(round(12 * scale))
    label.setFont(font)
