"""Faults on demand: how they are written, and what a reader of the camera sees of each."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from drivers.fault_plan import Fault, FaultKind, FaultPlan
from drivers.simulated import SimulatedCamera
from tests.drivers.hand_clock import HandClock
from thermoseg.cameras import make_camera
from thermoseg.errors import CameraLostError, CameraTimeoutError, ConfigError, FrameRefusedError
from thermoseg.frames import Frame, FrameFlag

SMALL = "simulated:?width=64&height=48&rate_hz=10"


@pytest.fixture
def opened(clock: HandClock) -> Iterator[Callable[[str], SimulatedCamera]]:
    cameras = []

    def make(fault: str) -> SimulatedCamera:
        camera = make_camera(f"{SMALL}&fault={fault}")
        assert isinstance(camera, SimulatedCamera)
        camera.open()
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def read(camera: SimulatedCamera, count: int) -> list[Frame]:
    return [camera.read(timeout_s=0.25) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ()),
        ("unplug@5s", (Fault(FaultKind.UNPLUG, 5, 2),)),
        ("unplug@5s+0.5s", (Fault(FaultKind.UNPLUG, 5, 0.5),)),
        ("unplug@5s 3s", (Fault(FaultKind.UNPLUG, 5, 3),)),
        ("stall@12s", (Fault(FaultKind.STALL, 12, math.inf),)),
        ("clock@1s-10s", (Fault(FaultKind.CLOCK, 1, -10),)),
        ("ffc@2.5s,size@0s", (Fault(FaultKind.FFC, 2.5, 1), Fault(FaultKind.SIZE, 0, 0))),
    ],
)
def test_a_plan_is_read_as_written(text: str, faults: tuple[Fault, ...]) -> None:
    assert FaultPlan.parse(text).faults == faults


@pytest.mark.parametrize(
    "text",
    [
        "explode@5s",
        "unplug",
        "unplug@5",
        "unplug@s",
        "unplug@-5s",
        "unplug@5s+",
        "unplug@5s-2s",
        "unplug@nans",
        "unplug@infs",
        "unplug@5s+2s+2s",
        "unplug@5s,,stall@6s",
        "unplug@5s, stall@6s",
        "UNPLUG@5s",
        "unplug@٥s",
        "stall@99999999s",
        "ffc@1s+9999999s",
    ],
)
def test_what_is_no_plan_is_one_sentence_that_names_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_camera(f"simulated:?fault={text}")

    sentence = str(caught.value)
    assert "option “fault”: “" in sentence
    assert "\n" not in sentence
    assert "Value error" not in sentence


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="“fault” twice"):
        make_camera("simulated:?fault=ffc@1s&fault=stall@2s")


def test_an_unplugged_camera_is_lost_until_it_is_plugged_in_again(
    opened: Callable[[str], SimulatedCamera], clock: HandClock
) -> None:
    camera = opened("unplug@0.5s%2B2s")
    assert [frame.index for frame in read(camera, 5)] == [0, 1, 2, 3, 4]
    with pytest.raises(CameraLostError, match="was unplugged; plug it in"):
        camera.read(timeout_s=0.25)
    camera.close()
    with pytest.raises(CameraLostError, match="is unplugged; plug it in"):
        camera.open()
    clock.now += 2.0
    camera.open()

    assert [frame.index for frame in read(camera, 40)][-1] == 39


def test_a_camera_that_was_out_for_an_instant_must_be_opened_again(
    opened: Callable[[str], SimulatedCamera], clock: HandClock
) -> None:
    camera = opened("unplug@0.5s+0s")
    read(camera, 5)
    clock.now += 3
    for _ in range(2):
        with pytest.raises(CameraLostError):
            camera.read(timeout_s=0.25)
    camera.open()

    assert len(read(camera, 3)) == 3


def test_a_stalled_camera_sends_nothing_until_it_is_opened_again(
    opened: Callable[[str], SimulatedCamera], clock: HandClock
) -> None:
    camera = opened("stall@0.5s")
    read(camera, 5)
    began = clock.now
    for attempt in range(1, 41):
        with pytest.raises(CameraTimeoutError):
            camera.read(timeout_s=0.25)
        assert clock.now - began == pytest.approx(0.25 * attempt)
    camera.close()
    camera.open()

    assert [frame.index for frame in read(camera, 3)] == [0, 1, 2]


def test_frames_of_a_short_stall_are_missing_by_their_numbers(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened("stall@0.5s+2s")
    indices: list[int] = []
    while len(indices) < 10:
        try:
            indices.append(camera.read(timeout_s=0.25).index)
        except CameraTimeoutError:
            continue

    assert indices[:5] == [0, 1, 2, 3, 4]
    assert 24 <= indices[5] <= 26
    assert np.all(np.diff(indices[5:]) == 1)


def test_a_truncated_frame_is_refused_and_the_next_one_comes(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened("truncated@0.3s")
    read(camera, 3)
    with pytest.raises(FrameRefusedError, match="3072 of its 6144 bytes"):
        camera.read(timeout_s=0.25)

    assert camera.read(timeout_s=0.25).index == 4


def test_faults_of_frames_last_as_long_as_they_are_told_to(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened("size@0.3s+0.25s")
    shapes = [frame.counts.shape for frame in read(camera, 8)]

    assert shapes == [(48, 64)] * 3 + [(50, 64)] * 3 + [(48, 64)] * 2


def test_a_duplicate_is_the_picture_before_with_a_number_of_its_own(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    frames = read(opened("duplicate@0.3s"), 5)
    same = [np.array_equal(one.counts, two.counts) for one, two in pairwise(frames)]

    assert same == [False, False, True, False]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[3].flags == FrameFlag.NONE, "the driver does not know"


def test_a_corrupt_line_is_marked_and_the_other_lines_are_right(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    frames = read(opened("corrupt@0.3s"), 5)
    (whole,) = read(opened(""), 4)[3:]

    assert [bool(frame.flags & FrameFlag.DAMAGED) for frame in frames] == [0, 0, 0, 1, 0]
    wrong = np.flatnonzero((frames[3].counts != whole.counts).any(axis=1))
    assert wrong.tolist() == [24]


def test_the_clock_jumps_while_the_numbers_go_on(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    ahead = read(opened("clock@0.3s"), 5)
    back = read(opened("clock@0.3s-10s"), 5)

    assert [frame.time_s for frame in ahead] == pytest.approx([0, 0.1, 0.2, 3600.3, 3600.4])
    assert [frame.time_s for frame in back] == pytest.approx([0, 0.1, 0.2, -9.7, -9.6])
    assert [frame.index for frame in ahead] == [0, 1, 2, 3, 4]
    assert np.diff([frame.wall_time for frame in ahead]) == pytest.approx(0.1, abs=1e-5)


def test_the_picture_stands_still_while_the_shutter_is_closed(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    frames = read(opened("ffc@0.5s+1s"), 18)
    closed = [bool(frame.flags & FrameFlag.SHUTTER) for frame in frames]

    assert closed == [False] * 5 + [True] * 10 + [False] * 3
    assert all(np.array_equal(frame.counts, frames[4].counts) for frame in frames[5:15])
    assert not np.array_equal(frames[15].counts, frames[4].counts)


def test_without_a_clock_faults_strike_by_the_number_of_the_frame() -> None:
    camera = make_camera(f"{SMALL}&fault=corrupt@0.3s&realtime=false")
    camera.open()
    flags = [camera.read(timeout_s=0.25).flags for _ in range(5)]
    camera.close()

    assert flags.index(FrameFlag.DAMAGED) == 3
