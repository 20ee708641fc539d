"""A file for HDF5 to write to that never fails: HDF5 ends its process when it closes one that does.

What a disk refuses is remembered and everything after it is dropped, so the file can be closed in
peace and thrown away.
"""

import io
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from typing_extensions import Buffer


class SafeFile(io.RawIOBase):
    """Give it to `h5py.File`, and look at `fault` now and then."""

    def __init__(self, path: Path) -> None:
        """Open the file `path`, which exists, for reading and writing."""
        super().__init__()
        self._file = open_unbuffered(path)
        self.fault: OSError | None = None
        """The first refusal of the disk; None as long as all is well."""

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

    def readable(self) -> bool:
        """HDF5 reads back what it has written."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, also behind the end."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        """Fill `buffer` as far as the file reaches."""
        return self._file.readinto(buffer)

    def truncate(self, size: int | None = None) -> int:
        """Make the file so long."""
        if self.fault is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self.fault = error
        return self._file.tell() if size is None else size

    def write(self, data: "Buffer") -> int:
        """Write all of `data`, or remember why not."""
        view = memoryview(data).cast("B")
        begin, done = self._file.tell(), 0
        while self.fault is None and done < len(view):
            try:
                done += self._file.write(view[done:])
            except OSError as error:
                self.fault = error
        self._file.seek(begin + len(view))
        return len(view)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()
        super().close()


def open_unbuffered(path: Path) -> io.FileIO:
    """Open a file that exists so that a refusal shows with the write that it refuses."""
    return path.open("r+b", buffering=0)
