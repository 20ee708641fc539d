"""Temperatures over time: nostrils, perinasal region and drawn regions, live or of a recording."""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from thermoseg.traces import TraceWindow
from ui.plots.axes import say_moment, say_period
from ui.plots.band_legend import BandLegend
from ui.plots.board import Board
from ui.plots.column import FACE_TRACES, STALE_S, PlotColumn
from ui.plots.look import Look, Scale, ToUnit
from ui.plots.marks import PlotMarker
from ui.plots.plot_tools import PlotTools
from ui.plots.readouts import ReadoutRow, Readouts, ScrollSide
from ui.plots.saving import save_picture, save_table
from ui.plots.time_window import REMEMBERED_WHOLE, WHOLE, TimeWindow, remembered_length
from ui.plots.trace_store import TraceSource, TraceStore
from ui.shell.scrolled import Scrolled
from ui.shell.theme import DARK, Theme, pad
from ui.texts import plots as texts

REDRAW_PX: Final = 1.0
"""Live plots are drawn anew once they have to move by so many pixels."""
READ_S: Final = 0.2
"""Numbers that change more often cannot be read."""


class TracePlots(QFrame):
    """Plots above each other with their values beside; knows no session and no thread."""

    time_clicked = pyqtSignal(float)
    """The user clicked a moment, seconds: a recording goes there."""
    picture_asked = pyqtSignal()
    """The user wants the plots as a picture; answer with `save_picture`."""
    table_asked = pyqtSignal()
    """The user wants the values as a table; answer with `save_table`."""
    state_changed = pyqtSignal()
    """The user changed what `state` returns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._store = TraceStore()
        self._window = TimeWindow()
        self._rois: tuple[str, ...] = ()
        self._hidden: set[str] = set()
        self._markers: tuple[PlotMarker, ...] = ()
        self._look = Look(DARK, 1.0)
        self._colours: dict[str, str] = {}
        self._scale = Scale()
        self._wall_offset_s = nan
        self._absent = ""
        self._recorded = False
        self._now_s = nan
        self._drawn_s = (nan, nan)
        self._build()
        self._make_rows()
        self.clear()

    def show_live(self, source: TraceSource, now_s: float, wall_offset_s: float = nan) -> None:
        """Take what is new from a running session and draw it; called some 15 times a second.

        Parameters
        ----------
        now_s
            Time at the right border, `Frame.time_s` of the newest frame.
        wall_offset_s
            Seconds since 1970 UTC at which `time_s` was 0; NaN if unknown.
        """
        if self._is_too_early(now_s):
            return
        first = self._recorded or not isfinite(self._store.bounds[0])
        if self._recorded:
            self.clear()
        restarted = self._store.pull(source, self._regions())
        begin_s, _ = self._store.bounds
        if not isfinite(begin_s):
            return
        self._wall_offset_s, self._now_s = wall_offset_s, now_s
        self._window.set_bounds(begin_s, now_s)
        if first or restarted:
            self._window.follow()
            self._enter()
        elif not self._window.follows:
            self._show_values()
        elif self._has_moved():
            self._draw()
        else:
            self._show_values()

    def show_recorded(
        self, windows: Mapping[str, TraceWindow], end_s: float, wall_offset_s: float = nan
    ) -> None:
        """Show the traces of a recording in place of everything else.

        Parameters
        ----------
        end_s
            Time of the last frame, which may be later than that of the last sample.
        """
        self._store.load(windows)
        self._show_whole(end_s, wall_offset_s)

    def set_compared(
        self,
        new: Mapping[str, TraceWindow],
        stored: Mapping[str, TraceWindow],
        end_s: float,
        wall_offset_s: float = nan,
    ) -> None:
        """Show two analyses of a recording over each other, and their difference below."""
        self._store.compare(new, stored)
        self._show_whole(end_s, wall_offset_s)

    def clear(self, sentence: str = texts.EMPTY) -> None:
        """Show no samples, but a sentence that says why there are none."""
        self._store.clear()
        self._recorded, self._now_s = False, nan
        self._board.moment.cursor_s = None
        self._window.set_cursor(None)
        self._markers = ()
        self._sentence.setText(sentence)
        self._pages.setCurrentWidget(self._sentence)
        for part in self._around_plots:
            part.hide()

    def set_cursor(self, time_s: float | None) -> None:
        """Draw a line at the played moment of a recording, seconds."""
        self._board.moment.cursor_s = time_s
        self._window.set_cursor(time_s)
        if self._window.shown == self._drawn_s:
            self._board.repaint_marks()
            self._show_values()
        else:
            self._draw()

    def set_markers(self, markers: Sequence[PlotMarker]) -> None:
        """Draw these markers, ordered by time, in place of those before."""
        if tuple(markers) != self._markers:
            self._markers = tuple(markers)
            self._draw()

    def set_rois(self, names: Sequence[str]) -> None:
        """Show drawn regions of these names too, in a plot of their own."""
        if tuple(names) != self._rois:
            self._rois = tuple(names)
            self._make_rows()

    def set_absent(self, reason: str) -> None:
        """Say why there are no samples now, such as “camera lost”; empty if there are."""
        self._absent = reason
        self._show_values()

    def set_unit(self, to_unit: ToUnit) -> None:
        """Show temperatures in another unit than °C."""
        self._scale = Scale.of(to_unit)
        self._dress()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        pad(self, scale, dense=True)
        self._look = Look(theme, scale)
        self._dress()

    def state(self) -> dict[str, object]:
        """Return what should be remembered; `restore` takes it."""
        length_s = self._window.length_s
        return {
            "length_s": REMEMBERED_WHOLE if length_s == WHOLE else round(length_s, 3),
            "hidden": sorted(self._hidden),
            "follows": self._window.follows,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take remembered values; each that is missing or unfit leaves what is there.

        Live plots follow from their first sample on in any case.
        """
        length_s = remembered_length(state.get("length_s"))
        if length_s is not None:
            self._window.set_length(length_s)
        hidden = state.get("hidden")
        if isinstance(hidden, list | tuple) and all(isinstance(name, str) for name in hidden):
            self._hidden = set(hidden)
        follows = state.get("follows")
        if isinstance(follows, bool):
            self._window.set_following(follows)
        self._make_rows()

    def save_picture(self, path: Path) -> None:
        """Write the plots as they are seen, with names, values and the time, as a PNG.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there is intact.
        """
        begin_s, end_s = self._window.shown
        period = say_period(max(begin_s, 0.0), end_s, self._wall_offset_s)
        parts = (self._pages, self._side, self._legend)
        save_picture(parts, f"{texts.TRACES} · {period}", self._look, path)

    def save_table(self, path: Path) -> None:
        """Write every sample that is in sight, a column for each trace that is shown, as a CSV.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there is intact.
        """
        columns = self._store.columns(self._shown_regions())
        save_table(columns, self._window.shown, self._wall_offset_s, self._scale, path)

    def _build(self) -> None:
        self._tools = PlotTools()
        self._board = Board()
        self._column = PlotColumn(self._board)
        self._readouts = Readouts()
        self._legend = BandLegend()
        self._board.setAccessibleName(texts.TRACES)
        self._board.setAccessibleDescription(texts.TRACES_TIP)
        self._sentence = QLabel(texts.EMPTY)
        self._nothing = QLabel(texts.NOTHING_SHOWN)
        self._pages = QStackedWidget()
        self._room = Scrolled(self._board)
        self._pages.addWidget(self._room)
        for label in (self._sentence, self._nothing):
            label.setProperty("role", "muted")
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._pages.addWidget(label)
        self._side = ScrollSide(self._readouts)
        middle = QHBoxLayout()
        middle.setSpacing(8)
        middle.addWidget(self._pages, 1)
        middle.addWidget(self._side, 1)
        layout = QVBoxLayout(self)
        above = QHBoxLayout()
        above.setSpacing(10)
        above.addWidget(self._legend, 1)
        above.addWidget(self._tools)
        layout.setSpacing(2)
        layout.addLayout(above)
        layout.addLayout(middle, 1)
        self._around_plots = (self._tools, self._side, self._legend)
        self._connect()

    def _connect(self) -> None:
        tools, board = self._tools, self._board
        tools.stepped.connect(self._on_stepped)
        tools.length_chosen.connect(self._on_length_chosen)
        tools.follow_chosen.connect(self._on_follow_chosen)
        tools.picture_asked.connect(self.picture_asked)
        tools.table_asked.connect(self.table_asked)
        board.panned.connect(self._on_panned)
        board.zoomed.connect(self._on_zoomed)
        board.clicked.connect(self.time_clicked)
        board.pointed.connect(self._show_values)
        board.resized.connect(self._draw)

    def _regions(self) -> tuple[str, ...]:
        return (*FACE_TRACES, *self._rois)

    def _shown_regions(self) -> list[str]:
        return [region for region in self._regions() if region not in self._hidden]

    def _make_rows(self) -> None:
        """Make a row for each trace, and the plots."""
        rows = {}
        for region in self._regions():
            row = ReadoutRow(texts.REGIONS.get(region, region))
            row.button.setChecked(region not in self._hidden)
            row.switched.connect(lambda on, region=region: self._on_switched(region, on))
            rows[region] = row
        self._readouts.set_rows(rows)
        self._make_plots()

    def _make_plots(self) -> None:
        compared = bool(self._store.stored)
        self._readouts.set_compared(compared)
        self._column.build(self._rois, self._shown_regions(), compared=compared)
        if self._pages.currentWidget() is not self._sentence:
            self._pages.setCurrentWidget(self._room if self._board.plots else self._nothing)
        self._dress()

    def _dress(self) -> None:
        """Give every part its colours, sizes and unit."""
        look, rois = self._look, self._rois
        self._colours = {name: look.trace_colour(name, rois) for name in self._regions()}
        self._tools.set_look(look)
        self._readouts.set_look(look, self._colours)
        self._legend.set_look(look)
        self._side.fit(look.scale)
        self._column.dress(look, self._scale, self._colours)
        self._draw()

    def _enter(self) -> None:
        """Show plots where there was a sentence."""
        self._tools.set_recorded(self._recorded)
        for part in self._around_plots:
            part.show()
        self._pages.setCurrentWidget(self._room)
        self._make_plots()

    def _show_whole(self, end_s: float, wall_offset_s: float) -> None:
        begin_s, last_s = self._store.bounds
        if not isfinite(begin_s):
            self.clear()
            return
        self._recorded, self._wall_offset_s, self._now_s = True, wall_offset_s, nan
        cursor_s = self._board.moment.cursor_s
        self._window.set_cursor(begin_s if cursor_s is None else cursor_s)
        self._window.set_bounds(min(begin_s, 0.0), max(end_s, last_s))
        self._enter()

    @property
    def _pixel_s(self) -> float:
        begin_s, end_s = self._window.shown
        return (end_s - begin_s) / self._board.plot_width

    def _is_too_early(self, now_s: float) -> bool:
        """Tell whether neither plots nor numbers would change since the last look."""
        least_s = min(READ_S, REDRAW_PX * self._pixel_s) if self._window.follows else READ_S
        return not self._recorded and 0 <= now_s - self._now_s < least_s

    def _has_moved(self) -> bool:
        """Tell whether a drawing would differ from the last one by a pixel."""
        moved_s = abs(self._window.shown[1] - self._drawn_s[1])
        return not moved_s < REDRAW_PX * self._pixel_s

    def _draw(self) -> None:
        """Draw what the window shows now."""
        if self._pages.currentWidget() is self._sentence:
            return
        self._drawn_s = self._window.shown
        bands, kinds = self._column.draw(self._store, self._drawn_s, self._now_s, self._markers)
        self._legend.show_entries(bands, kinds, compared=bool(self._store.stored))
        self._tools.show_window(self._window.length_s, self._window.follows)
        self._show_values()

    def _show_values(self) -> None:
        """Write the values under the pointer, of the played moment, or of now."""
        moment = self._board.moment
        at_s = moment.pointed_s
        if at_s is None:
            at_s = moment.cursor_s if self._recorded else None
        said = texts.NOW if at_s is None else say_moment(at_s, self._wall_offset_s)
        self._readouts.say_moment(said)
        for region, row in self._readouts.rows.items():
            trace = self._store.new.get(region)
            value_c, reason = nan, texts.WAITING
            if trace is not None and at_s is not None:
                value_c, reason = trace.at(at_s)
            elif self._absent:
                reason = self._absent
            elif trace is not None and self._now_s - trace.end_s <= STALE_S:
                value_c, reason = trace.newest_c, trace.newest_reason
            row.show_value(value_c, reason, self._scale)
            changed = self._store.difference.get(region)
            if changed is not None and at_s is not None:
                row.show_difference(changed.at(at_s)[0], self._scale)
        self._column.point(self._store, self._look, self._colours)

    # What the user does.

    def _on_switched(self, region: str, on: bool) -> None:
        self._hidden.symmetric_difference_update({region} if on == (region in self._hidden) else ())
        self._make_plots()
        self.state_changed.emit()

    def _on_stepped(self, direction: int) -> None:
        begin_s, end_s = self._window.shown
        self._on_panned(direction * (end_s - begin_s) / 2)

    def _on_panned(self, seconds: float) -> None:
        self._window.pan(seconds)
        self._draw()
        self.state_changed.emit()

    def _on_zoomed(self, factor: float, at_s: float) -> None:
        self._window.zoom(factor, at_s)
        self._draw()
        self.state_changed.emit()

    def _on_length_chosen(self, seconds: float) -> None:
        self._window.set_length(seconds)
        self._draw()
        self.state_changed.emit()

    def _on_follow_chosen(self, follow: bool) -> None:
        self._window.set_following(follow)
        self._draw()
        self.state_changed.emit()
