"""A USB bus in memory: what pyusb takes for libusb, and the devices on it."""

import errno
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Protocol, TypeAlias

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

Bytes: TypeAlias = "array[int]"


class Firmware(Protocol):
    """What is inside a USB device: it answers the transfers."""

    def bulk_in(self, device: "VirtualDevice", endpoint: int, size: int, timeout_ms: int) -> bytes:
        """Return what is sent, nothing for a timeout."""

    def bulk_out(self, device: "VirtualDevice", endpoint: int, data: bytes) -> None: ...

    def control(self, request_type: int, request: int, value: int, size: int, /) -> bytes: ...


class Descriptor(SimpleNamespace):
    """What a USB device says of one of its parts; 0 where nothing is said."""

    extra_descriptors = b""

    def __getattr__(self, name: str) -> int:
        return 0


@dataclass
class VirtualDevice:
    """A USB device that exists in memory."""

    firmware: Firmware
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
    stuck: bool = False
    """Whether choosing its configuration times out."""
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


class VirtualBus(IBackend):  # type: ignore[misc]  # pyusb has no types
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
        if dev_handle.stuck:
            raise USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
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
