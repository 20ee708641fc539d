"""The page that watches a camera and records it: picture first, everything else around it."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import Field, JsonValue
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QPixmap
from PyQt6.QtWidgets import QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from thermoseg.errors import ConfigError
from thermoseg.models import ModelFile
from ui.live.addresses import address_of
from ui.live.correction_desk import CorrectionDesk
from ui.live.live_traces import LiveTraces
from ui.live.pairing import Pairing
from ui.live.recorder_desk import RecorderDesk
from ui.live.session_controller import CameraState, SessionController
from ui.live.side_panels import SidePanels
from ui.live.source_bar import SourceBar
from ui.live.state_texts import describe_note, describe_stale
from ui.picture.content import PictureContent
from ui.picture.pane import PicturePane
from ui.plots.traces import TracePlots
from ui.shell.defects import capitalised, describe_error
from ui.shell.notices import Severity
from ui.shell.page import Page, Surroundings
from ui.shell.preferences import PathText, Preference
from ui.shell.state_page import State, StatePage, failed
from ui.shell.theme import Theme
from ui.texts import live as texts

log = logging.getLogger(__name__)

SIMULATED: Final = "simulated:"
TRACES_EVERY: Final = 2
"""Ticks between two drawings of the traces: 15 per second scroll smoothly."""
APART_MS: Final = 11
"""Time between drawing the picture, the traces and the numbers: a third of a tick each."""
NUMBERS_EVERY: Final = 8
"""Ticks between two writings of numbers: four per second can be read."""
MOST_RECENT: Final = 10
"""Sources that are offered again."""

DOWN_SHARES: Final = [65_000, 35_000]
"""Height of picture and traces before the user has moved what is between them."""

Remembered: TypeAlias = Mapping[str, object]
Kept: Final = dict[str, JsonValue]
RECENT: Final = Preference[list[str]](
    "live/recent", Annotated[list[PathText], Field(max_length=MOST_RECENT)], []
)
PICTURE: Final = Preference[Remembered]("live/picture", Kept, {})
TRACES: Final = Preference[Remembered]("live/traces", Kept, {})
ACROSS: Final = Preference[list[int]]("live/across", list[int], [])
DOWN: Final = Preference[list[int]]("live/down", list[int], [])
NO_CAMERA: Final = State("camera", texts.CHOOSE_CAMERA, texts.CHOOSE_CAMERA_HOW, doors=True)


class LivePage(Page):
    """Connects the session with what shows it; draws only while it is in sight."""

    def __init__(self, controller: SessionController, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.controller: Final = controller
        self._pairing = Pairing()
        self._ticks = 0
        self._jpeg: bytes | None = None
        self._failure = ""
        self._models: list[ModelFile] = []
        self.source: Final = SourceBar()
        self._simulation = QPushButton(texts.USE_SIMULATION)
        self._file = QPushButton(texts.USE_FILE)
        self.state_page: Final = StatePage(
            NO_CAMERA, [self._simulation, self._file], surroundings.notices.copy_details
        )
        self.pane: Final = PicturePane()
        self.plots: Final = TracePlots()
        self.desk: Final = RecorderDesk(controller, surroundings, self.pane, self)
        self.side: Final = SidePanels(self.desk)
        self._corrections = CorrectionDesk(controller, self.desk.study, self.source, surroundings)
        self._traces = LiveTraces(controller, self.plots, self.pane, surroundings.notices)
        self._build()
        self._connect()
        self._add_keys()
        self._restore()
        self._show_state(controller.state)

    @property
    def settled(self) -> bool:
        """Whether a picture is shown, or none is to come."""
        shown = self._stack.currentWidget() is self.pane
        return shown or not self.controller.state.busy

    @property
    def failure(self) -> str:
        """Why the camera cannot be shown; empty if it can, or none is open."""
        return self._failure if self.controller.state is CameraState.FAILED else ""

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        super().set_theme(theme, scale)
        for part in (self.source, self.state_page, self.pane, self.plots, self.side):
            part.set_theme(theme, scale)
        gap = round(8 * scale)
        self._layout.setContentsMargins(gap, gap, gap, gap)
        self._layout.setSpacing(gap)

    def remember(self) -> None:
        """Keep what the user set."""
        preferences = self.surroundings.preferences
        preferences.set(PICTURE, self.pane.state)
        preferences.set(TRACES, self.plots.state())
        preferences.set(ACROSS, self._across.sizes())
        preferences.set(DOWN, self._down.sizes())
        self.desk.close()

    def open(self, address: str, record_to: Path | None = None) -> None:
        """Open a camera or file, after asking if that would end a recording."""
        address = address_of(address)
        self.surroundings.before_ending(texts.OPEN_ANOTHER, lambda: self._start(address, record_to))

    def record(self) -> None:
        """Begin a recording, after what has to be asked."""
        self.desk.record()

    def record_at_once(self) -> None:
        """Begin a recording without a question, as another program wants it.

        Raises
        ------
        ConfigError
            If a field of the sitting is missing or unfit.
        """
        self.desk.record_at_once()

    def mark(self) -> None:
        """Mark this moment with the first marker."""
        self.desk.mark(0)

    # What the session says.

    def _on_ticked(self) -> None:
        if not self.isVisible():
            return
        self._ticks += 1
        self._draw_picture()
        # Each in a turn of its own, so that what else the window has to do comes in between.
        if self._ticks % TRACES_EVERY == 0:
            QTimer.singleShot(APART_MS, self._draw_traces)
        if self._ticks % NUMBERS_EVERY == 1:
            QTimer.singleShot(2 * APART_MS, self._write_numbers)

    def _draw_traces(self) -> None:
        if self.isVisible():
            self._traces.draw()

    def _on_state_changed(self, state: CameraState) -> None:
        if state is CameraState.OPENING:
            self._failure = ""
            self._forget()
        elif state in (CameraState.ENDED, CameraState.FAILED) and self.isVisible():
            self._draw_picture()
            self._traces.draw()
            self._write_numbers()
        self._show_state(state)

    def _on_failed(self, error: BaseException) -> None:
        self._failure = describe_error(error)
        self.state_page.show_state(failed(self._failure))
        if self.state_page.isVisible():
            log.error("%s", self._failure)
        else:
            self.surroundings.notices.tell(self._failure, Severity.ERROR)

    def _on_models_found(self, files: list[ModelFile]) -> None:
        self._models = files
        self.source.show_models(files, self.controller.models.choice)

    # What the user does.

    def _start(self, address: str, record_to: Path | None) -> None:
        self.source.set_address(address)
        recent = [address, *(each for each in self._recent() if each != address)][:MOST_RECENT]
        self.surroundings.preferences.set(RECENT, recent)
        self.source.show_recent(recent)
        self.controller.start(address, record_to)

    def _on_study_worn(self, address: str) -> None:
        """Offer the camera of the study; one that is open stays open."""
        if address and not self.controller.state.busy:
            self.source.set_address(address)

    def _on_stop_requested(self) -> None:
        self.surroundings.before_ending(texts.CLOSE_CAMERA, self.controller.stop)

    def _on_action_requested(self, name: str) -> None:
        session = self.controller.session
        if session is not None:
            session.perform(name)

    def _on_scene_chosen(self, emissivity: float, reflected_c: float) -> None:
        session = self.controller.session
        if session is None:
            return
        try:
            session.set_scene(emissivity=emissivity, reflected_c=reflected_c)
        except ConfigError as error:
            self.surroundings.notices.tell(describe_error(error), Severity.WARNING)

    def _on_face_clicked(self, x_px: float, y_px: float) -> None:
        session = self.controller.session
        if session is not None:
            session.choose_face(x_px, y_px)

    # Drawing.

    def _draw_picture(self) -> None:
        view = self.controller.view
        if view.frame is None:
            return
        shown = self._pairing.choose(view.frame, view.result)
        result = shown.result
        content = PictureContent(shown.frame, behind_s=shown.behind_s)
        if result is not None:
            segmentation = result.segmentation
            content = PictureContent(
                shown.frame,
                labels=segmentation.labels,
                rois=None if result.rois is None else result.rois.masks,
                face=result.face,
                others=result.other_faces,
                confidence=segmentation.confidence,
                samples={sample.region: sample for sample in result.samples},
                behind_s=shown.behind_s,
            )
        self.pane.show_content(content)
        if self._stack.currentWidget() is not self.pane:
            self._stack.setCurrentWidget(self.pane)

    def _write_numbers(self) -> None:
        state, view = self.controller.state, self.controller.view
        if state.open and view.frame is None:
            title = describe_stale(view) or texts.WAITING
            reason = capitalised(view.lost) or texts.WAITING_FOR
            self.state_page.show_state(State("camera", title, reason, busy=True))
        self.pane.set_stale(describe_stale(view) if state is CameraState.LOST else "")
        self.pane.set_note(describe_note(state, view))
        self.source.show_actions(view.actions if state.open else ())
        self.side.show_view(view)
        self._traces.write()
        self._show_photograph()

    def _show_photograph(self) -> None:
        """Decode the camera's visible picture, if there is a new one."""
        jpeg = self.controller.view.visible_jpeg
        if jpeg is not self._jpeg:
            self._jpeg = jpeg
            photograph = QPixmap()
            if jpeg is not None:
                photograph.loadFromData(jpeg)
            self.pane.set_photograph(photograph)

    def _show_state(self, state: CameraState) -> None:
        view = self.controller.view
        self.source.show_state(state)
        self.source.show_models(self._models, self.controller.models.choice)
        self.side.show_state(state)
        if state is CameraState.IDLE:
            self.state_page.show_state(NO_CAMERA)
        elif state is CameraState.OPENING:
            title = texts.opening(self.controller.address)
            self.state_page.show_state(State("camera", title, texts.OPENING_TAKES, busy=True))
        elif state is CameraState.FAILED:
            self.state_page.show_state(failed(self._failure))
        if view.frame is None:
            self._stack.setCurrentWidget(self.state_page)
        self.pane.set_note(describe_note(state, view))

    def _forget(self) -> None:
        """Show nothing of the session before."""
        self.pane.clear()
        self._traces.clear()
        self.side.clear()
        self._pairing = Pairing()
        self._jpeg = None
        self._ticks = 0

    # Building.

    def _build(self) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.state_page)
        self._stack.addWidget(self.pane)
        self._down = _splitter(Qt.Orientation.Vertical, self._stack, self.plots, (3, 2))
        self._across = _splitter(Qt.Orientation.Horizontal, self._down, self.side, (3, 1))
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self.source)
        self._layout.addWidget(self._across, 1)

    def _connect(self) -> None:
        controller, source = self.controller, self.source
        controller.ticked.connect(self._on_ticked)
        controller.state_changed.connect(self._on_state_changed)
        controller.failed.connect(self._on_failed)
        controller.cameras_found.connect(source.show_cameras)
        controller.cameras_found.connect(self.side.lacking.show_cameras)
        source.lacking_requested.connect(self.side.show_lacking)
        controller.models.found.connect(self._on_models_found)
        controller.models.changed.connect(
            lambda: source.show_models(self._models, controller.models.choice)
        )
        source.start_requested.connect(self.open)
        source.stop_requested.connect(self._on_stop_requested)
        source.scan_requested.connect(controller.find_cameras)
        source.file_requested.connect(self.surroundings.choose_file)
        source.model_chosen.connect(controller.models.choose)
        source.model_file_requested.connect(self.surroundings.choose_file)
        source.action_requested.connect(self._on_action_requested)
        source.options_requested.connect(
            lambda shown: self.side.show_options(source.address if shown else None)
        )
        self.side.options_applied.connect(self.open)
        self.desk.study_worn.connect(self._on_study_worn)
        self.side.scene.chosen.connect(self._on_scene_chosen)
        self._file.clicked.connect(self.surroundings.choose_file)
        self._simulation.clicked.connect(lambda: self.open(SIMULATED))
        self.pane.face_clicked.connect(self._on_face_clicked)

    def _add_keys(self) -> None:
        for number in range(9):
            self.add_key(
                texts.marker_key(number + 1),
                str(number + 1),
                partial(self.desk.mark, number),
            )
        self.add_key(texts.FLAT_FIELD, "C", self._corrections.flat_field)
        for action in self.pane.actions_by_name.by_name.values():
            self.addAction(action)

    def _restore(self) -> None:
        preferences = self.surroundings.preferences
        self.pane.restore(preferences.get(PICTURE))
        self.plots.restore(preferences.get(TRACES))
        self._down.setSizes(DOWN_SHARES)
        for splitter, sizes in (
            (self._across, preferences.get(ACROSS)),
            (self._down, preferences.get(DOWN)),
        ):
            if len(sizes) == 2 and all(0 < size < 100_000 for size in sizes):
                splitter.setSizes(sizes)
        recent = self._recent()
        self.source.show_recent(recent)
        self.source.set_address(recent[0] if recent else "")

    def _recent(self) -> list[str]:
        return self.surroundings.preferences.get(RECENT)


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
