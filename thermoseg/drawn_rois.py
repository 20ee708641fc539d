"""Regions that a user has drawn on the picture."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class DrawnRoi:
    """A named outline, or a spot where it is one point."""

    name: str
    outline_px: tuple[tuple[float, float], ...]
    """Corners x, y in frame pixels; a corner of the picture is (0, 0)."""

    @classmethod
    def spot(cls, name: str, x_px: float, y_px: float) -> Self:
        """Return the region of one place."""
        return cls(name, ((x_px, y_px),))
