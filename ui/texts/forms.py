"""The words of forms: names of fields, and what is wrong with a value."""

import html
import re
from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from pydantic_core import ErrorDetails

NOT_SET: Final = "Not set"
ON: Final = "On"
OFF: Final = "Off"
BROWSE: Final = "Browse…"
ADD: Final = "Add"
REMOVE: Final = "×"
CHOOSE_FILE: Final = "Choose a file"
CHOOSE_FOLDER: Final = "Choose a folder"
KIND: Final = "Kind"
UNFILLED: Final = "Fill this in."

ACRONYMS: Final = {
    "3d": "3D",
    "id": "ID",
    "ip": "IP",
    "jpeg": "JPEG",
    "netd": "NETD",
    "roi": "ROI",
    "rois": "ROIs",
    "tiaug": "TiAug",
    "usb": "USB",
}
"""Words that are not written as they stand in a field's name."""

UNIT_ENDINGS: Final = ("_s", "_hz", "_c", "_k", "_px", "_deg", "_m", "_ms")
"""Ends of names that say the unit, which stands beside the field."""


def label_of(name: str, unit: str = "") -> str:
    """Return a field's name in words: “Rate” for rate_hz.

    Parameters
    ----------
    name
        As in the code.
    unit
        What stands beside the field; without one the name keeps its ending.
    """
    ending = next((end for end in UNIT_ENDINGS if unit and name.endswith(end)), "")
    words = name.removesuffix(ending).split("_")
    text = " ".join(ACRONYMS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def choice_text(value: object) -> str:
    """Return a value that can be chosen, in words."""
    return str(getattr(value, "value", value)).replace("_", " ")


def tip_of(description: str) -> str:
    """Return a docstring as a tool tip that wraps its lines."""
    if not description:
        return ""
    marked = re.sub(r"`([^`]*)`", r"<i>\1</i>", html.escape(plain(description, ticks=True), False))
    return f"<qt>{marked}</qt>"


def plain(description: str, *, ticks: bool = False) -> str:
    """Return a docstring as one line of text, with or without its backticks."""
    text = " ".join(description.split())
    return text if ticks else text.replace("`", "")


def of_row(label: str, index: int) -> str:
    """Name the row `index`, counted from 0, of a list."""
    return f"{label}, row {index + 1}"


def row_title(index: int, said: str) -> str:
    """Return the heading of the row `index` of a list, with what tells it from the others."""
    return f"{index + 1} – {said}" if said else str(index + 1)


def remove_row(label: str, index: int) -> str:
    """Say what the button beside a row does."""
    return f"Remove row {index + 1} of {label}"


def add_row(label: str) -> str:
    """Say what the button below a list does."""
    return f"Add a row to {label}"


def lowest(label: str) -> str:
    """Name the first field of a pair."""
    return f"{label}, lowest"


def highest(label: str) -> str:
    """Name the second field of a pair."""
    return f"{label}, highest"


def slider_of(label: str) -> str:
    """Name the slider beside a number field."""
    return f"{label}, slider"


def key_of(label: str, index: int) -> str:
    """Name the left column of a row of names and values."""
    return f"{label}, name {index + 1}"


def value_of(label: str, index: int) -> str:
    """Name the right column of a row of names and values."""
    return f"{label}, value {index + 1}"


def set_switch(label: str) -> str:
    """Name the switch of a field that may be left away."""
    return f"Set {label}"


def section_title(title: str, problems: int) -> str:
    """Return the heading of a section, which also says that something inside is wrong."""
    if not problems:
        return title
    return f"{title} – {problems} to correct"


def number_text(value: float) -> str:
    """Return the shortest text that is exactly this number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return repr(value).removesuffix(".0")
    return repr(value)


BOUNDS: Final = {
    "greater_than": ("gt", "Must be more than {}."),
    "greater_than_equal": ("ge", "Must be at least {}."),
    "less_than": ("lt", "Must be less than {}."),
    "less_than_equal": ("le", "Must be at most {}."),
    "multiple_of": ("multiple_of", "Must be a multiple of {}."),
}
"""By pydantic's kind of error: the key of the bound, and the sentence."""

SENTENCES: Final = {
    "missing": UNFILLED,
    "finite_number": "Must be a finite number.",
    "dict_type": "Two rows have the same name; rename one.",
    "string_pattern_mismatch": "Must fit the pattern {pattern}.",
    "string_too_long": "Must have at most {max_length} characters.",
    "literal_error": "Must be one of {expected}.",
    "enum": "Must be one of {expected}.",
    "path_not_file": "There is no such file; choose another.",
    "path_not_directory": "There is no such folder; choose another.",
}
"""By pydantic's kind of error, with the names of its context in braces."""


def complaint(fault: ErrorDetails, unit: str = "") -> str:
    """Say in one sentence what pydantic found wrong with a field.

    Parameters
    ----------
    fault
        One of `ValidationError.errors()`.
    unit
        Of the field's number.
    """
    kind, context = fault["type"], fault.get("ctx", {})
    if isinstance(fault["input"], float) and isnan(fault["input"]):
        return SENTENCES["finite_number"]
    if kind in BOUNDS:
        key, sentence = BOUNDS[kind]
        bound = " ".join(filter(None, (_bound_text(context[key]), unit)))
        return sentence.format(bound)
    if kind in SENTENCES:
        return SENTENCES[kind].format(**context)
    if kind in ("int_parsing", "float_parsing", "int_from_float", "int_parsing_size"):
        return _no_number(kind, fault["input"])
    if kind in ("too_short", "string_too_short"):
        return _too_short(kind, context)
    if kind == "too_long":
        return f"Must have at most {context['max_length']} rows; remove some."
    return sentence_of(fault["msg"].removeprefix("Value error, "))


def sentence_of(text: str) -> str:
    """Give a clause its capital and its full stop, unless it begins with the name of a setting."""
    first = re.match(r"[\w.]+", text)
    is_name = first is not None and ("_" in first[0] or "." in first[0])
    begun = text if is_name else text[:1].upper() + text[1:]
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def _bound_text(bound: object) -> str:
    return number_text(bound) if isinstance(bound, (int, float)) else str(bound)


def _no_number(kind: str, text: object) -> str:
    if kind == "float_parsing":
        return f"“{text}” is no number; write one with a point, such as 0.5."
    return f"“{text}” is no whole number; write one such as 12."


def _too_short(kind: str, context: Mapping[str, Any]) -> str:
    least = context["min_length"]
    if kind == "string_too_short":
        return UNFILLED if least == 1 else f"Must have at least {least} characters."
    return f"Needs at least {least} row{'s' if least != 1 else ''}; add one."
