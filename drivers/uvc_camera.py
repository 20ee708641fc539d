"""What the drivers of UVC cameras share: one camera, found by its address, opened and read raw.

A driver holds a `UvcCamera` and adds what is its own: what the counts mean, and what else can be
asked of the camera.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.uvc_capture import (
    FIRST_S,
    JOIN_S,
    Capture,
    Picture,
    UvcSystem,
    Video,
    first_good,
    problem_of,
    start_capture,
    words_of,
)
from drivers.uvc_nodes import VideoMode, VideoNode, find_node
from thermoseg.cameras import OPEN_CLOSE_LIMIT_S, CameraListing, UsbId
from thermoseg.errors import CameraError
from thermoseg.frames import CameraInfo
from thermoseg.radiometry import Radiometry

OPEN_S: Final = OPEN_CLOSE_LIMIT_S - JOIN_S
"""Opening takes no longer, so that closing ends in time as well."""
GOOD_S: Final = OPEN_S - FIRST_S - 0.05
"""Time from the first picture to a good one; the rest is for finding and setting the camera."""


@dataclass(frozen=True, slots=True)
class UvcKind:
    """Properties that all cameras of one driver share."""

    scheme: str
    """Scheme of the addresses of these cameras."""
    name: str
    """Name by which a user knows the cameras."""
    fourcc: str
    """Format of their raw pictures."""
    rate_hz: float
    """Frames per second where a camera does not say."""
    not_on_mac: str
    """Why they are of no use on macOS."""
    not_on_windows: str
    """Why they are not listed on Windows."""
    windows_api: int = cv2.CAP_DSHOW
    """OpenCV's backend that hands on their pictures as they are."""

    def obstacle(self, platform: str) -> str:
        """Say why these cameras cannot be told apart on a system; empty if they can."""
        return {"linux": "", "darwin": self.not_on_mac}.get(platform, self.not_on_windows)


def list_uvc(
    kind: UvcKind,
    model: str,
    ids: Sequence[UsbId],
    system: UvcSystem,
    listing_of: Callable[[VideoNode], CameraListing],
) -> list[CameraListing]:
    """List the cameras with one of `ids` that are plugged in, or why none can be listed.

    Parameters
    ----------
    model
        What is listed in place of a camera where there can be none.
    listing_of
        Looks at one.
    """
    problem = kind.obstacle(system.platform)
    if problem:
        return [CameraListing(f"{kind.scheme}:", model, problem)]
    return [listing_of(node) for node in system.nodes() if node.is_one_of(ids)]


class UvcCamera:
    """One camera, used by one thread."""

    def __init__(self, kind: UvcKind, target: str) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number, place (as `discover` lists it) or path; the number of the video device
            on Windows; empty for the only one there is.
        """
        self.name = f"the {kind.name} {target}".strip()
        """Name of the camera in messages."""
        self.node: VideoNode | None = None
        """Device that was found; None where devices have no more than a number."""
        self.shapes: Mapping[int, tuple[int, int]] = {}
        """(rows, columns) by the number of words, of those pictures that are not refused."""
        self._kind = kind
        self._target = target
        self._system = UvcSystem()
        self._video: Video | None = None
        self._capture: Capture | None = None
        self._waiting: tuple[NDArray[np.uint16], Picture] | None = None

    @property
    def is_open(self) -> bool:
        """Whether pictures can be taken."""
        return self._capture is not None

    @contextmanager
    def opening(
        self, system: UvcSystem, ids: Sequence[UsbId], close: Callable[[], None]
    ) -> Iterator[None]:
        """Find the camera, and open it in the block; once open, the address means this very one.

        Parameters
        ----------
        ids
            USB identities that are meant where the address gives no path.
        close
            Releases all that the block has opened, should it fail.

        Raises
        ------
        CameraError
            If it is not there, several are, or this system cannot open such cameras.
        """
        self._system = system
        self.node = self._find(ids)
        try:
            yield
        except BaseException:
            close()
            raise
        if self.node is not None:
            # Another one of its kind may be there when it is looked for again.
            self._target = self._target or self.node.stable_name

    def modes(self) -> list[VideoMode]:
        """List what the camera offers, as far as the system tells."""
        return [] if self.node is None else problem_of(self._system, self.node)[0]

    def start(self, shapes: Sequence[tuple[int, int]]) -> None:
        """Begin the stream; its size may be asked for until the first picture is taken.

        Parameters
        ----------
        shapes
            (rows, columns) of the pictures that can be read.

        Raises
        ------
        CameraError
            As `start_capture` does.
        """
        kind = self._kind
        path = self._target if self.node is None else str(self.node.path)
        self._capture, self._video = start_capture(
            self._system, path, self.name, kind.fourcc, kind.windows_api
        )
        self.shapes = {rows * columns: (rows, columns) for rows, columns in shapes}

    def ask_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Ask for pictures of a size; return what the camera will send, (rows, columns)."""
        video = self._running()[1]
        video.set(cv2.CAP_PROP_FRAME_WIDTH, columns)
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, rows)
        return self.size

    @property
    def size(self) -> tuple[int, int]:
        """Size of the pictures that the camera will send, (rows, columns)."""
        video = self._running()[1]
        height, width = video.get(cv2.CAP_PROP_FRAME_HEIGHT), video.get(cv2.CAP_PROP_FRAME_WIDTH)
        return int(height), int(width)

    def first(self) -> NDArray[np.uint16]:
        """Wait for the first picture that can be read, which `take` returns again.

        Raises
        ------
        CameraError
            If none comes within `GOOD_S` after the very first.
        """
        self._waiting = first_good(self.take, self.name, GOOD_S)
        return self._waiting[0]

    def take(self, timeout_s: float) -> tuple[NDArray[np.uint16], Picture]:
        """Wait for the next picture; return its words of 16 bits, (rows, columns), and itself.

        Raises
        ------
        FrameRefusedError
            If it has none of `shapes`.
        CameraTimeoutError, CameraLostError
            As `Capture.next` does.
        CameraError
            If the camera is not open.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            return waiting
        picture = self._running()[0].next(timeout_s)
        return words_of(picture.array, self.shapes, self.name), picture

    def info(
        self, model: str, size: tuple[int, int], radiometry: Radiometry, serial: str = ""
    ) -> CameraInfo:
        """Describe the open camera.

        Parameters
        ----------
        size
            (rows, columns) of the thermal picture.
        serial
            Where the system does not tell any.
        """
        rate_hz = float(self._running()[1].get(cv2.CAP_PROP_FPS))
        return CameraInfo(
            model=model,
            serial=serial if self.node is None else self.node.serial,
            width=size[1],
            height=size[0],
            rate_hz=rate_hz if rate_hz > 0 else self._kind.rate_hz,
            radiometry=radiometry,
            live=True,
        )

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        capture, self._capture, self._video, self._waiting = self._capture, None, None, None
        if capture is not None:
            capture.close()

    def _running(self) -> tuple[Capture, Video]:
        if self._capture is None or self._video is None:
            raise CameraError(f"{self.name} is not open; open it first")
        return self._capture, self._video

    def _find(self, ids: Sequence[UsbId]) -> VideoNode | None:
        """Return the device on Linux; elsewhere there is only its number."""
        kind, platform = self._kind, self._system.platform
        if platform == "linux":
            return find_node(self._system.nodes(), ids, self._target, kind.scheme, kind.name)
        if platform == "darwin" or not self._target.isdecimal():
            raise CameraError(kind.obstacle(platform))
        return None
