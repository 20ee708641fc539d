"""The shutter of a camera as its frames tell it: closings become two events, never one a frame."""

from math import inf
from typing import Final

from thermoseg.frames import Frame, FrameFlag
from thermoseg.timeline import FREEZE_S, FROZEN_S

RESTLESS_S: Final = 1.0
"""A shutter that closes again so soon is told of once: some cameras close theirs twice, and one
whose flag flickers must not fill the list of events."""


class ShutterWatch:
    """Follows the frames of one camera since it was opened; used by one thread."""

    def __init__(self) -> None:
        self.openings = 0
        """How often the shutter was seen to open again."""
        self._closed = self._told = False
        self._since_s = 0.0
        """When the shutter closed."""
        self._opened_s = -inf
        """When it opened last."""
        self._after_s = -inf
        """Last moment at which a frame was behind or after the shutter."""
        self._fresh_s = 0.0
        """Time of the last picture that was not the one before it again."""
        self._before: Frame | None = None

    def look(self, frame: Frame) -> str:
        """Take the next frame; return what has become of the shutter, empty as a rule.

        A camera that tells nothing of its shutter is known by pictures that stand still, which
        `TimeLine` flags once they move again; then one sentence tells both ends.
        """
        told, time_s, before = "", frame.time_s, self._before
        repeated = FrameFlag.DUPLICATE in frame.flags
        if FrameFlag.SHUTTER in frame.flags:
            if not self._closed:
                self._since_s = self._fresh_s if repeated else time_s
                self._told = time_s - self._opened_s >= RESTLESS_S
                told = "shutter closed" if self._told else ""
            self._closed, self._after_s = True, time_s
        elif self._closed:
            told = f"shutter open again after {time_s - self._since_s:.1f} s" if self._told else ""
            self._open(time_s)
        elif FrameFlag.AFTER_SHUTTER in frame.flags:
            known = before is None or FrameFlag.AFTER_SHUTTER in before.flags
            if before is not None and not known and time_s - self._after_s > FREEZE_S:
                told = self._describe_unseen(before, time_s)
                self._open(time_s)
            self._after_s = time_s
        if not repeated:
            self._fresh_s = time_s
        self._before = frame
        return told

    def _open(self, time_s: float) -> None:
        self._closed = False
        self._opened_s = self._after_s = time_s
        self.openings += 1

    def _describe_unseen(self, before: Frame, time_s: float) -> str:
        """Describe a closing that is known only now that it is over."""
        if FrameFlag.DUPLICATE not in before.flags:
            lasted_s = time_s - before.time_s
            return f"shutter was closed for at most {lasted_s:.1f} s, in which no picture came"
        still_s = time_s - self._fresh_s
        if still_s >= FROZEN_S:
            return f"the picture moves again; it had stood still for {still_s:.1f} s"
        return f"shutter was closed for {still_s:.1f} s, as the picture stood still"
