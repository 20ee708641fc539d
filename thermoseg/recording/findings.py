"""What is wrong with the tables and labels of a session, found when it is opened."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import PICTURES, TABLES, tables_of
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.soundness import (
    are_regions,
    possible_rows,
    possible_wall_times,
    say_rows,
)
from thermoseg.recording.tables import StoredRows

LABELS_LOOKED_AT: Final = 8
"""Pictures of labels whose values are checked when a session is opened, spread over all of it."""
_OF_FRAMES: Final = ("frames/index", "frames/time_s", "frames/wall_time", "frames/flags")


class Findings:
    """Looks at one session and keeps a sentence for each thing that is wrong."""

    def __init__(self, session: OpenSession) -> None:
        """Know of nothing yet."""
        self._session = session
        self.sentences: list[str] = []
        """In the order in which they were found."""

    def say_damage(self, tables: Mapping[str, StoredRows]) -> None:
        """Note what is damaged in these tables, or was never written."""
        finished = self._session.finished
        for name, stored in tables.items():
            self._say_fault(name)
            if stored.damaged:
                self.sentences.append(
                    f"{name}: {stored.damaged} of {len(stored.values)} rows are damaged or cut "
                    "off; they are left out"
                )
            # A crash leaves such rows as a rule; a recording that was finished has none.
            if stored.unwritten and finished:
                self.sentences.append(
                    f"{name}: {stored.unwritten} of {stored.claimed} rows were never written; they "
                    "are left out"
                )

    def look_at_tables(self, regions: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Note what is wrong with every table that stands beside the frames.

        Returns
        -------
        By name of the table, (n,): which of its rows can be.
        """
        session, rows_of_tables = self._session, dict[str, NDArray[np.bool_]]()
        for name, dtype in tables_of(regions).items():
            if name in _OF_FRAMES:
                continue
            stored = session.stored(name, dtype)
            self.say_damage({name: stored})
            possible = possible_rows(name, stored.values, stored.sound, newer=session.newer)
            wrong = stored.sound & ~possible
            if wrong.any():
                fault = "hold values that cannot be"
                self.sentences.append(say_rows(name, wrong, fault, "they are left out"))
            if "wall_time" in (dtype.names or ()):
                wrong = possible & ~possible_wall_times(stored.values["wall_time"])
                if wrong.any():
                    fault = "have a wall time in no calendar"
                    self.sentences.append(say_rows(name, wrong, fault, "it is not known"))
            rows_of_tables[name] = possible
        for name in PICTURES:
            self._say_fault(name)
        return rows_of_tables

    def look_at_labels(self, rows: Iterable[int]) -> None:
        """Look at a few pictures of labels; `thermoseg verify` looks at all of them.

        Parameters
        ----------
        rows
            Those that belong to a frame.
        """
        session = self._session
        lengths = [
            len(session.stored(name, TABLES[name]).values)
            for name in ("labels/frame_index", "labels/time_s")
        ] + [session.picture_count("labels/labels")]
        unmatched = max(lengths) - min(lengths)
        if unmatched and session.finished and not session.missing_bytes:
            self.sentences.append(
                f"labels: the last {unmatched} lack a picture, a frame or a time; they are left out"
            )
        ordered = sorted(rows)
        last, looked_at = len(ordered) - 1, min(len(ordered), LABELS_LOOKED_AT)
        places = np.linspace(0, last, looked_at).astype(int)
        for row in (ordered[place] for place in dict.fromkeys(places.tolist())):
            labels = session.picture("labels/labels", row)
            if labels is not None and not are_regions(labels, newer=session.newer):
                self.sentences.append(
                    f"labels/labels: picture {row} holds {labels.max()}, which is no region; such "
                    "pictures are not read"
                )
                return

    def _say_fault(self, name: str) -> None:
        if name in self._session.faults:
            fault = self._session.faults[name]
            self.sentences.append(f"{name}: cannot be read ({fault}); it is taken for empty")
