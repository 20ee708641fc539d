"""FLIR Boson: `boson:SERIAL?tlinear=true`.  Video through UVC, commands through a serial port."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from drivers.boson_link import CAMERA, FLIRPY, BosonLink, BosonOptions, SerialPorts
from drivers.count_scale import linear_if_plausible
from drivers.picture_stream import UnnumberedStream
from drivers.uvc_camera import UvcCamera, UvcKind, list_uvc
from drivers.uvc_capture import UvcSystem, problem_of
from drivers.uvc_nodes import PLACEHOLDER_SERIALS, VideoNode
from drivers.vendor_library import load_library
from thermoseg.cameras import FLAT_FIELD, CameraListing, CameraOptions, UsbId
from thermoseg.errors import CameraError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import Radiometry, RelativeCounts

log = logging.getLogger(__name__)

MODEL: Final = "FLIR Boson"
SIZES: Final = ((512, 640), (256, 320))
"""(rows, columns)."""
STEP_K: Final = 0.01
"""Kelvin per count of its TLinear output."""
STATE_EVERY_S: Final = 0.25
"""Interval of questions for the shutter's state; a closing takes half a second and more."""
NOT_LISTED: Final = (
    "video devices cannot be told apart here; on Windows try boson:0, boson:1 and so on, on macOS "
    "there are no raw pictures"
)
KIND: Final = UvcKind("boson", "Boson", "Y16 ", 60.0, NOT_LISTED, NOT_LISTED)


class BosonCamera:
    """A Boson: video through UVC, commands through its serial port where that can be opened."""

    Options: ClassVar[type[CameraOptions]] = BosonOptions
    usb_ids: ClassVar[tuple[UsbId, ...]] = (
        UsbId(0x09CB, 0x4007, "FLIR Boson", ("video4linux", "tty")),
    )
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""
    ports: ClassVar[SerialPorts] = SerialPorts()
    """Tests put other ones here."""

    def __init__(self, target: str, options: BosonOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            As `UvcCamera` takes it.
        """
        self._options = options
        self._uvc = UvcCamera(KIND, target)
        self._link: BosonLink | None = None
        self._stream = UnnumberedStream()
        self._radiometry: Radiometry = RelativeCounts("the Boson is not open")
        self._asked_s = -np.inf
        """When the camera was last asked for its shutter."""
        self._own_mode: int | None = None
        """FFC mode that is to be given back; None if it was not changed."""

    def open(self) -> CameraInfo:
        """Open the camera, set what was asked for, and look at what its first pictures hold."""
        self.close()
        with self._uvc.opening(self.system, self.usb_ids, self.close):
            return self._start()

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        FrameRefusedError
            If a picture is of another size, such as one with telemetry rows.
        """
        counts, picture = self._uvc.take(timeout_s)
        closed = self._shutter_closed() or None
        return self._stream.frame(counts, picture, self._radiometry, closed=closed)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        self._uvc.close()
        if self._link is not None:
            self._give_back(self._link)
            self._link.close()
            self._link = None

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """Actions that an open camera offers, in the thread that reads."""
        return {FLAT_FIELD: self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about half a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open, or its serial port is not.
        """
        self._commanded().run_ffc()

    def set_automatic_correction(self, on: bool) -> None:
        """Let it close its shutter when asked only, or again as it did when it was opened.

        Raises
        ------
        CameraError
            If the camera is not open, its serial port is not, or it does not answer.
        """
        link = self._commanded()
        if on and self._own_mode is not None:
            link.set_ffc_mode(self._own_mode)
            self._own_mode = None
        elif not on and self._own_mode is None:
            self._own_mode = link.hold_ffc()

    def telemetry(self) -> Mapping[str, float | str]:
        """Return what the camera said last, as far as it takes commands.

        `sensor_serial` and `gain` as they were when it was opened, `fpa_c` at most some seconds
        ago, `shutter` in words.
        """
        return {} if self._link is None else self._link.told()

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List those that are plugged in."""
        load_library(FLIRPY, CAMERA)
        return list_uvc(KIND, MODEL, cls.usb_ids, cls.system, cls._listing)

    @classmethod
    def _listing(cls, node: VideoNode) -> CameraListing:
        modes, problem = problem_of(cls.system, node)
        raw = [mode for mode in modes if (mode.height, mode.width) in SIZES]
        raw = [mode for mode in raw if mode.fourcc == KIND.fourcc]
        if not problem and not raw:
            problem = f"{node.path} offers no raw pictures (Y16); choose them in FLIR's Boson app"
        return CameraListing(
            address=f"boson:{node.stable_name}",
            description=MODEL,
            problem=problem,
            model=MODEL,
            serial=node.serial,
            width=raw[0].width if raw else 0,
            height=raw[0].height if raw else 0,
            rate_hz=max((mode.rate_hz for mode in raw), default=0.0),
        )

    def _commanded(self) -> BosonLink:
        if self._link is None:
            raise CameraError(f"{self._uvc.name} {_no_commands(self._uvc.is_open)}")
        return self._link

    def _give_back(self, link: BosonLink) -> None:
        """Give the FFC mode back; where the cable is out that is left to the next opening."""
        if self._own_mode is not None:
            try:
                link.set_ffc_mode(self._own_mode)
            except CameraError as error:
                log.info("its FFC mode is given back when it is open: %s", error)
            else:
                self._own_mode = None

    def _start(self) -> CameraInfo:
        uvc = self._uvc
        self._link = self._connect(uvc.node)
        if self._link is not None:
            self._give_back(self._link)
        tlinear = self._link is not None and self._link.set_up(self._options)
        uvc.start(SIZES)
        # A small one follows, a large one keeps its own size.
        uvc.ask_size(*SIZES[1])
        self._stream, self._asked_s = UnnumberedStream(), -np.inf
        counts = uvc.first()
        self._radiometry = _radiometry(counts, tlinear)
        return uvc.info(f"{MODEL} {counts.shape[1]}", counts.shape, self._radiometry)

    def _connect(self, node: VideoNode | None) -> BosonLink | None:
        """Open the serial port of the same camera; without one there is video alone."""
        name = self._uvc.name
        ports = [
            port
            for port in self.ports.find()
            if any(one.matches(port.vid, port.pid) for one in self.usb_ids)
        ]
        if node is not None and node.serial not in PLACEHOLDER_SERIALS:
            ports = [port for port in ports if port.serial_number == node.serial]
        if len(ports) == 1:
            try:
                return BosonLink(lambda: self.ports.open(ports[0].device), name)
            except OSError as error:
                # pyserial puts the same again, with numbers, into its own text.
                why = os.strerror(error.errno) if error.errno else error
                problem = f"{ports[0].device}: {why}"
        else:
            problem = f"{len(ports)} serial ports could be its own"
        o = self._options
        wanted = [n for n in ("gain", "shutter", "tlinear") if getattr(o, n) is not None]
        if wanted:
            raise CameraError(
                f"{name} takes no commands, so {', '.join(wanted)} cannot be set "
                f"({problem}); run “thermoseg install-udev”, or leave the option away"
            )
        log.warning("%s takes no commands (%s); its shutter is not known", name, problem)
        return None

    def _shutter_closed(self) -> bool:
        """Ask for the state of the shutter now and then, and remember it in between."""
        if self._link is None:
            return False
        now_s = time.monotonic()
        if now_s - self._asked_s >= STATE_EVERY_S:
            self._asked_s = now_s
            self._link.ask_state()
        return self._link.correcting


def _no_commands(is_open: bool) -> str:
    if is_open:
        return "takes no commands; run “thermoseg install-udev” and plug it in again"
    return "is not open; open it first"


def _radiometry(counts: NDArray[np.uint16], tlinear: bool) -> Radiometry:
    if not tlinear:
        return RelativeCounts(
            "this Boson sends counts without a temperature scale; if it is a radiometric one, open "
            "it with ?tlinear=true"
        )
    return linear_if_plausible(
        counts, STEP_K, f"the counts of the Boson are no steps of {STEP_K:g} K"
    )
