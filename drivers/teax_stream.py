"""What TeAx's ThermalCapture GrabberUSB makes of a Tau: bytes in, pictures and replies out.

A picture is `TEAX`, six bytes of which two are the words of a row, and the rows: 16-bit words of
which bit 15 says that a pixel is valid and the lower 14 are its count.  Each row has one more word
before and behind its pixels, without that bit.  Between pictures each byte that the camera replies
comes as `UART`, a length and the byte.  Sources: flirpy, and the drivers of Kelian98 and others
that agree with it on GitHub, but for the size: flirpy 0.6.2 takes rows for columns.

A parser keeps at most `MAX_BYTES` and what it was fed last.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROWS: Final = {640: 512, 336: 256, 324: 256, 160: 128}
"""Rows of a picture by its width; a Tau has no others."""
HEADER_BYTES: Final = 10
MAX_BYTES: Final = 1 << 20
"""The largest picture has 657,418."""
REPLY_BYTES: Final = 256
"""Newest bytes of the camera's replies that are kept."""

_PICTURE: Final = b"TEAX"
_REPLY: Final = b"UART"
_REPLY_LENGTH: Final = 6
_VALID: Final = 1 << 15
_COUNT: Final = (1 << 14) - 1


@dataclass(frozen=True, slots=True, eq=False)
class TeaxPicture:
    """One picture of a Tau."""

    counts: NDArray[np.uint16]
    """(height, width), 14 bits."""
    intact: bool
    """Whether each row begins and ends where it must."""
    lost_before: int
    """Pictures since the last one that could not be used at all."""


class TeaxParser:
    """Finds pictures and replies in what the grabber sends, in pieces of any size."""

    def __init__(self) -> None:
        self.replies = bytearray()
        """Newest bytes that the camera replied; whoever reads them may clear them."""
        self._buffer = bytearray()
        self._lost = 0
        self._in_step = False
        """Whether the buffer began with a picture, so that what is skipped was one."""

    def feed(self, data: bytes) -> list[TeaxPicture]:
        """Take the next bytes and return the pictures that they complete."""
        pictures: list[TeaxPicture] = []
        for start in range(0, len(data), MAX_BYTES // 4):
            self._buffer += data[start : start + MAX_BYTES // 4]
            while (picture := self._next()) is not None:
                pictures.append(picture)
        return pictures

    def _next(self) -> TeaxPicture | None:
        # Each row has a word before and one behind its pixels whose `valid` bit is off, while it is
        # on in every pixel: a picture that lost bytes on the way shows as a bit at the wrong place.
        # Then the next picture is looked for inside this one, or two would be lost.
        while True:
            at = self._find(0, len(self._buffer))
            self._skip(at if at >= 0 else self._settled())
            if at < 0:
                return None
            width = self._width_at(0)
            if not width or len(self._buffer) < _picture_bytes(width):
                return None
            self._in_step = True
            end = _picture_bytes(width)
            words = np.frombuffer(self._buffer[HEADER_BYTES:end], "<u2").reshape(ROWS[width], -1)
            valid = (words & _VALID).astype(bool)
            intact = bool(valid[:, 1:-1].all() and not valid[:, [0, -1]].any())
            if not intact and (inner := self._find(1, end + len(_PICTURE) - 1)) > 0:
                # It was cut off, and the next one lies in its place.
                self._lost += 1
                del self._buffer[:inner]
                continue
            del self._buffer[:end]
            counts = (words[:, 1:-1] & _COUNT).astype(np.uint16)
            picture = TeaxPicture(counts, intact, self._lost)
            self._lost = 0
            return picture

    def _settled(self) -> int:
        """Return how far a buffer without a picture can be dropped: not inside a reply."""
        end = max(len(self._buffer) - len(_PICTURE) + 1, 0)
        at = self._buffer.rfind(_REPLY)
        if at < 0 or at + _REPLY_LENGTH <= end:
            return end
        whole = at + _REPLY_LENGTH
        return whole if whole <= len(self._buffer) else at

    def _skip(self, end: int) -> None:
        """Drop what lies before `end`: replies, which are kept, and what is left of pictures."""
        first, *parts = bytes(self._buffer[:end]).split(_REPLY)
        self.replies += b"".join(part[1:2] for part in parts)
        del self.replies[:-REPLY_BYTES]
        rest = _REPLY_LENGTH - len(_REPLY)
        if self._in_step and (first or any(len(part) > rest for part in parts)):
            self._lost += 1
            self._in_step = False
        del self._buffer[:end]

    def _find(self, start: int, end: int) -> int:
        """Return where the next picture lies or may begin, -1 if nowhere."""
        at = start
        while (at := self._buffer.find(_PICTURE, at, end)) >= 0:
            if self._width_at(at) or len(self._buffer) - at < HEADER_BYTES:
                return at
            at += 1
        return -1

    def _width_at(self, at: int) -> int:
        """Return the pixels of a row as the header at `at` says, 0 if it is none or incomplete."""
        if len(self._buffer) - at < HEADER_BYTES:
            return 0
        width = int(struct.unpack_from("<H", self._buffer, at + 5)[0]) - 2
        return width if width in ROWS else 0


def _picture_bytes(width: int) -> int:
    return HEADER_BYTES + 2 * ROWS[width] * (width + 2)
