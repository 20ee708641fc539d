"""Analyses of a session, read back: beside its frames, and compared with its traces."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import AnalysisError, FormatError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.recorded_frames import FramesByNumber, open_by_number
from thermoseg.recording.analysis_file import AnalysisFile
from thermoseg.recording.stored_samples import StoredSamples
from thermoseg.rois import RoiSample

if TYPE_CHECKING:
    from thermoseg.recording.reader import Recording


@dataclass(frozen=True, slots=True, eq=False)
class TraceDifference:
    """Two traces of a region at the frames that both have measured, (n,) each."""

    frame_index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    """Seconds, on the clock of the frames."""
    old_c: NDArray[np.float64]
    """°C; NaN where the sample is not valid."""
    new_c: NDArray[np.float64]
    """°C; NaN where the sample is not valid."""

    @property
    def difference_k(self) -> NDArray[np.float64]:
        """New minus old, kelvin; NaN where either is not valid."""
        return self.new_c - self.old_c


class Analysis(AnalysisFile):
    """An analysis and the place of its frames in the session that it belongs to."""

    def __init__(self, path: Path, recording: "Recording") -> None:
        """Open `path`; see `read_analysis`."""
        super().__init__(path)
        try:
            self._rows = self._find_rows(recording)
            self._samples: StoredSamples | None = None
            self._indices, self._times_s = recording.indices, recording.times_s
        except BaseException:
            self.close()
            raise

    @property
    def model(self) -> ModelIdentity:
        """The network that segmented."""
        return self.header.model

    def labels(self, position: int) -> NDArray[np.uint8] | None:
        """Read the mask of frame `position` of the session; None if that was not analysed.

        Raises
        ------
        FormatError
            If it is damaged.
        """
        row = int(self._rows[position])
        return None if row < 0 else self.labels_in_row(row)

    def samples_at(self, position: int) -> tuple[RoiSample, ...]:
        """Return the samples of frame `position` of the session; empty if it was not analysed."""
        if self._samples is None:
            self._samples = StoredSamples(self)
        return self._samples.of_frame(int(self._indices[position]), float(self._times_s[position]))

    def _find_rows(self, recording: "Recording") -> NDArray[np.int64]:
        """Return the row of each frame of the session, −1 where it has none."""
        indices, times_s = self.table("labels/frame_index"), self.table("labels/time_s")
        places = np.searchsorted(recording.indices, indices)
        known = places < len(recording)
        known[known] = (recording.indices[places[known]] == indices[known]) & (
            recording.times_s[places[known]] == times_s[known]
        )
        if recording.session_id != self.header.session_id or not known.all():
            raise AnalysisError(
                f"{self.path.name} is an analysis of another session "
                f"({self.header.session_name}); open it beside that one"
            )
        rows = np.full(len(recording), -1, np.int64)
        rows[places] = np.arange(len(places))
        return rows


class AnalysedFrames:
    """The frames of a session with masks and samples of an analysis; see `FramesByNumber`."""

    def __init__(self, frames: FramesByNumber, analysis: Analysis) -> None:
        """Take over both."""
        self._frames = frames
        self.analysis = analysis
        """The analysis, to be read by any thread."""
        self.info: CameraInfo = frames.info
        self.times_s: NDArray[np.float64] = frames.times_s
        self.session: Recording | None = frames.session

    def __len__(self) -> int:
        """Return the number of frames of the session."""
        return len(self._frames)

    def frame(self, index: int) -> Frame:
        """Read frame `index` with the °C of the analysis; see `FramesByNumber`."""
        return self._frames.frame(index)

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """Read the mask that the analysis has of frame `index`; see `FramesByNumber`."""
        self._refuse_outside(index)
        try:
            return self.analysis.labels(index)
        except FormatError as error:
            raise FrameRefusedError(str(error)) from error

    def samples(self, index: int) -> tuple[RoiSample, ...]:
        """Return the samples that the analysis has of frame `index`; see `FramesByNumber`."""
        self._refuse_outside(index)
        return self.analysis.samples_at(index)

    def close(self) -> None:
        """Close both; may be called more than once."""
        self._frames.close()
        self.analysis.close()

    def _refuse_outside(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(index)


def read_analysis(path: Path, recording: "Recording") -> Analysis:
    """Open an analysis of the session `recording`; who opens it closes it.

    Raises
    ------
    AnalysisError
        If it is no analysis, damaged, or belongs to another session.
    """
    return Analysis(path, recording)


def open_analysed(session: Path, analysis: Path) -> AnalysedFrames:
    """Open the frames of a session with the masks, samples and °C of one of its analyses.

    Raises
    ------
    ThermoSegError
        As `open_by_number` and `read_analysis`.
    """
    with closing(AnalysisFile(analysis)) as known:
        options = known.header.settings.options
    frames = open_by_number(session, options)
    try:
        return AnalysedFrames(frames, read_analysis(analysis, session_of(session, frames)))
    except BaseException:
        frames.close()
        raise


def compare_traces(old: NDArray[np.void], new: NDArray[np.void]) -> TraceDifference:
    """Bring two traces of a region together, sample by sample.

    Parameters
    ----------
    old, new
        (n,) and (m,), as `Recording.samples` and `Analysis.samples` return them.
    """
    frame_index, in_old, in_new = np.intersect1d(
        old["frame_index"], new["frame_index"], return_indices=True
    )
    before, after = old[in_old], new[in_new]
    return TraceDifference(
        frame_index,
        before["time_s"],
        np.where(before["valid"], before["mean_c"], np.nan),
        np.where(after["valid"], after["mean_c"], np.nan),
    )


def session_of(session: Path, frames: FramesByNumber) -> "Recording":
    """Return the session that `frames` are of; `session` names it in the message.

    Raises
    ------
    AnalysisError
        If they are of no session.
    """
    if frames.session is None:
        raise AnalysisError(
            f"{session.name} is no session of ThermoSeg; segment it with: thermoseg segment "
            f"{session}"
        )
    return frames.session
