"""FLIR Lepton on a PureThermal board: `lepton:SERIAL?gain=high&shutter=manual`.

The board is a UVC camera.  Its raw pictures (Y16) come with rows of telemetry below them if the
taller size is asked for, and hold Kelvin × 100 while the core's TLinear is on.  Whether it is,
every frame's telemetry says; without telemetry the extension units do, or the counts themselves.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.lepton_telemetry import FfcState, Telemetry
from drivers.uvc_capture import (
    Capture,
    Picture,
    PictureHistory,
    StreamClock,
    UvcSystem,
    Video,
    first_good,
    problem_of,
    start_capture,
    words_of,
)
from drivers.uvc_controls import Control, ExtensionUnits
from drivers.uvc_nodes import VideoMode, VideoNode, find_node
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

IDS: Final = ((0x1E4E, 0x0100),)
"""USB vendor and product of PureThermal 1, 2, 3 and Mini."""
FOURCC: Final = "Y16 "
NOMINAL_HZ: Final = 9.0
"""What the boards announce; a Lepton 3.5 gives 8.8, a 2.5 each of 9 pictures three times."""

PICTURES: Final[dict[tuple[int, int], int]] = {
    (122, 160): 120,
    (120, 160): 120,
    (63, 80): 60,
    (61, 80): 60,
    (60, 80): 60,
}
"""Rows of the picture by (rows, columns) of what is sent; the rest is telemetry.  The one to
ask for first in front."""

OPEN_S: Final = 1.75
"""From the beginning until a picture shows the setting that was made.  The first one alone may take
1 s, and `Session.stop` gives 2 s to opening and closing together."""
GOOD_S: Final = 0.7
"""After the first picture, until one can be read."""
HELD_FRAMES: Final = 1
"""Frames after the shutter opened that still show what was frozen."""
MOST_MISSED: Final = 10_000
"""A frame counter that goes further, or back, has begun anew."""
MOST_BUFFERED: Final = 32
"""A counter that goes back by no more is that of an earlier picture, whose end is still in the
buffer because the end of this one was lost on the way."""
PLAUSIBLE_C: Final = (-40.0, 450.0)
"""What the median of a picture can be: the range of a Lepton at low gain."""
RAW_MEDIAN: Final = (25_000, 40_000)
"""Median of Kelvin × 100 where nothing else tells; 14-bit counts lie below."""
EIGHT_BITS: Final = 256

TLINEAR_ON: Final = Control("TLinear", 4, ((21, 18), (5, 49)))
"""Newer firmware keeps what lies beyond 31 controls in unit 21, as Windows counts no further."""
TLINEAR_RESOLUTION: Final = Control("TLinear resolution", 4, ((21, 19), (5, 50)))
GAIN: Final = Control("gain", 4, ((6, 19),))
SHUTTER: Final = Control("the shutter", 32, ((6, 16),))
"""Its first word is the mode; the rest are periods and thresholds."""
RUN_FFC: Final = Control("flat-field correction", 1, ((6, 17),))
PART: Final = Control("the part number", 32, ((4, 8),))

GAINS: Final = {"high": 0, "low": 1, "auto": 2}
SHUTTER_WORDS: Final = {
    FfcState.NEVER: "never closed yet",
    FfcState.IMMINENT: "about to close",
    FfcState.RUNNING: "closed",
    FfcState.DONE: "open",
}
SHUTTER_MODES: Final = {"manual": 0, "auto": 1}
RESOLUTIONS: Final = {"0.01": (1, 0.01), "0.1": (0, 0.1)}
"""Value of the control, and kelvin per count."""
CORES: Final = {"500-0771-01": "Lepton 3.5"}

NO_RAW_ON_MAC: Final = (
    "macOS gives programs no raw pictures of a Lepton; use it on Linux or Windows, or play a "
    "recording"
)
NOT_LISTED_ON_WINDOWS: Final = (
    "video devices cannot be told apart on Windows; try lepton:0, lepton:1 and so on"
)


class LeptonOptions(CameraOptions):
    """How a Lepton is set when it is opened; settings that stay as they are say keep."""

    telemetry: bool = True
    """Ask for the rows that tell frame number, shutter and calibration."""
    tlinear: Literal["0.01", "0.1", "off", "keep"] = "0.01"
    """Kelvin per count; 0.1 for scenes above 380 °C, off for relative counts (Linux only)."""
    gain: Literal["high", "low", "auto", "keep"] = "keep"
    """High up to about 140 °C, low up to 450 °C and less exact (Linux only)."""
    shutter: Literal["auto", "manual", "keep"] = "keep"
    """Manual leaves flat-field correction to you: none while recording, but drift (Linux only)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """One picture taken apart."""

    counts: NDArray[np.uint16]
    telemetry: Telemetry | None
    picture: Picture
    rows: int
    """Of what was sent, telemetry included."""
    columns: int

    @property
    def said_k(self) -> float | None:
        """Kelvin per count by telemetry: 0 if counts are no kelvin, None if it does not tell."""
        if self.telemetry is None or self.telemetry.tlinear is None:
            return None
        return self.telemetry.resolution_k if self.telemetry.tlinear else 0.0

    @property
    def blank(self) -> bool:
        """Whether all pixels are the same, which no scene gives."""
        return int(self.counts.min()) == int(self.counts.max())


class LeptonCamera:
    """One Lepton on a PureThermal board."""

    Options: ClassVar[type[CameraOptions]] = LeptonOptions
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""

    def __init__(self, target: str, options: LeptonOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number of the board, its place (as `discover` lists it) or path; the number of
            the video device on Windows; empty for the only one there is.
        """
        self._target = target
        self._options = options
        self._name = f"the Lepton {target}".strip()
        self._capture: Capture | None = None
        self._units: ExtensionUnits | None = None
        self._waiting: _Taken | None = None
        self._gain = ""
        self._said: Telemetry | None = None

    def open(self) -> CameraInfo:
        """Open and set the camera, and look at what its first pictures hold."""
        self.close()
        deadline_s = time.monotonic() + OPEN_S
        if self.system.platform == "darwin":
            raise CameraError(NO_RAW_ON_MAC)
        node = self._find()
        path = self._target if node is None else str(node.path)
        try:
            info = self._start(node, path, deadline_s)
        except BaseException:
            self.close()
            raise
        if node is not None:
            # Another one of its kind may be there when it is looked for again.
            self._target = self._target or node.stable_name
        return info

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
        if self._capture is not None:
            self._capture.close()
            self._capture = None
        if self._units is not None:
            self._units.close()
            self._units = None
        self._waiting = self._said = None
        self._gain = ""

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What can be asked of an open camera, from any thread."""
        return {"Flat-field correction": self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open, or the system has no way to ask for it.
        """
        if self._units is None:
            where = "is not open; open it first"
            if self._capture is not None:
                where = "can be asked for flat-field correction on Linux only"
            raise CameraError(f"{self._name} {where}")
        self._units.run(RUN_FFC)

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

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the boards that are plugged in."""
        system = cls.system
        if system.platform != "linux":
            problem = NO_RAW_ON_MAC if system.platform == "darwin" else NOT_LISTED_ON_WINDOWS
            return [CameraListing("lepton:", "FLIR Lepton on PureThermal", problem)]
        return [cls._listing(node) for node in system.nodes() if (node.vendor, node.product) in IDS]

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

    def _find(self) -> VideoNode | None:
        """Return the board on Linux; elsewhere there is only its number."""
        if self.system.platform == "linux":
            return find_node(self.system.nodes(), IDS, self._target, "lepton", "Lepton")
        if not self._target.isdecimal():
            raise CameraError(NOT_LISTED_ON_WINDOWS)
        return None

    def _start(self, node: VideoNode | None, path: str, deadline_s: float) -> CameraInfo:
        self._capture, video = start_capture(self.system, path, self._name, FOURCC)
        self._shapes = {rows * columns: (rows, columns) for rows, columns in PICTURES}
        self._ask_size(video, node)
        self._follower = _Follower()
        first = first_good(self._take, self._name, GOOD_S)
        self._shapes = {first.rows * first.columns: (first.rows, first.columns)}
        # Only now, because the board switches TLinear off when it chooses the format, which it
        # does when the stream begins.
        part, self._resolution_k = self._set_up(node)
        self._waiting, self._radiometry = self._settle(first, deadline_s)
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", self._name, self._radiometry.reason)
        rate_hz = float(video.get(cv2.CAP_PROP_FPS))
        height, width = first.counts.shape
        return CameraInfo(
            model=CORES.get(part, f"{_core_of(height)} {part}".strip()),
            serial=self._serial(node, first.telemetry),
            width=width,
            height=height,
            rate_hz=rate_hz if rate_hz > 0 else NOMINAL_HZ,
            radiometry=self._radiometry,
            live=True,
        )

    def _serial(self, node: VideoNode | None, telemetry: Telemetry | None) -> str:
        """Return the board's serial number, or the core's where nothing tells it."""
        if node is not None:
            return node.serial
        return "" if telemetry is None else telemetry.serial

    def _ask_size(self, video: Video, node: VideoNode | None) -> None:
        """Ask for the picture with telemetry, or without; take what comes if it is known."""
        offered = {_rows_and_columns(mode) for mode in self._modes(node)} & set(PICTURES)
        wanted = [shape for shape in PICTURES if not offered or shape in offered]
        if not self._options.telemetry:
            wanted.sort(key=lambda shape: shape[0] - PICTURES[shape])
        for rows, columns in wanted:
            video.set(cv2.CAP_PROP_FRAME_WIDTH, columns)
            video.set(cv2.CAP_PROP_FRAME_HEIGHT, rows)
            if _given(video) == (rows, columns):
                return
        rows, columns = _given(video)
        if (rows, columns) not in PICTURES:
            raise CameraError(
                f"{self._name} gives {columns}×{rows} pixels, which no Lepton has; name another "
                "video device"
            )

    def _modes(self, node: VideoNode | None) -> list[VideoMode]:
        return [] if node is None else problem_of(self.system, node)[0]

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
                    f"{self._name} can be set on Linux only; leave tlinear, gain and shutter away"
                )
            return "", None
        self._units = units = self.system.controls(node.path)
        resolution_k: float | None
        try:
            self._gain = _set_gain(units, options.gain, self._name)
            _set_word(units, SHUTTER, SHUTTER_MODES.get(options.shutter))
            resolution_k = _set_tlinear(units, options.tlinear)
        except CameraError as error:
            if asked:
                raise
            log.info("%s keeps its settings: %s", self._name, error)
            resolution_k = None
        return _part_number(units), resolution_k

    def _settle(self, taken: _Taken, deadline_s: float) -> tuple[_Taken, Radiometry]:
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

    def _judge(self, taken: _Taken) -> Radiometry:
        """Decide what the counts mean: °C only where camera or counts say so."""
        telemetry, median = taken.telemetry, float(np.median(taken.counts))
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
            if not RAW_MEDIAN[0] <= median <= RAW_MEDIAN[1]:
                return RelativeCounts(
                    f"the median count of {median:.0f} is no Kelvin×100, so TLinear is off"
                )
            resolution_k = 0.01
        radiometry = LinearRadiometry(resolution_k)
        median_c = median * resolution_k + radiometry.offset_c
        if not PLAUSIBLE_C[0] <= median_c <= PLAUSIBLE_C[1]:
            return RelativeCounts(
                f"the camera says TLinear, but a median of {median_c:.0f} °C cannot be"
            )
        return radiometry

    def _take(self, timeout_s: float) -> _Taken:
        """Wait for the next picture and take it apart."""
        if self._capture is None:
            raise CameraError(f"{self._name} is not open; open it first")
        picture = self._capture.next(timeout_s)
        rows = words_of(picture.array, self._shapes, self._name)
        height = PICTURES[rows.shape[0], rows.shape[1]]
        try:
            telemetry = Telemetry.parse(rows[height:]) if rows.shape[0] > height else None
        except FormatError as error:
            raise FrameRefusedError(f"{self._name}: {error}") from error
        return _Taken(rows[:height], telemetry, picture, *rows.shape)

    def _frame(self, taken: _Taken) -> Frame:
        self._check_calibration(taken)
        self._said = taken.telemetry
        index, time_s, flags = self._follower.place(taken)
        return Frame.from_counts(taken.counts, self._radiometry, index, time_s, time.time(), flags)

    def _check_calibration(self, taken: _Taken) -> None:
        telemetry = taken.telemetry
        if telemetry is None or not isinstance(self._radiometry, LinearRadiometry):
            return
        if taken.said_k == 0.0 or telemetry.agc:
            raise FrameRefusedError(
                f"{self._name} sends no temperatures any more; close the program that did it, and "
                "the camera is opened anew"
            )
        if taken.said_k not in (None, self._radiometry.scale_k):
            raise FrameRefusedError(
                f"{self._name} has changed from {self._radiometry.scale_k:g} to "
                f"{taken.said_k:g} K per count; close the other program that sets it"
            )


class _Follower:
    """Numbers, times and flags of the frames of one stream, in their order."""

    def __init__(self) -> None:
        self._clock = StreamClock()
        self._history = PictureHistory()
        self._counter: int | None = None
        self._index = -1
        self._held = 0
        """Frames that still show what was frozen, yet to come."""
        self._warned = False

    def again(self, telemetry: Telemetry | None) -> bool:
        """Whether the frame was there before, by its number."""
        return telemetry is not None and telemetry.frame_counter == self._counter

    def place(self, taken: _Taken) -> tuple[int, float, FrameFlag]:
        """Return index, seconds since the first frame, and flags of a frame."""
        telemetry, picture = taken.telemetry, taken.picture
        if telemetry is None:
            self._index += 1
            time_s = self._clock.place(picture.taken_s, picture.came_s)
            return (
                self._index,
                time_s,
                self._history.flags(taken.counts, time_s),
            )
        gap = self._count(telemetry.frame_counter)
        time_s = self._clock.place(telemetry.uptime_ms / 1000, picture.came_s)
        closed = self._frozen(telemetry)
        self._warn(telemetry)
        seen = self._history.flags(
            taken.counts, time_s, closed=closed, since_s=_since_ffc_s(telemetry)
        )
        return self._index, time_s, gap | seen

    def _count(self, counter: int) -> FrameFlag:
        """Advance the index by the camera's own numbers.

        Raises
        ------
        FrameRefusedError
            If the end of the picture is an earlier one's.
        """
        steps = 1 if self._counter is None else (counter - self._counter) % (1 << 32)
        if -steps % (1 << 32) <= MOST_BUFFERED:
            raise FrameRefusedError(
                "the end of a Lepton's picture was lost on the way; use a shorter cable or another "
                "port if that happens often"
            )
        self._counter = counter
        if not 0 < steps <= MOST_MISSED:
            self._index += 1
            return FrameFlag.GAP_BEFORE
        self._index += steps
        return FrameFlag.GAP_BEFORE if steps > 1 else FrameFlag.NONE

    def _frozen(self, telemetry: Telemetry) -> bool:
        if telemetry.ffc_state is FfcState.RUNNING:
            self._held = HELD_FRAMES
            return True
        self._held -= 1
        return self._held >= 0

    def _warn(self, telemetry: Telemetry) -> None:
        trouble = telemetry.overheating or telemetry.shutter_locked
        if trouble and not self._warned:
            log.warning(
                "the Lepton at %.0f °C %s",
                telemetry.fpa_c,
                "is about to switch itself off; let it cool"
                if telemetry.overheating
                else "keeps its shutter locked, so temperatures drift",
            )
        self._warned = trouble


def _since_ffc_s(telemetry: Telemetry) -> float:
    """Seconds since the last flat-field correction, infinite if there was none."""
    if telemetry.ffc_state is FfcState.NEVER:
        return np.inf
    return ((telemetry.uptime_ms - telemetry.ffc_uptime_ms) % (1 << 32)) / 1000


def _part_number(units: ExtensionUnits) -> str:
    """Return the core's part number, empty where it does not tell."""
    try:
        return units.read(PART).split(b"\0")[0].decode("ascii", "replace").strip()
    except CameraError as error:
        log.info("the core tells no part number: %s", error)
        return ""


def _set_word(units: ExtensionUnits, control: Control, value: int | None) -> None:
    """Set the first word of an attribute and leave the rest as it is; None leaves all."""
    if value is not None:
        units.write(control, value.to_bytes(4, "little") + units.read(control)[4:])


def _set_gain(units: ExtensionUnits, wanted: str, name: str) -> str:
    """Set the gain unless it is kept; return what the camera has then, empty if it does not tell.

    Raises
    ------
    CameraError
        If it cannot be set, or not to that.
    """
    _set_word(units, GAIN, GAINS.get(wanted))
    try:
        word = int.from_bytes(units.read(GAIN), "little")
    except CameraError as error:
        if wanted in GAINS:
            raise
        log.info("%s does not tell its gain: %s", name, error)
        return ""
    gain = next((gain for gain, value in GAINS.items() if value == word), f"unknown ({word})")
    if wanted in GAINS and gain != wanted:
        raise CameraError(f"{name} has its gain {gain} and not {wanted}; leave gain={wanted} away")
    return gain


def _set_tlinear(units: ExtensionUnits, wanted: str) -> float:
    """Set TLinear; return kelvin per count as the camera has it then, 0 if it is off."""
    if wanted in RESOLUTIONS:
        _set_word(units, TLINEAR_RESOLUTION, RESOLUTIONS[wanted][0])
        _set_word(units, TLINEAR_ON, 1)
    elif wanted == "off":
        _set_word(units, TLINEAR_ON, 0)
    if not any(units.read(TLINEAR_ON)):
        return 0.0
    return 0.01 if any(units.read(TLINEAR_RESOLUTION)) else 0.1


def _rows_and_columns(mode: VideoMode) -> tuple[int, int]:
    return (mode.height, mode.width) if mode.fourcc == FOURCC else (0, 0)


def _given(video: Video) -> tuple[int, int]:
    return (
        int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        int(video.get(cv2.CAP_PROP_FRAME_WIDTH)),
    )


def _core_of(height: int) -> str:
    return {120: "Lepton 3.x", 60: "Lepton 2.x"}.get(height, "Lepton")
