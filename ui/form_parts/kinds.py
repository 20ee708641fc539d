"""What a field of a pydantic model is, as far as its widget depends on it."""

import enum
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ui.texts import forms as words

FOLDER_FORMAT: Final = "directory-path"
"""The `format` in a path's `json_schema_extra` that asks for a folder; pydantic's own word."""


@dataclass(frozen=True, slots=True)
class Unfilled:
    """The type of `UNFILLED`; no enumeration, for pydantic would take its value for a text."""


UNFILLED: Final = Unfilled()
"""Value of a field that is still empty and must not be."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    optional: bool = False
    """Whether there is a third state, None."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]
    optional: bool = False
    """Whether None can be chosen as well."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, perhaps between bounds."""

    whole: bool
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    """Whether `low` itself is excluded."""
    high_open: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers of one kind."""

    number: Number


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text."""


@dataclass(frozen=True, slots=True)
class File:
    """A path of a file or folder."""

    folder: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A model inside a model."""

    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value that may be None."""

    inner: "Kind"
    first: object = UNFILLED
    """What to begin with when it is not None any more; `UNFILLED` leaves that to `start_value`."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several models, told apart by one of their fields."""

    tag: str
    """Name of that field."""
    variants: Mapping[Any, Record]
    """Model by the value of that field."""


@dataclass(frozen=True, slots=True)
class Several:
    """A tuple or list of any length."""

    inner: "Kind"
    container: type[tuple[Any, ...]] | type[list[Any]]
    least: int = 0


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple of a given length."""

    inners: "tuple[Kind, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """Values by name."""

    inner: "Kind"


Kind: TypeAlias = (
    Flag | Choice | Number | Pair | Text | File | Record | Maybe | OneOf | Several | Fixed | Table
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model, as a form shows it."""

    name: str
    label: str
    description: str
    """Its docstring; empty if it has none."""
    kind: Kind


def fields_of(model: type[BaseModel], hidden: Iterable[str] = ()) -> tuple[Field, ...]:
    """Return the fields of a model in their order.

    Parameters
    ----------
    model
        Whose fields they are.
    hidden
        Names that are left out.  A field of a single value, such as the one that tells the models
        of a union apart, is left out as well: there is nothing to choose.

    Raises
    ------
    TypeError
        If there is no widget for the type of a field.
    """
    unwanted = set(hidden)
    return tuple(
        field_of(model, name, info)
        for name, info in model.model_fields.items()
        if name not in unwanted and constant(info) is UNFILLED
    )


def constant(info: FieldInfo) -> object:
    """Return the only value that a field can have; `UNFILLED` if it can have others."""
    values = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    return values[0] if len(values) == 1 else UNFILLED


def is_section(kind: Kind) -> bool:
    """Whether a field of this kind has fields of its own, so that it gets a heading."""
    match kind:
        case Record() | OneOf():
            return True
        case Maybe(inner) | Several(inner):
            return is_section(inner)
    return False


def unit_of(kind: Kind) -> str:
    """Return the unit of a field's numbers; empty if they have none."""
    match kind:
        case Number(unit=unit):
            return unit
        case Pair(number):
            return number.unit
        case Maybe(inner) | Several(inner=inner) | Table(inner):
            return unit_of(inner)
        case Fixed((first, *_)):
            return unit_of(first)
    return ""


def field_of(model: type[BaseModel], name: str, info: FieldInfo) -> Field:
    """Return one field of a model; as `fields_of`."""
    try:
        kind = read_kind(info.annotation, _marks([info]))
    except TypeError as error:
        raise TypeError(f"{model.__name__}.{name}: {error}") from error
    titles = [mark.title for mark in _infos(_all_marks(info)) if mark.title]
    label = titles[0] if titles else words.label_of(name, unit_of(kind))
    return Field(name, label, info.description or "", kind)


def read_kind(annotation: Any, marks: Sequence[Any] = (), unit: str = "") -> Kind:  # noqa: ANN401
    """Read what a type annotation asks of a widget.

    Parameters
    ----------
    annotation
        A type, or `Annotated`, a union, `Literal` and so on.
    marks
        What else is known of it, as behind the type in `Annotated`.
    unit
        Unit of whatever it is part of.

    Raises
    ------
    TypeError
        If there is no widget for it.
    """
    unit = next((mark.unit for mark in marks if isinstance(mark, annotated_types.Unit)), unit)
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return read_kind(arguments[0], [*marks, *_marks(arguments[1:])], unit)
        case origin if origin is Union or origin is types.UnionType:
            return _union(arguments, marks, unit)
        case origin if origin is Literal:
            return Choice(arguments)
        case origin if origin is tuple:
            return _tuple(arguments, marks, unit)
        case origin if origin in (list, Sequence):
            container = list if origin is list else tuple
            return Several(read_kind(arguments[0], unit=unit), container, _least(marks))
        case origin if origin in (dict, Mapping) and arguments[0] is str:
            return Table(read_kind(arguments[1], unit=unit))
    return _plain(annotation, marks, unit)


def _plain(annotation: Any, marks: Sequence[Any], unit: str) -> Kind:  # noqa: ANN401
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return Record(annotation)
        if issubclass(annotation, enum.Enum):
            return Choice(tuple(annotation))
        if annotation is bool:
            return Flag()
        if annotation in (int, float):
            return _number(annotation is int, marks, unit)
        if annotation is str:
            return Text()
        if issubclass(annotation, Path):
            return File(folder=any(_asks_for_folder(mark) for mark in marks))
    raise TypeError(f"there is no widget for {annotation!r}")


def _number(whole: bool, marks: Sequence[Any], unit: str) -> Number:
    number = Number(whole, unit=unit)
    for mark in marks:
        match mark:
            case annotated_types.Ge(float() | int() as bound):
                number = replace(number, low=bound, low_open=False)
            case annotated_types.Gt(float() | int() as bound):
                number = replace(number, low=bound, low_open=True)
            case annotated_types.Le(float() | int() as bound):
                number = replace(number, high=bound, high_open=False)
            case annotated_types.Lt(float() | int() as bound):
                number = replace(number, high=bound, high_open=True)
    if whole and number.low is not None and number.low_open:
        number = replace(number, low=number.low + 1, low_open=False)
    if whole and number.high is not None and number.high_open:
        number = replace(number, high=number.high - 1, high_open=False)
    return number


def _union(arguments: tuple[Any, ...], marks: Sequence[Any], unit: str) -> Kind:
    some = tuple(argument for argument in arguments if argument is not type(None))
    if len(some) == 1:
        inner = read_kind(some[0], marks, unit)
    else:
        tags = [mark.discriminator for mark in _infos(marks) if isinstance(mark.discriminator, str)]
        if not tags:
            raise TypeError(f"there is no widget for a choice of {some}")
        inner = _one_of(some, tags[0])
    if len(some) == len(arguments):
        return inner
    if isinstance(inner, (Flag, Choice)):
        return replace(inner, optional=True)
    return Maybe(inner, example_of([*marks, *_marks(get_args(some[0]))]))


def example_of(marks: Iterable[Any]) -> object:
    """Return the first example that is given for a field; `UNFILLED` if there is none."""
    return next((mark.examples[0] for mark in _infos(marks) if mark.examples), UNFILLED)


def _all_marks(info: FieldInfo) -> list[Any]:
    """Return the marks of a field, and those of the types that it may have."""
    return _marks([info, *(mark for one in get_args(info.annotation) for mark in get_args(one))])


def _one_of(models: tuple[Any, ...], tag: str) -> OneOf:
    return OneOf(
        tag,
        {
            value: Record(model)
            for model in models
            for value in get_args(model.model_fields[tag].annotation)
        },
    )


def _tuple(arguments: tuple[Any, ...], marks: Sequence[Any], unit: str) -> Kind:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return Several(read_kind(arguments[0], unit=unit), tuple, _least(marks))
    inners = tuple(read_kind(argument, unit=unit) for argument in arguments)
    match inners:
        case (Number() as first, Number() as second) if first == second:
            return Pair(first)
    return Fixed(inners)


def _least(marks: Sequence[Any]) -> int:
    lengths = [mark.min_length for mark in marks if isinstance(mark, annotated_types.MinLen)]
    return max(lengths, default=0)


def _asks_for_folder(mark: object) -> bool:
    extra = mark.json_schema_extra if isinstance(mark, FieldInfo) else None
    return isinstance(extra, dict) and extra.get("format") == FOLDER_FORMAT


def _infos(marks: Iterable[Any]) -> list[FieldInfo]:
    return [mark for mark in marks if isinstance(mark, FieldInfo)]


def _marks(marks: Iterable[Any]) -> list[Any]:
    return list(_unfolded(marks))


def _unfolded(marks: Iterable[Any]) -> Iterator[Any]:
    """Yield every mark, those inside a `Field` or an `Interval` too."""
    for mark in marks:
        yield mark
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        elif isinstance(mark, annotated_types.GroupedMetadata):
            yield from mark
