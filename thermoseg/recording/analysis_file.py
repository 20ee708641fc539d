"""The file of an analysis: masks and samples of a session that was segmented anew.

Its tables are those of a session, see `thermoseg.recording.layout`; its frames stay in the session.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.analysis_settings import AnalysisSettings
from thermoseg.errors import AnalysisError, FormatError
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import Radiometry
from thermoseg.radiometry_text import radiometry_to_dict
from thermoseg.recording.attributes import Attributes
from thermoseg.recording.datasets import create_pictures, create_table
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.header import program_name
from thermoseg.recording.layout import (
    LIBVER,
    MAX_REASONS,
    PICTURES,
    REASON,
    REASON_BYTES,
    SAMPLE,
    SAMPLE_FIELDS,
    TABLE_ROWS,
    TABLES,
    append,
    encode_text,
    samples_of,
    unwritten,
)
from thermoseg.recording.opening import read_picture, refuse_unless_file
from thermoseg.recording.safe_file import SafeFile
from thermoseg.recording.soundness import are_regions, possible_rows
from thermoseg.recording.tables import HDF5_ERRORS, check_types, read_stored, trace_of
from thermoseg.result import Result

FORMAT: Final = "thermoseg analysis"
FORMAT_VERSION: Final = 1
"""A file of another one is refused."""

_LABELS: Final = "labels/labels"
_PLAIN: Final = ("labels/frame_index", "labels/time_s", "reasons")
_AGAIN: Final = "analyse the session again"


@dataclass(frozen=True, slots=True)
class AnalysisHeader:
    """What was analysed, and how."""

    session_name: str
    """Name of the session's file, without its folder."""
    session_id: str
    session_sha256: str
    """Hex digest of the session's file when it was analysed."""
    model: ModelIdentity
    settings: AnalysisSettings
    radiometry: Radiometry
    """What made °C of the counts."""
    height: int
    """Pixels."""
    width: int
    """Pixels."""


class AnalysisWriter:
    """Fills a new file; whoever gives it a temporary name keeps half a file from being found."""

    def __init__(self, temporary: Path, header: AnalysisHeader) -> None:
        """Begin the file, which exists and is empty."""
        self._bytes = SafeFile(temporary)
        self._file = h5py.File(self._bytes, "w", libver=LIBVER)
        self._rows: dict[str, list[Any]] = {}
        self._reasons: dict[bytes, int] = {b"": 0}
        self._regions: list[str] = []
        self._pictures = create_pictures(
            self._file, _LABELS, PICTURES[_LABELS], header.height, header.width
        )
        self._tables: dict[str, h5py.Dataset] = {}
        for name in _PLAIN:
            self._create_table(name, TABLES[name])
        self._rows["reasons"] = [np.array(b"", REASON)]
        for name, value in _attributes(header).items():
            self._file.attrs[name] = value

    def add(self, result: Result) -> None:
        """Append mask and samples of one frame.

        Raises
        ------
        AnalysisError
            If the disk is full or fails.
        """
        frame = result.frame
        self._pictures.resize(len(self._pictures) + 1, axis=0)
        self._pictures[-1] = result.segmentation.labels
        self._add_row("labels/frame_index", frame.index)
        self._add_row("labels/time_s", frame.time_s)
        for sample in result.samples:
            if sample.region not in self._regions:
                name = samples_of(sample.region)
                self._regions.append(sample.region)
                self._create_table(name, SAMPLE)
            row = np.zeros((), SAMPLE)
            for field in SAMPLE_FIELDS:
                row[field.name] = getattr(sample, field.name)
            row["frame_index"] = frame.index
            row["reason"] = self._reason_code(sample.reason)
            self._add_row(samples_of(sample.region), row)
        self._refuse_fault()

    def finish(self, frames: int) -> None:
        """Complete and close the file.

        Parameters
        ----------
        frames
            Of the session, analysed or not.

        Raises
        ------
        AnalysisError
            If the disk is full or fails.
        """
        for name in list(self._rows):
            self._write_rows(name)
        self._file.attrs["regions"] = json.dumps(self._regions)
        self._file.attrs["session_frames"] = np.int64(frames)
        self._file.attrs["complete"] = np.int64(1)
        self._file.close()
        self._refuse_fault()
        self._bytes.close()

    def close(self) -> None:
        """Close the file, finished or not; may be called more than once."""
        if not self._bytes.closed:
            self._file.close()
            self._bytes.close()

    def _create_table(self, name: str, dtype: np.dtype[Any]) -> None:
        self._tables[name] = create_table(self._file, name, TABLE_ROWS, unwritten(dtype))

    def _add_row(self, name: str, row: object) -> None:
        rows = self._rows.setdefault(name, [])
        rows.append(row)
        if len(rows) == TABLE_ROWS:
            self._write_rows(name)

    def _write_rows(self, name: str) -> None:
        append(self._tables[name], self._rows.pop(name))

    def _reason_code(self, reason: str) -> int:
        text = encode_text(reason, REASON_BYTES)
        if text not in self._reasons:
            if len(self._reasons) == MAX_REASONS:
                return MAX_REASONS - 1
            self._reasons[text] = len(self._reasons)
            self._add_row("reasons", np.array(text, REASON))
        return self._reasons[text]

    def _refuse_fault(self) -> None:
        if self._bytes.fault is not None:
            reason = say_fault(self._bytes.fault)
            raise AnalysisError(
                f"the analysis cannot be written ({reason}); make space, or choose another folder"
            ) from self._bytes.fault


class AnalysisFile:
    """A finished analysis, opened for reading; nothing in it is trusted."""

    def __init__(self, path: Path) -> None:
        """Open and check the file; no mask is read.

        Raises
        ------
        AnalysisError
            If it is no analysis, or damaged.
        """
        self.path = path
        self._file = _open(path)
        try:
            content = _read(self._file, path)
        except BaseException:
            self._file.close()
            raise
        self.header = content.header
        """What was analysed, and how."""
        self.created = content.created
        """When the analysis began, ISO 8601 with zone."""
        self.program = content.program
        """Program and version that wrote the file."""
        self.session_frames = content.session_frames
        """Frames of the session, those included that could not be read."""
        self._regions = content.regions
        self._reasons = content.reasons
        self._tables = content.tables

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()

    def __len__(self) -> int:
        """Return the number of frames that were analysed."""
        return len(self._tables["labels/time_s"])

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a trace, in the order of the file."""
        return self._regions

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the number in a sample's `reason` means."""
        return self._reasons

    def table(self, name: str) -> NDArray[Any]:
        """Return a table, (n,) of its type in `thermoseg.recording.layout`.

        Raises
        ------
        ValueError
            If the file has none of this name.
        """
        if name not in self._tables:
            raise ValueError(f"no table is called “{name}”; known are {', '.join(self._tables)}")
        return self._tables[name]

    def samples(self, region: str) -> NDArray[Any]:
        """Return the trace of one region, as `Recording.samples` does.

        Raises
        ------
        ValueError
            If the file has no region of this name.
        """
        if region not in self._regions:
            raise ValueError(
                f"no region is called “{region}”; known are {', '.join(self._regions)}"
            )
        return trace_of(self._tables[samples_of(region)], self._reasons)

    def labels_in_row(self, row: int) -> NDArray[np.uint8]:
        """Read one mask, (height, width), by its row in the file.

        Raises
        ------
        FormatError
            If it is damaged, or holds what is no region.
        """
        labels: NDArray[np.uint8] | None = read_picture(self._file[_LABELS], row)
        if labels is None or not are_regions(labels, newer=False):
            raise FormatError(f"{self.path.name}: mask {row} is damaged; {_AGAIN}")
        labels.flags.writeable = False
        return labels


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    header: AnalysisHeader
    created: str
    program: str
    session_frames: int
    regions: tuple[str, ...]
    reasons: tuple[str, ...]
    tables: dict[str, NDArray[Any]]


def is_analysis(path: Path) -> bool:
    """Tell whether `path` is a file that says it is an analysis, sound or not."""
    try:
        refuse_unless_file(path)
        with h5py.File(path, "r", locking="best-effort") as file:
            return "format" in file.attrs and Attributes(file, path).text("format") == FORMAT
    except (FormatError, *HDF5_ERRORS):
        return False


def _open(path: Path) -> h5py.File:
    try:
        refuse_unless_file(path)
        return h5py.File(path, "r", locking="best-effort")
    except (FormatError, *HDF5_ERRORS) as error:
        reason = "no such file" if isinstance(error, FormatError) else say_fault(error)
        raise AnalysisError(f"the analysis {path} cannot be opened ({reason}); {_AGAIN}") from error


def _read(file: h5py.File, path: Path) -> _Content:
    attributes = Attributes(file, path)
    try:
        if "format" not in file.attrs or attributes.text("format") != FORMAT:
            raise AnalysisError(f"{path} is no analysis of ThermoSeg; choose another file")
        found = attributes.integer("format_version")
        if found != FORMAT_VERSION:
            raise AnalysisError(
                f"{path} has analysis version {found} and this program reads {FORMAT_VERSION}; "
                f"open it with a newer program, or {_AGAIN}"
            )
        if attributes.integer("complete") != 1:
            raise AnalysisError(f"{path} was not finished; {_AGAIN}")
        regions = attributes.regions()
        tables = _read_tables(file, path, regions)
        return _Content(
            _read_header(attributes),
            attributes.text("created"),
            attributes.text("program"),
            attributes.integer("session_frames"),
            regions,
            tuple(reason.decode("utf-8", "replace") for reason in tables["reasons"].tolist()),
            tables,
        )
    except FormatError as error:
        raise AnalysisError(f"{str(error).partition('; ')[0]}; {_AGAIN}") from error
    except HDF5_ERRORS as error:
        raise AnalysisError(f"{path} is damaged ({say_fault(error)}); {_AGAIN}") from error


def _read_tables(file: h5py.File, path: Path, regions: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    plain = {name: TABLES[name] for name in _PLAIN}
    types = plain | {samples_of(region): SAMPLE for region in regions}
    wanted = {_LABELS: PICTURES[_LABELS]} | types
    for name, fault in check_types(file, path, wanted, wanted, finished=True).items():
        raise FormatError(f"{path} is damaged in “{name}” ({fault})") from fault
    size, tables = path.stat().st_size, dict[str, NDArray[Any]]()
    for name, dtype in types.items():
        stored = read_stored(file[name], dtype, size, name)
        possible = possible_rows(name, stored.values, stored.sound, newer=False)
        if stored.damaged or stored.unwritten or not possible.all():
            raise FormatError(f"{path} is damaged in “{name}”")
        stored.values.flags.writeable = False
        tables[name] = stored.values
    if {len(tables[name]) for name in _PLAIN[:2]} != {len(file[_LABELS])}:
        raise FormatError(f"{path} has masks without a frame")
    return tables


def _attributes(header: AnalysisHeader) -> dict[str, str | int]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "program": program_name(),
        "created": datetime.now().astimezone().isoformat(),
        "session_name": header.session_name,
        "session_id": header.session_id,
        "session_sha256": header.session_sha256,
        "model_name": header.model.name,
        "model_sha256": header.model.sha256,
        "model_backend": header.model.backend,
        "settings": header.settings.model_dump_json(),
        "radiometry": json.dumps(radiometry_to_dict(header.radiometry)),
        "height": header.height,
        "width": header.width,
        "complete": 0,
    }


def _read_header(attributes: Attributes) -> AnalysisHeader:
    return AnalysisHeader(
        session_name=attributes.text("session_name"),
        session_id=attributes.text("session_id"),
        session_sha256=attributes.text("session_sha256"),
        model=ModelIdentity(
            *(attributes.text(f"model_{part}") for part in ("name", "sha256", "backend"))
        ),
        settings=AnalysisSettings.model_validate_json(attributes.text("settings")),
        radiometry=attributes.radiometry(),
        height=attributes.integer("height"),
        width=attributes.integer("width"),
    )
