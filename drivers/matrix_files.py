"""Files of plain temperature or count matrices: TIFF, `.npy`, `.bin`."""

import logging
import math
import struct
import tokenize
import warnings
import zlib
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from drivers.count_scale import radiometry_of_counts, sixteen_bits
from drivers.frame_source import MAX_PIXELS, Clock, FileOptions, modified
from drivers.picture_files import grey_of
from thermoseg.errors import ConfigError, FormatError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import KELVIN, LinearGrid, LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

BIN_WIDTH: Final = 640
BIN_HEIGHT: Final = 512
BIN_SCALE_K: Final = 0.04
"""Size and scale of the headerless inference files of SAM-CL's authors."""

BIN_MEDIAN_C: Final = (-60.0, 200.0)
"""Median beyond which a `.bin` file cannot be what its suffix says."""

FIXED_GRID: Final = LinearGrid(LinearRadiometry(0.005, -100.005, LinearGrid.MISSING))
"""-100 to +227 °C in steps of 0.005 K, for temperatures whose range is not known beforehand."""

SCANNED_BYTES: Final = 256 * 1024**2
"""Largest `.npy` that is searched for its extremes before it is played."""

_TIFF_FAULTS: Final = (
    tifffile.TiffFileError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    OSError,
    MemoryError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)
"""Exceptions of tifffile and its decoders on damaged files, found by mutating one."""

_NPY_FAULTS: Final = (
    ValueError,
    TypeError,
    EOFError,
    OSError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)
"""Exceptions of numpy on damaged files, found by mutating one."""


class MatrixSource:
    """Frames without recorded times: a still, or a stack at a rate the user gives."""

    def __init__(
        self,
        path: Path,
        options: FileOptions,
        radiometry: Radiometry,
        frames: "Matrices",
    ) -> None:
        """Describe `frames`, which are counts of `radiometry`."""
        self._frames = frames
        self._clock = Clock(options.rate_hz, modified(path))
        count, height, width = frames.shape
        self.info = CameraInfo(
            model=frames.KIND,
            serial="",
            width=width,
            height=height,
            rate_hz=options.rate_hz,
            radiometry=radiometry,
            live=False,
            frame_count=count,
        )

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return self._clock.all_times_s(len(self))

    def __len__(self) -> int:
        return self._frames.shape[0]

    def frame(self, index: int) -> Frame:
        """Read frame `index`; see `FrameSource`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return Frame.from_counts(
            self._frames.counts(index),
            self.info.radiometry,
            index,
            self._clock.time_s(index),
            self._clock.wall_time(index),
        )

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._frames.close()


class Matrices(Protocol):
    """The matrices of one file, as counts."""

    KIND: ClassVar[str]
    shape: tuple[int, int, int]
    """Frames, height, width."""

    def counts(self, index: int) -> NDArray[np.uint16]:
        """Read matrix `index`, (height, width)."""
        ...

    def close(self) -> None:
        """Close the file; may be called more than once."""


def open_bin(path: Path, options: FileOptions) -> MatrixSource:
    """Open the SAM-CL authors' headerless `.bin`: little-endian counts, frame behind frame.

    Raises
    ------
    FormatError
        If its size is not that of whole frames, or its counts are no temperatures.
    """
    width, height = options.width or BIN_WIDTH, options.height or BIN_HEIGHT
    size, frame_bytes = path.stat().st_size, 2 * width * height
    if width * height > MAX_PIXELS:
        raise ConfigError(f"{width}×{height} pixels are too many; give the right width and height")
    if size == 0 or size % frame_bytes:
        raise FormatError(
            f"{path.name} has {size} bytes, which is no whole number of {width}×{height} "
            "frames; give the right ?width= and &height="
        )
    frames = _BinMatrices(path, (size // frame_bytes, height, width))
    if options.scale_k is None and not options.relative:
        options = options.model_copy(update={"scale_k": BIN_SCALE_K})
        median_c = float(np.median(frames.counts(0))) * BIN_SCALE_K - KELVIN
        if not BIN_MEDIAN_C[0] <= median_c <= BIN_MEDIAN_C[1]:
            raise FormatError(
                f"{path.name}: at {BIN_SCALE_K} K per count its median is {median_c:.0f} °C; "
                "give ?scale_k=, or width and height"
            )
    radiometry = radiometry_of_counts(frames.counts(0), path.name, options, guess=False)
    return MatrixSource(path, options, radiometry, frames)


class _BinMatrices:
    KIND: ClassVar[str] = "SAM-CL bin"

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._path = path

    def counts(self, index: int) -> NDArray[np.uint16]:
        _, height, width = self.shape
        with self._path.open("rb") as stream:
            stream.seek(2 * index * height * width)
            data = stream.read(2 * height * width)
        if len(data) < 2 * height * width:
            raise FormatError(f"{self._path.name} has become shorter while read; copy it again")
        return np.frombuffer(data, "<u2").reshape(height, width).astype(np.uint16)

    def close(self) -> None:
        """Nothing to do: the file is open only while read."""


def open_npy(path: Path, options: FileOptions, *, alone: bool = True) -> MatrixSource:
    """Open `.npy`: floats are °C, integers counts; (height, width) or (frames, height, width).

    Parameters
    ----------
    alone
        Whether the counts may be made for this file only; files of one folder share theirs.

    Raises
    ------
    FormatError
        If it is damaged or holds something else.
    ConfigError
        If it holds counts and no scale is given.
    """
    frames = _NpyMatrices(path, options, alone=alone)
    if frames.grid is not None:
        options.refuse_scene(path.name)
        radiometry: Radiometry = frames.grid.radiometry
    elif frames.eight_bits:
        radiometry = RelativeCounts("an 8-bit matrix carries no temperatures")
    else:
        radiometry = radiometry_of_counts(frames.counts(0), path.name, options, guess=False)
    return MatrixSource(path, options, radiometry, frames)


class _NpyMatrices:
    KIND: ClassVar[str] = "numpy matrix"

    def __init__(self, path: Path, options: FileOptions, *, alone: bool) -> None:
        self._name = path.name
        self._to_celsius = options.scale_k or 1.0, options.offset_c or 0.0
        self._data = self._load(path)
        self.shape = self._data.shape
        self.eight_bits = self._data.dtype == np.uint8
        self.grid: LinearGrid | None = None
        if self._data.dtype.kind == "f":
            self.grid = self._fitting_grid() if alone else FIXED_GRID

    def counts(self, index: int) -> NDArray[np.uint16]:
        if self.grid is None:
            return sixteen_bits(np.asarray(self._data[index]), self._name)
        try:
            return self.grid.counts_of(_scaled(self._data[index], self._to_celsius))
        except ValueError as error:
            raise FormatError(
                f"{self._name}, frame {index}: {error}; "
                f"give ?offset_c={-KELVIN:g} if it holds kelvin"
            ) from error

    def close(self) -> None:
        """Nothing to do: the file is mapped and freed with the last matrix."""

    def _load(self, path: Path) -> NDArray[Any]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                data = np.load(path, mmap_mode="r", allow_pickle=False)
        except _NPY_FAULTS as error:
            raise FormatError(
                f"{path.name} is no readable .npy file ({_one_line(error)}); save it again"
            ) from error
        if not isinstance(data, np.ndarray) or data.ndim not in (2, 3) or 0 in data.shape:
            shape = getattr(data, "shape", "several arrays")
            raise FormatError(
                f"{path.name} holds {shape}; save one matrix of (height, width) or "
                "(frames, height, width)"
            )
        if data.dtype.kind not in "fiu":
            raise FormatError(f"{path.name} holds {data.dtype}; save °C as float32")
        if data.ndim == 3 and data.shape[-1] == 1:
            data = np.squeeze(data, axis=-1)
        if data.shape[-1] * data.shape[-2] > MAX_PIXELS:
            raise FormatError(f"{path.name} has frames of {data.shape[-2:]}; save smaller frames")
        frames: NDArray[Any] = data[np.newaxis] if data.ndim == 2 else data
        return frames

    def _fitting_grid(self) -> LinearGrid:
        if self._data.nbytes > SCANNED_BYTES:
            return FIXED_GRID
        extremes = [
            (float(known.min()), float(known.max()))
            for matrix in self._data
            if (known := matrix[~np.isnan(matrix)]).size
        ]
        if not extremes:
            raise FormatError(f"{self._name} holds no number; save °C as float32")
        lows, highs = _scaled(np.array(extremes), self._to_celsius).T
        try:
            return LinearGrid.spanning(float(lows.min()), float(highs.max()))
        except ValueError as error:
            raise FormatError(
                f"{self._name}: {error}; save finite °C, with NaN where there is none"
            ) from error


def open_tiff(path: Path, options: FileOptions) -> MatrixSource:
    """Open a TIFF of one page or many: 16-bit counts, floating °C or 8-bit pictures.

    Raises
    ------
    FormatError
        If it is damaged or of an unknown kind.
    ConfigError
        If the scale of its counts cannot be told.
    """
    frames = _TiffMatrices(path, options)
    try:
        radiometry = frames.judge()
    except BaseException:
        frames.close()
        raise
    return MatrixSource(path, options, radiometry, frames)


class _TiffMatrices:
    KIND: ClassVar[str] = "TIFF"

    def __init__(self, path: Path, options: FileOptions) -> None:
        self._name = path.name
        self._options = options
        self._to_celsius = options.scale_k or 1.0, options.offset_c or 0.0
        self._stack: NDArray[Any] | None = None
        try:
            self._tiff = tifffile.TiffFile(path)
        except _TIFF_FAULTS as error:
            raise self._damaged(error) from error
        try:
            self.shape = self._find_pages(path)
        except _TIFF_FAULTS as error:
            self._tiff.close()
            raise self._damaged(error) from error

    def judge(self) -> Radiometry:
        """Decide what the first page holds."""
        page = self._page(0)
        if page.dtype == np.uint8 and page.ndim in (2, 3):
            self._options.refuse_scene(self._name)
            return RelativeCounts("an 8-bit picture carries no temperatures")
        if page.ndim != 2 or page.dtype.kind not in "fiu":
            raise FormatError(
                f"{self._name} holds {page.dtype} {page.shape}; save it as 16-bit grey or float °C"
            )
        if page.dtype.kind == "f":
            self._options.refuse_scene(self._name)
            return FIXED_GRID.radiometry
        counts = sixteen_bits(page, self._name)
        return radiometry_of_counts(counts, self._name, self._options, guess=True)

    def counts(self, index: int) -> NDArray[np.uint16]:
        page = self._page(index)
        if page.dtype == np.uint8:
            return grey_of(page, invert=self._options.invert)
        if page.dtype.kind != "f":
            return sixteen_bits(page, self._name)
        try:
            return FIXED_GRID.counts_of(_scaled(page, self._to_celsius))
        except ValueError as error:
            raise FormatError(
                f"{self._name}, page {index}: {error}; "
                f"give ?offset_c={-KELVIN:g} if it holds kelvin"
            ) from error

    def close(self) -> None:
        self._tiff.close()

    def _find_pages(self, path: Path) -> tuple[int, int, int]:
        """Return (frames, height, width); ImageJ keeps large stacks behind a single page."""
        first, series = self._tiff.pages[0], self._tiff.series[0]
        height, width = first.shape[:2]
        if not 0 < height * width <= MAX_PIXELS or len(first.shape) > 3:
            raise ValueError(f"its pages are {first.shape}")
        if len(self._tiff.pages) == 1 and len(series.shape) == 3 and len(first.shape) == 2:
            stack: NDArray[Any] = tifffile.memmap(path, mode="r")
            self._stack = stack
            return stack.shape[0], stack.shape[1], stack.shape[2]
        return len(self._tiff.pages), height, width

    def _page(self, index: int) -> NDArray[Any]:
        if self._stack is not None:
            return np.asarray(self._stack[index])
        try:
            page = self._tiff.pages[index]
            if not 0 < math.prod(page.shape) <= 4 * MAX_PIXELS:
                raise ValueError(f"page {index} is {page.shape}")
            return np.asarray(page.asarray())
        except _TIFF_FAULTS as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> FormatError:
        return FormatError(
            f"{self._name} is a damaged or unknown TIFF ({_one_line(error)}); export it again"
        )


def _scaled(matrix: NDArray[Any], to_celsius: tuple[float, float]) -> NDArray[np.float64]:
    scale, offset = to_celsius
    return np.asarray(matrix, np.float64) * scale + offset


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
