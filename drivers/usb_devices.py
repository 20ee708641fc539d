"""Devices on USB, found through pyusb and told apart without opening them for use."""

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from drivers.vendor_library import load_library
from thermoseg.cameras import UsbId
from thermoseg.errors import CameraError, DriverMissingError

log = logging.getLogger(__name__)

_SETTING_UP = threading.Lock()


def load_usb(camera: str) -> Any:  # noqa: ANN401  # pyusb has no types
    """Import pyusb with all that drivers use of it.

    Parameters
    ----------
    camera
        As `load_library` takes it.

    Raises
    ------
    DriverMissingError
        If it is not installed.
    """
    for module in ("usb.core", "usb.util", "usb.backend.libusb1"):
        load_library(module, camera)
    return load_library("usb", camera)


def usb_devices(ids: Iterable[UsbId], camera: str, backend: Any = None) -> list[Any]:  # noqa: ANN401
    """List the devices that are plugged in and have one of these ids.

    Parameters
    ----------
    camera
        As `load_library` takes it.
    backend
        Backend of pyusb; the system's libusb if None.

    Raises
    ------
    DriverMissingError
        If pyusb or libusb is not installed.
    CameraError
        If USB cannot be searched.
    """
    usb = load_usb(camera)
    if backend is None:
        # At the first call pyusb sets libusb up, without minding another thread that does the same.
        with _SETTING_UP:
            backend = usb.backend.libusb1.get_backend()
    try:
        return [
            device
            for usb_id in ids
            for device in usb.core.find(
                find_all=True, backend=backend, idVendor=usb_id.vendor, idProduct=usb_id.product
            )
        ]
    except usb.core.NoBackendError as error:
        raise DriverMissingError(
            f"{camera} needs libusb, which is not installed; on Debian and Ubuntu “sudo apt "
            "install libusb-1.0-0”, on macOS “brew install libusb”, on Windows “pip install "
            "libusb-package”"
        ) from error
    except usb.core.USBError as error:
        why = error.strerror or error
        raise CameraError(f"USB cannot be searched ({why}); restart the computer") from error


def identity(device: Any) -> tuple[str, str, OSError | None]:  # noqa: ANN401
    """Return the name in addresses, the serial number, and why neither can be asked for."""
    usb = load_usb("the camera")
    serial = ""
    try:
        device.get_active_configuration()  # opens it; asking for texts would hide the error
        with suppress(ValueError):  # it has no texts
            serial = device.serial_number or ""
    except usb.core.USBError as error:
        return port_of(device), "", error
    except ValueError:
        log.debug("a USB device without an active configuration")
    serial = "".join(letter for letter in serial if letter.isalnum() or letter in "-_.")
    return serial or port_of(device), serial, None


def port_of(device: Any) -> str:  # noqa: ANN401
    """Name the socket a device is plugged into."""
    return f"usb-{device.bus}-{'.'.join(map(str, device.port_numbers or (device.address,)))}"
