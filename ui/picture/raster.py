"""From temperatures to coloured pixels of the screen, with as little of Python as possible.

A picture is turned into bytes, the part of it that is seen is interpolated to its size on the
screen, and only then do the bytes meet their colours: interpolating one byte costs a third of
interpolating four, and colours between two temperatures are those of the temperatures between.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect
from PyQt6.QtGui import QImage, QPainter, QTransform
from PyQt6.QtWidgets import QWidget

MOST_PIXELS: Final = 3_000_000
"""Larger pictures are interpolated up to so many pixels of the screen; Qt doubles the rest."""

EXTRA: Final = 2
"""Pixels beyond the visible ones that cubic interpolation looks at."""

WARMEST: Final = 254
ALARM_BYTE: Final = 255
"""Bytes of the warmest colour, and of temperatures that the isotherm marks."""

OPAQUE: Final = 0xFF000000


class Placement(NamedTuple):
    """Which pixels of a picture lie where on the screen."""

    rows: slice
    columns: slice
    target: QRect
    """Where they lie, pixels of the device."""
    mirrored: bool
    upside_down: bool


@dataclass(frozen=True, slots=True)
class Screen:
    """What a painter of an item draws on."""

    transform: QTransform
    """From the item to pixels of the device."""
    size: tuple[int, int]
    """(width, height), pixels of the device."""
    ratio: float
    """Pixels of the device for one of Qt's."""

    @classmethod
    def of(cls, painter: QPainter, widget: QWidget | None) -> Self:
        """Look at a painter that draws an item in `widget`, or in a picture if that is None."""
        device = widget or painter.device()
        ratio = 1.0 if device is None else device.devicePixelRatioF()
        # The size of a widget is in Qt's pixels, that of a picture in its own.
        enlarged = ratio if widget is not None else 1.0
        width, height = (0, 0) if device is None else (device.width(), device.height())
        return cls(
            painter.worldTransform() * QTransform.fromScale(ratio, ratio),
            (round(width * enlarged), round(height * enlarged)),
            ratio,
        )


def place(
    transform: QTransform, shape: tuple[int, int], device: tuple[int, int]
) -> Placement | None:
    """Find the part of a picture that can be seen.

    Parameters
    ----------
    transform
        From frame pixels to pixels of the device; scales and moves only, may mirror.
    shape
        (height, width) of the picture.
    device
        (width, height), pixels.

    Returns
    -------
    The part and its place; None if nothing of the picture is seen.
    """
    across = _visible(transform.m11(), transform.dx(), shape[1], device[0])
    down = _visible(transform.m22(), transform.dy(), shape[0], device[1])
    if across is None or down is None:
        return None
    columns, left, right = across
    rows, top, bottom = down
    target = QRect(left, top, right - left, bottom - top)
    return Placement(rows, columns, target, transform.m11() < 0, transform.m22() < 0)


def _visible(
    scale: float, offset: float, length: int, device: int
) -> tuple[slice, int, int] | None:
    if scale == 0:
        return None
    ends = sorted(((0 - offset) / scale, (device - offset) / scale))
    first = max(0, int(np.floor(ends[0])) - EXTRA)
    last = min(length, int(np.ceil(ends[1])) + EXTRA)
    if first >= last:
        return None
    edges = sorted((round(offset + scale * first), round(offset + scale * last)))
    return slice(first, last), edges[0], max(edges[1], edges[0] + 1)


def scale_to_bytes(
    celsius: NDArray[np.float32], span_c: tuple[float, float], out: NDArray[np.uint8]
) -> None:
    """Spread `span_c` over 0 to `WARMEST`; colder and NaN become 0, warmer `WARMEST` or one more.

    Parameters
    ----------
    celsius, out
        (height, width) both; `out` is written, so that no frame allocates memory.
    """
    # One pass of OpenCV, which rounds and saturates, and turns NaN into 0; a fifth of NumPy's time.
    low, high = span_c
    gain = WARMEST / max(high - low, 1e-6)
    cv2.addWeighted(celsius, gain, celsius, 0.0, -low * gain, dst=out, dtype=cv2.CV_8U)


def colour_words(table: NDArray[np.uint8], alarm: NDArray[np.uint8] | None) -> list[int]:
    """Return the 256 pixels of `QImage.Format_RGB32` that bytes stand for.

    Parameters
    ----------
    table
        (256, 3) red, green, blue of a palette; spread over the bytes below `ALARM_BYTE`.
    alarm
        (3,) the colour of that byte; None where it stands for the warmest like the one before.
    """
    places = np.round(np.linspace(0, len(table) - 1, WARMEST + 1)).astype(int)
    red, green, blue = (
        np.vstack([table[places], table[-1] if alarm is None else alarm]).astype(np.uint32).T
    )
    words: list[int] = (OPAQUE | red << 16 | green << 8 | blue).tolist()
    return words


def enlarge(image: NDArray[np.uint8], placement: Placement, smooth: bool) -> NDArray[np.uint8]:
    """Cut out what is seen of `image` (height, width) and bring it to its size on the screen."""
    part = image[placement.rows, placement.columns]
    if placement.mirrored or placement.upside_down:
        code = -1 if placement.mirrored and placement.upside_down else int(placement.mirrored)
        part = np.asarray(cv2.flip(part, code), np.uint8)
    width, height = placement.target.width(), placement.target.height()
    share = min(1.0, float(np.sqrt(MOST_PIXELS / (width * height))))
    size = max(1, round(share * width)), max(1, round(share * height))
    if size == (part.shape[1], part.shape[0]):
        return np.ascontiguousarray(part)
    return np.asarray(cv2.resize(part, size, interpolation=_method(part, size, smooth)), np.uint8)


def _method(part: NDArray[np.uint8], size: tuple[int, int], smooth: bool) -> int:
    if size[0] < part.shape[1] and smooth:
        # Down to a half, four neighbours see every pixel, in a fifth of the time.
        return cv2.INTER_AREA if 2 * size[0] < part.shape[1] else cv2.INTER_LINEAR
    return cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """Return the memory of an image of 32 bits a pixel as (height, width, 4), to be written.

    In it lie blue, green, red and alpha.  The image must not be shared, or Qt would copy it first.
    """
    memory = image.bits()
    if memory is None:
        raise MemoryError(f"no memory for a picture of {image.width()}×{image.height()} pixels")
    memory.setsize(image.sizeInBytes())
    pixels: NDArray[np.uint8] = np.asarray(memory, np.uint8)
    return pixels.reshape(image.height(), image.width(), 4)


def coloured(picture: NDArray[np.uint8], words: list[int]) -> QImage:
    """Give each byte of `picture` (height, width) its colour of 256 `words`; format RGB32.

    Qt needs half of the time that NumPy takes, which would turn all bytes into 64-bit indices.
    """
    height, width = picture.shape
    own = np.ascontiguousarray(picture)
    indexed = QImage(own.data.cast("B"), width, height, width, QImage.Format.Format_Indexed8)  # type: ignore[call-overload]  # its hints know only bytes
    indexed.setColorTable(words)
    image: QImage = indexed.convertToFormat(QImage.Format.Format_RGB32)
    return image
