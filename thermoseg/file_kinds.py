"""Kinds of files that are played, segmented and offered for opening, and how their names end.

Content decides what a file is (`drivers/file_sources.py`); the name decides what is taken from a
folder or shown in a dialog, where looking into every file would take long.
"""

import re
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final


class FileKind(StrEnum):
    """Kinds of files by their content."""

    FLIR = "FLIR recording or picture"
    TIFF = "TIFF"
    NUMPY = "NumPy array"
    MATRIX = "raw matrix"
    PURETHERMAL = "PureThermal recording"
    SESSION = "session of ThermoSeg"
    PICTURE = "8-bit or radiometric picture"
    VIDEO = "video"


SUFFIXES: Final = MappingProxyType(
    {
        FileKind.FLIR: frozenset((".fff", ".seq", ".csq")),
        FileKind.TIFF: frozenset((".tif", ".tiff")),
        FileKind.NUMPY: frozenset((".npy",)),
        FileKind.MATRIX: frozenset((".bin",)),
        FileKind.PURETHERMAL: frozenset((".gz",)),
        FileKind.SESSION: frozenset((".h5",)),
        FileKind.PICTURE: frozenset((".jpg", ".jpeg", ".png", ".bmp")),
        FileKind.VIDEO: frozenset(
            (".avi", ".mp4", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg", ".wmv")
        ),
    }
)
"""Endings of names by kind, lower case."""

ALL_SUFFIXES: Final = frozenset[str]().union(*SUFFIXES.values())
"""What is taken from a folder; a file that is named itself is tried whatever its suffix."""

_ANALYSIS: Final = re.compile(r".+\.analysis-\d+\.h5")


def is_frames_name(path: Path) -> bool:
    """Tell whether a file of this name is taken from a folder: analyses beside sessions are not."""
    return path.suffix.lower() in ALL_SUFFIXES and not _ANALYSIS.fullmatch(path.name)
