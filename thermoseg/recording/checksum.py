"""The checksum that HDF5 keeps with each chunk, computed without unpacking the chunk.

Reading a picture through HDF5 checks it too, but unpacks it: for a copy of packed pictures that is
most of the work.
"""

from typing import Final

import numpy as np

CHECKSUM_BYTES: Final = 4
_MODULUS: Final = 65535
_BLOCK_WORDS: Final = 2**13
"""Words that are summed at once, few enough to stay in the processor's cache and in 53 bits."""
_WEIGHTS: Final = np.stack((np.ones(_BLOCK_WORDS), np.arange(_BLOCK_WORDS, 0.0, -1.0)))
"""Weights of both sums for a whole block; of a shorter one its last words'."""


def is_sound(chunk: bytes) -> bool:
    """Tell whether a chunk, whose last filter was Fletcher-32, fits the checksum at its end.

    Fletcher (1982) as in HDF5's `H5_checksum_fletcher32`: 16-bit words, high byte first, an odd
    last byte as the high one.  Sums are compared modulo 65535, where 0 and 65535 are the same.
    """
    if len(chunk) < CHECKSUM_BYTES:
        return False
    data, stored = chunk[:-CHECKSUM_BYTES], int.from_bytes(chunk[-CHECKSUM_BYTES:], "little")
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2")
    plain = weighted = 0
    for start in range(0, len(words), _BLOCK_WORDS):
        block = words[start : start + _BLOCK_WORDS].astype(np.float64)
        own, own_weighted = _WEIGHTS[:, _BLOCK_WORDS - len(block) :] @ block
        weighted += plain * len(block) + int(own_weighted)
        plain += int(own)
    return (plain - (stored & 0xFFFF)) % _MODULUS == 0 and (
        weighted - (stored >> 16)
    ) % _MODULUS == 0
