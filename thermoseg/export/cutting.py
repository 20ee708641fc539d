"""Copies what lies in a stretch of a session into a new file.

Runs in a process of its own, see `cut_process`.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.export.cut import ORIGIN
from thermoseg.export.frames import say_damaged
from thermoseg.recording.account import RECOVERY, count_frames, gaps_of_damage
from thermoseg.recording.contents import PackedPicture
from thermoseg.recording.header import program_name
from thermoseg.recording.layout import (
    BLANK,
    CLOCKS,
    COUNTS,
    EVENT,
    FORMAT_MINOR,
    HEADER,
    NOTES_BYTES,
    PICTURES,
    REASON_BYTES,
    SAMPLE,
    TEXT_BYTES,
    append,
    create_datasets,
    encode_text,
    samples_of,
    set_closing_attributes,
    tables_of,
)
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.reader import Recording
from thermoseg.recording.strangers import copy_strange_attributes, unknown_datasets
from thermoseg.recording.tables import filters_of

_WITHIN: Final = ("breathing", "perspiration")
"""Tables of which only the rows whose time lies in the stretch are copied.  Of one that nobody has
listed here or has a function of its own, everything before the end is: what was said once may hold
ever since."""


class Cutting:
    """One cut in the making."""

    def __init__(
        self,
        recording: Recording,
        source: OpenSession,
        copy: h5py.File,
        begin_s: float,
        end_s: float,
    ) -> None:
        """Note what is to be copied.

        Parameters
        ----------
        recording, source
            The same session, opened twice.
        copy
            An empty file.
        begin_s, end_s
            The stretch: from `begin_s` on, before `end_s`.
        """
        self._recording = recording
        self._source = source
        self._copy = copy
        self._begin_s, self._end_s = begin_s, end_s
        inside = self._inside(recording.times_s)
        self._positions = np.flatnonzero(inside)
        self._datasets: dict[str, h5py.Dataset] = {}
        """Every dataset of the copy: HDF5 writes out what is left of a dataset when nobody holds it
        any more, and a failure then is only printed."""
        self._filters: dict[str, tuple[int, ...]] = {}
        self._notes: list[str] = []

    def make(self, progress: Callable[[int, int], object]) -> list[str]:
        """Fill the empty file; return what is not in it, a clause each.

        Parameters
        ----------
        progress
            Told of frames done and in all.
        """
        recording, copy = self._recording, self._copy
        self._copy_header()
        height, width = recording.info.height, recording.info.width
        self._datasets = create_datasets(copy, height, width, recording.regions)
        self._filters = {name: filters_of(self._datasets[name]) for name in PICTURES}
        kept = self._copy_pictures(progress)
        self._copy_frame_tables(kept)
        self._copy_samples()
        append(self._datasets["events"], self._events())
        gaps = self._gaps(kept)
        append(self._datasets["gaps"], gaps)
        own = {"gaps", "events", "reasons", "markers"}
        own |= {samples_of(region) for region in recording.regions}
        append(self._datasets["markers"], self._markers())
        for name in tables_of(recording.regions):
            if name not in own and not name.startswith(("frames/", "labels/")):
                append(self._datasets[name], self._rows(name))
        self._tell_strangers()
        ended = encode_text(f"cut from {recording.path.name}", TEXT_BYTES).decode()
        notes = encode_text(recording.notes, NOTES_BYTES)
        set_closing_attributes(copy, ended, count_frames(int(kept.sum()), gaps), notes)
        # A failure shows here; closing a file that it could not write, HDF5 crashes.
        copy.flush()
        return self._notes

    def _inside(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (times_s >= self._begin_s) & (times_s < self._end_s)
        return inside

    def _copy_header(self) -> None:
        attributes, lost = self._source.attributes, list[str]()
        for name, kind in HEADER.items():
            value = (
                attributes.described(name, kind, lost)
                if name in BLANK
                else attributes.value(name, kind)
            )
            # HDF5 gives half characters and takes none.
            whole = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            self._copy.attrs[name] = whole
        origin = {
            "file": self._recording.path.name,
            "session_id": self._recording.session_id,
            "begin_s": self._begin_s if np.isfinite(self._begin_s) else None,
            "end_s": self._end_s if np.isfinite(self._end_s) else None,
        }
        # Moves before the stretch are events that are not in it.
        rois = self._recording.drawn_history.at(self._begin_s)
        self._copy.attrs["drawn_rois"] = json.dumps([roi.model_dump() for roi in rois])
        self._copy.attrs["session_id"] = str(uuid.uuid4())
        self._copy.attrs["program"] = program_name()
        self._copy.attrs["format_minor"] = max(FORMAT_MINOR, attributes.integer("format_minor"))
        self._copy.attrs[ORIGIN] = json.dumps(origin)
        known = {*HEADER, *COUNTS, "complete", "ended", "notes", RECOVERY, ORIGIN}
        copy_strange_attributes(self._source, self._copy, known, self._notes)

    def _copy_pictures(self, progress: Callable[[int, int], object]) -> NDArray[np.bool_]:
        """Copy frames and labels; return which frames could be read, (n,)."""
        recording, kept = self._recording, np.ones(len(self._positions), bool)
        labels: list[tuple[int, float]] = []
        unread: list[int] = []
        if not recording.has_pictures:
            return kept
        for done, position in enumerate(self._positions.tolist()):
            progress(done, len(kept))
            try:
                frame = recording.packed_frame(position)
            except FormatError:
                kept[done] = False
                continue
            if not self._append("frames/counts", frame):
                self._pack("frames/counts", recording.frame(position).counts)
            try:
                picture = recording.packed_labels(position)
            except FormatError:
                unread.append(position)
                continue
            if picture is not None:
                if not self._append("labels/labels", picture):
                    self._pack("labels/labels", recording.labels(position))
                labels.append(
                    (int(recording.indices[position]), float(recording.times_s[position]))
                )
        progress(len(kept), len(kept))
        append(self._datasets["labels/frame_index"], [index for index, _ in labels])
        append(self._datasets["labels/time_s"], [time_s for _, time_s in labels])
        path, damaged = recording.path, self._positions[~kept].tolist()
        self._notes += _clauses(say_damaged(path, damaged))
        self._notes += _clauses(say_damaged(path, unread, "picture of labels"))
        return kept

    def _append(self, name: str, picture: PackedPicture) -> bool:
        """Append a picture as it is packed; False if the copy would not be able to unpack it."""
        if picture.filters != self._filters[name]:
            return False
        dataset = self._datasets[name]
        row = dataset.shape[0]
        dataset.resize(row + 1, axis=0)
        dataset.id.write_direct_chunk((row, 0, 0), picture.data, picture.skipped)
        return True

    def _pack(self, name: str, picture: NDArray[Any] | None) -> None:
        dataset = self._datasets[name]
        dataset.resize(dataset.shape[0] + 1, axis=0)
        dataset[-1] = picture

    def _copy_frame_tables(self, kept: NDArray[np.bool_]) -> None:
        recording, rows = self._recording, self._positions[kept]
        columns: dict[str, NDArray[Any]] = {
            "frames/index": recording.indices,
            "frames/time_s": recording.times_s,
            "frames/wall_time": recording.wall_times,
            "frames/flags": recording.flags,
        }
        columns |= {name: recording.clock(name) for name in CLOCKS}
        for name, values in columns.items():
            append(self._datasets[name], values[rows])

    def _copy_samples(self) -> None:
        reasons: dict[str, int] = {"": 0}
        for region in self._recording.regions:
            samples = self._recording.samples(region)
            samples = samples[self._inside(samples["time_s"])]
            rows = np.zeros(len(samples), SAMPLE)
            for name in SAMPLE.names or ():
                if name != "reason":
                    rows[name] = samples[name]
            for reason in np.unique(samples["reason"]).tolist():
                reasons.setdefault(reason, len(reasons))
            rows["reason"] = [reasons[reason] for reason in samples["reason"].tolist()]
            append(self._datasets[samples_of(region)], rows)
        append(self._datasets["reasons"], [encode_text(text, REASON_BYTES) for text in reasons])

    def _events(self) -> NDArray[Any]:
        events = [event for event in self._recording.events if self._has(event.time_s)]
        rows = np.zeros(len(events), EVENT)
        for row, event in zip(rows, events, strict=True):
            row["time_s"], row["wall_time"] = event.time_s, event.wall_time
            row["text"] = encode_text(event.text, TEXT_BYTES)
        return rows

    def _has(self, time_s: float) -> bool:
        return self._begin_s <= time_s < self._end_s

    def _markers(self) -> NDArray[Any]:
        """Return the markers that begin in the stretch or still last in it, unchanged."""
        rows = self._recording.table("markers")
        begin_s, duration_s = rows["begin_s"], np.nan_to_num(rows["duration_s"], nan=np.inf)
        lasts = (begin_s < self._begin_s) & (begin_s + duration_s > self._begin_s)
        chosen: NDArray[Any] = rows[self._inside(begin_s) | lasts]
        return chosen

    def _gaps(self, kept: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the gaps between frames of the stretch, with those that damage has torn."""
        recording, rows = self._recording, self._recording.table("gaps")
        indices = recording.indices[self._positions]
        times_s = recording.times_s[self._positions]
        if not len(indices):
            return rows[:0]
        # A gap at the edge of the stretch lies between a frame of it and one that is not, so the
        # cut has lost nothing there; one at the end of the session has no frame behind it at all.
        last = self._positions[-1] == len(recording) - 1
        behind = np.where(rows["index_after"] < 0, last, rows["index_after"] <= indices[-1])
        first = self._positions[0] == 0
        before = np.where(rows["index_before"] < 0, first, rows["index_before"] >= indices[0])
        gaps = np.concatenate([rows[before & behind], gaps_of_damage(indices, times_s, kept)])
        ordered: NDArray[Any] = gaps[np.argsort(gaps["time_s"], kind="stable")]
        return ordered

    def _rows(self, name: str) -> NDArray[Any]:
        rows = self._recording.table(name)
        inside = rows["time_s"] < self._end_s
        if name in _WITHIN:
            inside &= rows["time_s"] >= self._begin_s
        chosen: NDArray[Any] = rows[inside]
        return chosen

    def _tell_strangers(self) -> None:
        known = {*PICTURES, *tables_of(self._recording.regions)}
        for name, _ in unknown_datasets(self._source.file, known, self._notes):
            self._notes.append(f"{name} is of a newer version and not in the cut")


def _clauses(sentences: tuple[str, ...]) -> list[str]:
    """Return sentences without the file that they begin with."""
    return [sentence.partition("”: ")[2] for sentence in sentences]
