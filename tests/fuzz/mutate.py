"""Sound bytes made unsound, the way cables, disks and attackers do it."""

import struct

import numpy as np

INTERESTING = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31)
"""Numbers at which sizes and offsets go wrong."""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Return `data` with one to eight things wrong."""
    broken = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        at = int(rng.integers(0, len(broken) + 1))
        kind = rng.integers(0, 6)
        if kind == 0 and broken:
            broken[at % len(broken)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            number = INTERESTING[int(rng.integers(0, len(INTERESTING)))]
            broken[at : at + 4] = struct.pack("<>"[int(rng.integers(0, 2))] + "I", number)
        elif kind == 2:
            del broken[at:]
        elif kind == 3:
            del broken[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            broken[at:at] = rng.bytes(int(rng.integers(1, 64)))
        else:
            start = int(rng.integers(0, len(broken) + 1))
            broken[at:at] = broken[start : start + int(rng.integers(1, 256))]
    return bytes(broken)
