"""The phantom as a camera: its clock, its losses, its options."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.picture_loop import DrawnPicture
from drivers.simulated import SimulatedCamera
from tests.drivers.hand_clock import HandClock
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraPreparingError,
    CameraTimeoutError,
    ConfigError,
    StreamEndedError,
)
from thermoseg.frames import Frame, FrameFlag
from thermoseg.phantom.head import Phantom, PhantomPicture

SMALL = "simulated:?width=64&height=48"


@pytest.fixture
def opened() -> Iterator[Callable[[str], SimulatedCamera]]:
    cameras = []

    def make(address: str) -> SimulatedCamera:
        camera = make_camera(address)
        assert isinstance(camera, SimulatedCamera)
        camera.open()
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def read(camera: SimulatedCamera, count: int) -> list[Frame]:
    return [camera.read(timeout_s=10) for _ in range(count)]


@pytest.mark.parametrize("rate_hz", [9, 30])
def test_the_rate_is_kept_over_a_second(
    clock: HandClock, opened: Callable[[str], SimulatedCamera], rate_hz: int
) -> None:
    camera = opened(f"{SMALL}&rate_hz={rate_hz}")
    start = clock.now
    frames = read(camera, rate_hz + 1)

    assert clock.now - start == pytest.approx(1.0, abs=1e-6)
    assert [frame.index for frame in frames] == list(range(rate_hz + 1))
    assert frames[-1].time_s == pytest.approx(1.0)
    assert frames[-1].wall_time == pytest.approx(1.7e9 + clock.now)


def test_frames_that_nobody_reads_are_lost_and_counted_by_the_index(
    clock: HandClock, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=20")
    (before,) = read(camera, 1)
    clock.now += 2.0
    after, following = read(camera, 2)

    assert before.index == 0
    assert after.index == 40
    assert following.index == 41
    assert after.time_s == pytest.approx(2.0)


def test_a_reader_that_is_a_little_late_loses_nothing(
    clock: HandClock, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=20")
    read(camera, 1)
    clock.now += 0.18
    late = clock.now
    frames = read(camera, 3)

    assert [frame.index for frame in frames] == [1, 2, 3]
    assert clock.now == late, "frames that wait in the buffer come at once"


def test_a_read_waits_no_longer_than_asked_and_no_frame_is_lost_by_it(
    clock: HandClock, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=2")
    read(camera, 1)
    start = clock.now

    for attempt in (1, 2, 3):
        with pytest.raises(CameraTimeoutError, match=r"0\.125 s"):
            camera.read(timeout_s=0.125)
        assert clock.now - start == pytest.approx(0.125 * attempt)
    frame = camera.read(timeout_s=0.2)

    assert frame.index == 1
    assert clock.now - start == pytest.approx(0.5)


def test_without_a_clock_frames_come_as_fast_as_they_are_read(
    clock: HandClock, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&realtime=false")
    start = clock.now
    read(camera, 2)
    clock.now += 100
    frames = read(camera, 2)

    assert clock.now == start + 100
    assert [frame.index for frame in frames] == [2, 3]
    assert [frame.time_s for frame in frames] == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize("realtime", ["true", "false"])
def test_it_ends_after_the_frames_that_were_asked_for(
    clock: HandClock, opened: Callable[[str], SimulatedCamera], realtime: str
) -> None:
    camera = opened(f"{SMALL}&frames=3&realtime={realtime}")
    frames = read(camera, 3)

    assert [frame.index for frame in frames] == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(StreamEndedError, match="3 frames"):
            camera.read(timeout_s=1)


def test_no_frame_after_the_last_reaches_a_slow_reader(
    clock: HandClock, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=20&frames=10")
    read(camera, 1)
    clock.now += 5

    with pytest.raises(StreamEndedError):
        camera.read(timeout_s=1)


def test_it_says_what_kind_of_source_it_is() -> None:
    live = make_camera(f"{SMALL}&rate_hz=25").open()
    file_like = make_camera(f"{SMALL}&frames=7&realtime=false").open()

    assert (live.width, live.height, live.rate_hz) == (64, 48, 25)
    assert live.live
    assert live.frame_count is None
    assert live.radiometric
    assert not file_like.live
    assert file_like.frame_count == 7


def test_the_same_address_shows_the_same_pictures(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    address = f"{SMALL}&seed=5&realtime=false"
    one, other = read(opened(address), 4), read(opened(address), 4)
    stranger = read(opened(f"{SMALL}&seed=6&realtime=false"), 1)

    assert all(np.array_equal(a.counts, b.counts) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0].counts, stranger[0].counts)


def test_a_coarse_camera_averages_what_a_fine_one_sees(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    options = "perfect=true&realtime=false"
    (coarse,) = read(opened(f"simulated:?width=80&height=60&{options}"), 1)
    (fine,) = read(opened(f"simulated:?width=160&height=120&{options}"), 1)
    blocks = fine.celsius.reshape(60, 2, 80, 2).mean(axis=(1, 3))

    assert np.abs(coarse.celsius - blocks).max() <= 0.011, "a count of 0.01 K"


def test_a_perfect_camera_has_no_noise_and_a_usual_one_has(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    still = "motion=0&breath_depth_k=0&realtime=false&rate_hz=1000"
    perfect = read(opened(f"{SMALL}&perfect=true&{still}"), 2)
    noisy = read(opened(f"{SMALL}&netd_k=0.05&{still}"), 2)

    assert np.array_equal(perfect[0].counts, perfect[1].counts)
    assert np.std(noisy[1].celsius - noisy[0].celsius) > 0.02


def test_the_shutter_is_flagged_while_closed_and_for_two_seconds_after(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&realtime=false&shutter_every_s=4")
    frames = read(camera, 36)
    flags = [frame.flags for frame in frames]

    assert flags[:20] == [FrameFlag.NONE] * 20
    assert flags[20:25] == [FrameFlag.SHUTTER] * 5, "closed for a second"
    assert flags[25:35] == [FrameFlag.AFTER_SHUTTER] * 10
    assert flags[35] == FrameFlag.NONE
    assert all(np.array_equal(frame.counts, frames[19].counts) for frame in frames[20:25])
    assert not np.array_equal(frames[25].counts, frames[19].counts)


def closed_of(frames: list[Frame]) -> list[int]:
    return [frame.index for frame in frames if frame.flags & FrameFlag.SHUTTER]


@pytest.mark.parametrize("loop", ["", "&loop_s=20"])
def test_it_corrects_itself_when_it_is_asked_to(
    loop: str, opened: Callable[[str], SimulatedCamera]
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&realtime=false&shutter_every_s=1000{loop}")
    before = read(camera, 10)
    camera.actions["Flat-field correction"]()
    after = read(camera, 10)

    assert closed_of(before + after) == [10, 11, 12, 13, 14], "a second"
    assert all(np.array_equal(frame.counts, before[-1].counts) for frame in after[:5])


def test_it_waits_to_be_asked_and_makes_up_for_it_afterwards(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&realtime=false&shutter_every_s=4")
    camera.set_automatic_correction(False)
    held = read(camera, 27)
    camera.set_automatic_correction(True)
    free = read(camera, 23)
    camera.close()
    camera.open()

    assert closed_of(held) == []
    assert closed_of(free) == [27, 28, 29, 30, 31, *range(40, 45)]
    assert closed_of(read(camera, 26)) == list(range(20, 25)), "as ever once it is opened again"


def test_a_loop_that_holds_closings_cannot_be_told_to_wait(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&realtime=false&shutter_every_s=4&loop_s=20")
    read(camera, 1)

    with pytest.raises(CameraError, match="part of its loop; choose a longer shutter_every_s"):
        camera.set_automatic_correction(False)


def test_a_closed_simulated_camera_is_asked_for_nothing(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(SMALL)
    camera.close()

    with pytest.raises(CameraError, match="open it"):
        camera.run_ffc()
    with pytest.raises(CameraError, match="open it"):
        camera.set_automatic_correction(False)


def test_the_truth_is_that_of_the_newest_frame(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&breaths_per_minute=30&breath_depth_k=2&rate_hz=8&realtime=false")
    offsets = []
    for _ in range(4):
        camera.read(timeout_s=1)
        assert camera.truth is not None
        offsets.append(camera.truth.breath_k)

    # Half a breath a second, 1 K up and down, looked at every eighth of a second.
    assert offsets == pytest.approx([0.0, np.sin(np.pi / 8), np.sin(np.pi / 4), 0.92388], abs=1e-4)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("width", "12"),
        ("height", "4096"),
        ("rate_hz", "0"),
        ("rate_hz", "nan"),
        ("rate_hz", "fast"),
        ("seed", "-1"),
        ("breaths_per_minute", "101"),
        ("yaw_deg", "90"),
        ("face_height", "0"),
        ("glasses", "perhaps"),
        ("room_c", "inf"),
        ("frames", "-2"),
        ("frames", "1.5"),
    ],
)
def test_an_option_it_cannot_follow_is_named_with_its_value(option: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_camera(f"simulated:?{option}={value}")

    assert option in str(caught.value)
    assert value in str(caught.value)


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"widht.*known:.*width"):
        make_camera("simulated:?widht=640")


def test_a_target_is_refused_with_what_to_write() -> None:
    with pytest.raises(CameraError, match="write simulated:"):
        make_camera("simulated:seed5")


def test_the_listed_address_opens() -> None:
    (listing,) = SimulatedCamera.discover()
    camera = make_camera(listing.address)
    info = camera.open()
    frame = camera.read(timeout_s=1)
    camera.close()

    assert listing.problem == ""
    assert (info.height, info.width) == frame.counts.shape == (512, 640)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (41, 47), (80, 60), (160, 120), (97, 300)])
def test_any_size_can_be_had(
    opened: Callable[[str], SimulatedCamera], width: int, height: int
) -> None:
    (frame,) = read(opened(f"simulated:?width={width}&height={height}&realtime=false"), 1)

    assert frame.celsius.shape == (height, width)
    assert np.isfinite(frame.celsius).all()


def test_a_loop_is_drawn_once_and_played_round_while_numbers_and_times_go_on(
    clock: HandClock, opened: Callable[[str], SimulatedCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    picture = Phantom.picture

    def draw(phantom: Phantom, time_s: float, height: int, width: int) -> PhantomPicture:
        drawn.append(time_s)
        return picture(phantom, time_s, height, width)

    monkeypatch.setattr(Phantom, "picture", draw)
    camera = opened(f"{SMALL}&rate_hz=5&loop_s=4")
    drawn.clear()
    frames = read(camera, 45)

    assert not drawn
    assert [frame.index for frame in frames] == list(range(45))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.2)
    assert np.diff([frame.wall_time for frame in frames]) == pytest.approx(0.2, abs=1e-5)
    for first, second in zip(frames[:20], frames[20:40], strict=True):
        np.testing.assert_array_equal(first.counts, second.counts)
    assert not np.array_equal(frames[0].counts, frames[10].counts)


def test_a_loop_is_cut_to_whole_breaths_so_that_breathing_goes_on_at_its_end(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&breaths_per_minute=15&loop_s=10&realtime=false")
    phases, poses = [], []
    for _ in range(81):
        read(camera, 1)
        assert camera.truth is not None
        phases.append(camera.truth.breath_phase)
        poses.append(camera.truth.pose)

    assert phases == pytest.approx(np.arange(81) * 0.2 * 15 / 60)
    assert poses[40] == poses[0], "two breaths of 4 s, at 5 frames/s"
    across_seam = abs(poses[40].yaw_deg - poses[39].yaw_deg)
    assert across_seam <= max(abs(np.diff([pose.yaw_deg for pose in poses[:40]]))) * 1.5


def test_a_loop_too_short_for_a_breath_is_as_long_as_was_asked(
    opened: Callable[[str], SimulatedCamera],
) -> None:
    camera = opened(f"{SMALL}&rate_hz=5&loop_s=2&realtime=false")
    frames = read(camera, 11)

    np.testing.assert_array_equal(frames[0].counts, frames[10].counts)


def test_a_loop_that_fits_no_memory_is_refused_with_what_would_fit() -> None:
    with pytest.raises(ConfigError, match=r"300 s of 640×512 pixels.* 5\.9 GB.* at most 54 s"):
        make_camera("simulated:?loop_s=300")


def test_a_loop_larger_than_half_of_the_free_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = SimpleNamespace(available=1_000_000)
    monkeypatch.setattr("drivers.simulated.psutil.virtual_memory", lambda: free)
    camera = make_camera(f"{SMALL}&loop_s=8")

    with pytest.raises(CameraError, match=r"takes 1 MB and only 1 MB .* shorter loop_s"):
        camera.open()


def test_what_opening_has_no_time_to_draw_is_drawn_by_reads_that_end_in_time(
    clock: HandClock, opened: Callable[[str], SimulatedCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = SimulatedCamera._draw

    def draw_slowly(camera: SimulatedCamera, time_s: float) -> DrawnPicture:
        clock.now += 0.25
        return draw(camera, time_s)

    monkeypatch.setattr(SimulatedCamera, "_draw", draw_slowly)
    start = clock.now
    camera = opened(f"{SMALL}&rate_hz=2&loop_s=4&fault=unplug@1s")  # eight pictures, two seconds
    assert clock.now == start + 1.0

    with pytest.raises(CameraPreparingError, match="still draws"):
        camera.read(timeout_s=0.5)
    first, second = (camera.read(timeout_s=0.6) for _ in range(2))

    assert (first.index, second.index) == (0, 1)
    assert first.wall_time == pytest.approx(1.7e9 + start + 2.0), "its clock starts when it can"
    with pytest.raises(CameraLostError):
        camera.read(timeout_s=0.6)
