from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.plots.time_window import SHORTEST_S, WHOLE, TimeWindow


def shown(window: TimeWindow) -> tuple[float, float]:
    return window.shown


def live(begin_s: float = 0, end_s: float = 600, length_s: float = 60) -> TimeWindow:
    window = TimeWindow(length_s)
    window.set_bounds(begin_s, end_s)
    return window


def test_it_follows_the_newest_sample() -> None:
    window = live()
    assert shown(window) == (540, 600)

    window.set_bounds(0, 601)
    assert shown(window) == (541, 601)


def test_panning_pauses_and_follow_goes_back_to_now() -> None:
    window = live()
    window.pan(-100)
    window.set_bounds(0, 700)

    assert shown(window) == (440, 500)
    window.follow()
    assert shown(window) == (640, 700)


@pytest.mark.parametrize(("seconds", "expected"), [(-9999, (0, 60)), (9999, (540, 600))])
def test_nobody_can_pan_out_of_the_recording(seconds: float, expected: tuple[float, float]) -> None:
    window = live()
    window.pan(seconds)

    assert shown(window) == expected


def test_the_whole_grows() -> None:
    window = live()
    window.set_length(WHOLE)
    assert shown(window) == (0, 600)

    window.set_bounds(0, 900)
    assert shown(window) == (0, 900)


def test_pausing_the_whole_holds_it() -> None:
    window = live(length_s=WHOLE)
    window.pause()
    window.set_bounds(0, 900)

    assert shown(window) == (0, 600)


def test_zooming_while_it_follows_leaves_now_at_the_right() -> None:
    window = live()
    window.zoom(0.5, 550)

    assert shown(window) == (570, 600)
    assert window.follows


def test_zooming_while_paused_leaves_the_pointer_on_its_moment() -> None:
    window = live()
    window.pan(-300)  # 240 to 300
    window.zoom(0.5, 255)

    assert shown(window) == (247.5, 277.5)


def test_zooming_out_ends_with_the_whole() -> None:
    window = live()
    window.zoom(100, 600)

    assert window.length_s == WHOLE


def test_a_window_is_not_shorter_than_the_shortest() -> None:
    window = live()
    window.zoom(0.001, 600)
    assert shown(window) == (595, 600)

    with pytest.raises(ValueError, match="at least 5 s long, got 4"):
        window.set_length(4)


def test_in_a_recording_the_played_position_stays_in_sight() -> None:
    window = live()
    window.set_cursor(0)
    assert shown(window) == (0, 60)
    window.set_cursor(60)
    assert shown(window) == (0, 60)
    window.set_cursor(61)
    assert shown(window) == (55, 115)
    window.set_cursor(599)
    assert shown(window) == (540, 600)


def test_in_a_recording_panning_leaves_the_played_position() -> None:
    window = live()
    window.set_cursor(30)
    window.pan(200)
    window.set_cursor(31)
    assert shown(window) == (200, 260)

    window.follow()
    assert shown(window) == (25, 85)


def test_a_short_recording_begins_at_the_left() -> None:
    window = live(end_s=20)
    window.set_cursor(5)

    assert shown(window) == (0, 60)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["pan", "zoom", "length", "follow", "grow"]), st.floats(0.01, 50)
        ),
        max_size=12,
    ),
    recorded=st.booleans(),
)
def test_whatever_one_does_something_is_shown(
    steps: list[tuple[str, float]], recorded: bool
) -> None:
    window, end_s = live(), 600.0
    if recorded:
        window.set_cursor(10)
    for what, much in steps:
        if what == "pan":
            window.pan((much - 20) * 10)
        elif what == "zoom":
            window.zoom(much / 10, window.shown[0] + much)
        elif what == "length":
            window.set_length(SHORTEST_S * much + SHORTEST_S)
        elif what == "follow":
            window.follow()
        else:
            end_s += much
            window.set_bounds(0, end_s)
        left_s, right_s = window.shown
        assert right_s - left_s >= SHORTEST_S - 1e-9
        assert -inf < left_s <= end_s
        assert right_s >= 0
