from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermoseg.playback_clock import PlaybackClock

TENTHS = np.arange(50) / 10
"""Five seconds at 10 frames/s."""
NOW = 1000.0
STEPS = st.lists(st.floats(0.001, 3.0), min_size=1, max_size=40)


def clock_of(times_s: NDArray[np.float64] = TENTHS, at: int = 0) -> PlaybackClock:
    clock = PlaybackClock(times_s)
    clock.seek(at, NOW)
    return clock


def test_it_stands_still_until_it_is_played() -> None:
    clock = clock_of(at=7)

    assert not clock.playing(NOW)
    assert clock.due(NOW + 99) == 7
    assert clock.next_change_s(NOW) == inf


@pytest.mark.parametrize(("speed", "due"), [(0.1, 1), (1.0, 10), (2.0, 20), (10.0, 49)])
def test_after_a_second_the_frame_is_due_that_was_taken_then(speed: float, due: int) -> None:
    clock = clock_of()
    clock.set_speed(speed, NOW)

    clock.play(NOW)

    assert clock.due(NOW + 1.0) == due


def test_a_gap_lasts_as_long_as_it_did() -> None:
    clock = clock_of(np.array([0.0, 0.1, 60.0, 60.1]))
    clock.play(NOW)

    assert [clock.due(NOW + s) for s in (0.1, 30.0, 59.9, 60.0, 60.1)] == [1, 1, 1, 2, 3]


def test_the_next_change_is_when_the_next_frame_is_due() -> None:
    clock = clock_of()
    clock.set_speed(0.5, NOW)
    clock.play(NOW)

    change_s = clock.next_change_s(NOW + 0.05)

    assert change_s == pytest.approx(NOW + 0.2)
    assert clock.due(change_s - 0.001) == 0
    assert clock.due(change_s) == 1


def test_it_ends_at_the_last_frame_and_begins_again_when_played() -> None:
    clock = clock_of(at=40)
    clock.play(NOW)

    assert clock.playing(NOW + 0.8)
    assert not clock.playing(NOW + 0.9)
    assert clock.due(NOW + 77) == 49
    clock.play(NOW + 77)
    assert clock.due(NOW + 77) == 0
    assert clock.playing(NOW + 77)


def test_going_elsewhere_after_the_end_does_not_play() -> None:
    clock = clock_of(at=48)
    clock.play(NOW)

    clock.seek(3, NOW + 10)

    assert clock.due(NOW + 12) == 3


def test_going_elsewhere_while_it_plays_plays_on_there() -> None:
    clock = clock_of()
    clock.play(NOW)

    clock.seek(20, NOW + 1)

    assert clock.due(NOW + 1.5) == 25


def test_pausing_keeps_what_is_seen() -> None:
    clock = clock_of()
    clock.play(NOW)

    clock.pause(NOW + 1.25)

    assert clock.due(NOW + 9) == 12
    clock.play(NOW + 9)
    assert clock.due(NOW + 9.1) == 13


def test_another_speed_goes_on_from_between_two_frames() -> None:
    clock = clock_of()
    clock.play(NOW)

    clock.set_speed(0.1, NOW + 1.05)

    assert clock.due(NOW + 1.06) == 10
    assert clock.due(NOW + 1.05 + 0.5) == 11


@pytest.mark.parametrize("speed", [0.0, 0.09, 11.0, -1.0, float("nan")])
def test_a_speed_out_of_bounds_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.1 to 10"):
        clock_of().set_speed(speed, NOW)


def test_a_step_is_one_frame_and_stands() -> None:
    clock = clock_of(at=10)
    clock.play(NOW)

    assert [clock.step(1, NOW + 1), clock.step(-1, NOW + 2), clock.step(-1, NOW + 3)] == [
        21,
        20,
        19,
    ]
    assert not clock.playing(NOW + 4)
    assert [clock.step(-100, NOW), clock.step(100, NOW)] == [0, 49]


@pytest.mark.parametrize(("seconds", "frame"), [(1, 20), (-1, 0), (0.25, 13), (99, 49)])
def test_a_step_in_seconds_leads_to_the_frame_taken_then(seconds: float, frame: int) -> None:
    assert clock_of(at=10).step_seconds(seconds, NOW) == frame


def test_a_step_in_seconds_leaves_a_frame_that_has_no_neighbour() -> None:
    slow = np.array([0.0, 30.0, 60.0])

    assert clock_of(slow, at=1).step_seconds(1, NOW) == 2
    assert clock_of(slow, at=1).step_seconds(-1, NOW) == 0


def test_a_selection_is_played_round_and_round() -> None:
    clock = clock_of(at=10)
    clock.set_loop((10, 14), NOW)
    clock.play(NOW)

    due = [clock.due(NOW + tenth / 10) for tenth in range(12)]

    assert due == [10, 11, 12, 13, 14, 10, 11, 12, 13, 14, 10, 11]
    assert clock.next_change_s(NOW + 0.45) == pytest.approx(NOW + 0.5)
    clock.set_loop(None, NOW + 0.7)
    assert [clock.due(NOW + 0.7 + s) for s in (0.0, 0.3)] == [12, 15]


def test_a_selection_at_the_end_is_played_round_too() -> None:
    clock = clock_of()
    clock.set_loop((48, 49), NOW)
    clock.play(NOW)

    assert [clock.due(NOW + tenth / 10) for tenth in range(5)] == [48, 49, 48, 49, 48]


def test_a_selection_of_one_frame_stands_there() -> None:
    clock = clock_of(np.array([5.0]))
    clock.set_loop((0, 0), NOW)
    clock.play(NOW)

    assert clock.due(NOW + 12.3) == 0


def test_a_selection_shows_its_first_frame_and_is_left_by_going_elsewhere() -> None:
    clock = clock_of(at=3)

    clock.set_loop((20, 30), NOW)

    assert clock.due(NOW) == 20
    clock.seek(40, NOW)
    assert clock.loop is None
    assert clock.due(NOW) == 40


@pytest.mark.parametrize("selection", [(-1, 3), (3, 2), (0, 50)])
def test_a_selection_that_cannot_be_is_refused(selection: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="within 0 and 49"):
        clock_of().set_loop(selection, NOW)


def test_a_recording_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="without a frame"):
        PlaybackClock(np.empty(0))


@given(steps_s=STEPS, speed=st.floats(0.1, 10.0))
def test_every_frame_is_due_once_in_order(steps_s: list[float], speed: float) -> None:
    times_s = np.concatenate([[0.0], np.cumsum(steps_s)])
    clock = clock_of(times_s)
    clock.set_speed(speed, NOW)
    clock.play(NOW)

    seen, now_s = [clock.due(NOW)], NOW
    while (change_s := clock.next_change_s(now_s)) < inf:
        assert change_s > now_s
        now_s = change_s
        seen.append(clock.due(now_s))

    assert seen == list(range(len(times_s)))
    assert now_s - NOW == pytest.approx(times_s[-1] / speed, rel=1e-6)


@given(steps_s=STEPS, late_s=st.lists(st.floats(0.001, 4.0), min_size=1, max_size=30))
def test_whoever_looks_late_skips_frames_and_never_goes_back(
    steps_s: list[float], late_s: list[float]
) -> None:
    times_s = np.concatenate([[0.0], np.cumsum(steps_s)])
    clock = clock_of(times_s)
    clock.play(NOW)

    for now_s in np.cumsum(late_s):
        due = clock.due(NOW + now_s)
        assert times_s[due] <= now_s + 1e-5
        assert due == len(times_s) - 1 or times_s[due + 1] > now_s - 1e-5
