"""The frames of a camera in one line: numbers, times, and the flags that no driver can know."""

from collections.abc import Iterable

import numpy as np
import pytest

from thermoseg.frames import Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry
from thermoseg.timeline import TimeLine

RATE_HZ = 10.0
CELSIUS = LinearRadiometry(0.01)


def make_frame(
    index: int, time_s: float, flags: FrameFlag = FrameFlag.NONE, picture: int | None = None
) -> Frame:
    """Show `picture`, by default another one for each index."""
    counts = np.full((4, 5), 30000 + (index if picture is None else picture), np.uint16)
    return Frame.from_counts(counts, CELSIUS, index, time_s, 1.7e9 + time_s, flags)


def opened(live: bool = True, rate_hz: float = RATE_HZ) -> TimeLine:
    line = TimeLine()
    line.open(100.0, live=live, rate_hz=rate_hz)
    return line


def place(line: TimeLine, frames: Iterable[Frame], delay_s: float = 0.05) -> list[Frame]:
    """Let frames arrive a little after they were taken."""
    return [line.place(frame, 100.0 + frame.time_s + delay_s) for frame in frames]


def steady(count: int, first: int = 0) -> list[Frame]:
    return [make_frame(i, i / RATE_HZ) for i in range(first, first + count)]


def test_sound_frames_stay_as_they_are() -> None:
    frames = steady(50)
    placed = place(opened(), frames)

    assert all(after is before for after, before in zip(placed, frames, strict=True))


def test_missing_numbers_are_counted_once_and_marked() -> None:
    line, missed, marked = opened(), [], []
    for frame in [*steady(3), *steady(3, first=7)]:
        (placed,) = place(line, [frame])
        missed.append(line.missed)
        marked.append(bool(placed.flags & FrameFlag.GAP_BEFORE))

    assert missed == [0, 0, 0, 4, 0, 0]
    assert marked == [False, False, False, True, False, False]


def test_refused_frames_are_not_missed_ones() -> None:
    line = opened()
    place(line, steady(3))
    line.refused = 2
    (placed,) = place(line, steady(1, first=6))

    assert (line.missed, line.refused_before, line.refused) == (1, 2, 0)
    assert placed.flags == FrameFlag.GAP_BEFORE


def test_a_camera_opened_again_goes_on_where_it_was_after_the_gap() -> None:
    line = opened()
    place(line, steady(3))
    line.open(104.0, live=True, rate_hz=RATE_HZ)
    first = line.place(make_frame(0, 0.0), 104.2)
    second = line.place(make_frame(1, 0.1), 104.3)

    assert (first.index, second.index) == (3, 4)
    assert first.time_s == pytest.approx(0.2 + (104.2 - 100.25))
    assert second.time_s - first.time_s == pytest.approx(0.1)
    assert first.flags == FrameFlag.GAP_BEFORE
    assert second.flags == FrameFlag.NONE
    assert line.missed == 0
    assert line.remark == ""


@pytest.mark.parametrize("jump_s", [3600.0, 2.0, -3600.0, -2.0, -0.5])
def test_a_clock_that_jumps_is_told_once_and_times_go_on(jump_s: float) -> None:
    line, remarks, times_s = opened(), [], []
    for i in range(40):
        time_s = i / RATE_HZ
        frame = make_frame(i, time_s + (jump_s if i >= 20 else 0))
        times_s.append(line.place(frame, 100.05 + time_s).time_s)
        remarks.append(line.remark)

    assert np.diff(times_s) == pytest.approx(0.1)
    (told,) = filter(None, remarks)
    assert told == f"its clock jumped by {jump_s:+.1f} s; times go on without the jump"


def test_times_that_stand_still_or_stumble_grow_all_the_same() -> None:
    line = opened()
    times_s = [0.0, 0.1, 0.1, 0.08, 0.3, 0.0, 0.5]
    placed = [
        line.place(make_frame(i, time_s), 100.05 + i / RATE_HZ) for i, time_s in enumerate(times_s)
    ]

    assert np.all(np.diff([frame.time_s for frame in placed]) > 0)
    assert placed[4].time_s == pytest.approx(0.3)


def test_frames_that_come_late_in_a_burst_keep_the_times_of_the_camera() -> None:
    line = opened()
    place(line, steady(10))
    burst = [line.place(frame, 104.0) for frame in steady(5, first=10)]
    newest = line.place(make_frame(39, 3.9), 104.01)

    assert [frame.time_s for frame in burst] == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4])
    assert newest.time_s == pytest.approx(3.9)
    assert line.missed == 24
    assert line.remark == ""


def test_a_clock_that_runs_a_little_fast_or_slow_is_no_jump() -> None:
    for drift in (0.9, 0.9995, 1.0005, 1.1):
        line = opened()
        for i in range(2000):
            placed = line.place(make_frame(i, drift * i / RATE_HZ), 100.05 + i / RATE_HZ)
            assert line.remark == ""
        assert placed.time_s == pytest.approx(drift * 199.9)


def test_numbers_that_leap_without_time_are_no_losses() -> None:
    line = opened()
    place(line, steady(3))
    (placed,) = place(line, [make_frame(2**31, 0.3, picture=3)])

    assert line.missed == 0
    assert (placed.index, placed.flags) == (3, FrameFlag.GAP_BEFORE)
    assert "frame numbers jumped" in line.remark


def test_numbers_that_begin_anew_leave_a_mark() -> None:
    line = opened()
    place(line, steady(3))
    placed = [line.place(make_frame(i, 0.3 + i / RATE_HZ), 100.4 + i / RATE_HZ) for i in range(2)]

    assert [frame.index for frame in placed] == [3, 4]
    assert [frame.flags for frame in placed] == [FrameFlag.GAP_BEFORE, FrameFlag.NONE]
    assert line.missed == 0


def test_a_frame_sent_three_times_is_known_by_its_number() -> None:
    line = opened()
    frames = [make_frame(i // 3, i // 3 / RATE_HZ, picture=i) for i in range(9)]
    placed = [line.place(frame, 100.05 + i / 30) for i, frame in enumerate(frames)]

    assert [frame.index for frame in placed] == list(range(9))
    repeated = [bool(frame.flags & FrameFlag.DUPLICATE) for frame in placed]
    assert repeated == [False, True, True] * 3
    assert [frame.time_s for frame in placed[::3]] == pytest.approx([0.0, 0.1, 0.2])


def test_a_picture_sent_again_under_another_number_is_known_by_its_counts() -> None:
    pictures = [0, 1, 1, 2, 3]
    frames = [make_frame(i, i / RATE_HZ, picture=p) for i, p in enumerate(pictures)]
    flags = [frame.flags for frame in place(opened(), frames)]

    assert flags == [0, 0, FrameFlag.DUPLICATE, 0, 0]


def test_pictures_that_differ_in_one_count_are_different() -> None:
    line = opened()
    place(line, [make_frame(0, 0.0, picture=0)])
    counts = np.full((4, 5), 30000, np.uint16)
    counts[3, 4] += 1
    frame = Frame.from_counts(counts, CELSIUS, 1, 0.1, 1.7e9)

    assert place(line, [frame])[0].flags == FrameFlag.NONE


def test_a_still_picture_from_a_file_is_no_duplicate() -> None:
    frames = [make_frame(i, i / RATE_HZ, picture=0) for i in range(100)]
    placed = place(opened(live=False), frames)

    assert all(frame.flags == FrameFlag.NONE for frame in placed)


def test_frames_are_marked_for_two_seconds_after_a_shutter() -> None:
    frames = [
        make_frame(i, i / RATE_HZ, FrameFlag.SHUTTER if 10 <= i < 15 else FrameFlag.NONE)
        for i in range(50)
    ]
    flags = [frame.flags for frame in place(opened(), frames)]

    assert flags[:10] == [FrameFlag.NONE] * 10
    assert flags[10:15] == [FrameFlag.SHUTTER] * 5
    assert flags[15:34] == [FrameFlag.AFTER_SHUTTER] * 19
    assert flags[35:] == [FrameFlag.NONE] * 15


def test_a_shutter_of_which_the_camera_says_nothing_is_known_by_the_still_picture() -> None:
    frames = [make_frame(i, i / RATE_HZ, picture=min(i, 10) + max(i - 20, 0)) for i in range(50)]
    flags = [frame.flags for frame in place(opened(), frames)]

    assert flags[:11] == [FrameFlag.NONE] * 11
    assert flags[11:21] == [FrameFlag.DUPLICATE] * 10
    assert flags[21:41] == [FrameFlag.AFTER_SHUTTER] * 20
    assert flags[42:] == [FrameFlag.NONE] * 8


def test_a_picture_that_stands_still_for_ever_is_told_once() -> None:
    line, remarks = opened(), []
    for i in range(200):
        place(line, [make_frame(i, i / RATE_HZ, picture=0)])
        remarks.append(line.remark)

    assert [remark for remark in remarks if remark] == ["its picture has stood still for 5 s"]


def test_flags_of_the_driver_are_kept() -> None:
    kept = FrameFlag.DAMAGED | FrameFlag.GAP_BEFORE
    frames = [*steady(2), make_frame(5, 0.5, kept)]

    assert place(opened(), frames)[2].flags == kept


def test_a_moment_can_be_told_on_the_clock_of_the_frames() -> None:
    line = opened()
    assert line.now_s(101.5) == pytest.approx(1.5)
    line.place(make_frame(0, 7.0), 102.0)

    assert line.now_s(102.5) == pytest.approx(7.5)
