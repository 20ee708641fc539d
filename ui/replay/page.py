"""The page that opens recordings again: the exact frame at once, traces, markers, gaps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import JsonValue
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from thermoseg.files import file_address
from ui.picture.content import PictureContent
from ui.picture.pane import PicturePane
from ui.plots.timeline import Timeline
from ui.plots.traces import TracePlots
from ui.replay.analyses import Analyses
from ui.replay.analyses_panel import AnalysesPanel
from ui.replay.export_panel import ExportPanel
from ui.replay.exporting import ReplayLook
from ui.replay.info_panel import InfoPanel
from ui.replay.preview import Preview
from ui.replay.recorded_traces import RecordedTraces
from ui.replay.recordings import Recordings
from ui.replay.recordings_panel import RecordingsPanel
from ui.replay.reopening import Reopening
from ui.replay.replay_controller import ReplayController
from ui.replay.replay_state import ReplayState
from ui.replay.side_panels import SidePanels
from ui.replay.transport import Transport
from ui.shell.defects import describe_error
from ui.shell.eliding import eliding_label, say
from ui.shell.notices import Severity
from ui.shell.page import Page, Surroundings
from ui.shell.preferences import Preference
from ui.shell.scrolled import Scrolled
from ui.shell.state_page import State, StatePage, failed
from ui.shell.theme import Theme
from ui.texts import replay as texts

Remembered: TypeAlias = Mapping[str, object]
Kept: Final = dict[str, JsonValue]
PICTURE: Final = Preference[Remembered]("replay/picture", Kept, {})
TRACES: Final = Preference[Remembered]("replay/traces", Kept, {"length_s": "whole"})
ACROSS: Final = Preference[list[int]]("replay/across", list[int], [])
DOWN: Final = Preference[list[int]]("replay/down", list[int], [385, 235])

LEAST_PLOTS: Final = 120
"""Pixels at scale 1 that the plots keep in a low window; the rest of them is scrolled to."""


class ReplayPage(Page):
    """Connects one recording with what shows it; stands still while it is not in sight."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.controller: Final = ReplayController(self)
        self._again = Reopening(self.controller, self)
        self.analyses: Final = Analyses(self.controller, surroundings.load_segmenter, self)
        self.recordings: Final = Recordings(surroundings.preferences, self)
        self._preview = Preview(surroundings, self)
        self.other: Final = QPushButton(texts.TO_LIST)
        self.state_page: Final = StatePage(
            State("replay", ""), [self.other], surroundings.notices.copy_details
        )
        self.list: Final = RecordingsPanel(self.recordings, surroundings)
        self.pane: Final = PicturePane()
        self.transport: Final = Transport(self.controller, self)
        self.timeline: Final = Timeline()
        self.plots: Final = TracePlots()
        self.traces: Final = RecordedTraces(
            self.controller, self.plots, self.timeline, self.pane, surroundings.notices
        )
        self.export: Final = ExportPanel(self.controller, surroundings, self.analyses, self._look)
        self.analyses_panel: Final = AnalysesPanel(self.analyses, surroundings)
        self.info: Final = InfoPanel(self.controller)
        self._name = eliding_label()
        self.to_list: Final = QPushButton(texts.TO_LIST)
        self._as_camera = QPushButton(texts.AS_CAMERA)
        self.side: Final = SidePanels(
            self._make_doors(), self.info, self.export, self.analyses_panel
        )
        self._listing = False
        self._failure = ""
        self._build()
        self._connect()
        self._restore()
        self._on_state_changed()

    @property
    def settled(self) -> bool:
        """Whether the frame that was asked for is shown, or there is none; and the list is read."""
        return self.controller.settled and not self.recordings.looking

    @property
    def failure(self) -> str:
        """Why the file cannot be shown; empty if it can, or none is open."""
        return self._failure if self.controller.state is ReplayState.FAILED else ""

    def open(self, path: Path) -> None:
        """Open a recording, or any other file of frames."""
        self._listing = False
        self.controller.open(path.absolute())
        self._show_middle()

    def show_list(self) -> None:
        """Show the list of recordings; the one that is open stays open."""
        self.controller.pause()
        self._listing = True
        self.recordings.look()
        self._show_middle()

    def show_recording(self) -> None:
        """Show the recording that is open again."""
        self._listing = False
        self._show_middle()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        super().set_theme(theme, scale)
        for part in (
            self.state_page,
            self.list,
            self.pane,
            self.transport,
            self.timeline,
            self.plots,
            self.side,
        ):
            part.set_theme(theme, scale)
        self.plots.setMinimumHeight(round(LEAST_PLOTS * scale))
        self._player.setMinimumWidth(self.transport.minimumSizeHint().width())
        gap = round(8 * scale)
        self._layout.setContentsMargins(gap, gap, gap, gap)
        self._layout.setSpacing(gap)

    def remember(self) -> None:
        """Keep what the user set, end what is at work, and close the file."""
        preferences = self.surroundings.preferences
        preferences.set(PICTURE, self.pane.state)
        preferences.set(TRACES, self.plots.state())
        preferences.set(ACROSS, self._across.sizes())
        preferences.set(DOWN, self._down.sizes())
        self.export.queue.close()
        self.analyses.close()
        self.recordings.close()
        self._preview.close()
        self.controller.close()

    def recording_ended(self) -> None:
        """Show the list, and the recording if it is open, as they are now; once in sight."""
        if self.isVisible():
            self._again.look()
            self.recordings.look()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  # Qt's name
        """Go on looking."""
        super().showEvent(event)
        self.controller.wake()
        self._again.look()
        self.recordings.look()
        self.analyses_panel.look_again()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802  # Qt's name
        """Stand still: a hidden page draws and reads nothing."""
        super().hideEvent(event)
        self.controller.rest()

    # What the controller says.

    def _on_state_changed(self) -> None:
        controller, state = self.controller, self.controller.state
        name = "" if controller.path is None else str(controller.path)
        say(self._name, Path(name).name, name)
        if state is ReplayState.OPENING:
            title = texts.opening(Path(name).name)
            self.state_page.show_state(State("replay", title, doors=True))
        if state in (ReplayState.EMPTY, ReplayState.OPENING):
            self.pane.clear()
            self.traces.clear()
            self._preview.forget()
        if state is ReplayState.OPEN:
            self.traces.begin()
        self._show_middle()

    def _show_middle(self) -> None:
        """Show the list, the recording, or what became of it."""
        state = self.controller.state
        is_open = state is ReplayState.OPEN
        shown: QWidget = self._player if is_open else self.state_page
        if state is ReplayState.EMPTY or self._listing:
            shown = self.list
        self._middle.setCurrentWidget(shown)
        self.side.setVisible(shown is self._player)
        self.list.back.setVisible(is_open)

    def _on_failed(self, error: BaseException) -> None:
        if self.controller.state is ReplayState.FAILED:
            self._failure = describe_error(error)
            self.state_page.show_state(failed(self._failure))
            self._show_middle()
        else:
            self.surroundings.notices.tell(describe_error(error), Severity.ERROR)

    def _on_moved(self) -> None:
        decoded = self.controller.shown
        if decoded is None:
            return
        if 0 <= decoded.index < len(self.controller.times_s):
            self.traces.move(self.controller.time_of(decoded.index))
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

    def _look(self) -> ReplayLook:
        return self.pane.settings.palette, self.pane.span.limits

    # What the user does.

    def _on_as_camera(self) -> None:
        path = self.controller.path
        if path is not None:
            self.surroundings.open_address(file_address(path))

    # Building.

    def _build(self) -> None:
        above = QFrame()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pane, 1)
        column.addWidget(self.transport)
        column.addWidget(self.timeline)
        self._down = _splitter(Qt.Orientation.Vertical, above, self.plots, (3, 1))
        self._middle = QStackedWidget()
        self._player = Scrolled(self._down)
        for widget in (self.list, self.state_page, self._player):
            self._middle.addWidget(widget)
        self._across = _splitter(Qt.Orientation.Horizontal, self._middle, self.side, (3, 1))
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self._across, 1)

    def _make_doors(self) -> QWidget:
        """Return the name of the recording and the ways to others."""
        for button in (self.to_list, self.other):
            button.setToolTip(texts.TO_LIST_TIP)
        self.to_list.clicked.connect(self.show_list)
        open_button = QPushButton(texts.OPEN)
        open_button.setToolTip(texts.OPEN_TIP)
        open_button.clicked.connect(self.surroundings.choose_file)
        self._as_camera.setToolTip(texts.AS_CAMERA_TIP)
        self._as_camera.clicked.connect(self._on_as_camera)
        ways, what = QHBoxLayout(), QHBoxLayout()
        for button in (self.to_list, open_button):
            ways.addWidget(button, 1)
        what.addWidget(self._name, 1)
        what.addWidget(self._as_camera)
        doors = QWidget()
        column = QVBoxLayout(doors)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(ways)
        column.addLayout(what)
        return doors

    def _connect(self) -> None:
        controller = self.controller
        controller.state_changed.connect(self._on_state_changed)
        controller.failed.connect(self._on_failed)
        controller.moved.connect(self._on_moved)
        self.analyses.compared.connect(self.traces.compare)
        self.export.asked.connect(self._again.look)
        self.other.clicked.connect(self.show_list)
        self.list.back.clicked.connect(self.show_recording)
        self.list.opened.connect(self.open)
        self._preview.ready.connect(self._draw)
        for name in ("mask", "outlines", "palette", "smooth"):
            self.addAction(self.pane.actions_by_name[name])

    def _restore(self) -> None:
        preferences = self.surroundings.preferences
        self.pane.actions_by_name["freeze"].setVisible(False)  # it stands still as it is
        self.pane.restore(preferences.get(PICTURE))
        traces = preferences.get(TRACES)
        self.plots.restore({"length_s": "whole", **traces})
        for splitter, sizes in (
            (self._across, preferences.get(ACROSS)),
            (self._down, preferences.get(DOWN)),
        ):
            if len(sizes) == 2 and all(0 < size < 100_000 for size in sizes):
                splitter.setSizes(sizes)


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
