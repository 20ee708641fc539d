"""Recording as one does it: plan, checklist, start, markers, notes; between session and panels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.errors import ConfigError, RecordingError
from thermoseg.marks import Mark
from thermoseg.recording.status import RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.study_file import StudyFile
from ui.live.checklist import list_doubts
from ui.live.leftovers import Leftovers
from ui.live.marker_panel import MarkerPanel
from ui.live.recording_control import RecordState
from ui.live.recording_panel import RecordingPanel
from ui.live.session_controller import CameraState, SessionController
from ui.live.study_control import StudyControl
from ui.picture.pane import PicturePane
from ui.shell.defects import describe_error
from ui.shell.jobs import Jobs
from ui.shell.notices import Remedy, Severity
from ui.shell.page import Surroundings
from ui.texts import live as texts

DOUBTS: Final = "recording/doubts"
MARKS: Final = "recording/marks"
SCENE: Final = frozenset({"emissivity", "reflected_c"})
"""Settings of a study that °C are reckoned with."""


class RecorderDesk(QObject):
    """Owns the panels of study and markers, and asks the session for what they are told."""

    study_worn = pyqtSignal(str)
    """The settings of another study are in force; the address of its camera, empty for any."""

    def __init__(
        self,
        controller: SessionController,
        surroundings: Surroundings,
        pane: PicturePane,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._notices = surroundings.notices
        self._pane = pane
        self._fresh = True
        """Whether the session has not been told yet what is set."""
        self._path: Path | None = None
        """Where the recording goes that is active."""
        self._taken_over: dict[str, object] = {}
        """Settings of now that are being saved in the study."""
        self._asked: set[str] = set()
        """Names of the doubts that the user has seen already."""
        self._jobs = Jobs("disk", self)
        self._leftovers = Leftovers(surroundings, self)
        self.study: Final = StudyControl(surroundings.preferences, self)
        self.panel: Final = RecordingPanel(self.study)
        self.markers: Final = MarkerPanel()
        self._connect()
        self._on_study_changed()
        self.study.open_last()
        self.study.plan_again()

    def record(self) -> None:
        """Begin a recording: at once if nothing speaks against it, else after it was said."""
        if self._controller.recording.state.active:
            return
        try:
            plan = self.study.plan(pictures=self.panel.pictures, notes=self.panel.notes)
        except ConfigError as error:
            self.panel.complain()
            self._notices.tell(describe_error(error), Severity.WARNING, key=DOUBTS)
            return
        self._jobs.forget()
        folder = plan.path if plan.sitting is not None else plan.path.parent
        self._jobs.run(
            lambda: _free_bytes(folder),
            lambda free_bytes: self._record_unless_doubted(plan, free_bytes),
            lambda _: self._record_unless_doubted(plan, -1),
        )

    def record_at_once(self) -> None:
        """Begin a recording without looking at what speaks against it.

        Raises
        ------
        ConfigError
            If a field of the sitting is missing or unfit.
        """
        self._begin(self.study.plan(pictures=self.panel.pictures, notes=self.panel.notes))

    def mark(self, number: int) -> None:
        """Mark this moment with the marker of this number, counted from 0."""
        names = self.study.markers
        if number < len(names):
            self._mark(names[number], "marker", 0.0)

    def begin_condition(self, number: int) -> None:
        """Mark the beginning of a condition, counted from 0."""
        study = self.study.study
        if study is not None and number < len(study.conditions):
            condition = study.conditions[number]
            self._mark(condition.name, "condition", condition.duration_s)

    def settings_of_now(self) -> Mapping[str, object]:
        """Return camera, model, span and drawn regions of now as settings of a study, by name.

        Once they are saved they are in force already: what is drawn meanwhile stays.
        """
        span = self._pane.span
        self._taken_over = {
            "model": self._controller.models.choice.name,
            "rois": self._pane.drawn,
            "span_c": None if span.mode.follows else span.limits,
        }
        if self._controller.address:
            self._taken_over["camera"] = self._controller.address
        return self._taken_over

    def close(self) -> None:
        """Wait for what is at work."""
        self._jobs.close()
        self._leftovers.close()
        self.study.close()

    def _record_unless_doubted(self, plan: RecordingPlan, free_bytes: int) -> None:
        study = self.study.study
        doubts = list_doubts(
            self._controller.view,
            free_bytes,
            0.0 if study is None else study.sitting_s,
            pictures=plan.pictures,
        )
        if doubts.keys() <= self._asked:
            self._begin(plan)
            return
        self._asked = set(doubts)
        # Planned anew when it is pressed: who is recorded, and where, may be another by then.
        remedy = Remedy(texts.RECORD_ANYWAY, self.record)
        sentence = texts.before_recording(list(doubts.values()))
        self._notices.tell(sentence, Severity.WARNING, [remedy], key=DOUBTS)

    def _begin(self, plan: RecordingPlan) -> None:
        self._notices.dismiss(DOUBTS)
        self._controller.record(plan)

    def _mark(self, label: str, kind: str, duration_s: float) -> None:
        session = self._controller.session
        if session is None or not self._controller.state.open:
            return
        try:
            mark = session.mark(label, kind=kind, duration_s=duration_s)
        except RecordingError as error:
            self._notices.tell(describe_error(error), Severity.WARNING, key=MARKS)
        else:
            self.markers.show_mark(mark)

    def _on_taken_back(self, mark: Mark) -> None:
        session = self._controller.session
        try:
            done = session is not None and session.take_back(mark)
        except RecordingError as error:
            self._notices.tell(describe_error(error), Severity.WARNING, key=MARKS)
            done = False
        self.markers.show_taken_back(mark, done=done)

    def _on_study_changed(self) -> None:
        self._leftovers.look([self.study.folder])
        study = self.study.study
        self.markers.set_names(self.study.markers, () if study is None else study.conditions)
        if study is not None:
            taken, self._taken_over = self._taken_over, {}
            known = {name for name, value in taken.items() if getattr(study, name) == value}
            self._wear(study, self.study.altered - known)

    def _wear(self, study: StudyFile, altered: frozenset[str]) -> None:
        """Let the settings of a study that were altered take effect, and no other."""
        if "rois" in altered:
            self._pane.restore_drawn(study.rois)
            self._give_rois()
        if "span_c" in altered and study.span_c is not None:
            self._pane.hold_span(*study.span_c)
        if "model" in altered and study.model:
            self._controller.models.choose(study.model)
        self._give_scene(altered)
        if "camera" in altered:
            self.study_worn.emit(study.camera)

    def _on_recording_changed(self) -> None:
        recording = self._controller.recording
        self.panel.set_active(recording.state.active)
        self.panel.hold_notes(recording.state is RecordState.STOPPING)
        if recording.path != self._path:
            self._path = recording.path
            self.panel.show_recorded(recording.path)
            self.study.plan_again()  # its run is taken now, or it left none

    def _on_saved(self, _: RecordingSummary) -> None:
        self._asked = set()
        self.panel.clear_notes()

    def _on_state_changed(self, state: CameraState) -> None:
        self.markers.set_able(state.open)
        if not state.open:  # what was asked of the disk is of a recording that cannot begin now
            self._jobs.forget()
            self._notices.dismiss(DOUBTS)
        if state is CameraState.OPENING:
            self._asked, self._fresh = set(), True
            self.markers.clear()
        if state is CameraState.RUNNING and self._fresh:  # and no camera that came back
            self._fresh = False
            self._give_rois()
            self._give_scene(SCENE)
            self._give_pre_record(self.panel.pre_record_s)

    def _give_rois(self) -> None:
        """Let the session measure what is drawn."""
        session = self._controller.session
        if session is not None:
            session.set_rois(self._pane.drawn)

    def _give_scene(self, altered: frozenset[str]) -> None:
        """Let °C be those of the study's scene as far as it is altered; what cannot be is said."""
        study, session = self.study.study, self._controller.session
        if study is None or session is None or not altered & SCENE:
            return
        values = {name: getattr(study, name) for name in altered & SCENE}
        try:
            session.set_scene(**values)
        except ConfigError as error:
            self._notices.tell(describe_error(error), Severity.WARNING, key="recording/scene")

    def _give_pre_record(self, seconds: float) -> None:
        session = self._controller.session
        if session is None:
            return
        try:
            session.set_pre_record(seconds)
        except RecordingError as error:
            self._notices.tell(describe_error(error), Severity.WARNING, key="recording/before")
            self.panel.show_pre_record(0)

    def _on_notes(self) -> str:
        return self.panel.notes

    def _connect(self) -> None:
        controller = self._controller
        self.study.changed.connect(self._on_study_changed)
        self.study.failed.connect(
            lambda error: self._notices.tell(describe_error(error), Severity.WARNING)
        )
        self.panel.pre_record_chosen.connect(self._give_pre_record)
        self.markers.marked.connect(self.mark)
        self.markers.begun.connect(self.begin_condition)
        self.markers.taken_back.connect(self._on_taken_back)
        self._pane.spots_changed.connect(lambda _: self._give_rois())
        self._pane.rois_changed.connect(lambda _: self._give_rois())
        controller.recording.changed.connect(self._on_recording_changed)
        controller.recording.saved.connect(self._on_saved)
        controller.recording.notes = self._on_notes
        controller.state_changed.connect(self._on_state_changed)


def _free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that will hold `folder`."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return int(psutil.disk_usage(str(folder)).free)
