"""What cameras tell of themselves: asked for while they run, put into words, written down."""

import math
from collections.abc import Mapping
from typing import Final

Telemetry = Mapping[str, float | str]
"""Values by a name in snake_case that ends in its unit, such as `fpa_c` or `battery_percent`."""

UNITS: Final = {
    "percent": " %",
    "volt": " V",
    "hz": " Hz",
    "ms": " ms",
    "s": " s",
    "c": " °C",
}
"""The last word of a name, and what is written behind the number."""

NAMES: Final = {"fpa": "FPA"}
"""Words that are not written in small letters."""

FRONT: Final = ("battery_percent",)
"""Conditions that a user must see unasked, as they may end a session."""


def describe_telemetry(telemetry: Telemetry) -> list[str]:
    """Put each entry into words: `battery_percent` 83 is “battery 83 %”."""
    return [_describe(name, value) for name, value in telemetry.items()]


def describe_front(telemetry: Telemetry) -> str:
    """Put into words what must always be seen; empty if the camera does not tell it."""
    known = {name: telemetry[name] for name in FRONT if name in telemetry}
    return ", ".join(describe_telemetry(known))


def _describe(name: str, value: float | str) -> str:
    words = name.split("_")
    unit = UNITS.get(words[-1], "") if len(words) > 1 and not isinstance(value, str) else ""
    named = " ".join(NAMES.get(word, word) for word in (words[:-1] if unit else words))
    if isinstance(value, str):
        return f"{named} {value}"
    if not math.isfinite(value):
        return f"{named} unknown"
    return f"{named} {value:.0f}{unit}" if value == int(value) else f"{named} {value:.4g}{unit}"
