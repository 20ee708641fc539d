"""Closings of the shutter are two events each, however the camera tells of them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import WaitFor
from tests.session_parts import make_frame
from thermoseg.cameras import make_camera
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.frames import Frame, FrameFlag
from thermoseg.recording.reader import Recording
from thermoseg.rois import SHUTTER
from thermoseg.session import Session
from thermoseg.shutter_watch import ShutterWatch
from thermoseg.timeline import TimeLine

RATE_HZ = 20
NONE, CLOSED, AFTER = FrameFlag.NONE, FrameFlag.SHUTTER, FrameFlag.AFTER_SHUTTER


def flagged(flags: Iterable[FrameFlag]) -> list[Frame]:
    return [
        replace(make_frame(number, number / RATE_HZ), flags=flag)
        for number, flag in enumerate(flags)
    ]


def told_of(frames: Iterable[Frame]) -> list[str]:
    watch = ShutterWatch()
    return [text for text in map(watch.look, frames) if text]


def seen_still(still: int, after: int = 60) -> list[Frame]:
    """Return frames of a camera that only shows its last picture behind its shutter."""
    line = TimeLine()
    line.open(0.0, live=True, rate_hz=RATE_HZ)
    pictures = [*range(10), *[9] * still, *range(10, 10 + after)]
    frames = [
        replace(make_frame(0, 0), counts=make_frame(picture, 0).counts, index=number, time_s=time_s)
        for number, picture in enumerate(pictures)
        for time_s in [number / RATE_HZ]
    ]
    return [line.place(frame, frame.time_s) for frame in frames]


def test_a_closing_is_told_when_it_begins_and_ends_and_how_long_it_was() -> None:
    frames = flagged([NONE] * 5 + [CLOSED] * 18 + [AFTER] * 40 + [NONE] * 5)

    assert told_of(frames) == ["shutter closed", "shutter open again after 0.9 s"]


def test_nothing_is_told_of_a_camera_that_was_opened_just_after_a_correction() -> None:
    assert told_of(flagged([AFTER] * 40 + [NONE] * 5)) == []


def test_a_shutter_that_flickers_is_told_of_once() -> None:
    flicker = [CLOSED, AFTER] * 100

    assert told_of(flagged([NONE, *flicker, *[AFTER] * 40])) == [
        "shutter closed",
        "shutter open again after 0.1 s",
    ]


def test_two_corrections_are_two() -> None:
    once = [CLOSED] * 10 + [AFTER] * 40 + [NONE] * 10

    assert len(told_of(flagged([NONE, *once, *once]))) == 4


def test_a_picture_that_stands_still_was_a_closing() -> None:
    assert told_of(seen_still(20)) == ["shutter was closed for 1.1 s, as the picture stood still"]


def test_frames_that_a_board_sends_again_are_no_closing() -> None:
    assert told_of(seen_still(2)) == []


def test_a_picture_that_stood_still_for_long_was_no_shutter() -> None:
    (told,) = told_of(seen_still(120))

    assert told == "the picture moves again; it had stood still for 6.0 s"


def test_a_closing_in_which_no_picture_came_is_told_afterwards() -> None:
    frames = flagged([NONE] * 5 + [AFTER] * 40)
    late = [*frames[:5], *(replace(frame, time_s=frame.time_s + 1) for frame in frames[5:])]

    assert told_of(late) == ["shutter was closed for at most 1.1 s, in which no picture came"]


def test_frames_that_are_lost_after_a_closing_are_no_second_one() -> None:
    frames = flagged([NONE] * 5 + [CLOSED] * 18 + [AFTER] * 40 + [NONE] * 5)

    assert told_of([*frames[:30], *frames[45:]]) == [
        "shutter closed",
        "shutter open again after 0.9 s",
    ]


@given(
    st.lists(
        st.sampled_from([NONE, CLOSED, AFTER, FrameFlag.DUPLICATE, AFTER | FrameFlag.GAP_BEFORE]),
        max_size=200,
    )
)
def test_events_never_come_at_frame_rate(flags: list[FrameFlag]) -> None:
    frames = flagged(flags)
    seconds = len(frames) / RATE_HZ

    # Two for each closing, and a closing needs FREEZE_S of stillness or RESTLESS_S of rest.
    assert len(told_of(frames)) <= 2 + 4 * seconds


def test_a_closing_is_in_list_and_file_and_greys_the_trace_of_a_drawn_roi(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    camera = make_camera("simulated:?width=64&height=48&rate_hz=25&shutter_every_s=1.5&loop_s=3")
    session = Session(camera, None)
    session.set_rois([DrawnRoi(name="cheek", outline_px=((5, 5), (30, 5), (30, 30), (5, 30)))])
    path = session.start_recording(tmp_path / "a.h5")
    with session:
        wait_for(lambda: any("open again" in event.text for event in session.look().events))
        session.stop_recording()
    texts = [event.text for event in session.look().events]
    with Recording(path) as recording:
        recorded = [event.text for event in recording.events]
    trace = session.traces.window("cheek", 0, 100)

    assert "shutter closed" in texts
    assert "shutter closed" in recorded
    assert any(text.startswith("shutter open again after 1.") for text in recorded)
    reasons = {trace.reasons[code] for code in trace.reason[np.isnan(trace.mean_c)]}
    assert reasons == {SHUTTER}
