"""Sensor counts to temperatures and back: pure functions of counts and constants."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

KELVIN: Final = 273.15
"""0 °C in kelvin."""


class Radiometry(Protocol):
    """How the counts of one source become temperatures."""

    @property
    def radiometric(self) -> bool:
        """Whether the result is °C; if not, it is the counts themselves, good for shapes only."""
        ...

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape)."""
        ...


@dataclass(frozen=True, slots=True)
class LinearRadiometry:
    """T = scale_k · counts + offset_c, as TLinear and TemperatureLinear cameras promise."""

    scale_k: float
    """Kelvin per count."""
    offset_c: float = -KELVIN
    """°C at zero counts."""

    @property
    def radiometric(self) -> bool:
        """Always true."""
        return True

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape)."""
        return counts.astype(np.float32) * np.float32(self.scale_k) + np.float32(self.offset_c)


@dataclass(frozen=True, slots=True)
class RelativeCounts:
    """Counts without a known scale: a picture, never a temperature."""

    reason: str
    """Why there are no temperatures, one clause, shown to the user."""

    @property
    def radiometric(self) -> bool:
        """Always false."""
        return False

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Return the counts themselves as float32."""
        return counts.astype(np.float32)
