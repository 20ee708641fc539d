"""The Lepton: every shape its pictures come in, what its telemetry says, and what goes wrong."""

import ctypes
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.lepton import LeptonCamera
from drivers.uvc_capture import UvcSystem, Video
from drivers.uvc_controls import ExtensionUnits
from drivers.uvc_nodes import VideoMode
from tests.conftest import WaitFor
from tests.drivers.conftest import (
    LEPTON_UNITS,
    LeptonScene,
    PlugLepton,
    UvcCamera,
    in_session,
    reason_of,
)
from tests.drivers.hand_clock import HandClock
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    ConfigError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry, RelativeCounts
from thermoseg.session import Session
from thermoseg.timeline import TimeLine

SAMPLE = "cameras/liflab_pt3_lepton3x_y16_82f.raw.y16.gz"


class OpenedLepton(LeptonCamera):
    """A Lepton, and what it said when it was opened."""

    info: CameraInfo


class OpenLepton(Protocol):
    """What the fixture `open_lepton` gives."""

    def __call__(self, options: str = ..., target: str = ...) -> OpenedLepton: ...


Reshape: TypeAlias = Callable[[NDArray[np.uint16]], NDArray[Any]]
"""Makes another array of a picture."""
See: TypeAlias = Callable[[int, str], dict[str, Any]]
"""What the fixture `see` gives: what the program printed as JSON."""


@pytest.fixture
def open_lepton(clock: HandClock) -> Iterator[OpenLepton]:
    """Open the Lepton that is plugged in; closed after the test."""
    opened: list[OpenedLepton] = []

    def build(options: str = "", target: str = "") -> OpenedLepton:
        camera = cast("OpenedLepton", make_camera(f"lepton:{target}?{options}"))
        opened.append(camera)
        camera.info = camera.open()
        return camera

    yield build
    for camera in opened:
        camera.close()


def read(camera: LeptonCamera, count: int) -> list[Frame]:
    return [camera.read(timeout_s=1) for _ in range(count)]


def bits(frames: list[Frame], flag: FrameFlag) -> list[bool]:
    return [bool(frame.flags & flag) for frame in frames]


def test_a_lepton_3_5_gives_celsius_by_its_telemetry(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    plug_lepton()
    lepton = open_lepton()
    frame = lepton.read(timeout_s=1)

    assert (lepton.info.model, lepton.info.serial) == ("Lepton 3.5", "8003000b-5113")
    assert (lepton.info.width, lepton.info.height, lepton.info.rate_hz) == (160, 120, 9.0)
    assert lepton.info.radiometry == LinearRadiometry(0.01)
    assert lepton.info.live
    assert frame.celsius.shape == (120, 160)
    assert np.median(frame.celsius) == pytest.approx(30, abs=0.05)
    assert frame.celsius[0, 0] == pytest.approx(20, abs=0.3)
    assert frame.celsius[-1, -1] == pytest.approx(40, abs=0.3)


@pytest.mark.parametrize(
    ("rows", "columns", "telemetry_words"),
    [(120, 160, 320), (120, 160, 0), (60, 80, 240), (60, 80, 80), (60, 80, 0)],
    ids=["122 rows", "120 rows", "63 rows", "61 rows", "60 rows"],
)
@pytest.mark.parametrize("form", ["words", "flat bytes", "byte pairs", "flat words"])
def test_each_shape_opencv_gives_is_taken_apart(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    lepton_scene: type[LeptonScene],
    rows: int,
    columns: int,
    telemetry_words: int,
    form: str,
) -> None:
    scene = lepton_scene(rows=rows, columns=columns, telemetry_words=telemetry_words)
    shapes: dict[str, Reshape] = {
        "words": lambda picture: picture,
        "flat bytes": lambda picture: picture.view(np.uint8).reshape(1, -1),
        "byte pairs": lambda picture: picture.view(np.uint8).reshape(*picture.shape, 2),
        "flat words": lambda picture: picture.reshape(1, -1),
    }
    sent_rows = rows + telemetry_words // columns
    plug_lepton(
        lambda number: shapes[form](scene.picture(number)),
        scene,
        sizes=[(columns, sent_rows)],
        units={(21, 18): struct.pack("<I", 1), (21, 19): struct.pack("<I", 1)},
    )
    lepton = open_lepton()
    frames = read(lepton, 3)

    for number, frame in enumerate(frames):
        assert np.array_equal(frame.counts, scene.counts(number))
        assert frame.index == number
    assert lepton.info.radiometry == LinearRadiometry(0.01)


def test_the_picture_with_telemetry_is_asked_for_where_it_is_offered(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton(sizes=[(160, 120), (160, 122)])
    open_lepton()

    assert camera.size == (160, 122)


def test_telemetry_may_be_left_away(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    camera, _ = plug_lepton(scene=lepton_scene(telemetry_words=0), sizes=[(160, 122), (160, 120)])
    lepton = open_lepton("telemetry=false")

    assert camera.size == (160, 120)
    assert lepton.read(timeout_s=1).celsius.shape == (120, 160)


def test_a_board_that_ignores_the_size_is_taken_as_it_is(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    lepton_scene: type[LeptonScene],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, _ = plug_lepton(scene=lepton_scene(telemetry_words=0), sizes=[(160, 120)])
    modes = [VideoMode("Y16 ", 160, 122, 9.0)]
    monkeypatch.setattr(camera, "modes", lambda path: modes)

    assert open_lepton().info.height == 120


def test_any_other_size_is_refused_with_its_numbers(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    plug_lepton(sizes=[(640, 512)])

    with pytest.raises(CameraError, match="gives 640×512 pixels, which no Lepton has"):
        open_lepton()


# What the counts mean.


def test_tlinear_is_switched_on_after_the_stream_has_begun(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, _ = plug_lepton()
    begun: list[int] = []
    camera.units[21, 18] = bytes(4)
    ask = camera.ioctl

    def note(file: int, request: int, query: ctypes.Structure) -> int:
        begun.append(camera.next)
        return ask(file, request, query)

    monkeypatch.setattr(camera, "ioctl", note)
    lepton = open_lepton()

    assert (21, 18, b"\1\0\0\0") in camera.written
    assert (21, 19, b"\1\0\0\0") in camera.written
    assert min(begun) >= 1
    assert lepton.info.radiometry == LinearRadiometry(0.01)


def test_pictures_from_before_the_setting_took_hold_are_left_out(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, scene = plug_lepton()
    late = camera.picture

    def picture(number: int) -> NDArray[Any] | None:
        if number < 3:
            with monkeypatch.context() as before:
                before.setattr(scene, "tlinear", lambda: (0, 0))
                return late(number)
        return late(number)

    camera.picture = picture
    lepton = open_lepton()
    frame = lepton.read(timeout_s=1)

    assert lepton.info.radiometric
    assert (frame.index, frame.time_s) == (0, 0.0)
    assert np.median(frame.celsius) == pytest.approx(30, abs=0.05)


def test_coarse_tlinear_is_for_hot_scenes(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    plug_lepton()
    lepton = open_lepton("tlinear=0.1")
    frame = lepton.read(timeout_s=1)

    assert lepton.info.radiometry == LinearRadiometry(0.1)
    assert np.median(frame.counts) == 3032
    assert np.median(frame.celsius) == pytest.approx(30.05, abs=0.06)


def test_a_setting_may_be_kept(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    camera, _ = plug_lepton()
    camera.units |= {(21, 18): b"\1\0\0\0", (21, 19): bytes(4)}
    lepton = open_lepton("tlinear=keep")

    assert camera.written == []
    assert lepton.info.radiometry == LinearRadiometry(0.1)


def test_tlinear_may_be_switched_off(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    plug_lepton()
    lepton = open_lepton("tlinear=off")
    frame = lepton.read(timeout_s=1)

    assert lepton.info.radiometry == RelativeCounts("TLinear was switched off on request")
    assert frame.flags & FrameFlag.UNCALIBRATED
    assert np.median(frame.celsius) == pytest.approx(8192, abs=2)


def test_a_core_without_radiometry_shows_relative_counts(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    camera.units = {(4, 8): b"500-0726-01".ljust(32, b"\0")}
    lepton = open_lepton()

    assert lepton.info.model == "Lepton 3.x 500-0726-01"
    assert not lepton.info.radiometric
    assert "only a radiometric Lepton (2.5, 3.1R, 3.5)" in reason_of(lepton.info)


def test_agc_is_never_celsius(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    _, scene = plug_lepton()
    scene.status = 1 << 12

    assert "AGC" in reason_of(open_lepton().info)


def test_eight_bits_are_agc_even_without_telemetry(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    stretched = np.arange(120 * 160, dtype="<u2").reshape(120, 160) % 256
    plug_lepton(lambda number: np.roll(stretched, number), sizes=[(160, 120)])

    assert "AGC" in reason_of(open_lepton().info)


@pytest.mark.parametrize(("celsius", "radiometric"), [(30.0, True), (-60.0, False)])
def test_without_telemetry_and_controls_the_counts_must_look_like_kelvin(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    lepton_scene: type[LeptonScene],
    celsius: float,
    radiometric: bool,
) -> None:
    scene = lepton_scene(telemetry_words=0, celsius=celsius)
    plug_lepton(scene=scene, sizes=[(160, 120)], units={})
    lepton = open_lepton()

    assert lepton.info.radiometric is radiometric
    if not radiometric:
        assert "median count of 213" in reason_of(lepton.info)


def test_counts_of_14_bits_are_no_kelvin(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    slope = np.arange(120 * 160, dtype="<u2").reshape(120, 160) // 40 + 8000
    plug_lepton(lambda number: slope + number, sizes=[(160, 120)], units={})

    assert "is no Kelvin×100" in reason_of(open_lepton().info)


def test_tlinear_that_makes_no_sense_is_not_believed(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.celsius = -120.0

    assert "the median would be -120 °C" in reason_of(open_lepton().info)


def test_a_stream_that_loses_its_calibration_is_refused(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    read(lepton, 2)
    camera.units[21, 18] = bytes(4)
    with pytest.raises(FrameRefusedError, match="sends no temperatures any more"):
        lepton.read(timeout_s=1)

    camera.units |= {(21, 18): b"\1\0\0\0", (21, 19): bytes(4)}
    with pytest.raises(FrameRefusedError, match=r"from 0.01 to 0.1 K per count"):
        lepton.read(timeout_s=1)

    camera.units[21, 19] = b"\1\0\0\0"
    assert np.median(lepton.read(timeout_s=1).celsius) == pytest.approx(30, abs=0.05)


def test_calibration_is_checked_at_every_start(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    camera.units[21, 18] = bytes(4)
    lepton = open_lepton("tlinear=keep")
    assert not lepton.info.radiometric

    camera.units |= {(21, 18): b"\1\0\0\0", (21, 19): b"\1\0\0\0"}
    assert lepton.open().radiometry == LinearRadiometry(0.01)


# Numbers, times and flags.


def test_the_frame_counter_numbers_the_frames(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.counter = lambda number: 59_884 + number + 3 * (number > 2)
    frames = read(open_lepton(), 5)

    assert [frame.index for frame in frames] == [0, 1, 2, 6, 7]
    assert bits(frames, FrameFlag.GAP_BEFORE) == [False, False, False, True, False]


def test_the_counter_may_wrap(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    _, scene = plug_lepton()
    scene.counter = lambda number: (0xFFFFFFFE + number) % (1 << 32)
    frames = read(open_lepton(), 4)

    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert not any(bits(frames, FrameFlag.GAP_BEFORE))


def test_a_counter_that_begins_anew_leaves_a_gap(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.counter = lambda number: 70_000 + number if number < 2 else number
    frames = read(open_lepton(), 4)

    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert bits(frames, FrameFlag.GAP_BEFORE) == [False, False, True, False]


def test_frames_that_a_lepton_2_5_sends_three_times_are_dropped(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    lepton_scene: type[LeptonScene],
    clock: HandClock,
) -> None:
    scene = lepton_scene(rows=60, columns=80, telemetry_words=240, rate_hz=27.0)
    scene.counter = lambda number: number // 3
    plug_lepton(scene=scene, sizes=[(80, 63)], rate_hz=27.0)
    start = clock.now
    frames = read(open_lepton(), 10)

    assert [frame.index for frame in frames] == list(range(10))
    assert not any(bits(frames, FrameFlag.DUPLICATE))
    assert clock.now - start == pytest.approx(1.0)


def test_waiting_for_another_frame_than_the_last_ends_in_time(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, clock: HandClock
) -> None:
    _, scene = plug_lepton()
    scene.counter = lambda number: 7
    lepton = open_lepton()
    lepton.read(timeout_s=0.25)
    start = clock.now
    with pytest.raises(CameraTimeoutError):
        lepton.read(timeout_s=0.25)

    assert clock.now - start == pytest.approx(0.25, abs=0.01)


def test_without_telemetry_repeated_pictures_are_flagged(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    scene = lepton_scene(telemetry_words=0)
    scene.counter = lambda number: number // 3
    plug_lepton(scene=scene, sizes=[(160, 120)])
    frames = read(open_lepton(), 7)

    duplicates = [False, True, True, False, True, True, False]
    assert bits(frames, FrameFlag.DUPLICATE) == duplicates
    assert not any(bits(frames, FrameFlag.SHUTTER))


def test_times_are_those_of_the_cameras_clock(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.uptime_ms = lambda number: 6_829_926 + 114 * number
    frames = read(open_lepton(), 4)

    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.114, 0.228, 0.342])


@pytest.mark.parametrize("jump_ms", [-5_000_000, 60_000, 1 << 30], ids=["back", "on", "far on"])
def test_a_clock_that_jumps_is_not_followed(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, jump_ms: int
) -> None:
    _, scene = plug_lepton()
    scene.uptime_ms = lambda number: 5_000_000 + 111 * number + jump_ms * (number > 2)
    frames = read(open_lepton(), 6)

    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.111, abs=0.002)


def test_a_clock_that_stands_still_is_replaced_by_ours(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.uptime_ms = lambda number: 0
    frames = read(open_lepton(), 4)

    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(1 / 9)


def test_the_shutter_is_known_by_telemetry(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.ffc_state = lambda number: 1 if number < 2 else 2 if number < 5 else 3
    scene.frozen = lambda number: 2 <= number < 5
    frames = read(open_lepton(), 26)

    closed = bits(frames, FrameFlag.SHUTTER)
    assert [number for number, shut in enumerate(closed) if shut] == [2, 3, 4, 5]
    after = bits(in_session(frames), FrameFlag.AFTER_SHUTTER)
    assert [number for number, soon in enumerate(after) if soon] == list(range(6, 23))
    assert bits(frames, FrameFlag.DUPLICATE)[3:5] == [True, True]


def test_a_correction_shortly_before_the_start_is_known_too(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.ffc_uptime_ms = 5_000_000 - 1500
    frames = read(open_lepton(), 6)

    assert bits(frames, FrameFlag.AFTER_SHUTTER) == [True] * 5 + [False]


def test_a_lepton_that_never_closed_its_shutter_is_not_flagged(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    _, scene = plug_lepton()
    scene.ffc_state = lambda number: 0
    scene.ffc_uptime_ms = 5_000_000

    assert [frame.flags for frame in read(open_lepton(), 3)] == [FrameFlag.NONE] * 3


def test_without_telemetry_a_frozen_picture_is_the_shutter(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    scene = lepton_scene(telemetry_words=0, frozen=lambda number: 2 <= number < 9)
    plug_lepton(scene=scene, sizes=[(160, 120)])
    frames = read(open_lepton(), 12)

    closed = bits(frames, FrameFlag.SHUTTER)
    assert [number for number, shut in enumerate(closed) if shut] == [5, 6, 7, 8]
    after = bits(in_session(frames), FrameFlag.AFTER_SHUTTER)
    assert after == [False] * 9 + [True] * 3


def test_a_hot_lepton_warns_once(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, caplog: pytest.LogCaptureFixture
) -> None:
    _, scene = plug_lepton()
    lepton = open_lepton()
    scene.status = 1 << 20
    read(lepton, 3)

    warnings = [
        record.message for record in caplog.records if "switch itself off" in record.message
    ]
    assert warnings == ["the Lepton at 33 °C is about to switch itself off; let it cool"]


# What comes damaged.


@pytest.mark.parametrize("value", [0, 65535])
def test_a_picture_without_content_is_flagged(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, value: int
) -> None:
    camera, scene = plug_lepton()

    def picture(number: int) -> np.ndarray:
        rows = scene.picture(number)
        if number == 2:
            rows[:120] = value
        return rows

    camera.picture = picture
    assert bits(read(open_lepton(), 4), FrameFlag.DAMAGED) == [False, False, True, False]


def test_a_stream_does_not_begin_with_an_empty_picture(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    scene = lepton_scene(telemetry_words=0)
    plug_lepton(
        lambda number: np.zeros((120, 160), "<u2") if number < 2 else scene.picture(number),
        sizes=[(160, 120)],
        units={},
    )
    lepton = open_lepton()

    assert lepton.info.radiometric
    assert not lepton.read(timeout_s=1).flags & FrameFlag.DAMAGED


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            lambda rows: rows[:120],
            r"sent a picture \(120, 160\) uint16, 38400 bytes, where 160×122",
        ),
        (lambda rows: rows[:0], r"0 bytes, where 160×122 with 16 bits was due"),
        (lambda rows: np.vstack([rows, rows[:1]]), r"39360 bytes"),
        (lambda rows: rows.view(np.uint8).reshape(1, -1)[:, :-1], r"39039 bytes"),
        (lambda rows: rows.astype(np.float32), "float32"),
        (lambda rows: np.zeros((122, 160, 3), np.uint8), "a colour picture .* which is not raw"),
        (lambda rows: np.roll(rows, 60, axis=0), "shifted"),
        (lambda rows: rows.byteswap(), "shifted"),
    ],
    ids=["rows missing", "empty", "too long", "odd", "floats", "colour", "shifted", "byte-swapped"],
)
def test_one_broken_picture_is_refused_and_the_next_one_comes(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, broken: Reshape, message: str
) -> None:
    camera, scene = plug_lepton()
    camera.picture = lambda number: (
        broken(scene.picture(number)) if number == 1 else scene.picture(number)
    )
    lepton = open_lepton()
    lepton.read(timeout_s=1)
    with pytest.raises(FrameRefusedError, match=message):
        lepton.read(timeout_s=1)

    assert lepton.read(timeout_s=1).index == 2


def test_a_picture_whose_end_is_an_earlier_ones_is_refused(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, scene = plug_lepton()

    def picture(number: int) -> np.ndarray:
        rows = scene.picture(number)
        if number == 5:
            rows[60:] = scene.picture(1)[60:]
        return rows

    camera.picture = picture
    lepton = open_lepton()
    read(lepton, 5)
    with pytest.raises(FrameRefusedError, match="the end of a Lepton's picture was lost"):
        lepton.read(timeout_s=1)
    assert lepton.read(timeout_s=1).index == 6


def test_without_telemetry_it_is_flagged(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    scene = lepton_scene(telemetry_words=0)

    def picture(number: int) -> np.ndarray:
        rows = scene.picture(number)
        if number == 5:
            rows[60:] = scene.picture(1)[60:]
        return rows

    plug_lepton(picture, sizes=[(160, 120)])
    damaged = bits(read(open_lepton(), 8), FrameFlag.DAMAGED)
    assert damaged == [False] * 5 + [True, False, False]


def test_a_stream_that_is_never_raw_is_refused_at_the_start(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton(lambda number: np.zeros((122, 160, 3), np.uint8))

    with pytest.raises(CameraError, match=r"colour picture \(122, 160, 3\), which is not raw"):
        open_lepton()
    assert camera.released == 1


# What ends a stream, or keeps it from beginning.


def test_a_lepton_that_is_unplugged_is_lost_at_once(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, clock: HandClock
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    lepton.read(timeout_s=1)
    camera.present = False
    start = clock.now
    for _ in range(2):
        with pytest.raises(CameraLostError, match="does not answer any more"):
            lepton.read(timeout_s=0.25)
    assert clock.now - start < 0.5

    with pytest.raises(CameraError, match="no Lepton “8003000b-5113” is plugged in"):
        lepton.open()
    camera.present = True
    assert lepton.open() == lepton.info
    assert lepton.read(timeout_s=1).index == 0


def test_a_lepton_that_comes_back_as_another_device_is_the_same_one(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton(target="8003000b-5113")
    camera.path = Path("/dev/video2")

    assert lepton.open() == lepton.info
    assert camera.plugged == ["/dev/video7", "/dev/video2"]


def test_once_opened_it_stays_with_the_same_lepton(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    camera.present, camera.others = False, [camera.twin]
    with pytest.raises(CameraError, match=f"no Lepton “{camera.serial}” is plugged in"):
        lepton.open()
    camera.present = True

    assert lepton.open().serial == camera.serial
    assert camera.plugged == ["/dev/video7"] * 2


def test_a_lepton_that_is_unplugged_while_it_opens_is_left_closed(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, scene = plug_lepton()

    def leave(number: int) -> NDArray[np.uint16]:
        camera.present = False
        rows = scene.picture(number)
        rows[:120] = 30_000  # nothing to begin with, so the next picture is waited for
        return rows

    camera.picture = leave
    with pytest.raises(CameraLostError, match="does not answer any more"):
        open_lepton()

    assert camera.released == 1


def test_a_read_that_fails_is_a_loss(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    lepton.read(timeout_s=1)
    camera.picture = lambda number: None

    with pytest.raises(CameraLostError):
        lepton.read(timeout_s=1)


def test_a_stream_that_stalls_times_out_again_and_again(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    lepton.read(timeout_s=1)
    monkeypatch.setattr(camera, "wait", clock.sleep)
    start = clock.now
    for _ in range(4):
        with pytest.raises(CameraTimeoutError):
            lepton.read(timeout_s=0.25)

    assert clock.now - start == pytest.approx(1.0)


def test_a_lepton_that_sends_nothing_says_what_to_look_at(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton(lambda number: None)

    with pytest.raises(CameraError, match="sends no pictures; unplug it, see that its sensor sits"):
        open_lepton()
    assert camera.released == 1


def test_another_format_is_refused_by_name(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton(fourcc="UYVY")

    with pytest.raises(CameraError, match="gives “UYVY” instead of raw pictures"):
        open_lepton()
    assert camera.released == 1


def test_a_lepton_in_use_says_so(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    plug_lepton(busy=True)

    with pytest.raises(CameraError, match=r"cannot be opened|is gone"):
        open_lepton()


def test_missing_rights_name_the_remedy(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plug_lepton(busy=True)
    monkeypatch.setattr("drivers.uvc_capture.os.access", lambda path, mode: False)
    monkeypatch.setattr("drivers.uvc_capture.Path.exists", lambda path: True)

    with pytest.raises(CameraError, match="may not be opened by you; run “thermoseg install-udev”"):
        open_lepton()


def test_a_target_that_is_not_there_is_named(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    plug_lepton()

    with pytest.raises(CameraError, match="no Lepton “4711” is plugged in; there is lepton:8003"):
        open_lepton(target="4711")


@pytest.mark.parametrize("target", ["8003000b-5113", "pci-0000:00:14.0-usb-0:2:1.0-video-index0"])
def test_serial_number_and_place_both_open_it(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, target: str
) -> None:
    plug_lepton()

    assert open_lepton(target=target).info.model == "Lepton 3.5"


def test_a_mistyped_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="gain"):
        make_camera("lepton:?gain=medium")


# Settings and commands.


def test_ffc_runs_on_request(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    camera.written.clear()
    lepton.actions["Flat-field correction"]()

    assert [query[:2] for query in camera.written] == [(6, 17)]
    assert len(camera.written[0][2]) == 1


def mode_of(camera: UvcCamera) -> int:
    """Return the mode of the shutter: 0 manual, 1 automatic, 2 external."""
    return int.from_bytes(camera.units[6, 16][:4], "little")


def test_a_lepton_waits_to_be_asked_for_corrections_and_goes_on_by_itself_afterwards(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    rest = camera.units[6, 16][4:]
    lepton.set_automatic_correction(False)
    assert mode_of(camera) == 0
    lepton.set_automatic_correction(True)
    assert mode_of(camera) == 1
    lepton.set_automatic_correction(False)
    lepton.close()

    assert mode_of(camera) == 1
    assert camera.units[6, 16][4:] == rest


def test_a_lepton_that_was_opened_for_manual_corrections_stays_so(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton("shutter=manual")
    lepton.set_automatic_correction(False)
    lepton.set_automatic_correction(True)
    lepton.close()

    assert mode_of(camera) == 0


def test_a_lepton_whose_cable_was_pulled_gets_its_shutter_back_when_it_is_opened_again(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    lepton.set_automatic_correction(False)
    camera.present = False
    lepton.close()
    assert mode_of(camera) == 0
    camera.present = True
    lepton.open()

    assert mode_of(camera) == 1


def test_a_lepton_that_does_not_let_its_shutter_be_set_is_an_error(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    lepton = open_lepton()
    del camera.units[6, 16]

    with pytest.raises(CameraError, match="the shutter"):
        lepton.set_automatic_correction(False)
    lepton.close()
    with pytest.raises(CameraError, match="is not open"):
        lepton.set_automatic_correction(False)


def test_ffc_of_a_closed_lepton_is_an_error(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    plug_lepton()
    lepton = open_lepton()
    lepton.close()

    with pytest.raises(CameraError, match="is not open"):
        lepton.run_ffc()


@pytest.mark.parametrize(("gain", "word"), [("high", 0), ("low", 1), ("auto", 2)])
def test_gain_is_set(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, gain: str, word: int
) -> None:
    camera, _ = plug_lepton()
    open_lepton(f"gain={gain}")

    assert (6, 19, struct.pack("<I", word)) in camera.written


def test_a_gain_that_the_lepton_does_not_take_is_refused(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, _ = plug_lepton()
    ask = camera.ioctl

    def keep_high(file: int, request: int, query: ctypes.Structure) -> int:
        answer = ask(file, request, query)
        camera.units[6, 19] = struct.pack("<I", 0)
        return answer

    monkeypatch.setattr(camera, "ioctl", keep_high)
    with pytest.raises(CameraError, match="has its gain high and not low; leave gain=low away"):
        open_lepton("gain=low")


def test_a_lepton_tells_of_itself_without_a_transfer(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """306.13 K and 305.18 K of the scene's telemetry are 32.98 and 32.03 °C."""
    camera, scene = plug_lepton()
    scene.ffc_state = lambda number: [3, 1, 2, 3][min(number, 3)]
    lepton = open_lepton("gain=auto")
    before = lepton.telemetry()
    monkeypatch.setattr(camera, "ioctl", None)
    told = []
    for _ in range(4):
        lepton.read(timeout_s=1)
        told.append(lepton.telemetry())

    assert before == {"gain": "auto"}
    assert told[0] == {
        "gain": "auto",
        "fpa_c": 32.98,
        "housing_c": 32.03,
        "shutter": "open",
        "uptime_s": 5000.0,
    }
    assert [one["shutter"] for one in told] == ["open", "about to close", "closed", "open"]
    assert told[3]["uptime_s"] == pytest.approx(5000 + 3 / 9, abs=0.001)
    lepton.close()
    assert lepton.telemetry() == {}


def test_a_lepton_tells_only_what_it_knows(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, lepton_scene: type[LeptonScene]
) -> None:
    plug_lepton(scene=lepton_scene(telemetry_words=0), sizes=[(160, 120)], units={})
    lepton = open_lepton()
    lepton.read(timeout_s=1)

    assert lepton.telemetry() == {}


def test_opening_ends_in_time_though_the_setting_never_takes_hold(
    plug_lepton: PlugLepton,
    open_lepton: OpenLepton,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, scene = plug_lepton()
    monkeypatch.setattr(scene, "tlinear", lambda: (0, 0))
    picture = camera.picture

    def late(number: int) -> NDArray[Any] | None:
        clock.sleep(0.95 if number == 0 else 0)
        return picture(number)

    camera.picture = late
    start = clock.now
    lepton = open_lepton()

    assert 1.7 < clock.now - start < 1.9, "closing has to fit into the 2 s of Session.stop as well"
    assert "TLinear is off" in reason_of(lepton.info)


@pytest.mark.parametrize(("shutter", "mode"), [("manual", 0), ("auto", 1)])
def test_only_the_mode_of_the_shutter_is_changed(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, shutter: str, mode: int
) -> None:
    camera, _ = plug_lepton()
    open_lepton(f"shutter={shutter}")

    written = next(data for unit, selector, data in camera.written if (unit, selector) == (6, 16))
    assert written == struct.pack("<7I2H", mode, 0, 1, 0, 0, 180_000, 0, 150, 52)


def test_nothing_but_tlinear_is_touched_unasked(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    open_lepton()

    assert {query[:2] for query in camera.written} == {(21, 18), (21, 19)}


def test_a_setting_that_was_asked_for_and_fails_is_an_error(
    plug_lepton: PlugLepton, open_lepton: OpenLepton
) -> None:
    camera, _ = plug_lepton()
    del camera.units[6, 19]

    with pytest.raises(CameraError, match="no control for gain"):
        open_lepton("gain=low")
    assert camera.released == 1


# Where it is found, and other systems.


def test_a_lepton_lists_itself(plug_lepton: PlugLepton) -> None:
    plug_lepton()
    (listing,) = LeptonCamera.discover()

    assert listing.address == "lepton:8003000b-5113"
    assert (listing.model, listing.serial) == ("Lepton 3.x", "8003000b-5113")
    assert (listing.width, listing.height, listing.rate_hz) == (160, 120, 9.0)
    assert listing.problem == ""


def test_other_cameras_are_none_of_ours(plug_lepton: PlugLepton) -> None:
    plug_lepton(vendor=0x046D)

    assert list(LeptonCamera.discover()) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"refusal": PermissionError(13, "Permission denied")}, "thermoseg install-udev"),
        ({"refusal": OSError(19, "No such device")}, "does not answer (No such device)"),
        ({"sizes": [(320, 240)]}, "offers no raw pictures (Y16)"),
    ],
    ids=["rights", "gone", "format"],
)
def test_a_lepton_that_cannot_be_used_is_listed_with_the_reason(
    plug_lepton: PlugLepton, settings: dict[str, object], problem: str
) -> None:
    plug_lepton(None, None, **settings)
    (listing,) = LeptonCamera.discover()

    assert problem in listing.problem


def test_macos_is_told_the_truth(plug_lepton: PlugLepton, open_lepton: OpenLepton) -> None:
    plug_lepton(platform="darwin")
    (listing,) = LeptonCamera.discover()

    assert "macOS gives programs no raw pictures" in listing.problem
    with pytest.raises(CameraError, match="use it on Linux or Windows"):
        open_lepton()


def test_windows_opens_by_number_and_sets_nothing(
    plug_lepton: PlugLepton, lepton_scene: type[LeptonScene]
) -> None:
    stand_in, _ = plug_lepton(platform="win32", scene=lepton_scene(rate_hz=200), rate_hz=200)
    (listing,) = LeptonCamera.discover()
    camera = make_camera("lepton:0")
    info = camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(4)]
    with pytest.raises(CameraError, match="on Linux only"):
        camera.run_ffc()  # type: ignore[attr-defined]
    camera.close()

    assert stand_in.windows_apis == [cv2.CAP_DSHOW], "which hands on Y16 as it is"
    assert "lepton:0" in listing.problem
    assert (info.serial, info.radiometry) == ("4444333322221111", LinearRadiometry(0.01))
    assert frames[0].index == 0
    assert np.all(np.diff([frame.index for frame in frames]) >= 1)


@pytest.mark.parametrize(
    ("address", "message"),
    [("lepton:", "try lepton:0"), ("lepton:0?gain=low", "on Linux only")],
)
def test_windows_says_what_it_cannot(plug_lepton: PlugLepton, address: str, message: str) -> None:
    plug_lepton(platform="win32")
    camera = make_camera(address)

    with pytest.raises(CameraError, match=message):
        camera.open()
    camera.close()


# Real pictures, and a real OpenCV.


def recorded(test_data: Path) -> np.ndarray:
    """(82, 120, 160) counts of a Lepton 3.5 on a PureThermal 3."""
    stream = gzip.decompress((test_data / SAMPLE).read_bytes())
    (length,) = struct.unpack_from("<I", stream, 8)
    assert json.loads(stream[12 : 12 + length])["width"] == 160
    frame = np.dtype([("stamp", "V24"), ("counts", "<u2", (120, 160))])
    return np.frombuffer(stream, frame, offset=12 + length)["counts"]


def test_real_pictures_are_celsius(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, test_data: Path
) -> None:
    pictures = recorded(test_data)
    plug_lepton(lambda number: pictures[number], sizes=[(160, 120)], units={})
    lepton = open_lepton()
    frames = read(lepton, 82)
    celsius = np.stack([frame.celsius for frame in frames])

    assert lepton.info.radiometry == LinearRadiometry(0.01)
    assert celsius.min() == pytest.approx(20.03, abs=0.005)
    assert celsius.max() == pytest.approx(33.41, abs=0.005)
    assert np.median(celsius) == pytest.approx(22.21, abs=0.005)
    assert {frame.flags for frame in frames} == {FrameFlag.NONE}


def test_real_pictures_that_end_as_the_fourth_before_are_found_out(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, test_data: Path
) -> None:
    pictures = recorded(test_data).copy()
    torn = list(range(10, 82, 9))
    for number in torn:
        pictures[number, 80:] = pictures[number - 4, 80:]
    plug_lepton(lambda number: pictures[number], sizes=[(160, 120)], units={})
    damaged = bits(read(open_lepton(), 82), FrameFlag.DAMAGED)

    assert [number for number, bad in enumerate(damaged) if bad] == torn


@pytest.fixture(scope="module")
def v4l2_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a V4L2 camera that stands before the kernel's."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("v4l2") / "v4l2.so"
    source = Path(__file__).with_name("v4l2_stand_in.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library


SCRIPT = """
    import json, sys, time
    from pathlib import Path
    from dataclasses import replace
    from drivers.lepton import LeptonCamera
    from drivers.uvc_nodes import VideoNode
    from thermoseg.cameras import make_camera
    from thermoseg.errors import CameraError, CameraTimeoutError

    node = VideoNode(Path(sys.argv[1]), 0x1E4E, 0x0100, "PureThermal", "A1", "usb-1")
    LeptonCamera.system = replace(LeptonCamera.system, nodes=lambda: [node])
    camera = make_camera("lepton:A1")
    (listing,) = camera.discover()
    told = {"size": listing.size, "problem": listing.problem, "frames": [], "late_s": []}
    began = time.monotonic()
    try:
        told["model"] = camera.open().model
        while len(told["late_s"]) < 3:
            began = time.monotonic()
            try:
                frame = camera.read(0.25)
            except CameraTimeoutError:
                told["late_s"].append(time.monotonic() - began)
            else:
                told["frames"].append((frame.index, float(frame.celsius[0, 0]), frame.time_s))
    except CameraError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    told["seconds"] = time.monotonic() - began
    camera.close()
    print(json.dumps(told))
"""


@pytest.fixture
def see(v4l2_stand_in: Path, tmp_path: Path, lepton_scene: type[LeptonScene]) -> See:
    """Run the driver with OpenCV over that many frames of the V4L2 stand-in, and what follows."""

    def run(frames: int, end: str) -> dict[str, Any]:
        node = tmp_path / "video7"
        node.touch()
        scene = lepton_scene()
        pictures = b"".join(scene.picture(number).tobytes() for number in range(frames))
        (tmp_path / "frames").write_bytes(pictures)
        (tmp_path / "units").write_bytes(bytes(512))
        settings = {
            "LD_PRELOAD": str(v4l2_stand_in),
            "STAND_IN_NODE": str(node),
            "STAND_IN_FRAMES": str(tmp_path / "frames"),
            "STAND_IN_BYTES": str(122 * 160 * 2),
            "STAND_IN_SIZES": "160x120,160x122",
            "STAND_IN_MS": "40",
            "STAND_IN_END": end,
            "STAND_IN_XU": str(tmp_path / "units"),
        }
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT), str(node)],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return run


def test_opencv_streams_from_v4l2_and_a_stall_ends_each_read_in_time(see: See) -> None:
    told = see(9, "stall")

    assert told["size"] == "160×120, 25/s"
    assert told["model"] == "Lepton 3.x"
    # OpenCV throws the first picture of a stream away.
    assert [index for index, _, _ in told["frames"]] == list(range(8))
    assert all(corner == pytest.approx(20, abs=0.3) for _, corner, _ in told["frames"])
    # The quickest, as a busy machine may hold one up; OpenCV by itself would wait a whole second.
    assert 0.2 < min(told["late_s"]) < 0.5


def test_opencv_notices_that_the_camera_is_unplugged(see: See) -> None:
    told = see(5, "unplug")

    assert len(told["frames"]) == 4
    assert told["error"].startswith("CameraLostError: the Lepton A1 does not answer any more")
    assert told["seconds"] < 0.5


def test_a_stream_that_never_begins_is_given_up_within_two_seconds(see: See) -> None:
    told = see(0, "stall")

    assert told["error"].startswith("CameraError: the Lepton A1 sends no pictures")
    assert told["seconds"] < 2


def test_a_session_outlives_the_cable_and_runs_ffc(
    plug_lepton: PlugLepton, wait_for: WaitFor
) -> None:
    stand_in, _ = plug_lepton(rate_hz=50.0)
    session = Session(make_camera("lepton:"), None)
    session.start()
    wait_for(lambda: session.look().counts.captured > 5)
    stand_in.present = False
    wait_for(lambda: session.look().lost)
    stand_in.present = True
    wait_for(lambda: session.look().counts.gaps == 1)
    session.perform("Flat-field correction")
    wait_for(lambda: (6, 17, b"\1") in stand_in.written)
    session.stop()

    assert session.look().error is None
    assert any("was lost" in event.text for event in session.look().events)


def waits(video: Video, timeout_s: float) -> bool:
    assert isinstance(video, UvcCamera)
    return video.wait(timeout_s)


def two_leptons(
    uvc_camera: type[UvcCamera],
    lepton_scene: type[LeptonScene],
    units: dict[tuple[int, int], bytes],
) -> tuple[UvcCamera, UvcCamera, UvcSystem]:
    """Return two stand-ins and the system that both are plugged into."""
    places = {"one": Path("/dev/video7"), "two": Path("/dev/video9")}
    cameras = {
        path: uvc_camera(
            lambda number: None, serial=serial, path=path, units=dict(units), rate_hz=50.0
        )
        for serial, path in places.items()
    }
    for camera in cameras.values():
        camera.picture = lepton_scene(camera, rate_hz=50.0).picture
    system = UvcSystem(
        platform="linux",
        nodes=lambda: [camera.node for camera in cameras.values() if camera.present],
        modes=lambda path: cameras[path].modes(path),
        video=lambda path, api: cameras[Path(path)].plug(path, api),
        waits=waits,
        controls=lambda path: ExtensionUnits(Path(os.devnull), cameras[path].ioctl),
    )
    one, two = cameras.values()
    return one, two, system


def serial_of(session: Session) -> str:
    info = session.look().info
    assert info is not None
    return info.serial


def test_a_second_lepton_is_not_affected_when_the_first_is_unplugged(
    uvc_camera: type[UvcCamera],
    lepton_scene: type[LeptonScene],
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, _, system = two_leptons(uvc_camera, lepton_scene, LEPTON_UNITS)
    monkeypatch.setattr(LeptonCamera, "system", system)
    first = Session(make_camera("lepton:one"), None)
    second = Session(make_camera("lepton:two"), None)
    with first, second:
        wait_for(lambda: min(s.look().counts.captured for s in (first, second)) > 5)
        one.present = False
        wait_for(lambda: first.look().lost)
        alone = second.look().counts.captured
        wait_for(lambda: second.look().counts.captured > alone + 25)
        one.present = True
        wait_for(lambda: first.look().counts.reopened == 1 and not first.look().lost)
        together = second.look().counts.captured
        wait_for(lambda: second.look().counts.captured > together + 5)
    counts = second.look().counts

    assert (serial_of(first), serial_of(second)) == ("one", "two")
    assert first.look().counts.gaps == 1
    assert (counts.gaps, counts.reopened, counts.refused) == (0, 0, 0)
    assert second.look().events == ()


def storm(number: int, rate_hz: int) -> bool:
    """Whether the shutter is closed: for the first third of each second."""
    return number % rate_hz < rate_hz // 3


def test_a_shutter_that_closes_each_second_for_20_s_flags_all_and_loses_nothing(
    plug_lepton: PlugLepton, open_lepton: OpenLepton, clock: HandClock
) -> None:
    _, scene = plug_lepton()
    scene.frozen = lambda number: storm(number, 9)
    scene.ffc_state = lambda number: 2 if storm(number, 9) else 3
    lepton = open_lepton()
    line = TimeLine()
    line.open(clock.now, live=True, rate_hz=9.0)
    placed: list[Frame] = []
    remarks: set[str] = set()
    missed = 0
    for frame in read(lepton, 180):
        placed.append(line.place(frame, clock.now))
        missed += line.missed
        remarks.add(line.remark)

    assert all(frame.flags & (FrameFlag.SHUTTER | FrameFlag.AFTER_SHUTTER) for frame in placed)
    assert [frame.index for frame in placed] == list(range(180))
    assert (missed, remarks) == (0, {""})


def test_a_session_lives_through_a_storm_of_corrections(
    plug_lepton: PlugLepton, wait_for: WaitFor
) -> None:
    _, scene = plug_lepton(rate_hz=50.0)
    scene.frozen = lambda number: storm(number, 50)
    scene.ffc_state = lambda number: 2 if storm(number, 50) else 3
    with Session(make_camera("lepton:"), None) as session:
        wait_for(lambda: session.look().counts.captured >= 120)
    counts = session.look().counts

    assert counts.flagged == counts.captured
    assert (counts.gaps, counts.refused, counts.reopened) == (0, 0, 0)


@pytest.mark.parametrize(("dead", "celsius"), [(0, -273.15), (65535, 382.2)])
def test_a_dead_column_ends_no_session(
    plug_lepton: PlugLepton, wait_for: WaitFor, dead: int, celsius: float
) -> None:
    stand_in, scene = plug_lepton(rate_hz=50.0)

    def picture(number: int) -> np.ndarray:
        array = scene.picture(number)
        array[:120, 80] = dead
        return array

    stand_in.picture = picture
    with Session(make_camera("lepton:"), None) as session:
        wait_for(lambda: session.look().counts.captured >= 20)
        frame = session.look().frame
    counts, info = session.look().counts, session.look().info

    assert info is not None
    assert info.radiometric
    assert frame is not None
    assert np.allclose(frame.celsius[:, 80], celsius, atol=0.01)
    assert np.median(frame.celsius) == pytest.approx(30, abs=0.1)
    assert (counts.flagged, counts.refused, counts.gaps) == (0, 0, 0)
