"""The extension units of a UVC camera, over the kernel's `UVCIOC_CTRL_QUERY` (Linux only).

A second file on the same node is opened, which works while pictures stream.
"""

import ctypes
import errno
import os
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from drivers.uvc_nodes import Ioctl
from thermoseg.errors import CameraError

ATTEMPTS: Final = 3
"""The firmware of PureThermal boards answers some queries with an error while it is busy."""
PAUSE_S: Final = 0.05
"""Pause between two attempts."""

SET_CUR: Final = 0x01
GET_CUR: Final = 0x81
GET_LEN: Final = 0x85

_BUSY: Final = frozenset({errno.EIO, errno.EPIPE, errno.EBUSY, errno.EAGAIN, errno.EILSEQ})
_ABSENT: Final = frozenset({errno.ENOENT, errno.EINVAL})
"""Error codes of the kernel for a unit or selector that the camera does not announce."""


class Query(ctypes.Structure):
    """uvc_xu_control_query of linux/uvcvideo.h."""

    _fields_ = (
        ("unit", ctypes.c_uint8),
        ("selector", ctypes.c_uint8),
        ("query", ctypes.c_uint8),
        ("size", ctypes.c_uint16),
        ("data", ctypes.c_void_p),
    )


UVCIOC_CTRL_QUERY: Final = 3 << 30 | ctypes.sizeof(Query) << 16 | ord("u") << 8 | 0x21
"""0xC0107521 where pointers have 64 bits."""


@dataclass(frozen=True, slots=True)
class Control:
    """One attribute or command of a camera."""

    name: str
    """Name of the control in messages, as the user would call it."""
    size: int
    """Bytes; 1 for a command."""
    places: tuple[tuple[int, int], ...]
    """(unit, selector), the one to try first in front."""


class ExtensionUnits:
    """Reads, writes and runs the controls of one camera; used by one thread."""

    def __init__(self, path: Path, ioctl: Ioctl | None = None) -> None:
        """Open a second file on the video node `path`.

        Raises
        ------
        CameraError
            If it cannot be opened.
        """
        self._ioctl: Ioctl = ioctl or import_module("fcntl").ioctl
        self._name = path.name
        self._places: dict[str, tuple[int, int]] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            raise CameraError(
                f"the controls of {path.name} cannot be opened ({error.strerror}); plug it in again"
            ) from error

    def read(self, control: Control) -> bytes:
        """Return the bytes of an attribute.

        Raises
        ------
        CameraError
            If the camera does not have it or does not answer.
        """
        return self._ask(control, GET_CUR, bytes(control.size))

    def write(self, control: Control, data: bytes) -> None:
        """Set an attribute; see `read`.

        Raises
        ------
        ValueError
            If `data` is not of its size.
        CameraError
            If the camera does not have it or does not answer.
        """
        if len(data) != control.size:
            raise ValueError(f"{control.name} takes {control.size} bytes, got {len(data)}")
        self._ask(control, SET_CUR, data)

    def run(self, control: Control) -> None:
        """Start a command; it is at work when this returns, not done.

        Raises
        ------
        CameraError
            If the camera does not have it or does not answer.
        """
        self._ask(control, SET_CUR, b"\1")

    def close(self) -> None:
        """Close the file; may be called more than once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _ask(self, control: Control, query: int, data: bytes) -> bytes:
        if self._file < 0:
            raise CameraError(f"the controls of {self._name} are closed; open the camera first")
        try:
            place = self._place(control)
            return self._patiently(place, query, data)
        except OSError as error:
            raise CameraError(
                f"{self._name} does not answer for {control.name} ({error.strerror}); "
                "unplug it and plug it in again"
            ) from error

    def _place(self, control: Control) -> tuple[int, int]:
        """Return where this camera keeps the control, after a look at its length there."""
        known = self._places.get(control.name)
        if known is not None:
            return known
        for place in control.places:
            try:
                length = int.from_bytes(self._patiently(place, GET_LEN, bytes(2)), "little")
            except OSError as error:
                if error.errno in _ABSENT:
                    continue
                raise
            if length == control.size:
                self._places[control.name] = place
                return place
        raise CameraError(
            f"the firmware of {self._name} has no control for {control.name}; "
            "update the firmware of its board"
        )

    def _patiently(self, place: tuple[int, int], query: int, data: bytes) -> bytes:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(place, query, data)
            except OSError as error:
                if error.errno not in _BUSY:
                    raise
            time.sleep(PAUSE_S)
        return self._once(place, query, data)

    def _once(self, place: tuple[int, int], query: int, data: bytes) -> bytes:
        buffer = ctypes.create_string_buffer(data, len(data))
        request = Query(*place, query, len(data), ctypes.addressof(buffer))
        self._ioctl(self._file, UVCIOC_CTRL_QUERY, request)
        return buffer.raw
