"""Opens session files, finished or not, whole or cut off, and checks them before they are read."""

import atexit
import errno
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.recording.attributes import Attributes
from thermoseg.recording.crashed import SessionView, missing_bytes, view_as_closed
from thermoseg.recording.disk_fault import fault_number, say_fault
from thermoseg.recording.layout import (
    FORMAT,
    FORMAT_MINOR,
    FORMAT_VERSION,
    REQUIRED,
    SUFFIX,
)
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.shared_files import FileState, SharedFiles
from thermoseg.recording.tables import (
    HDF5_ERRORS,
    StoredRows,
    check_datasets,
    find_dataset,
    read_stored,
)

_views: Final[weakref.WeakValueDictionary[int, h5py.File]] = weakref.WeakValueDictionary()
_view_numbers: Final = count()
_shared: Final = SharedFiles()


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """A session file that is open, and what was found when its datasets were looked at."""

    file: h5py.File
    path: Path
    attributes: Attributes
    finished: bool
    """Whether its recording was finished."""
    being_recorded: bool
    """Whether a living process wrote it when it was opened."""
    missing_bytes: int
    """Bytes that a finished file has lost at its end."""
    size_bytes: int
    faults: dict[str, Exception]
    """Faults of the file's datasets; see `check_datasets`.  Faulty ones are not opened again."""
    _held: dict[str, h5py.Dataset | None] = field(default_factory=dict)
    """Datasets that were opened: to find one takes as long as to read a small picture."""

    @property
    def newer(self) -> bool:
        """Whether a newer minor version of the format wrote it."""
        return self.attributes.integer("format_minor") > FORMAT_MINOR

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

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._held.clear()
        self.file.close()

    def dataset(self, name: str) -> h5py.Dataset | None:
        """Return a dataset; None if the file has none that can be used."""
        if name in self.faults:
            return None
        if name not in self._held:
            self._held[name] = find_dataset(self.file, name, self.path)
        return self._held[name]

    def stored(self, name: str, dtype: np.dtype[Any]) -> StoredRows:
        """Read everything of a table that can be read, as `dtype`."""
        return read_stored(self.dataset(name), dtype, self.size_bytes, name)

    def picture(self, name: str, row: int) -> NDArray[Any] | None:
        """Read and verify one picture, (height, width); None if damaged or not in the file."""
        pictures = self.dataset(name)
        return None if pictures is None else read_picture(pictures, row)

    def picture_count(self, name: str) -> int:
        """Return how many pictures the file claims to hold."""
        pictures = self.dataset(name)
        return 0 if pictures is None else len(pictures)

    @property
    def has_pictures(self) -> bool:
        """Whether pictures were recorded; if not, frames are their rows in the tables alone."""
        recorded = self.attributes.described("pictures", int, []) != 0
        return recorded or self.picture_count("frames/counts") > 0

    def frame_count(self, rows: int) -> int:
        """Return how many frames there may be: one for each picture, or for each of `rows`."""
        return self.picture_count("frames/counts") if self.has_pictures else rows

    def rows_with_pictures(self, name: str, rows: int) -> int:
        """Leave out rows at the end whose pictures a crash or a cut has kept out of the file."""
        if self.finished and not self.missing_bytes:
            return rows
        while rows and self.picture(name, rows - 1) is None:
            rows -= 1
        return rows

    def say_missing(self) -> str:
        """Say that the file is cut off; empty if it is not."""
        if not self.missing_bytes:
            return ""
        whole = self.size_bytes + self.missing_bytes
        return (
            f"the file is cut off: {self.missing_bytes} of {whole} bytes are missing at its end; "
            "what lies before is read, copy the file again from its source if there is one"
        )


def open_session(path: Path) -> OpenSession:
    """Open a session file that can be read as one; some of its tables may be damaged.

    Raises
    ------
    FormatError
        If it cannot be opened, its datasets are not those of a session, or its frames are damaged
        where all of them depend.
    """
    session = open_leniently(path)
    for name, fault in session.faults.items():
        if isinstance(fault, FormatError):
            session.close()
            raise fault
        if name in REQUIRED:
            session.close()
            raise FormatError(
                f"{path} is damaged in “{name}” ({fault}); recover the session to save what can "
                "be read"
            ) from fault
    return session


def open_leniently(path: Path) -> OpenSession:
    """Open a session file whatever is wrong with its datasets.

    Raises
    ------
    FormatError
        If it cannot be opened or is no session.
    """
    refuse_unless_file(path)
    being_recorded = is_being_recorded(path)
    file = _open_hdf5(path, being_recorded=being_recorded)
    try:
        with naming(path, "copy it again from its source"):
            attributes = Attributes(file, path)
            if "format" not in file.attrs or attributes.text("format") != FORMAT:
                raise FormatError(f"{path} is no ThermoSeg session; choose another file")
            found = attributes.integer("format_version")
            if found != FORMAT_VERSION:
                raise FormatError(
                    f"{path} has format version {found} and this program reads {FORMAT_VERSION}; "
                    f"open it with {_writer(attributes)} or a newer one"
                )
            # Who cannot tell that it was finished reads what is there, as after a crash.
            finished = attributes.described("complete", int, []) == 1
            missing = missing_bytes(path)
            faults = check_datasets(
                file, path, attributes.regions(), finished=finished and not missing
            )
            size = path.stat().st_size
    except BaseException:
        file.close()
        raise
    return OpenSession(file, path, attributes, finished, being_recorded, missing, size, faults)


def refuse_unless_file(path: Path) -> None:
    """Raise `FormatError` if there is no file: a pipe or a device would be read for ever."""
    if not path.exists():
        raise FormatError(f"{path} does not exist; check its name")
    if not path.is_file():
        raise FormatError(f"{path} is no file but a folder, a pipe or a device; name a session")


def is_finished(path: Path) -> bool:
    """Tell whether the recording of the session `path` was finished, whatever lies beside it."""
    try:
        file = _open_hdf5(path, being_recorded=False)
    except FormatError:
        return False
    try:
        return Attributes(file, path).integer("complete") == 1
    except FormatError:
        return False
    finally:
        file.close()


def _writer(attributes: Attributes) -> str:
    """Name the program that wrote a file of another major version, whatever that is like."""
    try:
        return attributes.text("program")
    except FormatError:
        return "the program that wrote it"


def read_picture(pictures: h5py.Dataset, row: int) -> NDArray[Any] | None:
    """Read and verify one picture, (height, width); None if it is damaged or not in the file."""
    if row >= len(pictures):
        return None
    try:
        picture: NDArray[Any] = pictures[row]
        if not picture.any():
            # An absent chunk reads as zeros: a picture that nobody took.  Its bytes cannot be had,
            # though, and asking where they lie takes a walk over all the chunks.
            pictures.id.read_direct_chunk((row, 0, 0))
    except HDF5_ERRORS:
        return None
    return picture


def is_session(path: Path) -> bool:
    """Tell whether `path` is named like a session file and is HDF5 at all."""
    if path.suffix != SUFFIX or not path.is_file():
        return False
    try:
        return bool(h5py.is_hdf5(path))
    except OSError:  # whoever opens it is told why it cannot be read
        return True


def _open_hdf5(path: Path, *, being_recorded: bool) -> h5py.File:
    try:
        return _open_shared(path, being_recorded=being_recorded)
    except HDF5_ERRORS as error:
        refusal = error
    try:
        if being_recorded:
            return _open_shared(path, being_recorded=True, swmr=True)
        file = h5py.File(view_as_closed(path), "r")
    except HDF5_ERRORS as error:
        reason = say_fault(refusal)
        if fault_number(refusal) in (errno.EACCES, errno.EPERM):
            raise FormatError(f"{path} cannot be read ({reason}); check its rights") from error
        if fault_number(refusal) is None:
            reason = reason.partition("(")[2].rstrip(")") or reason
        raise FormatError(
            f"{path} cannot be opened as a session ({reason}); it is damaged or another kind of "
            "file, so copy it again from its source"
        ) from error
    _views[next(_view_numbers)] = file
    return file


def _open_shared(path: Path, *, being_recorded: bool, swmr: bool = False) -> h5py.File:
    """Open a file as it is now, even if somebody in this process has it open as it was."""
    state = FileState.of(path)
    outdated = _shared.outdated(state)
    if outdated and not being_recorded:
        file = h5py.File(SessionView(path, b"", state.size_bytes), "r")
        _views[next(_view_numbers)] = file
        return file
    libver = "latest" if swmr else None
    file = h5py.File(path, "r", swmr=swmr, libver=libver, locking="best-effort")
    _shared.add(file, state)
    if outdated:
        _look_how_far(file)
    return file


def _look_how_far(recording: h5py.File) -> None:
    """Look how long the datasets are by now, in a file that is read along with its writer."""

    def look(_name: str, found: object) -> None:
        if isinstance(found, h5py.Dataset):
            found.id.refresh()

    recording.visititems(look)


@atexit.register
def _close_views() -> None:
    """Close what HDF5 would close after Python has ended, when nobody can show it the file."""
    for file in list(_views.values()):
        file.close()


@contextmanager
def naming(
    path: Path, remedy: str = "recover the session to save what can be read"
) -> Iterator[None]:
    """Turn what h5py raises for a damaged file into a sentence that names it, and a `remedy`."""
    try:
        yield
    except HDF5_ERRORS as error:
        raise FormatError(f"{path} is damaged ({say_fault(error)}); {remedy}") from error
