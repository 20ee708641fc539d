"""An independent writer of FLIR files, by the documented layout, a clock set by hand, a USB bus."""

import ctypes
import errno
import os
import struct
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from drivers import uvc_capture
from drivers.boson import BosonCamera
from drivers.boson_link import BosonOptions, SerialPorts
from drivers.uvc_capture import UvcSystem
from drivers.uvc_controls import ExtensionUnits
from drivers.uvc_nodes import VideoMode, VideoNode
from tests.drivers.boson_stand_in import BosonPort, boson_picture

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


Bytes: TypeAlias = "array[int]"


class Descriptor(SimpleNamespace):
    """What a USB device says of one of its parts; 0 where nothing is said."""

    extra_descriptors = b""

    def __getattr__(self, name: str) -> int:
        return 0


@dataclass
class VirtualDevice:
    """A USB device that exists in memory."""

    firmware: Any
    """Answers the transfers: `bulk_in(device, endpoint, size, timeout_ms)` with bytes (none for a
    timeout), `bulk_out(device, endpoint, data)`, `control(type, request, value, size)`."""
    vendor: int
    product: int
    interfaces: Mapping[tuple[int, int], tuple[int, ...]]
    """Endpoint addresses of each (interface, alternate setting)."""
    configurations: tuple[int, ...] = (1,)
    texts: Mapping[int, str] = field(default_factory=dict)
    """String descriptors; the third is the serial number."""
    release: int = 0x0108
    bus: int = 99
    ports: tuple[int, ...] = (2,)
    present: bool = True
    refusal: int | None = None
    """Errno of opening it."""
    taken: bool = False
    """Whether another program has its interfaces."""
    active: int = 0
    settings: dict[int, int] = field(default_factory=dict)
    claimed: set[int] = field(default_factory=set)
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def endpoints(self) -> set[int]:
        """Those of the alternate settings that are chosen."""
        return {
            address
            for (interface, setting), addresses in self.interfaces.items()
            if self.settings.get(interface, 0) == setting
            for address in addresses
        }


class VirtualBus(IBackend):
    """What pyusb takes for libusb: the devices in `devices` are plugged in."""

    def __init__(self, *devices: VirtualDevice) -> None:
        self.devices = list(devices)

    def enumerate_devices(self) -> Iterator[VirtualDevice]:
        return (device for device in self.devices if device.present)

    def get_parent(self, dev: VirtualDevice) -> None:
        return None

    def get_device_descriptor(self, dev: VirtualDevice) -> Descriptor:
        return Descriptor(
            idVendor=dev.vendor,
            idProduct=dev.product,
            bcdDevice=dev.release,
            iSerialNumber=3 if 3 in dev.texts else 0,
            bNumConfigurations=len(dev.configurations),
            bus=dev.bus,
            address=7,
            port_number=dev.ports[-1],
            port_numbers=dev.ports,
        )

    def get_configuration_descriptor(self, dev: VirtualDevice, config: int) -> Descriptor:
        return Descriptor(
            bNumInterfaces=len({number for number, _ in dev.interfaces}),
            bConfigurationValue=dev.configurations[config],
        )

    def get_interface_descriptor(
        self, dev: VirtualDevice, intf: int, alt: int, config: int
    ) -> Descriptor:
        place = [place for place in dev.interfaces if place[0] == intf][alt]
        return Descriptor(
            bInterfaceNumber=place[0],
            bAlternateSetting=place[1],
            bNumEndpoints=len(dev.interfaces[place]),
        )

    def get_endpoint_descriptor(
        self, dev: VirtualDevice, ep: int, intf: int, alt: int, config: int
    ) -> Descriptor:
        place = [place for place in dev.interfaces if place[0] == intf][alt]
        return Descriptor(
            bEndpointAddress=dev.interfaces[place][ep], bmAttributes=2, wMaxPacketSize=512
        )

    def open_device(self, dev: VirtualDevice) -> VirtualDevice:
        self._check(dev)
        if dev.refusal is not None:
            raise USBError(os.strerror(dev.refusal), -3, dev.refusal)
        return dev

    def close_device(self, dev_handle: VirtualDevice) -> None:
        dev_handle.calls.append(("close",))

    def get_configuration(self, dev_handle: VirtualDevice) -> int:
        self._check(dev_handle)
        return dev_handle.active

    def set_configuration(self, dev_handle: VirtualDevice, config_value: int) -> None:
        self._check(dev_handle)
        dev_handle.calls.append(("configuration", config_value))
        dev_handle.active = config_value

    def claim_interface(self, dev_handle: VirtualDevice, intf: int) -> None:
        self._check(dev_handle)
        if dev_handle.taken:
            raise USBError("Resource busy", -6, errno.EBUSY)
        dev_handle.claimed.add(intf)
        dev_handle.calls.append(("claim", intf))

    def release_interface(self, dev_handle: VirtualDevice, intf: int) -> None:
        dev_handle.claimed.discard(intf)
        self._check(dev_handle)
        dev_handle.calls.append(("release", intf))

    def set_interface_altsetting(
        self, dev_handle: VirtualDevice, intf: int, altsetting: int
    ) -> None:
        self._check(dev_handle, intf)
        dev_handle.settings[intf] = altsetting
        dev_handle.calls.append(("setting", intf, altsetting))

    def bulk_read(
        self, dev_handle: VirtualDevice, ep: int, intf: int, buff: Bytes, timeout: int
    ) -> int:
        self._check(dev_handle, intf, ep)
        data = dev_handle.firmware.bulk_in(dev_handle, ep, len(buff), timeout)
        if not data:
            raise USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
        assert len(data) <= len(buff)
        buff[: len(data)] = array("B", data)
        return len(data)

    def bulk_write(
        self, dev_handle: VirtualDevice, ep: int, intf: int, data: Bytes, timeout: int
    ) -> int:
        self._check(dev_handle, intf, ep)
        dev_handle.firmware.bulk_out(dev_handle, ep, data.tobytes())
        return len(data)

    def ctrl_transfer(
        self,
        dev_handle: VirtualDevice,
        bmRequestType: int,  # noqa: N803  # pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: Bytes,
        timeout: int,
    ) -> int:
        self._check(dev_handle)
        if (bmRequestType, bRequest, wValue >> 8) == (0x80, 6, 3):
            text = dev_handle.texts.get(wValue & 0xFF, "").encode("utf-16-le")
            body = b"\x09\x04" if wValue & 0xFF == 0 else text
            answer = bytes([len(body) + 2, 3]) + body
        else:
            answer = dev_handle.firmware.control(bmRequestType, bRequest, wValue, len(data))
            if not bmRequestType & 0x80:
                return len(data)
        answer = answer[: len(data)]
        data[: len(answer)] = array("B", answer)
        return len(answer)

    def clear_halt(self, dev_handle: VirtualDevice, ep: int) -> None:
        self._check(dev_handle)
        dev_handle.calls.append(("clear halt", ep))

    def reset_device(self, dev_handle: VirtualDevice) -> None:
        self._check(dev_handle)
        dev_handle.calls.append(("reset",))
        dev_handle.settings.clear()

    def is_kernel_driver_active(self, dev_handle: VirtualDevice, intf: int) -> bool:
        return False

    def _check(
        self, device: VirtualDevice, interface: int | None = None, endpoint: int | None = None
    ) -> None:
        if not device.present:
            raise USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)
        if interface is not None:
            assert interface in device.claimed, "an interface is claimed before it is used"
        if endpoint is not None:
            assert endpoint in device.endpoints(), "an endpoint is used where its setting has it"


@pytest.fixture
def usb_device() -> type[VirtualDevice]:
    """Make devices for a virtual USB."""
    return VirtualDevice


@pytest.fixture
def usb_bus() -> type[VirtualBus]:
    """Make a virtual USB out of devices."""
    return VirtualBus


class UvcCamera:
    """A UVC camera and the system it is plugged into: what stands for OpenCV and for the kernel.

    It sends `picture(0)`, `picture(1)` … at its own pace, keeps `buffers` of them for a late reader
    and answers its extension units byte by byte.
    """

    def __init__(self, picture: Callable[[int], Any], **settings: Any) -> None:
        self.picture = picture
        """What comes as picture n: an array, or None for a read that fails."""
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

    def read(self) -> tuple[bool, Any]:
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
    def _time(self) -> Any:
        return uvc_capture.time

    # What the kernel's uvcvideo would be.

    def ioctl(self, file: int, request: int, query: Any) -> int:
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


@pytest.fixture
def plug_lepton(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[UvcCamera, LeptonScene]]:
    """Plug a Lepton 3.5 on a PureThermal board into a machine that stands for this one."""

    def plug(picture: Any = None, scene: Any = None, **settings: Any) -> Any:
        camera = UvcCamera(lambda number: None, **{"units": dict(LEPTON_UNITS)} | settings)
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


@pytest.fixture
def plug_kelvin64(monkeypatch: pytest.MonkeyPatch) -> Callable[..., UvcCamera]:
    """Plug a TC001, or what the settings say, into a machine that stands for this one."""

    def plug(picture: Any = None, **settings: Any) -> UvcCamera:
        bytes_of = lambda n: kelvin64_picture(n).view(np.uint8).reshape(384, 256, 2)  # noqa: E731
        standard = {
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


@pytest.fixture
def kelvin64() -> Callable[[int], NDArray[np.uint16]]:
    """Make pictures of the TC001 class, both halves as words."""
    return kelvin64_picture


@pytest.fixture
def boson_port(clock: HandClock) -> BosonPort:
    """Make the serial port that `boson` plugs in."""
    return BosonPort(clock)


@pytest.fixture
def boson(
    clock: Any, boson_port: BosonPort, uvc_camera: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., BosonCamera]]:
    """Plug in a Boson and make its camera; `boson.uvc` is its video half."""
    made: list[BosonCamera] = []

    def build(
        picture: Callable[[int], Any] = boson_picture,
        *,
        serial_ports: Iterable[SimpleNamespace] | None = None,
        target: str = "",
        uvc: dict[str, Any] | None = None,
        **options: Any,
    ) -> BosonCamera:
        settings = {"vendor": 0x09CB, "product": 0x4007, "serial": "93588", "rate_hz": 60.0}
        settings |= {"sizes": [(320, 256)]} | (uvc or {})
        camera = uvc_camera(picture, **settings)
        ports = [SimpleNamespace(vid=0x09CB, pid=0x4007, serial_number="93588", device="/dev/tty")]
        ports = ports if serial_ports is None else list(serial_ports)
        monkeypatch.setattr(BosonCamera, "system", camera.system())
        monkeypatch.setattr(
            BosonCamera, "ports", SerialPorts(lambda: ports, lambda path: boson_port)
        )
        made.append(BosonCamera(target, BosonOptions(**options)))
        build.uvc = camera  # type: ignore[attr-defined]
        return made[-1]

    yield build
    for camera in made:
        camera.close()
