"""What a file of frames is: indexable, unpaced, read when asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Protocol, Self

import numpy as np
from annotated_types import Unit
from numpy.typing import NDArray
from pydantic import Field

from drivers.scene_options import SceneOptions
from thermoseg.errors import ConfigError
from thermoseg.frames import CameraInfo, Frame

MAX_PIXELS: Final = 64 * 1024**2
"""Most pixels of one image that is read, so that no file makes the program ask for all memory."""

UNCLOCKED_STEP_S: Final = 1.0
"""Seconds from frame to frame where neither file nor user gives a rate."""


MIN_STEP_S: Final = 1e-4
"""Least time between two frames; files whose clock stands still get it."""


class FileOptions(SceneOptions):
    """Options of reading and playing a file; the scene replaces the file's."""

    loop: bool = False
    """Begin again at the end."""
    realtime: bool = True
    """Hand frames out at the pace of their recording; else as fast as they are read."""
    rate_hz: Annotated[float, Field(ge=0, le=1000), Unit("Hz")] = 0.0
    """Frames per second; 0 keeps the recorded times."""
    scale_k: (
        Annotated[
            float, Field(gt=0, allow_inf_nan=False, title="Scale", examples=[0.01]), Unit("K")
        ]
        | None
    ) = None
    """Kelvin per count, where the file does not say."""
    offset_c: (
        Annotated[float, Field(allow_inf_nan=False, examples=[-273.15]), Unit("°C")] | None
    ) = None
    """°C at zero counts; -273.15 if not given."""
    relative: bool = False
    """Show counts without a scale as what they are: no temperatures."""
    invert: bool = False
    """Swap dark and bright of an 8-bit picture whose warm parts are dark."""
    width: Annotated[int, Field(gt=0, le=65535, examples=[640]), Unit("px")] | None = None
    """Pixels, of a `.bin` file; 640 if not given."""
    height: Annotated[int, Field(gt=0, le=65535, examples=[512]), Unit("px")] | None = None
    """Pixels, of a `.bin` file; 512 if not given."""

    def refuse_scene(self, name: str) -> None:
        """Refuse object parameters for a file whose temperatures are finished.

        Raises
        ------
        ConfigError
            If any is given.
        """
        if self.scene:
            raise ConfigError(
                f"{name} holds finished temperatures or none, so {', '.join(self.scene)} cannot "
                "be changed; leave the option away"
            )


class FrameSource(Protocol):
    """Frames of one file or folder; used by one thread."""

    @property
    def info(self) -> CameraInfo:
        """Size and radiometry of the first frame, rate and number of all."""
        ...

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame was taken, (n,), seconds; `Frame.time_s` of each."""
        ...

    def __len__(self) -> int:
        """Return the number of frames; of a video it may turn out smaller."""
        ...

    def frame(self, index: int) -> Frame:
        """Read frame `index`, counted from 0; its time is the recorded one.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If it is damaged.
        """
        ...

    def close(self) -> None:
        """Close the file; may be called more than once."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """When the frames of a file were taken, as far as it says."""

    rate_hz: float
    """Mean frames per second; 0 if nobody knows."""
    start: float
    """Time of the first frame, seconds since 1970-01-01 UTC."""
    times_s: NDArray[np.float64] | None = None
    """Seconds of each frame since the first, strictly increasing; None at a steady rate."""

    @classmethod
    def of_file(
        cls,
        recorded: Sequence[float | None],
        options: FileOptions,
        *,
        nominal_hz: float,
        fallback: float,
    ) -> Self:
        """Take the recorded times, unless some are missing or the user gave a rate.

        Parameters
        ----------
        recorded
            Time of each frame, seconds since 1970-01-01 UTC.
        nominal_hz
            What the camera was set to; 0 if unknown.
        fallback
            Start where the first frame has no time.
        """
        # The rate is that from first to last frame: files have pauses and equal stamps, which would
        # throw off a mean of inverse intervals.
        known = [wall for wall in recorded if wall is not None]
        start = fallback if recorded[0] is None else recorded[0]
        if options.rate_hz or len(known) < len(recorded) or len(known) < 2:
            return cls(options.rate_hz or nominal_hz, start)
        times_s = strictly_increasing(np.array(known) - known[0])
        return cls(float((len(known) - 1) / times_s[-1]), start, times_s)

    def time_s(self, index: int) -> float:
        """Return when frame `index` was taken, seconds since the first."""
        if self.times_s is not None:
            return float(self.times_s[index])
        return index / self.rate_hz if self.rate_hz else index * UNCLOCKED_STEP_S

    def all_times_s(self, count: int) -> NDArray[np.float64]:
        """Return when each of `count` frames was taken, (count,), seconds since the first."""
        return np.array([self.time_s(index) for index in range(count)], np.float64)

    def wall_time(self, index: int) -> float:
        """Return when frame `index` was taken, seconds since 1970-01-01 UTC."""
        return self.start + self.time_s(index)


def strictly_increasing(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move times that stand still or go back to just behind the one before.

    Examples
    --------
    >>> strictly_increasing(np.array([0.0, 1.0, 1.0, 0.5, 2.0]))
    array([0.    , 1.    , 1.0001, 1.0002, 2.    ])
    """
    steps = np.arange(len(times_s)) * MIN_STEP_S
    moved: NDArray[np.float64] = np.maximum.accumulate(times_s - steps) + steps
    return moved


def modified(path: Path) -> float:
    """Return when `path` was last written, seconds since 1970-01-01 UTC."""
    return path.stat().st_mtime
