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

from thermoseg.analysis_reading import session_of
from thermoseg.analysis_settings import AnalysisSettings
from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.drawn_rois import DrawnHistory
from thermoseg.errors import AnalysisCancelledError, AnalysisError, FrameRefusedError
from thermoseg.frames import CameraInfo
from thermoseg.inference.segmenter import ModelIdentity, Segmenter
from thermoseg.live_model import LiveModel
from thermoseg.measured_face import FaceFollower
from thermoseg.recorded_frames import FramesByNumber, open_by_number
from thermoseg.recording.analysis_file import AnalysisHeader, AnalysisWriter
from thermoseg.recording.disk_fault import say_fault
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


def _finished(session: Path, frames: FramesByNumber) -> "Recording":
    """Return the session if it can be analysed."""
    recording = session_of(session, frames)
    if recording.being_recorded:
        raise AnalysisError(f"{session.name} is being recorded; analyse it when that has ended")
    if not recording.complete:
        raise AnalysisError(
            f"{session.name} was not finished (a crash?); recover it with: thermoseg recover "
            f"{session}, and analyse the copy"
        )
    if not (len(frames) and recording.has_pictures):
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
