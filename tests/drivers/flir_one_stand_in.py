"""A FLIR ONE in memory: its firmware and what it sends."""

import errno
import itertools
import json
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import usb.core
from numpy.typing import NDArray

from tests.drivers.hand_clock import Clock
from tests.drivers.virtual_usb import VirtualDevice

SERIAL = "T0W0FC00123"
PERIOD_S = 1 / 8.7
JPEG = b"\xff\xd8 a photograph \xff\xd9"
OPEN = {"shutterState": "ON", "shutterTemperature": 301.65, "ffcState": "FFC_VALID_RAD"}
CLOSED = {"shutterState": "FFC", "shutterTemperature": 301.65, "ffcState": "FFC_PROGRESS"}
INTERFACES = {(0, 0): (0x81, 0x02), (1, 0): (), (1, 1): (0x83, 0x04), (2, 0): (), (2, 1): (0x85, 6)}


def counts_of(seed: int = 0, width: int = 80, height: int = 60) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(2500, 4500, (height, width), dtype=np.uint16)


def thermal_of(counts: NDArray[np.uint16], order: str = "<") -> bytes:
    lines = [*counts.reshape(-1, 80), *np.zeros((3, 80), np.uint16)]
    return b"".join(struct.pack(f"{order}HH80H", n, 7, *line) for n, line in enumerate(lines))


def picture(thermal: bytes, status: Mapping[str, object] = OPEN, jpeg: bytes = JPEG) -> bytes:
    said = json.dumps(status).encode() + b"\0"
    sizes = len(thermal), len(jpeg), len(said)
    head = struct.pack("<6I", 0xBEEF, 1, sum(sizes), *sizes)
    return head + struct.pack("<I", zlib.crc32(head)) + thermal + jpeg + said


def message(kind: str, **data: object) -> bytes:
    body = json.dumps({"type": kind, "data": data}).encode() + b"\0"
    head = struct.pack("<III", 0x1CC, 1, len(body))
    return head + struct.pack("<I", zlib.crc32(head)) + body


def described(width: int, height: int, big_endian: str = "0") -> bytes:
    return message(
        "sledInformation",
        serialNumberBoard="secret",
        thermalWidth=str(width),
        thermalHeight=str(height),
        bigEndianThermal=big_endian,
        automaticShutter="Y",
    )


def frames_of(*seeds: int) -> list[bytes]:
    return [picture(thermal_of(counts_of(seed))) for seed in seeds]


def endless() -> Iterator[bytes]:
    return (picture(thermal_of(counts_of(seed))) for seed in itertools.count())


class Unit:
    """The firmware of a FLIR ONE, as strict as the real one."""

    def __init__(
        self, clock: Clock, pictures: Iterable[bytes] | None = None, period_s: float = PERIOD_S
    ) -> None:
        self.clock = clock
        self.pictures = iter(endless() if pictures is None else pictures)
        self.period_s = period_s
        self.greeting = described(80, 60)
        self.messages: deque[bytes] = deque()
        self.faults: deque[tuple[int, int]] = deque()
        """Endpoint and errno of transfers that will fail."""
        self.transfer_bytes = 16384
        self.reads: list[tuple[int, int]] = []
        self.written: list[bytes] = []
        self.silent = False
        self.dead = False
        self._greeted = False
        self._asked = {0x81, 0x83}
        self._rest = b""
        self._due_s: float | None = None
        self._begun = 0
        """How often the stream was."""

    def bulk_in(self, device: VirtualDevice, endpoint: int, size: int, timeout_ms: int) -> bytes:
        self.reads.append((endpoint, timeout_ms))
        if self.faults and self.faults[0][0] == endpoint:
            code = self.faults.popleft()[1]
            device.present = device.present and code != errno.ENODEV
            raise usb.core.USBError("broken", -1, code)
        if endpoint == 0x85:
            begun = device.calls.count(("setting", 2, 1))
            if begun != self._begun:
                self._begun, self._rest, self._due_s = begun, b"", None
            data = self._picture(size, timeout_ms)
        else:
            self._asked.add(endpoint)
            data = self._message(device) if endpoint == 0x81 else b""
        if not data:
            self.clock.sleep(timeout_ms / 1000)
        return data

    def bulk_out(self, device: VirtualDevice, endpoint: int, data: bytes) -> None:
        assert endpoint == 0x02
        self.written.append(data)

    def control(self, *request: int) -> bytes:
        return b""

    def switch_on(self) -> None:
        """Begin anew, as after plugging in."""
        self._greeted = self.dead = False
        self._asked = {0x81, 0x83}
        self._rest, self._due_s = b"", None

    def _message(self, device: VirtualDevice) -> bytes:
        if not self._greeted and device.settings.get(1) == 1:
            self._greeted = True
            return self.greeting
        return self.messages.popleft() if self.messages else b""

    def _picture(self, size: int, timeout_ms: int) -> bytes:
        # One that is not asked for messages as well stops for good.
        self.dead = self.dead or self._asked != {0x81, 0x83}
        self._asked.clear()
        if self.dead or self.silent:
            return b""
        if not self._rest:
            now_s = self.clock.monotonic()
            due_s = now_s if self._due_s is None else self._due_s
            if due_s > now_s + timeout_ms / 1000:
                return b""
            self.clock.sleep(max(due_s - now_s, 0.0))
            self._due_s = due_s + self.period_s
            self._rest = next(self.pictures, b"")
        piece = min(size, self.transfer_bytes)
        data, self._rest = self._rest[:piece], self._rest[piece:]
        return data
