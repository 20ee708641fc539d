"""What a session file tells of each frame, and which frames of it can be."""

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.findings import Findings
from thermoseg.recording.layout import TABLES
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.soundness import possible_frames, possible_wall_times, say_rows
from thermoseg.recording.tables import StoredRows


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """The frames of a session that are read, (n,) of everything; read-only."""

    rows: NDArray[np.int64]
    """Where they are in the file."""
    indices: NDArray[np.int64]
    """Numbers given by the camera."""
    times_s: NDArray[np.float64]
    """Seconds since the camera was opened."""
    wall_times: NDArray[np.float64]
    """Seconds since 1970-01-01 UTC; NaN where the file has none."""
    flags: NDArray[np.uint16]
    """Values of `FrameFlag`; 0 where the file has none."""
    left_out: int
    """How many more the file claims."""

    def __post_init__(self) -> None:
        for array in (self.indices, self.times_s, self.wall_times, self.flags):
            array.flags.writeable = False

    def beside(self, stored: StoredRows, absent: float) -> NDArray[Any]:
        """Return what a table says of each frame, (n,), `absent` where it says nothing."""
        return _beside(self.rows, stored, absent)


def read_frame_table(session: OpenSession, findings: Findings) -> FrameTable:
    """Read what is known of each frame, and leave out those that cannot be.

    Parameters
    ----------
    findings
        Gets a sentence for what is left out.
    """
    names = [f"frames/{name}" for name in ("index", "time_s", "wall_time", "flags")]
    tables = {name: session.stored(name, TABLES[name]) for name in names}
    indices, times_s = tables["frames/index"], tables["frames/time_s"]
    held, finished = session.frame_count(len(indices.values)), session.finished
    # A crash may come between the growth of one table and of the next.
    needed = names[:2] if finished else [name for name in names if session.dataset(name)]
    rows = min(held, *(len(tables[name].values) for name in needed))
    claimed = max(held, len(indices.values), len(times_s.values))
    if session.has_pictures:
        rows = session.rows_with_pictures("frames/counts", rows)
    sound = indices.sound[:rows] & times_s.sound[:rows]
    possible = possible_frames(indices.values[:rows], times_s.values[:rows], sound)
    findings.sentences += filter(None, [session.say_missing()])
    findings.say_damage(tables)
    if finished and claimed > rows:
        lost = "are cut off" if session.missing_bytes else "lack a picture, a number or a time"
        findings.sentences.append(f"frames: the last {claimed - rows} {lost}; they are left out")
    if (sound & ~possible).any():
        fault = "have times or numbers that do not rise"
        findings.sentences.append(say_rows("frames", sound & ~possible, fault, "they are left out"))
    read = np.flatnonzero(possible)
    walls = _beside(read, tables["frames/wall_time"], nan)
    wrong = ~possible_wall_times(walls)
    if wrong.any():
        findings.sentences.append(
            say_rows("frames/wall_time", wrong, "are in no calendar", "they are not known")
        )
        walls[wrong] = nan
    return FrameTable(
        rows=read,
        indices=indices.values[read],
        times_s=times_s.values[read],
        wall_times=walls,
        flags=_beside(read, tables["frames/flags"], 0),
        # What a crash leaves at the end was never whole, and is no loss of frames that were.
        left_out=(claimed if finished else rows) - len(read),
    )


def _beside(rows: NDArray[np.int64], stored: StoredRows, absent: float) -> NDArray[Any]:
    values = np.full(len(rows), absent, stored.values.dtype)
    inside = rows < len(stored.values)
    found = rows[inside]
    values[inside] = np.where(stored.sound[found], stored.values[found], values[inside])
    return values
