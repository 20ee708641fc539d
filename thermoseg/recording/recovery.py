"""Makes a clean file of a session that a crash has left unfinished, or that has gone bad.

The original is only read.  `h5clear -s`, the usual advice, cut such a file from 77 MB to
715 bytes; reading along as HDF5 allows (SWMR) and copying recovers it.
"""

import os
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError, RecordingError
from thermoseg.recording.layout import (
    COUNTS,
    EVENT,
    GAP,
    GAP_CAUSES,
    HEADER,
    LIBVER,
    MARKER_SUFFIX,
    REASON_BYTES,
    SUFFIX,
    TABLE_ROWS,
    TEXT_BYTES,
    SessionNames,
    append,
    create_datasets,
    encode_text,
    samples_of,
    set_closing_attributes,
    tables_of,
)
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.reader import (
    HDF5_ERRORS,
    UNKNOWN_REASON,
    Attributes,
    Recording,
    open_session,
    read_event_lines,
    read_picture,
)
from thermoseg.recording.tables import find_dataset, is_written, read_rows, stored_rows

RECOVERED_SUFFIX: Final = ".recovered" + SUFFIX
RECOVERED: Final = "recovered after a crash or damage"
"""Closing attribute `ended` of a recovered file."""


def recover(path: Path, folder: Path | None = None) -> Path:
    """Copy everything readable of the session `path` into `<stem>.recovered.h5`.

    Every picture is decoded, and so its checksum verified, before it is copied; damaged ones are
    left out and recorded as a gap.  The original stays as it is.  Running it again returns the
    file made before; after a crash in the middle it starts again.

    Parameters
    ----------
    folder
        Where to put the copy; beside the original if None, which a full disk may not allow.

    Returns
    -------
    The recovered file, which is complete.

    Raises
    ------
    FormatError
        If `path` is no session or too damaged to open.
    RecordingError
        If it is still being recorded, the copy cannot be written, or another session's recovery
        has its name.
    """
    if is_being_recorded(path):
        raise RecordingError(f"{path} is still being recorded; stop the recording first")
    target = (folder or path.parent) / (path.stem + RECOVERED_SUFFIX)
    with closing(open_session(path)) as source:
        if target.exists():
            _check_same(target, Attributes(source, path).text("session_id"))
            return target
        partial = target.with_name(target.name + ".partial")
        try:
            with h5py.File(partial, "w", libver=LIBVER) as copy:
                _Copy(source, copy, path).make()
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
            partial.replace(target)
        except OSError as error:
            # What h5py says itself takes three lines.
            reason = os.strerror(error.errno) if error.errno else error
            raise RecordingError(
                f"{target} cannot be written ({reason}); make space, or recover into another folder"
            ) from error
    return target


def find_unfinished(folder: Path) -> list[Path]:
    """List the sessions in `folder` that a crash has left and nobody has recovered yet."""
    sessions = (
        marker.with_name(marker.name.removesuffix(MARKER_SUFFIX))
        for marker in sorted(folder.glob(f"*{SUFFIX}{MARKER_SUFFIX}"))
    )
    return [
        session
        for session in sessions
        if session.is_file()
        and not session.with_name(session.stem + RECOVERED_SUFFIX).exists()
        and not is_being_recorded(session)
    ]


class _Copy:
    """One copy in the making."""

    def __init__(self, source: h5py.File, copy: h5py.File, path: Path) -> None:
        self._source = source
        self._copy = copy
        self._path = path
        self._attributes = Attributes(source, path)
        self._regions = self._attributes.regions()
        self._types = tables_of(self._regions)

    def make(self) -> None:
        """Fill the empty file."""
        for name, kind in HEADER.items():
            self._copy.attrs[name] = self._attributes.value(name, kind)
        height, width = self._source["frames/counts"].shape[1:]
        create_datasets(self._copy, height, width, self._regions)
        kept, damaged = self._copy_pictures(
            "frames/counts", ("index", "time_s", "wall_time", "flags")
        )
        self._copy_pictures("labels/labels", ("frame_index", "time_s"))
        for name in (*map(samples_of, self._regions), "markers", "breathing", "perspiration"):
            rows, readable = self._read_table(name)
            append(self._copy[name], rows[readable])
        reasons, readable = self._read_table("reasons")
        reasons[~readable] = encode_text(UNKNOWN_REASON, REASON_BYTES)
        append(self._copy["reasons"], reasons)
        gaps, readable = self._read_table("gaps")
        gaps = np.concatenate([gaps[readable], damaged])
        append(self._copy["gaps"], gaps[np.argsort(gaps["time_s"], kind="stable")])
        self._copy_events()
        set_closing_attributes(self._copy, RECOVERED, self._counts(kept, gaps))

    def _copy_pictures(self, name: str, columns: tuple[str, ...]) -> tuple[int, NDArray[Any]]:
        """Copy pictures with their tables; returns how many, and the gaps that damage left."""
        group = name.partition("/")[0]
        tables = {column: self._read_table(f"{group}/{column}") for column in columns}
        pictures, copies = self._source[name], self._copy[name]
        rows = min(len(pictures), *(len(values) for values, _ in tables.values()))
        readable = np.logical_and.reduce([good[:rows] for _, good in tables.values()])
        for row in np.flatnonzero(readable):
            picture = read_picture(pictures, int(row))
            if picture is None:
                readable[row] = False
                continue
            copies.resize(len(copies) + 1, axis=0)
            copies[-1] = picture
        for column, (values, _) in tables.items():
            append(self._copy[f"{group}/{column}"], values[:rows][readable])
        indices, times_s = tables[columns[0]][0][:rows], tables["time_s"][0][:rows]
        return int(readable.sum()), _gaps_of_damage(indices, times_s, readable)

    def _read_table(self, name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a table chunk by chunk; rows of damaged chunks are zero and not readable.

        Rows at the end that the crash has kept from being written are left out.
        """
        dtype = self._types[name]
        dataset = find_dataset(self._source, name, self._path)
        if dataset is None:
            return np.empty(0, dtype), np.empty(0, bool)
        count = stored_rows(dataset)
        values = np.zeros(count, dtype)
        damaged = np.zeros(count, bool)
        for start in range(0, count, TABLE_ROWS):
            chunk = slice(start, min(start + TABLE_ROWS, count))
            try:
                values[chunk] = read_rows(dataset, chunk, dtype)
            except HDF5_ERRORS:
                damaged[chunk] = True
        written = is_written(values)
        end = int(np.flatnonzero(np.r_[True, written | damaged])[-1])
        return values[:end], (written & ~damaged)[:end]

    def _copy_events(self) -> None:
        rows, readable = self._read_table("events")
        if not len(rows):
            rows = np.array(
                [
                    (event.time_s, event.wall_time, encode_text(event.text, TEXT_BYTES))
                    for event in read_event_lines(SessionNames(self._path).events)
                ],
                EVENT,
            )
            readable = np.ones(len(rows), bool)
        append(self._copy["events"], rows[readable])

    def _counts(self, kept: int, gaps: NDArray[Any]) -> dict[str, int]:
        lost = {
            cause: int(gaps["frames"][gaps["cause"] == code].sum())
            for code, cause in enumerate(GAP_CAUSES)
        }
        dropped = lost["recorder"] + lost["damaged"]
        return dict(zip(COUNTS, (kept + dropped, kept, dropped, lost["camera"]), strict=True))


def _gaps_of_damage(
    indices: NDArray[np.int64], times_s: NDArray[np.float64], readable: NDArray[np.bool_]
) -> NDArray[Any]:
    """Describe each run of unreadable rows as a gap between its readable neighbours."""
    edges = np.flatnonzero(np.diff(np.r_[True, readable, True].astype(np.int8)))
    gaps = []
    for first, after in edges.reshape(-1, 2):
        before = int(indices[first - 1]) if first else -1
        ends = after == len(readable)
        near = max(first - 1, 0) if ends else after
        gaps.append(
            (
                before,
                -1 if ends else int(indices[after]),
                float(times_s[near]),
                after - first,
                GAP_CAUSES.index("damaged"),
            )
        )
    return np.array(gaps, GAP)


def _check_same(target: Path, session_id: str) -> None:
    """Refuse if `target` is not the recovery of the session of this id."""
    try:
        with Recording(target) as recovered:
            same = recovered.session_id == session_id
    except FormatError:
        same = False
    if not same:
        raise RecordingError(
            f"{target} exists and does not belong to this session; move it elsewhere first"
        )
