"""Flat-field corrections as one wants them: now, or between trials only."""

from typing import Final

from PyQt6.QtCore import QObject

from thermoseg.cameras import FLAT_FIELD
from thermoseg.correction_policy import CorrectionPolicy
from ui.live.session_controller import CameraState, SessionController
from ui.live.source_bar import SourceBar
from ui.live.study_control import StudyControl
from ui.shell.notices import Severity
from ui.shell.page import Surroundings
from ui.shell.preferences import Preference
from ui.texts import live as texts

BETWEEN_TRIALS: Final = Preference[bool]("live/between_trials", bool, False)
NO_FLAT_FIELD: Final = "live/no_flat_field"


class CorrectionDesk(QObject):
    """Gives every session the policy of the study, or without one that of the user."""

    def __init__(
        self,
        controller: SessionController,
        study: StudyControl,
        source: SourceBar,
        surroundings: Surroundings,
    ) -> None:
        super().__init__(source)
        self._controller = controller
        self._study = study
        self._source = source
        self._preferences = surroundings.preferences
        self._notices = surroundings.notices
        source.corrections_chosen.connect(self._on_chosen)
        study.changed.connect(self._give)
        controller.state_changed.connect(self._on_state_changed)
        self._give()

    @property
    def policy(self) -> CorrectionPolicy:
        """Who decides when the camera corrects itself."""
        if self._study.study is not None:
            return CorrectionPolicy(self._study.study.corrections)
        if self._preferences.get(BETWEEN_TRIALS):
            return CorrectionPolicy.BETWEEN_TRIALS
        return CorrectionPolicy.AUTOMATIC

    def flat_field(self) -> None:
        """Ask the camera for a correction; one that cannot be had is said."""
        session = self._controller.session
        if session is None or not self._controller.state.open:
            return
        if FLAT_FIELD in self._controller.view.actions:
            session.perform(FLAT_FIELD)
        else:
            self._notices.tell(texts.NO_FLAT_FIELD, Severity.INFO, key=NO_FLAT_FIELD)

    def _on_chosen(self, between_trials: bool) -> None:
        policy = CorrectionPolicy.BETWEEN_TRIALS if between_trials else CorrectionPolicy.AUTOMATIC
        if self._study.study is None:
            self._preferences.set(BETWEEN_TRIALS, between_trials)
            self._give()
        else:
            self._study.save(self._study.study.model_copy(update={"corrections": policy.value}))
            self._show()  # the study on the disk decides

    def _on_state_changed(self, state: CameraState) -> None:
        if state is CameraState.RUNNING:
            self._give()

    def _show(self) -> None:
        self._source.show_corrections(between_trials=self.policy is CorrectionPolicy.BETWEEN_TRIALS)

    def _give(self) -> None:
        self._show()
        session = self._controller.session
        if session is not None:
            session.set_corrections(self.policy)
