"""Copies what is sound of a session into a new file, and keeps account of what is not.

Runs in a process of its own, see `salvage_process`.
"""

import json
import logging
import time
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.radiometry import RelativeCounts, radiometry_to_dict
from thermoseg.recording.account import (
    RECOVERY,
    Account,
    TableAccount,
    count_frames,
    gaps_of_damage,
)
from thermoseg.recording.event_lines import count_lines, read_event_lines, read_mark_lines
from thermoseg.recording.layout import (
    BLANK,
    CLOCKS,
    COUNTS,
    EVENT,
    HEADER,
    MARKER,
    MAX_SIDE_PX,
    NOTES_BYTES,
    PICTURES,
    REASON_BYTES,
    TABLE_ROWS,
    TEXT_BYTES,
    SessionNames,
    append,
    create_datasets,
    encode_text,
    set_closing_attributes,
    tables_of,
    unwritten,
)
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.reader import UNKNOWN_REASON
from thermoseg.recording.soundness import (
    MAX_RATE_HZ,
    are_regions,
    possible_frames,
    possible_rows,
    possible_wall_times,
)
from thermoseg.recording.strangers import copy_strangers, wider_type
from thermoseg.recording.tables import StoredRows

log = logging.getLogger(__name__)

RECOVERED: Final = "recovered after a crash or damage"
"""Closing attribute `ended` of a recovered file."""
_ATTRIBUTE_BYTES: Final = 60_000
"""HDF5 allows an attribute 64 kB."""
_BESIDE: Final = ("frames/wall_time", "frames/flags", *CLOCKS)
"""Tables of one row per frame, without which the frame is still one."""


class Salvage:
    """One copy in the making."""

    def __init__(self, source: OpenSession, copy: h5py.File) -> None:
        self._source = source
        self._copy = copy
        self._attributes = source.attributes
        self._regions = self._attributes.regions()
        self._types = tables_of(self._regions)
        self._account = Account()
        self._height, self._width = (self._attributes.integer(n) for n in ("height", "width"))
        if not (0 < self._height <= MAX_SIDE_PX and 0 < self._width <= MAX_SIDE_PX):
            raise FormatError(
                f"{source.path}: pictures of {self._width} × {self._height} pixels cannot be; "
                "copy the file again from its source"
            )
        self._last_s = 0.0
        self._held: list[h5py.Dataset] = []
        """Every dataset of the copy: HDF5 writes out what is left of a dataset when nobody holds it
        any more, and a failure then is only printed."""

    def make(self) -> Account:
        """Fill the empty file, and tell what could be saved."""
        if self._source.missing_bytes:
            self._account.losses.append(
                f"the file is cut off: {self._source.missing_bytes} of its bytes are missing"
            )
        self._copy_header()
        create_datasets(self._copy, self._height, self._width, self._regions)
        self._widen_tables()
        self._held = [self._copy[name] for name in (*PICTURES, *self._types)]
        for name, fault in self._source.faults.items():
            self._account.losses.append(f"all of {name} could not be read ({_clause(fault)})")
        kept, damaged = self._copy_frames()
        self._copy_labels()
        own = ("frames/", "labels/", "reasons", "gaps", "events")
        for name in self._types:
            if not name.startswith(own):
                self._copy_table(name)
        self._copy_reasons()
        gaps = np.concatenate([self._sound_rows("gaps"), damaged])
        append(self._copy["gaps"], gaps[np.argsort(gaps["time_s"], kind="stable")])
        known = {*HEADER, *COUNTS, "complete", "ended", "notes", RECOVERY}
        datasets, losses = {*PICTURES, *self._types}, self._account.losses
        self._held += copy_strangers(self._source, self._copy, known, datasets, losses)
        self._copy_events()
        text = self._account.to_json()
        if len(text.encode()) <= _ATTRIBUTE_BYTES:
            self._copy.attrs[RECOVERY] = text
        notes = encode_text(self._attributes.described("notes", str, []), NOTES_BYTES)
        set_closing_attributes(self._copy, RECOVERED, count_frames(kept, gaps), notes)
        # A failure shows here; closing a file that it could not write, HDF5 crashes.
        self._copy.flush()
        return self._account

    def _copy_header(self) -> None:
        lost: list[str] = []
        for name, kind in HEADER.items():
            if name in ("radiometry", "study"):
                continue
            self._copy.attrs[name] = (
                self._attributes.described(name, kind, lost)
                if name in BLANK
                else self._attributes.value(name, kind)
            )
        self._copy.attrs["radiometry"] = self._radiometry_text()
        known = self._attributes.study(lost)
        self._copy.attrs["study"] = self._attributes.text("study") if known else BLANK["study"]
        if not 0 <= self._copy.attrs["rate_hz"] <= MAX_RATE_HZ:
            self._copy.attrs["rate_hz"] = BLANK["rate_hz"]
            lost.append("the rate could not be; it is not known")
        if self._source.finished:
            # What the copy says of its end is its own.
            self._attributes.described("ended", str, lost)
        self._account.losses += [fault.partition(";")[0] for fault in lost]

    def _radiometry_text(self) -> str:
        """Return the radiometry of the copy: none where that of the session is damaged."""
        try:
            self._attributes.radiometry()
        except FormatError as fault:
            if not self._source.newer:
                self._account.losses.append(
                    "the radiometry was damaged, so its counts have no temperatures"
                )
                reason = "the radiometry of the session was damaged"
                return json.dumps(radiometry_to_dict(RelativeCounts(reason)))
            log.info("%s", fault)  # a newer program may know it
        return self._attributes.text("radiometry")

    def _widen_tables(self) -> None:
        """Give tables of the copy the fields that a newer program has added to them."""
        for name, dtype in self._types.items():
            found = self._source.dataset(name)
            wider, refused = wider_type(dtype, None if found is None else found.dtype)
            for column in refused:
                self._account.losses.append(
                    f"field {column} of {name} is of no kind that is copied"
                )
            self._types[name] = wider
            if wider == dtype:
                continue
            del self._copy[name]
            self._copy.create_dataset(
                name,
                (0,),
                wider,
                maxshape=(None,),
                chunks=(TABLE_ROWS,),
                fletcher32=True,
                fillvalue=unwritten(wider),
            )

    def _read(self, name: str) -> StoredRows:
        return self._source.stored(name, self._types[name])

    def _copy_frames(self) -> tuple[int, NDArray[Any]]:
        """Copy frames with their tables; returns how many, and the gaps that damage left."""
        indices, times_s = self._read("frames/index"), self._read("frames/time_s")
        beside = {name: self._read(name) for name in _BESIDE}
        held = self._source.frame_count(len(indices.values))
        rows = min(len(indices.values), len(times_s.values), held)
        if self._source.finished:
            # Every table claims all frames, and what one of them lacks is lost.
            rows = max(len(indices.values), len(times_s.values))
        number = _filled(indices, rows, -1)
        time_s = _filled(times_s, rows, np.nan)
        sound = _marked(indices, rows) & _marked(times_s, rows)
        possible = possible_frames(number, time_s, sound)
        copied = possible.copy()
        if self._source.has_pictures:
            copied = self._copy_pictures("frames/counts", possible)
        if not self._source.finished:
            tail = self._unfinished_tail("frames/counts", copied)
            rows -= tail
            extra = max(held, len(indices.values), len(times_s.values)) - rows
            if extra:
                self._account.notes.append(
                    f"{extra} frame{_plural(extra)} at the end had not reached the disk as a whole"
                )
        number, time_s, copied = number[:rows], time_s[:rows], copied[:rows]
        append(self._copy["frames/index"], number[copied])
        append(self._copy["frames/time_s"], time_s[copied])
        for name, stored in beside.items():
            self._copy_beside(name, stored, copied)
        pictures = self._source.has_pictures
        self._keep("frames/counts" if pictures else "frames/index", rows, copied)
        self._account.lose(
            "frames", int((~sound[:rows]).sum()), "damaged in their numbers or times"
        )
        impossible = int((sound & ~possible)[:rows].sum())
        self._account.lose("frames", impossible, "out of order in number or time")
        unread = int((possible[:rows] & ~copied).sum())
        self._account.lose("frames/counts", unread, "damaged")
        if self._source.finished and held > rows:
            self._account.losses.append(
                f"{held - rows} pictures of frames/counts have neither number nor time"
            )
        if copied.any():
            self._last_s = float(time_s[copied][-1])
        return int(copied.sum()), gaps_of_damage(number, time_s, copied)

    def _copy_beside(self, name: str, stored: StoredRows, copied: NDArray[np.bool_]) -> None:
        """Copy a table of one row per frame: NaN, or no flag, where it is lost."""
        dtype = self._types[name]
        absent = np.nan if dtype.kind == "f" else 0
        values = _filled(stored, len(copied), absent)
        sound = _marked(stored, len(copied))
        if name == "frames/wall_time":
            sound &= possible_wall_times(values)
            values[~sound] = absent
        append(self._copy[name], values[copied])
        # A table that was never begun is empty, and nothing of it is lost.
        lost = int((copied & ~sound).sum()) if len(stored.values) else 0
        self._account.tables[name] = TableAccount(int((copied & sound).sum()), lost)
        self._account.lose(name, lost, "damaged, and blank")

    def _copy_labels(self) -> None:
        # Three datasets describe one row.  In a finished file they ended together, so the longest
        # tells how many rows there were, and what others lack is damage.  In a crashed file they
        # reached the disk at different times, so only rows that all three hold were ever whole.
        names = ("labels/frame_index", "labels/time_s")
        tables = [self._read(name) for name in names]
        held = self._source.picture_count("labels/labels")
        lengths = [len(stored.values) for stored in tables]
        rows = max(lengths) if self._source.finished else min(*lengths, held)
        frame_index, time_s = _filled(tables[0], rows, -1), _filled(tables[1], rows, np.nan)
        sound = _marked(tables[0], rows) & _marked(tables[1], rows)
        sound &= np.isfinite(time_s) & (frame_index >= 0)
        copied = self._copy_pictures("labels/labels", sound)
        if not self._source.finished:
            rows -= self._unfinished_tail("labels/labels", copied)
            extra = max(*lengths, held) - rows
            if extra:
                pictures = f"{extra} picture{_plural(extra)} of labels"
                self._account.notes.append(
                    f"{pictures} at the end had not reached the disk as a whole"
                )
        copied = copied[:rows]
        append(self._copy[names[0]], frame_index[:rows][copied])
        append(self._copy[names[1]], time_s[:rows][copied])
        self._keep("labels/labels", rows, copied)
        if self._source.finished and held > rows:
            self._account.losses.append(
                f"{held - rows} pictures of labels/labels have neither frame nor time"
            )
        self._account.lose("labels/labels", int((~copied).sum()), "damaged or no regions")

    def _copy_pictures(self, name: str, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Copy pictures of the rows that are wanted; returns which could be read, (n,)."""
        copies, copied = self._copy[name], wanted.copy()
        for row in np.flatnonzero(wanted):
            picture = self._source.picture(name, int(row))
            if picture is None or picture.shape != copies.shape[1:]:
                copied[row] = False
                continue
            if name == "labels/labels" and not are_regions(picture, newer=self._source.newer):
                copied[row] = False
                continue
            copies.resize(len(copies) + 1, axis=0)
            copies[-1] = picture
        return copied

    def _unfinished_tail(self, name: str, copied: NDArray[np.bool_]) -> int:
        """Return how many rows at the end of a crashed file never got their pictures."""
        end = int(np.flatnonzero(np.r_[True, copied])[-1])
        tail = len(copied) - end
        # A whole table without a picture is no crash's tail but a lost dataset.
        return tail if name not in self._source.faults else 0

    def _copy_table(self, name: str) -> None:
        append(self._copy[name], self._sound_rows(name))
        if name == "markers" and not self._source.finished:
            self._copy_marks_beside()

    def _copy_marks_beside(self) -> None:
        """Copy the marks that a crash has left in the lines beside the file."""
        written = np.array(self._copy["markers"][:][list(MARKER.names or ())], MARKER)
        lines = read_mark_lines(SessionNames(self._source.path).events, written)
        marks = lines[possible_rows("markers", lines, np.ones(len(lines), bool), newer=False)]
        rows = np.zeros(len(marks), self._types["markers"])
        for column in MARKER.names or ():
            rows[column] = marks[column]
        append(self._copy["markers"], rows)
        self._account.tables["markers"].recovered += len(rows)

    def _sound_rows(self, name: str) -> NDArray[Any]:
        """Return the rows of a compound table that are sound and can be, and account for it."""
        stored = self._read(name)
        newer = self._source.newer
        possible = possible_rows(name, stored.values, stored.sound, newer=newer)
        self._keep(name, len(stored.values), possible)
        self._account.lose(name, stored.damaged, "damaged")
        never = len(stored.values) - int(stored.sound.sum()) - stored.damaged
        self._account.lose(name, never, "never written")
        impossible = int((stored.sound & ~possible).sum())
        self._account.lose(name, impossible, "impossible in their values")
        rows: NDArray[Any] = stored.values[possible]
        if "wall_time" in (rows.dtype.names or ()):
            wrong = ~possible_wall_times(rows["wall_time"])
            rows["wall_time"][wrong] = np.nan
            self._account.lose(name, int(wrong.sum()), "at a wall time in no calendar, and blank")
        return rows

    def _copy_reasons(self) -> None:
        """Copy the reasons; their places count, so one that is lost leaves its place behind."""
        stored = self._read("reasons")
        stored.values[~stored.sound] = encode_text(UNKNOWN_REASON, REASON_BYTES)
        append(self._copy["reasons"], stored.values)
        self._keep("reasons", len(stored.values), stored.sound)
        self._account.lose("reasons", int((~stored.sound).sum()), "damaged")

    def _copy_events(self) -> None:
        rows = self._sound_rows("events")
        if not len(rows) and not self._source.finished:
            rows = self._events_beside()
        append(self._copy["events"], rows)
        said = [f"recovered: {clause}" for clause in self._account.losses + self._account.notes]
        now = time.time()
        marks = [(self._last_s, now, encode_text(text, TEXT_BYTES)) for text in said]
        names = list(EVENT.names or ())
        own = np.zeros(len(marks), self._types["events"])
        for column, values in zip(names, zip(*marks, strict=True), strict=False):
            own[column] = values
        append(self._copy["events"], own)

    def _events_beside(self) -> NDArray[Any]:
        """Return the events of the file beside an unfinished recording."""
        path = SessionNames(self._source.path).events
        events = read_event_lines(path)
        rows = np.zeros(len(events), self._types["events"])
        for row, event in zip(rows, events, strict=True):
            row["time_s"], row["wall_time"] = event.time_s, event.wall_time
            row["text"] = encode_text(event.text, TEXT_BYTES)
        lines, read = count_lines(path)
        unread = lines - read
        self._account.tables["events"] = TableAccount(len(events), unread)
        self._account.lose(f"“{path.name}”", unread, "cut off or damaged")
        return rows

    def _keep(self, name: str, rows: int, kept: NDArray[np.bool_]) -> None:
        number = int(kept.sum())
        self._account.tables[name] = TableAccount(number, rows - number)


def _filled(stored: StoredRows, rows: int, absent: float) -> NDArray[Any]:
    """Return the values of a table, `absent` where it has none, (rows,)."""
    values = np.full(rows, absent, stored.values.dtype)
    found = stored.values[:rows]
    values[: len(found)] = np.where(stored.sound[:rows], found, values[: len(found)])
    return values


def _marked(stored: StoredRows, rows: int) -> NDArray[np.bool_]:
    """Return which of `rows` rows a table holds, (rows,)."""
    marked = np.zeros(rows, bool)
    found = stored.sound[:rows]
    marked[: len(found)] = found
    return marked


def _plural(number: int) -> str:
    return "" if number == 1 else "s"


def _clause(fault: Exception) -> str:
    """Return what a fault says about a dataset, without the file's name and the remedy."""
    return str(fault).partition("” ")[2].partition(";")[0] or str(fault)
