"""An independent writer of FLIR files, by the documented layout, and a clock set by hand."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

PLANCK = {"r1": 21106.77, "b": 1501.0, "f": 1.0, "o": -7340, "r2": 0.012545258}


@dataclass
class FlirWriter:
    """Writes one frame; every field may be set to something a camera would not write."""

    counts: NDArray[np.uint16] = field(
        default_factory=lambda: np.arange(17000, 17012, dtype=np.uint16).reshape(3, 4)
    )
    directory_order: str = "<"
    record_order: str = "<"
    payload: str = "raw"
    subtype: int | None = None
    seconds: int = 1_700_000_000
    milliseconds: int = 0
    emissivity: float = 1.0
    humidity: float = 0.5
    distance_m: float = 0.0
    r1: float = PLANCK["r1"]
    claimed_size: tuple[int, int] | None = None
    """Width and height written into the record, if not the true ones."""
    padding: int = 0
    """Bytes between the records, to make frames of different length."""
    with_camera_info: bool = True

    def camera_info(self) -> bytes:
        order, data = self.record_order, bytearray(0x480)

        def put(offset: int, kind: str, *values: float) -> None:
            struct.pack_into(order + kind, data, offset, *values)

        put(0, "H", 2)
        for offset, value in {
            0x20: self.emissivity,
            0x24: self.distance_m,
            0x28: 293.15,
            0x2C: 293.15,
            0x30: 293.15,
            0x34: 1.0,
            0x3C: self.humidity,
            0x58: self.r1,
            0x5C: PLANCK["b"],
            0x60: PLANCK["f"],
            0x70: 0.006569,
            0x74: 0.01262,
            0x78: -0.002276,
            0x7C: -0.00667,
            0x80: 1.9,
            0x90: 393.15,
            0x94: 253.15,
            0x30C: PLANCK["r2"],
        }.items():
            put(offset, "f", value)
        put(0x308, "i", PLANCK["o"])
        data[0xD4 : 0xD4 + 8] = b"FLIR T42"
        data[0x104 : 0x104 + 5] = b"12345"
        put(0x384, "IIh", self.seconds, 0xABCD0000 | self.milliseconds, -60)
        put(0x464, "H", 30)
        return bytes(data)

    def raw_data(self) -> tuple[int, bytes]:
        """Return (subtype, record)."""
        height, width = self.counts.shape
        head = struct.pack(self.record_order + "HHH26x", 2, *(self.claimed_size or (width, height)))
        big = self.record_order == ">"
        subtype, body = {
            "raw": lambda: (
                1 if big else 2,
                self.counts.astype(self.record_order + "u2").tobytes(),
            ),
            "png": lambda: (3, imagecodecs.png_encode(self.counts)),
            "png swapped": lambda: (3, imagecodecs.png_encode(self.counts.byteswap())),
            "jpeg-ls": lambda: (4, imagecodecs.jpegls_encode(self.counts)),
        }[self.payload]()
        return self.subtype or subtype, head + body

    def fff(self) -> bytes:
        subtype, raw = self.raw_data()
        records = [(0x01, subtype, raw)]
        if self.with_camera_info:
            records.append((0x20, 1, self.camera_info()))
        records.append((0, 0, b""))
        order = self.directory_order
        directory, body = b"", b""
        start = 64 + 32 * len(records)
        for kind, subtype, data in records:
            offset = start + len(body) + self.padding if kind else 0
            directory += struct.pack(order + "HHIIII12x", kind, subtype, 100, 1, offset, len(data))
            body += bytes(self.padding) + data if kind else b""
        header = (
            b"FFF\0" + b"FLIR".ljust(16, b"\0") + struct.pack(order + "III", 101, 64, len(records))
        )
        return header.ljust(64, b"\0") + directory + body

    def jpeg(self, part_bytes: int = 200, leave_out: int | None = None) -> bytes:
        """Return a picture that carries the frame in its APP1 segments."""
        block = self.fff()
        parts = [block[at : at + part_bytes] for at in range(0, len(block), part_bytes)]
        visible = imagecodecs.jpeg8_encode(np.full((8, 8, 3), 90, np.uint8))
        segments = b"".join(
            b"\xff\xe1"
            + struct.pack(">H", len(part) + 10)
            + b"FLIR\0\1"
            + bytes([number, len(parts) - 1])
            + part
            for number, part in enumerate(parts)
            if number != leave_out
        )
        return visible[:2] + segments + visible[2:]


@pytest.fixture
def flir() -> Callable[..., FlirWriter]:
    """Make a writer of FLIR frames."""
    return FlirWriter


class HandClock:
    """A clock that stands still except while somebody sleeps, in place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """Give the drivers that keep time themselves a clock that a test sets."""
    clock = HandClock()
    for driver in ("simulated", "playback"):
        monkeypatch.setattr(f"drivers.{driver}.time", clock)
    return clock
