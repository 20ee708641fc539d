"""Times, numbers and flags of pictures that come one after the other."""

import numpy as np
import pytest

from drivers.picture_stream import PictureHistory, StreamClock, UnnumberedStream
from drivers.uvc_capture import Picture
from thermoseg.frames import FrameFlag
from thermoseg.radiometry import LinearRadiometry


@pytest.mark.parametrize("shown", [True, False], ids=["clock", "no clock"])
def test_a_clock_counts_from_the_first_frame(shown: bool) -> None:
    clock = StreamClock()
    times = [clock.place(50 + 0.1 * n if shown else np.nan, 900 + 0.1 * n) for n in range(4)]

    assert times == pytest.approx([0, 0.1, 0.2, 0.3])


def test_pictures_held_back_on_the_way_keep_their_times() -> None:
    clock = StreamClock()
    came_s = [900.0, 900.1, 900.45, 900.46, 900.47]
    times = [clock.place(50 + 0.1 * n, came) for n, came in enumerate(came_s)]

    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_reader_that_was_away_sees_the_gap_where_it_was() -> None:
    clock = StreamClock()
    taken_s = [50.0, 50.1, 50.2, 60.0]
    came_s = [900.0, 900.1, 910.0, 910.01]

    times = [clock.place(*moment) for moment in zip(taken_s, came_s, strict=True)]
    assert times == pytest.approx([0, 0.1, 0.2, 10.0])


@pytest.mark.parametrize("taken_s", [0.0, 50.1, 1e9, np.nan])
def test_a_clock_that_makes_no_sense_is_replaced_by_ours(taken_s: float) -> None:
    clock = StreamClock()
    times = [clock.place(50.0, 900.0), clock.place(50.1, 900.1)]
    times += [clock.place(taken_s + 0.1 * n, 900.2 + 0.1 * n) for n in range(3)]

    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_picture_that_begins_anew_but_ends_as_before_is_torn() -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 9999, (6, 8)).astype(np.uint16) for _ in range(4)]
    torn = pictures[3].copy()
    torn[3:] = pictures[0][3:]
    history = PictureHistory()
    found = []
    for picture in [*pictures[:3], torn, pictures[3], pictures[3]]:
        history.add(picture)
        found.append((history.torn, history.repeats))

    assert found == [(False, 0)] * 3 + [(True, 0), (False, 0), (False, 1)]


def test_a_saturated_last_row_is_not_torn() -> None:
    history = PictureHistory()
    for number in range(3):
        picture = np.full((4, 4), 65535, np.uint16)
        picture[0] = number
        history.add(picture)
        assert not history.torn


def test_pictures_without_numbers_are_counted_timed_and_known_again() -> None:
    stream = UnnumberedStream()
    counts = np.arange(29_000, 29_012, dtype=np.uint16).reshape(3, 4)
    frames = [
        stream.frame(counts + n // 2, Picture(counts, 50 + n, 900 + n), LinearRadiometry(0.01))
        for n in range(4)
    ]

    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == [0, 1, 2, 3]
    assert [bool(frame.flags & FrameFlag.DUPLICATE) for frame in frames] == [False, True] * 2
    assert frames[0].celsius[0, 0] == pytest.approx(290 - 273.15, abs=1e-4)


def test_a_shutter_that_the_camera_tells_is_flagged() -> None:
    stream = UnnumberedStream()
    counts = np.arange(12, dtype=np.uint16).reshape(3, 4)
    frames = [
        stream.frame(counts + n, Picture(counts, n, n), LinearRadiometry(0.01), closed=closed)
        for n, closed in enumerate((False, True, False, False, False))
    ]

    assert [frame.flags for frame in frames] == [
        FrameFlag.NONE,
        FrameFlag.SHUTTER,
        FrameFlag.NONE,
        FrameFlag.NONE,
        FrameFlag.NONE,
    ]
