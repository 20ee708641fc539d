"""The live picture with its mask, its outlines, and the temperature under the pointer."""

from typing import Final

import cv2
import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt
from PyQt6.QtGui import QColor, QPainterPath, QPen, QPixmap, QResizeEvent
from PyQt6.QtWidgets import QGraphicsPathItem, QLabel, QWidget

from thermoseg.face_geometry import FaceRois
from thermoseg.frames import Frame
from thermoseg.labels import Region, colour_table
from ui.picture.palettes import colours_of
from ui.shell.theme import DARK, Theme

DIMMED: Final = 0.55
"""Opacity of a mask that is older than the picture, relative to that of one which is not."""

LARGEST_SMOOTHED: Final = 6_000_000
"""Pixels on the screen up to which a picture is interpolated; nearer up, pixels show as squares."""

STALE: Final = 0.45
"""Opacity of a picture that is shown although the camera is gone."""

NOTE_SHARE: Final = 0.62
"""The widest note, as a share of the view; the corners are for other badges."""

PHOTOGRAPH_SHARE: Final = 0.3
"""Greatest width and height of the visible picture, as a share of the view's."""

TOLD_BEHIND_S: Final = 0.15
"""A mask later than this is said to be late, besides being dimmed."""

BADGE_GAP: Final = 10
"""Gap between a badge and the border, pixels."""

BADGE_STYLE: Final = (
    "background: rgba(12, 13, 16, 205); color: #f2f4f7; border-radius: 5px; padding: 3px 8px;"
)
"""The same in both themes: badges lie on the picture, whose colours no theme changes."""

PHOTOGRAPH_STYLE: Final = "border: 1px solid rgba(242, 244, 247, 150); background: #0c0d10;"

OUTLINED: Final = ("perinasal", "nostril_right", "nostril_left")


class LiveView(pg.GraphicsView):  # type: ignore[misc]
    """Shows one frame at a time; knows neither cameras nor threads.

    Temperatures become 8-bit by one pass of our own and meet their colours in Qt's table of 256;
    the mask is an image of labels with a colour table.  Neither costs arithmetic in Python.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False)
        self._frame: Frame | None = None
        self._labels: NDArray[np.uint8] | None = None
        self._span_c = (0.0, 1.0)
        self._bytes = np.zeros((1, 1), np.uint8)
        self._scratch = np.zeros((1, 1), np.float32)
        self._pointer: QPointF | None = None
        self._smooth = True
        self._mask_on = True
        self._stale = False
        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0)
        self.setCentralItem(self._box)
        self._picture = pg.ImageItem(axisOrder="row-major")
        self._mask = pg.ImageItem(axisOrder="row-major")
        for item in (self._picture, self._mask):
            self._box.addItem(item, ignoreBounds=True)
        self._outlines = {name: _Outline(self._box) for name in OUTLINED}
        self._pointed = self._badge()
        self._behind = self._badge()
        self._frozen = self._badge("Frozen")
        self._note = self._badge()
        self._news = self._badge()
        self._photograph = QLabel(self)
        self._photograph.setStyleSheet(PHOTOGRAPH_STYLE)
        self._photograph.setToolTip("The camera's visible picture; it is not recorded")
        self._photograph.hide()
        self._visible = QPixmap()
        self.set_palette("Iron")
        self.set_mask_opacity(0.45)
        self.set_outlines_visible(True)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self._box.sigResized.connect(self._on_box_resized)

    def set_palette(self, name: str) -> None:
        """Colour pictures by a palette of `ui.picture.palettes`."""
        self._picture.setLookupTable(colours_of(name))

    def set_mask_opacity(self, opacity: float) -> None:
        """Show regions with this opacity, 0 to 1."""
        self._mask.setLookupTable(colour_table(opacity))

    def set_mask_visible(self, visible: bool) -> None:
        """Show the regions or not."""
        self._mask_on = visible
        self._mask.setVisible(visible and self._labels is not None)

    def set_outlines_visible(self, visible: bool) -> None:
        """Show the outlines of nostrils and perinasal region or not."""
        for outline in self._outlines.values():
            outline.set_visible(visible)

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or show them as squares."""
        self._smooth = smooth
        self._draw_picture()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self.setBackground(theme.canvas)
        for outline in self._outlines.values():
            outline.set_scale(scale)
        self._place_badges()

    def set_frozen(self, frozen: bool) -> None:
        """Say on the picture that it stands still, or no longer."""
        self._frozen.setVisible(frozen)
        self._place_badges()

    def set_note(self, text: str) -> None:
        """Write on the picture what holds for all of it; nothing if empty."""
        self._say(self._note, text)

    def set_news(self, text: str) -> None:
        """Write on the picture what has just happened; nothing if empty."""
        self._say(self._news, text)

    def set_stale(self, stale: bool) -> None:
        """Dim the picture and its mask, because they are not what the camera sees now."""
        self._stale = stale
        self._picture.setOpacity(STALE if stale else 1.0)

    def set_photograph(self, photograph: QPixmap) -> None:
        """Show a visible picture in the corner; a null one for none."""
        self._visible = photograph
        self._photograph.setVisible(not photograph.isNull())
        self._place_photograph()

    def show_frame(
        self,
        frame: Frame,
        labels: NDArray[np.uint8] | None,
        rois: FaceRois | None,
        span_c: tuple[float, float],
        behind_s: float = 0.0,
    ) -> None:
        """Draw `frame` with its colours spread over `span_c`, and what is known of it on top.

        Parameters
        ----------
        labels
            (height, width), same as the frame's; None for no mask.
        rois
            Whose outlines are drawn; None for none.
        span_c
            Temperatures of the first and last colour, °C or counts.
        behind_s
            By how much `labels` and `rois` are older than the frame; such are drawn dimmed.
        """
        reshaped = self._frame is None or frame.celsius.shape != self._frame.celsius.shape
        self._frame, self._labels, self._span_c = frame, labels, span_c
        if reshaped:
            self.fit()
        self._draw_picture()
        self._draw_mask(behind_s)
        for name, outline in self._outlines.items():
            outline.show(rois, name)
        self._say(self._behind, _describe_delay(behind_s, labels is not None))
        self._say_pointed()

    def clear(self) -> None:
        """Show nothing."""
        self._frame = self._labels = None
        self._picture.clear()
        self._mask.clear()
        for outline in self._outlines.values():
            outline.show(None, "")
        for badge in (self._pointed, self._behind, self._news):
            badge.hide()
        self.set_stale(False)
        self.set_photograph(QPixmap())

    def fit(self) -> None:
        """Show the whole picture."""
        if self._frame is not None:
            height, width = self._frame.celsius.shape
            self._box.setRange(QRectF(0, 0, width, height), padding=0, disableAutoRange=True)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Keep the badges in their corners."""
        super().resizeEvent(event)
        if hasattr(self, "_pointed"):
            self._place_badges()
            self._place_photograph()

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Stop telling the temperature under the pointer."""
        super().leaveEvent(event)
        self._pointer = None
        self._pointed.hide()

    def mouseDoubleClickEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Show the whole picture again after zooming."""
        super().mouseDoubleClickEvent(event)
        self.fit()

    def _draw_picture(self) -> None:
        if self._frame is None:
            return
        celsius = self._frame.celsius
        height, width = celsius.shape
        if self._bytes.shape != celsius.shape:
            self._bytes = np.zeros(celsius.shape, np.uint8)
            self._scratch = np.zeros(celsius.shape, np.float32)
        scale_to_bytes(celsius, self._span_c, self._scratch, self._bytes)
        self._picture.setImage(self._on_screen(self._bytes), autoLevels=False)
        self._picture.setRect(QRectF(0, 0, width, height))

    def _on_screen(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Interpolate to the size that the picture has on the screen, so that Qt need not."""
        size = self._size_on_screen(image.shape[1], image.shape[0])
        if not self._smooth or size[0] <= image.shape[1] or size[0] * size[1] > LARGEST_SMOOTHED:
            return image
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)

    def _size_on_screen(self, width: int, height: int) -> tuple[int, int]:
        across, down = self._box.viewPixelSize()
        ratio = self.devicePixelRatioF()
        return max(1, round(width / across * ratio)), max(1, round(height / down * ratio))

    def _draw_mask(self, behind_s: float) -> None:
        labels = self._labels
        box = None if labels is None else cv2.boundingRect(labels)
        if labels is None or box is None or box[2] == 0:
            self._mask.setVisible(False)
            return
        left, top, width, height = box
        self._mask.setImage(labels[top : top + height, left : left + width], autoLevels=False)
        self._mask.setRect(QRectF(left, top, width, height))
        self._mask.setOpacity(DIMMED if behind_s > 0 or self._stale else 1.0)
        self._mask.setVisible(self._mask_on)

    def _on_mouse_moved(self, position: QPointF) -> None:
        self._pointer = position
        self._say_pointed()

    def _on_box_resized(self) -> None:
        self.fit()
        self._draw_picture()

    def _say_pointed(self) -> None:
        if self._frame is None or self._pointer is None:
            return
        point = self._box.mapSceneToView(self._pointer)
        row, column = int(np.floor(point.y())), int(np.floor(point.x()))
        self._say(self._pointed, describe_pixel(self._frame, self._labels, row, column))

    def _badge(self, text: str = "") -> QLabel:
        badge = QLabel(text, self)
        badge.setTextFormat(Qt.TextFormat.PlainText)
        badge.setStyleSheet(BADGE_STYLE)
        badge.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        badge.hide()
        return badge

    def _say(self, badge: QLabel, text: str) -> None:
        if text != badge.text() or bool(text) == badge.isHidden():
            badge.setText(text)
            badge.setVisible(bool(text))
            self._place_badges()

    def _place_badges(self) -> None:
        for badge in (self._pointed, self._behind, self._frozen):
            badge.adjustSize()
        self._pointed.move(BADGE_GAP, self.height() - self._pointed.height() - BADGE_GAP)
        self._behind.move(self.width() - self._behind.width() - BADGE_GAP, BADGE_GAP)
        self._frozen.move(BADGE_GAP, BADGE_GAP)
        top = BADGE_GAP
        for badge in (self._note, self._news):
            _fit_to_width(badge, round(NOTE_SHARE * self.width()))
            badge.move((self.width() - badge.width()) // 2, top)
            top += 0 if badge.isHidden() else badge.height() + BADGE_GAP // 2

    def _place_photograph(self) -> None:
        if self._visible.isNull():
            return
        room = PHOTOGRAPH_SHARE * QSizeF(self.size())
        ratio = self.devicePixelRatioF()
        small = self._visible.scaled(
            (room * ratio).toSize(),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        small.setDevicePixelRatio(ratio)
        self._photograph.setPixmap(small)
        self._photograph.adjustSize()
        self._photograph.move(
            self.width() - self._photograph.width() - BADGE_GAP,
            self.height() - self._photograph.height() - BADGE_GAP,
        )


class _Outline:
    """The border of one region: a bright line on a dark one, to be seen on any palette."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._items = (QGraphicsPathItem(), QGraphicsPathItem())
        self._visible = True
        self._scale = 1.0
        for item in self._items:
            box.addItem(item, ignoreBounds=True)

    def set_visible(self, visible: bool) -> None:
        self._visible = visible
        for item in self._items:
            item.setVisible(visible)

    def set_scale(self, scale: float) -> None:
        self._scale = scale

    def show(self, rois: FaceRois | None, name: str) -> None:
        path = QPainterPath()
        if self._visible and rois is not None and name in rois.masks:
            path = _border_of(rois, name)
        colour = DARK.perinasal if name == "perinasal" else DARK.nostrils
        for item, (shade, width) in zip(
            self._items, (("#0c0d10", 4.0), (colour, 2.0)), strict=True
        ):
            pen = QPen(QColor(shade), width * self._scale)
            pen.setCosmetic(True)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            item.setPen(pen)
            item.setPath(path)


def _fit_to_width(badge: QLabel, most: int) -> None:
    """Give a badge the size of its text, in several lines if one is wider than `most` pixels."""
    badge.setWordWrap(False)
    if badge.sizeHint().width() <= most:
        badge.adjustSize()
        return
    badge.setWordWrap(True)
    badge.resize(most, badge.heightForWidth(most))


def scale_to_bytes(
    celsius: NDArray[np.float32],
    span_c: tuple[float, float],
    scratch: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Spread `span_c` over 0-255; colder and NaN become 0, warmer 255.

    Parameters
    ----------
    celsius, scratch, out
        (height, width) all; `scratch` and `out` are written, so that no frame allocates memory.
    """
    low, high = span_c
    np.subtract(celsius, np.float32(low), out=scratch)
    np.multiply(scratch, np.float32(255 / max(high - low, 1e-6)), out=scratch)
    np.fmax(scratch, np.float32(0), out=scratch)
    np.fmin(scratch, np.float32(255), out=scratch)
    out[...] = scratch


def describe_pixel(frame: Frame, labels: NDArray[np.uint8] | None, row: int, column: int) -> str:
    """Say what is at one pixel; an empty text outside the picture."""
    height, width = frame.celsius.shape
    if not (0 <= row < height and 0 <= column < width):
        return ""
    value = float(frame.celsius[row, column])
    if not np.isfinite(value):
        text = "no value"
    elif frame.radiometric:
        text = f"{value:.2f} °C"
    else:
        text = f"{value:.0f} relative counts"
    region = Region(int(labels[row, column])) if labels is not None else Region.BACKGROUND
    place = f"x {column}  y {row}"
    return f"{text}   {region.label}   {place}" if region else f"{text}   {place}"


def _describe_delay(behind_s: float, shown: bool) -> str:
    if behind_s < TOLD_BEHIND_S:
        return ""
    return f"mask {behind_s:.1f} s behind" + ("" if shown else ", not shown")


def _border_of(rois: FaceRois, name: str) -> QPainterPath:
    """Return the border of a region, frame coordinates."""
    found = rois.masks[name]
    contours, _ = cv2.findContours(
        found.inside.view(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_SIMPLE,
        offset=(found.left, found.top),
    )
    path = QPainterPath()
    for contour in contours:
        points = contour[:, 0, :] + 0.5
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.closeSubpath()
    return path
