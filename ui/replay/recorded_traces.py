"""Gives plots and timeline what a recording or one of its analyses says."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QFileDialog

from thermoseg.traces import TraceWindow
from ui.picture.pane import PicturePane
from ui.plots.marks import PlotMarker
from ui.plots.timeline import Timeline
from ui.plots.traces import TracePlots
from ui.replay.replay_controller import ReplayController
from ui.replay.session_tables import SessionTables
from ui.shell.defects import describe_error
from ui.shell.notices import Notices, Severity
from ui.texts import replay as texts

PNG: Final = "PNG (*.png)"
CSV: Final = "CSV (*.csv)"


class RecordedTraces(QObject):
    """Follows the tables of the recording that is open, and the place where one is."""

    def __init__(
        self,
        controller: ReplayController,
        plots: TracePlots,
        timeline: Timeline,
        pane: PicturePane,
        notices: Notices,
    ) -> None:
        super().__init__(plots)
        self._controller = controller
        self._plots = plots
        self._timeline = timeline
        self._pane = pane
        self._notices = notices
        controller.tables_read.connect(self._on_tables)
        controller.playing_changed.connect(self._show_selection)
        timeline.position_changed.connect(controller.seek_time)
        timeline.selection_changed.connect(self._on_selected)
        plots.time_clicked.connect(controller.seek_time)
        plots.picture_asked.connect(self._on_picture_asked)
        plots.table_asked.connect(self._on_table_asked)
        pane.settings_changed.connect(self._give_unit)
        self._give_unit()

    def clear(self) -> None:
        """Show nothing of the recording before."""
        self._plots.clear(texts.READING_TRACES)
        self._timeline.clear()

    def begin(self) -> None:
        """Show how long the recording is; what else it says is still being read."""
        if self._controller.session is None:
            self._plots.clear(texts.NO_TRACES)
        self._timeline.show_recording(self._controller.length_s)

    def move(self, time_s: float) -> None:
        """Show the moment that is seen, seconds since the first frame."""
        self._timeline.set_position(time_s)
        self._plots.set_cursor(time_s)

    def compare(self, new: Mapping[str, TraceWindow] | None) -> None:
        """Show the traces of an analysis over the stored ones; None for the stored ones alone."""
        tables = self._controller.tables
        if tables is None:
            return
        length_s = self._controller.length_s
        if new is None and not tables.traces:
            self._plots.clear(texts.NO_TRACES)
        elif new is None:
            self._plots.show_recorded(tables.traces, length_s, tables.wall_offset_s)
        else:
            self._plots.set_compared(new, tables.traces, length_s, tables.wall_offset_s)

    def _on_tables(self, tables: SessionTables) -> None:
        markers = [
            PlotMarker(marker.begin_s, marker.label, marker.kind, _length(marker.duration_s))
            for marker in tables.markers
        ]
        markers.sort(key=lambda marker: marker.time_s)
        self._plots.set_rois([name for name in tables.drawn if name in tables.traces])
        self.compare(None)
        self._plots.set_markers(markers)
        self._timeline.show_recording(
            self._controller.length_s, tables.overview, wall_offset_s=tables.wall_offset_s
        )
        self._timeline.set_markers(markers)
        self._show_selection()
        shown = self._controller.shown
        if shown is not None:
            self.move(self._controller.time_of(shown.index))

    def _show_selection(self) -> None:
        controller, selection = self._controller, self._controller.selection
        if selection is None:
            self._timeline.set_selection(None)
        else:
            first, last = selection
            self._timeline.set_selection((controller.time_of(first), controller.time_of(last)))

    def _on_selected(self, span_s: tuple[float, float] | None) -> None:
        controller = self._controller
        if span_s is None:
            controller.select(None)
        else:
            controller.select((controller.frame_at(span_s[0]), controller.frame_at(span_s[1])))

    def _give_unit(self) -> None:
        unit = self._pane.settings.unit
        self._plots.set_unit(lambda celsius: (unit.of(celsius), unit.value))

    def _on_picture_asked(self) -> None:
        self._save(texts.SAVE_PLOTS, ".png", PNG, self._plots.save_picture)

    def _on_table_asked(self) -> None:
        self._save(texts.SAVE_TABLE, ".csv", CSV, self._plots.save_table)

    def _save(self, title: str, suffix: str, kind: str, save: Callable[[Path], None]) -> None:
        path = self._controller.path
        start = Path.home() / "traces" if path is None else path.with_name(f"{path.stem}_traces")
        chosen, _ = QFileDialog.getSaveFileName(self._plots, title, f"{start}{suffix}", kind)
        if not chosen:
            return
        try:
            save(Path(chosen))
        except OSError as error:
            self._notices.tell(describe_error(error), Severity.WARNING)
        else:
            self._notices.tell(texts.saved_as(chosen))


def _length(duration_s: float) -> float:
    """Return the length to be drawn; nobody knows where a condition ends that was not ended."""
    return duration_s if duration_s > 0 else 0.0
