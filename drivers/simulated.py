"""The phantom as a camera: `simulated:?width=640&height=512&rate_hz=30`.

It keeps its own clock like a real camera: frames that nobody fetches in time are lost, beyond the
few that its driver buffers.
"""

import time
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final

import cv2
import numpy as np
from pydantic import Field

from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import CameraError, CameraTimeoutError, StreamEndedError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.phantom.head import Phantom, Sitter, Truth
from thermoseg.phantom.people import Climate
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose
from thermoseg.phantom.sensor import Sensor, ThermalCamera

_BUFFERED_FRAMES: Final = 8
"""Frames kept for a late reader; GigE drivers keep about ten."""
_AFTER_SHUTTER_S: Final = 2.0
"""For how long after a shutter event frames are flagged."""
_FINEST_WIDTH: Final = 160
"""Cameras with fewer columns are drawn this wide and averaged down, as their pixels would."""


class SimulatedOptions(CameraOptions):
    """What the simulated camera sees and how well."""

    width: Annotated[int, Field(ge=40, le=2048)] = 640
    height: Annotated[int, Field(ge=30, le=2048)] = 512
    rate_hz: Annotated[float, Field(gt=0, le=1000)] = 30.0
    seed: Annotated[int, Field(ge=0)] = 3
    """Chooses the person."""
    breaths_per_minute: Annotated[float, Field(ge=0, le=100)] = 15.0
    breath_depth_k: Annotated[float, Field(ge=0, le=10)] = 0.8
    yaw_deg: Annotated[float, Field(ge=-80, le=80)] = 0.0
    pitch_deg: Annotated[float, Field(ge=-45, le=45)] = 0.0
    roll_deg: Annotated[float, Field(ge=-180, le=180)] = 0.0
    face_height: Annotated[float, Field(ge=0.03, le=1.5)] = 0.5
    """Brows to chin, share of the picture's height."""
    motion: Annotated[float, Field(ge=0, le=10)] = 1.0
    glasses: bool = False
    room_c: Annotated[float, Field(ge=-30, le=60)] = 23.0
    netd_k: Annotated[float, Field(ge=0, le=5)] = 0.03
    perfect: bool = False
    """No noise, no blur, no drift, no shutter."""
    shutter_every_s: Annotated[float, Field(ge=0)] = 180.0
    frames: Annotated[int, Field(ge=0)] = 0
    """How many frames there are; 0 for endless."""
    realtime: bool = True
    """Whether frames come at `rate_hz`, or as fast as they are read."""


class SimulatedCamera:
    """A head that breathes, moves and blinks before a camera with noise and a shutter."""

    Options: ClassVar[type[CameraOptions]] = SimulatedOptions

    def __init__(self, target: str, options: SimulatedOptions) -> None:
        if target:
            raise CameraError(
                f"“simulated:{target}” names a target but there is only one simulated camera; "
                "write simulated: and put options behind ?"
            )
        self._options = options
        self._phantom: Phantom | None = None
        self._camera: ThermalCamera | None = None
        self.truth: Truth | None = None
        """Of the newest frame."""
        self._sensor = Sensor.noiseless()
        self._next = 0
        self._start = 0.0
        self._start_wall = 0.0

    def open(self) -> CameraInfo:
        """Prepare the phantom; takes a fraction of a second."""
        o = self._options
        pose = Pose(o.yaw_deg, o.pitch_deg, o.roll_deg, 0.0, 0.02, o.face_height)
        body = Physiology(o.breaths_per_minute, o.breath_depth_k, motion=o.motion, seed=o.seed)
        sitter = Sitter(o.seed, pose, Climate(room_c=o.room_c), body, glasses=o.glasses)
        sensor = (
            Sensor.noiseless()
            if o.perfect
            else Sensor(netd_k=o.netd_k, shutter_every_s=o.shutter_every_s, seed=o.seed)
        )
        self._sensor = sensor
        self._phantom = Phantom(sitter)
        self._camera = ThermalCamera(sensor, o.height, o.width)
        self._phantom.picture(0.0, *self._drawn_size())
        self._next = 0
        self._start, self._start_wall = time.monotonic(), time.time()
        return CameraInfo(
            model="Simulated phantom",
            serial=f"seed-{o.seed}",
            width=o.width,
            height=o.height,
            rate_hz=o.rate_hz,
            radiometry=sensor.radiometry,
            live=o.realtime,
            frame_count=o.frames or None,
        )

    def read(self, timeout_s: float) -> Frame:
        """Return the next frame when it is due."""
        if self._phantom is None or self._camera is None:
            raise CameraError("the simulated camera is not open; open it first")
        o = self._options
        self._check_end()
        if o.realtime:
            self._wait(timeout_s)
            self._check_end()
        index = self._next
        self._next += 1
        time_s = index / o.rate_hz
        picture = self._phantom.picture(time_s, *self._drawn_size())
        self.truth = picture.truth
        celsius = picture.celsius
        if celsius.shape != (o.height, o.width):
            celsius = np.asarray(
                cv2.resize(celsius, (o.width, o.height), interpolation=cv2.INTER_AREA), np.float32
            )
        exposure = self._camera.expose(celsius, time_s)
        flags = FrameFlag.NONE
        if exposure.shutter:
            flags |= FrameFlag.SHUTTER
        elif exposure.after_shutter_s < _AFTER_SHUTTER_S:
            flags |= FrameFlag.AFTER_SHUTTER
        return Frame.from_counts(
            exposure.counts,
            self._sensor.radiometry,
            index,
            time_s,
            self._start_wall + time_s,
            flags,
        )

    def close(self) -> None:
        """Forget the phantom."""
        self._phantom = self._camera = None

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """Offer the one that is always there."""
        return [CameraListing("simulated:", "Simulated phantom, 640×512 at 30 frames/s")]

    def _drawn_size(self) -> tuple[int, int]:
        o = self._options
        finer = max(1, -(-_FINEST_WIDTH // o.width))
        return o.height * finer, o.width * finer

    def _check_end(self) -> None:
        frames = self._options.frames
        if frames and self._next >= frames:
            raise StreamEndedError(f"the simulated camera has shown its {frames} frames")

    def _wait(self, timeout_s: float) -> None:
        period = 1 / self._options.rate_hz
        now = time.monotonic() - self._start
        if now - self._next * period > _BUFFERED_FRAMES * period:
            self._next = int(now / period)
        patience = self._next * period - now
        if patience > timeout_s:
            time.sleep(timeout_s)
            raise CameraTimeoutError(
                f"no frame of the simulated camera within {timeout_s:g} s; read again"
            )
        if patience > 0:
            time.sleep(patience)
