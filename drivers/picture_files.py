"""8-bit thermal pictures and videos: shapes and relative warmth, never temperatures."""

import logging
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from drivers.count_scale import radiometry_of_counts
from drivers.frame_source import MAX_PIXELS, Clock, FileOptions, modified
from thermoseg.errors import FormatError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import Radiometry, RelativeCounts

log = logging.getLogger(__name__)

GREY_SPREAD: Final = 12
"""Most that red, green and blue of a grey pixel differ after JPEG."""

PALETTE_MEDIAN: Final = 12.0
"""Most distance in RGB that half of a palette picture's pixels keep from the palette."""

PALETTE_90TH: Final = 40.0
"""The same for nine tenths: scales, logos and text keep further off."""

IRON_STOPS: Final = (
    (0, 4, 20),
    (12, 5, 82),
    (42, 8, 126),
    (110, 10, 160),
    (160, 18, 158),
    (191, 34, 135),
    (214, 52, 99),
    (233, 77, 70),
    (247, 103, 41),
    (253, 142, 25),
    (254, 182, 21),
    (254, 219, 45),
    (253, 241, 105),
    (245, 255, 231),
)
"""Red, green, blue of FLIR's iron palette, evenly spaced; sampled from published pictures."""

_OPENCV_PALETTES: Final = {
    "inferno": cv2.COLORMAP_INFERNO,
    "plasma": cv2.COLORMAP_PLASMA,
    "magma": cv2.COLORMAP_MAGMA,
    "hot": cv2.COLORMAP_HOT,
    "jet": cv2.COLORMAP_JET,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "rainbow": cv2.COLORMAP_RAINBOW,
}
PALETTES: Final = ("iron", *_OPENCV_PALETTES)
"""Known palettes, dark or blue end first, which is the cold one."""

_CELLS: Final = 64
"""Steps per colour channel in the table that inverts a palette."""

_BLOCK_PIXELS: Final = 1 << 18


def palette(name: str) -> NDArray[np.uint8]:
    """Return the (256, 3) red, green, blue colours of a palette of `PALETTES`, cold first."""
    if name == "iron":
        at = np.linspace(0, 255, len(IRON_STOPS))
        channels = [np.interp(np.arange(256), at, stops) for stops in zip(*IRON_STOPS, strict=True)]
        colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
        return colours
    ramp = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    coloured = np.asarray(cv2.applyColorMap(ramp, _OPENCV_PALETTES[name]), np.uint8)
    return coloured[:, 0, ::-1]


def palette_of(rgb: NDArray[np.uint8]) -> str | None:
    """Find the palette that a (height, width, 3) picture was coloured with.

    Returns
    -------
    One of `PALETTES`, or None if the colours lie on none of them.
    """
    pixels = rgb.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // 4000)]
    distances = {name: _nearest(name, pixels)[0] for name in PALETTES}
    name = min(distances, key=lambda name: float(distances[name].mean()))
    median, ninetieth = np.percentile(distances[name], (50, 90))
    return name if median <= PALETTE_MEDIAN and ninetieth <= PALETTE_90TH else None


def grey_of(picture: NDArray[Any], *, invert: bool = False) -> NDArray[np.uint16]:
    """Turn an 8-bit picture into relative counts 0-255, warm above cold.

    Parameters
    ----------
    picture
        (height, width) or (height, width, 3 or 4 as red, green, blue, alpha), 8-bit.
    invert
        Whether dark means warm.

    Returns
    -------
    (height, width).  Grey is kept, a known palette is inverted, other colours become their
    luma.
    """
    grey = _grey(picture[..., :3] if picture.ndim == 3 else picture)
    return (255 - grey if invert else grey).astype(np.uint16)


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # A grey picture saved in colours has equal channels but for JPEG's rounding, so the spread of
    # the channels tells; of its 99th percentile, as logos and crosses on a grey picture are
    # coloured.
    if picture.ndim == 2:
        return picture
    if picture.shape[2] < 3:
        return picture[..., 0]
    spread = np.ptp(picture[::4, ::4].reshape(-1, 3), axis=1)
    if np.percentile(spread, 99) > GREY_SPREAD:
        name = palette_of(picture)
        if name is not None:
            return _uncoloured(picture, name)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)


def _uncoloured(picture: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Look up each pixel's place on the palette, some rows at a time to bound memory."""
    # The cube of colours is cut into 64³ cells, and a table holds for each the nearest place on the
    # palette: one look-up per pixel in place of a search among 256 colours.  The index of a cell is
    # (red · 64 + green) · 64 + blue.
    inverse, step = _inverse(name), 256 // _CELLS
    height, width = picture.shape[:2]
    places = np.empty((height, width), np.uint8)
    rows = max(1, _BLOCK_PIXELS // width)
    for top in range(0, height, rows):
        cells = (picture[top : top + rows] // step).astype(np.intp)
        flat = (cells[..., 0] * _CELLS + cells[..., 1]) * _CELLS + cells[..., 2]
        inverse.take(flat, out=places[top : top + rows])
    return places


@lru_cache(maxsize=len(PALETTES))
def _inverse(name: str) -> NDArray[np.uint8]:
    """Return the place on the palette nearest to each cell of the colour cube, flattened."""
    centres = np.arange(_CELLS) * (256 / _CELLS) + (256 / _CELLS - 1) / 2
    cube = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    return _nearest(name, cube)[1].astype(np.uint8).ravel()


def _nearest(
    name: str, colours: NDArray[np.float64 | np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return how far the nearest colour of a palette is from each of `colours`, and its place."""
    # Loading this takes half a second, for which no other recording needs to wait.
    from scipy.spatial import cKDTree

    distances, places = cKDTree(palette(name)).query(colours)
    return np.asarray(distances, np.float64), np.asarray(places, np.intp)


class PictureSource:
    """One PNG, JPEG or BMP; 16-bit grey is counts, anything else a picture."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Read `path`.

        Raises
        ------
        FormatError
            If it is damaged or no picture.
        ConfigError
            If the scale of 16-bit counts cannot be told.
        """
        picture = read_picture(path)
        if picture.dtype == np.uint16:
            counts = picture
            radiometry: Radiometry = radiometry_of_counts(counts, path.name, options, guess=True)
        else:
            options.refuse_scene(path.name)
            counts = grey_of(picture, invert=options.invert)
            radiometry = RelativeCounts("an 8-bit picture carries no temperatures")
        height, width = counts.shape
        self.info = CameraInfo(
            model="picture",
            serial="",
            width=width,
            height=height,
            rate_hz=options.rate_hz,
            radiometry=radiometry,
            live=False,
            frame_count=1,
        )
        self._frame = Frame.from_counts(counts, radiometry, 0, 0.0, modified(path))

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return np.zeros(1)

    def __len__(self) -> int:
        return 1

    def frame(self, index: int) -> Frame:
        """Return the picture; see `FrameSource`."""
        if index:
            raise IndexError(index)
        return self._frame

    def close(self) -> None:
        """Nothing to do: the picture is in memory."""


def read_picture(path: Path) -> NDArray[Any]:
    """Read a picture: (height, width) 8- or 16-bit grey, or (height, width, 3) 8-bit RGB.

    Raises
    ------
    FormatError
        If it is damaged, too large or no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise FormatError(
                        f"{path.name} is {image.width}×{image.height}; save a smaller picture"
                    )
                if image.mode.startswith("I;16"):
                    return np.asarray(image).astype(np.uint16)
                if image.mode == "I":
                    return np.asarray(image).clip(0, 65535).astype(np.uint16)
                return np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        raise FormatError(
            f"{path.name} is a damaged or unknown picture ({error}); save it again as PNG"
        ) from error


class VideoSource:
    """A thermal video of any kind that OpenCV decodes, 8-bit."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Open `path` and decode its first frame.

        Raises
        ------
        FormatError
            If it cannot be decoded.
        """
        options.refuse_scene(path.name)
        self._name = path.name
        self._invert = options.invert
        self._video = cv2.VideoCapture(str(path))
        decoded, picture = self._video.read()
        if not decoded or picture.shape[0] * picture.shape[1] > MAX_PIXELS:
            self._video.release()
            raise FormatError(
                f"{path.name} is a damaged or unknown video; convert it to MP4 or AVI"
            )
        self._first = np.asarray(picture, np.uint8)
        self._position = 1
        rate_hz = options.rate_hz or float(self._video.get(cv2.CAP_PROP_FPS))
        if not 0 < rate_hz <= 1000:
            rate_hz = 0.0
        self._clock = Clock(rate_hz, modified(path))
        claimed = self._video.get(cv2.CAP_PROP_FRAME_COUNT)
        self._count = int(claimed) if 1 <= claimed < 1 << 31 else 1
        self.info = CameraInfo(
            model="8-bit video",
            serial="",
            width=picture.shape[1],
            height=picture.shape[0],
            rate_hz=rate_hz,
            radiometry=RelativeCounts("an 8-bit video carries no temperatures"),
            live=False,
            frame_count=self._count,
        )

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return self._clock.all_times_s(len(self))

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._video.release()

    def frame(self, index: int) -> Frame:
        """Decode frame `index`; see `FrameSource`."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        picture = self._decode(index)
        if picture is None:
            # Containers count frames that no decoder delivers.
            log.warning("%s: it ends after %d of %d frames", self._name, index, self._count)
            self._count = index
            raise IndexError(index)
        return Frame.from_counts(
            grey_of(picture[..., ::-1], invert=self._invert),
            self.info.radiometry,
            index,
            self._clock.time_s(index),
            self._clock.wall_time(index),
        )

    def _decode(self, index: int) -> NDArray[np.uint8] | None:
        if index == 0:
            return self._first
        if index != self._position:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, index)
        decoded, picture = self._video.read()
        self._position = index + 1
        return np.asarray(picture, np.uint8) if decoded else None
