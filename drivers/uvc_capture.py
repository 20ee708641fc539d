"""Raw pictures of a UVC camera through OpenCV, without a read that blocks.

On Linux `cv2.VideoCapture.waitAny` polls the device itself, with a time limit in milliseconds, and
only a picture that is there is read.  OpenCV's own limit is in whole seconds and holds for the
first picture alone, with which the stream begins: there is nothing to poll before.

Elsewhere OpenCV can only be waited for, up to some seconds.  There, and only there, a thread reads
and keeps the newest few pictures; it ends with the read it is in, and frees the camera itself.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.uvc_controls import ExtensionUnits
from drivers.uvc_nodes import NO_PERMISSION, VideoMode, VideoNode, list_modes, list_video_nodes
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError, FrameRefusedError

log = logging.getLogger(__name__)

FIRST_S: Final = 1
"""Patience for the first picture; whole seconds, because OpenCV knows no others."""
JOIN_S: Final = 0.25
"""Longer than it takes a picture to come; counts for closing in `OPEN_CLOSE_LIMIT_S`."""
KEPT_PICTURES: Final = 8
"""Kept for a late reader where a thread reads."""
LOST_S: Final = 2.0
"""Failed reads for so long mean that the camera is gone, where reads cannot say why they fail."""
RETRY_S: Final = 0.02
"""Pause between reads that fail at once."""
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(FIRST_S))


T = TypeVar("T")


class Video(Protocol):
    """Part of `cv2.VideoCapture` that is used."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether there is a device behind it."""
        ...

    def set(self, prop: int, value: float) -> bool:
        """Ask for a property."""
        ...

    def get(self, prop: int) -> float:
        """Tell a property."""
        ...

    def read(self) -> tuple[bool, Any]:
        """Wait for a picture."""
        ...

    def release(self) -> None:
        """Free the device."""


def open_video(path: str, windows_api: int, platform: str = sys.platform) -> Video:
    """Let OpenCV open a device: by path, or by number where devices have no paths.

    Parameters
    ----------
    windows_api
        Which of OpenCV's backends is used on Windows.
    """
    if platform == "win32":
        return cv2.VideoCapture(int(path), windows_api)
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def picture_waits(video: Video, timeout_s: float) -> bool:
    """Wait for a picture, at most `timeout_s` seconds.

    Raises
    ------
    cv2.error
        If the device is gone.
    """
    # 0 would mean for ever.
    ready, _ = cv2.VideoCapture.waitAny(
        [cast("cv2.VideoCapture", video)], max(int(timeout_s * 1e9), 1_000_000)
    )
    return bool(ready)


@dataclass(frozen=True, slots=True)
class UvcSystem:
    """Access of the drivers of UVC cameras to the machine; tests put a stand-in in its place."""

    platform: str = sys.platform
    nodes: Callable[[], list[VideoNode]] = list_video_nodes
    modes: Callable[[Path], list[VideoMode]] = list_modes
    video: Callable[[str, int], Video] = open_video
    waits: Callable[[Video, float], bool] = picture_waits
    controls: Callable[[Path], ExtensionUnits] = ExtensionUnits


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as OpenCV gave it."""

    array: NDArray[Any]
    """Pixels as OpenCV delivered them, any shape and dtype."""
    taken_s: float
    """Time on the driver's clock; 0 if it has none."""
    came_s: float
    """Time of arrival on our monotonic clock."""


class Capture(Protocol):
    """A running stream, used by one thread."""

    def next(self, timeout_s: float) -> Picture:
        """Wait for the next picture, at most `timeout_s` seconds; the first may take `FIRST_S`.

        Raises
        ------
        CameraTimeoutError
            If none came.
        CameraLostError
            If the camera is gone.
        """
        ...

    def close(self) -> None:
        """End the stream and free the camera; may be called more than once."""


def start_capture(
    system: UvcSystem, path: str, name: str, fourcc: str, windows_api: int
) -> tuple[Capture, Video]:
    """Open a device for raw pictures of one format; size may be set until the first is read.

    Parameters
    ----------
    path
        Path of the device, or its number.
    name
        Name of the camera, for messages.
    windows_api
        Which of OpenCV's backends is used on Windows; DirectShow hands on Y16 as it is.

    Raises
    ------
    CameraError
        If it is not there, not ours to open, in use, or does not give that format.
    """
    try:
        video = system.video(path, windows_api)
    except cv2.error as error:
        raise CameraError(f"{name} cannot be opened; unplug it and plug it in again") from error
    if not video.isOpened():
        video.release()
        raise CameraError(f"{name} {_why_closed(path)}")
    code = cv2.VideoWriter.fourcc(*fourcc)
    # In this order: some systems forget the format when conversion is switched off first.
    video.set(cv2.CAP_PROP_FOURCC, code)
    video.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    given = int(video.get(cv2.CAP_PROP_FOURCC))
    if given != code:
        video.release()
        raise CameraError(
            f"{name} gives “{_spelled(given)}” instead of raw pictures (“{fourcc}”); close "
            "other programs that use it, or update its firmware"
        )
    capture: Capture = (
        PolledCapture(video, name, system.waits)
        if system.platform == "linux"
        else ThreadedCapture(video, name)
    )
    return capture, video


class PolledCapture:
    """Reads only what is there; needs no thread."""

    def __init__(self, video: Video, name: str, waits: Callable[[Video, float], bool]) -> None:
        """Take an opened device over.

        Parameters
        ----------
        waits
            Says within a time whether a picture is there; raises `cv2.error` if none will be.
        """
        self._video: Video | None = video
        self._name = name
        self._waits = waits
        self._started = False

    def next(self, timeout_s: float) -> Picture:
        """Wait for the next picture; see `Capture`."""
        if self._video is None:
            raise CameraError(f"{self._name} is not open; open it first")
        try:
            if self._started and not self._waits(self._video, timeout_s):
                raise CameraTimeoutError(f"no picture of {self._name} in time; read again")
            came, array = self._video.read()
        except cv2.error as error:
            raise _lost(self._name) from error
        if came:
            self._started = True
            return _picture(self._video, array)
        if not self._started:
            raise CameraTimeoutError(
                f"{self._name} has sent no picture yet; unplug it and plug it in again"
            )
        raise _lost(self._name)

    def close(self) -> None:
        """End the stream; see `Capture`."""
        if self._video is not None:
            self._video.release()
            self._video = None


class ThreadedCapture:
    """Reads in a thread, for systems on which a read cannot be limited."""

    def __init__(self, video: Video, name: str) -> None:
        """Take an opened device over; nothing is read before `next`."""
        self._video = video
        self._name = name
        self._waiting: queue.Queue[Picture] = queue.Queue(KEPT_PICTURES)
        self._stopping = threading.Event()
        self._lost: BaseException | None = None
        self._thread: threading.Thread | None = None

    def next(self, timeout_s: float) -> Picture:
        """Wait for the next picture; see `Capture`."""
        if self._stopping.is_set():
            raise CameraError(f"{self._name} is not open; open it first")
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._read, name=f"thermoseg {self._name}", daemon=True
            )
            self._thread.start()
            timeout_s = max(timeout_s, FIRST_S)
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            if self._lost is not None:
                raise _lost(self._name) from self._lost
            raise CameraTimeoutError(f"no picture of {self._name} in time; read again") from None

    def close(self) -> None:
        """End the stream; a read that hangs is left to end by itself and frees the camera then."""
        self._stopping.set()
        if self._thread is None:
            self._video.release()
            return
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            log.warning("%s does not end its read; the camera is freed when it does", self._name)

    def _read(self) -> None:
        heard_s = time.monotonic()
        try:
            while not self._stopping.is_set():
                came, array = self._video.read()
                if came:
                    heard_s = time.monotonic()
                    self._keep(_picture(self._video, array))
                elif time.monotonic() - heard_s > LOST_S:
                    raise CameraLostError(f"{self._name} has sent nothing for {LOST_S:g} s")
                else:
                    self._stopping.wait(RETRY_S)
        except (cv2.error, CameraLostError) as error:
            self._lost = error
        finally:
            self._video.release()

    def _keep(self, picture: Picture) -> None:
        while not self._stopping.is_set():
            try:
                self._waiting.put_nowait(picture)
            except queue.Full:
                # Nobody reads: forget the oldest, as a camera would.
                try:
                    self._waiting.get_nowait()
                except queue.Empty:
                    continue
            else:
                return


def first_good(take: Callable[[float], T], name: str, within_s: float) -> T:
    """Return the first of a new stream's pictures that can be read; some begin with half of one.

    Parameters
    ----------
    take
        Takes the next picture within a time.
    within_s
        Patience after the first.

    Raises
    ------
    CameraError
        If none comes; what was wrong with the last one, if they came.
    """
    deadline_s: float | None = None
    refused: CameraError | None = None
    while True:
        try:
            return take(0.0 if deadline_s is None else max(deadline_s - time.monotonic(), 0.0))
        except FrameRefusedError as error:
            refused = error
        except CameraTimeoutError as error:
            raise refused or CameraError(
                f"{name} sends no pictures; unplug it, see that its sensor sits firmly, and "
                "plug it in again"
            ) from error
        deadline_s = deadline_s or time.monotonic() + within_s
        if time.monotonic() > deadline_s:
            raise refused


def words_of(
    array: NDArray[Any], shapes: Mapping[int, tuple[int, int]], name: str
) -> NDArray[np.uint16]:
    """Return a raw picture as words of 16 bits, whatever shape OpenCV gave it.

    Some builds return (height, width) uint16, others (height, width, 2) or (1, bytes) uint8.

    Parameters
    ----------
    shapes
        (rows, columns) by the number of words.

    Raises
    ------
    FrameRefusedError
        If it is a colour picture, or has none of these sizes.
    """
    if array.ndim == 3 and array.shape[2] > 2:
        raise FrameRefusedError(
            f"{name} sent a colour picture {array.shape}, which is not raw; close other programs "
            "that use it, and open it again"
        )
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if array.dtype.itemsize > 2 or raw.size % 2 or raw.size // 2 not in shapes:
        known = " or ".join(f"{columns}×{rows}" for rows, columns in shapes.values())
        raise FrameRefusedError(
            f"{name} sent a picture {array.shape} {array.dtype}, {raw.size} bytes, where {known} "
            "with 16 bits was due; if that stays so, unplug it and plug it in again"
        )
    return raw.view("<u2").astype(np.uint16, copy=False).reshape(shapes[raw.size // 2])


def problem_of(system: UvcSystem, node: VideoNode) -> tuple[list[VideoMode], str]:
    """Return what a device offers, and why it cannot be used or ""."""
    try:
        return system.modes(node.path), ""
    except PermissionError:
        return [], f"{node.path} {NO_PERMISSION}"
    except OSError as error:
        return [], f"{node.path} does not answer ({error.strerror}); unplug it and plug it in again"


def _picture(video: Video, array: Any) -> Picture:  # noqa: ANN401 - whatever OpenCV gives
    taken_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
    return Picture(np.asarray(array), taken_s if taken_s > 0 else np.nan, time.monotonic())


def _lost(name: str) -> CameraLostError:
    return CameraLostError(f"{name} does not answer any more; plug it in again")


def _why_closed(path: str) -> str:
    file = Path(path)
    if file.is_absolute() and not file.exists():
        return "is gone; plug it in again"
    if file.is_absolute() and not os.access(file, os.R_OK | os.W_OK):
        return NO_PERMISSION
    return "cannot be opened; close other programs that use it"


def _spelled(code: int) -> str:
    return (code & 0xFFFFFFFF).to_bytes(4, "little").decode("ascii", "replace")
