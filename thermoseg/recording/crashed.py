"""Opens a session file that its writer never closed, without changing it.

HDF5 marks such a file as being written and keeps a stale length in its first 48 bytes, the
superblock.  It offers to read along with the absent writer (SWMR); but then, where the file is
damaged, it waits for the writer to mend it, with pauses that double a hundred times.  So both
fields are corrected in a private view of the file, which HDF5 then reads like any other.
"""

import mmap
import struct
from pathlib import Path
from typing import Final

_SUPERBLOCK: Final = struct.Struct("<8sBBBBQQQQI")
"""Signature, version, size of offsets, size of lengths, status, base address, extension address,
end of file, root group address, checksum: HDF5 File Format Specification 4.0, section II.A,
version 3 of the superblock with addresses of eight bytes."""
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_BEING_WRITTEN: Final = 5
"""Status of a file open for writing (1) with readers allowed (4)."""
_MASK: Final = 0xFFFFFFFF


def view_as_closed(path: Path) -> mmap.mmap:
    """Map `path` privately, as it would be had its writer closed it after its last flush.

    Returns
    -------
    A file-like object; what is written to it stays in memory.

    Raises
    ------
    ValueError
        If this is no HDF5 file that a writer has left open, or its superblock is damaged.
    """
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    if len(view) < _SUPERBLOCK.size:
        raise ValueError("too short")
    signature, version, offset, length, status, *addresses, _, root, checksum = (
        _SUPERBLOCK.unpack_from(view)
    )
    if (signature, version, offset, length, status) != (_SIGNATURE, 3, 8, 8, _BEING_WRITTEN):
        raise ValueError("no file that was being written")
    if lookup3(view[: _SUPERBLOCK.size - 4]) != checksum:
        raise ValueError("damaged superblock")
    fields = (signature, version, offset, length, 0, *addresses, len(view), root)
    start = _SUPERBLOCK.pack(*fields, 0)[:-4]
    view[: _SUPERBLOCK.size] = start + struct.pack("<I", lookup3(start))
    return view


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
