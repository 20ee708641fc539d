"""Colours of traces, and how a temperature becomes a number in the unit chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from PyQt6.QtGui import QFont

from thermoseg.labels import NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, PERINASAL
from ui.plots.marks import mixed
from ui.shell.theme import DARK, Theme, numerals

ToUnit: TypeAlias = Callable[[float], tuple[float, str]]
"""Turns °C into a value in the unit chosen, and its symbol."""

_DARK_TRACES: Final = {
    NOSTRILS: DARK.nostrils,
    NOSTRIL_LEFT: "#ffb454",
    NOSTRIL_RIGHT: "#7ddc8c",
    PERINASAL: DARK.perinasal,
}
_LIGHT_TRACES: Final = {
    NOSTRILS: "#0072ad",
    NOSTRIL_LEFT: "#a35200",
    NOSTRIL_RIGHT: "#1a7a45",
    PERINASAL: "#b8176f",
}
_DARK_ROIS: Final = ("#b9a2ff", "#f0d84a", "#5fe0cc", "#ff9478", "#a4c4ff", "#cfe06a")
_LIGHT_ROIS: Final = ("#6a43c9", "#736000", "#00736a", "#b3371b", "#2f5cc0", "#566400")
STORED_SHARE: Final = 0.55
"""How much of its colour the stored trace keeps beside the one that was analysed again."""


@dataclass(frozen=True, slots=True)
class Look:
    """Theme and size of everything in a plot."""

    theme: Theme
    scale: float

    @property
    def font(self) -> QFont:
        """Font of tick labels and titles."""
        return _small(self.scale)

    def trace_colour(self, region: str, rois: tuple[str, ...] = ()) -> str:
        """Return the colour of a trace; drawn regions take theirs by their place in `rois`."""
        dark = self.theme is DARK
        known = _DARK_TRACES if dark else _LIGHT_TRACES
        if region in known:
            return known[region]
        colours = _DARK_ROIS if dark else _LIGHT_ROIS
        return colours[rois.index(region) % len(colours) if region in rois else 0]

    def stored_colour(self, colour: str) -> str:
        """Return the paler colour of the stored trace of a region."""
        return mixed(colour, self.theme.card, STORED_SHARE).name()


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit of temperature; all of them are straight lines in °C."""

    factor: float = 1.0
    offset: float = 0.0
    symbol: str = "°C"

    @classmethod
    def of(cls, to_unit: ToUnit) -> "Scale":
        """Find factor and offset of a unit."""
        zero, symbol = to_unit(0.0)
        hundred, _ = to_unit(100.0)
        return cls((hundred - zero) / 100, zero, symbol)

    @property
    def difference_symbol(self) -> str:
        """Symbol of a difference: kelvin for °C."""
        return "K" if self.symbol == "°C" else self.symbol

    def value(self, celsius: float) -> float:
        """Convert a temperature."""
        return self.factor * celsius + self.offset


@lru_cache(maxsize=16)
def _small(scale: float) -> QFont:
    return numerals(8.5 * scale)
