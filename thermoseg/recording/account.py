"""What a recovery has saved and lost, as its process tells it and the copy keeps it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import COUNTS, GAP, GAP_CAUSES

RECOVERY: Final = "recovery"
"""Attribute of a recovered file: its `Account` as JSON."""


@dataclass(slots=True)
class TableAccount:
    """Rows of one table, or pictures, that were copied and lost."""

    recovered: int = 0
    discarded: int = 0


@dataclass(slots=True)
class Account:
    """Account of what a recovery has saved and lost."""

    tables: dict[str, TableAccount] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    """Losses: what was in the file and is not in the copy, a clause each."""
    notes: list[str] = field(default_factory=list)
    """Notes on what a crash had never brought to the disk as a whole, a clause each."""

    def lose(self, name: str, number: int, what: str) -> None:
        """Note that `number` rows of a table are lost, and why."""
        if number:
            rows = "row" if number == 1 else "rows"
            were = "was" if number == 1 else "were"
            self.losses.append(f"{number} {rows} of {name} {were} {what}")

    def to_json(self) -> str:
        """Return one line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of `to_json`.

        Raises
        ------
        ValueError, KeyError, TypeError, AttributeError
            If it is another text.
        """
        fields = json.loads(text)
        tables = {name: TableAccount(**counts) for name, counts in fields["tables"].items()}
        return cls(tables, list(map(str, fields["losses"])), list(map(str, fields["notes"])))


def gaps_of_damage(
    indices: NDArray[np.int64], times_s: NDArray[np.float64], readable: NDArray[np.bool_]
) -> NDArray[Any]:
    """Describe each run of unreadable rows as a gap between its readable neighbours."""
    # A readable row is imagined at both ends, so every run of damage has a beginning and an end:
    # the steps of the mask come in pairs (first damaged row, first readable one after it).  Bytes,
    # as the difference of booleans is an exclusive or without a sign.
    edges = np.flatnonzero(np.diff(np.r_[True, readable, True].astype(np.int8)))
    gaps = []
    for first, after in edges.reshape(-1, 2):
        begins, ends = first == 0, after == len(readable)
        before = -1 if begins else int(indices[first - 1])
        near = 0.0 if begins and ends else float(times_s[first - 1 if ends else after])
        gaps.append(
            (
                before,
                -1 if ends else int(indices[after]),
                near,
                after - first,
                GAP_CAUSES.index("damaged"),
            )
        )
    return np.array(gaps, GAP)


def count_frames(kept: int, gaps: NDArray[Any]) -> dict[str, int]:
    """Return the closing counts of a session of `kept` frames and the rows of its table of gaps."""
    lost = {
        cause: sum(gaps["frames"][gaps["cause"] == code].tolist())
        for code, cause in enumerate(GAP_CAUSES)
    }
    dropped = lost["recorder"] + lost["damaged"]
    return dict(zip(COUNTS, (kept + dropped, kept, dropped, lost["camera"]), strict=True))
