"""Recordings that a crash has left: told at the start, recovered by a button."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject

from thermoseg.recording.recovery import RecoveryReport, recover
from thermoseg.recording.staging import staging_folder
from thermoseg.recording.unfinished import find_unfinished
from thermoseg.study_file import SOURCE_DATA
from ui.shell.defects import describe_error
from ui.shell.jobs import Jobs
from ui.shell.notices import Remedy, Severity
from ui.shell.page import Surroundings
from ui.texts import live as texts

MOST_TOLD: Final = 2
"""Crashed recordings that get a notice of their own; of more only the number is told."""


class Leftovers(QObject):
    """Looks for them in a thread, and recovers them there."""

    def __init__(self, surroundings: Surroundings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._surroundings = surroundings
        self._jobs = Jobs("leftovers", self)
        self._jobs.failed.connect(self._on_failed)
        self._told: set[Path] = set()
        self._closing = False

    def look(self, folders: Iterable[Path]) -> None:
        """Tell what was left in these folders, and in those of the sittings below them."""
        wanted = tuple(folders)
        self._jobs.run(lambda: _find(wanted), self._tell)

    def recover(self, path: Path) -> None:
        """Make a sound copy of a recording beside it, and tell what came of it."""
        self._surroundings.notices.tell(texts.recovering(path))
        self._jobs.run(lambda: recover(path, cancelled=lambda: self._closing), self._on_recovered)

    def close(self) -> None:
        """End what is at work; nothing half is left."""
        self._closing = True
        self._jobs.close()

    def _tell(self, found: list[Path]) -> None:
        new = [path for path in found if path not in self._told]
        self._told.update(new)
        notices = self._surroundings.notices
        for path in new[:MOST_TOLD]:
            remedy = Remedy(texts.RECOVER, lambda path=path: self.recover(path))  # type: ignore[misc]
            notices.tell(texts.unfinished(path), Severity.WARNING, [remedy], key=str(path))
        if len(new) > MOST_TOLD:
            notices.tell(texts.more_unfinished(len(new) - MOST_TOLD), Severity.WARNING)

    def _on_recovered(self, report: RecoveryReport) -> None:
        replay = Remedy(texts.REPLAY, lambda: self._surroundings.open_file(str(report.path)))
        severity = Severity.WARNING if report.losses else Severity.INFO
        sentence = texts.recovered(report.path, report.losses)
        self._surroundings.notices.tell(sentence, severity, [replay], lasting=True)

    def _on_failed(self, error: BaseException) -> None:
        self._surroundings.notices.tell(describe_error(error), Severity.ERROR)


def _find(folders: Iterable[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for folder in (*folders, staging_folder()):
        sittings = sorted((folder / SOURCE_DATA).glob("sub-*/ses-*"))
        for place in (folder, *sittings):
            found |= {path.resolve(): path for path in find_unfinished(place)}
    return list(found.values())
