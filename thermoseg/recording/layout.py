"""What is where in a session file: names, dtypes, limits, and the check of a foreign file.

Writer, reader and recovery share this page and nothing else.  docs/session-file.md says the same
in prose.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermoseg.errors import FormatError

FORMAT: Final = "thermoseg session"
FORMAT_VERSION: Final = 1

LIBVER: Final = ("v110", "v110")
"""SWMR needs the 1.10 format, and MATLAB as well as h5dump read nothing newer."""

SUFFIX: Final = ".h5"
MARKER_SUFFIX: Final = ".RECORDING"
"""Appended to the file's name while it is being written; left behind by a crash."""
EVENTS_SUFFIX: Final = ".events.jsonl"
"""Replaces `.h5`: the events of an unfinished recording, one JSON object per line."""

REGIONS: Final = (
    "chin",
    "mouth",
    "eyes",
    "eyebrows",
    "nose",
    "nostrils",
    "nostril_right",
    "nostril_left",
    "perinasal",
)
"""One sample table each; right is the subject's right."""

TEXT_BYTES: Final = 512
"""Longest event or closing sentence, UTF-8; SWMR forbids variable length."""
REASON_BYTES: Final = 120

TABLE_ROWS: Final = 256
"""Rows per chunk of a table."""
MAX_SIDE_PX: Final = 16384
"""Larger pictures come from a damaged or hostile file."""

EVENT: Final = np.dtype([("time_s", "<f8"), ("wall_time", "<f8"), ("text", f"S{TEXT_BYTES}")])
GAP: Final = np.dtype(
    [
        ("index_before", "<i8"),
        ("index_after", "<i8"),
        ("time_s", "<f8"),
        ("frames", "<i8"),
        ("cause", "u1"),
    ]
)
SAMPLE: Final = np.dtype(
    [
        ("frame_index", "<i8"),
        ("time_s", "<f8"),
        ("pixels", "<i4"),
        ("mean_c", "<f8"),
        ("min_c", "<f8"),
        ("max_c", "<f8"),
        ("sd_k", "<f8"),
        ("valid", "u1"),
        ("reason", "<u2"),
    ]
)
REASON: Final = np.dtype(f"S{REASON_BYTES}")
MAX_REASONS: Final = 65535

GAP_CAUSES: Final = ("camera", "recorder", "damaged", "lost", "refused")
"""Value of `cause` in a gap: missed before us, dropped by us, unreadable when recovered; the camera
lost and opened again, with no number of frames; thrown away because they came broken."""

STOPPED: Final = "stopped"
"""Closing attribute `ended` of a recording that ended as its user wished."""

HEADER: Final[dict[str, type[str] | type[int] | type[float]]] = {
    "format": str,
    "format_version": int,
    "session_id": str,
    "program": str,
    "created": str,
    "created_epoch_s": float,
    "created_monotonic_s": float,
    "address": str,
    "camera_model": str,
    "camera_serial": str,
    "width": int,
    "height": int,
    "rate_hz": float,
    "live": int,
    "radiometry": str,
    "model_name": str,
    "model_sha256": str,
    "model_backend": str,
}
"""Attributes of the file, written before anything else."""

PICTURES: Final[dict[str, np.dtype[Any]]] = {
    "frames/counts": np.dtype("<u2"),
    "labels/labels": np.dtype("u1"),
}
"""(n, height, width), one picture per chunk."""

TABLES: Final[dict[str, np.dtype[Any]]] = {
    "frames/index": np.dtype("<i8"),
    "frames/time_s": np.dtype("<f8"),
    "frames/wall_time": np.dtype("<f8"),
    "frames/flags": np.dtype("<u2"),
    "labels/frame_index": np.dtype("<i8"),
    "labels/time_s": np.dtype("<f8"),
    **{f"samples/{region}": SAMPLE for region in REGIONS},
    "reasons": REASON,
    "gaps": GAP,
    "events": EVENT,
}
"""(n,), not compressed, so that no small file can claim many rows."""

COUNTS: Final = ("captured", "recorded", "dropped", "missed")
"""Closing attributes, −1 until the recording is finished."""

_BLOSC2: Final = 32026
"""Registered number of the filter at The HDF Group."""
_FILTERS: Final = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    _BLOSC2,
}


@dataclass(frozen=True, slots=True)
class SessionNames:
    """The three files of one recording."""

    session: Path

    @property
    def marker(self) -> Path:
        """Exists while the session is being written, and after a crash."""
        return self.session.with_name(self.session.name + MARKER_SUFFIX)

    @property
    def events(self) -> Path:
        """Events of an unfinished recording."""
        return self.session.with_suffix(EVENTS_SUFFIX)


def encode_text(text: str, size: int) -> bytes:
    """Encode `text` as UTF-8 of at most `size` bytes, cut between characters."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode()


def create_datasets(file: h5py.File, height: int, width: int) -> None:
    """Create every dataset, empty, and the closing attributes: SWMR allows none later.

    Parameters
    ----------
    height, width
        Of the pictures, pixels.
    """
    for name, dtype in PICTURES.items():
        file.create_dataset(
            name,
            (0, height, width),
            dtype,
            maxshape=(None, height, width),
            chunks=(1, height, width),
            fletcher32=True,
            **hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE),
        )
    for name, dtype in TABLES.items():
        file.create_dataset(
            name,
            (0,),
            dtype,
            maxshape=(None,),
            chunks=(TABLE_ROWS,),
            fletcher32=True,
            fillvalue=_unwritten(dtype),
        )
    file.attrs["complete"] = np.int64(0)
    file.attrs["ended"] = np.array(b"", f"S{TEXT_BYTES}")
    for name in COUNTS:
        file.attrs[name] = np.int64(-1)


def set_closing_attributes(file: h5py.File, ended: str, counts: dict[str, int]) -> None:
    """Overwrite the closing attributes in place, which SWMR allows, and mark the file complete."""
    for name in COUNTS:
        file.attrs.modify(name, np.int64(counts[name]))
    file.attrs.modify("ended", np.array(encode_text(ended, TEXT_BYTES), f"S{TEXT_BYTES}"))
    file.attrs.modify("complete", np.int64(1))


def append(dataset: h5py.Dataset, rows: ArrayLike) -> None:
    """Append `rows` (a sequence or array of the dataset's dtype) to a table."""
    values = np.asarray(rows, dataset.dtype)
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def stored_rows(table: h5py.Dataset) -> int:
    """Return how many rows of `table` can be in the file, whatever length it claims.

    A writer that ends during a flush, by a kill or a full disk, may have stored the length of a
    table but not its rows.
    """
    return int(min(len(table), table.id.get_num_chunks() * TABLE_ROWS))


def is_written(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows of a table hold something, (n,); the others are as a crash left them."""
    key = rows["time_s"] if rows.dtype.names else rows
    if key.dtype.kind == "S":
        return np.ones(len(rows), bool)
    written: NDArray[np.bool_] = (
        ~np.isnan(key) if key.dtype.kind == "f" else key != _unwritten(key.dtype)
    )
    return written


def read_table(table: h5py.Dataset) -> NDArray[Any]:
    """Read a table up to its first row that was not written, (n,)."""
    rows: NDArray[Any] = table[: stored_rows(table)]
    unwritten = np.flatnonzero(~is_written(rows))
    return rows[: unwritten[0]] if len(unwritten) else rows


def check_datasets(file: h5py.File, path: Path, *, finished: bool) -> None:
    """Refuse a file whose datasets are missing, malformed, or point outside the file.

    HDF5 follows soft and external links, external storage and virtual datasets without a word
    (CVE-2026-1669), so every component of every path is looked at before it is opened.

    Parameters
    ----------
    path
        Named in the message.
    finished
        Whether the recording was finished, so that every row claimed must be there.

    Raises
    ------
    FormatError
        If anything is not as `create_datasets` makes it.
    """
    for name, dtype in (PICTURES | TABLES).items():
        dataset = _inner_dataset(file, name, path)
        if dataset.dtype != dtype:
            raise _malformed(path, name, f"has type {dataset.dtype}, not {dtype}")
        _check_storage(dataset, name, path)
        if name in PICTURES:
            _check_picture(dataset, name, path)
            held = int(dataset.id.get_num_chunks())
        else:
            _check_table(dataset, name, path)
            held = stored_rows(dataset)
        if finished and len(dataset) > held:
            raise _malformed(path, name, f"claims {len(dataset)} rows that are not in the file")
    if file["frames/counts"].shape[1:] != file["labels/labels"].shape[1:]:
        raise _malformed(path, "labels/labels", "differs in size from the frames")


def _unwritten(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the value that a row has until it is written, and never afterwards."""
    value = np.zeros((), dtype)
    if dtype.names:
        value["time_s"] = np.nan
    elif dtype.kind == "f":
        value[...] = np.nan
    elif dtype.kind == "i":
        value[...] = np.iinfo(dtype).min
    elif dtype.kind == "u":
        value[...] = np.iinfo(dtype).max
    return value


def _inner_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    group: h5py.Group = file
    *groups, last = name.split("/")
    for part in (*groups, last):
        kind = group.get(part, getclass=True, getlink=True)
        if kind is None:
            raise _malformed(path, name, "is missing")
        if kind is not h5py.HardLink:
            raise _malformed(path, name, "is a link to somewhere else")
        item = group[part]
        wanted = h5py.Dataset if part is last else h5py.Group
        if not isinstance(item, wanted):
            raise _malformed(path, name, f"is not a {wanted.__name__.lower()}")
        group = item
    return group


def _check_storage(dataset: h5py.Dataset, name: str, path: Path) -> None:
    plist = dataset.id.get_create_plist()
    if dataset.is_virtual or plist.get_external_count():
        raise _malformed(path, name, "takes its values from another file")
    if dataset.chunks is None:
        raise _malformed(path, name, "is not stored in chunks")
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= _FILTERS or (name in TABLES and filters - {h5py.h5z.FILTER_FLETCHER32}):
        raise _malformed(path, name, f"is packed by filters {sorted(filters)} of no session")


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
