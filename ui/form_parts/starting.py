"""What a form shows before anybody gave it a value."""

from pydantic import BaseModel

from ui.form_parts.kinds import (
    UNFILLED,
    Choice,
    Fixed,
    Flag,
    Kind,
    Maybe,
    Number,
    OneOf,
    Pair,
    Record,
    Several,
    Table,
    Text,
    constant,
    example_of,
    field_of,
)


def record_start(model: type[BaseModel]) -> dict[str, object]:
    """Return what the fields of a model show before anybody gave them a value, by name.

    A field's default, else its first example, else nothing where nothing can be guessed.

    Parameters
    ----------
    model
        Whose fields they are; those with a single value are among them.
    """
    values: dict[str, object] = {}
    for name, info in model.model_fields.items():
        only = constant(info)
        if only is not UNFILLED:
            values[name] = only
        elif not info.is_required():
            values[name] = info.get_default(call_default_factory=True, validated_data=values)
        elif (example := example_of([info])) is not UNFILLED:
            values[name] = example
        else:
            kind = field_of(model, name, info).kind
            guessed = not isinstance(kind, (Number, Pair))
            values[name] = start_value(kind) if guessed else UNFILLED
    return values


def start_value(kind: Kind) -> object:
    """Return a value to begin with where there is no default: when a row is added, say."""
    match kind:
        case Flag(optional) | Choice(optional=optional) if optional:
            return None
        case Flag():
            return False
        case Choice(values):
            return values[0]
        case Number():
            return _start_number(kind)
        case Pair(number):
            return _start_pair(number)
        case Text():
            return ""
        case Record(model):
            return record_start(model)
        case OneOf(variants=variants):
            return record_start(next(iter(variants.values())).model)
    return _start_of_many(kind)


def _start_of_many(kind: Kind) -> object:
    match kind:
        case Several(inner, container, least):
            return container(start_value(inner) for _ in range(least))
        case Fixed(inners):
            return tuple(start_value(inner) for inner in inners)
        case Table():
            return {}
        case Maybe():
            return None
    return UNFILLED


def switched_on(kind: Maybe) -> object:
    """Return a value to begin with when what was None shall be something."""
    return start_value(kind.inner) if kind.first is UNFILLED else kind.first


def _start_number(number: Number) -> float:
    for guess in (0, 1):
        if _fits(number, guess):
            return guess if number.whole else float(guess)
    if number.low is not None and not number.low_open:
        return number.low
    if number.low is not None and number.high is not None:
        return (number.low + number.high) / 2
    return number.high if number.high is not None else 0.0


def _start_pair(number: Number) -> object:
    if number.low is None or number.high is None:
        return (UNFILLED, UNFILLED)
    return (number.low, number.high)


def _fits(number: Number, value: float) -> bool:
    above = (
        number.low is None or value > number.low or (value == number.low and not number.low_open)
    )
    below = (
        number.high is None
        or value < number.high
        or (value == number.high and not number.high_open)
    )
    return above and below
