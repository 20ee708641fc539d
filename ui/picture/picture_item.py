"""The thermal picture as an item of a scene: drawn once for each frame, size and set of colours."""

from typing import Final

import cv2
import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QImage, QPainter
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from thermoseg.palettes import ALARM, colours_of
from ui.picture.raster import (
    ALARM_BYTE,
    WARMEST,
    Placement,
    Screen,
    colour_words,
    coloured,
    enlarge,
    place,
    scale_to_bytes,
)
from ui.picture.span import Limits

STALE: Final = 0.45
"""Brightness of a picture that is not what the camera sees now."""

HALF: Final = 127
"""Bytes above lie in the isotherm, after its edge was interpolated."""


class PictureItem(pg.GraphicsObject):  # type: ignore[misc]
    """Draws temperatures in colours; one unit of the scene is one pixel of the frame."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = np.zeros((1, 1), np.uint8)
        self._band = np.zeros((1, 1), np.uint8)
        self._celsius: NDArray[np.float32] | None = None
        self._span: Limits = (0.0, 1.0)
        self._isotherm: Limits | None = None
        self._palette = "Iron"
        self._stale = False
        self._smooth = True
        self._words = self._coloured()
        self._image = QImage()
        self._drawn: object = None
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def show_celsius(self, celsius: NDArray[np.float32], span_c: Limits) -> None:
        """Draw (height, width) temperatures, °C or counts, with the colours over `span_c`."""
        if self._celsius is None or self._celsius.shape != celsius.shape:
            self.prepareGeometryChange()
            self._bytes = np.zeros(celsius.shape, np.uint8)
        self._celsius, self._span = celsius, span_c
        scale_to_bytes(celsius, span_c, self._bytes)
        self._find_band()
        self._redraw()

    def clear(self) -> None:
        """Draw nothing."""
        self.prepareGeometryChange()
        self._celsius = None
        self._redraw()

    def set_palette(self, name: str) -> None:
        """Take the colours of a palette of `thermoseg.palettes`."""
        self._palette = name
        self._words = self._coloured()
        self._redraw()

    def set_stale(self, stale: bool) -> None:
        """Darken the picture, in both themes alike."""
        if stale != self._stale:
            self._stale = stale
            self._words = self._coloured()
            self._redraw()

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or show them as squares."""
        self._smooth = smooth
        self._redraw()

    def set_isotherm(self, band_c: Limits | None) -> None:
        """Draw temperatures within `band_c`, ends included, in one colour; None for none."""
        if band_c != self._isotherm:
            self._isotherm = band_c
            self._words = self._coloured()
            self._find_band()
            self._redraw()

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        """Return the picture's rectangle."""
        if self._celsius is None:
            return QRectF()
        height, width = self._celsius.shape
        return QRectF(0, 0, width, height)

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionGraphicsItem | None,  # noqa: ARG002
        widget: QWidget | None = None,
    ) -> None:
        """Draw the part that is seen, in pixels of the device."""
        if painter is None or self._celsius is None:
            return
        screen = Screen.of(painter, widget)
        ratio = screen.ratio
        placement = place(screen.transform, self._celsius.shape, screen.size)
        if placement is None:
            return
        if placement != self._drawn:
            self._draw(placement)
            self._drawn = placement
        target = placement.target
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(
            QRectF(
                target.x() / ratio,
                target.y() / ratio,
                target.width() / ratio,
                target.height() / ratio,
            ),
            self._image,
        )
        painter.restore()

    def _draw(self, placement: Placement) -> None:
        seen = enlarge(self._bytes, placement, self._smooth)
        if self._isotherm is not None:
            seen = np.minimum(seen, np.uint8(WARMEST))  # the byte above is the isotherm's alone
            band = enlarge(self._band, placement, self._smooth)
            cv2.threshold(band, HALF, ALARM_BYTE, cv2.THRESH_BINARY, dst=band)
            seen = np.asarray(cv2.bitwise_or(seen, band), np.uint8)
        self._image = coloured(seen, self._words)

    def _find_band(self) -> None:
        if self._isotherm is not None and self._celsius is not None:
            low, high = self._isotherm
            self._band = np.asarray(cv2.inRange(self._celsius, low, high), np.uint8)

    def _coloured(self) -> list[int]:
        table = colours_of(self._palette)
        alarm = None if self._isotherm is None else np.array(ALARM, np.uint8)
        if self._stale:
            table, alarm = dim(table), None if alarm is None else dim(alarm)
        return colour_words(table, alarm)

    def _redraw(self) -> None:
        self._drawn = None
        self.update()


def dim(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return colours, (…, 3) red, green, blue, as they are in a stale picture."""
    return np.round(STALE * colours).astype(np.uint8)
