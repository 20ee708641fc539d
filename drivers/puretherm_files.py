"""Recordings of PureThermal boards, `.raw.y16.gz`."""

import gzip
import json
import logging
import math
import struct
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from drivers.count_scale import radiometry_of_counts
from drivers.frame_source import MAX_PIXELS, Clock, FileOptions, modified
from thermoseg.errors import FormatError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

CENTIKELVIN: Final = LinearRadiometry(0.01)
"""A Lepton with TLinear on."""

TLINEAR_MEDIAN: Final = (25_000, 40_000)
"""Counts between which the median of a TLinear picture lies (-23 to +127 °C)."""

GZIP_MAX_RATIO: Final = 100
"""Thermal noise keeps real recordings below 5 to 1; beyond this a file is a bomb."""

UNPACKED_BYTES: Final = 4 * 1024**3
"""Largest recording of which an unpacked copy is kept, three hours of a Lepton."""

SPOOLED_BYTES: Final = 32 * 1024**2
"""Copies up to this size stay in memory, larger ones go to a temporary file without a name."""


class PureThermalSource:
    """`.raw.y16.gz` of purethermal-y16-recorder: Lepton counts with their times.

    Layout: `PTY16V1`, newline, u32 length, JSON, then per frame u64 index, f64 Unix seconds,
    i64 Unix milliseconds, u16 counts; all little-endian, within gzip.
    """

    MAGIC: Final = b"PTY16V1\n"
    STAMP: Final = struct.Struct("<Qdq")
    MAX_HEADER: Final = 1 << 16

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Open `path` and collect the times of its frames.

        Raises
        ------
        FormatError
            If it is damaged or of another kind.
        """
        self._name = path.name
        self._packed_bytes = path.stat().st_size
        self._stream = gzip.open(path, "rb")  # noqa: SIM115 - open as long as the source
        self._copy = _UnpackedCopy(self._name)
        try:
            width, height, rate_hz = self._read_header()
            self._shape = height, width
            self._start = self._stream.tell()
            self._indices, walls = self._read_stamps()
            self._radiometry = self._judge(self._counts(0), options)
        except BaseException:
            self.close()
            raise
        self._clock = Clock.of_file(walls, options, nominal_hz=rate_hz, fallback=modified(path))
        self.info = CameraInfo(
            model="PureThermal Lepton",
            serial="",
            width=width,
            height=height,
            rate_hz=self._clock.rate_hz,
            radiometry=self._radiometry,
            live=False,
            frame_count=len(self._indices),
        )

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return self._clock.all_times_s(len(self))

    def __len__(self) -> int:
        return len(self._indices)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._stream.close()
        self._copy.close()

    def frame(self, index: int) -> Frame:
        """Read frame `index`; see `FrameSource`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        jumped = index > 0 and self._indices[index] != self._indices[index - 1] + 1
        return Frame.from_counts(
            self._counts(index),
            self._radiometry,
            self._indices[index],
            self._clock.time_s(index),
            self._clock.wall_time(index),
            FrameFlag.GAP_BEFORE if jumped else FrameFlag.NONE,
        )

    def _read_header(self) -> tuple[int, int, float]:
        magic = self._read(len(self.MAGIC))
        if magic != self.MAGIC:
            raise self._fault("it does not begin with PTY16V1", "give a PureThermal recording")
        length = int.from_bytes(self._read(4), "little")
        text = self._read(min(length, self.MAX_HEADER))
        try:
            header = json.loads(text)
            width, height = int(header["width"]), int(header["height"])
            rate_hz = float(header.get("fps", 0))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._fault("its header is damaged", "record or copy it again") from error
        if not (0 < width * height <= MAX_PIXELS and width > 0 and 0 <= rate_hz <= 1000):
            raise self._fault(
                f"its header claims {width}×{height} pixels at {rate_hz:g} frames/s",
                "record or copy it again",
            )
        return width, height, rate_hz

    def _read_stamps(self) -> tuple[list[int], list[float]]:
        """Collect numbers and times (Unix seconds) of all complete frames."""
        indices: list[int] = []
        times: list[float] = []
        while len(stamp := self._read(self._frame_bytes)) == self._frame_bytes:
            index, seconds, milliseconds = self.STAMP.unpack_from(stamp)
            if not abs(seconds - milliseconds / 1000) < 1:
                # One of the two clocks is damaged; an integer at least is a number.
                seconds = milliseconds / 1000
            self._copy.append(stamp)
            times.append(seconds)
            indices.append(max(index, indices[-1] + 1) if indices else index)
            if self._stream.tell() > GZIP_MAX_RATIO * self._packed_bytes + self._frame_bytes:
                raise self._fault(
                    f"it unpacks to more than {GZIP_MAX_RATIO} times its size",
                    "use a recording from a camera",
                )
        if not times:
            raise self._fault("its first frame is not complete", "record or copy it again")
        if stamp:
            log.warning("%s: its last frame is not complete and left out", self._name)
        return indices, times

    def _judge(self, counts: NDArray[np.uint16], options: FileOptions) -> Radiometry:
        if options.scale_k is not None or options.relative:
            return radiometry_of_counts(counts, self._name, options, guess=False)
        options.refuse_scene(self._name)
        low, high = TLINEAR_MEDIAN
        median = float(np.median(counts))
        if low <= median <= high:
            return CENTIKELVIN
        return RelativeCounts(
            f"the median count of {median:.0f} is no Kelvin×100, so TLinear was off"
        )

    def _counts(self, index: int) -> NDArray[np.uint16]:
        offset, length = index * self._frame_bytes + self.STAMP.size, 2 * math.prod(self._shape)
        data = self._copy.read(offset, length)
        if data is None:
            self._stream.seek(self._start + offset)
            data = self._read(length)
        if len(data) < length:
            raise self._fault(f"frame {index} has become unreadable", "copy it again")
        return np.frombuffer(data, "<u2").reshape(self._shape).astype(np.uint16)

    @property
    def _frame_bytes(self) -> int:
        return self.STAMP.size + 2 * math.prod(self._shape)

    def _read(self, length: int) -> bytes:
        """Read up to `length` bytes; fewer where the file is cut off or still being written."""
        parts = bytearray()
        try:
            while len(parts) < length and (part := self._stream.read(length - len(parts))):
                parts += part
        except (EOFError, OSError, zlib.error) as error:
            log.warning("%s: %s", self._name, error)
        return bytes(parts)

    def _fault(self, what: str, remedy: str) -> FormatError:
        return FormatError(f"{self._name}: {what}; {remedy}")


class _UnpackedCopy:
    """The frames of a gzip stream as they are unpacked once, so that each is a seek away.

    A gzip stream is read from its beginning whenever one goes back in it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bytes = 0
        self._file: IO[bytes] | None = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115

    def append(self, data: bytes) -> None:
        """Keep `data` behind what is there; the copy is given up where there is no room for it."""
        if self._file is None:
            return
        self._bytes += len(data)
        try:
            if self._bytes > UNPACKED_BYTES:
                raise OSError(f"it unpacks to more than {UNPACKED_BYTES >> 30} GB")
            self._file.write(data)
        except OSError as error:
            log.warning(
                "%s: no unpacked copy (%s); going back in it will be slow", self._name, error
            )
            self.close()

    def read(self, offset: int, length: int) -> bytes | None:
        """Return a piece of the copy; None if it was given up."""
        if self._file is None:
            return None
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        """Free the copy; may be called more than once."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk has not taken does not matter any more
                self._file.close()
            self._file = None
