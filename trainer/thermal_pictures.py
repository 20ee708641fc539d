"""Thermal pictures and label pictures as files hold them."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from thermoseg.errors import FormatError, FrameRefusedError, ThermoSegError
from thermoseg.file_kinds import SUFFIXES, FileKind
from thermoseg.files import open_frames
from thermoseg.labels import NUM_CLASSES

PICTURE_ENDINGS: Final = (
    SUFFIXES[FileKind.NUMPY] | SUFFIXES[FileKind.TIFF] | SUFFIXES[FileKind.PICTURE]
)

MAX_PIXELS: Final = 1 << 26
"""A picture that claims more is damaged or an attack on the memory."""

_READERS_RAISE: Final = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError),
    *(LookupError, ArithmeticError, MemoryError, struct.error),
    *(tifffile.TiffFileError, Image.DecompressionBombError),
)
"""Exceptions that reading a damaged file raises; each library has its own."""


def read_picture(
    path: Path, scale_k: float | None = None, offset_c: float = 0.0
) -> NDArray[np.float32]:
    """Read a thermal picture.

    Parameters
    ----------
    scale_k, offset_c
        °C of whole numbers as counts · `scale_k` + `offset_c`; None leaves them as counts.

    Returns
    -------
    (h, w) float32: °C of .npy and TIFF with fractions and of radiometric JPEG; counts, or °C by
    `scale_k`, of those with whole numbers and of 16-bit PNG; relative warmth of other pictures,
    whose palette is undone.

    Raises
    ------
    FormatError
        If it cannot be read, is too large or is not two-dimensional.
    """
    ending = path.suffix.lower()
    with _complaining_of(path):
        if ending == ".npy":
            values = _read_npy(path)
        elif ending in (".tif", ".tiff"):
            values = _read_tiff(path)
        elif ending == ".png" and _is_deep(path):
            values = _read_png(path)
        else:
            return _read_as_frame(path)
        if values.dtype.kind in "iu" and scale_k is not None:
            values = values * np.float64(scale_k) + offset_c
        return np.ascontiguousarray(values, np.float32)


def read_labels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a PNG whose pixels, or whose palette indices, are labels.

    Parameters
    ----------
    size
        Height and width that it must have, pixels.

    Returns
    -------
    (h, w) values of `Region`.

    Raises
    ------
    FormatError
        If it cannot be read, is in colour, is of another size or holds other values.
    """
    with _complaining_of(path), Image.open(path) as image:
        if (image.height, image.width) != size:
            raise FormatError(
                f"{path}: is {image.width}×{image.height} and its picture {size[1]}×{size[0]}; "
                f"make them equal"
            )
        if image.mode not in ("1", "L", "P", "I", "I;16"):
            raise FormatError(
                f"{path}: is a colour picture ({image.mode}); save labels as grey values or "
                f"palette indices 0-{NUM_CLASSES - 1}"
            )
        labels = np.asarray(image)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= NUM_CLASSES:
        held = f"labels {low}-{high}" if low < high else f"the one label {low}"
        raise FormatError(f"{path}: holds {held}; they must be 0-{NUM_CLASSES - 1}")
    return labels.astype(np.uint8)


@contextmanager
def _complaining_of(path: Path) -> Iterator[None]:
    """Turn what readers raise into one sentence that names the file."""
    try:
        yield
    except FormatError:
        raise
    except _READERS_RAISE as error:
        raise FormatError(f"{path}: cannot be read ({error}); replace it") from error


def _read_npy(path: Path) -> NDArray[Any]:
    # A mapped file is checked against its header before any memory is taken for it.
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(mapped, np.ndarray):
        raise FormatError(f"{path}: is an archive, not one matrix; save it with numpy.save")
    _check_picture(path, mapped.shape, mapped.dtype)
    return np.array(mapped)


def _read_tiff(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        _check_picture(path, series.shape, series.dtype)
        return np.asarray(series.asarray())


def _is_deep(path: Path) -> bool:
    """Say whether a PNG is 16-bit grey."""
    with Image.open(path) as image:
        return image.mode.startswith("I")


def _read_png(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        _check_picture(path, (image.height, image.width), np.dtype(np.uint16))
        return np.asarray(image)


def _read_as_frame(path: Path) -> NDArray[np.float32]:
    try:
        with open_frames(path) as (_, frames):
            frame = next(frames, None)
        if isinstance(frame, FrameRefusedError):
            raise frame
    except ThermoSegError as error:
        raise FormatError(f"{path}: {error}") from error
    if frame is None:
        raise FormatError(f"{path}: holds no picture; replace it")
    return np.array(frame.celsius, np.float32)


def _check_picture(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any] | None) -> None:
    if len(shape) != 2 or 0 in shape or dtype is None or dtype.kind not in "fiu":
        raise FormatError(f"{path}: holds no single picture of numbers; replace it")
    if shape[0] * shape[1] > MAX_PIXELS:
        raise FormatError(f"{path}: claims {shape[1]}×{shape[0]} pixels, too many; replace it")
