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
        self._bytes = 0
        """Length of the file when it was opened."""
        controller.state_changed.connect(self._on_state_changed)
        controller.tables_read.connect(self._on_tables_read)

    def look(self) -> None:
        """Read the recording again if it has ended since it was opened, or another grew."""
        controller, session = self._controller, self._controller.session
        path = controller.path
        if session is None or path is None or session.complete or is_being_recorded(path):
            return
        # Nobody can tell whether a recorder on another computer is at work; its file grows.
        length = _length_of(path)
        if not length or (not session.being_recorded and length == self._bytes):
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

    def _on_tables_read(self) -> None:
        """Look whether it ended while it was opened; what only grows would be opened for ever."""
        session = self._controller.session
        if session is not None and session.being_recorded:
            self.look()

    def _on_state_changed(self) -> None:
        controller, place = self._controller, self._place
        if controller.state is ReplayState.OPENING and controller.path is not None:
            self._bytes = _length_of(controller.path)
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


def _length_of(path: Path) -> int:
    """Return the bytes of a file, 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
