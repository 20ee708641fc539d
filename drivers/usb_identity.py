"""What tells one USB device from another of its kind, without opening it for use."""

import logging
from contextlib import suppress
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)


def identity(device: Any) -> tuple[str, str, OSError | None]:  # noqa: ANN401  # pyusb has no types
    """Return the name in addresses, the serial number, and why neither can be asked for."""
    usb = import_module("usb.core")
    serial = ""
    try:
        device.get_active_configuration()  # opens it; asking for texts would hide the error
        with suppress(ValueError):  # it has no texts
            serial = device.serial_number or ""
    except usb.USBError as error:
        return port_of(device), "", error
    except ValueError:
        log.debug("a USB device without an active configuration")
    serial = "".join(letter for letter in serial if letter.isalnum() or letter in "-_.")
    return serial or port_of(device), serial, None


def port_of(device: Any) -> str:  # noqa: ANN401
    """Name the socket a device is plugged into."""
    return f"usb-{device.bus}-{'.'.join(map(str, device.port_numbers or (device.address,)))}"
