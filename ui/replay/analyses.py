"""The analyses of the recording that is open: listed, shown, made; knows no widget."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.analysis import AnalysisReport, analyze, list_analyses
from thermoseg.analysis_reading import open_analysed
from thermoseg.analysis_settings import AnalysisSettings
from thermoseg.errors import ThermoSegError
from thermoseg.export.job import Watch
from thermoseg.inference.face_segmenter import Mode
from thermoseg.inference.segmenter import Segmenter
from thermoseg.recording.analysis_file import AnalysisFile
from thermoseg.recording.reader import Recording
from thermoseg.traces import TraceWindow
from ui.replay.opening import open_recording
from ui.replay.replay_controller import ReplayController
from ui.replay.session_tables import read_analysed
from ui.replay.work_queue import Work, WorkQueue
from ui.shell.jobs import Jobs
from ui.texts import replay_analyses as words


@dataclass(frozen=True, slots=True)
class AnalysisEntry:
    """One analysis beside the recording."""

    path: Path
    title: str
    """Number, model and settings; what is wrong with it, if it cannot be read."""


class Analyses(QObject):
    """Owns which masks and traces of a recording are seen: the stored ones, or an analysis."""

    changed = pyqtSignal()
    """Other analyses, or another one is shown."""
    compared = pyqtSignal(object)
    """dict[str, TraceWindow] of the analysis that is shown, by region; None for none."""
    made = pyqtSignal(object)
    """`AnalysisReport` of an analysis that was made now."""
    failed = pyqtSignal(object)
    """Why one could not be read or made."""

    def __init__(
        self,
        controller: ReplayController,
        load: Callable[[str, Mode], Segmenter],
        parent: QObject | None = None,
    ) -> None:
        """Show the stored masks.

        Parameters
        ----------
        load
            Loads a model by its name or path, in a thread; raises `ModelError`.
        """
        super().__init__(parent)
        self.queue: Final = WorkQueue("analysis", self)
        self._controller = controller
        self._load = load
        self._jobs = Jobs("analyses", self)
        self._jobs.failed.connect(self.failed)
        self.queue.failed.connect(self.failed)
        self._session: Path | None = None
        self.entries: tuple[AnalysisEntry, ...] = ()
        """Analyses beside the recording, oldest first."""
        self.shown: Path | None = None
        """The analysis that is seen; None for what is stored."""
        controller.state_changed.connect(self._on_state_changed)

    @property
    def possible(self) -> bool:
        """Whether the recording that is open can be analysed."""
        session = self._controller.session
        return session is not None and session.complete and session.has_pictures

    def look(self) -> None:
        """List what lies beside the recording now."""
        session = self._session
        if session is not None:
            self._jobs.run(lambda: _list(session), self._on_listed)

    def show(self, analysis: Path | None) -> None:
        """Show masks and traces of an analysis, or what is stored; one stays where one is."""
        session = self._session
        if session is None or analysis == self.shown:
            return
        self._jobs.forget()
        self.shown = analysis
        if analysis is None:
            self._controller.exchange(lambda: open_recording(session))
            self.compared.emit(None)
        else:
            self._jobs.run(
                lambda: _read(session, analysis),
                lambda traces: self._on_read(session, analysis, traces),
                self._on_unreadable,
            )
        self.changed.emit()

    def analyse(self, model: str, settings: AnalysisSettings) -> None:
        """Segment and measure every frame anew, and show the result when it is there."""
        session = self._session
        if session is None:
            return
        act = partial(self._analyse, session, model, settings)
        title = words.ANALYSING.format(name=session.name)
        self.queue.add(Work(title, act, lambda report: self._on_made(session, report)))

    def close(self) -> None:
        """End what is at work; nothing half is left."""
        self.queue.close()
        self._jobs.close()

    def _analyse(
        self, session: Path, model: str, settings: AnalysisSettings, watch: Watch
    ) -> AnalysisReport:
        segmenter = self._load(model, settings.mode)
        return analyze(
            session, segmenter, settings, progress=watch.progress, cancelled=watch.cancelled
        )

    def _on_state_changed(self) -> None:
        path = self._controller.path if self._controller.session is not None else None
        if path == self._session:
            return
        self._jobs.forget()
        self._session, self.shown, self.entries = path, None, ()
        self.changed.emit()
        self.look()

    def _on_listed(self, entries: tuple[AnalysisEntry, ...]) -> None:
        self.entries = entries
        self.changed.emit()

    def _on_read(self, session: Path, analysis: Path, traces: dict[str, TraceWindow]) -> None:
        self._controller.exchange(lambda: open_analysed(session, analysis))
        self.compared.emit(traces)

    def _on_unreadable(self, error: BaseException) -> None:
        self.shown = None
        session = self._session
        if session is not None:
            self._controller.exchange(lambda: open_recording(session))
        self.compared.emit(None)
        self.changed.emit()
        self.failed.emit(error)

    def _on_made(self, session: Path, report: object) -> None:
        if not isinstance(report, AnalysisReport):
            raise TypeError(f"an analysis gave {type(report).__name__}")
        self.made.emit(report)
        if session == self._session:
            self.show(report.path)
            self.look()


def _list(session: Path) -> tuple[AnalysisEntry, ...]:
    return tuple(map(_describe, list_analyses(session)))


def _describe(path: Path) -> AnalysisEntry:
    number = path.stem.rpartition("-")[2]
    try:
        with closing(AnalysisFile(path)) as analysis:
            header = analysis.header
    except ThermoSegError as error:
        return AnalysisEntry(path, f"{number} · {error}")
    settings = header.settings
    title = words.analysis_entry(number, header.model.name, settings.mode, settings.emissivity)
    return AnalysisEntry(path, title)


def _read(session: Path, analysis: Path) -> dict[str, TraceWindow]:
    with Recording(session) as recording:
        return read_analysed(analysis, recording)
