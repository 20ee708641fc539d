"""Words about exports."""

from collections.abc import Sequence
from typing import Final

from ui.texts.replay import as_sentence, stamp

KIND_TABLES: Final = "Tables (CSV)"
KIND_FRAME: Final = "This frame (CSV)"
KIND_REGION: Final = "Pixels of a region (CSV)"
KIND_VIDEO: Final = "Video (MP4)"
KIND_TIFF: Final = "Picture stack (TIFF)"
KIND_CUT: Final = "Cut of the selection (session)"
KIND: Final = "Kind of file"
REGION: Final = "Region"
EXPORT_TO: Final = "Folder of the exports"
BESIDE: Final = "beside the recording"
EXPORT_NOW: Final = "Export"
CANCEL: Final = "Cancel"
PROGRESS: Final = "Progress"
NOT_A_SESSION: Final = "Only recordings of ThermoSeg can be exported; record this file first."
NO_PICTURES: Final = "This session holds traces and no pictures; this kind of file needs pictures."
NO_SELECTION: Final = "Select a stretch with [ and ] first."
WHOLE: Final = "The whole recording."
SO_FAR: Final = "What of the recording is on the disk when the export begins."
LEFT: Final = "All of the recording that reached the disk."
STORED_ONLY: Final = "Exports hold the stored masks and traces, not those of the analysis shown."
EXPORTING: Final = "Exporting {name}"


def selected(begin_s: float, end_s: float, frames: int) -> str:
    """Return which stretch is exported."""
    return f"The selection: {stamp(begin_s)} to {stamp(end_s)}, {frames} frames."


def waiting(title: str, count: int) -> str:
    """Return what is at hand, and how much waits."""
    return f"{title}, {count} more waiting" if count else title


def exported(names: Sequence[str], notes: Sequence[str]) -> str:
    """Return what an export has made."""
    what = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more files"
    return " ".join((f"Exported {what}.", *(as_sentence(note) for note in notes)))
