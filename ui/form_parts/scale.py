"""Where a number stands on a slider, and which number a place on it means."""

from math import expm1, floor, log1p, log10

from ui.form_parts.kinds import Number

FAR_APART = 100
"""A scale is logarithmic if its bounds lie at least so many times apart."""
MOST_APART = 10_000_000
"""A range of more than this is no use on a slider."""
FINEST = 500
"""A linear slider tells at least so many values apart."""
DIGITS = 3
"""Significant digits of a value that is chosen on a logarithmic slider."""
STEPS = 100
"""Arrow keys go through a linear range in at most about twice so many steps."""


class Scale:
    """The scale of a number between two bounds, linear or logarithmic.

    Logarithmic means even in log(value + s); s is 0 if the lower bound is above 0, else 1, so that
    0 itself has a place.
    """

    def __init__(self, number: Number) -> None:
        """Choose the scale.

        Parameters
        ----------
        number
            Must have both bounds.

        Raises
        ------
        ValueError
            If it has not.
        """
        if number.low is None or number.high is None:
            raise ValueError(f"a slider needs two bounds, got {number}")
        self._number = number
        self._low, self._high = float(number.low), float(number.high)
        self._shift = 0.0 if self._low > 0 else 1.0
        self.logarithmic = self._low >= 0 and self._ratio >= FAR_APART

    @staticmethod
    def suits(number: Number) -> bool:
        """Whether a number has bounds that a slider can show."""
        if number.low is None or number.high is None:
            return False
        return 0 < number.high - number.low <= MOST_APART

    @property
    def _ratio(self) -> float:
        return (self._high + self._shift) / (self._low + self._shift)

    def position(self, value: float) -> float:
        """Return where a value stands, from 0 to 1; one outside the bounds at the nearer end."""
        inside = min(max(value, self._low), self._high)
        if not self.logarithmic:
            return (inside - self._low) / (self._high - self._low)
        grown = (inside - self._low) / (self._low + self._shift)
        return log1p(grown) / log1p(self._ratio - 1)

    def value(self, position: float) -> float:
        """Return the value at a place from 0 to 1, rounded to what a hand can aim at."""
        if not self.logarithmic:
            exact = self._low + position * (self._high - self._low)
            digits = -floor(log10((self._high - self._low) / FINEST))
        else:
            grown = expm1(position * log1p(self._ratio - 1))
            exact = self._low + grown * (self._low + self._shift)
            digits = DIGITS - 1 - floor(log10(abs(exact))) if exact else DIGITS
            digits = min(digits, DIGITS - floor(log10(self._low + self._shift)))
        if self._number.whole:
            return int(min(max(round(exact, min(digits, 0)), self._low), self._high))
        return self._inside(round(exact, digits), 10.0**-digits)

    def step(self) -> float:
        """Return the change of one press of an arrow key on a linear scale of real numbers."""
        return nice((self._high - self._low) / STEPS)

    def _inside(self, value: float, finest: float) -> float:
        """Return `value` within the bounds, and off a bound that is itself excluded."""
        low = self._low + finest if self._number.low_open else self._low
        high = self._high - finest if self._number.high_open else self._high
        return min(max(value, low), high)


def nice(step: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at most `step`, which is above 0."""
    power = 10.0 ** floor(log10(step) + 1e-9)
    return max(factor for factor in (1, 2, 5) if factor * power <= step * (1 + 1e-9)) * power
