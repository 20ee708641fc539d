"""The USB chip of a TeAx grabber, and what the Tau behind it sends."""

import errno
import struct
from collections import deque
from collections.abc import Iterable

import numpy as np
import usb.core
from numpy.typing import NDArray

from tests.drivers.hand_clock import Clock
from tests.drivers.virtual_usb import VirtualDevice


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

    def __init__(self, clock: Clock, pictures: Iterable[bytes] | None = None) -> None:
        self.clock = clock
        self.pictures = (
            (teax(tau_counts(number)) for number in range(10_000))
            if pictures is None
            else iter(pictures)
        )
        self.rest = b""
        self.written: list[bytes] = []
        self.faults: deque[int] = deque()
        """Errno of each of the next transfers that bring pictures, 0 for one that succeeds."""
        self.command_faults: deque[int] = deque()
        self.setting_faults: deque[int] = deque()

    def bulk_in(self, device: VirtualDevice, endpoint: int, size: int, timeout_ms: int) -> bytes:
        assert endpoint == 0x81
        device.present = device.present and errno.ENODEV not in self.faults
        break_down(self.faults)
        if not self.rest:
            self.rest = next(self.pictures, b"")
        if not self.rest:
            self.clock.sleep(0.016)
        room = size // 512 * 510
        data, self.rest = self.rest[:room], self.rest[room:]
        packets = [data[at : at + 510] for at in range(0, len(data), 510)] or [b""]
        return b"".join(b"\x01\x60" + packet for packet in packets)

    def bulk_out(self, device: VirtualDevice, endpoint: int, data: bytes) -> None:
        assert endpoint == 0x02
        break_down(self.command_faults)
        self.written.append(data)

    def control(self, request_type: int, request: int, value: int, size: int) -> bytes:
        break_down(self.setting_faults)
        return b""


def break_down(faults: deque[int]) -> None:
    """Fail with the next of `faults`, if there is one."""
    code = faults.popleft() if faults else 0
    if code:
        kind = usb.core.USBTimeoutError if code == errno.ETIMEDOUT else usb.core.USBError
        raise kind("broken", -1, code)
