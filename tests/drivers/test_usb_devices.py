"""USB devices found by what they say of themselves."""

import pytest

from drivers.usb_devices import identity, port_of, usb_devices
from tests.drivers.virtual_usb import VirtualBus, VirtualDevice
from thermoseg.cameras import UsbId
from thermoseg.errors import CameraError

ONE = UsbId(0x1D6B, 0x0104, "One")
OTHER = UsbId(0x1D6B, 0x0105, "Other")


class Mute:
    """A firmware that answers nothing."""

    def bulk_in(self, device: VirtualDevice, endpoint: int, size: int, timeout_ms: int) -> bytes:
        return b""

    def bulk_out(self, device: VirtualDevice, endpoint: int, data: bytes) -> None: ...

    def control(self, *request: int) -> bytes:
        return b""


def device(
    usb_device: type[VirtualDevice],
    product: int,
    serial: str = "",
    ports: tuple[int, ...] = (2,),
    active: int = 0,
) -> VirtualDevice:
    return usb_device(
        firmware=Mute(),
        vendor=0x1D6B,
        product=product,
        interfaces={(0, 0): (0x81,)},
        texts={3: serial} if serial else {},
        ports=ports,
        active=active,
    )


def test_devices_with_one_of_several_ids_are_found(
    usb_device: type[VirtualDevice], usb_bus: type[VirtualBus]
) -> None:
    bus = usb_bus(
        device(usb_device, 0x0105), device(usb_device, 0x0106), device(usb_device, 0x0104)
    )

    found = usb_devices((ONE, OTHER), "a camera", bus)
    assert [device.idProduct for device in found] == [0x0104, 0x0105]
    assert usb_devices((), "a camera", bus) == []


def test_a_device_is_named_by_what_may_stand_in_an_address(
    usb_device: type[VirtualDevice], usb_bus: type[VirtualBus]
) -> None:
    bus = usb_bus(
        device(usb_device, 0x0104, serial="A 1/2", active=1),
        device(usb_device, 0x0105, ports=(4, 1), active=1),
    )
    one, other = usb_devices((ONE, OTHER), "a camera", bus)

    assert identity(one) == ("A12", "A12", None)
    assert identity(other) == ("usb-99-4.1", "", None)
    assert port_of(one) == "usb-99-2"


def test_a_usb_that_cannot_be_searched_is_said(
    usb_bus: type[VirtualBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    from usb.core import USBError

    def refuse(_bus: object) -> None:
        raise USBError("Input/Output Error", -1, 5)

    monkeypatch.setattr(usb_bus, "enumerate_devices", refuse)
    with pytest.raises(CameraError, match=r"USB cannot be searched \(Input/Output Error\)"):
        usb_devices((ONE,), "a camera", usb_bus())
