"""The serial port of a Boson, the USB chip of a TeAx grabber, and what both cameras send."""

import binascii
import errno
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

ESCAPES = {0x8E: b"\x9e\x81", 0x9E: b"\x9e\x91", 0xAE: b"\x9e\xa1"}


def escaped(data: bytes) -> bytes:
    return b"".join(ESCAPES.get(byte, bytes([byte])) for byte in data)


def unescaped(data: bytes) -> bytes:
    for byte, escape in ESCAPES.items():
        if byte != 0x9E:
            data = data.replace(escape, bytes([byte]))
    return data.replace(ESCAPES[0x9E], b"\x9e")


def framed(number: int, function: int, status: int, data: bytes = b"") -> bytes:
    body = struct.pack(">BIII", 0, number, function, status) + data
    return b"\x8e" + escaped(body + struct.pack(">H", binascii.crc_hqx(body, 0x1D0F))) + b"\xae"


class BosonPort:
    """The serial port of a Boson: strict about what it is told, like the camera."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.values = {
            0x00050002: struct.pack(">I", 93588),
            0x00050006: struct.pack(">I", 7001),
            0x0005000C: struct.pack(">H", 3),
            0x00050015: struct.pack(">I", 0),
            0x00050030: struct.pack(">H", 380),
            0x000E000E: struct.pack(">I", 0),
        }
        """Answers by function."""
        self.sets = {0x00050014: 0x00050015, 0x000E000D: 0x000E000E}
        """What is read back, by the function that sets it."""
        self.told: list[tuple[int, bytes]] = []
        self.spoil: Callable[[bytes], bytes] = lambda reply: reply
        self.silent = self.closed = False
        self.waiting = b""

    @property
    def in_waiting(self) -> int:
        return len(self.waiting)

    def read(self, size: int) -> bytes:
        if not self.waiting:
            self.clock.sleep(0.1 / 3)
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def read_all(self) -> bytes:
        return self.read(len(self.waiting)) if self.waiting else b""

    def write(self, packet: bytes) -> int:
        if self.silent:
            return len(packet)
        assert packet[0] == 0x8E
        assert packet[-1] == 0xAE
        assert not {0x8E, 0xAE} & set(packet[1:-1])
        body = unescaped(bytes(packet[1:-1]))
        channel, number, function, status = struct.unpack_from(">BIII", body)
        assert (channel, status) == (0, 0xFFFFFFFF)
        assert binascii.crc_hqx(body[:-2], 0x1D0F) == int.from_bytes(body[-2:], "big")
        data = body[13:-2]
        self.told.append((function, data))
        if function in self.sets:
            self.values[self.sets[function]] = data
        self.waiting += self.spoil(framed(number, function, 0, self.values.get(function, b"")))
        return len(packet)

    def close(self) -> None:
        self.closed = True


def boson_picture(number: int, rows: int = 256, columns: int = 320) -> NDArray[np.uint16]:
    return np.random.default_rng(number).integers(29000, 31000, (rows, columns), dtype=np.uint16)


def tau_counts(number: int, width: int = 336, height: int = 256) -> NDArray[np.uint16]:
    return np.random.default_rng(number).integers(7300, 7700, (height, width), dtype=np.uint16)


def teax(counts: NDArray[np.uint16]) -> bytes:
    height, width = counts.shape
    words = np.full((height, width + 2), 0x4000, "<u2")
    words[:, 1:-1] = counts | 0xC000
    words[-1, -1] = 0
    return b"TEAX\0" + struct.pack("<HHB", width + 2, height, 0) + words.tobytes()


class Grabber:
    """The firmware of a TeAx grabber: an FTDI chip, which puts two bytes before each packet."""

    def __init__(self, clock: Any, pictures: Iterable[bytes] | None = None) -> None:
        self.clock = clock
        self.pictures = (
            (teax(tau_counts(number)) for number in range(10_000))
            if pictures is None
            else iter(pictures)
        )
        self.rest = b""
        self.written: list[bytes] = []
        self.faults: deque[int] = deque()

    def bulk_in(self, device: Any, endpoint: int, size: int, timeout_ms: int) -> bytes:
        assert endpoint == 0x81
        if self.faults:
            code = self.faults.popleft()
            device.present = device.present and code != errno.ENODEV
            kind = usb.core.USBTimeoutError if code == errno.ETIMEDOUT else usb.core.USBError
            raise kind("broken", -1, code)
        if not self.rest:
            self.rest = next(self.pictures, b"")
        if not self.rest:
            self.clock.sleep(0.016)
        room = size // 512 * 510
        data, self.rest = self.rest[:room], self.rest[room:]
        packets = [data[at : at + 510] for at in range(0, len(data), 510)] or [b""]
        return b"".join(b"\x01\x60" + packet for packet in packets)

    def bulk_out(self, device: Any, endpoint: int, data: bytes) -> None:
        assert endpoint == 0x02
        self.written.append(data)

    def control(self, request_type: int, request: int, value: int, size: int) -> bytes:
        return b""
