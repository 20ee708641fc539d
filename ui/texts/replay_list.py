"""Words of the list of recordings."""

from collections.abc import Sequence
from typing import Final

from ui.texts.replay import as_sentence

BACK: Final = "Back"
BACK_TIP: Final = "Back to the recording that is open"
RECORDINGS: Final = "Recordings"
FOLDER: Final = "Folder"
WHERE_I_RECORD: Final = "Where I record"
WHERE_I_RECORD_TIP: Final = "List the folder into which the live page records"
REFRESH: Final = "Look again"
OPEN_ROW: Final = "Replay"
RECOVER: Final = "Recover"
RECOVER_TIP: Final = "Make a sound copy of everything that reached the disk; the file itself stays"
RECOVERING: Final = "Recovering {name}…"
LOOKING: Final = "Looking…"
OPEN_FILE: Final = "Open a file…"
NO_RECORDINGS: Final = "There are no recordings in this folder yet."
COLUMNS: Final = (
    "Participant",
    "Session",
    "Task",
    "Run",
    "Recorded",
    "Length",
    "Frames",
    "Missed",
    "Dropped",
    "State",
    "File",
)


def recovered(name: str, losses: Sequence[str], notes: Sequence[str]) -> str:
    """Return what a recovery has saved and what not."""
    outcome = "Nothing that was on the disk is lost." if not losses else ""
    parts = (f"Recovered into {name}.", outcome, *map(as_sentence, (*losses, *notes)))
    return " ".join(part for part in parts if part)


def listed(count: int, crashed: int, damaged: int) -> str:
    """Return how many recordings there are, and how many need somebody."""
    parts = [f"{count} recordings" if count != 1 else "1 recording"]
    parts += [f"{crashed} crashed"] if crashed else []
    parts += [f"{damaged} damaged"] if damaged else []
    return ", ".join(parts)
