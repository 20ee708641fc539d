"""What a recording is to be: where it goes, what it says of its study, what it keeps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from thermoseg.errors import NameTakenError
from thermoseg.recording.recorder import Recorder
from thermoseg.study_file import Sitting, StudyFile, next_run, run_path, study_fields

_RUNS_TRIED: Final = 1000
"""Names that others take one after the other; more are a fault of ours."""


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """One recording before it begins; `to_file` or `in_study` make one."""

    path: Path
    """Path of the file; of a sitting the folder of the study."""
    sitting: Sitting | None = None
    """None if `path` is the file itself."""
    fields: Mapping[str, str | float] = field(default_factory=lambda: MappingProxyType({}))
    """Study and participant fields, by name."""
    pictures: bool = True
    """Whether pictures and masks are stored, and not only traces."""
    notes: str = ""
    """Notes so far; those given at the end replace them."""
    study: StudyFile | None = None
    """None outside a study."""
    counted: bool = False
    """Whether a number is added to a name that is taken."""

    @classmethod
    def to_file(cls, path: Path, *, pictures: bool = True, notes: str = "") -> Self:
        """Plan a recording into the new file `path`."""
        return cls(path, pictures=pictures, notes=notes)

    @classmethod
    def to_free_file(cls, path: Path, *, pictures: bool = True, notes: str = "") -> Self:
        """Plan a recording into `path`, or into `NAME_2.h5` and so on if that is taken."""
        return cls(path, pictures=pictures, notes=notes, counted=True)

    @classmethod
    def in_study(
        cls,
        folder: Path,
        study: StudyFile,
        sitting: Sitting,
        *,
        pictures: bool | None = None,
        notes: str = "",
    ) -> Self:
        """Plan a recording of the study in `folder`.

        Parameters
        ----------
        pictures
            As the study says if None.

        Raises
        ------
        ConfigError
            If a field of the sitting is unfit.
        """
        kept = study.pictures if pictures is None else pictures
        return cls(folder, sitting, study_fields(study, sitting), kept, notes, study)

    def planned_path(self) -> Path:
        """Return where the recording would go, if nobody else begins the same run before."""
        return next(self._names())[0]

    def start(self, make: Callable[..., Recorder]) -> Recorder:
        """Start a recorder under the first name that is free.

        The name is taken when the recorder starts, by it alone, so of two that begin the same run
        at the same moment one gets the next.

        Parameters
        ----------
        make
            Makes a recorder of what is said here: a path, and what `Recorder` takes by name.

        Raises
        ------
        NameTakenError
            If the plan is for a file that there is.
        RecordingError
            If it cannot be recorded.
        """
        for path, fields in self._names():
            recorder = make(
                path,
                study=fields,
                pictures=self.pictures,
                notes=self.notes,
                new_name=self.sitting is not None,
            )
            try:
                recorder.start()
            except NameTakenError:
                if self.sitting is None and not self.counted:
                    raise
                continue
            return recorder
        raise NameTakenError(f"no run is free in {self.path}; make room in that folder")

    def _names(self) -> Iterator[tuple[Path, Mapping[str, str | float]]]:
        if self.sitting is None:
            yield self.path, self.fields
            for number in range(2, _RUNS_TRIED if self.counted else 2):
                yield self.path.with_stem(f"{self.path.stem}_{number}"), self.fields
            return
        first = next_run(self.path, self.sitting)
        for run in range(first, first + _RUNS_TRIED):
            yield run_path(self.path, self.sitting, run), {**self.fields, "run": run}
