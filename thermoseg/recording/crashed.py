"""Opens a session file that its writer never closed or that was cut off, without changing it.

HDF5 marks a file as being written and keeps a stale length in its first 48 bytes, the superblock.
It offers to read along with the absent writer (SWMR); but then, where the file is damaged, it
waits for the writer to mend it, with pauses that double a hundred times.  A finished file that is
shorter than its superblock says is refused altogether.  So HDF5 is given a view of the file whose
superblock fits: closed, and as long as it claims to be.
"""

import io
import random
import struct
from pathlib import Path
from typing import Final

_SUPERBLOCK: Final = struct.Struct("<8sBBBBQQQQI")
"""Signature, version, size of offsets, size of lengths, status, base address, extension address,
end of file, root group address, checksum: HDF5 File Format Specification 4.0, section II.A,
version 3 of the superblock with addresses of eight bytes."""
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_CLOSED: Final = 0
_BEING_WRITTEN: Final = 5
"""Status of a file open for writing (1) with readers allowed (4)."""
_MASK: Final = 0xFFFFFFFF
_MAX_CLAIM: Final = 2**48
"""Bytes; a file that claims to be longer is hostile, and HDF5 calculates with such addresses."""
_NOISE: Final = random.Random("beyond the end").randbytes(65521)
"""What a view shows beyond the end of a file that was cut off.  Not zeros: the checksum of zeros
is zero, and a table of them would be believed."""


class SessionView(io.RawIOBase):
    """A file with another superblock and another length, to be read only."""

    def __init__(self, path: Path, superblock: bytes, length: int) -> None:
        """Open `path`.

        Parameters
        ----------
        superblock
            Shown in place of its first bytes.
        length
            Bytes; what lies behind the end of the file shows as noise.
        """
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._superblock = superblock
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` bytes from the beginning, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position, bytes."""
        return self._position

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill `buffer` from here on, wherever the file itself ends."""
        wanted = memoryview(buffer).cast("B")
        self._file.seek(self._position)
        held = 0
        while held < len(wanted) and (count := self._file.readinto(wanted[held:])):
            held += count
        if self._position < len(self._superblock):
            shown = self._superblock[self._position :][: len(wanted)]
            wanted[: len(shown)] = shown
        for start in range(held, len(wanted), len(_NOISE)):
            part = wanted[start : start + len(_NOISE)]
            part[:] = _NOISE[: len(part)]
        self._position += len(wanted)
        return len(wanted)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()
        super().close()


def view_as_closed(path: Path) -> SessionView:
    """Show `path` as it would be had its writer closed it after its last flush, and not cut off.

    Raises
    ------
    ValueError
        If this is no HDF5 file that a writer has left open or that is shorter than it was, or its
        superblock is damaged.
    """
    # HDF5 opens no file whose superblock says "being written", or that is shorter than the
    # end-of-file address in it.  Both fields are shown as a closed file has them, under a new
    # checksum; the file itself, which is evidence, stays as it is.  Metadata of this version and
    # our chunks have checksums of their own, so where the noise beyond the end is read, it is
    # noticed.
    size = path.stat().st_size
    with path.open("rb") as file:
        found = file.read(_SUPERBLOCK.size)
    status, claimed = _read_superblock(found)
    if status == _BEING_WRITTEN:
        length = size
    elif size < claimed <= _MAX_CLAIM:
        length = claimed
    else:
        raise ValueError("neither was it being written nor is it cut off")
    fields = list(_SUPERBLOCK.unpack(found))
    fields[4], fields[7] = _CLOSED, length
    start = _SUPERBLOCK.pack(*fields)[:-4]
    return SessionView(path, start + struct.pack("<I", lookup3(start)), length)


def missing_bytes(path: Path) -> int:
    """Return how many bytes a finished file has lost at its end; 0 if none, or nobody can tell."""
    with path.open("rb") as file:
        found = file.read(_SUPERBLOCK.size)
    try:
        status, claimed = _read_superblock(found)
    except ValueError:
        # Another version of the superblock, which HDF5 itself checks.
        return 0
    # While a file is written, its superblock tells nothing of its length.
    return 0 if status == _BEING_WRITTEN else max(claimed - path.stat().st_size, 0)


def _read_superblock(found: bytes) -> tuple[int, int]:
    """Return status and claimed length, bytes; `ValueError` if it is damaged or of another kind."""
    if len(found) < _SUPERBLOCK.size:
        raise ValueError("too short")
    signature, version, offset, length, status, _, _, claimed, _, checksum = _SUPERBLOCK.unpack(
        found
    )
    if (signature, version, offset, length) != (_SIGNATURE, 3, 8, 8):
        raise ValueError("no file of a session's kind")
    if status not in (_CLOSED, _BEING_WRITTEN):
        raise ValueError("no file that a session's writer leaves")
    if lookup3(found[:-4]) != checksum:
        raise ValueError("damaged superblock")
    return status, claimed


def lookup3(data: bytes) -> int:
    """Return the checksum that HDF5 gives its metadata.

    Bob Jenkins' lookup3 (May 2006, public domain), `hashlittle` with an initial value of 0.

    Raises
    ------
    ValueError
        If there are no data.

    Examples
    --------
    >>> hex(lookup3(b"Four score and seven years ago"))
    '0x17770551'
    """
    # Three words of state take in 12 bytes at a time and are mixed after each but the last, which
    # gets the final mix instead.  Python's integers do not wrap, hence the masks; the order of the
    # six subtractions and rotations is that of Jenkins' `mix` macro.
    if not data:
        raise ValueError("a checksum of nothing is not defined")
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    blocks = list(struct.iter_unpack("<III", data + bytes(-len(data) % 12)))
    for block in blocks[:-1]:
        a, b, c = (_sum(old, new) for old, new in zip((a, b, c), block, strict=True))
        a, c = _turn(a, c, 4), _sum(c, b)
        b, a = _turn(b, a, 6), _sum(a, c)
        c, b = _turn(c, b, 8), _sum(b, a)
        a, c = _turn(a, c, 16), _sum(c, b)
        b, a = _turn(b, a, 19), _sum(a, c)
        c, b = _turn(c, b, 4), _sum(b, a)
    a, b, c = (_sum(old, new) for old, new in zip((a, b, c), blocks[-1], strict=True))
    for bits in (14, 11, 25, 16, 4, 14, 24):
        a, b, c = b, ((c ^ b) - _rotated(b, bits)) & _MASK, a
    return b


def _sum(a: int, b: int) -> int:
    return (a + b) & _MASK


def _turn(a: int, b: int, bits: int) -> int:
    return ((a - b) & _MASK) ^ _rotated(b, bits)


def _rotated(a: int, bits: int) -> int:
    return ((a << bits) | (a >> (32 - bits))) & _MASK
