"""Which picture to show under which mask, so that neither lies about the other."""

from dataclasses import dataclass
from typing import Final

from thermoseg.frames import Frame
from thermoseg.result import Result

TOGETHER_S: Final = 0.1
"""A picture this much older than the newest is still "now" to the eye; it is then shown with the
mask that belongs to it."""

APART_S: Final = 1.0
"""Once a mask came later than that, newest pictures are shown under older masks for at least this
long: alternating would make the picture step back in time."""

OUTDATED_S: Final = 1.0
"""A mask older than this is no longer shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture, and the mask to lay over it."""

    frame: Frame
    result: Result | None
    """None if there is no mask fit to be shown."""
    behind_s: float
    """How much older than `frame` the newest mask is; 0 if it belongs to it."""


class Pairing:
    """Chooses what to show; remembers how late masks have been lately."""

    def __init__(self) -> None:
        self._apart_until_s = float("-inf")

    def choose(self, newest: Frame, result: Result | None) -> Shown:
        """Pair the newest frame and the newest result of one session.

        Masks that keep up are shown on the very frame they were made from.  Slower ones lie over
        the newest frame and say by how much they are behind; outdated ones are left out.
        """
        # Hysteresis in time: a mask that was late once keeps both apart for `APART_S`, or a network
        # near the limit would make the picture jump back and forth between its own frame and the
        # newest.  A time far ahead comes from a session that has ended and counts no longer.
        if result is None:
            return Shown(newest, None, 0.0)
        behind_s = newest.time_s - result.frame.time_s
        if behind_s > TOGETHER_S:
            self._apart_until_s = newest.time_s + APART_S
        elif not newest.time_s < self._apart_until_s <= newest.time_s + APART_S:
            return Shown(result.frame, result, 0.0)
        if behind_s > OUTDATED_S:
            return Shown(newest, None, behind_s)
        return Shown(newest, result, max(behind_s, 0.0))
