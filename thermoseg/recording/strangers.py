"""Copies what a newer program has put into a session and this one does not know.

The same is asked of it as of everything else: it may not point outside the file, and its size is
bounded by what the file holds.
"""

from collections.abc import Iterator, Set
from typing import Any, Final

import h5py
import numpy as np

from thermoseg.recording.layout import MAX_SIDE_PX, TABLE_ROWS
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.tables import HDF5_ERRORS, MAX_TEXT_BYTES, why_not_read

MAX_STRANGERS: Final = 256
"""Most datasets and most attributes that are copied; more come from a damaged or hostile file."""
MAX_DEPTH: Final = 8
"""Deepest nesting of groups that is copied."""
MAX_WHOLE_BYTES: Final = 60_000
"""Largest attribute, and largest dataset stored without chunks, that is copied."""


def wider_type(
    known: np.dtype[Any], found: np.dtype[Any] | None
) -> tuple[np.dtype[Any], tuple[str, ...]]:
    """Add the fields of a stored table to those that are known.

    Returns
    -------
    The type for the copy, and the fields that cannot be copied.
    """
    if known.names is None or found is None or found.names is None:
        return known, ()
    others = [name for name in found.names if name not in known.names]
    copied = [name for name in others if _is_plain(found[name])]
    fields = [(name, known[name]) for name in known.names]
    wider = np.dtype(fields + [(name, found[name]) for name in copied]) if copied else known
    return wider, tuple(name for name in others if name not in copied)


def copy_strangers(
    source: OpenSession,
    copy: h5py.File,
    known_attributes: Set[str],
    known_datasets: Set[str],
    losses: list[str],
) -> list[h5py.Dataset]:
    """Copy attributes of the file and datasets that are not known; say which cannot be.

    Returns
    -------
    The new datasets, to be held until they are flushed.
    """
    copies: list[h5py.Dataset] = []
    copy_strange_attributes(source, copy, known_attributes, losses)
    for number, (name, dataset) in enumerate(unknown_datasets(source.file, known_datasets, losses)):
        if number == MAX_STRANGERS:
            losses.append("further unknown datasets are too many to copy")
            break
        try:
            copies.append(_copy_dataset(dataset, copy, name, source.size_bytes, losses))
        except _Refused as refusal:
            losses.append(f"unknown dataset {name} {refusal}")
    return copies


def copy_strange_attributes(
    source: OpenSession, copy: h5py.File, known: Set[str], losses: list[str]
) -> None:
    """Copy attributes of the file that are not known; say which cannot be."""
    names = sorted(set(source.file.attrs) - known)
    for name in names[:MAX_STRANGERS]:
        _copy_attribute(source.file, copy, name, losses)
    if len(names) > MAX_STRANGERS:
        losses.append(f"{len(names) - MAX_STRANGERS} attributes are too many to copy")


def unknown_datasets(
    group: h5py.Group, known: Set[str], losses: list[str], path: str = "", depth: int = 0
) -> Iterator[tuple[str, h5py.Dataset]]:
    """Find datasets that are not known, without following a link; `losses` tells of the others."""
    try:
        parts = list(group)
    except HDF5_ERRORS as error:
        losses.append(f"group {path or '/'} is damaged ({error})")
        return
    for part in parts:
        name = f"{path}{part}"
        if name in known:
            continue
        try:
            if group.get(part, getclass=True, getlink=True) is not h5py.HardLink:
                losses.append(f"{name} is a link to somewhere else and is not copied")
                continue
            item = group[part]
        except HDF5_ERRORS as error:
            losses.append(f"unknown dataset {name} is damaged ({error})")
            continue
        if isinstance(item, h5py.Dataset):
            yield name, item
        elif isinstance(item, h5py.Group) and depth < MAX_DEPTH:
            yield from unknown_datasets(item, known, losses, f"{name}/", depth + 1)
        else:
            losses.append(f"{name} is of no kind that is copied")


class _Refused(Exception):  # noqa: N818  # a decision, told as a clause, and no fault of ours
    """Why something unknown is not copied."""


def _copy_attribute(source: h5py.File, copy: h5py.File, name: str, losses: list[str]) -> None:
    try:
        found = source.attrs.get_id(name)
        kind = found.dtype
        small = int(np.prod(found.shape)) * kind.itemsize <= MAX_WHOLE_BYTES
        text = h5py.check_string_dtype(kind) is not None
        sound = small and (text or _is_plain(kind))
        value = source.attrs[name] if sound else None
    except HDF5_ERRORS as error:
        losses.append(f"unknown attribute {name} is damaged ({error})")
        return
    if value is None or (isinstance(value, str) and len(value.encode()) > MAX_WHOLE_BYTES):
        losses.append(f"unknown attribute {name} is of no kind that is copied")
        return
    copy.attrs[name] = value


def _copy_dataset(
    dataset: h5py.Dataset, copy: h5py.File, name: str, size_bytes: int, losses: list[str]
) -> h5py.Dataset:
    # A shape is a claim: a file of some kilobytes may announce billions of rows, which HDF5 makes
    # up from a fill value.  So no more rows are read than the chunks that are really there can
    # hold, a chunk at a time, and neither rows nor chunks may be larger than any of our own.
    try:
        elsewhere = why_not_read(dataset)
        shape, chunks, dtype = dataset.shape, dataset.chunks, dataset.dtype
        bytes_there = int(dataset.id.get_storage_size())
        held = int(dataset.id.get_num_chunks()) if chunks else 0
    except HDF5_ERRORS as error:
        raise _Refused(f"is damaged ({error})") from error
    if elsewhere:
        raise _Refused(f"{elsewhere} and is not copied")
    if not _is_plain(dtype) or shape is None or not 0 < len(shape) <= 3:
        raise _Refused("is of no kind that is copied")
    if chunks is None:
        return _copy_whole(dataset, copy, name)
    per_chunk = chunks[0]
    rows_bytes = per_chunk * int(np.prod(shape[1:])) * dtype.itemsize
    fits = chunks[1:] == shape[1:] and max(shape[1:], default=1) <= MAX_SIDE_PX
    if not fits or per_chunk > TABLE_ROWS or bytes_there > size_bytes:
        raise _Refused("is stored in no way that is copied")
    if rows_bytes > MAX_SIDE_PX**2 * 2:
        raise _Refused("has rows that are too large to copy")
    target = copy.create_dataset(
        name,
        (0, *shape[1:]),
        dtype,
        maxshape=(None, *shape[1:]),
        chunks=chunks,
        fletcher32=True,
        compression="gzip" if len(shape) > 1 else None,
        compression_opts=1 if len(shape) > 1 else None,
    )
    lost = 0
    for start in range(0, min(shape[0], held * per_chunk), per_chunk):
        stop = min(start + per_chunk, shape[0])
        try:
            rows = dataset[start:stop]
        except HDF5_ERRORS:
            lost += stop - start
            continue
        target.resize(len(target) + len(rows), axis=0)
        target[-len(rows) :] = rows
    if lost:
        losses.append(f"{lost} rows of unknown dataset {name} were damaged")
    return target


def _copy_whole(dataset: h5py.Dataset, copy: h5py.File, name: str) -> h5py.Dataset:
    if int(np.prod(dataset.shape)) * dataset.dtype.itemsize > MAX_WHOLE_BYTES:
        raise _Refused("is not stored in chunks and is too large to copy")
    try:
        values = dataset[...]
    except HDF5_ERRORS as error:
        raise _Refused(f"is damaged ({error})") from error
    return copy.create_dataset(name, data=values)


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Tell whether values of this type are numbers or texts of fixed length, or records of them."""
    if dtype.names is not None:
        return all(_is_plain(dtype[name]) for name in dtype.names)
    return dtype.kind in "iufS" and dtype.shape == () and dtype.itemsize <= MAX_TEXT_BYTES
