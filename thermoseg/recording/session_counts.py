"""The counts of a session's frames: as its file tells them, or from frames and gaps."""

from collections.abc import Sequence
from dataclasses import dataclass

from thermoseg.errors import FormatError
from thermoseg.recording.contents import Gap
from thermoseg.recording.layout import COUNTS, GAP_CAUSES
from thermoseg.recording.opening import OpenSession


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """Counts of the session's frames; recorded + dropped = captured."""

    captured: int
    """Frames offered to the recorder."""
    recorded: int
    dropped: int
    missed: int
    """Frames that the camera numbered but never delivered."""


def read_counts(
    session: OpenSession, gaps: Sequence[Gap], frames: int, left_out: int, problems: list[str]
) -> RecordingCounts:
    """Read the counts of a finished session, or derive those of another.

    Parameters
    ----------
    frames
        How many can be read.
    left_out
        How many more the file claims.
    problems
        Gets a sentence if what the file tells is damaged or does not fit.
    """
    derived = _derive(gaps, frames, left_out)
    if not session.finished:
        return derived
    try:
        told = RecordingCounts(*(session.attributes.integer(name) for name in COUNTS))
    except FormatError:
        problems.append("its counts cannot be read; they are counted anew")
        return derived
    if told != derived and not (left_out or session.missing_bytes):
        problems.append(
            f"its counts ({_say(told)}) do not fit its frames and gaps; counted anew: "
            f"{_say(derived)}"
        )
    return derived


def _derive(gaps: Sequence[Gap], frames: int, left_out: int) -> RecordingCounts:
    """Count frames and gaps; frames that are left out are dropped."""
    lost = dict.fromkeys(GAP_CAUSES, 0)
    for gap in gaps:
        lost[gap.cause] += gap.frames
    dropped = lost["recorder"] + lost["damaged"] + left_out
    return RecordingCounts(frames + dropped, frames, dropped, lost["camera"])


def _say(counts: RecordingCounts) -> str:
    return ", ".join(f"{getattr(counts, name)} {name}" for name in COUNTS)
