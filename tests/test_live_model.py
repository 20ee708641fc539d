"""A session changes its model while it runs: no frame is lost, late or labelled twice."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.drawn_face import DrawnFace
from tests.session_parts import (
    HEIGHT,
    RADIOMETRY,
    WIDTH,
    FaceSegmenter,
    ListSink,
    ScriptedCamera,
    make_frame,
)
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.recording.reader import Recording
from thermoseg.session import Session

TWO_SHAPE = (100, 200)


class HeldSegmenter(FaceSegmenter):
    """Is at work on its first frame until the test lets it go."""

    def __init__(self) -> None:
        super().__init__(name="held")
        self.at_work, self.let_go = threading.Event(), threading.Event()

    def segment(self, frame: Frame) -> Segmentation:
        self.at_work.set()
        self.let_go.wait(30)
        return super().segment(frame)


class BlindSegmenter(FaceSegmenter):
    """Sees no face from its `blind_from`-th frame on."""

    def __init__(self, blind_from: int) -> None:
        super().__init__(name="blind")
        self.blind_from = blind_from

    def segment(self, frame: Frame) -> Segmentation:
        found = super().segment(frame)
        blind = len(self.seen) > self.blind_from
        return Segmentation(np.zeros_like(found.labels), found.confidence, 0) if blind else found


def model_of(session: Session) -> str:
    model = session.look().model
    return "none" if model is None else model.name


def test_the_next_frame_is_segmented_by_the_new_model(wait_for: WaitFor) -> None:
    sink, first, second = ListSink(), FaceSegmenter(name="a"), FaceSegmenter(name="b")
    with Session(ScriptedCamera(range(10_000)), first, [sink]) as session:
        wait_for(lambda: len(first.seen) >= 5)
        assert model_of(session) == "a"
        session.set_segmenter(second)
        assert model_of(session) == "b"
        wait_for(lambda: len(second.seen) >= 5)
        session.set_segmenter(first)
        again = len(first.seen)
        wait_for(lambda: len(first.seen) >= again + 5)
    numbers = [result.frame.index for result in sink.results]
    counts = session.look().counts

    assert numbers == sorted(set(numbers))
    assert set(numbers) == set(first.seen) | set(second.seen)
    assert not set(first.seen) & set(second.seen)
    assert sink.indices == list(range(counts.captured))
    waiting = counts.captured - counts.segmented - counts.replaced
    assert waiting in (0, 1), "the stop leaves the newest frame unsegmented"
    assert [event.text for event in session.look().events] == [
        "model: b on test",
        "model: a on test",
    ]


def test_the_model_before_finishes_its_frame_but_shows_nothing_more(wait_for: WaitFor) -> None:
    sink, held, new = ListSink(), HeldSegmenter(), HeldSegmenter()
    with Session(ScriptedCamera(range(10_000)), held, [sink]) as session:
        wait_for(held.at_work.is_set)
        session.set_segmenter(new)
        held.let_go.set()
        wait_for(new.at_work.is_set)
        wait_for(lambda: sink.results)
        assert session.look().result is None
        new.let_go.set()
        wait_for(lambda: session.look().result is not None)

    assert len(held.seen) == 1
    assert sink.results[0].frame.index == held.seen[0]
    assert min(new.seen) > held.seen[0]


def test_a_session_without_a_model_can_be_given_one(wait_for: WaitFor) -> None:
    segmenter = FaceSegmenter()
    with Session(ScriptedCamera(range(10**9), rate_hz=1e5), None) as session:
        wait_for(lambda: session.look().counts.captured >= 1000)
        before = session.look()
        session.set_segmenter(segmenter)
        wait_for(lambda: session.look().result is not None)

    assert (before.model, before.result, before.counts.replaced) == (None, None, 0)
    assert segmenter.seen[0] >= before.counts.captured - 1, "no frame of long ago"


def test_a_session_goes_on_without_its_model(wait_for: WaitFor) -> None:
    segmenter = FaceSegmenter()
    with Session(ScriptedCamera(range(10_000)), segmenter) as session:
        wait_for(lambda: session.look().result is not None)
        session.set_segmenter(None)
        assert session.look().result is None
        assert session.look().model is None
        after = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > after + 10)
        settled = session.look().counts
        wait_for(lambda: session.look().counts.captured > settled.captured + 10)
        later = session.look().counts
    told = [event.text for event in session.look().events]

    assert (later.segmented, later.replaced) == (settled.segmented, settled.replaced)
    assert told == ["model: none"]


def test_a_new_model_does_not_hold_the_regions_that_the_last_one_saw(wait_for: WaitFor) -> None:
    class StillFace(ScriptedCamera):
        texture = np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH)).astype(np.uint16)

        def read(self, timeout_s: float) -> Frame:
            frame = super().read(timeout_s)
            counts = frame.counts + self.texture
            return Frame.from_counts(counts, RADIOMETRY, frame.index, frame.time_s, time.time())

    sink, blind = ListSink(), BlindSegmenter(blind_from=0)
    with Session(StillFace(range(10_000)), BlindSegmenter(blind_from=3), [sink]) as session:
        wait_for(lambda: len(sink.results) >= 4)
        session.set_segmenter(blind)
        wait_for(lambda: len(blind.seen) >= 2)
    by_new = [result for result in sink.results if result.frame.index in blind.seen]

    assert sink.results[3].rois is not None, "held, though its model saw nothing"
    assert by_new
    assert not [result for result in by_new if result.rois is not None]


@pytest.mark.parametrize("segmenter", [None, FaceSegmenter(name="first")])
def test_a_recording_keeps_its_first_model_and_notes_the_next(
    wait_for: WaitFor, tmp_path: Path, segmenter: FaceSegmenter | None
) -> None:
    sink, second = ListSink(), FaceSegmenter(name="second")
    session = Session(ScriptedCamera(range(10_000)), segmenter, [sink])
    session.start_recording(tmp_path / "two.h5")
    with session:
        wait_for(lambda: len(sink.frames) >= 5)
        session.set_segmenter(second)
        wait_for(lambda: len(second.seen) >= 5)
    change = session.look().events[0]

    with Recording(tmp_path / "two.h5") as recording:
        assert (recording.model and recording.model.name) == (segmenter and "first")
        noted = [event for event in recording.events if event.text.startswith("model: ")]
        assert [event.text for event in noted] == ["model: second on test"]
        assert noted[0].time_s == pytest.approx(change.time_s)
        assert list(recording.indices) == sink.indices
        labelled = [n for n in range(len(recording)) if recording.labels(n) is not None]
        assert len(labelled) == session.look().counts.segmented


class TwoFaces(FaceSegmenter):
    """Sees a small face at the left and a larger one at the right, which may be away."""

    def __init__(self, name: str = "two") -> None:
        super().__init__(name=name)
        self.small = DrawnFace(unit_px=14, centre=(40, 50), shape=TWO_SHAPE).labels()
        self.large = DrawnFace(unit_px=22, centre=(150, 50), shape=TWO_SHAPE).labels()
        self.large_there = True

    def segment(self, frame: Frame) -> Segmentation:
        labels = self.small | self.large if self.large_there else self.small
        self.seen.append(frame.index)
        return Segmentation(labels, np.ones(labels.shape, np.float32), frame.index)


class WideCamera(ScriptedCamera):
    """Its pictures are large enough for two faces."""

    def __init__(self) -> None:
        super().__init__(range(10_000), sizes=[TWO_SHAPE])

    def read(self, timeout_s: float) -> Frame:
        frame = super().read(timeout_s)
        return make_frame(frame.index, frame.time_s, TWO_SHAPE)


def measured_x(session: Session) -> float:
    result = session.look().result
    return np.nan if result is None or result.face is None else result.face.centre[0]


def test_a_click_measures_another_face_which_is_an_event_and_a_gap(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    session = Session(WideCamera(), TwoFaces())
    session.start_recording(tmp_path / "two.h5")
    with session:
        wait_for(lambda: measured_x(session) == pytest.approx(150, abs=5))
        session.choose_face(40, 50)
        wait_for(lambda: measured_x(session) == pytest.approx(40, abs=5))
        result = session.look().result
        assert result is not None
        assert [face.centre[0] for face in result.other_faces] == [pytest.approx(150, abs=5)]
        session.choose_face(95, 95)
        wait_for(lambda: len(session.look().events) == 2)
        texts = [event.text for event in session.look().events]

    assert texts[0] == "another face is measured: chosen"
    assert texts[1].startswith("there is no face at 95, 95; click on one")
    with Recording(tmp_path / "two.h5") as recording:
        reasons = recording.samples("chin")["reason"].tolist()
        assert [event.text for event in recording.events][-2:] == texts
    assert reasons.count("another face") == 1
    assert set(reasons) == {"", "another face"}


def test_another_model_goes_on_with_the_face_that_was_chosen(wait_for: WaitFor) -> None:
    with Session(WideCamera(), TwoFaces("a")) as session:
        wait_for(lambda: measured_x(session) == pytest.approx(150, abs=5))
        session.choose_face(40, 50)
        wait_for(lambda: measured_x(session) == pytest.approx(40, abs=5))
        session.set_segmenter(TwoFaces("b"))
        wait_for(lambda: not np.isnan(measured_x(session)))

        assert measured_x(session) == pytest.approx(40, abs=5)


def test_the_face_that_stays_is_measured_when_the_other_is_gone(wait_for: WaitFor) -> None:
    segmenter = TwoFaces()
    with Session(WideCamera(), segmenter) as session:
        wait_for(lambda: measured_x(session) == pytest.approx(150, abs=5))
        segmenter.large_there = False
        wait_for(lambda: measured_x(session) == pytest.approx(40, abs=5))
        segmenter.large_there = True
        seen = len(segmenter.seen)
        wait_for(lambda: len(segmenter.seen) > seen + 5)
        assert measured_x(session) == pytest.approx(40, abs=5)
        [event] = session.look().events

    assert event.text == "another face is measured: the one before is gone"


def test_without_a_model_no_face_can_be_chosen(wait_for: WaitFor) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.choose_face(4, 4)
        [event] = session.look().events

    assert event.text == "no face can be chosen while no model segments; choose a model first"
