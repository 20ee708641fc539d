"""Pictures of the simulated camera that are drawn once and then played round.

What is measured beside such a camera is the program, not the drawing of the phantom.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import FrameFlag
from thermoseg.phantom.head import Truth

LOOP_BYTES: Final = 1 << 30
"""Memory that the pictures of a loop may take."""
COUNT_BYTES: Final = 2
"""Of one pixel."""
_SAME: Final = 1e-6
"""Breaths by which a loop may fall short of a whole number for want of digits."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPicture:
    """What the simulated camera sees at one moment."""

    counts: NDArray[np.uint16]
    """(height, width), read-only by agreement."""
    flags: FrameFlag
    truth: Truth


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """Length of a loop."""

    pictures: int
    breaths: int
    """Whole breaths in it; 0 if it is too short for one, and then it has a seam."""
    seconds: float
    """Time in which the sitter does what the pictures show."""

    @classmethod
    def fit(cls, loop_s: float, rate_hz: float, breaths_per_minute: float) -> Self:
        """Take as many whole breaths as `loop_s` seconds hold, so that breathing meets itself."""
        breaths = floor(loop_s * breaths_per_minute / 60 + _SAME)
        seconds = 60 * breaths / breaths_per_minute if breaths else loop_s
        return cls(max(round(seconds * rate_hz), 1), breaths, seconds)

    def bytes_of(self, width: int, height: int) -> int:
        """Return the memory of its pictures of `width` × `height` pixels, bytes."""
        return self.pictures * width * height * COUNT_BYTES


class PictureLoop:
    """The pictures of one loop: drawn in order, then asked for by the number of a frame."""

    def __init__(self, plan: LoopPlan) -> None:
        """Draw nothing yet."""
        self.plan = plan
        self._drawn: list[DrawnPicture] = []

    @property
    def whole(self) -> bool:
        """Whether all its pictures are drawn."""
        return len(self._drawn) == self.plan.pictures

    def draw_next(self, draw: Callable[[float], DrawnPicture]) -> None:
        """Add the next picture.

        Parameters
        ----------
        draw
            Draws the moment that is given, seconds.
        """
        plan = self.plan
        self._drawn.append(draw(len(self._drawn) * plan.seconds / plan.pictures))

    def picture(self, index: int) -> DrawnPicture:
        """Return the picture of frame `index`; its breaths count on from round to round."""
        rounds, place = divmod(index, self.plan.pictures)
        drawn = self._drawn[place]
        phase = drawn.truth.breath_phase + rounds * self.plan.breaths
        return replace(drawn, truth=replace(drawn.truth, breath_phase=phase))
