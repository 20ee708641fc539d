import gzip
import json
import logging
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import drivers.playback
from drivers.file_sources import open_source
from drivers.frame_source import FileOptions
from drivers.picture_files import palette_of
from drivers.playback import PlaybackCamera
from tests.drivers.conftest import FlirWriter, reason_of
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraTimeoutError,
    ConfigError,
    FormatError,
    StreamEndedError,
    ThermoSegError,
)
from thermoseg.frames import Frame, FrameFlag
from thermoseg.recording.recorder import Recorder
from thermoseg.scene import in_scene

WARM = np.linspace(7_500, 7_700, 48).astype(np.uint16).reshape(6, 8)
"""26.85 to 34.85 °C at 0.04 K per count."""


def options(**given: object) -> FileOptions:
    return FileOptions.model_validate({"realtime": False, **given})


def frames_of(path: Path, **given: object) -> list[Frame]:
    with closing(open_source(path, options(**given))) as source:
        return [source.frame(index) for index in range(len(source))]


def played(camera: PlaybackCamera) -> Iterator[Frame]:
    while True:
        try:
            yield camera.read(timeout_s=0.2)
        except StreamEndedError:
            return


def puretherm(
    folder: Path, stamps: list[tuple[int, float]], counts: int = 30_000, tail: bytes = b""
) -> Path:
    header = json.dumps({"width": 4, "height": 3, "fps": 9.0}).encode()
    body = b"PTY16V1\n" + struct.pack("<I", len(header)) + header
    for index, seconds in stamps:
        body += struct.pack("<Qdq", index, seconds, round(seconds * 1000))
        body += np.full((3, 4), counts, "<u2").tobytes()
    path = folder / "lepton.raw.y16.gz"
    path.write_bytes(gzip.compress(body + tail))
    return path


@pytest.mark.parametrize(
    ("name", "minimum_c", "maximum_c"),
    [
        ("frame_000000.fff", 9.557, 12.582),
        ("frame_000000_le.fff", 22.943, 29.497),
        ("example_radiometric.tiff", -3.43, 9.93),
    ],
)
def test_real_files_give_their_check_values(
    test_data: Path, name: str, minimum_c: float, maximum_c: float
) -> None:
    (frame,) = frames_of(test_data / "cameras" / name)

    assert frame.radiometric
    assert [frame.celsius.min(), frame.celsius.max()] == pytest.approx(
        [minimum_c, maximum_c], abs=6e-4
    )


def test_the_real_lepton_recording_gives_its_check_values(test_data: Path) -> None:
    path = test_data / "cameras" / "liflab_pt3_lepton3x_y16_82f.raw.y16.gz"
    frames = frames_of(path)
    celsius = np.stack([frame.celsius for frame in frames])
    steps_s = np.diff([frame.time_s for frame in frames])

    assert celsius.shape == (82, 120, 160)
    assert [celsius.min(), np.median(celsius), celsius.max()] == pytest.approx(
        [20.03, 22.21, 33.41], abs=6e-3
    )
    assert steps_s[0] == pytest.approx(0.412, abs=1e-3)
    assert 81 / steps_s.sum() == pytest.approx(8.78, abs=5e-3)
    assert (steps_s > 0).all()


def test_a_sequence_plays_with_its_recorded_times(tmp_path: Path, flir: type[FlirWriter]) -> None:
    milliseconds = [0, 33, 66, 66, 132]
    path = tmp_path / "talk.seq"
    path.write_bytes(b"".join(flir(milliseconds=ms).fff() for ms in milliseconds))

    camera = PlaybackCamera(str(path), options())
    info = camera.open()
    frames = list(played(camera))
    camera.close()

    assert (info.model, info.serial, info.frame_count) == ("FLIR T42", "12345", 5)
    assert info.rate_hz == pytest.approx(4 / 0.132)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx(
        [0, 0.033, 0.066, 0.0661, 0.132], abs=1e-6
    )
    assert frames[4].wall_time == pytest.approx(1_700_000_000.132)


def test_a_given_rate_goes_before_the_recorded_times(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    path = tmp_path / "talk.seq"
    path.write_bytes(b"".join(flir(milliseconds=ms).fff() for ms in (0, 300, 400)))

    assert [f.time_s for f in frames_of(path, rate_hz=50)] == pytest.approx([0, 0.02, 0.04])


def test_playing_in_real_time_waits_until_a_frame_is_due(tmp_path: Path) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, np.full((3, 6, 8), 30.0, np.float32))
    clock = FakeClock()
    camera = PlaybackCamera(str(path), FileOptions(rate_hz=10))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drivers.playback, "time", clock)
        camera.open()
        camera.read(timeout_s=0.5)
        with pytest.raises(CameraTimeoutError, match="read again"):
            camera.read(timeout_s=0.04)
        assert camera.read(timeout_s=0.5).index == 1
        assert clock.now == pytest.approx(0.1)
        clock.now += 5
        camera.read(timeout_s=0.5)
        assert clock.now == pytest.approx(5.1)
    camera.close()


def test_a_loop_goes_on_counting(tmp_path: Path, flir: type[FlirWriter]) -> None:
    path = tmp_path / "talk.seq"
    path.write_bytes(b"".join(flir(milliseconds=ms).fff() for ms in (0, 100)))
    camera = PlaybackCamera(str(path), options(loop=True))

    assert camera.open().frame_count is None
    frames = [camera.read(timeout_s=0.1) for _ in range(6)]
    camera.close()

    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_every_source_is_found_by_its_address(tmp_path: Path) -> None:
    path = tmp_path / "face 1.npy"
    np.save(path, np.full((6, 8), 33.0))

    camera = make_camera(f"file:{tmp_path}/face%201.npy?realtime=false")
    camera.open()

    assert camera.read(timeout_s=0.1).celsius[0, 0] == pytest.approx(33.0, abs=1e-5)
    with pytest.raises(StreamEndedError):
        camera.read(timeout_s=0.1)
    camera.close()


def test_closing_may_be_done_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "face.npy"
    np.save(path, np.full((6, 8), 33.0))
    camera = PlaybackCamera(str(path), options())
    camera.close()
    camera.open()
    camera.close()
    camera.close()

    with pytest.raises(CameraError, match="not open"):
        camera.read(timeout_s=0.1)


def test_files_are_named_not_discovered() -> None:
    assert PlaybackCamera.discover() == ()


def test_temperature_matrices_lose_less_than_5_mk(tmp_path: Path) -> None:
    stack = np.random.default_rng(3).normal(31, 4, (3, 6, 8))
    path = tmp_path / "stack.npy"
    np.save(path, stack)

    frames = frames_of(path)

    np.testing.assert_allclose([frame.celsius for frame in frames], stack, atol=0.001)
    assert frames[0].radiometric


def test_a_pixel_without_a_temperature_stays_without(tmp_path: Path) -> None:
    matrix = np.full((6, 8), 30.0, np.float32)
    matrix[2, 3] = np.nan
    path = tmp_path / "hole.npy"
    np.save(path, matrix)

    (frame,) = frames_of(path)

    assert np.isnan(frame.celsius[2, 3])
    assert np.isnan(frame.celsius).sum() == 1


def test_matrices_in_kelvin_are_read_with_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "kelvin.npy"
    np.save(path, np.full((6, 8), 303.15))

    assert frames_of(path, offset_c=-273.15)[0].celsius[0, 0] == pytest.approx(30, abs=1e-4)


def test_counts_in_a_matrix_need_their_scale(tmp_path: Path) -> None:
    path = tmp_path / "counts.npy"
    np.save(path, WARM)

    (unknown,) = frames_of(path)
    (frame,) = frames_of(path, scale_k=0.04)

    assert FrameFlag.UNCALIBRATED in unknown.flags

    np.testing.assert_array_equal(frame.counts, WARM)
    assert frame.celsius[0, 0] == pytest.approx(26.85, abs=1e-4)


@pytest.mark.parametrize(
    ("scale_k", "first_c"), [(0.04, 26.85), (0.01, 26.85)], ids=["0.04 K", "0.01 K"]
)
def test_the_only_plausible_scale_of_a_tiff_is_taken_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scale_k: float, first_c: float
) -> None:
    path = tmp_path / "face.tiff"
    tifffile.imwrite(path, np.rint(WARM * (0.04 / scale_k)).astype(np.uint16))

    with caplog.at_level(logging.WARNING):
        (frame,) = frames_of(path)

    assert frame.celsius[0, 0] == pytest.approx(first_c, abs=1e-3)
    assert f"{scale_k} K per count" in caplog.text


@pytest.mark.parametrize("counts", [8_192, 3_000, 60_000])
def test_a_tiff_without_a_plausible_scale_is_shown_without_temperatures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, counts: int
) -> None:
    path = tmp_path / "flux.tiff"
    tifffile.imwrite(path, np.full((6, 8), counts, np.uint16))

    with caplog.at_level(logging.WARNING):
        (frame,) = frames_of(path)

    assert "flux.tiff" in caplog.text
    assert "give scale_k" in caplog.text
    assert FrameFlag.UNCALIBRATED in frame.flags
    assert frame.celsius[0, 0] == counts


def test_a_picture_with_one_channel_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "face.npy"
    np.save(path, np.full((6, 8, 1), 33.5, np.float32))
    (frame,) = frames_of(path)

    assert frame.celsius.shape == (6, 8)


@pytest.mark.parametrize("imagej", [False, True])
def test_a_tiff_of_many_pages_is_a_sequence(tmp_path: Path, imagej: bool) -> None:
    stack = np.stack([WARM, WARM + 1, WARM + 2])
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, imagej=imagej, photometric="minisblack")

    np.testing.assert_array_equal([f.counts for f in frames_of(path, scale_k=0.04)], stack)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_floating_tiff_is_celsius_in_either_byte_order(
    tmp_path: Path, byteorder: Literal["<", ">"]
) -> None:
    path = tmp_path / "face.tif"
    tifffile.imwrite(path, np.full((6, 8), 34.5, np.float32), byteorder=byteorder)

    assert frames_of(path)[0].celsius[0, 0] == pytest.approx(34.5, abs=0.003)


def test_the_authors_bin_is_640_by_512_at_40_mk(tmp_path: Path) -> None:
    counts = np.full((2, 512, 640), 7_680, "<u2")
    path = tmp_path / "subject.bin"
    counts.tofile(path)

    frames = frames_of(path)

    assert [frame.celsius.shape for frame in frames] == [(512, 640), (512, 640)]
    assert frames[1].celsius[0, 0] == pytest.approx(34.05, abs=1e-4)


def test_a_bin_of_another_size_is_read_with_it(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    WARM.astype("<u2").tofile(path)

    with pytest.raises(FormatError, match=r"96 bytes.*640×512.*width"):
        frames_of(path)

    np.testing.assert_array_equal(frames_of(path, width=8, height=6)[0].counts, WARM)


def test_a_bin_that_cannot_be_at_40_mk_asks_for_its_scale(tmp_path: Path) -> None:
    path = tmp_path / "lepton.bin"
    np.full((6, 8), 30_000, "<u2").tofile(path)

    with pytest.raises(FormatError, match="927 °C; give"):
        frames_of(path, width=8, height=6)


def test_a_lepton_without_tlinear_is_relative_with_the_reason(tmp_path: Path) -> None:
    path = puretherm(tmp_path, [(0, 100.0), (1, 100.1)], counts=8_192)

    with closing(open_source(path)) as source:
        assert not source.info.radiometric
        assert "TLinear" in reason_of(source.info)


def test_frames_that_a_lepton_lost_show_in_its_numbers(tmp_path: Path) -> None:
    frames = frames_of(puretherm(tmp_path, [(4, 100.0), (5, 100.1), (8, 100.4)]))

    assert [frame.index for frame in frames] == [4, 5, 8]
    assert [bool(frame.flags & FrameFlag.GAP_BEFORE) for frame in frames] == [False, False, True]


def test_a_lepton_recording_that_still_grows_gives_its_complete_frames(tmp_path: Path) -> None:
    path = puretherm(tmp_path, [(n, 100 + n / 9) for n in range(200)])
    path.write_bytes(path.read_bytes()[:-40])

    assert 0 < len(frames_of(path)) <= 200


def test_a_lepton_recording_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = puretherm(tmp_path, [(0, 100.0)], tail=bytes(5_000_000))

    with pytest.raises(FormatError, match="100 times its size"):
        frames_of(path)


def test_a_folder_plays_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        np.save(tmp_path / f"frame_{number}.npy", np.full((6, 8), float(number)))
    (tmp_path / "notes.txt").write_text("not a picture")

    frames = frames_of(tmp_path)

    assert [round(float(frame.celsius[0, 0]), 2) for frame in frames] == [1, 9, 10]
    assert [frame.time_s for frame in frames] == [0, 1, 2]


def test_a_folder_of_fff_keeps_the_recorded_times(tmp_path: Path, flir: type[FlirWriter]) -> None:
    for number, milliseconds in enumerate((0, 40, 120)):
        (tmp_path / f"{number}.fff").write_bytes(flir(milliseconds=milliseconds).fff())

    assert [f.time_s for f in frames_of(tmp_path)] == pytest.approx([0, 0.04, 0.12], abs=1e-6)


def test_a_camera_reports_a_file_of_another_size(tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", np.full((6, 8), 30.0))
    np.save(tmp_path / "2.npy", np.full((3, 4), 30.0))
    camera = PlaybackCamera(str(tmp_path), options())
    camera.open()
    camera.read(timeout_s=0.1)

    with pytest.raises(FormatError, match="frame 1: it is 4×3, the first is 8×6"):
        camera.read(timeout_s=0.1)
    camera.close()
    assert [frame.celsius.shape for frame in frames_of(tmp_path)] == [(6, 8), (3, 4)]


def test_a_sequence_that_changes_its_emissivity_keeps_counts_and_temperatures(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    path = tmp_path / "scene.seq"
    path.write_bytes(flir().fff() + flir(emissivity=0.9).fff())
    second = frames_of(path)[1]
    camera = PlaybackCamera(str(path), options())
    info = camera.open()
    camera.read(timeout_s=0.1)
    played_second = camera.read(timeout_s=0.1)
    camera.close()

    np.testing.assert_array_equal(played_second.counts, second.counts)
    np.testing.assert_array_equal(played_second.celsius, second.celsius)
    assert played_second.scene is not None
    assert played_second.scene.emissivity == pytest.approx(0.9)
    scale = in_scene(info.radiometry, played_second.scene)
    np.testing.assert_array_equal(scale.to_celsius(played_second.counts), played_second.celsius)


def test_a_sequence_that_changes_its_calibration_keeps_its_temperatures(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    path = tmp_path / "range.seq"
    path.write_bytes(flir().fff() + flir(r1=20000.0).fff())
    second = frames_of(path)[1]
    camera = PlaybackCamera(str(path), options())
    info = camera.open()
    camera.read(timeout_s=0.1)
    played_second = camera.read(timeout_s=0.1)
    camera.close()

    np.testing.assert_allclose(played_second.celsius, second.celsius, atol=0.02)
    np.testing.assert_array_equal(
        info.radiometry.to_celsius(played_second.counts), played_second.celsius
    )


@pytest.mark.parametrize("name", ["grey.png", "grey.bmp", "grey.jpg"])
def test_an_8_bit_picture_is_relative_with_the_reason(tmp_path: Path, name: str) -> None:
    Image.fromarray(np.full((6, 8), 120, np.uint8)).save(tmp_path / name)

    with closing(open_source(tmp_path / name)) as source:
        frame = source.frame(0)

    assert "8-bit" in reason_of(source.info)
    assert FrameFlag.UNCALIBRATED in frame.flags
    assert abs(int(frame.counts[0, 0]) - 120) <= 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("inferno", cv2.COLORMAP_INFERNO),
        ("plasma", cv2.COLORMAP_PLASMA),
        ("magma", cv2.COLORMAP_MAGMA),
        ("hot", cv2.COLORMAP_HOT),
        ("jet", cv2.COLORMAP_JET),
        ("turbo", cv2.COLORMAP_TURBO),
        ("viridis", cv2.COLORMAP_VIRIDIS),
    ],
)
def test_a_coloured_picture_gives_back_the_grey_it_was_made_of(
    tmp_path: Path, name: str, code: int
) -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
    coloured = np.asarray(cv2.applyColorMap(grey, code), np.uint8)[..., ::-1]
    Image.fromarray(np.ascontiguousarray(coloured)).save(tmp_path / "face.png")

    assert palette_of(coloured) == name
    (frame,) = frames_of(tmp_path / "face.png")
    (inverted,) = frames_of(tmp_path / "face.png", invert=True)

    # Jet and turbo repeat neighbouring colours; a few steps of 256 are lost there.
    assert np.percentile(np.abs(frame.counts.astype(int) - grey), 95) <= 4
    assert np.percentile(np.abs(255 - inverted.counts.astype(int) - grey), 95) <= 4


def test_real_palette_pictures_are_known_as_iron(test_data: Path) -> None:
    with Image.open(test_data / "faces" / "speakingfaces" / "timelapse_0_thermal.png") as image:
        assert palette_of(np.asarray(image.convert("RGB"))) == "iron"


def test_colours_of_no_palette_become_luma(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "scene.png")

    assert palette_of(noise) is None
    (frame,) = frames_of(tmp_path / "scene.png")

    assert frame.counts[0, 0] == pytest.approx(noise[0, 0] @ [0.299, 0.587, 0.114], abs=0.51)


def test_a_16_bit_png_is_counts(tmp_path: Path) -> None:
    Image.fromarray(WARM).save(tmp_path / "face.png")

    (frame,) = frames_of(tmp_path / "face.png")

    np.testing.assert_array_equal(frame.counts, WARM)
    assert frame.celsius[0, 0] == pytest.approx(26.85, abs=1e-4)


def test_a_video_is_relative_at_its_own_rate(tmp_path: Path) -> None:
    path = tmp_path / "talk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in (40, 120, 200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()

    with closing(open_source(path)) as source:
        forwards = [source.frame(n) for n in range(len(source))]
        again = source.frame(0)

    assert source.info.rate_hz == 25
    assert [round(float(f.counts.mean()), -1) for f in forwards] == [40, 120, 200]
    assert [f.time_s for f in forwards] == pytest.approx([0, 0.04, 0.08])
    np.testing.assert_array_equal(again.counts, forwards[0].counts)
    assert not forwards[0].radiometric


@pytest.mark.parametrize("text", ["0.5", "50%", "50 %"])
def test_humidity_is_a_ratio_or_has_a_per_cent_sign(
    tmp_path: Path, flir: type[FlirWriter], text: str
) -> None:
    path = tmp_path / "face.fff"
    path.write_bytes(flir(np.full((3, 4), 17_171, np.uint16), humidity=0.99).fff())

    (frame,) = frames_of(path, humidity=text, emissivity="0.95", distance_m="1")

    assert frame.celsius[0, 0] == pytest.approx(18.30356, abs=1e-4)


def test_a_session_of_our_own_plays_again(tmp_path: Path, flir: type[FlirWriter]) -> None:
    original = tmp_path / "talk.seq"
    original.write_bytes(b"".join(flir(milliseconds=ms).fff() for ms in (0, 33, 66)))
    path = tmp_path / "session.h5"
    with closing(open_source(original)) as source:
        recorder = Recorder(path, source.info, f"file:{original}", None)
        recorder.start()
        for index in range(len(source)):
            recorder.offer(source.frame(index))
        recorder.stop()

    before, after = frames_of(original), frames_of(path)

    assert [frame.time_s for frame in after] == pytest.approx([0, 0.033, 0.066])
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old.counts, new.counts)
        np.testing.assert_array_equal(old.celsius, new.celsius)


def test_the_emissivity_of_a_recorded_session_can_be_changed_later(
    tmp_path: Path, flir: type[FlirWriter]
) -> None:
    original = tmp_path / "talk.seq"
    original.write_bytes(flir(np.full((3, 4), 17_171, np.uint16)).fff())
    path = tmp_path / "session.h5"
    with closing(open_source(original)) as source:
        recorder = Recorder(path, source.info, f"file:{original}", None)
        recorder.start()
        recorder.offer(source.frame(0))
        recorder.stop()

    (frame,) = frames_of(path, emissivity=0.95, distance_m=1)

    assert frame.celsius[0, 0] == pytest.approx(18.30356, abs=1e-4)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("humidity=50", "humidity"),
        ("humidity=200%25", "humidity"),
        ("emissivity=0", "emissivity"),
        ("scale_k=-1", "scale_k"),
        ("rate=5", "unknown option “rate”"),
    ],
)
def test_a_wrong_option_is_refused_by_name(query: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_camera(f"file:face.fff?{query}")


def test_the_emissivity_of_finished_temperatures_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "face.npy"
    np.save(path, np.full((6, 8), 30.0))

    with pytest.raises(
        ConfigError, match=r"face\.npy holds finished temperatures or none, so emissivity"
    ):
        frames_of(path, emissivity=0.98)


BAD_FILES: dict[str, bytes] = {
    "empty.seq": b"",
    "empty.npy": b"",
    "text.txt": b"hello",
    "text.fff": b"hello",
    "text.npy": b"hello",
    "text.tiff": b"hello",
    "text.png": b"hello",
    "text.jpg": b"hello",
    "text.bmp": b"hello",
    "text.bin": b"hello",
    "text.avi": b"hello",
    "cut.gz": b"\x1f\x8b\x08\0\0",
    "other.gz": gzip.compress(b"not a recording at all"),
    "bad_header.gz": gzip.compress(b"PTY16V1\n\x04\0\0\0[[[["),
    "huge_header.gz": gzip.compress(
        b"PTY16V1\n\x29\0\0\0" + b'{"width": 1000000000, "height": 100000}  '
    ),
    "pickle.npy": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "bomb.npy": b"\x93NUMPY\x01\0v\0"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999, 99999), }".ljust(117)
    + b"\n",
    "cut.tif": b"II*\0\x08\0\0\0",
    "cut.png": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    "cut.bmp": b"BM\0\0",
    "cut.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_gives_one_sentence_with_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name])

    with pytest.raises(FormatError) as caught:
        frames_of(path)

    assert name in str(caught.value)
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_that_claims_to_be_enormous_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    path.write_bytes(data)

    with pytest.raises(FormatError, match=r"bomb\.png"):
        frames_of(path)


def test_a_tiff_that_claims_to_be_enormous_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, WARM)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        for tag in ("ImageWidth", "ImageLength"):
            at = page.tags[tag].valueoffset
            data[at : at + 4] = struct.pack("<I", 100_000)
    path.write_bytes(data)

    with pytest.raises(FormatError, match=r"bomb\.tif"):
        frames_of(path)


@pytest.mark.parametrize(
    ("target", "why"),
    [("missing.seq", "No such file or directory"), ("no\0name.seq", "embedded null byte")],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, target: str, why: str) -> None:
    message = rf"{target} cannot be opened \({why}\); check path and rights"
    with pytest.raises(CameraError, match=message):
        PlaybackCamera(str(tmp_path / target), options()).open()


def test_an_address_without_a_file_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r"file:recording\.seq"):
        make_camera("file:").open()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no file"):
        frames_of(tmp_path)


def sample(kind: str, folder: Path) -> Path:
    path = folder / f"sample.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, WARM, compression="zlib")
    elif kind == "npy":
        np.save(path, WARM / 100)
    elif kind == "png":
        Image.fromarray(WARM).save(path)
    elif kind == "gz":
        puretherm(folder, [(0, 100.0), (1, 100.1)]).rename(path)
    return path


@pytest.mark.parametrize("kind", ["tif", "npy", "png", "gz"])
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 600),
)
def test_changed_bytes_of_any_kind_give_frames_or_one_sentence(
    tmp_path: Path, kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    path = sample(kind, tmp_path)
    data = bytearray(path.read_bytes()[: cut + 16])
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)

    frames, complaint = [], ""
    try:
        frames = frames_of(path)
    except ThermoSegError as error:
        complaint = str(error)

    assert frames or "sample" in complaint
    assert "\n" not in complaint


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
