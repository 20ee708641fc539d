"""FLIR Lepton on a PureThermal board: `lepton:SERIAL?gain=high&shutter=manual`.

The board is a UVC camera.  Its raw pictures (Y16) come with rows of telemetry below them if the
taller size is asked for, and hold Kelvin × 100 while the core's TLinear is on.  Whether it is,
every frame's telemetry says; without telemetry the extension units do, or the counts themselves.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

import numpy as np

from drivers.count_scale import linear_if_plausible
from drivers.lepton_settings import (
    RUN_FFC,
    SHUTTER,
    SHUTTER_MODES,
    LeptonOptions,
    part_number,
    set_gain,
    set_tlinear,
    set_word,
)
from drivers.lepton_stream import Follower, Taken
from drivers.lepton_telemetry import FfcState, Telemetry
from drivers.uvc_camera import GOOD_S, OPEN_S, UvcCamera, UvcKind, list_uvc
from drivers.uvc_capture import UvcSystem, first_good, problem_of
from drivers.uvc_controls import ExtensionUnits
from drivers.uvc_nodes import VideoMode, VideoNode
from thermoseg.cameras import FLAT_FIELD, CameraListing, CameraOptions, UsbId
from thermoseg.errors import CameraError, CameraTimeoutError, FormatError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

FOURCC: Final = "Y16 "
NOMINAL_HZ: Final = 9.0
"""Rate that the boards announce; a Lepton 3.5 gives 8.8, a 2.5 each of 9 pictures three times."""

PICTURES: Final[dict[tuple[int, int], int]] = {
    (122, 160): 120,
    (120, 160): 120,
    (63, 80): 60,
    (61, 80): 60,
    (60, 80): 60,
}
"""Rows of the picture by (rows, columns) of what is sent; the rest is telemetry.  The one to
ask for first in front."""

PLAUSIBLE_K: Final = (233.15, 723.15)
"""Bounds of the median of a picture: the range of a Lepton at low gain, −40 to 450 °C."""
RAW_MEDIAN: Final = (25_000, 40_000)
"""Median of Kelvin × 100 where nothing else tells; 14-bit counts lie below."""
EIGHT_BITS: Final = 256

SHUTTER_WORDS: Final = {
    FfcState.NEVER: "never closed yet",
    FfcState.IMMINENT: "about to close",
    FfcState.RUNNING: "closed",
    FfcState.DONE: "open",
}
CORES: Final = {"500-0771-01": "Lepton 3.5"}

NO_RAW_ON_MAC: Final = (
    "macOS gives programs no raw pictures of a Lepton; use it on Linux or Windows, or play a "
    "recording"
)
NOT_LISTED_ON_WINDOWS: Final = (
    "video devices cannot be told apart on Windows; try lepton:0, lepton:1 and so on"
)


KIND: Final = UvcKind("lepton", "Lepton", FOURCC, NOMINAL_HZ, NO_RAW_ON_MAC, NOT_LISTED_ON_WINDOWS)


class LeptonCamera:
    """One Lepton on a PureThermal board."""

    Options: ClassVar[type[CameraOptions]] = LeptonOptions
    usb_ids: ClassVar[tuple[UsbId, ...]] = (
        UsbId(0x1E4E, 0x0100, "FLIR Lepton on PureThermal", ("video4linux",)),
    )
    """USB identity of the boards PureThermal 1, 2, 3 and Mini."""
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""

    def __init__(self, target: str, options: LeptonOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            As `UvcCamera` takes it.
        """
        self._options = options
        self._uvc = UvcCamera(KIND, target)
        self._follower = Follower()
        self._radiometry: Radiometry = RelativeCounts("the Lepton is not open")
        self._units: ExtensionUnits | None = None
        self._resolution_k: float | None = None
        """Kelvin per count as it was set: 0 if TLinear is off, None if that is not known."""
        self._waiting: Taken | None = None
        self._gain = ""
        self._own_shutter: int | None = None
        """Mode of the shutter that is to be given back; None if it was not changed."""
        self._said: Telemetry | None = None

    def open(self) -> CameraInfo:
        """Open and set the camera, and look at what its first pictures hold."""
        self.close()
        deadline_s = time.monotonic() + OPEN_S
        with self._uvc.opening(self.system, self.usb_ids, self.close):
            return self._start(deadline_s)

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame; those that the board sends again are left out.

        Raises
        ------
        FrameRefusedError
            If a picture is of another size, shifted, or not calibrated as announced.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            taken, self._waiting = self._waiting, None
            if taken is None:
                taken = self._take(max(deadline_s - time.monotonic(), 0.0))
            if not self._follower.again(taken.telemetry):
                return self._frame(taken)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        if self._units is not None:
            try:
                self.set_automatic_correction(True)
            except CameraError as error:
                log.info("%s keeps its shutter for itself until it is open: %s", KIND.name, error)
        self._uvc.close()
        if self._units is not None:
            self._units.close()
            self._units = None
        self._waiting = self._said = None
        self._gain = ""

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """Actions that an open camera offers, in the thread that reads."""
        return {FLAT_FIELD: self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open, or the system has no way to ask for it.
        """
        self._commanded().run(RUN_FFC)

    def set_automatic_correction(self, on: bool) -> None:
        """Let it close its shutter when asked only, or again as it did when it was opened.

        Raises
        ------
        CameraError
            If the camera is not open, does not take it, or the system has no way to tell it.
        """
        units, own = self._commanded(), self._own_shutter
        if on and own is not None:
            set_word(units, SHUTTER, own)
            self._own_shutter = None
        elif not on and own is None:
            mode = int.from_bytes(units.read(SHUTTER)[:4], "little")
            set_word(units, SHUTTER, SHUTTER_MODES["manual"])
            self._own_shutter = mode

    def telemetry(self) -> Mapping[str, float | str]:
        """Return what the newest frame's telemetry said, and the gain; each only if it is known.

        `fpa_c`, `housing_c`, `uptime_s`, `shutter` in words; `gain` as it was read at opening.
        """
        told: dict[str, float | str] = {"gain": self._gain} if self._gain else {}
        said = self._said
        if said is not None:
            told |= {
                "fpa_c": round(said.fpa_c, 2),
                "housing_c": round(said.housing_c, 2),
                "shutter": "locked" if said.shutter_locked else SHUTTER_WORDS[said.ffc_state],
                "uptime_s": said.uptime_ms / 1000,
            }
        return told

    def _commanded(self) -> ExtensionUnits:
        """Return what takes the commands of an open camera."""
        if self._units is None:
            where = "is not open; open it first"
            if self._uvc.is_open:
                where = "can be asked for flat-field correction on Linux only"
            raise CameraError(f"{self._uvc.name} {where}")
        return self._units

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the boards that are plugged in."""
        title = "FLIR Lepton on PureThermal"
        return list_uvc(KIND, title, cls.usb_ids, cls.system, cls._listing)

    @classmethod
    def _listing(cls, node: VideoNode) -> CameraListing:
        modes, problem = problem_of(cls.system, node)
        raw = [mode for mode in modes if _rows_and_columns(mode) in PICTURES]
        if not problem and not raw:
            problem = f"{node.path} offers no raw pictures (Y16); update the firmware of its board"
        height, width = 0, 0
        for mode in raw:
            height, width = PICTURES[_rows_and_columns(mode)], mode.width
        return CameraListing(
            address=f"lepton:{node.stable_name}",
            description=f"FLIR Lepton on {node.name or 'PureThermal'}",
            problem=problem,
            model=_core_of(height),
            serial=node.serial,
            width=width,
            height=height,
            rate_hz=max((mode.rate_hz for mode in raw), default=0.0) or NOMINAL_HZ * bool(raw),
        )

    def _start(self, deadline_s: float) -> CameraInfo:
        uvc = self._uvc
        uvc.start(list(PICTURES))
        self._ask_size()
        self._follower = Follower()
        first = first_good(self._take, uvc.name, GOOD_S)
        uvc.shapes = {first.rows * first.columns: (first.rows, first.columns)}
        # Only now, because the board switches TLinear off when it chooses the format, which it
        # does when the stream begins.
        part, self._resolution_k = self._set_up(uvc.node)
        self._waiting, self._radiometry = self._settle(first, deadline_s)
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", uvc.name, self._radiometry.reason)
        height, width = first.counts.shape
        return uvc.info(
            CORES.get(part, f"{_core_of(height)} {part}".strip()),
            (height, width),
            self._radiometry,
            # Of the core, where nothing tells the board's.
            serial="" if first.telemetry is None else first.telemetry.serial,
        )

    def _ask_size(self) -> None:
        """Ask for the picture with telemetry, or without; take what comes if it is known."""
        offered = {_rows_and_columns(mode) for mode in self._uvc.modes()} & set(PICTURES)
        wanted = [shape for shape in PICTURES if not offered or shape in offered]
        if not self._options.telemetry:
            wanted.sort(key=lambda shape: shape[0] - PICTURES[shape])
        for shape in wanted:
            if self._uvc.ask_size(*shape) == shape:
                return
        rows, columns = self._uvc.size
        if (rows, columns) not in PICTURES:
            raise CameraError(
                f"{self._uvc.name} gives {columns}×{rows} pixels, which no Lepton has; name "
                "another video device"
            )

    def _set_up(self, node: VideoNode | None) -> tuple[str, float | None]:
        """Make the settings; return part number and kelvin per count: 0 for off, None if unknown.

        Raises
        ------
        CameraError
            If a setting that is no default cannot be made.
        """
        options = self._options
        asked = options != LeptonOptions(telemetry=options.telemetry)
        if node is None:
            if asked:
                raise CameraError(
                    f"{self._uvc.name} can be set on Linux only; leave tlinear, gain and shutter "
                    "away"
                )
            return "", None
        self._units = units = self.system.controls(node.path)
        resolution_k: float | None
        try:
            self._gain = set_gain(units, options.gain, self._uvc.name)
            set_word(units, SHUTTER, SHUTTER_MODES.get(options.shutter, self._own_shutter))
            self._own_shutter = None
            resolution_k = set_tlinear(units, options.tlinear)
        except CameraError as error:
            if asked:
                raise
            log.info("%s keeps its settings: %s", self._uvc.name, error)
            resolution_k = None
        return part_number(units), resolution_k

    def _settle(self, taken: Taken, deadline_s: float) -> tuple[Taken, Radiometry]:
        """Wait for a picture that is calibrated as was set; return it and its radiometry."""
        while True:
            radiometry = self._judge(taken)
            said_k = taken.said_k
            if said_k is None:
                said_k = self._resolution_k if radiometry.radiometric else 0.0
            as_set = self._resolution_k in (None, said_k)
            left_s = deadline_s - time.monotonic()
            if (as_set and not taken.blank) or left_s <= 0:
                return taken, radiometry
            with suppress(FrameRefusedError, CameraTimeoutError):
                taken = self._take(left_s)

    def _judge(self, taken: Taken) -> Radiometry:
        """Decide what the counts mean: °C only where camera or counts say so."""
        telemetry = taken.telemetry
        if self._options.tlinear == "off":
            return RelativeCounts("TLinear was switched off on request")
        if (telemetry is not None and telemetry.agc) or taken.counts.max() < EIGHT_BITS:
            return RelativeCounts("the camera stretches its pictures to 8 bits because AGC is on")
        resolution_k = self._resolution_k if taken.said_k is None else taken.said_k
        if resolution_k == 0.0:
            return RelativeCounts(
                "TLinear is off, and only a radiometric Lepton (2.5, 3.1R, 3.5) can switch it on"
            )
        if resolution_k is None:
            median = float(np.median(taken.counts))
            if not RAW_MEDIAN[0] <= median <= RAW_MEDIAN[1]:
                return RelativeCounts(
                    f"the median count of {median:.0f} is no Kelvin×100, so TLinear is off"
                )
            resolution_k = 0.01
        return linear_if_plausible(
            taken.counts,
            resolution_k,
            f"the camera says TLinear, but its counts are no steps of {resolution_k:g} K",
            PLAUSIBLE_K,
        )

    def _take(self, timeout_s: float) -> Taken:
        """Wait for the next picture and take it apart."""
        rows, picture = self._uvc.take(timeout_s)
        height = PICTURES[rows.shape[0], rows.shape[1]]
        try:
            telemetry = Telemetry.parse(rows[height:]) if rows.shape[0] > height else None
        except FormatError as error:
            raise FrameRefusedError(f"{self._uvc.name}: {error}") from error
        return Taken(rows[:height], telemetry, picture, *rows.shape)

    def _frame(self, taken: Taken) -> Frame:
        self._check_calibration(taken)
        self._said = taken.telemetry
        index, time_s, flags = self._follower.place(taken)
        return Frame.from_counts(taken.counts, self._radiometry, index, time_s, time.time(), flags)

    def _check_calibration(self, taken: Taken) -> None:
        telemetry = taken.telemetry
        if telemetry is None or not isinstance(self._radiometry, LinearRadiometry):
            return
        if taken.said_k == 0.0 or telemetry.agc:
            raise FrameRefusedError(
                f"{self._uvc.name} sends no temperatures any more; close the program that did "
                "it, and the camera is opened anew"
            )
        if taken.said_k not in (None, self._radiometry.scale_k):
            raise FrameRefusedError(
                f"{self._uvc.name} has changed from {self._radiometry.scale_k:g} to "
                f"{taken.said_k:g} K per count; close the other program that sets it"
            )


def _rows_and_columns(mode: VideoMode) -> tuple[int, int]:
    return (mode.height, mode.width) if mode.fourcc == FOURCC else (0, 0)


def _core_of(height: int) -> str:
    return {120: "Lepton 3.x", 60: "Lepton 2.x"}.get(height, "Lepton")
