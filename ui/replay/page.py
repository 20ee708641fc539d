"""The page that opens recordings again: the exact frame at once, traces, markers, gaps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import JsonValue
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from thermoseg.files import file_address
from ui.picture.content import PictureContent
from ui.picture.pane import PicturePane
from ui.plots.marks import PlotMarker
from ui.plots.timeline import Timeline
from ui.plots.traces import TracePlots
from ui.replay.preview import Preview
from ui.replay.replay_controller import ReplayController, ReplayState, SessionTables
from ui.replay.side_panels import SidePanels
from ui.replay.state_page import StatePage
from ui.replay.transport import Transport
from ui.shell.defects import describe_error
from ui.shell.eliding import eliding_label, say
from ui.shell.page import Page, Surroundings
from ui.shell.preferences import Preference
from ui.shell.theme import Theme
from ui.texts import replay as texts

Remembered: TypeAlias = Mapping[str, object]
Kept: Final = dict[str, JsonValue]
PICTURE: Final = Preference[Remembered]("replay/picture", Kept, {})
TRACES: Final = Preference[Remembered]("replay/traces", Kept, {})
ACROSS: Final = Preference[list[int]]("replay/across", list[int], [])
DOWN: Final = Preference[list[int]]("replay/down", list[int], [])


class ReplayPage(Page):
    """Connects one recording with what shows it; stands still while it is not in sight."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.controller: Final = ReplayController(self)
        self._preview = Preview(surroundings, self)
        self.state_page: Final = StatePage()
        self.pane: Final = PicturePane()
        self.transport: Final = Transport(self.controller, self)
        self.timeline: Final = Timeline()
        self.plots: Final = TracePlots()
        self.side: Final = SidePanels(self.controller, surroundings)
        self._name = eliding_label()
        self._build()
        self._connect()
        self._restore()
        self._on_state_changed()

    @property
    def settled(self) -> bool:
        """Whether the frame that was asked for is shown, or there is none."""
        return self.controller.settled

    def open(self, path: Path) -> None:
        """Open a recording, or any other file of frames."""
        self.controller.open(path)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        super().set_theme(theme, scale)
        for part in (
            self.state_page,
            self.pane,
            self.transport,
            self.timeline,
            self.plots,
            self.side,
        ):
            part.set_theme(theme, scale)
        gap = round(8 * scale)
        self._layout.setContentsMargins(gap, gap, gap, gap)
        self._layout.setSpacing(gap)

    def remember(self) -> None:
        """Keep what the user set, and close the file."""
        preferences = self.surroundings.preferences
        preferences.set(PICTURE, self.pane.state)
        preferences.set(TRACES, self.plots.state())
        preferences.set(ACROSS, self._across.sizes())
        preferences.set(DOWN, self._down.sizes())
        self.side.close_jobs()
        self._preview.close()
        self.controller.close()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  # Qt's name
        """Go on looking."""
        super().showEvent(event)
        self.controller.wake()
        self.side.look_again()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802  # Qt's name
        """Stand still: a hidden page draws and reads nothing."""
        super().hideEvent(event)
        self.controller.rest()

    # What the controller says.

    def _on_state_changed(self) -> None:
        controller, state = self.controller, self.controller.state
        name = "" if controller.path is None else str(controller.path)
        say(self._name, name)
        is_open = state is ReplayState.OPEN
        self._as_camera.setEnabled(is_open)
        self._inside.setVisible(is_open)
        self.state_page.setVisible(not is_open)
        if state is ReplayState.EMPTY:
            self.state_page.show_empty()
        elif state is ReplayState.OPENING:
            self.state_page.show_opening(texts.opening(Path(name).name))
        if state in (ReplayState.EMPTY, ReplayState.OPENING):
            self.pane.clear()
            self.plots.clear()
            self.timeline.clear()
            self._preview.forget()
        if is_open:
            self._show_timeline(None)

    def _on_failed(self, error: BaseException) -> None:
        self.state_page.show_failed(describe_error(error))

    def _on_moved(self) -> None:
        decoded = self.controller.shown
        if decoded is None:
            return
        if 0 <= decoded.index < len(self.controller.times_s):
            time_s = self.controller.time_of(decoded.index)
            self.timeline.set_position(time_s)
            self.plots.set_cursor(time_s)
        self.pane.set_note("" if decoded.problem is None else describe_error(decoded.problem))
        if decoded.frame is None:
            return
        if decoded.labels is None and decoded.problem is None:
            self._preview.ask(decoded.frame)
        self._draw()

    def _draw(self) -> None:
        """Draw the frame that is shown, with its own mask or the one that was made for it."""
        decoded = self.controller.shown
        if decoded is None or decoded.frame is None:
            return
        made = self._preview.result_of(decoded.frame)
        samples = {sample.region: sample for sample in decoded.samples}
        content = PictureContent(decoded.frame, labels=decoded.labels, samples=samples)
        if decoded.labels is not None:
            content = PictureContent(
                decoded.frame,
                labels=decoded.labels,
                rois=self._preview.rois_of(decoded.labels),
                samples=samples,
            )
        elif made is not None:
            content = PictureContent(
                decoded.frame,
                labels=made.segmentation.labels,
                rois=None if made.rois is None else made.rois.masks,
                confidence=made.segmentation.confidence,
                face=made.face,
                others=made.other_faces,
                samples={sample.region: sample for sample in made.samples},
            )
        self.pane.show_content(content)

    def _on_tables(self, tables: SessionTables) -> None:
        length_s = self.controller.length_s
        self.plots.set_rois([name for name in tables.traces if name in tables.drawn])
        self.plots.show_recorded(tables.traces, length_s, tables.wall_offset_s)
        self.plots.set_markers(_plot_markers(tables))
        self._show_timeline(tables)
        self._on_moved()

    def _show_timeline(self, tables: SessionTables | None) -> None:
        length_s = self.controller.length_s
        if tables is None:
            self.timeline.show_recording(length_s)
        else:
            self.timeline.show_recording(
                length_s, tables.overview, wall_offset_s=tables.wall_offset_s
            )
            self.timeline.set_markers(_plot_markers(tables))

    def _on_playing_changed(self) -> None:
        controller, selection = self.controller, self.controller.selection
        span = None
        if selection is not None:
            span = controller.time_of(selection[0]), controller.time_of(selection[1])
        self.timeline.set_selection(span)

    # What the user does.

    def _on_selected(self, span_s: tuple[float, float] | None) -> None:
        controller = self.controller
        if span_s is None:
            controller.select(None)
        else:
            first, last = (controller.frame_at(time_s) for time_s in span_s)
            controller.select((first, last))

    def _on_as_camera(self) -> None:
        path = self.controller.path
        if path is not None:
            self.surroundings.open_address(file_address(path))

    # Building.

    def _build(self) -> None:
        open_button = QPushButton(texts.OPEN)
        open_button.clicked.connect(self.surroundings.choose_file)
        self._as_camera = QPushButton(texts.AS_CAMERA)
        self._as_camera.setToolTip(texts.AS_CAMERA_TIP)
        self._as_camera.clicked.connect(self._on_as_camera)
        top = QHBoxLayout()
        top.addWidget(open_button)
        top.addWidget(self._name, 1)
        top.addWidget(self._as_camera)
        above = QFrame()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pane, 1)
        column.addWidget(self.transport)
        column.addWidget(self.timeline)
        self._down = _splitter(Qt.Orientation.Vertical, above, self.plots, (3, 1))
        self._inside = self._down
        middle = QWidget()
        inside = QVBoxLayout(middle)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._down)
        inside.addWidget(self.state_page)
        self._across = _splitter(Qt.Orientation.Horizontal, middle, self.side, (3, 1))
        self._layout = QVBoxLayout(self)
        self._layout.addLayout(top)
        self._layout.addWidget(self._across, 1)

    def _connect(self) -> None:
        controller = self.controller
        controller.state_changed.connect(self._on_state_changed)
        controller.failed.connect(self._on_failed)
        controller.moved.connect(self._on_moved)
        controller.tables_read.connect(self._on_tables)
        controller.playing_changed.connect(self._on_playing_changed)
        self.timeline.position_changed.connect(controller.seek_time)
        self.timeline.selection_changed.connect(self._on_selected)
        self.plots.time_clicked.connect(controller.seek_time)
        self.state_page.file_requested.connect(self.surroundings.choose_file)
        self._preview.ready.connect(self._draw)
        self.side.opened.connect(self.open)
        for name in ("mask", "outlines", "palette", "smooth"):
            self.addAction(self.pane.actions_by_name[name])

    def _restore(self) -> None:
        preferences = self.surroundings.preferences
        self.pane.restore(preferences.get(PICTURE))
        self.plots.restore(preferences.get(TRACES))
        for splitter, sizes in (
            (self._across, preferences.get(ACROSS)),
            (self._down, preferences.get(DOWN)),
        ):
            if len(sizes) == 2 and all(0 < size < 100_000 for size in sizes):
                splitter.setSizes(sizes)


def _plot_markers(tables: SessionTables) -> list[PlotMarker]:
    return [
        PlotMarker(marker.begin_s, marker.label, marker.kind, marker.duration_s)
        for marker in tables.markers
    ]


def _splitter(
    way: Qt.Orientation, first: QWidget, second: QWidget, shares: tuple[int, int]
) -> QSplitter:
    splitter = QSplitter(way)
    splitter.setChildrenCollapsible(False)
    splitter.setHandleWidth(8)
    for place, (widget, share) in enumerate(zip((first, second), shares, strict=True)):
        splitter.addWidget(widget)
        splitter.setStretchFactor(place, share)
    return splitter
