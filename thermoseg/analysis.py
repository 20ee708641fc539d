"""Sessions analysed again: every frame segmented and measured as if it came live.

`NAME.analysis-N.h5` beside `NAME.h5` holds masks and samples, and how they came about; the session
is never changed.
"""

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.analysis_settings import AnalysisSettings
from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.drawn_rois import DrawnHistory
from thermoseg.errors import AnalysisCancelledError, AnalysisError, FormatError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity, Segmenter
from thermoseg.live_model import LiveModel
from thermoseg.measured_face import FaceFollower
from thermoseg.recorded_frames import FramesByNumber, open_by_number
from thermoseg.recording.analysis_file import AnalysisFile, AnalysisHeader, AnalysisWriter
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.stored_samples import StoredSamples
from thermoseg.rois import RoiSample
from thermoseg.whole_file import creating_numbered

if TYPE_CHECKING:
    from thermoseg.recording.reader import Recording

HASHED_BYTES: Final = 8 * 1024**2
"""Bytes of the session that are hashed between two looks whether to end."""


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    """Outcome of an analysis."""

    path: Path
    """The new file."""
    frames: int
    """Frames that were analysed."""
    losses: tuple[str, ...]
    """What of the session could not be read and is not in it, a sentence each."""
    notes: tuple[str, ...]
    """What else is to be known, a sentence each: no °C, or another face is measured from here."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """What an `AnalysisReport` says of the frames."""

    frames: int
    losses: tuple[str, ...]
    notes: tuple[str, ...]


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


def analyze(
    session: Path,
    segmenter: Segmenter,
    settings: AnalysisSettings | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> AnalysisReport:
    """Segment and measure every frame of a session anew, into a file of its own.

    The file gets its name when it is whole.  Whatever interrupts the work leaves none.

    Parameters
    ----------
    session
        Finished session of ThermoSeg.
    segmenter
        Chosen for `settings.mode`; used for nothing else meanwhile.
    out
        Folder of the file, made if there is none; beside the session if None.
    progress
        Told frames done and frames in all, after each frame, in the calling thread.
    cancelled
        Asked before each frame, and while the session's checksum is taken.

    Raises
    ------
    AnalysisCancelledError
        If `cancelled` said so.
    AnalysisError
        If the session is none, is unfinished or has no pictures, or the file cannot be written.
    ConfigError
        If emissivity or reflected temperature are given for °C that cannot be computed anew.
    ThermoSegError
        If the session cannot be read.
    """
    settings = settings or AnalysisSettings()
    with closing(open_by_number(session, settings.options)) as frames:
        recording = _finished(session, frames)
        header = _describe(session, frames, recording, segmenter, settings, cancelled)
        folder = out or session.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            start = 1 + max(map(_number_of, list_analyses(session, folder)), default=0)
            with creating_numbered(
                lambda number: folder / f"{session.stem}.analysis-{number}.h5", start=start
            ) as file:
                filled = _fill(
                    file.temporary,
                    header,
                    frames,
                    recording.drawn_history,
                    segmenter,
                    progress,
                    cancelled,
                )
        except OSError as error:
            raise AnalysisError(
                f"the analysis of {session.name} cannot be written into {folder} "
                f"({say_fault(error)}); make space, check the rights, or choose another folder"
            ) from error
        problems = tuple(f"{session.name}: {problem}" for problem in recording.problems)
        notes = _notes(session, frames.info)
    if file.path is None:
        raise RuntimeError("the analysis was written and has no name")
    return AnalysisReport(
        file.path, filled.frames, (*problems, *filled.losses), (*notes, *filled.notes)
    )


def list_analyses(session: Path, folder: Path | None = None) -> tuple[Path, ...]:
    """List the analyses of a session by their names, oldest number first.

    Parameters
    ----------
    folder
        Where to look; beside the session if None.
    """
    folder = folder or session.parent
    if not folder.is_dir():
        return ()
    begin = f"{session.stem}.analysis-"
    named = [
        path
        for path in folder.iterdir()
        if path.name.startswith(begin) and re.fullmatch(r"\d+\.h5", path.name[len(begin) :])
    ]
    return tuple(sorted(named, key=_number_of))


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
        return AnalysedFrames(frames, read_analysis(analysis, _recording_of(session, frames)))
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


def _recording_of(session: Path, frames: FramesByNumber) -> "Recording":
    if frames.session is None:
        raise AnalysisError(
            f"{session.name} is no session of ThermoSeg; segment it with: thermoseg segment "
            f"{session}"
        )
    return frames.session


def _finished(session: Path, frames: FramesByNumber) -> "Recording":
    """Return the session if it can be analysed."""
    recording = _recording_of(session, frames)
    if recording.being_recorded:
        raise AnalysisError(f"{session.name} is being recorded; analyse it when that has ended")
    if not recording.complete:
        raise AnalysisError(
            f"{session.name} was not finished (a crash?); recover it with: thermoseg recover "
            f"{session}, and analyse the copy"
        )
    if not len(frames):
        raise _no_pictures(session.name)
    return recording


def _no_pictures(name: str) -> AnalysisError:
    return AnalysisError(
        f"{name} holds no picture that can be read, only traces if anything; choose a session "
        "that was recorded with pictures"
    )


def _describe(
    session: Path,
    frames: FramesByNumber,
    recording: "Recording",
    segmenter: Segmenter,
    settings: AnalysisSettings,
    cancelled: Callable[[], bool],
) -> AnalysisHeader:
    return AnalysisHeader(
        session_name=session.name,
        session_id=recording.session_id,
        session_sha256=_sha256(session, cancelled),
        model=ModelIdentity(segmenter.model_name, segmenter.model_sha256, segmenter.backend),
        settings=settings,
        radiometry=frames.info.radiometry,
        height=frames.info.height,
        width=frames.info.width,
    )


def _sha256(session: Path, cancelled: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    try:
        with session.open("rb") as file:
            while piece := file.read(HASHED_BYTES):
                _refuse_cancelled(session.name, cancelled)
                digest.update(piece)
    except OSError as error:
        raise AnalysisError(
            f"{session.name} cannot be read ({say_fault(error)}); check its disk"
        ) from error
    return digest.hexdigest()


def _fill(
    temporary: Path,
    header: AnalysisHeader,
    frames: FramesByNumber,
    history: DrawnHistory,
    segmenter: Segmenter,
    progress: Callable[[int, int], object],
    cancelled: Callable[[], bool],
) -> _Filled:
    """Analyse every frame that can be read, and tell why the others cannot.

    ROIs that were drawn lie where they lay when it was recorded.
    """
    drawn, told = DrawnMeter(), list[str]()
    model = LiveModel(segmenter, FaceFollower(), drawn, told.append)
    done, losses, notes = 0, list[str](), list[str]()
    with closing(AnalysisWriter(temporary, header)) as writer:
        for position in range(len(frames)):
            _refuse_cancelled(header.session_name, cancelled)
            try:
                frame = frames.frame(position)
            except FrameRefusedError as refusal:
                losses.append(str(refusal))
            else:
                drawn.set(history.at(frame.time_s))
                writer.add(model.segment(Arrival(frame, time.monotonic(), 0)))
                notes += [f"{header.session_name}, {frame.time_s:.2f} s: {text}" for text in told]
                told.clear()
                done += 1
            progress(position + 1, len(frames))
        if not done:
            raise _no_pictures(header.session_name)
        writer.finish(len(frames))
    return _Filled(done, tuple(losses), tuple(notes))


def _refuse_cancelled(name: str, cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise AnalysisCancelledError(
            f"the analysis of {name} was ended early and left no file; start it again if you need "
            "it"
        )


def _notes(session: Path, info: CameraInfo) -> tuple[str, ...]:
    if info.radiometric:
        return ()
    return (
        f"{session.name} holds no temperatures ({info.why_relative}), so the analysis has masks "
        "and no °C",
    )


def _number_of(analysis: Path) -> int:
    return int(analysis.stem.rpartition("-")[2])
