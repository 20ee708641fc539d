import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.flir_files import MAX_PIXELS, FlirFile, fff_of_jpeg
from tests.drivers.conftest import FlirWriter
from thermoseg.errors import FormatError
from thermoseg.radiometry import PlanckRadiometry, RelativeCounts


def save(folder: Path, data: bytes, name: str = "recording.fff") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def complaint_about(path: Path) -> str:
    with pytest.raises(FormatError) as caught, FlirFile(path) as file:
        file.frame(0)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "counts", "minimum_c", "mean_c", "maximum_c", "shape"),
    [
        ("frame_000000.fff", (2623, 2739), 9.557, 11.488, 12.582, (512, 640)),
        ("frame_000000_le.fff", (17899, 19192), 22.943, 23.577, 29.497, (240, 320)),
    ],
)
def test_real_frames_give_the_temperatures_that_flirs_own_tools_give(
    test_data: Path,
    name: str,
    counts: tuple[int, int],
    minimum_c: float,
    mean_c: float,
    maximum_c: float,
    shape: tuple[int, int],
) -> None:
    with FlirFile(test_data / "cameras" / name) as file:
        frame = file.frame(0)

    celsius = frame.camera.radiometry.to_celsius(frame.counts)
    assert frame.counts.shape == shape
    assert (frame.counts.min(), frame.counts.max()) == counts
    assert [celsius.min(), celsius.mean(), celsius.max()] == pytest.approx(
        [minimum_c, mean_c, maximum_c], abs=6e-4
    )


def test_a_real_header_is_read_to_the_last_parameter(test_data: Path) -> None:
    with FlirFile(test_data / "cameras" / "frame_000000.fff") as file:
        camera = file.camera
        corner = file.frame(0).counts[0, 0]

    assert isinstance(camera.radiometry, PlanckRadiometry)
    assert (camera.model, camera.serial, camera.rate_hz) == ("Duo Pro R", "8340357", 30)
    assert camera.radiometry.scene.emissivity == pytest.approx(0.9399, abs=1e-4)
    assert camera.radiometry.scene.humidity == pytest.approx(0.30)
    assert camera.radiometry.scene.distance_m == 50
    assert camera.radiometry.celsius_of_signal(corner) == pytest.approx(10.033, abs=6e-4)


@pytest.mark.parametrize("directory_order", ["<", ">"])
@pytest.mark.parametrize("record_order", ["<", ">"])
@pytest.mark.parametrize("payload", ["raw", "png", "png swapped", "jpeg-ls"])
def test_every_byte_order_and_payload_gives_the_same_counts(
    tmp_path: Path, flir: type[FlirWriter], directory_order: str, record_order: str, payload: str
) -> None:
    counts = np.linspace(17_000, 19_000, 48).astype(np.uint16).reshape(6, 8)
    written = flir(counts, directory_order, record_order, payload)

    with FlirFile(save(tmp_path, written.fff())) as file:
        frame = file.frame(0)

    np.testing.assert_array_equal(frame.counts, counts)
    assert isinstance(frame.camera.radiometry, PlanckRadiometry)
    assert frame.camera.radiometry.o == -7340


@pytest.mark.parametrize(("record_order", "subtype"), [("<", 1), (">", 2)])
def test_a_subtype_that_contradicts_its_record_is_settled_by_plausibility(
    tmp_path: Path, flir: type[FlirWriter], record_order: str, subtype: int
) -> None:
    written = flir(record_order=record_order, subtype=subtype)

    with FlirFile(save(tmp_path, written.fff())) as file:
        np.testing.assert_array_equal(file.frame(0).counts, written.counts)


def test_a_frame_without_a_slope_is_told_from_its_swapped_self_by_the_range(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    flat = np.full((4, 4), 18_109, np.uint16)

    with FlirFile(save(tmp_path, flir(flat, payload="png swapped").fff())) as file:
        frame = file.frame(0)

    assert frame.camera.radiometry.to_celsius(frame.counts)[0, 0] == pytest.approx(
        23.6243, abs=1e-3
    )


def test_a_sequence_of_blocks_of_different_length_is_walked_by_directory(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    frames = [
        flir(np.full((3, 4), 17_000 + n, np.uint16), padding=37 * n, milliseconds=33 * n)
        for n in range(5)
    ]
    path = save(tmp_path, b"".join(frame.fff() for frame in frames), "walk.seq")

    with FlirFile(path) as file:
        values = [int(file.frame(n).counts[0, 0]) for n in range(len(file))]
        times = file.wall_times

    assert values == [17_000, 17_001, 17_002, 17_003, 17_004]
    assert times == pytest.approx([1_700_000_000 + 0.033 * n for n in range(5)])


def test_the_magic_inside_a_picture_is_no_frame(tmp_path: Path, flir: type[FlirWriter]) -> None:
    counts = np.full((3, 4), 17_000, np.uint16)
    counts[1] = np.frombuffer(b"FFF\0FLIR", "<u2")
    path = save(tmp_path, flir(counts).fff() * 2, "magic.seq")

    with FlirFile(path) as file:
        assert len(file) == 2


def test_padding_between_frames_is_skipped(tmp_path: Path, flir: type[FlirWriter]) -> None:
    block = flir().fff()

    with FlirFile(save(tmp_path, block + bytes(100) + block + bytes(9), "padded.seq")) as file:
        assert (len(file), file.remark) == (2, "")


def test_a_csq_may_mix_frame_sizes(tmp_path: Path, flir: type[FlirWriter]) -> None:
    small, large = np.full((3, 4), 17_000, np.uint16), np.full((6, 8), 17_500, np.uint16)
    data = flir(small, payload="jpeg-ls").fff() + flir(large, payload="jpeg-ls").fff()

    with FlirFile(save(tmp_path, data, "mixed.csq")) as file:
        assert [file.frame(n).counts.shape for n in (0, 1)] == [(3, 4), (6, 8)]


def test_a_radiometric_jpeg_is_put_together_from_its_segments(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    written = flir(payload="png swapped")

    with FlirFile(save(tmp_path, written.jpeg(), "photo.jpg")) as file:
        np.testing.assert_array_equal(file.frame(0).counts, written.counts)


def test_a_plain_jpeg_carries_no_block(flir: type[FlirWriter]) -> None:
    import imagecodecs

    plain = bytes(imagecodecs.jpeg8_encode(np.zeros((8, 8), np.uint8)))

    assert fff_of_jpeg(plain, "plain.jpg") is None


def test_overrides_go_before_the_file(tmp_path: Path, flir: type[FlirWriter]) -> None:
    path = save(tmp_path, flir(emissivity=0.5, humidity=1.5).fff())

    with FlirFile(path, {"emissivity": 0.95, "humidity": 0.5, "distance_m": 1.0}) as file:
        celsius = file.camera.radiometry.to_celsius(np.array([18_272], np.uint16))

    assert celsius[0] == pytest.approx(24.77367, abs=1e-4)


def test_a_percentage_in_the_header_gives_the_published_temperature(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    path = save(tmp_path, flir(emissivity=0.95, humidity=50.0, distance_m=1.0).fff())

    with FlirFile(path) as file:
        celsius = file.camera.radiometry.to_celsius(np.array([17_171], np.uint16))

    assert celsius[0] == pytest.approx(18.30356, abs=1e-4)


def test_counts_without_calibration_are_not_called_temperatures(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    for number, written in enumerate([flir(r1=0.0), flir(with_camera_info=False)]):
        with FlirFile(save(tmp_path, written.fff(), f"{number}.fff")) as file:
            assert isinstance(file.camera.radiometry, RelativeCounts)
            np.testing.assert_array_equal(file.frame(0).counts, written.counts)


def test_a_recording_that_still_grows_gives_its_complete_frames(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    block = flir().fff()
    path = save(tmp_path, block * 3 + block[: len(block) // 2], "growing.seq")

    with FlirFile(path) as file:
        assert len(file) == 3
        assert "after 3 complete frames" in file.remark


def test_bytes_behind_the_last_frame_are_mentioned(tmp_path: Path, flir: type[FlirWriter]) -> None:
    with FlirFile(save(tmp_path, flir().fff() + b"no frame", "tail.seq")) as file:
        assert len(file) == 1
        assert "8 bytes" in file.remark


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda block: b"", "header"),
        (lambda block: block[:40], "40 bytes"),
        (lambda block: b"GIF89a" + block[6:], "does not begin with FFF"),
        (lambda block: block[:70], "record directory"),
        (lambda block: block[:200], "RawData.*lacks its last"),
        (lambda block: block[:-1], "CameraInfo.*lacks its last 1 bytes"),
        (lambda block: patch(block, 0x14, 7), "unknown version"),
        (lambda block: patch(block, 0x18, 0xFFFFFFF0), "directory.*outside the file"),
        (lambda block: patch(block, 0x1C, 0xFFFFFFFF), "claims 4294967295 records"),
        (lambda block: patch(block, 0x1C, 0), "no RawData record"),
        (lambda block: patch(block, 64 + 12, 0xFFFFFFFF), "RawData.*lacks"),
        (lambda block: patch(block, 64 + 16, 0x80000000), "RawData.*lacks"),
        (lambda block: patch(block, 64 + 16, 10), "RawData.*too short"),
        (lambda block: patch(block, 96 + 16, 100), "CameraInfo.*too short"),
        (lambda block: patch(block, 64 + 12, 0), "byte-order mark"),
    ],
)
def test_a_damaged_file_is_refused_by_file_record_and_remedy(
    tmp_path: Path, flir: type[FlirWriter], damage: Callable[[bytes], bytes], words: str
) -> None:
    path = save(tmp_path, damage(flir().fff()))

    complaint = complaint_about(path)

    assert complaint.startswith("recording.fff, frame 0: ")
    assert "; " in complaint
    assert re.search(words, complaint)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (FlirWriter(claimed_size=(0, 4)), "0×4 pixels"),
        (FlirWriter(claimed_size=(65_535, 65_535)), "65535×65535 pixels"),
        (FlirWriter(claimed_size=(4_000, 4_000)), "needs 32000000 bytes"),
        (FlirWriter(claimed_size=(4_000, 4_000), payload="png"), "not 4000×4000"),
        (FlirWriter(claimed_size=(4_000, 4_000), payload="jpeg-ls"), "not 4000×4000"),
        (FlirWriter(emissivity=0.0), "emissivity"),
        (FlirWriter(emissivity=float("nan")), "emissivity"),
        (FlirWriter(humidity=1.5), "humidity"),
        (FlirWriter(distance_m=-3.0), "distance_m"),
    ],
)
def test_impossible_values_are_refused_by_name(
    tmp_path: Path, written: FlirWriter, words: str
) -> None:
    assert words in complaint_about(save(tmp_path, written.fff()))


def test_a_missing_segment_of_a_radiometric_jpeg_is_named(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    path = save(tmp_path, flir().jpeg(leave_out=2), "photo.jpg")

    assert "part 2 of" in complaint_about(path)


def test_a_compressed_image_larger_than_it_can_be_is_not_unpacked(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    block = bytearray(flir(payload="png", claimed_size=(8_000, 8_000)).fff())
    at = block.index(b"IHDR") + 4
    block[at : at + 8] = struct.pack(">II", 8_000, 8_000)

    assert "cut off" in complaint_about(save(tmp_path, bytes(block)))


def test_no_image_beyond_the_bound_is_read() -> None:
    assert MAX_PIXELS * 2 == 128 * 1024**2


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    payload=st.sampled_from(["raw", "png", "jpeg-ls"]),
    orders=st.sampled_from(["<<", "<>", "><", ">>"]),
    jpeg=st.booleans(),
    cut=st.integers(0, 3_000),
    changes=st.lists(st.tuples(st.integers(0, 1_700), st.integers(0, 255)), max_size=12),
)
def test_changed_bytes_give_a_frame_or_one_sentence(
    tmp_path: Path,
    flir: type[FlirWriter],
    payload: str,
    orders: str,
    jpeg: bool,
    cut: int,
    changes: list[tuple[int, int]],
) -> None:
    written = flir(payload=payload, directory_order=orders[0], record_order=orders[1])
    data = bytearray((written.jpeg() if jpeg else written.fff() * 2)[: cut + 64])
    for place, value in changes:
        data[place % len(data)] = value
    path = save(tmp_path, bytes(data), "fuzzed.seq")

    complaint = ""
    try:
        with FlirFile(path) as file:
            for index in range(len(file)):
                frame = file.frame(index)
                frame.camera.radiometry.to_celsius(frame.counts)
    except FormatError as error:
        complaint = str(error)

    assert not complaint or "fuzzed.seq" in complaint
    assert "\n" not in complaint


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=600))
def test_any_bytes_behind_a_magic_give_one_sentence(tmp_path: Path, tail: bytes) -> None:
    for magic in (b"FFF\0", b"\xff\xd8\xff\xe1"):
        with pytest.raises(FormatError):
            FlirFile(save(tmp_path, magic + tail, "noise.fff"))


def patch(block: bytes, offset: int, value: int) -> bytes:
    """Overwrite a little-endian u32."""
    return block[:offset] + struct.pack("<I", value) + block[offset + 4 :]
