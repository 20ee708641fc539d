"""TOPDON TC001, InfiRay P2 Pro and the like: `tc001:`, `p2pro:`.

UVC cameras of the Tiny1-C class send YUYV pictures of twice the height: a coloured picture for
looking at above, and below it kelvin × 64 as 16-bit numbers.  Nothing says when the shutter is
closed; the picture stands still then.
"""

import logging
from collections.abc import Sequence
from typing import ClassVar, Final

import cv2

from drivers.count_scale import linear_if_plausible
from drivers.picture_stream import UnnumberedStream
from drivers.uvc_camera import UvcCamera, UvcKind, list_uvc
from drivers.uvc_capture import UvcSystem, problem_of
from drivers.uvc_nodes import VideoMode, VideoNode
from thermoseg.cameras import CameraListing, CameraOptions, UsbId
from thermoseg.errors import CameraError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import Radiometry, RelativeCounts

log = logging.getLogger(__name__)

FOURCC: Final = "YUYV"
WIDTH: Final = 256
HEIGHT: Final = 192
"""Rows of the thermal half; the picture has twice as many."""
SENT: Final = (2 * HEIGHT, WIDTH)
"""(rows, columns) of the whole picture."""
NOMINAL_HZ: Final = 25.0
SCALE_K: Final = 1 / 64
NO_KELVIN: Final = "the lower half of the picture holds no kelvin × 64"
MEDIAN_K: Final = (233.15, 473.15)
"""What can be; a coloured picture in place of the thermal half reads 239 °C, because grey has 128
in the high byte."""
WINDOWS_API: Final = cv2.CAP_MSMF
"""DirectShow decodes YUYV to colours even if it is told not to, and the kelvin with it."""

_VIDEO: Final = ("video4linux",)
P2_PRO_IDS: Final = (UsbId(0x0BDA, 0x5830, "InfiRay P2 Pro", _VIDEO),)
TC001_IDS: Final = (
    UsbId(0x0BDA, 0x5840, "TOPDON TC001", _VIDEO),
    UsbId(0x0BDA, 0x3901, "InfiRay Tiny1-C, product 3901", _VIDEO),
    UsbId(0x0BDA, 0x5838, "InfiRay Tiny1-C, product 5838", _VIDEO),
    UsbId(0x3474, 0x4321, "a copy of the P2 Pro", _VIDEO),
)
"""Makers use each other's, so either address opens either camera."""

OTHERS: Final[dict[tuple[int, int], str]] = {
    (256, 192): "the picture alone, without temperatures",
    (512, 484): "TC002C Duo, 1/16 K",
    (640, 480): "the visible camera of a TC001 Plus",
    (1280, 720): "the visible camera of a TC001 Plus",
}
"""Other cameras of these makers by the (columns, rows) that they send; not read here."""

NEEDS_LINUX: Final = (
    "macOS gives programs no raw pictures of these cameras; use it on Linux or Windows"
)
NOT_LISTED_ON_WINDOWS: Final = (
    "video devices cannot be told apart on Windows; try {scheme}:0, {scheme}:1 and so on, with the "
    "driver “USB Video Device” chosen in the device manager"
)


def _kind(scheme: str, name: str) -> UvcKind:
    windows = NOT_LISTED_ON_WINDOWS.format(scheme=scheme)
    return UvcKind(scheme, name, FOURCC, NOMINAL_HZ, NEEDS_LINUX, windows, WINDOWS_API)


class UvcKelvinOptions(CameraOptions):
    """There is nothing to choose."""


class Tc001Camera:
    """A TOPDON TC001 or a camera that speaks like it."""

    Options: ClassVar[type[CameraOptions]] = UvcKelvinOptions
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""
    kind: ClassVar[UvcKind] = _kind("tc001", "TC001")
    model: ClassVar[str] = "TOPDON TC001"
    usb_ids: ClassVar[tuple[UsbId, ...]] = TC001_IDS

    def __init__(self, target: str, options: UvcKelvinOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            As `UvcCamera` takes it.
        """
        self._target = target
        self._options = options
        self._uvc = UvcCamera(self.kind, target)
        self._stream = UnnumberedStream()
        self._radiometry: Radiometry = RelativeCounts("the camera is not open")

    def open(self) -> CameraInfo:
        """Open the camera and look at what its first pictures hold."""
        self.close()
        ids = P2_PRO_IDS + TC001_IDS if self._target else self.usb_ids
        with self._uvc.opening(self.system, ids, self.close):
            return self._start()

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        FrameRefusedError
            If a picture is of another size.
        """
        words, picture = self._uvc.take(timeout_s)
        return self._stream.frame(words[HEIGHT:], picture, self._radiometry)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        self._uvc.close()

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the cameras that are plugged in."""
        return list_uvc(cls.kind, cls.model, cls.usb_ids, cls.system, cls._listing)

    @classmethod
    def _listing(cls, node: VideoNode) -> CameraListing:
        modes, problem = problem_of(cls.system, node)
        ours = [mode for mode in modes if _is_ours(mode)]
        if not problem and not ours:
            problem = _geometry(modes)
        return CameraListing(
            address=f"{cls.kind.scheme}:{node.stable_name}",
            description=f"{cls.model} ({node.name})" if node.name else cls.model,
            problem=problem,
            model=cls.model,
            serial=node.serial,
            width=WIDTH * bool(ours),
            height=HEIGHT * bool(ours),
            rate_hz=max((mode.rate_hz for mode in ours), default=0.0),
        )

    def _start(self) -> CameraInfo:
        uvc, modes = self._uvc, self._uvc.modes()
        if modes and not any(map(_is_ours, modes)):
            raise CameraError(f"{uvc.name}: {_geometry(modes)}")
        uvc.start([SENT])
        rows, columns = uvc.ask_size(*SENT)
        if (rows, columns) != SENT:
            raise CameraError(f"{uvc.name}: {_geometry([VideoMode(FOURCC, columns, rows, 0.0)])}")
        self._stream = UnnumberedStream()
        self._radiometry = linear_if_plausible(uvc.first()[HEIGHT:], SCALE_K, NO_KELVIN, MEDIAN_K)
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", uvc.name, self._radiometry.reason)
        return uvc.info(self.model, (HEIGHT, WIDTH), self._radiometry)


class P2ProCamera(Tc001Camera):
    """An InfiRay P2 Pro."""

    kind: ClassVar[UvcKind] = _kind("p2pro", "P2 Pro")
    model: ClassVar[str] = "InfiRay P2 Pro"
    usb_ids: ClassVar[tuple[UsbId, ...]] = P2_PRO_IDS


def _is_ours(mode: VideoMode) -> bool:
    return (mode.fourcc, mode.width, mode.height) == (FOURCC, *SENT[::-1])


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
