"""Opens what is replayed: any file of frames, and sessions that hold traces without pictures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.recorded_frames import FramesByNumber, open_by_number
from thermoseg.recording.pictures import say_no_pictures
from thermoseg.recording.reader import Recording
from thermoseg.recording.stored_samples import StoredSamples
from thermoseg.rois import RoiSample


class TracesOnly:
    """A session without pictures: its frames are times and samples; see `FramesByNumber`."""

    def __init__(self, recording: Recording) -> None:
        """Take over `recording`."""
        self._recording = recording
        self._samples: StoredSamples | None = None
        self.info: CameraInfo = recording.info
        self.times_s: NDArray[np.float64] = recording.times_s

    @property
    def session(self) -> Recording | None:
        """The session."""
        return self._recording

    def __len__(self) -> int:
        """Return the number of frames whose times are known."""
        return len(self._recording)

    def frame(self, index: int) -> Frame:
        """Refuse every frame with a sentence."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        raise FrameRefusedError(say_no_pictures(self._recording.path))

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """Return None: masks are recorded with pictures only."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return None

    def samples(self, index: int) -> tuple[RoiSample, ...]:
        """Return the stored samples of frame `index`."""
        if self._samples is None:
            self._samples = StoredSamples(self._recording)
        number, time_s = self._recording.indices[index], self._recording.times_s[index]
        return self._samples.of_frame(int(number), float(time_s))

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._recording.close()


def open_recording(path: Path) -> FramesByNumber:
    """Open whatever can be replayed; who opens it closes it.

    Raises
    ------
    ThermoSegError
        As `open_by_number`.
    """
    try:
        return open_by_number(path)
    except FormatError as refusal:
        try:
            recording = Recording(path)
        except FormatError:
            raise refusal from None
        if recording.has_pictures:
            recording.close()
            raise
        return TracesOnly(recording)
