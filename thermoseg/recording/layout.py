"""What is where in a session file: names, types and limits.  docs/session-file.md says it in prose.

The file grows: a new region is a name in `labels.ROI_NAMES`, a new field of a sample a row in
`SAMPLE_FIELDS`, a new table a row in `TABLES`, and `FORMAT_MINOR` goes up by one.  Ring, recorder,
writer, reader and `regions.csv` follow.  Older programs ignore what they do not know; newer ones
find missing tables empty and missing fields absent.  `FORMAT_VERSION` goes up only when a change
would make an older program read something wrong.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermoseg.labels import ROI_NAMES

FORMAT: Final = "thermoseg session"
FORMAT_VERSION: Final = 1
"""Major version: a file of another one is refused."""
FORMAT_MINOR: Final = 2
"""Minor version: 1 added region names, study fields, markers, clocks, breathing, perspiration;
2 added closing notes and recordings without pictures."""

LIBVER: Final = ("v110", "v110")
"""SWMR needs the 1.10 format, and MATLAB as well as h5dump read nothing newer."""

SUFFIX: Final = ".h5"
_MARKER_SUFFIX: Final = ".RECORDING"
"""Appended to the file's name while it is being written; left behind by a crash."""
_EVENTS_SUFFIX: Final = ".events.jsonl"
"""Replaces `.h5`: the events of an unfinished recording, one JSON object per line."""
_MANIFEST_SUFFIX: Final = ".json"
"""Replaces `.h5`: what a finished recording holds, for other programs."""

REGIONS: Final = ROI_NAMES
"""Regions that are recorded unless told otherwise, one table of samples each; right is the
subject's right.  Their names stand in the file."""
_REGIONS_1_0: Final = (
    *("chin", "mouth", "eyes", "eyebrows", "nose"),
    *("nostrils", "nostril_right", "nostril_left", "perinasal"),
)
"""The regions of a file of version 1.0, which does not name them."""

TEXT_BYTES: Final = 512
"""Longest event or closing sentence, UTF-8; SWMR forbids variable length."""
REASON_BYTES: Final = 120
NOTES_BYTES: Final = 8000
"""Longest notes, UTF-8; an attribute that is overwritten in place has its size from the start."""

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


@dataclass(frozen=True, slots=True)
class SampleField:
    """One field of a sample: an attribute of `thermoseg.rois.RoiSample` of the same name."""

    name: str
    type: str
    """NumPy's name for its type in the file."""


SAMPLE_FIELDS: Final = (
    SampleField("time_s", "<f8"),
    SampleField("pixels", "<i4"),
    SampleField("mean_c", "<f8"),
    SampleField("min_c", "<f8"),
    SampleField("max_c", "<f8"),
    SampleField("sd_k", "<f8"),
    SampleField("valid", "u1"),
)
"""Fields of a region's sample besides frame and reason, in the order of the file."""

SAMPLE: Final = np.dtype(
    [
        ("frame_index", "<i8"),
        *((field.name, field.type) for field in SAMPLE_FIELDS),
        ("reason", "<u2"),
    ]
)
"""`reason` is a row of the table `reasons`."""
REASON: Final = np.dtype(f"S{REASON_BYTES}")
MAX_REASONS: Final = 65535

KIND_BYTES: Final = 32
SOURCE_BYTES: Final = 64
MARKER: Final = np.dtype(
    [
        ("begin_s", "<f8"),
        ("duration_s", "<f8"),
        ("wall_time", "<f8"),
        ("kind", f"S{KIND_BYTES}"),
        ("label", f"S{TEXT_BYTES}"),
        ("source", f"S{SOURCE_BYTES}"),
    ]
)
"""A stretch of the session that somebody named, on the clock of the frames; `source` tells who:
a key, a stream, another program."""

BREATHING: Final = np.dtype(
    [
        ("time_s", "<f8"),
        ("rate_per_min", "<f8"),
        ("quality", "<f8"),
        ("window_s", "<f8"),
        ("depth_k", "<f8"),
        ("noise_k", "<f8"),
        ("apnoea_s", "<f8"),
        ("source", f"S{KIND_BYTES}"),
        ("route", f"S{KIND_BYTES}"),
        ("reason", REASON),
    ]
)
"""`rate_per_min` is NaN where none was shown, and `reason` says why."""
PERSPIRATION: Final = np.dtype(
    [
        ("time_s", "<f8"),
        ("frame_index", "<i8"),
        ("spots_mk", "<f8"),
        ("energy_mk2", "<f8"),
        ("mean_against_chin_k", "<f8"),
        ("valid", "u1"),
        ("reason", REASON),
    ]
)

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
    "format_minor": int,
    "regions": str,
    "study": str,
    "pictures": int,
}
"""Attributes of the file, written before anything else; `pictures` is 0 where only traces are."""

HEADER_DEFAULTS: Final[dict[str, str | int]] = {
    "format_minor": 0,
    "regions": json.dumps(_REGIONS_1_0),
    "study": "{}",
    "pictures": 1,
    "notes": "",
}
"""Attributes that files of an older minor version lack, and what they mean there."""

BLANK: Final[dict[str, Any]] = {
    **dict.fromkeys(("session_id", "program", "created", "address"), ""),
    **dict.fromkeys(("camera_model", "camera_serial"), ""),
    **dict.fromkeys(("model_name", "model_sha256", "model_backend"), ""),
    **dict.fromkeys(("created_epoch_s", "created_monotonic_s"), nan),
    "rate_hz": 0.0,
    "live": 0,
    "study": "{}",
    "pictures": 1,
    "complete": 0,
    "ended": "",
    "notes": "",
}
"""Attributes that only describe a session, and what stands for each where it is lost."""

STUDY_BYTES: Final = 32_000
"""Most that study and participant fields may take as JSON; HDF5 allows an attribute 64 kB."""
MAX_REGIONS: Final = 64
"""More come from a damaged or hostile file."""

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
    "reasons": REASON,
    "gaps": GAP,
    "events": EVENT,
    "frames/monotonic_s": np.dtype("<f8"),
    "frames/device_s": np.dtype("<f8"),
    "frames/lsl_s": np.dtype("<f8"),
    "markers": MARKER,
    "breathing": BREATHING,
    "perspiration": PERSPIRATION,
}
"""(n,), not compressed, so that no small file can claim many rows; and one `SAMPLE` table for each
region, see `tables_of`."""

REQUIRED: Final = ("frames/counts", "frames/index", "frames/time_s")
"""Without these there is no session; any other that is missing counts as empty."""

CLOCKS: Final = ("frames/monotonic_s", "frames/device_s", "frames/lsl_s")
"""One time per frame, of the host's monotonic clock, the camera's own and the Lab Streaming Layer;
NaN where unknown, so unlike in other tables NaN is no end."""

COUNTS: Final = ("captured", "recorded", "dropped", "missed")
"""Closing attributes, −1 until the recording is finished."""


@dataclass(frozen=True, slots=True)
class SessionNames:
    """The files of one recording."""

    session: Path

    @property
    def marker(self) -> Path:
        """Exists while the session is being written, and after a crash."""
        return self.session.with_name(self.session.name + _MARKER_SUFFIX)

    @property
    def events(self) -> Path:
        """Events of an unfinished recording."""
        return self.session.with_suffix(_EVENTS_SUFFIX)

    @property
    def manifest(self) -> Path:
        """Contents and checksum of a finished recording."""
        return self.session.with_suffix(_MANIFEST_SUFFIX)


def encode_text(text: str, size: int) -> bytes:
    """Encode `text` as UTF-8 of at most `size` bytes, cut between characters."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode()


def samples_of(region: str) -> str:
    """Return the name of the table of samples of `region`."""
    return f"samples/{region}"


def tables_of(regions: Sequence[str]) -> dict[str, np.dtype[Any]]:
    """Return every table of a session that records `regions`, and its type."""
    return TABLES | {samples_of(region): SAMPLE for region in regions}


def create_datasets(
    file: h5py.File, height: int, width: int, regions: Sequence[str] = REGIONS, notes: bytes = b""
) -> dict[str, h5py.Dataset]:
    """Create every dataset, empty, and the closing attributes: SWMR allows none later.

    Parameters
    ----------
    height, width
        Size of the pictures, pixels.
    regions
        Names of the regions that will be recorded.
    notes
        UTF-8, as they are before the end.

    Returns
    -------
    The datasets by name.  Whoever holds them until the file is flushed learns of a failed write.
    """
    datasets: dict[str, h5py.Dataset] = {}
    for name, dtype in PICTURES.items():
        datasets[name] = file.create_dataset(
            name,
            (0, height, width),
            dtype,
            maxshape=(None, height, width),
            chunks=(1, height, width),
            fletcher32=True,
            **hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE),
        )
    for name, dtype in tables_of(regions).items():
        datasets[name] = file.create_dataset(
            name,
            (0,),
            dtype,
            maxshape=(None,),
            chunks=(TABLE_ROWS,),
            fletcher32=True,
            fillvalue=unwritten(dtype),
        )
    file.attrs["complete"] = np.int64(0)
    file.attrs["ended"] = np.array(b"", f"S{TEXT_BYTES}")
    file.attrs["notes"] = np.array(notes, f"S{NOTES_BYTES}")
    for name in COUNTS:
        file.attrs[name] = np.int64(-1)
    return datasets


def set_closing_attributes(
    file: h5py.File, ended: str, counts: dict[str, int], notes: bytes = b""
) -> None:
    """Overwrite the closing attributes in place, which SWMR allows, and mark the file complete."""
    file.attrs.modify("notes", np.array(notes, f"S{NOTES_BYTES}"))
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


def unwritten(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the value that a row has until it is written, and never afterwards."""
    value = np.zeros((), dtype)
    if dtype.names:
        value[key_field(dtype)] = np.nan
    elif dtype.kind == "f":
        value[...] = np.nan
    elif dtype.kind == "i":
        value[...] = np.iinfo(dtype).min
    elif dtype.kind == "u":
        value[...] = np.iinfo(dtype).max
    return value


def key_field(dtype: np.dtype[Any]) -> str:
    """Return the field of a compound table that is NaN until a row is written."""
    return "begin_s" if "begin_s" in (dtype.names or ()) else "time_s"
