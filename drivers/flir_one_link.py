"""The USB connection to one FLIR ONE: finding it, its interfaces, its transfers and its faults."""

import errno
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from drivers.flir_one_stream import message_bytes
from drivers.usb_devices import identity, load_usb, port_of, usb_devices
from thermoseg.cameras import CameraListing, UsbId
from thermoseg.errors import CameraError, CameraLostError

log = logging.getLogger(__name__)

CAMERA: Final = "the FLIR ONE"
USB_IDS: Final = (UsbId(0x09CB, 0x1996, "FLIR ONE"),)
"""USB identity shared by all generations, those for iPhones included."""
LOOK_AGAIN_S: Final = 0.05
"""A camera that nobody talks to leaves the bus every few seconds and comes back."""
HELD_S: Final = 2.0
"""So long it stays listed when it leaves; longer than that, and shorter than a user waits to see
that it was unplugged."""
SEND_MS: Final = 100
FAULTS_IN_A_ROW: Final = 10
"""Transfers that may fail one after the other before the camera counts as lost."""
TRANSFER_BYTES: Final = 64 << 10

MESSAGES_IN: Final = 0x81
FILES_IN: Final = 0x83
PICTURES_IN: Final = 0x85
"""Endpoints."""
_MESSAGES_OUT: Final = 0x02
_CONFIGURATION: Final = 3
_CONTROL, _FILES, _PICTURES = 0, 1, 2
"""Interfaces."""
_GONE: Final = frozenset([errno.ENODEV, errno.EIO, errno.ENOENT, errno.ESHUTDOWN])
"""Error codes of the system for a device that was unplugged."""


class Sightings:
    """Cameras that were on the bus a moment ago; keeps those listed that come and go idly."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, CameraListing]] = {}
        """When and as what, by port."""

    def add(self, there: Mapping[str, CameraListing]) -> list[CameraListing]:
        """Note who is there, by port; return them and those that were a moment ago."""
        now_s = time.monotonic()
        named = {listing.address for listing in there.values()}
        held = {
            port: (seen_s, listing)
            for port, (seen_s, listing) in self._seen.items()
            if port in there or (now_s - seen_s < HELD_S and listing.address not in named)
        }
        self._seen = held | {port: (now_s, listing) for port, listing in there.items()}
        return [listing for _, listing in self._seen.values()]


class FlirOneLink:
    """One camera that was found; its interfaces are taken when it is claimed."""

    def __init__(self, device: Any, name: str, serial: str) -> None:  # noqa: ANN401
        """Take over a device of pyusb.

        Parameters
        ----------
        name
            In addresses.
        """
        self.address_name = name
        self.name = f"FLIR ONE {name}"
        """Name of the camera in messages."""
        self.serial = serial
        self._usb = load_usb(CAMERA)
        self._device = device
        self._streaming = False
        self._faults = 0

    @classmethod
    def find(cls, target: str, backend: Any, deadline_s: float) -> "FlirOneLink":  # noqa: ANN401
        """Return the camera that an address means, once it is on the bus.

        Parameters
        ----------
        target
            As `FlirOneCamera` takes it.
        backend
            As `usb_devices` takes it.

        Raises
        ------
        CameraError
            If it has not come until `deadline_s`, may not be opened, or several are there.
        """
        while True:
            names = []
            fault: CameraError | None = None
            for device in usb_devices(USB_IDS, CAMERA, backend):
                name, serial, error = identity(device)
                if target in ("", name, serial, port_of(device)):
                    names.append(name)
                    if error is not None:
                        fault = CameraError(explain(error, f"FLIR ONE {name}"))
                        fault.__cause__ = error
                    found = cls(device, name, serial)
                else:
                    release(device)
            if len(names) > 1:
                raise CameraError(
                    f"there are {len(names)} FLIR ONE; name one of them: "
                    + ", ".join(f"flirone:{name}" for name in names)
                )
            if names and fault is None:
                return found
            if time.monotonic() >= deadline_s:
                raise fault or CameraError(
                    f"no {f'FLIR ONE {target}'.strip()} is there; plug it in, switch it on and "
                    "charge it, and use the port that carries data"
                )
            time.sleep(LOOK_AGAIN_S)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what pyusb raises into what a user can act on."""
        try:
            yield
        except self._usb.core.USBError as error:
            raise _fault(error, self.name) from error
        except ValueError as error:
            # Of pyusb: a configuration, an interface or an endpoint that is not there.
            raise CameraError(
                f"{self.name} is of a generation that this driver does not know ({error}); "
                "use a FLIR ONE Gen 2, Gen 3, Pro or Pro LT for Android"
            ) from error

    def claim(self) -> None:
        """Take the interfaces; the order is the one that cameras were seen to accept."""
        device = self._device
        try:
            active = device.get_active_configuration().bConfigurationValue
        except ValueError:
            active = 0
        if active != _CONFIGURATION:
            device.set_configuration(_CONFIGURATION)
        for interface in (_CONTROL, _FILES, _PICTURES):
            self._usb.util.claim_interface(device, interface)
        self._set((_PICTURES, 0), (_FILES, 0), (_FILES, 1))

    def start_pictures(self) -> None:
        """Begin the stream."""
        self._set((_PICTURES, 1))
        self._streaming = True

    def restart(self) -> None:
        """Set the stream up anew."""
        self._set((_PICTURES, 0), (_FILES, 0), (_FILES, 1), (_PICTURES, 1))

    def send(self, kind: str, **data: object) -> None:
        """Send a message."""
        self._device.write(_MESSAGES_OUT, message_bytes(kind, data), SEND_MS)

    def transfer(self, endpoint: int, timeout_ms: int) -> bytes | None:
        """Return what comes on `endpoint`, empty if nothing does in time.

        None if the transfer failed, so that what came before has no end.  Such a fault passes,
        unless it is one of many: then it is raised.
        """
        try:
            data: bytes = self._device.read(endpoint, TRANSFER_BYTES, timeout_ms).tobytes()
        except self._usb.core.USBTimeoutError:
            return b""
        except self._usb.core.USBError as error:
            self._faults += 1
            if error.errno not in (errno.EPIPE, errno.EOVERFLOW) or self._faults > FAULTS_IN_A_ROW:
                raise
            log.debug("%s: endpoint %#x: %s", self.name, endpoint, error)
            if error.errno == errno.EPIPE:
                self._device.clear_halt(endpoint)
            return None
        if data:
            self._faults = 0
        return data

    def close(self) -> None:
        """Stop the stream and release the camera."""
        try:
            if self._streaming:
                self._set((_PICTURES, 0), (_FILES, 0))
                if sys.platform == "linux":
                    # Without it the next stream often stays silent.
                    self._device.reset()
        except (self._usb.core.USBError, NotImplementedError) as error:
            log.debug("%s did not stop in good order: %s", self.name, error)
        finally:
            release(self._device)

    def _set(self, *settings: tuple[int, int]) -> None:
        """Choose alternate settings: 1 is at work, 0 is not."""
        for interface, setting in settings:
            self._device.set_interface_altsetting(interface, setting)


def release(device: Any) -> None:  # noqa: ANN401  # pyusb has no types
    """Let a device go that pyusb has opened to ask who it is."""
    usb = load_usb(CAMERA)
    try:
        usb.util.dispose_resources(device)
    except usb.core.USBError as error:
        log.debug("a FLIR ONE could not be released: %s", error)


def explain(error: OSError, name: str) -> str:
    """Say why a camera that is there cannot be opened."""
    if error.errno == errno.EBUSY:
        return f"{name} is used by another program; close that"
    if error.errno not in (errno.EACCES, errno.EPERM, errno.ENOSYS):
        why = error.strerror or error
        return f"{name} cannot be opened ({why}); unplug it and plug it in again"
    remedy = {
        "linux": "the udev rule 70-thermoseg.rules gives it: run “thermoseg install-udev”, "
        "then plug the camera in again",
        "win32": "give it the WinUSB driver with Zadig",
    }.get(sys.platform, "close other programs that use it")
    return f"you have no permission to use {name}; {remedy}"


def _fault(error: OSError, name: str) -> CameraError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EBUSY, errno.ENOSYS):
        return CameraError(explain(error, name))
    if error.errno in _GONE:
        return CameraLostError(f"{name} was unplugged or switched off; plug it in again")
    why = error.strerror or error
    return CameraLostError(
        f"{name} does not answer any more ({why}); unplug it and plug it in again"
    )
