"""The recordings of a folder: listed in a thread, recovered in another; knows no widget."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.recording.listing import ListedRecording, RecordingList
from thermoseg.recording.recovery import RecoveryReport, recover
from ui.replay.work_queue import Work, WorkQueue
from ui.shell.defects import describe_error
from ui.shell.jobs import Jobs
from ui.shell.places import recordings_folder
from ui.shell.preferences import Preference, Preferences
from ui.texts import replay_list as words

FOLDER: Final = Preference[str]("replay/folder", str, "")
"""Folder that is listed; empty for the one into which the live page records."""


class Recordings(QObject):
    """Owns the folder that is listed, and what is in it."""

    changed = pyqtSignal()
    """Another folder, or `listed` or `looking` is another."""
    recovered = pyqtSignal(object)
    """`RecoveryReport` of a recording that was recovered."""
    failed = pyqtSignal(object)
    """Why a recording could not be recovered."""

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._list = RecordingList()
        self._jobs = Jobs("recordings", self)
        self._closing = False
        self.queue: Final = WorkQueue("recovery", self)
        self.queue.failed.connect(self.failed)
        self.listed: tuple[ListedRecording, ...] = ()
        """What was found when it was looked last, by path."""
        self.problem = ""
        """Why the folder could not be read, a sentence; empty if it could."""
        self.looking = False
        """Whether it is being looked."""

    @property
    def folder(self) -> Path:
        """The folder that is listed, with the folders in it."""
        chosen = self._preferences.get(FOLDER)
        return Path(chosen) if chosen else recordings_folder(self._preferences)

    @property
    def elsewhere(self) -> bool:
        """Whether another folder is listed than the one that is recorded into."""
        return self.folder != recordings_folder(self._preferences)

    def look_into(self, folder: Path | None) -> None:
        """List another folder; None for the one into which the live page records."""
        self._preferences.set(FOLDER, "" if folder is None else str(folder))
        self.listed = ()
        self.look()

    def look(self) -> None:
        """Look what there is now."""
        folder, elsewhere = self.folder, self.elsewhere
        self._jobs.forget()
        self.looking = True
        self._jobs.run(
            lambda: self._look_into(folder, elsewhere), self._on_listed, self._on_unreadable
        )
        self.changed.emit()

    def recover(self, path: Path) -> None:
        """Make a sound copy of a recording beside it; the recording itself is only read."""
        title = words.RECOVERING.format(name=path.name)
        self.queue.add(
            Work(title, lambda watch: recover(path, cancelled=watch.cancelled), self._on_recovered)
        )

    def close(self) -> None:
        """End what is at work, and wait for that; nothing half is left."""
        self._closing = True
        self.queue.close()
        self._jobs.close()

    def _on_listed(self, listed: tuple[ListedRecording, ...]) -> None:
        self.listed, self.problem, self.looking = listed, "", False
        self.changed.emit()

    def _on_unreadable(self, error: BaseException) -> None:
        self.listed, self.problem, self.looking = (), describe_error(error), False
        self.changed.emit()

    def _look_into(self, folder: Path, elsewhere: bool) -> tuple[ListedRecording, ...]:
        # A folder that nobody has recorded into yet holds no recordings; that is no fault.
        if not elsewhere and not folder.exists():
            return ()
        return self._list.look(folder, lambda: self._closing)

    def _on_recovered(self, report: object) -> None:
        if not isinstance(report, RecoveryReport):
            raise TypeError(f"a recovery gave {type(report).__name__}")
        self.recovered.emit(report)
        self.look()
