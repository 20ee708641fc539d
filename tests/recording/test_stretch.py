"""A stretch of a session that a recorder has written is a session as good as the whole."""

from pathlib import Path

import numpy as np

from tests.recording import made_frames as made
from thermoseg.export.cut import cut_session
from thermoseg.export.stretch import TimeRange
from thermoseg.recording.reader import Recording
from thermoseg.recording.verification import State, verify


def test_a_recorded_session_is_cut_bit_for_bit(sound_session: Path, tmp_path: Path) -> None:
    path, _ = cut_session(sound_session, tmp_path, TimeRange(5.0, 10.0)).paths

    info = made.made_info(*made.KILLED_SIZE)
    assert verify(path).state is State.SOUND
    with Recording(path) as recording:
        assert recording.indices.tolist() == list(range(150, 300))
        assert len(recording.samples("nostrils")) == 150
        for place in (0, 75, 149):
            frame, labels = recording.frame(place), recording.labels(place)
            np.testing.assert_array_equal(frame.counts, made.made_counts(150 + place, info))
            assert labels is not None
            np.testing.assert_array_equal(labels, made.made_labels(150 + place, info))
