"""Region temperatures as CSV, as `thermoseg segment` and `thermoseg export csv` have them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import numpy as np

from thermoseg.recording.layout import SAMPLE_FIELDS
from thermoseg.rois import RoiSample

MEASURED: Final = tuple(field for field in SAMPLE_FIELDS if field.name != "time_s")
"""Fields of a sample that stand behind its frame, time and region."""

COLUMNS: Final = ("file", "frame", "time_s", "region", *(f.name for f in MEASURED), "reason")


class RegionTable:
    """`regions.csv`: one row per frame and region, written as they come."""

    def __init__(self, path: Path) -> None:
        """Start an empty table at `path`."""
        self._file = open_table(path)
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def __enter__(self) -> Self:
        """Return the table itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def append(self, path: Path, number: int, samples: Sequence[RoiSample]) -> None:
        """Write the regions of frame `number`, counted from 0, of the file at `path`."""
        for sample in samples:
            self._rows.writerow(
                (
                    path,
                    number,
                    f"{sample.time_s:.4f}",
                    sample.region,
                    *(cell(getattr(sample, field.name)) for field in MEASURED),
                    sample.reason,
                )
            )


def open_table(path: Path) -> IO[str]:
    """Open a file for CSV: UTF-8, line ends as they are written, names of files as far as they go.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")


def cell(value: float) -> str:
    """Write a number: whole ones and truths as they are, others to four places, absent ones not."""
    if isinstance(value, int | np.integer | np.bool_):
        return str(int(value))
    return "" if np.isnan(value) else f"{value:.4f}"
