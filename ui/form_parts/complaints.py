"""What pydantic finds wrong, by the place of the field and in plain words."""

from dataclasses import dataclass

from pydantic import ValidationError

from ui.form_parts.editor import Place
from ui.form_parts.kinds import (
    Fixed,
    Kind,
    Maybe,
    Number,
    OneOf,
    Pair,
    Record,
    Several,
    Table,
    Unfilled,
    read_kind,
    unit_of,
)
from ui.texts import forms as words


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one value."""

    sentence: str
    unfilled: bool
    """Whether it is merely not there yet."""


def complaints_of(error: ValidationError, record: Record) -> dict[Place, Complaint]:
    """Return the first complaint about each place.

    Parameters
    ----------
    error
        As raised by the model of `record`.
    record
        The kind whose values were checked.
    """
    faults = error.errors(include_url=False)
    inside = [fault["loc"] for fault in faults]
    found: dict[Place, Complaint] = {}
    for fault in faults:
        place = fault["loc"]
        # Of a list with a fault inside, pydantic says as well that it has become too short.
        if any(loc != place and loc[: len(place)] == place for loc in inside):
            continue
        own, kind = _resolved(record, place)
        unfilled = fault["type"] == "missing" or isinstance(fault["input"], Unfilled)
        sentence = words.UNFILLED if unfilled else words.complaint(fault, _unit(kind))
        found.setdefault(own, Complaint(sentence, unfilled))
    return found


def dotted(place: Place) -> str:
    """Return the name of a place as in a setting: sources.0.path."""
    return ".".join(str(part) for part in place)


def _unit(kind: Kind | None) -> str:
    return unit_of(kind) if isinstance(kind, Number) else ""


def _resolved(record: Record, loc: Place) -> tuple[Place, Kind | None]:
    """Follow pydantic's place down the kinds; leave out what is no field and no row."""
    kind: Kind | None = record
    place: list[int | str] = []
    for part in loc:
        while isinstance(kind, Maybe):
            kind = kind.inner
        if isinstance(kind, OneOf):  # pydantic names the chosen model here
            kind = kind.variants.get(part)
            continue
        below = _below(kind, part)
        if below is None:
            return tuple(place), None
        place.append(part)
        kind = below
    while isinstance(kind, Maybe):
        kind = kind.inner
    return tuple(place), kind


def _below(kind: Kind | None, part: int | str) -> Kind | None:
    match kind:
        case Record(model) if part in model.model_fields:
            info = model.model_fields[str(part)]
            return read_kind(info.annotation, [info, *info.metadata])
        case Several(inner) | Table(inner):
            return inner
        case Fixed(inners) if isinstance(part, int):
            return inners[part]
        case Pair(number):
            return number
    return None
