"""FLIR ONE for Android (Gen 2, Gen 3, Pro, Pro LT): `flirone:SERIAL?calibration=photo.jpg`.

The camera sends counts and keeps its calibration to itself.  A radiometric JPEG that the phone app
took with the same camera carries it; without one there are relative counts only.
"""

import errno
import logging
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from drivers.flir_files import FlirFile
from drivers.flir_one_stream import (
    IPHONE_GREETING,
    MessageParser,
    Picture,
    PictureParser,
    message_bytes,
    size_of,
    thermal_counts,
)
from drivers.frame_source import humidity_of_option
from drivers.usb_identity import identity, port_of
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    ConfigError,
    DriverMissingError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import KELVIN, PlanckRadiometry, Radiometry, RelativeCounts
from thermoseg.timeline import AFTER_SHUTTER_S

log = logging.getLogger(__name__)

VENDOR: Final = 0x09CB
PRODUCT: Final = 0x1996
"""Of all generations, those for iPhones included."""
RATE_HZ: Final = 8.7
"""Export rules allow no more than 9."""
SHIFT: Final = 4
"""The calibration refers to 16-bit counts; the stream has 14 bits."""

OPEN_S: Final = 1.9
"""Opening takes no longer; with 2 s a session would take it for a driver that hangs."""
GREETING_S: Final = 0.6
"""For how long the camera is asked for its description before pictures are; it comes only once."""
LOOK_AGAIN_S: Final = 0.05
"""A camera that nobody talks to leaves the bus every few seconds and comes back."""
HELD_S: Final = 2.0
"""So long it stays listed when it leaves; longer than that, and shorter than a user waits to see
that it was unplugged."""
PICTURE_MS: Final = 100
MESSAGE_MS: Final = 10
"""Waits of one round of the three endpoints.  All three must be asked in each or it stalls."""
GREETING_MS: Final = 20
STALL_S: Final = 3.0
"""Without a whole picture for so long, the streaming interface is set up anew, once."""
FAULTS_IN_A_ROW: Final = 10
"""Transfers that may fail one after the other before the camera counts as lost."""
TRANSFER_BYTES: Final = 64 << 10

_CONFIGURATION: Final = 3
_CONTROL, _FILES, _PICTURES = 0, 1, 2
"""Interfaces."""
_MESSAGES_IN, _MESSAGES_OUT, _FILES_IN, _PICTURES_IN = 0x81, 0x02, 0x83, 0x85
_GONE: Final = frozenset([errno.ENODEV, errno.EIO, errno.ENOENT, errno.ESHUTDOWN])
"""What the system says of a device that was unplugged."""
_NO_SCALE: Final = (
    "a FLIR ONE does not send its calibration; give a radiometric JPEG that the phone app took "
    "with it as ?calibration=photo.jpg"
)


class FlirOneOptions(CameraOptions):
    """How counts become temperatures, and who works the shutter."""

    calibration: Path | None = None
    """Radiometric JPEG taken with this very camera; holds its Planck constants."""
    emissivity: float | None = Field(default=None, gt=0, le=1)
    """Of the surface, in place of the photo's; skin is 0.98."""
    distance_m: float | None = Field(default=None, ge=0)
    """To the surface, in place of the photo's."""
    reflected_c: float | None = Field(default=None, gt=-KELVIN)
    """Of what the surface mirrors, °C, in place of the photo's."""
    atmosphere_c: float | None = Field(default=None, gt=-KELVIN)
    """Of the air between, °C, in place of the photo's."""
    humidity: Annotated[float, BeforeValidator(humidity_of_option), Field(ge=0, le=1)] | None = None
    """Of that air, a ratio (0.5) or with a per cent sign (50%), in place of the photo's."""
    shutter: Literal["auto", "manual"] | None = None
    """Whether the camera closes its shutter when it likes; as it is set if not given."""

    @property
    def scene(self) -> dict[str, float]:
        """Those object parameters that were given."""
        names = ("emissivity", "distance_m", "reflected_c", "atmosphere_c", "humidity")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(slots=True)
class _Link:
    """One opened camera; everything that ends with it."""

    usb: Any
    device: Any
    name: str
    serial: str
    opened_s: float
    greeted: bool = False
    """Whether the camera has described itself."""
    size: tuple[int, int] = (0, 0)
    """(width, height) of the thermal image."""
    big_endian: bool = False
    numbered: bool = False
    """Whether its packets have shown to be numbered one after the other."""
    streaming: bool = False
    kicked: bool = False
    """Whether the stream was set up anew since the last picture."""
    faults: int = 0
    picture_s: float = 0.0
    """When the last picture came, or the stream was begun."""
    shutter_s: float = -AFTER_SHUTTER_S
    """When the shutter was last seen closed."""
    time_s: float = -1.0
    index: int = -1


class Sightings:
    """Which cameras were on the bus a moment ago; keeps those listed that come and go idly."""

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


class FlirOneCamera:
    """One FLIR ONE; beside the thermal frames it keeps the newest visible picture and telemetry."""

    Options: ClassVar[type[CameraOptions]] = FlirOneOptions
    sightings: ClassVar[Sightings] = Sightings()

    def __init__(
        self,
        target: str,
        options: FlirOneOptions,
        *,
        backend: Any = None,  # noqa: ANN401  # pyusb has no types
    ) -> None:
        """Remember what to open.

        Parameters
        ----------
        target
            Serial number or `usb-BUS-PORT`, as `discover` gives; empty for the only one there is.
        backend
            Of pyusb; the system's libusb if not given.
        """
        self._target = target
        self._options = options
        self._backend = backend
        self._radiometry: Radiometry | None = None
        self._link: _Link | None = None
        self._pictures = PictureParser()
        self._messages = MessageParser()
        self._waiting: deque[Picture] = deque()
        self._jpeg = b""
        self._telemetry: dict[str, float | str] = {}

    def open(self) -> CameraInfo:
        """Open the camera and wait for its first picture; takes at most `OPEN_S` seconds."""
        self.close()
        start_s = time.monotonic()
        radiometry = self._calibrate()
        usb = _load_usb()
        device, name, serial = self._find(usb, start_s + OPEN_S / 2)
        self._link = link = _Link(usb, device, f"FLIR ONE {name}", serial, start_s)
        try:
            with _explained(link):
                self._claim(link)
                self._hear_greeting(link, time.monotonic() + GREETING_S)
                if self._options.shutter is not None:
                    self._send(
                        link, "setOption", option="autoFFC", value=self._options.shutter == "auto"
                    )
                self._start_pictures(link)
                self._await_size(link, start_s + OPEN_S)
        except BaseException:
            self.close()
            raise
        width, height = link.size
        self._target = self._target or name
        return CameraInfo(
            model="FLIR ONE",
            serial=serial,
            width=width,
            height=height,
            rate_hz=RATE_HZ,
            radiometry=radiometry,
            live=True,
        )

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        The camera numbers none, so `Frame.index` counts what came, broken pictures included.
        """
        link = self._link
        if link is None or self._radiometry is None:
            raise CameraError("the FLIR ONE is not open; open it first")
        deadline_s = time.monotonic() + timeout_s
        with _explained(link):
            while not self._waiting:
                self._revive(link)
                left_ms = int(1000 * (deadline_s - time.monotonic())) - 2 * MESSAGE_MS
                self._poll(link, max(1, min(PICTURE_MS, left_ms)), MESSAGE_MS)
                if not self._waiting and time.monotonic() >= deadline_s:
                    raise CameraTimeoutError(
                        f"no picture of {link.name} within {timeout_s:g} s; read again"
                    )
        return self._frame(link, self._waiting.popleft(), self._radiometry)

    def close(self) -> None:
        """Stop the stream and release the camera; may be called at any time and more than once."""
        link, self._link = self._link, None
        self._pictures, self._messages = PictureParser(), MessageParser()
        self._waiting.clear()
        self._jpeg = b""
        self._telemetry.clear()
        if link is None:
            return
        try:
            if link.streaming:
                link.device.set_interface_altsetting(_PICTURES, 0)
                link.device.set_interface_altsetting(_FILES, 0)
                if sys.platform == "linux":
                    # Without it the next stream often stays silent.
                    link.device.reset()
        except (link.usb.core.USBError, NotImplementedError) as error:
            log.debug("%s did not stop in good order: %s", link.name, error)
        finally:
            _dispose(link.usb, link.device)

    @classmethod
    def discover(cls, *, backend: Any = None) -> Sequence[CameraListing]:  # noqa: ANN401
        """List those that are plugged in; which generation they are shows only when they stream."""
        usb = _load_usb()
        there = {}
        for device in _devices(usb, backend):
            name, serial, error = identity(device)
            _dispose(usb, device)
            there[port_of(device)] = CameraListing(
                f"flirone:{name}",
                " ".join(filter(None, ("FLIR ONE", serial or name))),
                "" if error is None else _explain(error, f"FLIR ONE {name}"),
                model="FLIR ONE",
                serial=serial,
                rate_hz=RATE_HZ,
            )
        return cls.sightings.add(there)

    def visible_jpeg(self) -> bytes | None:
        """Return the photograph that came with the newest frame, as the camera compressed it."""
        return self._jpeg or None

    def telemetry(self) -> Mapping[str, float | str]:
        """Return what the camera said of itself last.

        `battery_percent`, `battery_volt`, `charging` (its own word), `shutter` and
        `flat_field_correction` (its own words), `shutter_c`; each only if it was said.
        """
        return dict(self._telemetry)

    @property
    def _name(self) -> str:
        return f"FLIR ONE {self._target}".strip()

    def _calibrate(self) -> Radiometry:
        """Read the calibration from its photo, once."""
        if self._radiometry is None:
            self._radiometry = _radiometry(self._options.calibration, self._options.scene)
        return self._radiometry

    def _find(self, usb: Any, deadline_s: float) -> tuple[Any, str, str]:  # noqa: ANN401
        """Return the device, its name in addresses and its serial number."""
        while True:
            names = []
            fault: CameraError | None = None
            for device in _devices(usb, self._backend):
                name, serial, error = identity(device)
                if self._target in ("", name, serial, port_of(device)):
                    names.append(name)
                    if error is not None:
                        fault = CameraError(_explain(error, f"FLIR ONE {name}"))
                        fault.__cause__ = error
                    found = device, name, serial
                else:
                    _dispose(usb, device)
            if len(names) > 1:
                raise CameraError(
                    f"there are {len(names)} FLIR ONE; name one of them: "
                    + ", ".join(f"flirone:{name}" for name in names)
                )
            if names and fault is None:
                return found
            if time.monotonic() >= deadline_s:
                raise fault or CameraError(
                    f"no {self._name} is there; plug it in, switch it on and charge it, and use "
                    "the port that carries data"
                )
            time.sleep(LOOK_AGAIN_S)

    def _claim(self, link: _Link) -> None:
        """Take the interfaces; the order is the one that cameras were seen to accept."""
        device = link.device
        try:
            active = device.get_active_configuration().bConfigurationValue
        except ValueError:
            active = 0
        if active != _CONFIGURATION:
            device.set_configuration(_CONFIGURATION)
        for interface in (_CONTROL, _FILES, _PICTURES):
            link.usb.util.claim_interface(device, interface)
        device.set_interface_altsetting(_PICTURES, 0)
        device.set_interface_altsetting(_FILES, 0)
        device.set_interface_altsetting(_FILES, 1)

    def _hear_greeting(self, link: _Link, deadline_s: float) -> None:
        while not link.greeted and time.monotonic() < deadline_s:
            self._take_messages(link, self._transfer(link, _MESSAGES_IN, GREETING_MS))

    def _start_pictures(self, link: _Link) -> None:
        link.device.set_interface_altsetting(_PICTURES, 1)
        link.streaming = True
        link.picture_s = time.monotonic()

    def _await_size(self, link: _Link, deadline_s: float) -> None:
        """Wait for the first picture: only that says what the camera really sends."""
        while not self._waiting:
            if time.monotonic() >= deadline_s:
                raise CameraTimeoutError(
                    f"{link.name} is there but sends no picture; charge it, or unplug it and plug "
                    "it in again"
                )
            self._poll(link, PICTURE_MS, MESSAGE_MS)
        seen = size_of(self._waiting[0].thermal)
        if seen is None:
            raise CameraError(
                f"{link.name} sends thermal images of {len(self._waiting[0].thermal)} bytes, which "
                "no FLIR ONE known to this driver does; please report it"
            )
        link.size = seen
        link.numbered = seen == (80, 60)

    def _poll(self, link: _Link, picture_ms: int, message_ms: int) -> None:
        """Ask the three endpoints once, which is what keeps the camera going."""
        pictures = self._pictures.feed(self._transfer(link, _PICTURES_IN, picture_ms))
        self._take_messages(link, self._transfer(link, _MESSAGES_IN, message_ms))
        self._transfer(link, _FILES_IN, message_ms)
        if pictures:
            link.picture_s, link.kicked = time.monotonic(), False
            self._waiting.extend(pictures)

    def _transfer(self, link: _Link, endpoint: int, timeout_ms: int) -> bytes:
        """Return what comes on `endpoint`, empty if nothing does in time."""
        usb = link.usb
        try:
            data: bytes = link.device.read(endpoint, TRANSFER_BYTES, timeout_ms).tobytes()
        except usb.core.USBTimeoutError:
            return b""
        except usb.core.USBError as error:
            link.faults += 1
            if error.errno not in (errno.EPIPE, errno.EOVERFLOW) or link.faults > FAULTS_IN_A_ROW:
                raise
            log.debug("%s: endpoint %#x: %s", link.name, endpoint, error)
            if endpoint == _PICTURES_IN:
                self._pictures.reset()
            if error.errno == errno.EPIPE:
                link.device.clear_halt(endpoint)
            return b""
        if data:
            link.faults = 0
        return data

    def _take_messages(self, link: _Link, data: bytes) -> None:
        if data.startswith(IPHONE_GREETING):
            raise CameraError(
                f"{link.name} is a FLIR ONE for iPhones (Lightning plug), which sends its pictures "
                "to Apple devices only; use a FLIR ONE for Android"
            )
        for message in self._messages.feed(data):
            said = message.get("data")
            said = said if isinstance(said, dict) else {}
            match message.get("type"):
                case "sledInformation":
                    link.big_endian = str(said.get("bigEndianThermal", "0")) == "1"
                    link.greeted = True
                case "batteryVoltageUpdate":
                    self._note("battery_percent", said.get("percentage"))
                    self._note("battery_volt", said.get("voltage"))
                case "batteryChargingStateUpdate":
                    self._telemetry["charging"] = str(next(iter(said.values()), ""))

    def _note(self, name: str, value: object, offset: float = 0.0) -> None:
        number = _number(value)
        if number is not None:
            self._telemetry[name] = number + offset

    def _send(self, link: _Link, kind: str, **data: object) -> None:
        link.device.write(_MESSAGES_OUT, message_bytes(kind, data), PICTURE_MS)

    def _revive(self, link: _Link) -> None:
        """Set the stream up anew if it has stalled; lose the camera if that did not help."""
        silent_s = time.monotonic() - link.picture_s
        if silent_s < STALL_S * (1 + link.kicked):
            return
        if link.kicked:
            raise CameraLostError(
                f"{link.name} has sent no whole picture for {silent_s:.0f} s; charge it, or unplug "
                "it and plug it in again"
            )
        log.info("%s has stalled; its stream is set up anew", link.name)
        link.kicked = True
        self._pictures.reset()
        for interface, setting in ((_PICTURES, 0), (_FILES, 0), (_FILES, 1), (_PICTURES, 1)):
            link.device.set_interface_altsetting(interface, setting)

    def _frame(self, link: _Link, picture: Picture, radiometry: Radiometry) -> Frame:
        now_s = max(time.monotonic() - link.opened_s, link.time_s + 1e-6)
        link.index += 1 + picture.lost_before
        width, height = link.size
        if size_of(picture.thermal) != link.size:
            raise FrameRefusedError(
                f"{link.name} sent a thermal image of {len(picture.thermal)} bytes, which is not "
                f"one of {width}×{height} pixels; if it goes on, unplug it and plug it in again"
            )
        link.time_s = now_s
        self._jpeg = picture.jpeg
        flags = self._shutter_flags(link, picture.status, now_s)
        counts, ordered = thermal_counts(picture.thermal, width, height, big_endian=link.big_endian)
        link.numbered = link.numbered or ordered
        if not picture.intact or (link.numbered and not ordered):
            flags |= FrameFlag.DAMAGED
        return Frame.from_counts(counts, radiometry, link.index, now_s, time.time(), flags)

    def _shutter_flags(self, link: _Link, status: Mapping[str, Any], now_s: float) -> FrameFlag:
        self._note("shutter_c", status.get("shutterTemperature"), -KELVIN)
        for name, key in (("shutter", "shutterState"), ("flat_field_correction", "ffcState")):
            if key in status:
                self._telemetry[name] = str(status[key])
        if (
            str(status.get("shutterState", "")).startswith("FFC")
            or status.get("ffcState") == "FFC_PROGRESS"
        ):
            link.shutter_s = now_s
            return FrameFlag.SHUTTER
        return FrameFlag.AFTER_SHUTTER if now_s - link.shutter_s < AFTER_SHUTTER_S else FrameFlag(0)


def _radiometry(calibration: Path | None, scene: Mapping[str, float]) -> Radiometry:
    """Return how the 14-bit counts of the camera that took `calibration` become °C."""
    if calibration is None:
        if scene:
            raise ConfigError(
                f"{', '.join(scene)} cannot be followed without temperatures; add "
                "calibration=photo.jpg to the address"
            )
        return RelativeCounts(_NO_SCALE)
    with FlirFile(calibration, scene) as photo:
        planck = photo.camera.radiometry
    if not isinstance(planck, PlanckRadiometry):
        reason = planck.reason if isinstance(planck, RelativeCounts) else "no Planck constants"
        raise ConfigError(
            f"{calibration.name} holds no calibration ({reason}); give a radiometric JPEG that the "
            "phone app took with this camera"
        )
    # Dividing both scales the whole signal, that of air and reflections as well.
    return replace(planck, r1=planck.r1 / SHIFT, o=planck.o / SHIFT)


@contextmanager
def _explained(link: _Link) -> Iterator[None]:
    """Turn what pyusb raises into what a user can act on."""
    try:
        yield
    except link.usb.core.USBError as error:
        raise _fault(error, link.name) from error
    except ValueError as error:
        # Of pyusb: a configuration, an interface or an endpoint that is not there.
        raise CameraError(
            f"{link.name} is of a generation that this driver does not know ({error}); "
            "use a FLIR ONE Gen 2, Gen 3, Pro or Pro LT for Android"
        ) from error


def _fault(error: OSError, name: str) -> CameraError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EBUSY, errno.ENOSYS):
        return CameraError(_explain(error, name))
    if error.errno in _GONE:
        return CameraLostError(f"{name} was unplugged or switched off; plug it in again")
    why = error.strerror or error
    return CameraLostError(
        f"{name} does not answer any more ({why}); unplug it and plug it in again"
    )


def _explain(error: OSError, name: str) -> str:
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


def _devices(usb: Any, backend: Any) -> list[Any]:  # noqa: ANN401  # pyusb has no types
    try:
        return list(
            usb.core.find(find_all=True, backend=backend, idVendor=VENDOR, idProduct=PRODUCT)
        )
    except usb.core.NoBackendError as error:
        raise DriverMissingError(
            "the FLIR ONE needs libusb, which is not installed; on Debian and Ubuntu “sudo apt "
            "install libusb-1.0-0”, on macOS “brew install libusb”, on Windows “pip install "
            "libusb-package”"
        ) from error
    except usb.core.USBError as error:
        why = error.strerror or error
        raise CameraError(f"USB cannot be searched ({why}); restart the computer") from error


def _dispose(usb: Any, device: Any) -> None:  # noqa: ANN401
    try:
        usb.util.dispose_resources(device)
    except usb.core.USBError as error:
        log.debug("a FLIR ONE could not be released: %s", error)


def _load_usb() -> Any:  # noqa: ANN401
    """Import pyusb, when a camera is wanted."""
    try:
        import_module("usb.util")
        return import_module("usb")
    except ImportError as error:
        raise DriverMissingError("the FLIR ONE needs pyusb; pip install pyusb") from error


def _number(value: object) -> float | None:
    """Read a number, which may be written as a text; None if it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]  # that is what is found out
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
