"""Words about the recording that is replayed."""

from collections.abc import Sequence
from html import escape
from typing import Final

UNFINISHED: Final = "This recording is not finished; recover it from the list first."
NOTHING_OPEN: Final = "No recording is open."
CAMERA: Final = "Camera"
PICTURE: Final = "Picture"
LENGTH: Final = "Length"
TEMPERATURES: Final = "Temperatures"
RECORDED: Final = "Recorded"
NO_MASKS: Final = "none, no masks are stored"
COUNTS: Final = "Frames"
NOTES: Final = "Notes"
ENDED: Final = "Ended"
PROGRAM: Final = "Program"
PROBLEMS: Final = "Problems"
STILL_RECORDED: Final = "It is being recorded."


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values as rich text in two columns."""
    cells = (
        f"<tr><td><b>{escape(name)}</b>&nbsp;&nbsp;</td>"
        f"<td>{escape(value).replace(chr(10), '<br>')}</td></tr>"
        for name, value in rows
    )
    return f"<table cellspacing='2'>{''.join(cells)}</table>"


def counts(recorded: int, missed: int, dropped: int) -> str:
    """Return what became of the frames."""
    return f"{recorded} recorded, {missed} missed, {dropped} dropped"
