"""The column beside the picture: recording, markers, temperatures, options, events."""

from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from thermoseg.session_view import SessionView
from ui.live.events_panel import EventsPanel
from ui.live.lacking_panel import LackingPanel
from ui.live.options_panel import OptionsPanel
from ui.live.recorder_desk import RecorderDesk
from ui.live.scene_panel import ScenePanel
from ui.live.session_controller import CameraState
from ui.live.study_form import StudyForm
from ui.shell.section import Section
from ui.shell.theme import Theme
from ui.texts import live as texts

LEAST_WIDTH: Final = 236
"""Pixels at scale 1."""


class SidePanels(QScrollArea):
    """One section below the other; those that are needed once are folded."""

    options_applied = pyqtSignal(str)
    """An address with other options, to be opened."""

    def __init__(self, desk: RecorderDesk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale = 1.0
        self._desk = desk
        self.lacking: Final = LackingPanel()
        self.options: Final = OptionsPanel()
        self.scene: Final = ScenePanel()
        self.events: Final = EventsPanel()
        self.study: Final = StudyForm()
        column = QWidget()
        self._layout = QVBoxLayout(column)
        self._layout.setContentsMargins(0, 0, 4, 0)
        self._sections: dict[str, Section] = {}
        for name, widget, is_open in (
            (texts.LACKING, self.lacking, False),
            (texts.OPTIONS_OF_CAMERA, self.options, False),
            (texts.RECORDING, desk.panel, True),
            (texts.STUDY_SETTINGS, self.study, False),
            (texts.MARKERS, desk.markers, True),
            (texts.TEMPERATURES, self.scene, False),
            (texts.EVENTS, self.events, False),
        ):
            self._add(name, widget, is_open=is_open)
        self._layout.addStretch(1)
        self._sections[texts.LACKING].hide()
        self._sections[texts.OPTIONS_OF_CAMERA].hide()
        self._sections[texts.STUDY_SETTINGS].hide()
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.options.applied.connect(self.options_applied)
        desk.panel.settings_requested.connect(self._show_study)
        desk.study.changed.connect(self._on_study_changed)
        self.study.saved.connect(desk.study.save)
        self.study.taken_over.connect(lambda: self.study.take_over(desk.settings_of_now()))

    @property
    def sections(self) -> list[Section]:
        """All sections, from top to bottom."""
        return list(self._sections.values())

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._scale = scale
        self._layout.setSpacing(round(6 * scale))
        for part in (self.options, self.scene, self._desk.panel, self._desk.markers):
            part.set_theme(theme, scale)
        for section in self._sections.values():
            section.set_theme(theme)
        self.events.setFixedHeight(round(150 * scale))
        self._fit_width()

    def show_options(self, address: str | None) -> None:
        """Show the options of the camera at `address`, or none if None."""
        section = self._sections[texts.OPTIONS_OF_CAMERA]
        section.setVisible(address is not None)
        if address is not None:
            self.options.show_address(address)
            section.expand(animate=False)

    def _show_study(self) -> None:
        study = self._desk.study.study
        section = self._sections[texts.STUDY_SETTINGS]
        section.setVisible(study is not None)
        if study is not None:
            self.study.show_study(study)
            section.expand(animate=False)
            self._fit_width()

    def _on_study_changed(self) -> None:
        study = self._desk.study.study
        if study is None:
            self._sections[texts.STUDY_SETTINGS].hide()
        else:
            self.study.follow(study, self._desk.study.altered)

    def show_lacking(self) -> None:
        """Show what other kinds of camera lack."""
        section = self._sections[texts.LACKING]
        section.show()
        section.expand(animate=False)
        self.ensureWidgetVisible(section)

    def show_view(self, view: SessionView) -> None:
        """Say what has happened, and what the temperatures are reckoned with."""
        if self._sections[texts.EVENTS].isExpanded():
            self.events.show_events(view.events)
        self.scene.show_info(view.info)

    def show_state(self, state: CameraState) -> None:
        """Offer what can be done in this state."""
        self.scene.setEnabled(state.open)

    def clear(self) -> None:
        """Show nothing of the session before."""
        self.events.show_events(())
        self.scene.clear()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Never be narrower than what is inside."""
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        column, bar = self.widget(), self.verticalScrollBar()
        if column is not None and bar is not None:
            needed = column.minimumSizeHint().width() + bar.sizeHint().width()
            self.setMinimumWidth(max(needed, round(LEAST_WIDTH * self._scale)))

    def _add(self, name: str, widget: QWidget, *, is_open: bool) -> None:
        section = self._sections[name] = Section(name, widget, is_open=is_open)
        self._layout.addWidget(section)
