"""How a recording gets on, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """Progress of a recording."""

    recorded: int
    """Frames in the file."""
    dropped: int
    """Frames offered that will never be in the file."""
    seconds: float
    """Time from the first frame offered to the last."""
    bytes_on_disk: int
    free_bytes: int
    failed: str
    """One sentence if the recording ended by itself, else empty."""
    warning: str = ""
    """One sentence about the disk, else empty."""
    on_disk: bool = False
    """Whether the file is there, under its name: only then may one say that it is recorded."""
    at_risk_s: float = 0.0
    """Length of what a power cut would cost now, seconds of frames."""
    missed: int = 0
    """Frames that never reached us since it began, by the camera's own numbers."""
    waiting: int = 0
    """Frames that wait for the writer."""
    slots: int = 0
    """Frames that can; 0 once nothing is recorded any more."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """Result of a recording; recorded + dropped = captured."""

    path: Path
    """Path of the session file."""
    captured: int
    """Frames offered."""
    recorded: int
    dropped: int
    missed: int
    """Frames that never reached us, by the camera's own numbers."""
    seconds: float
    bytes_on_disk: int
    failed: str
    """Why the recording ended by itself, or is not where it should be; one sentence, else empty."""
    there: bool = True
    """Whether the file is at `path`; false if somebody removed, renamed or replaced it."""


NOTHING_YET: Final = RecorderStatus(0, 0, 0.0, 0, 0, "")
"""Status of a recorder that was not started."""
