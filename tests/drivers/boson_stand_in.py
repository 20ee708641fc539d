"""The serial port of a Boson, and the pictures that it sends."""

import binascii
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.drivers.hand_clock import Clock

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

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.values = {
            0x00050002: struct.pack(">I", 93588),
            0x00050006: struct.pack(">I", 7001),
            0x0005000C: struct.pack(">H", 3),
            0x00050013: struct.pack(">I", 1),
            0x00050015: struct.pack(">I", 0),
            0x00050030: struct.pack(">H", 380),
            0x000E000E: struct.pack(">I", 0),
        }
        """Answers by function."""
        self.sets = {0x00050012: 0x00050013, 0x00050014: 0x00050015, 0x000E000D: 0x000E000E}
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
