"""When a camera corrects itself behind its shutter, put into events that nobody drowns in."""

from typing import Final

from thermoseg.frames import FrameFlag

TOLD_S: Final = 5.0
"""Closings that follow the last one told sooner than this are counted only."""


class ShutterWatch:
    """Follows the flags of one camera's frames, in order."""

    def __init__(self) -> None:
        self._closed_s: float | None = None
        """When the shutter that is closed was closed; None while it is open."""
        self._told_s = float("-inf")
        self._telling = False
        self._untold = 0

    def look(self, flags: FrameFlag, time_s: float) -> str:
        """Return what is to be told of the frame with these flags; empty if nothing is.

        Parameters
        ----------
        time_s
            Of the frame; does not go back.
        """
        closed = FrameFlag.SHUTTER in flags
        if closed == (self._closed_s is not None):
            return ""
        if closed:
            return self._close(time_s)
        lasted_s = time_s - (self._closed_s or 0.0)
        self._closed_s = None
        return f"shutter open after {lasted_s:.1f} s" if self._telling else ""

    def _close(self, time_s: float) -> str:
        self._closed_s = time_s
        self._telling = time_s - self._told_s >= TOLD_S
        if not self._telling:
            self._untold += 1
            return ""
        self._told_s, untold, self._untold = time_s, self._untold, 0
        return (
            f"shutter closed; {untold} times more since it was told"
            if untold
            else ("shutter closed")
        )
