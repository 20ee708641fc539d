"""What crosses every thread: one thermal image, and what is known of the camera it came from."""

from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.radiometry import Radiometry, RelativeCounts
from thermoseg.scene import Scene, scene_of


class FrameFlag(IntFlag):
    """Faults of a frame; stored with it as a number."""

    NONE = 0
    SHUTTER = 1
    """The shutter was closed: the image is frozen or flat."""
    AFTER_SHUTTER = 2
    """Within the seconds after a shutter event, in which temperatures may step."""
    DUPLICATE = 4
    """The same image as the one before, delivered again."""
    UNCALIBRATED = 8
    """The camera cannot say °C; `celsius` holds relative counts."""
    DAMAGED = 16
    """Part of the image is missing or wrong."""
    GAP_BEFORE = 32
    """Frames are missing between this one and the one before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One thermal image as it left the camera.  Shared between threads, hence read-only."""

    counts: NDArray[np.uint16]
    """(height, width), sensor counts; this is what gets recorded."""
    celsius: NDArray[np.float32]
    """(height, width), °C, derived from `counts`; relative counts if `UNCALIBRATED`."""
    index: int
    """Number given by the camera, one more per frame; a jump means frames lost before us."""
    time_s: float
    """Seconds since the camera was opened, strictly increasing."""
    wall_time: float
    """Seconds since 1970-01-01 UTC at capture."""
    flags: FrameFlag = FrameFlag.NONE
    scene: Scene | None = None
    """Scene for which `celsius` was made; None if that is not known."""

    @classmethod
    def from_counts(
        cls,
        counts: NDArray[np.uint16],
        radiometry: Radiometry,
        index: int,
        time_s: float,
        wall_time: float,
        flags: FrameFlag = FrameFlag.NONE,
    ) -> Self:
        """Freeze a private copy of `counts` and derive its temperatures.

        Raises
        ------
        ValueError
            If `counts` is not a two-dimensional array of uint16.
        """
        if counts.ndim != 2 or counts.dtype != np.uint16:
            raise ValueError(
                f"counts must be (height, width) uint16, got {counts.shape} {counts.dtype}"
            )
        own = np.array(counts, order="C")
        celsius = radiometry.to_celsius(own)
        own.flags.writeable = celsius.flags.writeable = False
        if not radiometry.radiometric:
            flags |= FrameFlag.UNCALIBRATED
        return cls(own, celsius, index, time_s, wall_time, flags, scene_of(radiometry))

    def converted(self, radiometry: Radiometry) -> Self:
        """Return the frame with the °C that `radiometry`, for another scene, makes of its counts.

        The counts are shared, not copied.
        """
        celsius = radiometry.to_celsius(self.counts)
        celsius.flags.writeable = False
        return replace(self, celsius=celsius, scene=scene_of(radiometry))

    @property
    def radiometric(self) -> bool:
        """Whether `celsius` holds temperatures."""
        return not self.flags & FrameFlag.UNCALIBRATED


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Description of an opened camera."""

    model: str
    serial: str
    """Empty where the source has none."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    rate_hz: float
    """Nominal frames per second; 0 for pictures without a clock."""
    radiometry: Radiometry
    live: bool
    """Whether frames come at the camera's own pace and are lost if nobody reads."""
    frame_count: int | None = None
    """Frames in a finite source, None if endless or unknown."""

    @property
    def radiometric(self) -> bool:
        """Whether frames hold °C."""
        return self.radiometry.radiometric

    @property
    def why_relative(self) -> str:
        """Why frames hold relative counts; empty if they hold °C."""
        scale = self.radiometry
        return scale.reason if isinstance(scale, RelativeCounts) else ""

    @property
    def temperatures(self) -> str:
        """“°C”, or “none: ” and why."""
        return f"none: {self.why_relative}" if self.why_relative else "°C"
