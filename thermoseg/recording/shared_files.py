"""Which files HDF5 has open in this process, and how they were on the disk when that began.

All who have a file open in a process share what HDF5 knows of it, its length too.  Who opens it
after it has grown sees it as whoever opened it first, as long as that one has not closed it.
"""

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import h5py


@dataclass(frozen=True, slots=True)
class FileState:
    """One file as it is on the disk at a moment."""

    device: int
    number: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at the file now.

        Raises
        ------
        OSError
            If there is none.
        """
        found = path.stat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def precedes(self, other: "FileState") -> bool:
        """Whether it is the same file with another content."""
        same = (self.device, self.number) == (other.device, other.number)
        return same and self != other


class SharedFiles:
    """Remembers open files; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: list[tuple[weakref.ref[h5py.File], FileState]] = []

    def add(self, file: h5py.File, state: FileState) -> None:
        """Remember `file`, which was opened right after `state` was looked at."""
        with self._lock:
            self._opened.append((weakref.ref(file), state))

    def outdated(self, state: FileState) -> bool:
        """Whether somebody has this file open since before it became as it is now."""
        with self._lock:
            self._opened = [(held, was) for held, was in self._opened if held()]
            return any(was.precedes(state) for _, was in self._opened)
