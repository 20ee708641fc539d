"""What is read of a session besides frames and traces: markers, events, gaps, packed pictures."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from thermoseg.events import SessionEvent
from thermoseg.recording.layout import GAP_CAUSES


@dataclass(frozen=True, slots=True)
class SessionMarker:
    """A stretch of a session that somebody named."""

    begin_s: float
    """Time at which the event began, on the clock of the frames."""
    duration_s: float
    """0 for a moment; NaN where its end was not marked."""
    wall_time: float
    """Time at which the event began, seconds since 1970-01-01 UTC."""
    kind: str
    label: str
    source: str
    """Origin of the event: a key, a stream, another program."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames that are not in the file."""

    index_before: int
    """Index of the last frame before the gap; -1 if there is none."""
    index_after: int
    """Index of the first frame after the gap; -1 if there is none."""
    time_s: float
    """Time of the first frame after the gap, or of the last one before it."""
    frames: int
    cause: str
    """One of `GAP_CAUSES`: the camera, the recorder, damage to the file, a loss of the camera (then
    `frames` is 0, as nobody knows), or frames refused because they came broken."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedPicture:
    """A picture as the file holds it, packed, for a copy that need not pack it again."""

    filters: tuple[int, ...]
    """Registered numbers of the HDF5 filters that packed it, in order."""
    skipped: int
    """Bit mask of those that were not applied."""
    data: bytes


def markers_of(rows: NDArray[Any]) -> tuple[SessionMarker, ...]:
    """Return what rows of the table `markers` say, (n,)."""
    return tuple(
        SessionMarker(
            begin_s=float(row["begin_s"]),
            duration_s=float(row["duration_s"]),
            wall_time=float(row["wall_time"]),
            kind=row["kind"].decode("utf-8", "replace"),
            label=row["label"].decode("utf-8", "replace"),
            source=row["source"].decode("utf-8", "replace"),
        )
        for row in rows
    )


def events_of(rows: NDArray[Any]) -> tuple[SessionEvent, ...]:
    """Return what rows of the table `events` say, (n,)."""
    return tuple(
        SessionEvent(
            time_s=float(row["time_s"]),
            text=row["text"].decode("utf-8", "replace"),
            wall_time=float(row["wall_time"]),
        )
        for row in rows
    )


def gaps_of(rows: NDArray[Any]) -> tuple[Gap, ...]:
    """Return what rows of the table `gaps` say, (n,)."""
    return tuple(
        Gap(
            int(row["index_before"]),
            int(row["index_after"]),
            float(row["time_s"]),
            int(row["frames"]),
            GAP_CAUSES[min(int(row["cause"]), len(GAP_CAUSES) - 1)],
        )
        for row in rows
    )
