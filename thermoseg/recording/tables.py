"""Finds and reads the datasets of a session file, whoever made it, and trusts nothing in them.

HDF5 follows soft and external links, external storage and virtual datasets without a word
(CVE-2026-1669), so every component of every path is looked at before it is opened.  What a file
holds beyond the names known here is never opened.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.recording.layout import (
    CLOCKS,
    FORMAT_VERSION,
    MAX_SIDE_PX,
    PICTURES,
    REQUIRED,
    SAMPLE,
    TABLE_ROWS,
    key_field,
    tables_of,
    unwritten,
)

HDF5_ERRORS: Final = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
)
"""Exceptions that h5py raises for damaged files, by experiment."""

UNKNOWN_REASON: Final = "reason not recorded"
"""Reason given for an invalid sample whose own reason a crash has cut off."""
MAX_TEXT_BYTES: Final = 4096
"""A text field that is longer comes from a damaged or hostile file."""
MAY_BE_UNKNOWN: Final = frozenset((*CLOCKS, "frames/wall_time"))
"""Tables in which NaN says that nobody knows, and not that nobody has written the row."""
_BLOSC2: Final = 32026
"""Registered number of the filter at The HDF Group."""
_FILTERS: Final = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    _BLOSC2,
}


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """Rows of one table as the file holds them."""

    values: NDArray[Any]
    """(n,); what is not in `sound` means nothing."""
    sound: NDArray[np.bool_]
    """(n,), rows that were written and can be read."""
    damaged: int
    """Rows that cannot be read: a checksum fails, or they lie beyond a cut."""
    unwritten: int
    """Rows that the table claims and nobody has written, those at the end included."""

    @property
    def claimed(self) -> int:
        """Rows that the table claims and the file has room for."""
        return int(self.sound.sum()) + self.damaged + self.unwritten


def check_datasets(
    file: h5py.File, path: Path, regions: Sequence[str], *, finished: bool
) -> dict[str, Exception]:
    """Look at every dataset of a session before anything of it is read.

    Parameters
    ----------
    path
        Named in messages.
    regions
        Whose tables of samples belong to the session.
    finished
        Whether the recording was finished, so that every row claimed must be there.

    Returns
    -------
    What is wrong, by name of the dataset: a `FormatError` if it cannot be what its name says,
    points outside the file or is missing though there is no session without it; one of
    `HDF5_ERRORS` if it is damaged.
    """
    faults = check_types(file, path, PICTURES | tables_of(regions), REQUIRED, finished=finished)
    if not faults.keys() & PICTURES.keys():
        labels = find_dataset(file, "labels/labels", path)
        if labels is not None and file["frames/counts"].shape[1:] != labels.shape[1:]:
            faults["labels/labels"] = _malformed(
                path, "labels/labels", "differs in size from the frames"
            )
    return faults


def check_types(
    file: h5py.File,
    path: Path,
    types: Mapping[str, np.dtype[Any]],
    required: Collection[str],
    *,
    finished: bool,
) -> dict[str, Exception]:
    """Look at the datasets `types`, those that are `required` must be there.

    See `check_datasets` for the rest.
    """
    faults: dict[str, Exception] = {}
    for name, dtype in types.items():
        try:
            dataset = find_dataset(file, name, path)
            if dataset is not None:
                _check_dataset(dataset, name, dtype, path, finished=finished)
            elif name in required:
                raise _malformed(path, name, "is missing")
        except (FormatError, *HDF5_ERRORS) as error:
            faults[name] = error
    return faults


def find_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset | None:
    """Return the dataset `name`, None if the file has none of this name.

    Raises
    ------
    FormatError
        If it, or a group on the way to it, is a link or of another kind.
    """
    group: h5py.Group = file
    *groups, last = name.split("/")
    for part in (*groups, last):
        kind = group.get(part, getclass=True, getlink=True)
        if kind is None:
            return None
        if kind is not h5py.HardLink:
            raise _malformed(path, name, "is a link to somewhere else")
        item = group[part]
        wanted = h5py.Dataset if part is last else h5py.Group
        if not isinstance(item, wanted):
            raise _malformed(path, name, f"is not a {wanted.__name__.lower()}")
        group = item
    return group


def why_not_read(dataset: h5py.Dataset) -> str:
    """Say, in a clause, why a dataset may not be read; empty if it may."""
    if dataset.is_virtual or dataset.id.get_create_plist().get_external_count():
        return "takes its values from another file"
    filters = set(filters_of(dataset))
    return "" if filters <= _FILTERS else f"is packed by filters {sorted(filters)} of no session"


def filters_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Return the registered numbers of the filters that pack a dataset, in order."""
    plist = dataset.id.get_create_plist()
    return tuple(plist.get_filter(i)[0] for i in range(plist.get_nfilters()))


def stored_rows(table: h5py.Dataset, size_bytes: int) -> int:
    """Return how many rows of `table` can be in a file of `size_bytes`, whatever length it claims.

    A writer that ends during a flush, by a kill or a full disk, may have stored the length of a
    table but not its rows.
    """
    try:
        chunks = int(table.id.get_num_chunks())
    except HDF5_ERRORS:
        # Part of the index is damaged or cut off; the rest of it still leads to rows.
        chunks = size_bytes // (TABLE_ROWS * table.dtype.itemsize)
    return min(len(table), chunks * TABLE_ROWS)


def is_written(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows of a table hold something, (n,); the others are as a crash left them."""
    key = rows[key_field(rows.dtype)] if rows.dtype.names else rows
    if key.dtype.kind == "S":
        return np.ones(len(rows), bool)
    written: NDArray[np.bool_] = (
        ~np.isnan(key) if key.dtype.kind == "f" else key != unwritten(key.dtype)
    )
    return written


def read_rows(table: h5py.Dataset, rows: slice, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read `rows` of `table` as `dtype`, (n,): unknown fields are ignored, missing ones absent.

    Absent is NaN, for whole numbers the least one, for others 0 or no text.
    """
    if not dtype.names:
        plain: NDArray[Any] = table[rows].astype(dtype)
        return plain
    known = [name for name in dtype.names if name in table.dtype.names]
    stored = table.fields(known)[rows]
    values = np.empty(len(stored), dtype)
    for name in dtype.names:
        values[name] = stored[name] if name in known else _absent(dtype[name])
    return values


def read_stored(
    table: h5py.Dataset | None, dtype: np.dtype[Any], size_bytes: int, name: str
) -> StoredRows:
    """Read everything of a table that can be read; empty if there is no table.

    Rows at the end that were never written are left out.

    Parameters
    ----------
    size_bytes
        Size of the file.
    name
        Name of the table.
    """
    if table is None:
        return StoredRows(np.empty(0, dtype), np.empty(0, bool), 0, 0)
    # One read if all is well.  HDF5 refuses a whole read for one chunk whose checksum fails, so
    # only then is the table read chunk by chunk, and what is lost is known to a chunk.  The row
    # imagined in front gives `end` a value where nothing was written at all.
    count = stored_rows(table, size_bytes)
    damaged = np.zeros(count, bool)
    try:
        values = read_rows(table, slice(0, count), dtype)
    except HDF5_ERRORS:
        values = np.zeros(count, dtype)
        for start in range(0, count, TABLE_ROWS):
            chunk = slice(start, min(start + TABLE_ROWS, count))
            try:
                values[chunk] = read_rows(table, chunk, dtype)
            except HDF5_ERRORS:
                damaged[chunk] = True
    written = is_written(values) | (name in MAY_BE_UNKNOWN)
    end = int(np.flatnonzero(np.r_[True, written | damaged])[-1])
    sound = (written & ~damaged)[:end]
    lost = int(damaged.sum())
    return StoredRows(values[:end], sound, lost, count - lost - int(sound.sum()))


def trace_of(rows: NDArray[Any], reasons: Sequence[str]) -> NDArray[Any]:
    """Put the rows of a table of samples into words: `valid` as a truth, `reason` as text.

    Parameters
    ----------
    rows
        (n,) of type `layout.SAMPLE`.
    reasons
        What the numbers in `reason` mean.

    Returns
    -------
    (n,) structured, with the fields of `layout.SAMPLE`.
    """
    texts = np.array([*reasons, UNKNOWN_REASON])
    names = [name for name in SAMPLE.names or () if name not in ("valid", "reason")]
    kinds = [(name, SAMPLE[name]) for name in names]
    trace = np.empty(len(rows), [*kinds, ("valid", "?"), ("reason", texts.dtype)])
    for name in names:
        trace[name] = rows[name]
    trace["valid"] = rows["valid"] != 0
    trace["reason"] = texts[np.minimum(rows["reason"], len(reasons))]
    return trace


def _absent(dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "u":
        return np.zeros((), dtype)
    return unwritten(dtype)


def _check_dataset(
    dataset: h5py.Dataset, name: str, dtype: np.dtype[Any], path: Path, *, finished: bool
) -> None:
    if not _fits(dataset.dtype, dtype):
        raise _malformed(path, name, f"has type {dataset.dtype}, not {dtype}")
    _check_storage(dataset, name, path)
    if name in PICTURES:
        _check_picture(dataset, name, path)
        held = _held_pictures(dataset)
    else:
        _check_table(dataset, name, path)
        held = stored_rows(dataset, path.stat().st_size)
    if finished and len(dataset) > held:
        raise _malformed(path, name, f"claims {len(dataset)} rows that are not in the file")


def _held_pictures(dataset: h5py.Dataset) -> int:
    try:
        return int(dataset.id.get_num_chunks())
    except HDF5_ERRORS:
        # Part of the index is damaged: each picture shows by itself whether it is there.
        return len(dataset)


def _fits(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Tell whether a table of type `found` can be read as `wanted`."""
    if not wanted.names:
        return bool(found == wanted)
    if found.names is None or key_field(wanted) not in found.names:
        return False
    common = (name for name in wanted.names if name in found.names)
    return all(_same_kind(found[name], wanted[name]) for name in common)


def _same_kind(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Tell whether every value of one field has its place in the other."""
    if wanted.kind == "S":
        return found.kind == "S" and found.itemsize <= MAX_TEXT_BYTES
    return found.kind == wanted.kind and found.shape == () and found.itemsize <= wanted.itemsize


def _check_storage(dataset: h5py.Dataset, name: str, path: Path) -> None:
    elsewhere = why_not_read(dataset)
    if elsewhere:
        raise _malformed(path, name, elsewhere)
    if dataset.chunks is None:
        raise _malformed(path, name, "is not stored in chunks")
    packed = set(filters_of(dataset)) - {h5py.h5z.FILTER_FLETCHER32}
    if name not in PICTURES and packed:
        raise _malformed(path, name, f"is packed by filters {sorted(packed)} of no session")


def _check_picture(dataset: h5py.Dataset, name: str, path: Path) -> None:
    if dataset.ndim != 3 or dataset.chunks != (1, *dataset.shape[1:]):
        raise _malformed(path, name, f"has shape {dataset.shape} in chunks of {dataset.chunks}")
    if not all(0 < side <= MAX_SIDE_PX for side in dataset.shape[1:]):
        raise _malformed(path, name, f"has pictures of {dataset.shape[1:]} pixels")


def _check_table(dataset: h5py.Dataset, name: str, path: Path) -> None:
    if dataset.ndim != 1 or dataset.chunks != (TABLE_ROWS,):
        raise _malformed(path, name, f"has shape {dataset.shape} in chunks of {dataset.chunks}")
    if dataset.id.get_storage_size() > path.stat().st_size:
        raise _malformed(path, name, "is larger than the file")


def _malformed(path: Path, name: str, fault: str) -> FormatError:
    return FormatError(
        f"{path}: dataset “{name}” {fault}; this is no session file of version "
        f"{FORMAT_VERSION}, so copy it again from its source"
    )
