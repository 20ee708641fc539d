"""A camera that delivers another rate than it was asked for, told once it is sure."""

import math
import threading
from contextlib import suppress
from typing import Final

from thermoseg.cameras import Address
from thermoseg.errors import ConfigError

WRONG: Final = 0.1
"""Difference from which on a rate is wrong, part of the rate that was asked for."""
RIGHT: Final = 0.05
"""Difference up to which it is right again."""
SURE_S: Final = 3.0
"""Time for which a rate must be wrong, or right again, to be believed."""


def asked_rate_hz(address: str) -> float:
    """Return the option `rate_hz` of a camera's address; 0 if it has none."""
    with suppress(ConfigError, ValueError):
        rate_hz = float(Address.parse(address).options.get("rate_hz", "0"))
        return rate_hz if math.isfinite(rate_hz) else 0.0
    return 0.0


class RateWatch:
    """Compares the rate of one camera with what was asked for; may be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = False
        self._changing_s: float | None = None
        """Since when the rate has been other than what is told."""

    def note(self, now_s: float, delivered_hz: float, asked_hz: float) -> str:
        """Return what is wrong, one sentence; empty if nothing is.

        Parameters
        ----------
        now_s
            Monotonic clock.
        delivered_hz
            Measured over the last seconds; 0 while there is nothing to measure.
        asked_hz
            Asked for or, without a wish, nominal; 0 if any is right.
        """
        with self._lock:
            if not (delivered_hz > 0 and asked_hz > 0):
                self._told, self._changing_s = False, None
                return ""
            wrong = abs(delivered_hz - asked_hz) > (RIGHT if self._told else WRONG) * asked_hz
            if wrong == self._told:
                self._changing_s = None
            elif self._changing_s is None:
                self._changing_s = now_s
            elif now_s - self._changing_s >= SURE_S:
                self._told, self._changing_s = wrong, None
        if not self._told:
            return ""
        return f"the camera delivers {_per_s(delivered_hz)}, asked for {_per_s(asked_hz)}"


def _per_s(rate_hz: float) -> str:
    return f"{rate_hz:.1f}".removesuffix(".0") + "/s"
