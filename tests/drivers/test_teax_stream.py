"""The stream of a TeAx grabber: written here by the documented layout, read by the parser."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.teax_stream import MAX_BYTES, REPLY_BYTES, TeaxParser, TeaxPicture

WIDTH, HEIGHT = 160, 128


def counts_of(seed: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(7000, 9000, (height, width), dtype=np.uint16)


def picture(counts: NDArray[np.uint16]) -> bytes:
    height, width = counts.shape
    words = np.full((height, width + 2), 0x4000, "<u2")
    words[:, 1:-1] = counts | 0xC000
    words[-1, -1] = 0
    return b"TEAX\0" + struct.pack("<HHB", width + 2, height, 0) + words.tobytes()


def reply(data: bytes) -> bytes:
    return b"".join(b"UART\1" + bytes([byte]) for byte in data)


def feed(data: bytes, size: int, parser: TeaxParser | None = None) -> list[TeaxPicture]:
    parser = parser or TeaxParser()
    return [
        found for at in range(0, len(data), size) for found in parser.feed(data[at : at + size])
    ]


def seeds(found: list[TeaxPicture]) -> list[int]:
    """Which of the pictures with seeds 0 to 9 the intact ones are."""
    return [
        seed
        for picture in found
        if picture.intact
        for seed in range(10)
        if np.array_equal(picture.counts, counts_of(seed))
    ]


@pytest.mark.parametrize(("width", "height"), [(640, 512), (336, 256), (324, 256), (160, 128)])
def test_each_sensor_is_known_by_the_words_of_its_rows(width: int, height: int) -> None:
    counts = counts_of(1, width, height)
    (found,) = feed(picture(counts), 16384)

    assert np.array_equal(found.counts, counts)
    assert found.intact


def test_the_largest_picture_has_the_size_that_is_documented() -> None:
    assert len(picture(counts_of(1, 640, 512))) == 657_418 == 2 * 512 * 640 + 10 + 4 * 512


@settings(max_examples=25, deadline=None)
@given(st.integers(64, 50_000), st.binary(max_size=40))
def test_replies_between_pictures_are_kept_wherever_transfers_are_cut(
    size: int, said: bytes
) -> None:
    parser = TeaxParser()
    stream = picture(counts_of(0)) + reply(said) + picture(counts_of(1)) + reply(b"\x6e")
    found = feed(stream + picture(counts_of(2)), size, parser)

    assert seeds(found) == [0, 1, 2]
    assert [each.lost_before for each in found] == [0, 0, 0]
    assert parser.replies == said + b"\x6e"


@pytest.mark.parametrize("kept", [4, 9, 10, 300, 20_000, 41_400])
@pytest.mark.parametrize("size", [100, 4096])
def test_after_a_picture_that_was_cut_off_the_next_one_is_whole(kept: int, size: int) -> None:
    stream = picture(counts_of(0)) + picture(counts_of(1))[:kept]
    found = feed(stream + picture(counts_of(2)) + picture(counts_of(3)), size)

    assert seeds(found) == [0, 2, 3]
    assert sum(each.lost_before for each in found) + len(found) == 4


def test_a_shifted_picture_is_no_intact_one() -> None:
    shifted = picture(counts_of(1))
    shifted = shifted[:3000] + shifted[3002:] + b"\0\0"
    found = feed(picture(counts_of(0)) + shifted + picture(counts_of(2)), 4096)

    assert [each.intact for each in found] == [True, False, True]


def test_joining_in_the_middle_is_no_loss() -> None:
    found = feed(picture(counts_of(0))[777:] + picture(counts_of(1)), 4096)

    assert seeds(found) == [1]
    assert found[0].lost_before == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=300),
            st.sampled_from([b"TEAX", b"UART", b"TEAX\0\xa2\0", b"TEAX\0\x82\2", b"UART\1"]),
        ),
        max_size=30,
    )
)
def test_arbitrary_bytes_do_no_harm(pieces: list[bytes]) -> None:
    parser = TeaxParser()
    for piece in pieces:
        parser.feed(piece)

    assert len(parser._buffer) <= MAX_BYTES
    assert len(parser.replies) <= REPLY_BYTES


def test_noise_takes_no_more_memory_than_promised() -> None:
    parser = TeaxParser()
    noise = np.random.default_rng(1).bytes(1 << 16)
    for _ in range(40):
        parser.feed(noise + b"TEAX\0\x82\2" + noise + reply(b"x" * 99))
        assert len(parser._buffer) <= MAX_BYTES


MUTATION = st.tuples(st.integers(0, 120_000), st.integers(1, 50_000), st.binary(max_size=99))


@settings(max_examples=30, deadline=None)
@given(st.lists(MUTATION, min_size=1, max_size=4))
def test_a_damaged_stream_recovers(mutations: list[tuple[int, int, bytes]]) -> None:
    stream = b"".join(picture(counts_of(seed)) for seed in range(3))
    for at, length, put in mutations:
        stream = stream[:at] + put + stream[at + length :]
    parser = TeaxParser()
    feed(stream, 8192, parser)
    parser.feed(b"\x55" * MAX_BYTES)
    found = feed(b"".join(picture(counts_of(seed)) for seed in (4, 5, 6)), 8192, parser)

    assert seeds(found)[-1] == 6
