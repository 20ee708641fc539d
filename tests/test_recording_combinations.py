"""What a recording can do, two or three at a time: pre-record, scenes, drawn ROIs, traces only."""

import threading
from collections.abc import Iterator
from math import inf
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ListSink, RadiometricCamera, ScriptedCamera, Step
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.export.cut import cut_session
from thermoseg.export.stretch import TimeRange
from thermoseg.radiometry import LinearRadiometry, ObjectParameters
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.verification import State, verify
from thermoseg.recording_plan import RecordingPlan
from thermoseg.scene import Scene
from thermoseg.session import Session

TLINEAR = LinearRadiometry(0.01, scene=ObjectParameters())
CHEEK = DrawnRoi(name="cheek", outline_px=((4, 3), (9, 3), (9, 7), (4, 7)))
MOVED = DrawnRoi(name="cheek", outline_px=((14, 13), (19, 13), (19, 17), (14, 17)))


class Gates:
    """A camera's script that stops after twenty frames and after forty, until it is let on."""

    def __init__(self) -> None:
        self.first, self.second = threading.Event(), threading.Event()
        self.steps: list[Step] = [
            *(*range(20), self.first),
            *(*range(20, 40), self.second),
            *range(40, 10_000),
        ]


@pytest.fixture
def gates() -> Iterator[Gates]:
    gates = Gates()
    yield gates
    gates.first.set()
    gates.second.set()


def captured(session: Session, frames: int) -> bool:
    return session.look().counts.captured >= frames


def measured(session: Session, name: str) -> int:
    return len(session.traces.window(name, 0, inf))


def is_measured(session: Session, name: str) -> bool:
    """Whether nothing waits to be measured any more."""
    sample, frame = session.traces.newest(name), session.look().frame
    return sample is not None and frame is not None and sample.time_s == frame.time_s


def texts_in(path: Path) -> list[str]:
    with Recording(path) as recording:
        return [event.text for event in recording.events]


def test_a_scene_that_changes_in_the_pre_record_is_read_back(
    gates: Gates, wait_for: WaitFor, tmp_path: Path
) -> None:
    sink = ListSink()
    session = Session(RadiometricCamera(TLINEAR, gates.steps), FaceSegmenter(), [sink])
    session.set_pre_record(20)
    with session:
        wait_for(lambda: captured(session, 20))
        session.set_scene(0.9, 15.0)
        gates.first.set()
        wait_for(lambda: captured(session, 40))
        path = session.start_recording(tmp_path / "a.h5")
        gates.second.set()
        wait_for(lambda: session.look().counts.recorded >= 45)
        session.stop_recording()

    with Recording(path) as recording:
        assert recording.problems == ()
        live = {frame.index: frame for frame in sink.frames}
        changed = next(i for i in sorted(live) if live[i].scene == Scene(0.9, 15.0))
        assert 20 <= changed < 40
        for position in (0, 7, changed - 1, changed, 39, 42):
            stored = recording.frame(position)
            np.testing.assert_array_equal(stored.celsius, live[stored.index].celsius)
            assert stored.scene == live[stored.index].scene
        change_s = float(recording.times_s[changed])
        assert recording.info.radiometry == TLINEAR
        assert recording.scenes == ((change_s, Scene(0.9, 15.0)),)
    assert "emissivity 0.9, reflected temperature 15 °C" in texts_in(path)
    assert verify(path).state is State.SOUND
    cut, _ = cut_session(path, tmp_path, TimeRange(change_s, inf), stem="cut").paths
    for copy in (recover(path).path, cut):
        with Recording(copy) as recording:
            last = recording.frame(-1)
            np.testing.assert_array_equal(last.celsius, live[last.index].celsius)
            first = recording.frame(0)
            np.testing.assert_array_equal(first.celsius, live[first.index].celsius)


@pytest.mark.parametrize("pictures", [True, False], ids=["pictures", "traces only"])
def test_drawn_rois_are_measured_in_the_pre_record_without_a_model(
    gates: Gates, wait_for: WaitFor, tmp_path: Path, pictures: bool
) -> None:
    session = Session(ScriptedCamera(gates.steps), None)
    session.set_pre_record(20)
    session.set_rois([CHEEK])
    with session:
        wait_for(lambda: captured(session, 20) and measured(session, "cheek") >= 5)
        session.set_rois([MOVED])
        gates.first.set()
        wait_for(lambda: captured(session, 40))
        wait_for(lambda: is_measured(session, "cheek"))
        plan = RecordingPlan.to_file(tmp_path / "a.h5", pictures=pictures)
        path = session.start_recording(plan)
        gates.second.set()
        wait_for(lambda: session.look().counts.recorded >= 45)
        session.stop_recording()
    trace = session.traces.window("cheek", 0, inf)

    with Recording(path) as recording:
        assert recording.problems == ()
        assert recording.has_pictures is pictures
        samples = recording.samples("cheek")
        assert len(samples) > 10
        assert samples["time_s"].tolist() == trace.time_s[: len(samples)].tolist()
        valid = samples["valid"]
        means_c = trace.mean_c[: len(samples)]
        np.testing.assert_allclose(samples["mean_c"][valid], means_c[valid], rtol=1e-6)
        assert not any(recording.is_labelled(position) for position in range(len(recording)))
        first_s, last_s = (float(s) for s in recording.times_s[[0, -1]])
        assert recording.drawn_history.at(first_s) == (CHEEK,)
        assert recording.drawn_history.at(last_s) == (MOVED,)
    assert "ROI “cheek” moved to 14,13 19,13 19,17 14,17" in texts_in(path)
    assert verify(path).state is State.SOUND
    cut, _ = cut_session(path, tmp_path, TimeRange(last_s - 0.05, inf), stem="cut").paths
    with Recording(cut) as recording, Recording(recover(path).path) as recovered:
        assert recording.drawn_rois == (MOVED,)
        assert 0 < len(recording.samples("cheek")) < len(samples)
        np.testing.assert_array_equal(recovered.samples("cheek"), samples)
        assert recording.has_pictures is recovered.has_pictures is pictures


def test_a_roi_drawn_in_the_pre_record_has_a_trace_from_then_on(
    gates: Gates, wait_for: WaitFor, tmp_path: Path
) -> None:
    session = Session(ScriptedCamera(gates.steps), FaceSegmenter())
    session.set_pre_record(20)
    with session:
        wait_for(lambda: captured(session, 20))
        session.set_rois([CHEEK])
        gates.first.set()
        wait_for(lambda: captured(session, 40) and measured(session, "cheek") >= 5)
        path = session.start_recording(tmp_path / "a.h5")
        gates.second.set()
        wait_for(lambda: session.look().counts.recorded >= 45)
        session.stop_recording()

    with Recording(path) as recording:
        assert recording.problems == ()
        assert recording.drawn_rois == (CHEEK,)
        assert recording.samples("cheek")["frame_index"].min() >= 19
        assert recording.samples("nose")["frame_index"].min() < 20


def test_what_is_marked_in_the_pre_record_is_recorded(
    gates: Gates, wait_for: WaitFor, tmp_path: Path
) -> None:
    session = Session(ScriptedCamera(gates.steps), None)
    session.set_pre_record(20)
    with session:
        wait_for(lambda: captured(session, 20))
        session.mark("cough")
        slip, late = session.mark("slip"), session.mark("late slip")
        assert session.take_back(slip)
        gates.first.set()
        wait_for(lambda: captured(session, 40))
        path = session.start_recording(tmp_path / "a.h5")
        assert session.take_back(late)
        gates.second.set()
        wait_for(lambda: session.look().counts.recorded >= 45)
        session.stop_recording()

    with Recording(path) as recording:
        assert [marker.label for marker in recording.markers] == ["cough"]
        assert recording.times_s[0] < recording.markers[0].begin_s < recording.times_s[-1]
        taken = [e.text for e in recording.events if e.text.startswith("mark taken back")]
    assert [text.partition(",")[0] for text in taken] == [
        "mark taken back: slip",
        "mark taken back: late slip",
    ]


def test_what_was_marked_before_the_pre_record_is_not_recorded(
    gates: Gates, wait_for: WaitFor, tmp_path: Path
) -> None:
    gates.first.set()
    gates.second.set()
    session = Session(ScriptedCamera(gates.steps), None)
    session.set_pre_record(0.2)
    with session:
        session.wait_opened(10)
        session.mark("long ago")
        session.note_event("nothing of note")
        wait_for(lambda: captured(session, 60))
        path = session.start_recording(tmp_path / "a.h5")
        session.mark("now")
        session.stop_recording()

    with Recording(path) as recording:
        assert [marker.label for marker in recording.markers] == ["now"]
    assert "nothing of note" not in texts_in(path)
