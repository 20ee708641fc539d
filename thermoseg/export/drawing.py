"""Frames as pictures for people: palette, masks, temperature scale, time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.labels import FACE_REGIONS, colour_table
from thermoseg.overlay import GREY_PERCENTILES
from thermoseg.palettes import COLOURS, colours_of
from thermoseg.recording.reader import Recording

LEAST_HEIGHT_PX: Final = 480
"""Smaller pictures are enlarged by a whole factor, every pixel a square."""
MOST_WIDTH_PX: Final = 1920
"""Pictures are not enlarged beyond."""
TINT: Final = 0.3
"""Opacity of a region; its outline tells it where its tint does not."""
SCALE_WIDTH_PX: Final = 100
"""Width of the temperature scale at the right."""
CAPTION_HEIGHT_PX: Final = 28
SPAN_FRAMES: Final = 24
"""Frames, spread over the session, that the span is taken from."""
LEAST_SPAN_K: Final = 1.0
"""Narrowest span that is chosen, so that a flat scene is not all noise."""

_TEXT_PX: Final = 15
_LINE_PX: Final = 20
_MARGIN_PX: Final = 8
_BAR_WIDTH_PX: Final = 16
_COARSE: Final = 400.0
"""Spans from here on are written without decimals."""
_WHITE: Final = (235, 235, 235)
_CASING: Final = (0, 0, 0)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """How frames are drawn."""

    palette: str
    """One of `thermoseg.palettes.PALETTES`."""
    span: tuple[float, float]
    """What the ends of the palette stand for, °C or counts."""
    unit: str
    """Unit of the scale."""
    legend: bool = True
    """Whether the regions are named beside the picture."""


class FrameArtist:
    """Draws frames of one size, all in the same look; used by one thread."""

    def __init__(self, width: int, height: int, look: Look) -> None:
        """Draw what all pictures have in common.

        Parameters
        ----------
        width, height
            Size of the frames, pixels.
        """
        self._colours = colours_of(look.palette)
        self._tints = colour_table(TINT)
        self._mixed = _mix(self._colours, self._tints)
        self._look = look
        self._factor = max(1, min(ceil(LEAST_HEIGHT_PX / height), MOST_WIDTH_PX // width))
        self._width, self._height = width * self._factor, height * self._factor
        self._font = cv2.FontFace("sans")
        # Codecs halve the resolution of colours, so both sides must be even.
        self._body = max(self._height, LEAST_HEIGHT_PX // 2)
        shape = _even(self._body + CAPTION_HEIGHT_PX), _even(self._width + SCALE_WIDTH_PX)
        self._blank = np.zeros((*shape, 3), np.uint8)
        bottom = self._body - _MARGIN_PX
        self._draw_scale(self._draw_legend(bottom) if look.legend else bottom)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is drawn, pixels; both even."""
        height, width = self._blank.shape[:2]
        return width, height

    def draw(
        self, celsius: NDArray[np.float32], labels: NDArray[np.uint8] | None, caption: str
    ) -> Picture:
        """Draw one frame.

        Parameters
        ----------
        celsius
            (height, width), °C or counts; NaN is drawn as the coldest.
        labels
            (height, width); None draws no masks.
        caption
            One line below the picture.

        Returns
        -------
        (height, width, 3) of `size`, red, green, blue, 0-255.
        """
        low, high = self._look.span
        shown = np.nan_to_num((celsius - low) * np.float32(COLOURS / (high - low)), nan=0.0)
        steps = np.clip(shown, 0, COLOURS - 1, out=shown).astype(np.uint16)
        if labels is not None:
            steps += labels.astype(np.uint16) * COLOURS
        small = np.take(self._mixed, steps, axis=0)
        picture = self._blank.copy()
        view = picture[: self._height, : self._width]
        view[...] = self._enlarged(small)
        if labels is not None:
            self._outline(view, self._enlarged(labels))
        self._write(picture, caption, _MARGIN_PX, self._body + CAPTION_HEIGHT_PX - _MARGIN_PX)
        return picture

    def _enlarged(self, small: Picture) -> Picture:
        if self._factor == 1:
            return small
        size = self._width, self._height
        return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.uint8)

    def _outline(self, view: Picture, labels: Picture) -> None:
        """Draw each region's outline in its colour, cased in black: seen on every palette."""
        # Only the face is looked at: the frame around it takes most of the time.
        left, top, width, height = cv2.boundingRect(labels)
        face, canvas = labels[top : top + height, left : left + width], view.copy()
        outlines = []
        for region in FACE_REGIONS:
            inside = (face == region).astype(np.uint8)
            found, _ = cv2.findContours(
                inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(left, top)
            )
            outlines.append((found, tuple(int(c) for c in self._tints[region][:3])))
        for found, _ in outlines:
            cv2.drawContours(canvas, found, -1, _CASING, 4, cv2.LINE_AA)
        for found, colour in outlines:
            cv2.drawContours(canvas, found, -1, colour, 2, cv2.LINE_AA)
        view[...] = canvas

    def _draw_legend(self, bottom: int) -> int:
        """Name the regions in their colours above the row `bottom`; return where that begins."""
        left = self._width + _MARGIN_PX
        for region in reversed(FACE_REGIONS):
            self._write(self._blank, region.label, left + 15, bottom)
            colour = tuple(int(channel) for channel in self._tints[region][:3])
            cv2.rectangle(self._blank, (left, bottom - 10), (left + 9, bottom - 1), colour, -1)
            bottom -= _LINE_PX
        return bottom - _MARGIN_PX

    def _draw_scale(self, bottom: int) -> None:
        left = self._width + _MARGIN_PX
        top = 2 * _MARGIN_PX + _TEXT_PX
        steps = np.linspace(COLOURS - 1, 0, bottom - top).astype(np.uint8)
        self._blank[top:bottom, left : left + _BAR_WIDTH_PX] = self._colours[steps][:, None]
        self._write(self._blank, self._look.unit, left, _MARGIN_PX + _TEXT_PX)
        low, high = self._look.span
        for place in np.linspace(0, 1, 5):
            row = round(bottom - 1 - place * (bottom - 1 - top))
            end = left + _BAR_WIDTH_PX
            cv2.line(self._blank, (end, row), (end + 3, row), _WHITE)
            value = low + place * (high - low)
            text = f"{value:.1f}" if high - low < _COARSE else f"{value:.0f}"
            self._write(self._blank, text, end + 6, row + _TEXT_PX // 3)

    def _write(self, picture: Picture, text: str, left: int, baseline: int) -> None:
        cv2.putText(picture, text, (left, baseline), _WHITE, self._font, _TEXT_PX, 400)


def _mix(colours: NDArray[np.uint8], tints: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay every tint over every colour: (65536, 3), row label × 256 + step of the palette."""
    alpha = tints[:, np.newaxis, 3:] / 255
    mixed = colours * (1 - alpha) + tints[:, np.newaxis, :3] * alpha
    return np.rint(mixed).astype(np.uint8).reshape(-1, 3)


def choose_span(recording: Recording, positions: Sequence[int]) -> tuple[float, float]:
    """Return the temperatures, or counts, between which nearly all pixels of these frames lie.

    Damaged frames are passed over; without any frame that can be read the span means nothing.
    """
    step = max(1, len(positions) // SPAN_FRAMES)
    ends = []
    for position in positions[::step]:
        try:
            celsius = recording.frame(position).celsius
        except FormatError:
            continue
        finite = celsius[np.isfinite(celsius)]
        if finite.size:
            ends.append(np.percentile(finite, GREY_PERCENTILES))
    low, high = np.median(ends, axis=0).tolist() if ends else (0.0, 0.0)
    lack = max(LEAST_SPAN_K - (high - low), 0.0)
    return low - lack / 2, high + lack / 2


def _even(side: int) -> int:
    return side + side % 2
