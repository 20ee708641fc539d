"""An independent writer of FLIR files, by the documented layout, and UVC cameras in memory."""

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers import uvc_capture
from drivers.boson import BosonCamera
from drivers.boson_link import BosonOptions, SerialPorts
from drivers.uvc_capture import UvcSystem
from drivers.uvc_controls import ExtensionUnits
from drivers.uvc_nodes import VideoMode, VideoNode
from tests.drivers.boson_stand_in import BosonPort, boson_picture
from tests.drivers.hand_clock import Clock, HandClock
from tests.drivers.virtual_usb import VirtualBus, VirtualDevice
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import RelativeCounts
from thermoseg.timeline import TimeLine


def reason_of(info: CameraInfo) -> str:
    """Return why what a camera sends is no temperatures."""
    assert isinstance(info.radiometry, RelativeCounts)
    return info.radiometry.reason


def in_session(frames: Iterable[Frame]) -> list[Frame]:
    """Return frames of a driver as a session shows them, with the time after a shutter flagged."""
    line = TimeLine()
    line.open(0.0, live=True, rate_hz=30.0)
    return [line.place(frame, frame.time_s) for frame in frames]


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
    b: float = PLANCK["b"]
    o: int = int(PLANCK["o"])
    r2: float = PLANCK["r2"]
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
            0x5C: self.b,
            0x60: PLANCK["f"],
            0x70: 0.006569,
            0x74: 0.01262,
            0x78: -0.002276,
            0x7C: -0.00667,
            0x80: 1.9,
            0x90: 393.15,
            0x94: 253.15,
            0x30C: self.r2,
        }.items():
            put(offset, "f", value)
        put(0x308, "i", self.o)
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
        encoders: dict[str, Callable[[], tuple[int, bytes]]] = {
            "raw": lambda: (
                1 if big else 2,
                self.counts.astype(self.record_order + "u2").tobytes(),
            ),
            "png": lambda: (3, bytes(imagecodecs.png_encode(self.counts))),
            "png swapped": lambda: (3, bytes(imagecodecs.png_encode(self.counts.byteswap()))),
            "jpeg-ls": lambda: (4, bytes(imagecodecs.jpegls_encode(self.counts))),
        }
        subtype, body = encoders[self.payload]()
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
        visible = bytes(imagecodecs.jpeg8_encode(np.full((8, 8, 3), 90, np.uint8)))
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
def flir() -> type[FlirWriter]:
    """Make a writer of FLIR frames."""
    return FlirWriter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """Give the drivers that keep time themselves a clock that a test sets."""
    clock = HandClock()
    for module in (
        "simulated",
        "playback",
        "flir_one",
        "flir_one_link",
        "boson",
        "boson_link",
        "tau",
        "lepton",
        "picture_stream",
        "uvc_capture",
        "gige",
        "gige_link",
        "gige_neighbours",
    ):
        monkeypatch.setattr(f"drivers.{module}.time", clock)
    return clock


@pytest.fixture
def usb_device() -> type[VirtualDevice]:
    """Make devices for a virtual USB."""
    return VirtualDevice


@pytest.fixture
def usb_bus() -> type[VirtualBus]:
    """Make a virtual USB out of devices."""
    return VirtualBus


Pictures: TypeAlias = Callable[[int], NDArray[Any] | None]
"""What comes as picture n: an array of any shape and kind, or None for a read that fails."""


class UvcCamera:
    """A UVC camera and the system it is plugged into: what stands for OpenCV and for the kernel.

    It sends `picture(0)`, `picture(1)` … at its own pace, keeps `buffers` of them for a late reader
    and answers its extension units byte by byte.
    """

    def __init__(self, picture: Pictures, **settings: object) -> None:
        self.picture = picture
        self.platform = "linux"
        self.vendor, self.product, self.serial, self.name = 0x1E4E, 0x0100, "8003000b-5113", "Cam"
        self.path = Path("/dev/video7")
        self.plugged: list[str] = []
        """Paths that were opened."""
        self.windows_apis: list[int] = []
        """OpenCV's backends that were asked for, should this be Windows."""
        self.fourcc, self.sizes, self.rate_hz = "Y16 ", [(160, 120), (160, 122)], 9.0
        """Sizes are (columns, rows) on offer."""
        self.present, self.busy, self.buffers = True, False, 4
        self.others: list[VideoNode] = []
        """Devices that are plugged in beside it."""
        self.refusal: OSError | None = None
        """Error that opening the node to look at its formats raises."""
        self.blocks = threading.Event()
        """Set, a read does not return before `unblock` is."""
        self.unblock = threading.Event()
        self.units: dict[tuple[int, int], bytes] = {}
        """Attributes by (unit, selector)."""
        self.troubles: list[int] = []
        """Errors of the next queries."""
        self.written: list[tuple[int, int, bytes]] = []
        self.size = (0, 0)
        self.released = 0
        self.began = 0.0
        self.next = -1
        for name, value in settings.items():
            assert hasattr(self, name)
            setattr(self, name, value)

    def system(self) -> UvcSystem:
        return UvcSystem(
            platform=self.platform,
            nodes=lambda: [self.node][: self.present] + self.others,
            modes=lambda path: self.modes(path),
            video=self.plug,
            waits=lambda video, timeout_s: self.wait(timeout_s),
            controls=lambda path: ExtensionUnits(Path(os.devnull), self.ioctl),
        )

    @property
    def node(self) -> VideoNode:
        port = "pci-0000:00:14.0-usb-0:2:1.0-video-index0"
        return VideoNode(self.path, self.vendor, self.product, self.name, self.serial, port)

    @property
    def twin(self) -> VideoNode:
        """Another one of its kind, with a serial number of its own if it has one."""
        node = self.node
        serial = node.serial if node.port == node.stable_name else f"{node.serial}-2"
        port = "pci-0000:00:14.0-usb-0:3:1.0-video-index0"
        return replace(node, path=Path("/dev/video9"), serial=serial, port=port)

    def modes(self, path: Path) -> list[VideoMode]:
        if self.refusal is not None:
            raise self.refusal
        return [VideoMode(self.fourcc, *size, self.rate_hz) for size in self.sizes]

    # What OpenCV would be.

    def plug(self, path: str, windows_api: int) -> "UvcCamera":
        self.next, self.size = -1, (640, 480)
        self.plugged.append(path)
        self.windows_apis.append(windows_api)
        return self

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return self.present and not self.busy

    def set(self, prop: int, value: float) -> bool:
        place = {cv2.CAP_PROP_FRAME_WIDTH: 0, cv2.CAP_PROP_FRAME_HEIGHT: 1}.get(prop)
        if place is not None:
            size = list(self.size)
            size[place] = int(value)
            self.size = (size[0], size[1])
        return True

    def get(self, prop: int) -> float:
        size = self.size if self.size in self.sizes else self.sizes[0]
        return {
            cv2.CAP_PROP_FRAME_WIDTH: size[0],
            cv2.CAP_PROP_FRAME_HEIGHT: size[1],
            cv2.CAP_PROP_FPS: self.rate_hz,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*self.fourcc),
            cv2.CAP_PROP_POS_MSEC: 1e6 + 1000 * (self.next - 1) / self.rate_hz,
        }.get(prop, 0.0)

    def read(self) -> tuple[bool, NDArray[Any] | None]:
        if self.blocks.is_set():
            self.unblock.wait(10)
        if not self.present:
            return False, None
        if self.next < 0:
            self.began, self.next = self._time.monotonic(), 0
        else:
            self._time.sleep(min(max(self._due_in(), 0.0), 1.0))
        array = self.picture(self.next)
        self.next += 1
        return array is not None, array

    def wait(self, timeout_s: float) -> bool:
        if not self.present:
            raise cv2.error("Error is reported for camera stream: 0")
        due_s = self._due_in()
        self._time.sleep(min(max(due_s, 0.0), timeout_s))
        return due_s <= timeout_s

    def release(self) -> None:
        self.released += 1

    def _due_in(self) -> float:
        """Seconds until the next picture; those that nobody fetched in time are gone."""
        passed_s = self._time.monotonic() - self.began
        newest = int(passed_s * self.rate_hz + 1e-6)
        self.next = max(self.next, newest - self.buffers + 1)
        return self.next / self.rate_hz - passed_s

    @property
    def _time(self) -> Clock:
        clock: Clock = vars(uvc_capture)["time"]  # the one that the test has put there
        return clock

    # What the kernel's uvcvideo would be.

    def ioctl(self, file: int, request: int, query: ctypes.Structure) -> int:
        assert request == 0xC0107521
        unit, selector, kind, size, address = struct.unpack("<BBBxH2xQ", bytes(query))
        if self.troubles:
            number = self.troubles.pop(0)
            raise OSError(number, os.strerror(number))
        if not self.present:
            raise OSError(errno.ENODEV, "No such device")
        if (unit, selector) not in self.units:
            raise OSError(errno.ENOENT, "No such file or directory")
        value = self.units[unit, selector]
        if kind == 0x85:
            assert size == 2
            ctypes.memmove(address, struct.pack("<H", len(value)), 2)
        elif size != len(value):
            raise OSError(errno.ENOBUFS, "No buffer space available")
        elif kind == 0x81:
            ctypes.memmove(address, value, size)
        else:
            assert kind == 0x01
            self.written.append((unit, selector, ctypes.string_at(address, size)))
            self.units[unit, selector] = ctypes.string_at(address, size)
        return 0


@pytest.fixture
def uvc_camera() -> type[UvcCamera]:
    """Make stand-ins for UVC cameras."""
    return UvcCamera


LEPTON_UNITS = {
    (6, 16): struct.pack("<7I2H", 1, 0, 1, 0, 0, 180_000, 0, 150, 52),
    (6, 17): bytes(1),
    (6, 19): bytes(4),
    (21, 18): b"\1\0\0\0",
    (21, 19): b"\1\0\0\0",
    (4, 8): b"500-0771-01".ljust(32, b"\0"),
}
"""Attributes of a Lepton 3.5: shutter automatic, gain high, TLinear on and fine."""


@dataclass
class LeptonScene:
    """Y16 pictures of a Lepton, written by the tables of its datasheet."""

    camera: UvcCamera | None = None
    """Whose TLinear decides what counts mean; None for always on."""
    rows: int = 120
    columns: int = 160
    telemetry_words: int = 320
    rate_hz: float = 9.0
    celsius: float = 30.0
    counter: Callable[[int], int] = lambda number: number
    uptime_ms: Callable[[int], int] | None = None
    ffc_state: Callable[[int], int] = lambda number: 3
    ffc_uptime_ms: int = 0
    status: int = 0
    frozen: Callable[[int], bool] = lambda number: False

    def tlinear(self) -> tuple[int, int]:
        """Return words C48 and C49."""
        if self.camera is None:
            return 1, 1
        units = self.camera.units
        return units.get((21, 18), b"\0")[0], units.get((21, 19), b"\0")[0]

    def counts(self, number: int) -> NDArray[np.uint16]:
        """(rows, columns): a slope of 20 K around `celsius`, with other noise in each picture."""
        on, resolution = self.tlinear()
        slope = np.linspace(-10, 10, self.rows * self.columns).reshape(self.rows, self.columns)
        seed = 0 if self.frozen(number) else self.counter(number) + 1
        noise = np.random.default_rng(seed).normal(0, 0.05, slope.shape)
        kelvin = self.celsius + 273.15 + slope + noise
        if not on:
            return (8192 + 20 * (kelvin - 303.15)).astype("<u2")
        return np.rint(kelvin * (100 if resolution else 10)).astype("<u2")

    def words(self, number: int) -> NDArray[np.uint16]:
        """Return telemetry: rows A, B, C and an empty one."""
        words = np.zeros(320, "<u2")

        def put(at: int, value: int) -> None:
            words[at], words[at + 1] = value & 0xFFFF, value >> 16 & 0xFFFF

        uptime = self.uptime_ms or (lambda n: 5_000_000 + round(1000 * n / self.rate_hz))
        words[0], words[24], words[26], words[29] = 14, 30613, 30518, 30663
        put(1, uptime(number))
        put(3, self.status | self.ffc_state(number) << 4)
        words[5:13] = 0x1111, 0x2222, 0x3333, 0x4444, 0, 0, 0, 0
        put(20, self.counter(number))
        put(30, self.ffc_uptime_ms)
        words[160 + 48], words[160 + 49] = self.tlinear()
        return words

    def picture(self, number: int) -> NDArray[np.uint16]:
        """Return what OpenCV reads: the picture with telemetry below."""
        words = self.words(number)[: self.telemetry_words].reshape(-1, self.columns)
        return np.vstack([self.counts(number), words])


@pytest.fixture
def lepton_scene() -> type[LeptonScene]:
    """Make pictures of a Lepton."""
    return LeptonScene


class PlugLepton(Protocol):
    """What the fixture `plug_lepton` gives; the settings are those of `UvcCamera`."""

    def __call__(
        self,
        picture: Pictures | None = ...,
        scene: LeptonScene | None = ...,
        **settings: object,
    ) -> tuple[UvcCamera, LeptonScene]: ...


@pytest.fixture
def plug_lepton(monkeypatch: pytest.MonkeyPatch) -> PlugLepton:
    """Plug a Lepton 3.5 on a PureThermal board into a machine that stands for this one."""

    def plug(
        picture: Pictures | None = None, scene: LeptonScene | None = None, **settings: object
    ) -> tuple[UvcCamera, LeptonScene]:
        units = {"units": dict(LEPTON_UNITS)}
        camera = UvcCamera(lambda number: None, **(units | settings))
        scene = scene or LeptonScene(camera, rate_hz=camera.rate_hz)
        camera.picture = picture or scene.picture
        monkeypatch.setattr("drivers.lepton.LeptonCamera.system", camera.system())
        return camera, scene

    return plug


def kelvin64_picture(number: int) -> NDArray[np.uint16]:
    """(384, 256): grey YUYV above, a slope of 20 K around 30 °C below, as Kelvin × 64."""
    slope = np.linspace(-10, 10, 192 * 256).reshape(192, 256)
    noise = np.random.default_rng(number).normal(0, 0.05, slope.shape)
    thermal = np.rint((303.15 + slope + noise) * 64).astype("<u2")
    return np.vstack([np.full((192, 256), 128 << 8 | 90, "<u2"), thermal])


class PlugKelvin64(Protocol):
    """What the fixture `plug_kelvin64` gives; the settings are those of `UvcCamera`."""

    def __call__(self, picture: Pictures | None = ..., **settings: object) -> UvcCamera: ...


@pytest.fixture
def plug_kelvin64(monkeypatch: pytest.MonkeyPatch) -> PlugKelvin64:
    """Plug a TC001, or what the settings say, into a machine that stands for this one."""

    def bytes_of(number: int) -> NDArray[np.uint8]:
        return kelvin64_picture(number).view(np.uint8).reshape(384, 256, 2)

    def plug(picture: Pictures | None = None, **settings: object) -> UvcCamera:
        standard: dict[str, object] = {
            "vendor": 0x0BDA,
            "product": 0x5840,
            "serial": "200901010001",
            "fourcc": "YUYV",
            "sizes": [(256, 192), (256, 384)],
            "rate_hz": 25.0,
            "buffers": 1000,  # it numbers nothing, so what is lost nobody could tell
        }
        camera = UvcCamera(picture or bytes_of, **(standard | settings))
        monkeypatch.setattr("drivers.uvc_kelvin.Tc001Camera.system", camera.system())
        return camera

    return plug


Kelvin64: TypeAlias = Callable[[int], NDArray[np.uint16]]
"""What the fixture `kelvin64` gives."""


@pytest.fixture
def kelvin64() -> Kelvin64:
    """Make pictures of the TC001 class, both halves as words."""
    return kelvin64_picture


@pytest.fixture
def boson_port(clock: HandClock) -> BosonPort:
    """Make the serial port that `boson` plugs in."""
    return BosonPort(clock)


class PlugBoson:
    """Plugs in a Boson and makes its camera; `uvc` is the video half of the last one."""

    uvc: UvcCamera

    def __init__(self, port: BosonPort, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[BosonCamera] = []
        self._port, self._monkeypatch = port, monkeypatch

    def __call__(
        self,
        picture: Pictures = boson_picture,
        *,
        serial_ports: Iterable[SimpleNamespace] | None = None,
        target: str = "",
        uvc: dict[str, object] | None = None,
        **options: object,
    ) -> BosonCamera:
        settings = {"vendor": 0x09CB, "product": 0x4007, "serial": "93588", "rate_hz": 60.0}
        self.uvc = UvcCamera(picture, **settings | {"sizes": [(320, 256)]} | (uvc or {}))
        ports = [SimpleNamespace(vid=0x09CB, pid=0x4007, serial_number="93588", device="/dev/tty")]
        ports = ports if serial_ports is None else list(serial_ports)
        known = SerialPorts(lambda: ports, lambda path: self._port)
        self._monkeypatch.setattr(BosonCamera, "system", self.uvc.system())
        self._monkeypatch.setattr(BosonCamera, "ports", known)
        self.made.append(BosonCamera(target, BosonOptions.model_validate(options)))
        return self.made[-1]


@pytest.fixture
def boson(boson_port: BosonPort, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlugBoson]:
    """Plug in a Boson and make its camera."""
    plug = PlugBoson(boson_port, monkeypatch)
    yield plug
    for camera in plug.made:
        camera.close()
