"""What FLIR cameras write: FFF, SEQ, CSQ and radiometric JPEG.

All four hold the same thing: a 64-byte header, a directory of records, and the records, among
them the raw counts and the calibration of the camera.  A SEQ or CSQ is one such block behind the
other; a radiometric JPEG carries one in its APP1 segments.  Header, directory and each record have
byte orders of their own.  Layout: ExifTool's FLIR tag tables.

Everything is read by the directory and checked against the bytes that exist before memory is
asked for: at most `MAX_PIXELS` counts and what the file itself holds.
"""

import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.radiometry import (
    KELVIN,
    ObjectParameters,
    PlanckRadiometry,
    Radiometry,
    RelativeCounts,
    humidity_of_header,
)

log = logging.getLogger(__name__)

MAX_PIXELS: Final = 64 * 1024**2
"""Most pixels of one image that is read; the largest thermal sensors have a fiftieth."""

MAX_RECORDS: Final = 4096
"""Most records of one frame; cameras write about a dozen."""

MAX_CAMERA_INFO: Final = 1 << 16
"""Most bytes of a CameraInfo record; cameras write 2,500."""

MAX_PADDING: Final = 1 << 16
"""Most bytes between two frames of a sequence that are skipped."""

_MAGICS: Final = (b"FFF\0", b"AFF\0")
_HEADER_BYTES: Final = 64
_ENTRY_BYTES: Final = 32
_RAW_DATA: Final = 0x01
_CAMERA_INFO: Final = 0x20
_RECORD_NAMES: Final = {_RAW_DATA: "RawData", _CAMERA_INFO: "CameraInfo"}
_RAW_HEADER_BYTES: Final = 0x20
_SUBTYPE_ORDERS: Final[dict[int, "ByteOrder"]] = {1: ">", 2: "<"}
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_PNG_MAX_RATIO: Final = 1100
"""Deflate cannot shrink anything further than about 1032 to 1."""

_COPY_AGAIN: Final = "copy the file again from the camera"

ByteOrder = Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class FlirCamera:
    """Content of a CameraInfo record, temperatures already in °C."""

    model: str
    serial: str
    radiometry: Radiometry
    rate_hz: float
    """Frames per second as set in the camera; 0 if the record does not say."""
    wall_time: float | None
    """Seconds since 1970-01-01 UTC of the frame, None if the clock was never set."""
    range_c: tuple[float, float]
    """Lowest and highest temperature of the camera's measuring range, °C."""


@dataclass(frozen=True, slots=True, eq=False)
class FlirFrame:
    """One frame as stored."""

    counts: NDArray[np.uint16]
    """(height, width), native byte order."""
    camera: FlirCamera


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    subtype: int
    offset: int
    """Place in the file, bytes from its start."""
    length: int

    @property
    def name(self) -> str:
        known = _RECORD_NAMES.get(self.kind, "unknown kind")
        return f"record {known} (type {self.kind:#04x}) at byte {self.offset}"


@dataclass(frozen=True, slots=True)
class _Block:
    """Directory of one frame."""

    records: tuple[_Record, ...]
    end: int
    """First byte behind the last record, from the start of the file."""

    def find(self, kind: int) -> _Record | None:
        return next((record for record in self.records if record.kind == kind), None)


class FlirFile:
    """The frames of one FFF, SEQ, CSQ or radiometric JPEG, read when asked for.

    A last frame that is not complete, because the camera is still writing or its card was pulled,
    is left out and mentioned in `remark`.
    """

    def __init__(self, path: Path, overrides: Mapping[str, float] | None = None) -> None:
        """Open `path` and find its frames.

        Parameters
        ----------
        overrides
            Fields of `ObjectParameters` that take the place of those in the file.

        Raises
        ------
        FormatError
            If the first frame is missing, damaged or not FLIR's.
        """
        self.remark = ""
        """Notice of the part of the file that cannot be used, empty if all can."""
        self._name = path.name
        self._overrides = dict(overrides or {})
        self._stream = _open(path)
        try:
            self._size = self._stream.seek(0, 2)
            self._starts, self.wall_times = self._find_frames()
            self.camera = self._camera_of(0)
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._starts)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._stream.close()

    def frame(self, index: int) -> FlirFrame:
        """Read frame `index`, counted from 0.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If it is damaged.
        """
        if not 0 <= index < len(self._starts):
            raise IndexError(index)
        camera = self._camera_of(index)
        raw = self._block(index).find(_RAW_DATA)
        if raw is None:
            raise self._fault(index, "it has no RawData record", "use a radiometric file")
        return FlirFrame(self._read_counts(index, raw, camera), camera)

    def _find_frames(self) -> tuple[list[int], list[float | None]]:
        starts: list[int] = []
        times: list[float | None] = []
        offset: int | None = 0
        while offset is not None:
            try:
                block = self._read_block(offset, len(starts))
                time = self._read_time(block, len(starts))
            except FormatError as error:
                if not starts:
                    raise
                self.remark = f"it ends after {len(starts)} complete frames ({error})"
                log.warning("%s: %s", self._name, self.remark)
                break
            starts.append(offset)
            times.append(time)
            offset = self._next_frame(block.end, len(starts))
        return starts, times

    def _next_frame(self, end: int, found: int) -> int | None:
        """Return where the next frame begins: at `end`, or behind a short padding."""
        if self._size - end < len(_MAGICS[0]):
            return None
        if self._read(end, 4) in _MAGICS:
            return end
        # The magic may occur in pictures too, so it is looked for between frames only.
        gap = self._read(end, min(MAX_PADDING, self._size - end))
        at = [place for magic in _MAGICS if (place := gap.find(magic)) >= 0]
        if at:
            return end + min(at)
        if gap.strip(b"\0"):
            self.remark = (
                f"the {self._size - end} bytes behind its first {found} frames are no frame"
            )
            log.warning("%s: %s", self._name, self.remark)
        return None

    def _block(self, index: int) -> _Block:
        return self._read_block(self._starts[index], index)

    def _read_block(self, start: int, index: int) -> _Block:
        # The version in the header is 100 to 199 in the byte order of the file and a number of
        # billions in the other: it tells the order.  Offsets count from the block, not from the
        # file, which holds one block per frame in a sequence.  Every length is a claim, checked
        # before it is used.
        header = self._read(start, _HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            raise self._fault(index, f"the file ends inside its header, {_size(header)}")
        if header[:4] not in _MAGICS:
            raise self._fault(index, "it does not begin with FFF", "give a FLIR file")
        order: ByteOrder = "<" if 100 <= struct.unpack_from("<I", header, 0x14)[0] < 200 else ">"
        version, directory, count = struct.unpack_from(order + "III", header, 0x14)
        if not 100 <= version < 200:
            raise self._fault(index, f"its header has the unknown version {version}")
        if count > MAX_RECORDS:
            raise self._fault(index, f"its directory claims {count} records")
        entries = self._read(start + directory, count * _ENTRY_BYTES)
        if len(entries) < count * _ENTRY_BYTES:
            raise self._fault(
                index, f"its record directory at byte {start + directory} lies outside the file"
            )
        records = tuple(
            _Record(kind, subtype, start + offset, length)
            for kind, subtype, _, _, offset, length in struct.iter_unpack(
                order + "HHIIII12x", entries
            )
            if kind
        )
        end = max(
            [start + _HEADER_BYTES, start + directory + count * _ENTRY_BYTES]
            + [record.offset + record.length for record in records]
        )
        for record in records:
            if record.offset + record.length > self._size:
                missing = record.offset + record.length - self._size
                raise self._fault(index, f"{record.name} lacks its last {missing} bytes")
        if not any(record.kind == _RAW_DATA for record in records):
            raise self._fault(index, "it has no RawData record", "use a radiometric file")
        return _Block(records, end)

    def _read_time(self, block: _Block, index: int) -> float | None:
        record = block.find(_CAMERA_INFO)
        if record is None:
            return None
        data = self._read(record.offset, min(record.length, 0x38E))
        return _wall_time(data, self._order_of(index, record, data))

    def _camera_of(self, index: int) -> FlirCamera:
        record = self._block(index).find(_CAMERA_INFO)
        if record is None:
            return FlirCamera(
                "FLIR", "", RelativeCounts("the file has no CameraInfo record"), 0.0, None, (0, 0)
            )
        data = self._read(record.offset, min(record.length, MAX_CAMERA_INFO))
        order = self._order_of(index, record, data)
        if len(data) < 0x310:
            raise self._fault(index, f"{record.name} is too short, {_size(data)}")
        try:
            return _camera(data, order, self._overrides)
        except ValueError as error:
            raise self._fault(
                index, f"{record.name}: {error}", "give the right value as an option"
            ) from error

    def _order_of(self, index: int, record: _Record, data: bytes) -> ByteOrder:
        for order in ("<", ">"):
            if data[:2] == struct.pack(order + "H", 2):
                return order
        raise self._fault(index, f"{record.name} does not begin with its byte-order mark")

    def _read_counts(self, index: int, record: _Record, camera: FlirCamera) -> NDArray[np.uint16]:
        head = self._read(record.offset, min(record.length, _RAW_HEADER_BYTES))
        order = self._order_of(index, record, head)
        if len(head) < _RAW_HEADER_BYTES:
            raise self._fault(index, f"{record.name} is too short, {_size(head)}")
        width, height = struct.unpack_from(order + "HH", head, 2)
        if not 0 < width * height <= MAX_PIXELS:
            raise self._fault(index, f"{record.name} claims an image of {width}×{height} pixels")
        stored = record.length - _RAW_HEADER_BYTES
        start = record.offset + _RAW_HEADER_BYTES
        magic = self._read(start, min(stored, len(_PNG_MAGIC)))
        try:
            if magic == _PNG_MAGIC:
                counts = _decode_png(self._read(start, stored), width, height)
            elif magic.startswith(_JPEG_MAGIC):
                return _decode_jpegls(self._read(start, stored), width, height)
            else:
                counts = _decode_plain(
                    self._read(start, min(stored, 2 * width * height)), width, height, order
                )
                if _SUBTYPE_ORDERS.get(record.subtype, order) == order:
                    return counts
        except ValueError as error:
            raise self._fault(index, f"{record.name}: {error}") from error
        return _likelier_order(counts, camera)

    def _read(self, offset: int, length: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(length)

    def _fault(self, index: int, what: str, remedy: str = _COPY_AGAIN) -> FormatError:
        return FormatError(f"{self._name}, frame {index}: {what}; {remedy}")


def fff_of_jpeg(data: bytes, name: str) -> bytes | None:
    """Collect the FFF block that a radiometric JPEG carries in its APP1 segments.

    Parameters
    ----------
    name
        Name of the file, for the error.

    Returns
    -------
    The block, or None if the picture carries none.

    Raises
    ------
    FormatError
        If a part of the block is missing.
    """
    # A segment of a JPEG holds 64 kB at most, so the block comes in numbered parts: after "FLIR\0"
    # byte 6 is the number of the part and byte 7 that of the last one.  Extra 0xFF before a marker
    # are padding; behind 0xDA (start of scan) there are no more segments.
    parts: dict[int, bytes] = {}
    last = -1
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA or length < 2:
            break
        segment = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and segment.startswith(b"FLIR\0") and len(segment) >= 8:
            parts.setdefault(segment[6], segment[8:])
            last = max(last, segment[7])
        at += 2 + length
    if not parts:
        return None
    missing = [part for part in range(last + 1) if part not in parts]
    if missing:
        raise FormatError(
            f"{name}: part {missing[0]} of {last + 1} of its thermal data is missing; {_COPY_AGAIN}"
        )
    return b"".join(parts[part] for part in range(last + 1))


def _open(path: Path) -> BinaryIO:
    try:
        stream = path.open("rb")
        if stream.read(3) != _JPEG_MAGIC:
            return stream
        with stream:
            stream.seek(0)
            block = fff_of_jpeg(stream.read(), path.name)
    except OSError as error:
        why = error.strerror or error
        raise FormatError(f"{path.name} cannot be read ({why}); check path and rights") from error
    if block is None:
        raise FormatError(
            f"{path.name} is a picture without thermal data; "
            "export it as “radiometric JPEG” to have temperatures"
        )
    return BytesIO(block)


def _camera(data: bytes, order: ByteOrder, overrides: Mapping[str, float]) -> FlirCamera:
    def number(offset: int) -> float:
        value: float = struct.unpack_from(order + "f", data, offset)[0]
        return value

    o = struct.unpack_from(order + "i", data, 0x308)[0]
    try:
        planck = PlanckRadiometry(number(0x58), number(0x5C), number(0x60), o, number(0x30C))
    except ValueError as error:
        radiometry: Radiometry = RelativeCounts(f"the file's calibration is unusable: {error}")
    else:
        scene = _scene(number, overrides)
        radiometry = replace(planck, scene=scene)
        if not np.isfinite(radiometry.to_counts(20.0)):
            raise ValueError("its Planck constants give no temperatures")
    rate_hz = struct.unpack_from(order + "H", data, 0x464)[0] if len(data) >= 0x466 else 0
    return FlirCamera(
        _text(data[0xD4:0xF4]) or "FLIR",
        _text(data[0x104:0x114]),
        radiometry,
        float(rate_hz) if rate_hz <= 1000 else 0.0,
        _wall_time(data, order),
        (number(0x94) - KELVIN, number(0x90) - KELVIN),
    )


def _scene(number: Callable[[int], float], overrides: Mapping[str, float]) -> ObjectParameters:
    """Read the object parameters; `overrides` go before what the file says, even if unusable."""
    values = {
        "emissivity": number(0x20),
        "distance_m": number(0x24),
        "reflected_c": number(0x28) - KELVIN,
        "atmosphere_c": number(0x2C) - KELVIN,
        "window_c": number(0x30) - KELVIN,
        "window_transmission": number(0x34),
        "alpha1": number(0x70),
        "alpha2": number(0x74),
        "beta1": number(0x78),
        "beta2": number(0x7C),
        "x": number(0x80),
    }
    if values["window_transmission"] in (0.0, 1.0):
        # Cameras without a window leave its fields empty.
        values["window_transmission"], values["window_c"] = 1.0, 20.0
    if "humidity" not in overrides:
        values["humidity"] = humidity_of_header(number(0x3C))
    return ObjectParameters(**{**values, **overrides})


def _wall_time(data: bytes, order: ByteOrder) -> float | None:
    if len(data) < 0x38C:
        return None
    seconds, fraction = struct.unpack_from(order + "II", data, 0x384)
    milliseconds = fraction & 0xFFFF
    if not seconds:
        return None
    return float(seconds) + (milliseconds / 1000 if milliseconds < 1000 else 0.0)


def _decode_plain(data: bytes, width: int, height: int, order: ByteOrder) -> NDArray[np.uint16]:
    if len(data) < 2 * width * height:
        raise ValueError(
            f"an image of {width}×{height} pixels needs {2 * width * height} bytes, "
            f"it has {len(data)}"
        )
    return np.frombuffer(data, order + "u2").reshape(height, width).astype(np.uint16)


def _decode_png(data: bytes, width: int, height: int) -> NDArray[np.uint16]:
    # Size and depth stand at fixed places of the first chunk (IHDR): they are compared before
    # anything is decoded, since a damaged header may ask for gigabytes, and since no image
    # compresses by more than `_PNG_MAX_RATIO`.
    if len(data) < 33:
        raise ValueError("its PNG image is cut off")
    size, depth, colour = struct.unpack_from(">II", data, 16), data[24], data[25]
    if size != (width, height) or (depth, colour) != (16, 0):
        raise ValueError(
            f"its PNG image is {size[0]}×{size[1]} of depth {depth}, not {width}×{height} of 16"
        )
    if 2 * width * height > _PNG_MAX_RATIO * len(data):
        raise ValueError(f"its PNG image of {width}×{height} pixels is cut off")
    return _decoded(imagecodecs.png_decode, data, width, height, "PNG")


def _decode_jpegls(data: bytes, width: int, height: int) -> NDArray[np.uint16]:
    # As with PNG, the size is read before decoding, here from the frame header SOF55 (0xFFF7):
    # length, precision, height, width, and one component.
    at = data.find(b"\xff\xf7", 0, 4096)
    if at < 0 or at + 9 > len(data):
        raise ValueError("its JPEG image is not JPEG-LS")
    size = struct.unpack_from(">HH", data, at + 5)
    if size != (height, width) or data[at + 9 : at + 10] != b"\x01":
        raise ValueError(f"its JPEG-LS image is {size[1]}×{size[0]}, not {width}×{height}")
    return _decoded(imagecodecs.jpegls_decode, data, width, height, "JPEG-LS")


def _decoded(
    decode: Callable[[bytes], object], data: bytes, width: int, height: int, kind: str
) -> NDArray[np.uint16]:
    try:
        counts = np.asarray(decode(data))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"its {kind} image is damaged ({error})") from error
    if counts.shape != (height, width) or counts.dtype.kind != "u" or counts.dtype.itemsize > 2:
        raise ValueError(f"its {kind} image is {counts.dtype} {counts.shape}")
    return counts.astype(np.uint16)


def _likelier_order(counts: NDArray[np.uint16], camera: FlirCamera) -> NDArray[np.uint16]:
    """Return `counts` or its bytes swapped, whichever is a picture within the camera's range.

    Most cameras store their PNG with swapped bytes and nothing in the file tells which.
    """

    def likelihood(candidate: NDArray[np.uint16]) -> tuple[float, float]:
        celsius = camera.radiometry.to_celsius(candidate)
        low, high = camera.range_c
        inside = float(np.mean((celsius >= low) & (celsius <= high)))
        steps = np.abs(np.diff(candidate.astype(np.int32), axis=1))
        return round(inside, 1), -float(steps.mean()) if steps.size else 0.0

    return max(counts, counts.byteswap(), key=likelihood)


def _text(field: bytes) -> str:
    text = field.split(b"\0", 1)[0].decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _size(data: bytes) -> str:
    return f"{len(data)} bytes"
