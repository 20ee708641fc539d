"""What a FLIR ONE sends over USB: bytes in, pictures and messages out.  Knows no device.

A picture comes on endpoint 0x85: a header of seven little-endian words, the thermal image as the
packets of its Lepton, a visible JPEG, and a status in JSON.  On endpoint 0x81 the camera tells of
itself in JSON messages, each behind a header of four words.  Neither begins where a USB transfer
begins, so both are found by their magic numbers.  Sources: the drivers and notes of fnoop,
Miso98, bikbov-damir and gmorain on GitHub, which agree where they overlap.

Whatever comes in, a parser keeps at most `MAX_PICTURE_BYTES` (or `MAX_MESSAGE_BYTES`) and what it
was fed last.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_PICTURE_BYTES: Final = 2 << 20
"""Most bytes of one picture with header; the largest seen have a tenth of it."""
MAX_THERMAL_BYTES: Final = 128 << 10
"""Three times what 160×120 pixels take."""
MAX_STATUS_BYTES: Final = 16 << 10
MAX_MESSAGE_BYTES: Final = 64 << 10
"""Most bytes of one message with header; real ones have some hundred."""

PICTURE_HEADER_BYTES: Final = 28
MESSAGE_HEADER_BYTES: Final = 16
PACKET_BYTES: Final = 164
"""Number and checksum of a Lepton packet, two bytes each, and 80 pixels."""

GEOMETRIES: Final = {(80, 60): 1, (160, 120): 2}
"""(width, height) of the sensors there are, and the packets of a row."""

IPHONE_GREETING: Final = b"\xff\x55"
"""Greeting of a unit with Lightning plug on 0x81: the accessory protocol of iPhones."""

_PICTURE_MAGIC: Final = struct.pack("<I", 0x0000BEEF)
_MESSAGE_MAGIC: Final = struct.pack("<II", 0x000001CC, 1)
_PACKET_NUMBER: Final = 0x0FFF
"""Bits of the first word of a packet that hold its number; the others are the sensor's own."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as the camera sent it."""

    thermal: bytes
    """Lepton packets; see `thermal_counts`."""
    jpeg: bytes
    """The visible picture; empty if there is none."""
    status: Mapping[str, Any]
    """Status that came with the picture; empty if none did."""
    intact: bool
    """Whether each part begins and ends as it must; if not, bytes are missing or wrong."""
    lost_before: int
    """Pictures since the last one that could not be used at all."""


@dataclass(frozen=True, slots=True)
class _Header:
    thermal: int
    jpeg: int
    status: int

    @property
    def bytes(self) -> int:
        return PICTURE_HEADER_BYTES + self.thermal + self.jpeg + self.status


class PictureParser:
    """Finds the pictures in what comes from endpoint 0x85, in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lost = 0
        self._in_step = False
        """Whether the buffer begins where a picture begins, as far as we know."""
        self._checks = False
        """Whether this camera has shown that the last word of its headers is their CRC-32."""

    def reset(self) -> None:
        """Forget the beginning of a picture whose end will not come."""
        self._lost += bool(self._buffer) and self._in_step
        self._in_step = False
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Picture]:
        """Take the next bytes and return the pictures that they complete."""
        pictures: list[Picture] = []
        for start in range(0, len(data), MAX_PICTURE_BYTES):
            self._buffer += data[start : start + MAX_PICTURE_BYTES]
            while (picture := self._next()) is not None:
                pictures.append(picture)
        return pictures

    def _next(self) -> Picture | None:
        while True:
            at = self._find_header(0, len(self._buffer))
            if at < 0:
                self._skip(max(len(self._buffer) - len(_PICTURE_MAGIC) + 1, 0))
                return None
            self._skip(at)
            header = self._header_at(0)
            if header is None or len(self._buffer) < header.bytes:
                return None
            self._in_step = True
            status, intact = self._examine(header)
            if not intact and (inner := self._find_header(4, header.bytes + 3)) > 0:
                # This picture was cut off and the next one lies in its place.
                self._lost += 1
                del self._buffer[:inner]
                continue
            return self._take(header, status, intact)

    def _skip(self, count: int) -> None:
        """Drop bytes that belong to no picture: what is left of one whose header is missing."""
        if self._in_step and self._buffer[:count].strip(b"\0"):
            self._lost += 1
            self._in_step = False
        del self._buffer[:count]

    def _take(self, header: _Header, status: Mapping[str, Any], intact: bool) -> Picture:
        jpeg_at = PICTURE_HEADER_BYTES + header.thermal
        with memoryview(self._buffer) as view:
            thermal = bytes(view[PICTURE_HEADER_BYTES:jpeg_at])
            jpeg = bytes(view[jpeg_at : jpeg_at + header.jpeg])
        picture = Picture(thermal, _without_padding(jpeg), status, intact, self._lost)
        self._lost = 0
        del self._buffer[: header.bytes]
        return picture

    def _find_header(self, start: int, end: int) -> int:
        """Return where the next header lies, or one begins of which the rest is to come; or -1."""
        at = start
        while (at := self._buffer.find(_PICTURE_MAGIC, at, end)) >= 0:
            if len(self._buffer) - at < PICTURE_HEADER_BYTES or self._header_at(at):
                return at
            at += 1
        return -1

    def _header_at(self, at: int) -> _Header | None:
        """Read the header at `at`; None if it is incomplete or cannot be one."""
        # Four magic bytes turn up among pixels by chance.  A header must also account for its own
        # payload, part by part, within the sizes of real cameras; and once a camera has shown that
        # it fills in the CRC-32, each of its headers must have it right.
        if len(self._buffer) - at < PICTURE_HEADER_BYTES:
            return None
        magic, _, payload, thermal, jpeg, status, check = struct.unpack_from(
            "<4s6I", self._buffer, at
        )
        header = _Header(thermal, jpeg, status)
        if (
            magic != _PICTURE_MAGIC
            or thermal + jpeg + status != payload
            or not 0 < thermal <= MAX_THERMAL_BYTES
            or status > MAX_STATUS_BYTES
            or header.bytes > MAX_PICTURE_BYTES
        ):
            return None
        right = check == zlib.crc32(self._buffer[at : at + 24])
        if self._checks and not right:
            return None
        self._checks = self._checks or right
        return header

    def _examine(self, header: _Header) -> tuple[Mapping[str, Any], bool]:
        """Return the status, and whether the parts lie where the header says."""
        jpeg_at = PICTURE_HEADER_BYTES + header.thermal
        status_at = jpeg_at + header.jpeg
        jpeg_begins = not header.jpeg or self._buffer[jpeg_at : jpeg_at + 2] == b"\xff\xd8"
        text = bytes(self._buffer[status_at : status_at + header.status])
        status = _object_of(text) if header.status else {}
        return status or {}, jpeg_begins and status is not None


class MessageParser:
    """Finds the JSON messages in what comes from endpoint 0x81, in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes and return the messages that they complete; others are skipped."""
        messages: list[dict[str, Any]] = []
        for start in range(0, len(data), MAX_MESSAGE_BYTES):
            self._buffer += data[start : start + MAX_MESSAGE_BYTES]
            messages += self._complete()
        return messages

    def _complete(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while True:
            at = self._buffer.find(_MESSAGE_MAGIC)
            if at < 0:
                # A magic number may be cut in two.
                del self._buffer[: max(len(self._buffer) - len(_MESSAGE_MAGIC) + 1, 0)]
                return messages
            del self._buffer[:at]
            if len(self._buffer) < MESSAGE_HEADER_BYTES:
                return messages
            length, check = struct.unpack_from("<II", self._buffer, 8)
            end = MESSAGE_HEADER_BYTES + length
            if end > MAX_MESSAGE_BYTES:
                del self._buffer[: len(_MESSAGE_MAGIC)]
                continue
            message = _object_of(bytes(self._buffer[MESSAGE_HEADER_BYTES:end]))
            if message is not None and len(self._buffer) >= end:
                messages.append(message)
                del self._buffer[:end]
            elif len(self._buffer) >= end or (
                check != zlib.crc32(self._buffer[:12]) and self._buffer.find(_MESSAGE_MAGIC, 1) > 0
            ):
                del self._buffer[: len(_MESSAGE_MAGIC)]
            else:
                return messages


def message_bytes(kind: str, data: Mapping[str, Any]) -> bytes:
    """Write a command for endpoint 0x02, such as `setOption` with `autoFFC`."""
    body = json.dumps({"type": kind, "data": data}, separators=(",", ":")).encode() + b"\0"
    head = _MESSAGE_MAGIC + struct.pack("<I", len(body))
    return head + struct.pack("<I", zlib.crc32(head)) + body


def size_of(thermal: bytes) -> tuple[int, int] | None:
    """Tell (width, height) of a thermal image from its length; None if it is no sensor's.

    There are a few packets of telemetry behind the image, more or less of them by model.
    """
    sizes = sorted(GEOMETRIES, reverse=True)
    fitting = (size for size in sizes if len(thermal) >= _image_bytes(*size))
    size = next(fitting, None)
    if size is None or len(thermal) >= 2 * _image_bytes(*size):
        return None
    return size


def thermal_counts(
    thermal: bytes, width: int, height: int, *, big_endian: bool = False
) -> tuple[NDArray[np.uint16], bool]:
    """Put the pixels of the Lepton's packets together.

    Returns
    -------
    Counts, (height, width), 14 bits, and whether the packets are numbered one after the other.
    Longer rows are made of several packets; their numbers may start anew with each segment of the
    sensor.

    Raises
    ------
    ValueError
        If there are fewer bytes than pixels, or no sensor has this size.
    """
    if (width, height) not in GEOMETRIES or len(thermal) < _image_bytes(width, height):
        raise ValueError(f"{len(thermal)} bytes are no image of {width}×{height} pixels")
    # VoSPI packets as the Lepton sends them, 82 words each: an identifier whose lower 12 bits
    # number the packet, a checksum that is not looked at here, and 80 pixels.  A row of 160 pixels
    # is two packets, so without the first two words of each the pixels are in order.  A number that
    # does not follow is a packet lost inside the camera, which no length tells.
    count = height * GEOMETRIES[width, height]
    words = np.frombuffer(thermal, ">u2" if big_endian else "<u2", count * PACKET_BYTES // 2)
    packets = words.reshape(count, PACKET_BYTES // 2)
    numbers = (packets[:, 0] & _PACKET_NUMBER).astype(np.int64)
    steps = np.diff(numbers)
    ordered = bool(np.all((steps == 1) | (numbers[1:] == 0)))
    pixels = packets[:, 2:].astype(np.uint16).reshape(height, width)
    return pixels, ordered


def _image_bytes(width: int, height: int) -> int:
    return height * GEOMETRIES[width, height] * PACKET_BYTES


def _without_padding(jpeg: bytes) -> bytes:
    end = jpeg.rfind(b"\xff\xd9")
    return jpeg[: end + 2] if end >= 0 else jpeg


def _object_of(text: bytes) -> dict[str, Any] | None:
    """Read a JSON object that NULs may follow; None if it is none."""
    try:
        found = json.loads(text.rstrip(b"\0 \r\n"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
