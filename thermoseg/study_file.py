"""A study is a folder with `study.toml`: how its sittings are recorded, and where they go.

Names of files follow BIDS 1.10:
`sourcedata/sub-07/ses-01/sub-07_ses-01_task-rest_run-02_thermal.h5`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

import tomli_w
from annotated_types import Unit
from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from thermoseg.config import read_toml
from thermoseg.drawn_rois import DrawnRoi, check_rois
from thermoseg.errors import ConfigError
from thermoseg.whole_file import write_whole

STUDY_FILE: Final = "study.toml"
SOURCE_DATA: Final = "sourcedata"
"""Folder of a study that BIDS reserves for what instruments have written."""
SITTING_FIELDS: Final = ("participant", "session", "task")
"""They name folder and file of a recording, so each must be filled."""
MAX_LABEL: Final = 40
"""Longest participant, session or task, characters; a name of a file may have 255 bytes."""
MAX_VALUE: Final = 2000
"""Longest value of a field of the study's own, characters; longer ones are notes."""
MAX_MARKERS: Final = 9
"""One for each of the keys 1 to 9."""
MAX_PRE_RECORD_S: Final = 30.0

_LABEL: Final = re.compile(r"[A-Za-z0-9]+")
_TAKEN_NAMES: Final = (*SITTING_FIELDS, "run", "study", "emissivity", "reflected_c")
"""Study fields that every recording of a study has."""
_Name = Annotated[str, Field(max_length=60, pattern=r"^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$")]
"""One line without blanks at its ends."""


class Condition(BaseModel):
    """One part of a sitting, which begins with a marker of its name."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    name: _Name
    """What the participant does or sees."""
    duration_s: Annotated[float, Unit("s"), Field(gt=0, le=86_400, allow_inf_nan=False)]
    """Length of the condition."""


class StudyFile(BaseModel):
    """What `study.toml` says: the same for every sitting of a study."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    name: _Name
    """Name of the study, written into every recording."""
    camera: str = ""
    """Address of the camera, as `thermoseg cameras` lists it; empty for the one chosen last."""
    model: str = ""
    """Name of a bundled model or path of a model file; empty for the one chosen last."""
    emissivity: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Emissivity of the skin."""
    reflected_c: Annotated[float, Unit("°C"), Field(ge=-50, le=100)] | None = None
    """Mean temperature of what the skin mirrors, usually the room; the camera's own if absent."""
    span_c: (
        Annotated[
            tuple[
                Annotated[float, Unit("°C"), Field(ge=-100, le=2000)],
                Annotated[float, Unit("°C"), Field(ge=-100, le=2000)],
            ],
            Strict(False),
        ]
        | None
    ) = None
    """Temperatures of the first and the last colour; automatic if absent."""
    rois: Annotated[tuple[DrawnRoi, ...], Strict(False)] = ()
    """Regions of interest that are drawn in every sitting."""
    markers: Annotated[tuple[_Name, ...], Strict(False), Field(max_length=MAX_MARKERS)] = ()
    """Names of the markers of the keys 1 to 9."""
    conditions: Annotated[tuple[Condition, ...], Strict(False), Field(max_length=100)] = ()
    """The conditions of a sitting in order; their durations together are its length."""
    fields: Annotated[tuple[_Name, ...], Strict(False), Field(max_length=50)] = ()
    """Names of further fields that are filled before a recording."""
    required: Annotated[tuple[_Name, ...], Strict(False), Field(max_length=50)] = ()
    """Fields without which no recording starts, besides participant, session and task."""
    pre_record_s: Annotated[float, Unit("s"), Field(ge=0, le=MAX_PRE_RECORD_S)] = 0.0
    """How much of what came before the start is recorded as well."""
    corrections: Literal["automatic", "between trials"] = "automatic"
    """When the camera makes flat-field corrections: when it likes, or not while a condition or a
    recording without conditions runs."""
    pictures: bool = True
    """Whether pictures and masks are recorded, and not only traces."""

    @field_validator("span_c")
    @classmethod
    def _check_span(cls, span: tuple[float, float] | None) -> tuple[float, float] | None:
        if span is not None and span[0] >= span[1]:
            raise ValueError("the first temperature must be below the last")
        return span

    @field_validator("markers", "fields", "required")
    @classmethod
    def _check_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"“{twice[0]}” stands there twice")
        return names

    @field_validator("fields")
    @classmethod
    def _check_free(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        taken = [name for name in names if name.lower() in _TAKEN_NAMES]
        if taken:
            raise ValueError(f"“{taken[0]}” is in every recording anyway")
        return names

    @field_validator("rois")
    @classmethod
    def _check_rois(cls, rois: tuple[DrawnRoi, ...]) -> tuple[DrawnRoi, ...]:
        try:
            return check_rois(rois)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _check_required(self) -> Self:
        unknown = [name for name in self.required if name not in (*self.fields, *SITTING_FIELDS)]
        if unknown:
            raise ValueError(f"“{unknown[0]}” is required and is none of the fields")
        return self

    @property
    def sitting_s(self) -> float:
        """Length of a sitting, seconds; 0 if the study names no conditions."""
        return sum(condition.duration_s for condition in self.conditions)


def read_study(folder: Path) -> StudyFile:
    """Read `study.toml` of the study in `folder`.

    Raises
    ------
    ConfigError
        If it is missing, is not TOML, or holds what a study cannot have; one sentence.
    """
    return read_toml(folder / STUDY_FILE, StudyFile)


def write_study(folder: Path, study: StudyFile) -> None:
    """Write `study.toml` into `folder`, whole or not at all; the folder is made if need be.

    Raises
    ------
    ConfigError
        If the disk does not take it; what was there is intact.
    """
    content = tomli_w.dumps(study.model_dump(exclude_none=True, mode="json"))
    path = folder / STUDY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.encode())
    except OSError as error:
        raise ConfigError(
            f"“{path}” cannot be written ({error.strerror or error}); check its rights and its "
            "free space"
        ) from error


@dataclass(frozen=True, slots=True)
class Sitting:
    """Who sits in front of the camera, when and for what; as typed, so perhaps not fit yet."""

    participant: str
    session: str
    task: str
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Values of the study's own fields, by name."""


def check_sitting(study: StudyFile, sitting: Sitting) -> dict[str, str]:
    """Return what is wrong with each field, one clause by its name; empty if all is well."""
    complaints = {name: _check_label(name, getattr(sitting, name)) for name in SITTING_FIELDS}
    for name in dict.fromkeys((*study.fields, *sitting.values)):
        value = sitting.values.get(name, "")
        complaints[name] = _check_value(study, name, value)
    return {name: complaint for name, complaint in complaints.items() if complaint}


def study_fields(study: StudyFile, sitting: Sitting) -> dict[str, str | float]:
    """Return what a recording of `sitting` says of study and participant, but for its run.

    Raises
    ------
    ConfigError
        If a field is unfit; each is named.
    """
    complaints = check_sitting(study, sitting)
    if complaints:
        raise ConfigError(f"{', '.join(complaints.values())}; correct the sitting")
    fields: dict[str, str | float] = {"study": study.name}
    fields |= {name: getattr(sitting, name) for name in SITTING_FIELDS}
    fields["emissivity"] = study.emissivity
    if study.reflected_c is not None:
        fields["reflected_c"] = study.reflected_c
    return fields | {name: value for name, value in sitting.values.items() if value}


def sitting_folder(folder: Path, sitting: Sitting) -> Path:
    """Return where recordings of `sitting` go in the study in `folder`."""
    person = f"sub-{sitting.participant}"
    return folder / SOURCE_DATA / person / f"ses-{sitting.session}"


def run_path(folder: Path, sitting: Sitting, run: int) -> Path:
    """Return the path of one run of `sitting`."""
    stem = f"sub-{sitting.participant}_ses-{sitting.session}_task-{sitting.task}"
    return sitting_folder(folder, sitting) / f"{stem}_run-{run:02d}_thermal.h5"


def next_run(folder: Path, sitting: Sitting) -> int:
    """Return the number after the last run of `sitting` that there is, finished or not.

    Whatever a recording may have left counts: its file, its marker, its lines, its manifest.
    """
    first = run_path(folder, sitting, 1).name.partition("_run-")[0]
    pattern = re.compile(re.escape(f"{first}_run-") + r"(\d{1,6})_thermal\.", re.IGNORECASE)
    there = sitting_folder(folder, sitting)
    names = [entry.name for entry in there.iterdir()] if there.is_dir() else []
    runs = [int(found[1]) for found in map(pattern.match, names) if found]
    return max(runs, default=0) + 1


def planned_path(folder: Path, sitting: Sitting) -> Path:
    """Return where the next recording of `sitting` would go, if nobody else begins one before."""
    return run_path(folder, sitting, next_run(folder, sitting))


def _check_label(name: str, value: str) -> str:
    if not value:
        return f"the {name} is missing"
    if not _LABEL.fullmatch(value):
        return f"the {name} “{value[:MAX_LABEL]}” may hold letters A–Z and digits only"
    if len(value) > MAX_LABEL:
        return f"the {name} is longer than {MAX_LABEL} characters"
    return ""


def _check_value(study: StudyFile, name: str, value: str) -> str:
    if name not in study.fields:
        known = ", ".join(study.fields) or "none"
        return f"“{name}” is no field of this study (it has {known})"
    if name in study.required and not value.strip():
        return f"“{name}” is missing"
    if len(value) > MAX_VALUE:
        return f"“{name}” is longer than {MAX_VALUE} characters"
    return ""
