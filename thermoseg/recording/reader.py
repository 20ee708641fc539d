"""Reads session files, finished or not, and trusts nothing in them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.events import SessionEvent
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import Radiometry, radiometry_from_dict
from thermoseg.recording.crashed import view_as_closed
from thermoseg.recording.layout import (
    CLOCKS,
    COUNTS,
    FORMAT,
    FORMAT_VERSION,
    GAP_CAUSES,
    HEADER_DEFAULTS,
    MAX_REGIONS,
    SAMPLE,
    SUFFIX,
    SessionNames,
    samples_of,
    tables_of,
)
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.tables import check_datasets, find_dataset, read_table

T = TypeVar("T", bound=str | int | float)
J = TypeVar("J", list[Any], dict[str, Any])

HDF5_ERRORS: Final = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
)
"""What h5py raises for damaged files, by experiment."""

UNKNOWN_REASON: Final = "reason not recorded"
"""Of a sample whose reason a crash has cut off."""


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """How many frames there were; recorded + dropped = captured."""

    captured: int
    """Frames offered to the recorder."""
    recorded: int
    dropped: int
    missed: int
    """Frames that the camera numbered but never delivered."""


@dataclass(frozen=True, slots=True)
class SessionMarker:
    """A stretch of a session that somebody named."""

    begin_s: float
    """On the clock of the frames."""
    duration_s: float
    """0 for a moment; NaN where its end was not marked."""
    wall_time: float
    """Of the beginning, seconds since 1970-01-01 UTC."""
    kind: str
    label: str
    source: str
    """Who marked it: a key, a stream, another program."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames that are not in the file."""

    index_before: int
    """Of the last frame before; -1 if there is none."""
    index_after: int
    """Of the first frame after; -1 if there is none."""
    time_s: float
    """Of the first frame after, or of the last one before."""
    frames: int
    cause: str
    """One of `GAP_CAUSES`: the camera, the recorder, damage to the file, a loss of the camera (then
    `frames` is 0, as nobody knows), or frames refused because they came broken."""


class Recording:
    """A session file opened for reading; a context manager.

    A file still being written, or left by a crash, opens too: it shows what had reached the disk
    when it was opened, and `complete` is False.  The file is never changed.
    """

    def __init__(self, path: Path) -> None:
        """Open and check the file; no picture is read.

        Raises
        ------
        FormatError
            If it is no session file, or is damaged where all of it depends.
        """
        self.path = path
        self._file = open_session(path)
        try:
            with _named(path):
                self._read_header()
                self._read_tables()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.indices)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    @property
    def info(self) -> CameraInfo:
        """The camera as it described itself, with the number of frames in the file."""
        return self._info

    @property
    def address(self) -> str:
        """Of the camera, as its user gave it."""
        return self._address

    @property
    def model(self) -> ModelIdentity | None:
        """The network that labelled the frames, None if none did."""
        return self._model

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a trace here, in the order of the file."""
        return self._regions

    @property
    def study(self) -> Mapping[str, str | float]:
        """Study and participant fields, by name; empty if none were given."""
        return self._study

    @property
    def format_version(self) -> str:
        """Of the file, such as “1.1”."""
        return self._format_version

    @property
    def session_id(self) -> str:
        """The same in a recovered copy."""
        return self._session_id

    @property
    def created(self) -> str:
        """When recording began, ISO 8601 with zone."""
        return self._created

    @property
    def program(self) -> str:
        """What wrote the file."""
        return self._program

    @property
    def complete(self) -> bool:
        """Whether recording was finished; if not, its last second may be missing."""
        return self._complete

    @property
    def ended(self) -> str:
        """Why recording ended, one clause; empty if it was not finished."""
        return self._ended

    @property
    def counts(self) -> RecordingCounts:
        """Frames captured, recorded, dropped, missed; from the gaps if it was not finished."""
        return self._counts

    def frame(self, position: int) -> Frame:
        """Read one frame.

        Parameters
        ----------
        position
            0 to `len(self)` − 1, or negative from the end.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If it is damaged; other frames can still be read.
        """
        row = self._row(position)
        counts = self._picture("frames/counts", row, f"frame {row}")
        return Frame.from_counts(
            counts,
            self._info.radiometry,
            int(self.indices[row]),
            float(self.times_s[row]),
            float(self.wall_times[row]),
            FrameFlag(int(self.flags[row])),
        )

    def labels(self, position: int) -> NDArray[np.uint8] | None:
        """Read the labels of one frame, (height, width); None if it was not segmented.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If they are damaged.
        """
        row = self._row(position)
        key = int(self.indices[row]), float(self.times_s[row])
        found = self._label_rows.get(key)
        return None if found is None else self._picture("labels/labels", found, f"labels {found}")

    def samples(self, region: str) -> NDArray[Any]:
        """Read the trace of one region.

        Returns
        -------
        (n,) structured: frame_index, time_s, pixels, mean_c, min_c, max_c, sd_k, valid (bool),
        reason (text).  °C and kelvin; NaN where the region was absent.

        Raises
        ------
        ValueError
            If the file has no region of this name.
        FormatError
            If the table is damaged.
        """
        if region not in self._regions:
            raise ValueError(
                f"no region is called “{region}”; known are {', '.join(self._regions)}"
            )
        stored = self.table(samples_of(region))
        reasons = np.array([*self._reasons, UNKNOWN_REASON])
        codes = np.minimum(stored["reason"], len(self._reasons))
        names = [name for name in SAMPLE.names or () if name not in ("valid", "reason")]
        kinds = [(name, SAMPLE[name]) for name in names]
        samples = np.empty(len(stored), [*kinds, ("valid", "?"), ("reason", reasons.dtype)])
        for name in names:
            samples[name] = stored[name]
        samples["valid"] = stored["valid"] != 0
        samples["reason"] = reasons[codes]
        return samples

    def table(self, name: str) -> NDArray[Any]:
        """Read one of the tables of `thermoseg.recording.layout`, such as `breathing`.

        Returns
        -------
        (n,) of the type it has there; empty if the file has no such table.

        Raises
        ------
        FormatError
            If it is damaged.
        """
        dtype = tables_of(self._regions)[name]
        with _named(self.path):
            return read_table(find_dataset(self._file, name, self.path), dtype)

    def clock(self, name: str) -> NDArray[np.float64]:
        """Read the time of each frame on another clock than the session's, (n,), seconds.

        Parameters
        ----------
        name
            One of `thermoseg.recording.layout.CLOCKS`.

        Returns
        -------
        NaN where it is unknown.
        """
        if name not in CLOCKS:
            raise ValueError(f"no clock is called “{name}”; known are {', '.join(CLOCKS)}")
        times_s = np.full(len(self), nan)
        stored = self.table(name)[: len(self)]
        times_s[: len(stored)] = stored
        return times_s

    @cached_property
    def markers(self) -> tuple[SessionMarker, ...]:
        """What was marked, in the order of the file."""
        return tuple(
            SessionMarker(
                begin_s=float(row["begin_s"]),
                duration_s=float(row["duration_s"]),
                wall_time=float(row["wall_time"]),
                kind=row["kind"].decode("utf-8", "replace"),
                label=row["label"].decode("utf-8", "replace"),
                source=row["source"].decode("utf-8", "replace"),
            )
            for row in self.table("markers")
        )

    @cached_property
    def events(self) -> tuple[SessionEvent, ...]:
        """What was noted, in order; of an unfinished recording from the file beside it."""
        rows = self.table("events")
        if not self._complete and not len(rows):
            return read_event_lines(SessionNames(self.path).events)
        return tuple(
            SessionEvent(
                time_s=float(row["time_s"]),
                text=row["text"].decode("utf-8", "replace"),
                wall_time=float(row["wall_time"]),
            )
            for row in rows
        )

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Where frames are missing, in order."""
        rows = self.table("gaps")
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

    def gap_seconds(self, gap: Gap) -> float:
        """Return the time between the frames on both sides of a gap; NaN where one is absent."""
        times: dict[int, float] = dict(
            zip(self.indices.tolist(), self.times_s.tolist(), strict=True)
        )
        return times.get(gap.index_after, nan) - times.get(gap.index_before, nan)

    @cached_property
    def _reasons(self) -> list[str]:
        return [reason.decode("utf-8", "replace") for reason in self.table("reasons")]

    @cached_property
    def _label_rows(self) -> dict[tuple[int, float], int]:
        indices, times_s = self.table("labels/frame_index"), self.table("labels/time_s")
        pictures = find_dataset(self._file, "labels/labels", self.path)
        rows = min(len(indices), len(times_s), 0 if pictures is None else len(pictures))
        rows = self._sound_rows("labels/labels", rows)
        keys = zip(indices[:rows].tolist(), times_s[:rows].tolist(), strict=True)
        return {key: row for row, key in enumerate(keys)}

    def _row(self, position: int) -> int:
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames, there is none at {position}")
        return position % len(self)

    def _picture(self, name: str, row: int, what: str) -> NDArray[Any]:
        picture = read_picture(self._file[name], row)
        if picture is None:
            raise FormatError(
                f"{self.path}: {what} is damaged (checksum, packing or absent); the other frames "
                "can be read, recover the session to drop this one"
            )
        return picture

    def _sound_rows(self, name: str, rows: int) -> int:
        """Leave out rows at the end whose pictures a crash has kept from being written."""
        while not self._complete and rows and read_picture(self._file[name], rows - 1) is None:
            rows -= 1
        return rows

    def _read_header(self) -> None:
        attributes = Attributes(self._file, self.path)
        self._address = attributes.text("address")
        self._session_id = attributes.text("session_id")
        self._created = attributes.text("created")
        self._program = attributes.text("program")
        model = ModelIdentity(
            *(attributes.text(f"model_{part}") for part in ("name", "sha256", "backend"))
        )
        self._model = model if model.name else None
        self._format_version = (
            f"{attributes.integer('format_version')}.{attributes.integer('format_minor')}"
        )
        self._regions = attributes.regions()
        self._study = attributes.study()
        self._complete = attributes.integer("complete") == 1
        self._ended = attributes.text("ended")
        height, width = self._file["frames/counts"].shape[1:]
        if (attributes.integer("height"), attributes.integer("width")) != (height, width):
            raise FormatError(
                f"{self.path}: its pictures are not of the size that its header names; "
                "copy the file again from its source"
            )
        self._camera = (
            attributes.text("camera_model"),
            attributes.text("camera_serial"),
            width,
            height,
            attributes.value("rate_hz", float),
            self._radiometry(attributes.text("radiometry")),
            attributes.integer("live") == 1,
        )

    def _radiometry(self, text: str) -> Radiometry:
        try:
            described = json.loads(text)
            if not isinstance(described, dict):
                raise FormatError("it is no table")
            return radiometry_from_dict(described)
        except (ValueError, RecursionError, FormatError) as error:
            raise FormatError(
                f"{self.path}: its radiometry cannot be read ({error}); "
                "copy the file again from its source"
            ) from error

    def _read_tables(self) -> None:
        names = [f"frames/{name}" for name in ("index", "time_s", "wall_time", "flags")]
        tables = {name: self.table(name) for name in names}
        present = [len(tables[name]) for name in names if name in self._file]
        # A crash may come between the growth of one table and of the next.
        rows = self._sound_rows("frames/counts", min(len(self._file["frames/counts"]), *present))
        for name, absent in (("frames/wall_time", nan), ("frames/flags", 0)):
            if name not in self._file:
                tables[name] = np.full(rows, absent, tables[name].dtype)
        for table in tables.values():
            table.flags.writeable = False
        self.indices: NDArray[np.int64] = tables["frames/index"][:rows]
        """(n,), numbers given by the camera."""
        self.times_s: NDArray[np.float64] = tables["frames/time_s"][:rows]
        """(n,), seconds since the camera was opened."""
        self.wall_times: NDArray[np.float64] = tables["frames/wall_time"][:rows]
        """(n,), seconds since 1970-01-01 UTC; NaN where the file has none."""
        self.flags: NDArray[np.uint16] = tables["frames/flags"][:rows]
        """(n,), values of `FrameFlag`."""
        self._info = CameraInfo(*self._camera, frame_count=rows)
        self._counts = self._read_counts(rows)

    def _read_counts(self, rows: int) -> RecordingCounts:
        if self._complete:
            attributes = Attributes(self._file, self.path)
            return RecordingCounts(*(attributes.integer(name) for name in COUNTS))
        lost = {cause: sum(g.frames for g in self.gaps if g.cause == cause) for cause in GAP_CAUSES}
        dropped = lost["recorder"] + lost["damaged"]
        return RecordingCounts(rows + dropped, rows, dropped, lost["camera"])


class Attributes:
    """The attributes of a file, each checked for its kind."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        """Look at `file`, which `path` names in messages."""
        self._attributes = file.attrs
        self._path = path

    def value(self, name: str, kind: type[T]) -> T:
        """Return a text or a finite number.

        Raises
        ------
        FormatError
            If it is missing or of another kind.
        """
        value = self._get(name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, np.generic):
            value = value.item()
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if not isinstance(value, kind) or (isinstance(value, float) and not np.isfinite(value)):
            raise self._unusable(name)
        return value

    def text(self, name: str) -> str:
        """Return a text; see `value`."""
        return self.value(name, str)

    def integer(self, name: str) -> int:
        """Return a whole number; see `value`."""
        return self.value(name, int)

    def regions(self) -> tuple[str, ...]:
        """Return the names of the regions that have a table of samples.

        Raises
        ------
        FormatError
            If they are no names.
        """
        names = self._json("regions", list)
        sound = all(isinstance(name, str) and name.isidentifier() for name in names)
        if not sound or len(set(names)) < len(names) or len(names) > MAX_REGIONS:
            raise self._unusable("regions")
        return tuple(names)

    def study(self) -> dict[str, str | float]:
        """Return the study and participant fields.

        Raises
        ------
        FormatError
            If they are anything but texts and numbers by name.
        """
        fields = self._json("study", dict)
        if not all(isinstance(value, str | int | float) for value in fields.values()):
            raise self._unusable("study")
        return fields

    def _json(self, name: str, kind: type[J]) -> J:
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise self._unusable(name) from error
        if not isinstance(value, kind):
            raise self._unusable(name)
        return value

    def _get(self, name: str) -> object:
        try:
            if name in HEADER_DEFAULTS and name not in self._attributes:
                return HEADER_DEFAULTS[name]
            if name not in self._attributes or self._attributes.get_id(name).shape != ():
                raise self._unusable(name)
            value: object = self._attributes[name]
        except HDF5_ERRORS as error:
            raise self._unusable(name) from error
        return value

    def _unusable(self, name: str) -> FormatError:
        return FormatError(
            f"{self._path}: attribute “{name}” is missing or no such value as a session file has; "
            "copy the file again from its source"
        )


def open_session(path: Path) -> h5py.File:
    """Open and check a session file, finished or not.

    Raises
    ------
    FormatError
        If it cannot be opened or its datasets are not those of a session.
    """
    if not path.is_file():
        raise FormatError(f"{path} does not exist; check its name")
    file = _open_hdf5(path)
    try:
        with _named(path):
            attributes = Attributes(file, path)
            if "format" not in file.attrs or attributes.text("format") != FORMAT:
                raise FormatError(f"{path} is no ThermoSeg session; choose another file")
            found = attributes.integer("format_version")
            if found != FORMAT_VERSION:
                raise FormatError(
                    f"{path} has format version {found} and this program reads {FORMAT_VERSION}; "
                    f"open it with {_writer(attributes)} or a newer one"
                )
            finished = attributes.integer("complete") == 1
            check_datasets(file, path, attributes.regions(), finished=finished)
    except BaseException:
        file.close()
        raise
    return file


def _writer(attributes: Attributes) -> str:
    """Name the program that wrote a file of another major version, whatever that is like."""
    try:
        return attributes.text("program")
    except FormatError:
        return "the program that wrote it"


def read_picture(pictures: h5py.Dataset, row: int) -> NDArray[Any] | None:
    """Read and verify one picture, (height, width); None if it is damaged or not in the file."""
    try:
        # An absent chunk would read as zeros: a picture that nobody took.
        if pictures.id.get_chunk_info_by_coord((row, 0, 0)).byte_offset is None:
            return None
        picture: NDArray[Any] = pictures[row]
    except HDF5_ERRORS:
        return None
    return picture


def is_session(path: Path) -> bool:
    """Tell whether `path` is named like a session file and is HDF5 at all."""
    return path.suffix == SUFFIX and path.is_file() and bool(h5py.is_hdf5(path))


def read_event_lines(path: Path) -> tuple[SessionEvent, ...]:
    """Read the events of an unfinished recording; a line cut off by the crash is left out."""
    if not path.is_file():
        return ()
    events = []
    for line in path.read_bytes().splitlines():
        try:
            fields = json.loads(line)
            event = SessionEvent(
                time_s=float(fields["time_s"]),
                text=str(fields["text"]),
                wall_time=float(fields["wall_time"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        events.append(event)
    return tuple(events)


def _open_hdf5(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking="best-effort")
    except HDF5_ERRORS as error:
        refusal = str(error)
    try:
        if is_being_recorded(path):
            return h5py.File(path, "r", swmr=True, libver="latest", locking="best-effort")
        return h5py.File(view_as_closed(path), "r")
    except HDF5_ERRORS as error:
        reason = refusal.partition("(")[2].rstrip(")") or refusal
        raise FormatError(
            f"{path} cannot be opened as a session ({reason}); it is cut off, damaged or another "
            "kind of file, so copy it again from its source"
        ) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what h5py raises for a damaged file into a sentence that names it."""
    try:
        yield
    except HDF5_ERRORS as error:
        raise FormatError(
            f"{path} is damaged ({error}); recover the session to save what can be read"
        ) from error
