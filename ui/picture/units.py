"""The units in which temperatures are shown; everything inside the program is °C and kelvin."""

from enum import Enum
from typing import Final

ZERO_C_IN_KELVIN: Final = 273.15
FAHRENHEIT_PER_KELVIN: Final = 1.8
ZERO_C_IN_FAHRENHEIT: Final = 32.0


class Unit(Enum):
    """A unit; the value is its symbol."""

    CELSIUS = "°C"
    FAHRENHEIT = "°F"
    KELVIN = "K"
    COUNTS = "counts"
    """Not chosen: pixels of cameras that cannot say °C stay what they are."""

    @property
    def decimals(self) -> int:
        """Decimals of a number in a field or beside a scale."""
        return 0 if self is Unit.COUNTS else 1

    def of(self, celsius: float) -> float:
        """Convert a temperature in °C; counts stay counts.

        Examples
        --------
        >>> Unit.FAHRENHEIT.of(37.0)
        98.6
        """
        if self is Unit.FAHRENHEIT:
            return round(celsius * FAHRENHEIT_PER_KELVIN + ZERO_C_IN_FAHRENHEIT, 9)
        return round(celsius + ZERO_C_IN_KELVIN, 9) if self is Unit.KELVIN else celsius

    def to_celsius(self, value: float) -> float:
        """Convert a temperature in this unit back to °C; counts stay counts."""
        if self is Unit.FAHRENHEIT:
            return (value - ZERO_C_IN_FAHRENHEIT) / FAHRENHEIT_PER_KELVIN
        return value - ZERO_C_IN_KELVIN if self is Unit.KELVIN else value

    def of_difference(self, kelvin: float) -> float:
        """Convert a difference, which has a scale and no offset.

        Examples
        --------
        >>> Unit.FAHRENHEIT.of_difference(10.0), Unit.KELVIN.of_difference(10.0)
        (18.0, 10.0)
        """
        return kelvin * FAHRENHEIT_PER_KELVIN if self is Unit.FAHRENHEIT else kelvin

    def text(self, celsius: float, symbol: bool = True) -> str:
        """Write a temperature with two decimals, or counts with none."""
        number = f"{self.of(celsius):.{0 if self is Unit.COUNTS else 2}f}"
        return f"{number} {self.value}" if symbol else number


CHOSEN_UNITS: Final = (Unit.CELSIUS, Unit.FAHRENHEIT, Unit.KELVIN)
"""Units a user may choose."""
