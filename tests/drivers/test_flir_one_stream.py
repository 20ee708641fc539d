"""The bytes of a FLIR ONE: written here by the documented layout, read by the parser."""

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.flir_one_stream import (
    MAX_MESSAGE_BYTES,
    MAX_PICTURE_BYTES,
    MessageParser,
    Picture,
    PictureParser,
    message_bytes,
    size_of,
    thermal_counts,
)

JPEG = b"\xff\xd8\xff\xe0visible\xff\xd9"
STATUS = {"shutterState": "ON", "shutterTemperature": 301.5, "ffcState": "FFC_VALID_RAD"}


def counts_of(width: int, height: int, seed: int = 0) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    return rng.integers(2500, 4500, (height, width), dtype=np.uint16)


def packets(counts: NDArray[np.uint16], order: str = "<", telemetry: int = 3) -> bytes:
    """The sensor's packets: number, checksum, 80 pixels; and some more of telemetry."""
    height, width = counts.shape
    lines = counts.reshape(height * width // 80, 80)
    body = b"".join(
        struct.pack(f"{order}HH80H", number, 0xC0DE, *line) for number, line in enumerate(lines)
    )
    first = len(lines)
    return body + b"".join(
        struct.pack(f"{order}HH80H", first + extra, 0, *[0] * 80) for extra in range(telemetry)
    )


@dataclass
class Sent:
    """One picture as the camera would send it, or not quite."""

    thermal: bytes = field(default_factory=lambda: packets(counts_of(80, 60)))
    jpeg: bytes = JPEG
    status: bytes = field(default_factory=lambda: json.dumps(STATUS).encode() + b"\0\0\0")
    crc: int | None = None
    payload: int | None = None

    def __bytes__(self) -> bytes:
        sizes = len(self.thermal), len(self.jpeg), len(self.status)
        head = struct.pack("<6I", 0xBEEF, 1, self.payload or sum(sizes), *sizes)
        crc = zlib.crc32(head) if self.crc is None else self.crc
        return head + struct.pack("<I", crc) + self.thermal + self.jpeg + self.status


def feed(parser: PictureParser, data: bytes, sizes: Sequence[int] = (16384,)) -> list[Picture]:
    """Feed `data` in pieces of these sizes, again and again."""
    pictures, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pictures += parser.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    return pictures


@cache
def of_seed(seed: int) -> Sent:
    return Sent(packets(counts_of(80, 60, seed)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(8, 20_000), min_size=1, max_size=8))
def test_pictures_come_out_whole_wherever_transfers_are_cut(sizes: list[int]) -> None:
    sent = [of_seed(seed) for seed in range(4)]
    found = feed(PictureParser(), b"".join(map(bytes, sent)), sizes)

    assert [picture.thermal for picture in found] == [picture.thermal for picture in sent]
    assert all(picture.intact and picture.lost_before == 0 for picture in found)
    assert found[0].jpeg == JPEG
    assert found[0].status == STATUS


def test_a_picture_comes_out_of_single_bytes() -> None:
    (picture,) = feed(PictureParser(), bytes(Sent()), [1])

    assert picture.intact


@pytest.mark.parametrize(("width", "height"), [(80, 60), (160, 120)])
def test_each_pixel_lies_where_the_layout_says(width: int, height: int) -> None:
    counts = counts_of(width, height)
    whole = bytes(Sent(packets(counts)))
    (picture,) = PictureParser().feed(whole)
    found, ordered = thermal_counts(picture.thermal, width, height)

    per_row = width // 80
    for y, x in [(0, 0), (0, 40), (0, 79), (7, 41), (height - 1, width - 1), (30, width // 2)]:
        at = 28 + (y * per_row + x // 80) * 164 + 4 + 2 * (x % 80)
        assert struct.unpack_from("<H", whole, at)[0] == found[y, x]
    assert np.array_equal(found, counts)
    assert ordered


def test_big_endian_sensors_are_read_too() -> None:
    counts = counts_of(80, 60)
    found, ordered = thermal_counts(packets(counts, ">"), 80, 60, big_endian=True)

    assert np.array_equal(found, counts)
    assert ordered


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (9840, (80, 60)),
        (10332, (80, 60)),
        (39360, (160, 120)),
        (39364, (160, 120)),
        (39852, (160, 120)),
        (9839, None),
        (20000, None),
        (39359, None),
        (0, None),
    ],
)
def test_the_length_tells_the_sensor(length: int, size: tuple[int, int] | None) -> None:
    assert size_of(bytes(length)) == size


def test_a_sensor_in_four_segments_numbers_its_packets_anew_in_each() -> None:
    words = np.frombuffer(packets(counts_of(160, 120), telemetry=0), "<u2").reshape(240, 82).copy()
    words[:, 0] = np.tile(np.arange(60), 4)
    words[20::60, 0] |= np.array([1, 2, 3, 4], np.uint16) << 12

    assert thermal_counts(words.tobytes(), 160, 120)[1]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:1640] + data[1804:] + bytes(164), id="packet-left-out"),
        pytest.param(lambda data: data[:1640] + data[1642:] + bytes(2), id="two-bytes-left-out"),
        pytest.param(lambda data: data[:1640] + data[1476:1640] + data[1804:], id="packet-twice"),
    ],
)
def test_packets_out_of_order_are_noticed(damage: Callable[[bytes], bytes]) -> None:
    assert not thermal_counts(damage(packets(counts_of(80, 60))), 80, 60)[1]


def test_an_image_of_another_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="9839 bytes"):
        thermal_counts(bytes(9839), 80, 60)
    with pytest.raises(ValueError, match="81×60"):
        thermal_counts(bytes(20000), 81, 60)


@pytest.mark.parametrize("cut", [1, 27, 28, 29, 5000, 10_000, 10_360])
def test_a_stream_that_is_joined_in_the_middle_begins_with_the_next_picture(cut: int) -> None:
    sent = [of_seed(seed) for seed in range(3)]
    found = feed(PictureParser(), b"".join(map(bytes, sent))[cut:], [512])

    assert [picture.thermal for picture in found] == [picture.thermal for picture in sent[1:]]
    assert [picture.lost_before for picture in found] == [0, 0]


@pytest.mark.parametrize("kept", [4, 27, 28, 400, 5000, 10_359, 10_370, 10_400])
@pytest.mark.parametrize("size", [64, 512, 16384])
def test_after_a_picture_that_was_cut_off_the_very_next_one_is_whole(kept: int, size: int) -> None:
    sent = [of_seed(seed) for seed in range(4)]
    stream = bytes(sent[0]) + bytes(sent[1])[:kept] + bytes(sent[2]) + bytes(sent[3])
    found = feed(PictureParser(), stream, [size])

    good = [picture.thermal for picture in found if picture.intact]
    assert good == [sent[0].thermal, sent[2].thermal, sent[3].thermal]
    assert sum(picture.lost_before for picture in found) + len(found) == 4


@pytest.mark.parametrize("length", [1, 163, 164, 512, 9000])
@pytest.mark.parametrize("at", [30, 3000, 10_000])
def test_bytes_missing_inside_a_picture_are_noticed(at: int, length: int) -> None:
    sent = [of_seed(seed) for seed in range(3)]
    broken = bytes(sent[1])
    found = feed(
        PictureParser(), bytes(sent[0]) + broken[:at] + broken[at + length :] + bytes(sent[2])
    )

    assert [picture.thermal for picture in found if picture.intact] == [
        sent[0].thermal,
        sent[2].thermal,
    ]


def test_bytes_too_many_inside_a_picture_are_noticed() -> None:
    sent = [of_seed(seed) for seed in range(4)]
    longer = bytes(sent[1])
    found = feed(
        PictureParser(),
        bytes(sent[0]) + longer[:4000] + bytes(range(200)) + longer[4000:] + bytes(sent[2]),
    )

    assert [picture.thermal for picture in found if picture.intact] == [
        sent[0].thermal,
        sent[2].thermal,
    ]


def test_the_magic_number_inside_a_picture_deceives_nobody() -> None:
    magic = struct.pack("<I", 0xBEEF)
    jpeg = b"\xff\xd8" + magic * 50 + b"\xff\xd9"
    sent = [Sent(jpeg=jpeg), Sent(jpeg=jpeg)]
    found = feed(PictureParser(), b"".join(map(bytes, sent)), [512])

    assert [picture.jpeg for picture in found] == [jpeg, jpeg]
    assert all(picture.intact for picture in found)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Sent(payload=5), id="sizes-do-not-add-up"),
        pytest.param(Sent(thermal=b""), id="no-thermal-image"),
        pytest.param(Sent(thermal=bytes((128 << 10) + 1)), id="thermal-image-too-large"),
        pytest.param(Sent(jpeg=bytes(2 << 20)), id="picture-too-large"),
        pytest.param(Sent(status=bytes(17 << 10)), id="status-too-large"),
        pytest.param(Sent(crc=0x12345678), id="checksum-wrong"),
    ],
)
def test_a_header_that_cannot_be_one_is_skipped_and_counted(wrong: Sent) -> None:
    sent = [of_seed(1), of_seed(2)]
    found = feed(PictureParser(), bytes(sent[0]) + bytes(wrong) + bytes(sent[1]))

    assert [picture.thermal for picture in found] == [picture.thermal for picture in sent]
    assert [picture.lost_before for picture in found] == [0, 1]


def test_a_camera_that_does_not_fill_in_the_checksum_is_heard_too() -> None:
    found = feed(PictureParser(), bytes(Sent(crc=0)) * 3)

    assert [picture.intact for picture in found] == [True] * 3


def test_nulls_between_pictures_are_no_loss() -> None:
    found = feed(PictureParser(), (bytes(Sent()) + bytes(100)) * 3)

    assert [picture.lost_before for picture in found] == [0, 0, 0]


def test_padding_behind_the_jpeg_is_left_out() -> None:
    (picture,) = PictureParser().feed(bytes(Sent(jpeg=JPEG + bytes(500))))

    assert picture.jpeg == JPEG


def test_a_picture_may_come_without_jpeg_and_status() -> None:
    (picture,) = PictureParser().feed(bytes(Sent(jpeg=b"", status=b"")))

    assert picture.intact
    assert (picture.jpeg, picture.status) == (b"", {})


@pytest.mark.parametrize(
    "status", [b"{", b"[1]", b"{}x", b"\xff\xfe", b"[" * 9000, b"9" * 9000, b"null"]
)
def test_a_status_that_is_none_marks_the_picture(status: bytes) -> None:
    (picture,) = PictureParser().feed(bytes(Sent(status=status)))

    assert not picture.intact
    assert picture.status == {}


def test_what_was_begun_is_forgotten_and_counted_on_reset() -> None:
    parser = PictureParser()
    parser.feed(bytes(Sent()) + bytes(Sent())[:3000])
    parser.reset()
    (picture,) = parser.feed(bytes(Sent()))

    assert picture.lost_before == 1


def test_several_messages_come_in_one_transfer_and_one_in_several() -> None:
    messages: list[tuple[str, dict[str, object]]] = [
        ("sledInformation", {"thermalWidth": "160"}),
        ("batteryVoltageUpdate", {"voltage": 3.9}),
    ]
    data = b"".join(message_bytes(kind, said) for kind, said in messages)
    whole = MessageParser().feed(data)
    parser = MessageParser()
    pieces = [message for byte in data for message in parser.feed(bytes([byte]))]

    assert [(found["type"], found["data"]) for found in whole] == messages
    assert pieces == whole
    assert len(parser._buffer) == 0


@pytest.mark.parametrize(
    ("length", "crc"), [(0x41, bytes.fromhex("F8B3F700")), (0x33, bytes.fromhex("EFDBC1C1"))]
)
def test_the_header_of_a_command_has_the_known_checksum(length: int, crc: bytes) -> None:
    empty = len(message_bytes("t", {"x": ""})) - 16
    command = message_bytes("t", {"x": "y" * (length - empty)})

    assert command[:16] == struct.pack("<III", 0x1CC, 1, length) + crc
    assert command.endswith(b"}\0")
    assert len(command) == 16 + length


def test_a_message_behind_noise_is_found() -> None:
    wanted = message_bytes("batteryVoltageUpdate", {"percentage": 7})
    noise = struct.pack("<III", 0x5510, 0, 9) + struct.pack("<IIII", 0x1CC, 1, 400, 5) + b"junk"
    huge = struct.pack("<IIII", 0x1CC, 1, 0x7FFFFFFF, 5)
    broken = message_bytes("x", {})[:-3] + b"???"

    (found,) = MessageParser().feed(noise + huge + broken + wanted)

    assert found["data"] == {"percentage": 7}


MUTATIONS = st.one_of(
    st.tuples(st.just("delete"), st.integers(0, 41_000), st.integers(1, 12_000)),
    st.tuples(st.just("insert"), st.integers(0, 41_000), st.binary(min_size=1, max_size=300)),
    st.tuples(st.just("flip"), st.integers(0, 41_000), st.integers(1, 255)),
)


def mutated(data: bytes, kind: str, at: int, value: int | bytes) -> bytes:
    at %= len(data)
    if isinstance(value, bytes):
        return data[:at] + value + data[at:]
    if kind == "delete":
        return data[:at] + data[at + value :]
    return data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]


@settings(max_examples=60, deadline=None)
@given(st.lists(MUTATIONS, min_size=1, max_size=6), st.integers(100, 9000))
def test_no_damage_to_a_stream_is_a_crash_and_the_stream_recovers(
    mutations: list[tuple[str, int, int | bytes]], size: int
) -> None:
    stream = b"".join(bytes(of_seed(seed)) for seed in range(4))
    for mutation in mutations:
        stream = mutated(stream, *mutation)
    parser = PictureParser()
    feed(parser, stream, [size])
    # The longest picture that a broken header can announce has to be over first.
    after = [of_seed(9), *[of_seed(seed) for seed in range(20, 24)]]
    parser.feed(b"\x55" * MAX_PICTURE_BYTES)
    found = feed(parser, b"".join(map(bytes, after)), [size])

    assert found[-1].thermal == after[-1].thermal
    assert found[-1].intact
    assert len(parser._buffer) <= MAX_PICTURE_BYTES


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.just(struct.pack("<II", 0xBEEF, 1)),
            st.just(struct.pack("<II", 0x1CC, 1)),
            st.builds(
                lambda *sizes: struct.pack("<7I", 0xBEEF, 1, sum(sizes) & 0xFFFFFFFF, *sizes, 0),
                *[st.integers(0, 70_000)] * 3,
            ),
        ),
        max_size=40,
    )
)
def test_arbitrary_bytes_do_no_harm(pieces: list[bytes]) -> None:
    pictures, messages = PictureParser(), MessageParser()
    for piece in pieces:
        pictures.feed(piece)
        messages.feed(piece)

    assert len(pictures._buffer) <= MAX_PICTURE_BYTES
    assert len(messages._buffer) <= MAX_MESSAGE_BYTES


def test_a_hostile_stream_takes_no_more_memory_than_promised() -> None:
    header = struct.pack("<6I", 0xBEEF, 1, (2 << 20) - 28, 100, (2 << 20) - 128, 0) + bytes(4)
    message = struct.pack("<IIII", 0x1CC, 1, MAX_MESSAGE_BYTES - 16, 0)
    chunk = (header + bytes(16356)) + (message + bytes(16368))
    pictures, messages = PictureParser(), MessageParser()
    tracemalloc.start()
    for _ in range(150):
        pictures.feed(chunk)
        messages.feed(chunk)
        assert len(pictures._buffer) <= MAX_PICTURE_BYTES + len(chunk)
        assert len(messages._buffer) <= MAX_MESSAGE_BYTES + len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 4 * MAX_PICTURE_BYTES
