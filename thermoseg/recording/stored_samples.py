"""The stored samples of one frame among those of a whole session or analysis."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import SAMPLE_FIELDS, samples_of
from thermoseg.recording.tables import UNKNOWN_REASON
from thermoseg.rois import RoiSample


class SampleTables(Protocol):
    """A file that holds one table of samples per region."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions, in the order of the file."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """What the number in a sample's `reason` means."""
        ...

    def table(self, name: str) -> NDArray[Any]:
        """Read the table `name`, (n,) of its type in `thermoseg.recording.layout`."""
        ...


class StoredSamples:
    """Finds the samples of a frame; holds the tables in memory, 60 bytes per region and sample."""

    def __init__(self, tables: SampleTables) -> None:
        """Read the tables.

        Raises
        ------
        FormatError
            If the file cannot be read any more.
        """
        self._reasons = tuple(tables.reasons)
        self._tables = {name: tables.table(samples_of(name)) for name in tables.regions}
        # A field of a compound is strided, and would be copied at each search.
        self._times_s = {
            name: np.ascontiguousarray(rows["time_s"]) for name, rows in self._tables.items()
        }

    def of_frame(self, frame_index: int, time_s: float) -> tuple[RoiSample, ...]:
        """Return the sample of each region that was measured in a frame, in the file's order.

        Parameters
        ----------
        frame_index
            `Frame.index`.
        time_s
            `Frame.time_s`, to the bit.
        """
        found = []
        for region, rows in self._tables.items():
            # Times never go back in a table, but a camera that was opened again may number anew.
            times_s = self._times_s[region]
            row = int(np.searchsorted(times_s, time_s))
            if row < len(rows) and times_s[row] == time_s:
                sample = rows[row]
                if int(sample["frame_index"]) == frame_index:
                    found.append(self._sample(region, sample))
        return tuple(found)

    def _sample(self, region: str, row: np.void) -> RoiSample:
        values = {field.name: row[field.name].item() for field in SAMPLE_FIELDS}
        code = int(row["reason"])
        reason = self._reasons[code] if code < len(self._reasons) else UNKNOWN_REASON
        return RoiSample(region, **values | {"valid": bool(values["valid"])}, reason=reason)
