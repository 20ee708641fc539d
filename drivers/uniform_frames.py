"""The frames of a file as its first one announces them: of one size and one calibration."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivers.file_sources import SessionSource
from drivers.frame_source import FrameSource
from thermoseg.errors import FormatError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import COUNTS, LinearRadiometry, PlanckRadiometry
from thermoseg.rois import RoiSample
from thermoseg.scene import CorrectedRadiometry, in_scene, scene_of

if TYPE_CHECKING:
    from thermoseg.recording.reader import Recording
    from thermoseg.recording.stored_samples import StoredSamples


class UniformFrames:
    """See `thermoseg.recorded_frames.FramesByNumber`."""

    def __init__(self, source: FrameSource, name: str) -> None:
        """Take over `source`, which `name` names in messages."""
        self._source = source
        self._name = name
        self._count = len(source)
        self.info: CameraInfo = source.info
        self.times_s: NDArray[np.float64] = np.array(source.times_s)
        self.times_s.flags.writeable = False
        self._samples: StoredSamples | None = None

    @property
    def session(self) -> "Recording | None":
        """What a session of our own holds besides frames."""
        return self._source.recording if isinstance(self._source, SessionSource) else None

    def __len__(self) -> int:
        """Return the number of frames that the file promises."""
        return self._count

    def frame(self, index: int) -> Frame:
        """Read frame `index`; see `FramesByNumber`."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        try:
            frame = self._source.frame(index)
            if self.session is not None:  # whose frames are of one size and calibration
                return frame
            return as_announced(frame, self.info, self._name, index)
        except FormatError as error:
            raise FrameRefusedError(str(error)) from error
        except IndexError as error:
            raise FrameRefusedError(
                f"{self._name} ends after {len(self._source)} of the {self._count} frames that it "
                "promises; go back, or copy it again"
            ) from error
        except OSError as error:
            raise FrameRefusedError(
                f"{self._name}, frame {index}: it cannot be read ({error.strerror or error}); "
                "check that its disk is still there"
            ) from error

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """Read the stored mask of frame `index`; see `FramesByNumber`."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        if self.session is None:
            return None
        try:
            return self.session.labels(index)
        except FormatError as error:
            raise FrameRefusedError(str(error)) from error

    def samples(self, index: int) -> tuple[RoiSample, ...]:
        """Return the stored samples of frame `index`; see `FramesByNumber`."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        session = self.session
        if session is None:
            return ()
        if self._samples is None:
            # Only here: HDF5 and its filters take a while to load.
            from thermoseg.recording.stored_samples import StoredSamples

            self._samples = StoredSamples(session)
        return self._samples.of_frame(int(session.indices[index]), float(session.times_s[index]))

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._source.close()


def as_announced(frame: Frame, info: CameraInfo, name: str, position: int) -> Frame:
    """Refuse a frame unlike the first, and express its counts in the first one's calibration.

    A session has one size and one radiometry; a camera that changes its measuring range in
    the middle of a file changes both the counts and their meaning.

    Parameters
    ----------
    info
        What the first frame announced.
    name, position
        Of file and frame, for the message.

    Raises
    ------
    FormatError
        If it is of another size, or out of the range of the first one's counts.
    """
    height, width = frame.counts.shape
    if (width, height) != (info.width, info.height):
        raise FormatError(
            f"{name}, frame {position}: it is {width}×{height}, the first is "
            f"{info.width}×{info.height}; play frames of one size together"
        )
    if frame.radiometric != info.radiometric:
        raise FormatError(
            f"{name}, frame {position}: only part of the frames carry "
            "temperatures; play those of one kind together"
        )
    # A scene that a user set while it was recorded changes the °C alone: the counts can stay.
    scale = info.radiometry
    if scene_of(scale) is not None:
        scale = in_scene(scale, frame.scene)
    announced = scale.to_celsius(frame.counts)
    if np.array_equal(announced, frame.celsius, equal_nan=True):
        return frame
    if not isinstance(info.radiometry, LinearRadiometry | PlanckRadiometry | CorrectedRadiometry):
        return frame
    counts = np.rint(info.radiometry.to_counts(frame.celsius))
    if not ((counts >= 0) & (counts < COUNTS)).all():
        raise FormatError(
            f"{name}, frame {position}: its calibration differs and it is out of "
            "the range of the first; play it by itself"
        )
    return Frame.from_counts(
        counts.astype(np.uint16),
        info.radiometry,
        frame.index,
        frame.time_s,
        frame.wall_time,
        frame.flags,
    )
