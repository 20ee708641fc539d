"""The study at hand and the sitting that is to be recorded; knows no widget."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.recording_plan import RecordingPlan
from thermoseg.study_file import (
    SITTING_FIELDS,
    STUDY_FILE,
    Sitting,
    StudyFile,
    check_sitting,
    planned_path,
    read_study,
    write_study,
)
from ui.shell.jobs import Jobs
from ui.shell.places import RECORDINGS, STUDY, default_folder
from ui.shell.preferences import Preferences
from ui.texts import live as texts

log = logging.getLogger(__name__)

MARKERS: Final = tuple(texts.unnamed_marker(number) for number in range(1, 10))
"""Names of the markers where no study gives any."""


class StudyControl(QObject):
    """Owns the study, its folder and what is typed of the sitting; disks are asked elsewhere."""

    changed = pyqtSignal()
    """Another study, or another of its settings."""
    planned = pyqtSignal(str)
    """Path to which the next recording would go; empty while the fields do not give one."""
    failed = pyqtSignal(object)
    """Why a study could not be read or written."""

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._jobs = Jobs("study", self)
        self._jobs.failed.connect(self.failed)
        self._planner = Jobs("plan", self)
        self._folder: Path | None = None
        self._study: StudyFile | None = None
        self._altered: frozenset[str] = frozenset()
        self._sitting = Sitting("", "", "")
        self._recordings = Path(preferences.get(RECORDINGS) or default_folder())

    @property
    def folder(self) -> Path:
        """Folder of the study, or where recordings go without one."""
        return self._folder or self._recordings

    @property
    def study(self) -> StudyFile | None:
        """The study at hand; None without one."""
        return self._study

    @property
    def altered(self) -> frozenset[str]:
        """Names of the settings that the last change altered: all of them in another study.

        Only these take effect, so that what was set by hand since stays.
        """
        return self._altered

    @property
    def sitting(self) -> Sitting:
        """What is typed of the sitting."""
        return self._sitting

    @property
    def markers(self) -> tuple[str, ...]:
        """Names of the markers of the keys 1 to 9."""
        return MARKERS if self._study is None or not self._study.markers else self._study.markers

    @property
    def complaints(self) -> dict[str, str]:
        """What is wrong with each field of the sitting, one sentence by its name."""
        return {} if self._study is None else check_sitting(self._study, self._sitting)

    def open_last(self) -> None:
        """Open the study of the last time, if it is still there."""
        last = self._preferences.get(STUDY)
        if last:
            self._jobs.run(lambda: _read(Path(last)), self._on_read, self._on_gone)

    def open(self, folder: Path) -> None:
        """Work on the study in `folder`."""
        self._jobs.run(lambda: _read(folder), self._on_read)

    def create(self, folder: Path) -> None:
        """Begin a study in `folder`, or open the one that is there."""
        self._jobs.run(lambda: _read_or_begin(folder), self._on_read)

    def save(self, study: StudyFile) -> None:
        """Keep other settings of the study at hand."""
        folder = self._folder
        if folder is not None:
            self._jobs.run(lambda: (folder, _written(folder, study)), self._on_read)

    def leave(self) -> None:
        """Work without a study."""
        self._jobs.forget()
        self._folder = self._study = None
        self._altered = frozenset()
        self._preferences.set(STUDY, "")
        self.changed.emit()
        self.plan_again()

    def record_into(self, folder: Path) -> None:
        """Record into `folder` while there is no study."""
        self._recordings = folder
        self._altered = frozenset()
        self._preferences.set(RECORDINGS, str(folder))
        self.changed.emit()
        self.plan_again()

    def set_field(self, name: str, value: str) -> None:
        """Take what is typed into one field of the sitting."""
        if name in SITTING_FIELDS:
            labels = {each: getattr(self._sitting, each) for each in SITTING_FIELDS}
            labels[name] = value.strip()
            self._sitting = Sitting(**labels, values=self._sitting.values)
        else:
            values: Mapping[str, str] = {**self._sitting.values, name: value}
            self._sitting = replace(self._sitting, values=values)
        self.plan_again()

    def plan_again(self) -> None:
        """Look where the next recording would go; `planned` tells it."""
        self._planner.forget()
        folder, study, sitting = self._folder, self._study, self._sitting
        if folder is None or study is None:
            self.planned.emit(str(self._recordings))
        elif any(name in check_sitting(study, sitting) for name in SITTING_FIELDS):
            self.planned.emit("")
        else:
            self._planner.run(
                lambda: str(planned_path(folder, sitting)), self.planned.emit, self._on_unplanned
            )

    def plan(self, *, pictures: bool, notes: str) -> RecordingPlan:
        """Return the plan of a recording that begins now.

        Raises
        ------
        ConfigError
            If a field of the sitting is unfit; each is named.
        """
        if self._folder is not None and self._study is not None:
            return RecordingPlan.in_study(
                self._folder, self._study, self._sitting, pictures=pictures, notes=notes
            )
        stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        return RecordingPlan.to_free_file(
            self._recordings / f"{stamp}.h5", pictures=pictures, notes=notes
        )

    def close(self) -> None:
        """Wait for what is at work."""
        self._jobs.close()
        self._planner.close()

    def _on_read(self, read: tuple[Path, StudyFile]) -> None:
        another, before, study = read[0] != self._folder, self._study, read[1]
        self._folder, self._study = read
        self._altered = _differing(None if another else before, study)
        typed = {} if another else self._sitting.values
        values = {name: typed.get(name, "") for name in study.fields}
        self._sitting = replace(self._sitting, values=values)
        self._preferences.set(STUDY, str(self._folder))
        self.changed.emit()
        self.plan_again()

    def _on_gone(self, error: BaseException) -> None:
        log.info("the study of the last time cannot be opened: %s", error)
        self.failed.emit(error)
        self.plan_again()

    def _on_unplanned(self, error: BaseException) -> None:
        self.planned.emit("")
        self.failed.emit(error)


def _differing(before: StudyFile | None, after: StudyFile) -> frozenset[str]:
    """Name the settings in which two studies differ; all if there is none before."""
    names = StudyFile.model_fields
    if before is None:
        return frozenset(names)
    return frozenset(name for name in names if getattr(before, name) != getattr(after, name))


def _read(folder: Path) -> tuple[Path, StudyFile]:
    return folder, read_study(folder)


def _read_or_begin(folder: Path) -> tuple[Path, StudyFile]:
    if (folder / STUDY_FILE).exists():
        return _read(folder)
    name = folder.name.strip() or "study"
    return folder, _written(folder, StudyFile(name=name[:60]))


def _written(folder: Path, study: StudyFile) -> StudyFile:
    write_study(folder, study)
    return study
