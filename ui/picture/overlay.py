"""What lies on the picture: tints, outlines, unsure pixels, boxes of faces.

All of it is drawn into one image when a mask arrives or the view changes; a picture in between
costs one copy of that image.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPen,
    QTransform,
)
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from thermoseg.labels import COLOURS, DERIVED_COLOURS, FACE_REGIONS, ROI_NAMES
from ui.picture.content import Box, PictureContent
from ui.picture.outlines import (
    UNSURE_BELOW,
    Colour,
    Corners,
    dashes_of,
    draw_lines,
    find_outlines,
    hatching,
    on_screen,
    soften,
)
from ui.picture.raster import Screen, enlarge, pixels_of, place
from ui.texts.picture import MEASURED

DIMMED: Final = 0.55
"""Opacity of a tint that is older than the picture, relative to that of one which is not."""

CASING: Final = "#0c0d10"
"""Around every line, to be seen on any palette."""
CASING_WIDTH: Final = 4.0
LINE_WIDTH: Final = 2.0
"""Pixels at scale 1."""
DASHES: Final = (4.0, 2.5)
"""Dash and gap of a late outline, in widths of the line."""

MARGIN_PX: Final = 30.0
NAME_PX: Final = 100.0
"""Room around regions and boxes for lines and names, pixels at scale 1; a name may be wider than
its box."""

HATCH_PX: Final = 8
"""Distance of the stripes over unsure pixels."""

BOX_COLOUR: Final = "#f2f4f7"
BOX_PADDING: Final = 6.0
"""Between a face and its box, pixels of the screen."""


def outline_colour(region: str) -> QColor:
    """Return the colour of a region's outline, tint and chip, in each palette the same."""
    for known in FACE_REGIONS:
        if known.label == region:
            return QColor(*COLOURS[known])
    return QColor(*DERIVED_COLOURS[region])


class _Looks(NamedTuple):
    shown: frozenset[str]
    opacity: float
    tinted: bool
    outlined: bool
    unsure: bool


class Overlay(pg.GraphicsObject):  # type: ignore[misc]
    """Draws what is known of a frame; one unit of the scene is one pixel of the frame."""

    def __init__(self) -> None:
        super().__init__()
        self._content: PictureContent | None = None
        self._shape = (0, 0)
        self._looks = _Looks(frozenset(ROI_NAMES), 0.45, True, True, False)
        self._scale = 1.0
        self._stale = False
        self._late = self._told_late = False
        self._outlines: dict[str, list[Corners]] = {}
        self._unsure: NDArray[np.uint8] | None = None
        self._tint = QImage()
        self._tint_place = QRectF()
        self._image = QImage()
        self._image_place = QPointF()
        self._drawn: object = None
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def show_content(self, content: PictureContent, told_late: bool) -> None:
        """Draw what `content` knows; nothing is drawn anew if only the frame is another.

        Parameters
        ----------
        told_late
            Whether outlines are dashed, because what they surround is older than the frame.
        """
        before, self._content = self._content, content
        shape = content.frame.celsius.shape
        if shape != self._shape:
            self.prepareGeometryChange()
            self._shape = shape
        late = content.behind_s > 0
        same = (
            before is not None
            and content.labels is before.labels
            and content.rois is before.rois
            and content.confidence is before.confidence
            and (content.face, content.others) == (before.face, before.others)
        )
        dimmed, self._late = late != self._late, late
        dashed, self._told_late = told_late != self._told_late, told_late
        if not same:
            self._find()
        elif dimmed:
            self._find_tint()
            self._redraw()
        elif dashed:
            self._redraw()

    def clear(self) -> None:
        """Draw nothing."""
        self._content = None
        self._find()

    def set_looks(
        self, shown: frozenset[str], opacity: float, tinted: bool, outlined: bool, unsure: bool
    ) -> None:
        """Draw regions another way.

        Parameters
        ----------
        shown
            Names of the regions that are drawn at all.
        opacity
            Opacity of tints, 0 to 1.
        tinted, outlined, unsure
            Whether regions are tinted, outlined, and unsure pixels hatched.
        """
        looks = _Looks(shown, opacity, tinted, outlined, unsure)
        if looks != self._looks:
            self._looks = looks
            self._find()

    def set_stale(self, stale: bool) -> None:
        """Dim the tints like the picture, which is not what the camera sees now."""
        if stale != self._stale:
            self._stale = stale
            self._find()

    def set_scale(self, scale: float) -> None:
        """Take the scale of lines and text."""
        self._scale = scale
        self._redraw()

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        """Return the picture's rectangle."""
        return QRectF(0, 0, self._shape[1], self._shape[0])

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionGraphicsItem | None,  # noqa: ARG002
        widget: QWidget | None = None,
    ) -> None:
        """Draw the image of everything, made anew if something has changed."""
        if painter is None or self._content is None:
            return
        screen = Screen.of(painter, widget)
        t = screen.transform
        key = (t.m11(), t.m22(), t.dx(), t.dy(), screen.size)
        if key != self._drawn:
            self._draw(screen)
            self._drawn = key
        if self._image.isNull():
            return
        painter.save()
        painter.resetTransform()
        painter.drawImage(self._image_place, self._image)
        painter.restore()

    def _find(self) -> None:
        content = self._content
        labels = None if content is None else content.labels
        self._outlines = {}
        self._unsure = None
        if content is not None and self._looks.outlined:
            self._outlines = find_outlines(labels, content.rois, self._looks.shown)
        if content is not None and self._looks.unsure:
            self._unsure = _unsure(content)
        self._find_tint()
        self._redraw()

    def _find_tint(self) -> None:
        self._tint = QImage()
        labels = None if self._content is None else self._content.labels
        if labels is None or not self._looks.tinted:
            return
        rows, columns = np.flatnonzero(labels.any(1)), np.flatnonzero(labels.any(0))
        if rows.size == 0:
            return
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        opacity = self._looks.opacity * (DIMMED if self._late or self._stale else 1.0)
        words = np.take(_tints(opacity, self._looks.shown), labels[top:bottom, left:right])
        height, width = words.shape
        kind = QImage.Format.Format_ARGB32_Premultiplied
        self._tint = QImage(words.tobytes(), width, height, 4 * width, kind).copy()
        self._tint_place = QRectF(left, top, width, height)

    def _redraw(self) -> None:
        self._drawn = None
        self.update()

    def _draw(self, screen: Screen) -> None:
        scale = self._scale * screen.ratio
        extent = screen.transform.mapRect(self._extent())
        margin, name = MARGIN_PX * scale, NAME_PX * scale
        extent = extent.adjusted(-margin, -margin, max(margin, name), margin)
        seen = extent.toAlignedRect().intersected(QRect(0, 0, *screen.size))
        self._image = QImage()
        if seen.isEmpty() or self._is_bare():
            return
        image = QImage(seen.size(), QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        moved = screen.transform * QTransform.fromTranslate(-seen.x(), -seen.y())
        if not self._tint.isNull():
            painter = QPainter(image)
            painter.setTransform(moved)
            painter.drawImage(self._tint_place, self._tint)
            painter.end()
        self._draw_regions(pixels_of(image), moved, scale)
        painter = QPainter(image)
        self._draw_faces(painter, moved, scale)
        painter.end()
        image.setDevicePixelRatio(screen.ratio)
        self._image = image
        self._image_place = QPointF(seen.topLeft()) / screen.ratio

    def _extent(self) -> QRectF:
        """Return what of the frame is drawn on: little images are copied faster."""
        if self._unsure is not None:
            return self.boundingRect()
        extent = self._tint_place if not self._tint.isNull() else QRectF()
        lines = [line for lines in self._outlines.values() for line in lines]
        if lines:
            corners = np.vstack(lines)
            low, high = corners.min(0).tolist(), corners.max(0).tolist()
            extent = extent.united(QRectF(QPointF(*low), QPointF(*high)))
        content = self._content
        if content is not None:
            for left, top, right, bottom in (*content.others, *filter(None, [content.face])):
                extent = extent.united(QRectF(left, top, right - left, bottom - top))
        return extent

    def _is_bare(self) -> bool:
        content = self._content
        return (
            self._tint.isNull()
            and not self._outlines
            and self._unsure is None
            and (content is None or (content.face is None and not content.others))
        )

    def _draw_regions(self, pixels: NDArray[np.uint8], transform: QTransform, scale: float) -> None:
        if self._unsure is not None:
            _hatch(pixels, self._unsure, transform, scale)
        seen = {name: on_screen(lines, transform) for name, lines in self._outlines.items()}
        every = [line for lines in seen.values() for line in lines]
        draw_lines(pixels, every, _premultiplied(QColor(CASING)), CASING_WIDTH * scale, True)
        dash, gap = (share * LINE_WIDTH * scale for share in DASHES)
        for name, lines in seen.items():
            colour, width = _premultiplied(outline_colour(name)), LINE_WIDTH * scale
            if self._told_late:
                cut = [part for line in lines for part in dashes_of(line, dash, gap)]
                draw_lines(pixels, cut, colour, width, False)
            else:
                draw_lines(pixels, lines, colour, width, True)
        soften(pixels, every, round(CASING_WIDTH * scale))

    def _draw_faces(self, painter: QPainter, transform: QTransform, scale: float) -> None:
        content = self._content
        if content is None:
            return
        for box in content.others:
            _draw_box(painter, _padded(box, transform), scale, thin=True)
        if content.face is not None:
            place = _padded(content.face, transform)
            _draw_box(painter, place, scale, thin=False)
            _draw_name(painter, place, scale)


def _tints(opacity: float, shown: frozenset[str]) -> NDArray[np.uint32]:
    """Return (256,) pixels, alpha multiplied in, one for each label."""
    table = np.zeros(256, np.uint32)
    alpha = round(255 * opacity)
    for region in FACE_REGIONS:
        if region.label in shown:
            red, green, blue = (round(channel * opacity) for channel in COLOURS[region])
            table[region] = alpha << 24 | red << 16 | green << 8 | blue
    return table


def _unsure(content: PictureContent) -> NDArray[np.uint8] | None:
    """Return (height, width), 255 where the label is unsure; None if it is so nowhere."""
    if content.labels is None or content.confidence is None:
        return None
    below = float(np.nextafter(np.float32(UNSURE_BELOW), np.float32(0)))
    unsure = np.asarray(cv2.inRange(content.confidence, 0.0, below), np.uint8)
    return unsure if cv2.countNonZero(unsure) else None


def _hatch(
    pixels: NDArray[np.uint8], unsure: NDArray[np.uint8], transform: QTransform, scale: float
) -> None:
    """Draw dark and bright stripes, whose distance no zoom changes, over unsure pixels."""
    height, width = pixels.shape[:2]
    placement = place(transform, (unsure.shape[0], unsure.shape[1]), (width, height))
    if placement is None:
        return
    target = placement.target
    seen = enlarge(unsure, placement, smooth=False)
    seen = np.asarray(
        cv2.resize(seen, (target.width(), target.height()), interpolation=0), np.uint8
    )
    # The part that is seen may reach a little beyond the image.
    top, left = max(0, target.top()), max(0, target.left())
    part = pixels[top : target.bottom() + 1, left : target.right() + 1]
    rows, columns = part.shape[:2]
    seen = np.ascontiguousarray(seen[top - target.top() :, left - target.left() :][:rows, :columns])
    colours = _premultiplied(QColor(CASING)), _premultiplied(QColor(BOX_COLOUR))
    stripes, where = hatching((rows, columns), max(4, round(HATCH_PX * scale)), colours)
    cv2.copyTo(stripes, cv2.bitwise_and(where, seen), part)


def _premultiplied(colour: QColor) -> Colour:
    return colour.blue(), colour.green(), colour.red(), 255


def _padded(box: Box, transform: QTransform) -> QRectF:
    left, top, right, bottom = box
    place = transform.mapRect(QRectF(left, top, right - left, bottom - top))
    return place.adjusted(-BOX_PADDING, -BOX_PADDING, BOX_PADDING, BOX_PADDING)


def _draw_box(painter: QPainter, place: QRectF, scale: float, thin: bool) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    width = (1.0 if thin else 1.6) * scale
    painter.setPen(QPen(QColor(CASING), width + 1.6 * scale))
    painter.drawRect(place)
    pen = QPen(QColor(BOX_COLOUR), width)
    if thin:
        pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.drawRect(place)


def _draw_name(painter: QPainter, place: QRectF, scale: float) -> None:
    font = QFont(painter.font())
    font.setPixelSize(round(12 * scale))
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    size = QRectF(0, 0, metrics.horizontalAdvance(MEASURED) + 8 * scale, metrics.height())
    top = place.top() - size.height()
    at = QPointF(max(0.0, place.left()), top if top >= 0 else max(0.0, place.top()))
    size.moveTopLeft(at)
    painter.fillRect(size, QColor(CASING))
    painter.setPen(QColor(BOX_COLOUR))
    painter.drawText(size, Qt.AlignmentFlag.AlignCenter, MEASURED)
