"""FLIR ONE for Android (Gen 2, Gen 3, Pro, Pro LT): `flirone:SERIAL?calibration=photo.jpg`.

The camera sends counts and keeps its calibration to itself.  A radiometric JPEG that the phone app
took with the same camera carries it; without one there are relative counts only.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np

from drivers.flir_files import FlirFile
from drivers.flir_one_link import (
    CAMERA,
    FILES_IN,
    MESSAGES_IN,
    PICTURES_IN,
    USB_IDS,
    FlirOneLink,
    Sightings,
    explain,
    release,
)
from drivers.flir_one_stream import (
    IPHONE_GREETING,
    MessageParser,
    Picture,
    PictureParser,
    size_of,
    thermal_counts,
)
from drivers.scene_options import SceneOptions
from drivers.usb_devices import identity, port_of, usb_devices
from thermoseg.cameras import OPEN_CLOSE_LIMIT_S, CameraListing, CameraOptions, UsbId
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    ConfigError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import KELVIN, PlanckRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

RATE_HZ: Final = 8.7
"""Export rules allow no more than 9."""
SHIFT: Final = 4
"""The calibration refers to 16-bit counts; the stream has 14 bits."""

OPEN_S: Final = OPEN_CLOSE_LIMIT_S - 0.1
"""Opening takes no longer; closing is quick."""
GREETING_S: Final = 0.6
"""Time in which the camera is asked for its description, before pictures; it comes only once."""
PICTURE_MS: Final = 100
MESSAGE_MS: Final = 10
"""Waits of one round of the three endpoints.  All three must be asked in each or it stalls."""
GREETING_MS: Final = 20
STALL_S: Final = 3.0
"""Without a whole picture for so long, the streaming interface is set up anew, once."""
_NO_SCALE: Final = (
    "a FLIR ONE does not send its calibration; give a radiometric JPEG that the phone app took "
    "with it as ?calibration=photo.jpg"
)


class FlirOneOptions(SceneOptions):
    """Options of scale and shutter; the scene replaces the photo's."""

    calibration: Path | None = None
    """Radiometric JPEG taken with this very camera; holds its Planck constants."""
    shutter: Literal["auto", "manual"] | None = None
    """Whether the camera closes its shutter when it likes; as it is set if not given."""


@dataclass(slots=True)
class _Stream:
    """State of the stream of one opened camera; ends with it."""

    opened_s: float
    greeted: bool = False
    """Whether the camera has described itself."""
    size: tuple[int, int] = (0, 0)
    """(width, height) of the thermal image."""
    big_endian: bool = False
    numbered: bool = False
    """Whether its packets have shown to be numbered one after the other."""
    kicked: bool = False
    """Whether the stream was set up anew since the last picture."""
    picture_s: float = 0.0
    """When the last picture came, or the stream was begun."""
    time_s: float = -1.0
    index: int = -1


class FlirOneCamera:
    """One FLIR ONE; beside the thermal frames it keeps the newest visible picture and telemetry."""

    Options: ClassVar[type[CameraOptions]] = FlirOneOptions
    usb_ids: ClassVar[tuple[UsbId, ...]] = USB_IDS
    backend: ClassVar[Any] = None
    """Backend of pyusb; the system's libusb if None.  Tests put another one here."""
    sightings: ClassVar[Sightings] = Sightings()

    def __init__(self, target: str, options: FlirOneOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number or `usb-BUS-PORT`, as `discover` gives; empty for the only one there is.
        """
        self._target = target
        self._options = options
        self._radiometry: Radiometry | None = None
        self._link: FlirOneLink | None = None
        self._stream = _Stream(0.0)
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
        self._link = link = FlirOneLink.find(self._target, self.backend, start_s + OPEN_S / 2)
        self._stream = _Stream(start_s)
        try:
            with link.explained():
                link.claim()
                self._hear_greeting(link, time.monotonic() + GREETING_S)
                if self._options.shutter is not None:
                    link.send("setOption", option="autoFFC", value=self._options.shutter == "auto")
                link.start_pictures()
                self._stream.picture_s = time.monotonic()
                self._await_size(link, start_s + OPEN_S)
        except BaseException:
            self.close()
            raise
        width, height = self._stream.size
        self._target = self._target or link.address_name
        return CameraInfo(
            model="FLIR ONE",
            serial=link.serial,
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
        with link.explained():
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
        if link is not None:
            link.close()

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List those that are plugged in; which generation they are shows only when they stream."""
        there = {}
        for device in usb_devices(cls.usb_ids, CAMERA, cls.backend):
            name, serial, error = identity(device)
            release(device)
            there[port_of(device)] = CameraListing(
                f"flirone:{name}",
                " ".join(filter(None, ("FLIR ONE", serial or name))),
                "" if error is None else explain(error, f"FLIR ONE {name}"),
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

    def _calibrate(self) -> Radiometry:
        """Read the calibration from its photo, once."""
        if self._radiometry is None:
            self._radiometry = _radiometry(self._options.calibration, self._options.scene)
        return self._radiometry

    def _hear_greeting(self, link: FlirOneLink, deadline_s: float) -> None:
        while not self._stream.greeted and time.monotonic() < deadline_s:
            self._take_messages(link, link.transfer(MESSAGES_IN, GREETING_MS))

    def _await_size(self, link: FlirOneLink, deadline_s: float) -> None:
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
        self._stream.size = seen
        self._stream.numbered = seen == (80, 60)

    def _poll(self, link: FlirOneLink, picture_ms: int, message_ms: int) -> None:
        """Ask the three endpoints once, which is what keeps the camera going."""
        data = link.transfer(PICTURES_IN, picture_ms)
        if data is None:
            self._pictures.reset()
        pictures = self._pictures.feed(data or b"")
        self._take_messages(link, link.transfer(MESSAGES_IN, message_ms))
        link.transfer(FILES_IN, message_ms)
        if pictures:
            self._stream.picture_s, self._stream.kicked = time.monotonic(), False
            self._waiting.extend(pictures)

    def _take_messages(self, link: FlirOneLink, data: bytes | None) -> None:
        data = data or b""
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
                    self._stream.big_endian = str(said.get("bigEndianThermal", "0")) == "1"
                    self._stream.greeted = True
                case "batteryVoltageUpdate":
                    self._note("battery_percent", said.get("percentage"))
                    self._note("battery_volt", said.get("voltage"))
                case "batteryChargingStateUpdate":
                    self._telemetry["charging"] = str(next(iter(said.values()), ""))

    def _note(self, name: str, value: object, offset: float = 0.0) -> None:
        number = _number(value)
        if number is not None:
            self._telemetry[name] = number + offset

    def _revive(self, link: FlirOneLink) -> None:
        """Set the stream up anew if it has stalled; lose the camera if that did not help."""
        silent_s = time.monotonic() - self._stream.picture_s
        if silent_s < STALL_S * (1 + self._stream.kicked):
            return
        if self._stream.kicked:
            raise CameraLostError(
                f"{link.name} has sent no whole picture for {silent_s:.0f} s; charge it, or unplug "
                "it and plug it in again"
            )
        log.info("%s has stalled; its stream is set up anew", link.name)
        self._stream.kicked = True
        self._pictures.reset()
        link.restart()

    def _frame(self, link: FlirOneLink, picture: Picture, radiometry: Radiometry) -> Frame:
        now_s = max(time.monotonic() - self._stream.opened_s, self._stream.time_s + 1e-6)
        self._stream.index += 1 + picture.lost_before
        width, height = self._stream.size
        if size_of(picture.thermal) != self._stream.size:
            raise FrameRefusedError(
                f"{link.name} sent a thermal image of {len(picture.thermal)} bytes, which is not "
                f"one of {width}×{height} pixels; if it goes on, unplug it and plug it in again"
            )
        self._stream.time_s = now_s
        self._jpeg = picture.jpeg
        flags = self._shutter_flag(picture.status)
        counts, ordered = thermal_counts(
            picture.thermal, width, height, big_endian=self._stream.big_endian
        )
        self._stream.numbered = self._stream.numbered or ordered
        if not picture.intact or (self._stream.numbered and not ordered):
            flags |= FrameFlag.DAMAGED
        return Frame.from_counts(counts, radiometry, self._stream.index, now_s, time.time(), flags)

    def _shutter_flag(self, status: Mapping[str, Any]) -> FrameFlag:
        self._note("shutter_c", status.get("shutterTemperature"), -KELVIN)
        for name, key in (("shutter", "shutterState"), ("flat_field_correction", "ffcState")):
            if key in status:
                self._telemetry[name] = str(status[key])
        closed = (
            str(status.get("shutterState", "")).startswith("FFC")
            or status.get("ffcState") == "FFC_PROGRESS"
        )
        return FrameFlag.SHUTTER if closed else FrameFlag.NONE


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


def _number(value: object) -> float | None:
    """Read a number, which may be written as a text; None if it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]  # that is what is found out
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
