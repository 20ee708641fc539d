"""Reads a recording again that had not ended when it was opened; one stays where one is."""

from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import QObject

from thermoseg.recording.marker import is_being_recorded
from ui.replay.replay_controller import ReplayController
from ui.replay.replay_state import ReplayState


@dataclass(frozen=True, slots=True)
class _Place:
    """Where somebody was in a recording, and what they had set."""

    path: Path
    frame: int
    selection: tuple[int, int] | None
    speed: float
    looping: bool
    playing: bool


class Reopening(QObject):
    """Looks whether what is open has ended since, and opens it again then; knows no widget."""

    def __init__(self, controller: ReplayController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._place: _Place | None = None
        controller.state_changed.connect(self._on_state_changed)
        controller.tables_read.connect(self.look)  # it may have ended while it was opened

    def look(self) -> None:
        """Read the recording again if it has ended since it was opened."""
        controller, session = self._controller, self._controller.session
        path = controller.path
        if session is None or path is None or not session.being_recorded:
            return
        if is_being_recorded(path):
            return
        if controller.state is ReplayState.OPEN:
            self._place = _Place(
                path,
                controller.index,
                controller.selection,
                controller.speed,
                controller.looping,
                controller.playing,
            )
        controller.open(path)

    def _on_state_changed(self) -> None:
        controller, place = self._controller, self._place
        if place is None or controller.state in (ReplayState.EMPTY, ReplayState.OPENING):
            return
        self._place = None
        if controller.state is not ReplayState.OPEN or controller.path != place.path:
            return
        controller.select(place.selection)
        controller.seek(place.frame)
        controller.set_speed(place.speed)
        controller.set_looping(place.looping)
        if place.playing:
            controller.play()
