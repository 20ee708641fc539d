"""What the GPU is shown: phantoms drawn beforehand, or a folder of real faces with landmarks."""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import CameraError, CameraTimeoutError, FormatError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.people import HULLS, paint_labels
from thermoseg.phantom.sensor import Sensor, ThermalCamera
from trainer.metrics import NO_LABEL

LANDMARKS: Final = "landmarks.json"
"""In a folder of faces: 68 iBUG landmarks and which of them are visible, for each picture."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """A picture and what it shows."""

    frame: Frame
    labels: NDArray[np.uint8]
    """(height, width), values of `Region`, 255 where nobody knows."""


def phantom_frames(count: int, height: int, width: int, seed: int) -> list[Frame]:
    """Draw a short recording of one phantom with the noise of a camera, 60 frames a second."""
    sensor = Sensor(seed=seed, shutter_every_s=0)
    phantom, camera = Phantom(Sitter(seed=seed)), ThermalCamera(sensor, height, width)
    frames = []
    for index in range(count):
        time_s = index / 60
        exposure = camera.expose(phantom.picture(time_s, height, width).celsius, time_s)
        frames.append(Frame.from_counts(exposure.counts, sensor.radiometry, index, time_s, 0.0))
    return frames


def labelled_phantoms(count: int, height: int, width: int) -> list[LabelledFrame]:
    """Draw different people, each with the exact labels."""
    made = []
    for seed in range(count):
        picture = Phantom(Sitter(seed=seed)).picture(0.0, height, width)
        made.append(LabelledFrame(as_frame(picture.celsius, seed), picture.labels))
    return made


def as_frame(celsius: NDArray[np.float32], index: int) -> Frame:
    """Wrap a picture whose counts nobody needs."""
    return Frame(np.zeros(celsius.shape, np.uint16), celsius, index, float(index), 0.0)


def read_faces(folder: Path) -> list[LabelledFrame]:
    """Read the pictures of a folder that `landmarks.json` names, and paint their labels.

    Pixels of a region with less than half of its landmarks visible, and those around it, count for
    nothing.

    Raises
    ------
    FormatError
        If the file or a picture is missing or cannot be read.
    """
    path = folder / LANDMARKS
    try:
        named = json.loads(path.read_text(encoding="utf-8"))["frames"]
        return [
            _read_face(folder / one["path"], one["points"], one["visible"], index)
            for index, one in enumerate(named)
        ]
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); name a folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: is no list of landmarks ({error}); replace it") from error


def _read_face(path: Path, points: list[list[float]], visible: str, index: int) -> LabelledFrame:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise FormatError(f"{path}: cannot be read as a picture; replace it")
    labels = np.zeros(picture.shape, np.uint8)
    unknown = np.zeros(picture.shape, np.uint8)
    places = np.asarray(points, np.float32)
    apart_px = float(np.linalg.norm(places[36:42].mean(axis=0) - places[42:48].mean(axis=0)))
    paint_labels(labels, places)
    for _, numbers in HULLS:
        if 2 * sum(visible[number] == "1" for number in numbers) < len(numbers):
            hull = cv2.convexHull(places[list(numbers)]).round().astype(np.int32)
            cv2.fillConvexPoly(unknown, hull, 1)
            width = max(1, round(0.3 * apart_px))
            cv2.polylines(unknown, [hull], isClosed=True, color=1, thickness=width)
    labels[unknown != 0] = NO_LABEL
    return LabelledFrame(as_frame(picture.astype(np.float32), index), labels)


class ReplayCamera:
    """Frames drawn beforehand, handed out for ever at a fixed rate, so that a camera costs nothing.

    It is made by hand and has no address: a checkout that is not installed has no entry points.
    """

    Options: ClassVar[type[CameraOptions]] = CameraOptions

    def __init__(self, frames: Sequence[Frame], rate_hz: float) -> None:
        self._frames = tuple(frames)
        self._rate_hz = rate_hz
        self._upcoming: Iterator[int] = itertools.count()
        self._started_s: float | None = None

    def open(self) -> CameraInfo:
        """Start the clock."""
        self._upcoming = itertools.count()
        self._started_s = time.monotonic()
        height, width = self._frames[0].celsius.shape
        return CameraInfo(
            model="Replayed phantom",
            serial="",
            width=width,
            height=height,
            rate_hz=self._rate_hz,
            radiometry=Sensor().radiometry,
            live=True,
        )

    def read(self, timeout_s: float) -> Frame:
        """Return the next frame when it is due; if it is overdue, at once."""
        if self._started_s is None:
            raise CameraError("the replayed camera is not open; open it first")
        index = next(self._upcoming)
        due_s = index / self._rate_hz
        wait_s = self._started_s + due_s - time.monotonic()
        if wait_s > timeout_s:
            self._upcoming = itertools.count(index)
            time.sleep(timeout_s)
            raise CameraTimeoutError(f"no frame within {timeout_s} s; read again")
        if wait_s > 0:
            time.sleep(wait_s)
        # To and fro, so that the face never jumps.
        turn = 2 * len(self._frames) - 2 or 1
        at = index % turn
        frame = self._frames[min(at, turn - at)]
        return replace(frame, index=index, time_s=due_s, wall_time=time.time())

    def close(self) -> None:
        """Stop the clock; may be called more than once."""
        self._started_s = None

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """Offer nothing: only the benchmark makes one."""
        return []
