"""FLIR Tau behind TeAx's grabber, through flirpy's command class: `tau:SERIAL`.

flirpy speaks the protocol; what it does around it is left out here.  Its constructor takes the
first grabber there is, and its readers return None for ever when the cable is out.
"""

import errno
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from drivers.count_scale import linear_if_plausible
from drivers.teax_stream import TeaxParser, TeaxPicture
from drivers.usb_devices import identity, load_usb, usb_devices
from drivers.vendor_library import load_library
from thermoseg.cameras import FLAT_FIELD, OPEN_CLOSE_LIMIT_S, CameraListing, CameraOptions, UsbId
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import Radiometry, RelativeCounts

log = logging.getLogger(__name__)

CAMERA: Final = "a Tau"
RATE_HZ: Final = 30.0
STEP_K: Final = 0.04
"""Kelvin per count of its TLinear output in high resolution, 14 bits."""
OPEN_S: Final = OPEN_CLOSE_LIMIT_S - 0.8
"""Patience for the first picture; the rest is for setting the grabber up, and for freeing it."""
TRANSFER_MS: Final = 100
"""Timeout of a USB transfer; the grabber's chip reports every 16 ms even when it has no data."""
CHUNK_BYTES: Final = 16_384
"""Size of one USB transfer; with pyftdi's 512 Python cannot keep up."""
POLL_BYTES: Final = 65_536
SHUTTER_S: Final = 1.0
"""Assumed duration of a flat-field correction, because the stream does not say."""
FFC_MODES: Final = {False: b"\0\0", True: b"\0\1"}
"""Manual and automatic, two bytes; source: Tau 2 software interface description, function 0x0B."""


class TauOptions(CameraOptions):
    """There is nothing to choose."""


@dataclass(slots=True)
class _Stream:
    """State of the stream of one opened grabber; ends with it."""

    opened_s: float
    index: int = -1
    time_s: float = -1.0
    """Time of the last frame, since the stream began."""
    closed_s: float = -math.inf
    """When the last correction that was asked for began, on the same clock."""
    trusted: bool = False
    """Whether a picture has come intact, so that one that is not is broken."""


class TauCamera:
    """A Tau behind TeAx's ThermalCapture GrabberUSB."""

    Options: ClassVar[type[CameraOptions]] = TauOptions
    usb_ids: ClassVar[tuple[UsbId, ...]] = (UsbId(0x0403, 0x6010, "FLIR Tau on a TeAx grabber"),)
    """USB identity of the grabber's chip, which other devices have as well."""
    backend: ClassVar[Any] = None
    """Backend of pyusb; the system's libusb if None.  Tests put another one here."""

    def __init__(self, target: str, options: TauOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number of the grabber or `usb-BUS-PORT`, as `discover` gives; empty for the only
            one there is.
        """
        self._target = target
        self._options = options
        self._name = f"the Tau {target}".strip()
        self._grabber: Any = None
        self._parser = TeaxParser()
        self._waiting: deque[TeaxPicture] = deque()
        self._radiometry: Radiometry = RelativeCounts("the Tau is not open")
        self._stream = _Stream(0.0)
        self._held = False
        """Whether the camera was told to correct itself when it is asked only."""

    def open(self) -> CameraInfo:
        """Open the grabber and look at what its first picture holds."""
        self.close()
        device, name, serial = self._find()
        tau = load_library("flirpy.camera.tau", CAMERA)
        # Its constructor takes the first grabber, and rows for columns.
        self._grabber = tau.TeaxGrabber.__new__(tau.TeaxGrabber)
        self._grabber.dev, self._grabber._ftdi = device, None  # noqa: SLF001
        try:
            with self._explained():
                self._grabber.connect()
                ftdi = self._grabber._ftdi  # noqa: SLF001
                ftdi.timeouts = (TRANSFER_MS, TRANSFER_MS)
                ftdi.read_data_set_chunksize(CHUNK_BYTES)
            self._stream = _Stream(time.monotonic())
            if self._held:
                self.set_automatic_correction(True)
            while not self._waiting:
                if time.monotonic() - self._stream.opened_s > OPEN_S:
                    raise CameraTimeoutError(
                        f"{self._name} is there but sends no pictures; see that this is a TeAx "
                        "grabber with a Tau that is switched on and sends 14 bits"
                    )
                self._poll()
        except BaseException:
            self.close()
            raise
        self._target = self._target or name
        counts = self._waiting[0].counts
        self._radiometry = linear_if_plausible(
            counts, STEP_K, f"the counts of the Tau are no steps of {STEP_K:g} K"
        )
        return CameraInfo(
            model=f"FLIR Tau {counts.shape[1]}",
            serial=serial,
            width=counts.shape[1],
            height=counts.shape[0],
            rate_hz=RATE_HZ,
            radiometry=self._radiometry,
            live=True,
        )

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame; the grabber numbers none, so `Frame.index` counts what came."""
        if self._grabber is None:
            raise CameraError(f"{self._name} is not open; open it first")
        deadline_s = time.monotonic() + timeout_s
        while not self._waiting:
            if time.monotonic() >= deadline_s:
                raise CameraTimeoutError(f"no picture of {self._name} in time; read again")
            self._poll()
        return self._frame(self._waiting.popleft())

    def close(self) -> None:
        """Release the grabber; may be called at any time and more than once."""
        if self._grabber is not None and self._held:
            try:
                self.set_automatic_correction(True)
            except CameraError as error:
                log.info("%s may correct itself when it is open again: %s", self._name, error)
        grabber, self._grabber = self._grabber, None
        self._parser = TeaxParser()
        self._waiting.clear()
        if grabber is not None:
            usb = load_usb(CAMERA)
            try:
                grabber.close()
                usb.util.dispose_resources(grabber.dev)
            except (usb.core.USBError, OSError, ValueError) as error:
                log.debug("%s was not released in good order: %s", self._name, error)

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """Actions that an open camera offers, in the thread that reads."""
        return {FLAT_FIELD: self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about half a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open.
        """
        self._command("DO_FFC_SHORT")
        self._stream.closed_s = time.monotonic() - self._stream.opened_s

    def set_automatic_correction(self, on: bool) -> None:
        """Let it close its shutter when asked only, or when it likes; it does not tell how it was.

        Raises
        ------
        CameraError
            If the camera is not open.
        """
        self._command("SET_FFC_MODE", FFC_MODES[on])
        self._held = not on

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the chips that such a grabber has; other devices have them as well."""
        for library in ("flirpy.camera.tau", "pyftdi.ftdi"):
            load_library(library, CAMERA)
        listings = []
        for device in usb_devices(cls.usb_ids, CAMERA, cls.backend):
            name, serial, error = identity(device)
            problem = ""
            if error is not None:
                problem = f"{error.strerror or error}; run “thermoseg install-udev”"
            listings.append(
                CameraListing(
                    f"tau:{name}",
                    "FLIR Tau, if this FTDI chip is a TeAx grabber",
                    problem,
                    model="FLIR Tau",
                    serial=serial,
                )
            )
        return listings

    def _command(self, name: str, argument: bytes = b"") -> None:
        """Send one of flirpy's commands, without waiting for its reply.

        Until that comes flirpy would throw pictures away.
        """
        if self._grabber is None:
            raise CameraError(f"{self._name} is not open; open it first")
        command = getattr(load_library("flirpy.camera.tau_config", CAMERA), name)
        with self._explained():
            self._grabber._send_packet(command, argument)  # noqa: SLF001

    def _find(self) -> tuple[Any, str, str]:
        found = []
        for device in usb_devices(self.usb_ids, CAMERA, self.backend):
            name, serial, error = identity(device)
            if self._target in ("", name, serial):
                found.append((device, name, serial, error))
        if len(found) == 1:
            device, name, serial, error = found[0]
            if error is not None:
                raise CameraError(
                    f"{self._name} cannot be opened ({error.strerror or error}); run “thermoseg "
                    "install-udev” and plug it in again"
                ) from error
            return device, name, serial
        if found:
            names = ", ".join(f"tau:{name}" for _, name, _, _ in found)
            raise CameraError(f"there are {len(found)} such grabbers; name one of them: {names}")
        raise CameraError(f"{self._name} is not there; plug in its TeAx grabber")

    def _poll(self) -> None:
        data = b""
        with self._explained(reading=True):
            data = self._grabber._read(POLL_BYTES)  # noqa: SLF001
        self._waiting.extend(self._parser.feed(bytes(data)))

    @contextmanager
    def _explained(self, *, reading: bool = False) -> Iterator[None]:
        """Say what an error of the grabber means; no data in time is none while `reading`."""
        ftdi, usb = load_library("pyftdi.ftdi", CAMERA), load_usb(CAMERA).core
        try:
            yield
        except (ftdi.FtdiError, usb.USBError) as error:
            # pyftdi hides what it was, but not from here.
            first = error if isinstance(error, usb.USBError) else error.__context__ or error
            # A command or setting that timed out was not carried out, so that is an error.
            if reading and isinstance(first, usb.USBTimeoutError):
                return
            if getattr(first, "errno", None) in (errno.EACCES, errno.EBUSY):
                why = getattr(first, "strerror", None) or error
                raise CameraError(
                    f"{self._name} cannot be opened ({why}); run “thermoseg install-udev”, and "
                    "close other programs that use it"
                ) from error
            raise CameraLostError(
                f"{self._name} does not answer any more; unplug its grabber and plug it in again"
            ) from error

    def _frame(self, picture: TeaxPicture) -> Frame:
        stream = self._stream
        now_s = max(time.monotonic() - stream.opened_s, stream.time_s + 1e-6)
        flags = FrameFlag.NONE
        # The first picture after a correction in any case, however late it comes: only from that
        # does the core know that temperatures may step.
        if stream.time_s <= stream.closed_s or now_s - stream.closed_s < SHUTTER_S:
            flags |= FrameFlag.SHUTTER
        stream.index += 1 + picture.lost_before
        stream.time_s = now_s
        stream.trusted = stream.trusted or picture.intact
        if stream.trusted and not picture.intact:
            flags |= FrameFlag.DAMAGED
        return Frame.from_counts(
            picture.counts, self._radiometry, stream.index, now_s, time.time(), flags
        )
