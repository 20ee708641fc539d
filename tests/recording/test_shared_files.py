"""A file that grew while somebody in this process had it open is read as it is now."""

import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.recording.conftest import MakeRecorder
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder


@pytest.fixture
def recorder(make_recorder: MakeRecorder, wait_for: WaitFor) -> Recorder:
    """A recording that runs, with three frames on its disk."""
    recorder = make_recorder()
    offer(recorder, 0, 3)
    wait_for(lambda: made.running_writer(recorder).control["flushed"] == 3)
    return recorder


def offer(recorder: Recorder, first: int, end: int) -> None:
    for index in range(first, end):
        recorder.offer(made.made_frame(index, made.made_info()))


def test_a_recording_opened_before_its_end_hides_no_frame_from_who_opens_it_after(
    recorder: Recorder,
) -> None:
    with Recording(recorder.path) as early:
        offer(recorder, 3, 40)
        recorder.stop()
        with Recording(recorder.path) as late:
            assert (len(early), early.complete) == (3, False)
            assert (len(late), late.complete, late.problems) == (40, True, ())
            info = made.made_info()
            np.testing.assert_array_equal(late.frame(39).counts, made.made_counts(39, info))
            assert late.counts.recorded == 40


def test_a_recording_that_runs_is_seen_as_far_as_it_is(
    recorder: Recorder, wait_for: WaitFor
) -> None:
    with Recording(recorder.path) as early:
        offer(recorder, 3, 40)
        wait_for(lambda: made.running_writer(recorder).control["flushed"] == 40)
        with Recording(recorder.path) as late:
            assert (len(early), len(late)) == (3, 40)
            assert late.frame(39).index == 39
            assert early.frame(2).index == 2
