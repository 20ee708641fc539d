"""Feeds the plots of a running session: traces, markers, the units and why there is nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QFileDialog

from thermoseg.session_view import SessionView
from ui.live.model_shelf import ModelState
from ui.live.session_controller import CameraState, SessionController
from ui.picture.pane import PicturePane
from ui.plots.marks import PlotMarker
from ui.plots.traces import TracePlots
from ui.shell.defects import describe_error
from ui.shell.notices import Notices, Severity
from ui.texts import live as texts

PNG: Final = "PNG (*.png)"
CSV: Final = "CSV (*.csv)"


class LiveTraces(QObject):
    """Pulls what is new of a session into its plots when it is told to."""

    def __init__(
        self, controller: SessionController, plots: TracePlots, pane: PicturePane, notices: Notices
    ) -> None:
        super().__init__(plots)
        self._controller = controller
        self._plots = plots
        self._pane = pane
        self._notices = notices
        plots.picture_asked.connect(self._on_picture_asked)
        plots.table_asked.connect(self._on_table_asked)
        pane.settings_changed.connect(self._give_unit)
        self._give_unit()

    def draw(self) -> None:
        """Draw what has come since the last time."""
        view, session = self._controller.view, self._controller.session
        frame = view.frame
        if frame is None or session is None:
            return
        self._plots.show_live(session.traces, frame.time_s, frame.wall_time - frame.time_s)
        self._plots.set_markers(
            [
                PlotMarker(mark.begin_s, mark.label, mark.kind, mark.duration_s)
                for mark in view.marks
            ]
        )

    def write(self) -> None:
        """Say why there are no values, where there are none."""
        self._plots.set_rois([roi.name for roi in self._pane.drawn])
        self._plots.set_absent(self._why_absent(self._controller.view))

    def clear(self) -> None:
        """Show nothing of the session before."""
        self._plots.clear()

    def _why_absent(self, view: SessionView) -> str:
        if self._controller.state is CameraState.LOST:
            return texts.ABSENT_LOST
        loading = self._controller.models.choice.state is ModelState.LOADING
        return "" if view.model is not None else texts.ABSENT_LOADING if loading else texts.ABSENT

    def _give_unit(self) -> None:
        unit = self._pane.settings.unit
        self._plots.set_unit(lambda celsius: (unit.of(celsius), unit.value))

    def _on_picture_asked(self) -> None:
        self._save(texts.SAVE_PLOTS, "traces.png", PNG, self._plots.save_picture)

    def _on_table_asked(self) -> None:
        self._save(texts.SAVE_TABLE, "traces.csv", CSV, self._plots.save_table)

    def _save(self, title: str, name: str, kind: str, save: Callable[[Path], None]) -> None:
        start = str(Path.home() / name)
        chosen, _ = QFileDialog.getSaveFileName(self._plots, title, start, kind)
        if not chosen:
            return
        try:
            save(Path(chosen))
        except OSError as error:
            self._notices.tell(describe_error(error), Severity.WARNING)
        else:
            self._notices.tell(texts.saved_as(chosen))
