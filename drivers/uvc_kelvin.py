"""TOPDON TC001, InfiRay P2 Pro and the like: `tc001:`, `p2pro:`.

UVC cameras of the Tiny1-C class send YUYV pictures of twice the height: a coloured picture for
looking at above, and below it kelvin × 64 as 16-bit numbers.  Nothing says when the shutter is
closed; the picture stands still then.
"""

import logging
import time
from collections.abc import Sequence
from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

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
from drivers.uvc_nodes import VideoMode, VideoNode, find_node
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import CameraError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

FOURCC: Final = "YUYV"
WIDTH: Final = 256
HEIGHT: Final = 192
"""Of the thermal half; the picture has twice as many rows."""
NOMINAL_HZ: Final = 25.0
SCALE_K: Final = 1 / 64
PLAUSIBLE_MEDIAN_C: Final = (-40.0, 200.0)
"""A coloured picture in place of the thermal half reads 239 °C: grey has 128 in the high byte."""
WINDOWS_API: Final = cv2.CAP_MSMF
"""DirectShow decodes YUYV to colours even if it is told not to, and the kelvin with it."""
OPEN_S: Final = 0.7
"""After the first picture, until a good one; `Session.stop` gives 2 s."""

P2_PRO_IDS: Final = ((0x0BDA, 0x5830),)
TC001_IDS: Final = ((0x0BDA, 0x5840), (0x0BDA, 0x3901), (0x0BDA, 0x5838), (0x3474, 0x4321))
"""USB vendor and product; makers use each other's, so either address opens either camera."""

OTHERS: Final[dict[tuple[int, int], str]] = {
    (256, 192): "the picture alone, without temperatures",
    (512, 484): "TC002C Duo, 1/16 K",
    (640, 480): "the visible camera of a TC001 Plus",
    (1280, 720): "the visible camera of a TC001 Plus",
}
"""What other cameras of these makers send, by (columns, rows); not read here."""

NEEDS_LINUX: Final = (
    "macOS gives programs no raw pictures of these cameras; use it on Linux or Windows"
)
NOT_LISTED_ON_WINDOWS: Final = (
    "video devices cannot be told apart on Windows; try {scheme}:0, {scheme}:1 and so on, with the "
    "driver “USB Video Device” chosen in the device manager"
)


class UvcKelvinOptions(CameraOptions):
    """There is nothing to choose."""


class Tc001Camera:
    """A TOPDON TC001 or a camera that speaks like it."""

    Options: ClassVar[type[CameraOptions]] = UvcKelvinOptions
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""
    scheme: ClassVar[str] = "tc001"
    kind: ClassVar[str] = "TC001"
    model: ClassVar[str] = "TOPDON TC001"
    ids: ClassVar[tuple[tuple[int, int], ...]] = TC001_IDS

    def __init__(self, target: str, options: UvcKelvinOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number, place (as `discover` lists it) or path; the number of the video device
            on Windows; empty for the only one there is.
        """
        self._target = target
        self._options = options
        self._name = f"the {self.kind} {target}".strip()
        self._capture: Capture | None = None
        self._waiting: tuple[NDArray[np.uint16], Picture] | None = None

    def open(self) -> CameraInfo:
        """Open the camera and look at what its first pictures hold."""
        self.close()
        if self.system.platform == "darwin":
            raise CameraError(NEEDS_LINUX)
        node = self._find()
        try:
            info = self._start(node, self._target if node is None else str(node.path))
        except BaseException:
            self.close()
            raise
        if node is not None:
            # Another one of its kind may be there when it is looked for again.
            self._target = self._target or node.stable_name
        return info

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        FrameRefusedError
            If a picture is of another size.
        """
        (counts, picture), self._waiting = self._waiting or self._take(timeout_s), None
        self._index += 1
        time_s = self._clock.place(picture.taken_s, picture.came_s)
        flags = self._history.flags(counts, time_s)
        return Frame.from_counts(counts, self._radiometry, self._index, time_s, time.time(), flags)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        if self._capture is not None:
            self._capture.close()
            self._capture = None
        self._waiting = None

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the cameras that are plugged in."""
        system = cls.system
        if system.platform != "linux":
            problem = (
                NEEDS_LINUX
                if system.platform == "darwin"
                else NOT_LISTED_ON_WINDOWS.format(scheme=cls.scheme)
            )
            return [CameraListing(f"{cls.scheme}:", cls.model, problem)]
        return [
            cls._listing(node) for node in system.nodes() if (node.vendor, node.product) in cls.ids
        ]

    @classmethod
    def _listing(cls, node: VideoNode) -> CameraListing:
        modes, problem = problem_of(cls.system, node)
        ours = [mode for mode in modes if _is_ours(mode)]
        if not problem and not ours:
            problem = _geometry(modes)
        return CameraListing(
            address=f"{cls.scheme}:{node.stable_name}",
            description=f"{cls.model} ({node.name})" if node.name else cls.model,
            problem=problem,
            model=cls.model,
            serial=node.serial,
            width=WIDTH * bool(ours),
            height=HEIGHT * bool(ours),
            rate_hz=max((mode.rate_hz for mode in ours), default=0.0),
        )

    def _find(self) -> VideoNode | None:
        """Return the device on Linux; elsewhere there is only its number."""
        if self.system.platform == "linux":
            both = P2_PRO_IDS + TC001_IDS if self._target else self.ids
            return find_node(self.system.nodes(), both, self._target, self.scheme, self.kind)
        if not self._target.isdecimal():
            raise CameraError(NOT_LISTED_ON_WINDOWS.format(scheme=self.scheme))
        return None

    def _start(self, node: VideoNode | None, path: str) -> CameraInfo:
        modes = [] if node is None else problem_of(self.system, node)[0]
        if modes and not any(map(_is_ours, modes)):
            raise CameraError(f"{self._name}: {_geometry(modes)}")
        self._capture, video = start_capture(self.system, path, self._name, FOURCC, WINDOWS_API)
        self._ask_size(video)
        self._index = -1
        self._clock, self._history = StreamClock(), PictureHistory()
        self._waiting = first_good(self._take, self._name, OPEN_S)
        self._radiometry = _judge(self._waiting[0])
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", self._name, self._radiometry.reason)
        rate_hz = float(video.get(cv2.CAP_PROP_FPS))
        return CameraInfo(
            model=self.model,
            serial=node.serial if node is not None else "",
            width=WIDTH,
            height=HEIGHT,
            rate_hz=rate_hz if rate_hz > 0 else NOMINAL_HZ,
            radiometry=self._radiometry,
            live=True,
        )

    def _ask_size(self, video: Video) -> None:
        video.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, 2 * HEIGHT)
        columns = int(video.get(cv2.CAP_PROP_FRAME_WIDTH))
        rows = int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if (columns, rows) != (WIDTH, 2 * HEIGHT):
            raise CameraError(f"{self._name}: {_geometry([VideoMode(FOURCC, columns, rows, 0.0)])}")

    def _take(self, timeout_s: float) -> tuple[NDArray[np.uint16], Picture]:
        """Wait for the next picture and return its thermal half."""
        if self._capture is None:
            raise CameraError(f"{self._name} is not open; open it first")
        picture = self._capture.next(timeout_s)
        words = words_of(picture.array, {2 * HEIGHT * WIDTH: (2 * HEIGHT, WIDTH)}, self._name)
        return words[HEIGHT:], picture


class P2ProCamera(Tc001Camera):
    """An InfiRay P2 Pro."""

    scheme: ClassVar[str] = "p2pro"
    kind: ClassVar[str] = "P2 Pro"
    model: ClassVar[str] = "InfiRay P2 Pro"
    ids: ClassVar[tuple[tuple[int, int], ...]] = P2_PRO_IDS


def _judge(counts: NDArray[np.uint16]) -> Radiometry:
    median_c = float(np.median(counts)) * SCALE_K - 273.15
    if PLAUSIBLE_MEDIAN_C[0] <= median_c <= PLAUSIBLE_MEDIAN_C[1]:
        return LinearRadiometry(SCALE_K)
    return RelativeCounts(
        f"the lower half of the picture holds no kelvin × 64: its median would be {median_c:.0f} °C"
    )


def _is_ours(mode: VideoMode) -> bool:
    return (mode.fourcc, mode.width, mode.height) == (FOURCC, WIDTH, 2 * HEIGHT)


def _geometry(modes: Sequence[VideoMode]) -> str:
    """Say what is sent instead of what can be read."""
    given = [
        f"{mode.fourcc} {mode.width}×{mode.height}" + (f" ({known})" if known else "")
        for mode in modes
        for known in (OTHERS.get((mode.width, mode.height), ""),)
    ]
    return (
        f"it sends {', '.join(given) or 'nothing'}, and only {FOURCC} {WIDTH}×{2 * HEIGHT} can be "
        "read; please report this camera with these numbers"
    )
