"""Aravis, one camera of the network, its device and its stream, in memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Literal

import numpy as np

MONO8, MONO14, MONO16 = 0x01080001, 0x01100025, 0x01100007
WARM = np.array([[29516, 30764, 29516], [29516, 30764, 29516]], np.uint16)
"""22.01 and 34.49 °C in hundredths of a kelvin."""


class GenicamError(Exception):
    """What the stand-in raises as GLib's error."""


@dataclass
class Node:
    """One feature: text in, text out."""

    value: str
    choices: tuple[str, ...] = ()
    unit: str | None = None
    largest: float | None = None
    takes: Callable[[str], str] = str
    """What becomes of a value that is written."""

    def get_value_as_string(self) -> str:
        if self.value == "silent":
            raise GenicamError("arv-device-error-quark: read timeout (5)")
        return self.value

    def set_value_from_string(self, value: str) -> None:
        if self.choices and value not in self.choices:
            raise GenicamError(f"{value} is no choice")
        self.value = self.takes(value)

    def get_unit(self) -> str | None:
        return self.unit


def a700() -> dict[str, Node]:
    formats = ("Radiometric", "TemperatureLinear100mK", "TemperatureLinear10mK")
    return {
        "DeviceVendorName": Node("FLIR Systems AB"),
        "DeviceModelName": Node("FLIR A700"),
        "DeviceSerialNumber": Node("A7"),
        "PixelFormat": Node("Mono16", ("Mono8", "Mono16")),
        "IRFormat": Node("Radiometric", formats),
        "IRFrameRate": Node("Rate30Hz", ("Rate30Hz", "Rate15Hz")),
    }


@dataclass
class Buffer:
    """One picture as Aravis hands it over."""

    data: bytes
    number: int
    pixels: int = MONO16
    shape: tuple[int, int] = WARM.shape
    ns: int = 0
    status: str = "success"
    wall_ns: int = 1_700_000_000_000_000_000

    def get_frame_id(self) -> int:
        return self.number

    def get_status(self) -> str:
        return self.status

    def get_image_pixel_format(self) -> int:
        return self.pixels

    def get_image_height(self) -> int:
        return self.shape[0]

    def get_image_width(self) -> int:
        return self.shape[1]

    def get_data(self) -> bytes:
        return self.data

    def get_timestamp(self) -> int:
        return self.ns

    def get_system_timestamp(self) -> int:
        return self.wall_ns


def pictures(counts: np.ndarray, *numbers: int, order: Literal["<", ">"] = "<") -> list[Buffer]:
    data = counts.astype(counts.dtype.newbyteorder(order)).tobytes()
    pixels = MONO8 if counts.dtype == np.uint8 else MONO16
    return [Buffer(data, number, pixels) for number in numbers]


@dataclass
class Aravis:
    """The library, its only camera, that camera's device and its stream in one."""

    nodes: dict[str, Node] = field(default_factory=a700)
    buffers: list[Buffer] = field(default_factory=lambda: pictures(WARM, 1, 2, 3))
    payload: int = WARM.nbytes
    found: list[tuple[str, str, str]] = field(default_factory=lambda: [("A7", "aa:bb", "10.0.0.7")])
    """Serial number, hardware address and address of each camera of the network."""
    looks: int = 0
    """How often it was asked who is there."""
    beats: bool = True
    returned: int = 0
    ran: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    """Addresses."""
    lose: Callable[[object], object] = id
    sleep: Callable[[float], None] = time.sleep
    look_s: float = 0.0
    """How long a look around takes."""

    def __post_init__(self) -> None:
        self.Camera = self.Buffer = self
        self.BufferStatus = SimpleNamespace(SUCCESS="success")
        self.GvPacketSizeAdjustment = SimpleNamespace(ALWAYS=1, NEVER=2)
        self.GvStreamSocketBuffer = SimpleNamespace(FIXED=0)

    def new(self, ip: str) -> "Aravis":
        self.opened.append(ip)
        return self

    def new_allocate(self, size: int) -> None:
        return None

    def update_device_list(self) -> None:
        self.looks += 1
        self.sleep(self.look_s)

    def get_n_devices(self) -> int:
        return len(self.found)

    def get_device_protocol(self, place: int) -> str:
        return "GigEVision"

    def get_device_serial_nbr(self, place: int) -> str:
        return self.found[place][0]

    def get_device_physical_id(self, place: int) -> str:
        return self.found[place][1]

    def get_device_address(self, place: int) -> str:
        return self.found[place][2]

    def get_device_vendor(self, place: int) -> str:
        return "FLIR Systems AB"

    def get_device_model(self, place: int) -> str:
        return "FLIR A700"

    def get_device(self) -> "Aravis":
        return self

    def connect(self, signal: str, handler: Callable[[object], None]) -> int:
        assert signal == "control-lost"
        self.lose = handler
        return 1

    def handler_disconnect(self, handler: int) -> None: ...

    def is_controller(self) -> bool:
        return True

    def get_feature(self, name: str) -> Node | None:
        return self.nodes.get(name)

    def is_feature_available(self, name: str) -> bool:
        return True

    def dup_available_enumeration_feature_values_as_strings(self, name: str) -> tuple[str, ...]:
        if not self.nodes[name].choices:
            raise GenicamError("not an enumeration")
        return self.nodes[name].choices

    def get_float_feature_bounds(self, name: str) -> tuple[float, float]:
        largest = self.nodes[name].largest
        if largest is None:
            raise GenicamError("no bounds")
        return 0.0, largest

    def execute_command(self, name: str) -> None:
        self.ran.append(name)

    def gv_set_packet_size_adjustment(self, adjustment: int) -> None: ...

    def gv_get_packet_size(self) -> int:
        return 1400

    def create_stream(self, *nothing: None) -> "Aravis":
        return self

    def set_property(self, name: str, value: int) -> None: ...

    def get_payload(self) -> int:
        return self.payload

    def start_acquisition(self) -> None: ...

    def stop_acquisition(self) -> None: ...

    def timeout_pop_buffer(self, wait_us: int) -> Buffer | None:
        if self.buffers:
            return self.buffers.pop(0)
        self.sleep(wait_us / 1e6)
        return None

    def push_buffer(self, buffer: Buffer | None) -> None:
        self.returned += buffer is not None
