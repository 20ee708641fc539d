"""Says what is wrong with the disk that a recording goes to, while it still does."""

from pathlib import Path
from typing import Final

from thermoseg.recording.place import DiskLimits
from thermoseg.recording.status import RecorderStatus

RISK_S: Final = 1.0
"""A disk that leaves more than this at risk is said to be slow."""


def warn_of_disk(place: Path, status: RecorderStatus, limits: DiskLimits) -> str:
    """Say in one sentence that the disk of `place` is slow or nearly full; empty if it is not."""
    if status.at_risk_s > RISK_S:
        return (
            f"the disk of {place} is slow: a power cut now would cost the last "
            f"{status.at_risk_s:.1f} s; record to a faster one"
        )
    size, free, seconds = status.bytes_on_disk, status.free_bytes, status.seconds
    if not free:
        return ""
    left_s = free / (size / seconds) if size and seconds > 1 else float("inf")
    if free >= limits.warn_bytes and left_s >= limits.warn_s:
        return ""
    left = f", enough for {left_s / 60:.0f} min" if left_s < float("inf") else ""
    return f"the disk that holds {place} has {free / 1e9:.1f} GB left{left}; make space"
