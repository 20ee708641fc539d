"""Our checksum says what HDF5 says, of sound chunks and of damaged ones."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermoseg.recording import checksum
from thermoseg.recording.checksum import is_sound


def chunk_of(data: bytes) -> bytes:
    """Return the chunk that HDF5 makes of `data`, with its checksum at the end."""
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset(
            "a", data=np.frombuffer(data, np.uint8), chunks=(len(data),), fletcher32=True
        )
        chunk: bytes = stored.id.read_direct_chunk((0,))[1]
    return chunk


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000))
def test_what_hdf5_wrote_is_sound(data: bytes) -> None:
    assert is_sound(chunk_of(data))


@pytest.mark.parametrize("data", [bytes(7), b"\xff" * 8, b"\xff" * 9, b"\x01", bytes(1441)])
def test_zeros_ones_and_odd_lengths(data: bytes) -> None:
    assert is_sound(chunk_of(data))


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_flipped_bit_is_seen(data: bytes, draw: st.DataObject) -> None:
    chunk = bytearray(chunk_of(data))
    place = draw.draw(st.integers(0, len(chunk) - 1))
    chunk[place] ^= 1 << draw.draw(st.integers(0, 7))
    assert not is_sound(bytes(chunk))


def test_chunks_that_are_summed_in_pieces() -> None:
    data = np.random.default_rng(1).bytes(2 * checksum._BLOCK_WORDS * 3 + 77)
    for length in (len(data), len(data) - 77, 2 * checksum._BLOCK_WORDS):
        chunk = chunk_of(data[:length])
        assert is_sound(chunk)
        assert not is_sound(chunk[2:])


def test_a_chunk_without_room_for_a_checksum_is_not_sound() -> None:
    assert not is_sound(b"abc")
