"""What came before the start is recorded first: nothing lost, nothing twice, nobody held up."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ScriptedCamera, Step, make_frame
from thermoseg.camera_feed import Arrival
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import CameraLostError, RecordingError
from thermoseg.frames import CameraInfo
from thermoseg.kept_frames import KeptFrame
from thermoseg.pre_record import PRE_RECORD_THREAD, PreRecord, fitting_seconds
from thermoseg.radiometry import LinearRadiometry
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.session import Session

LARGE = CameraInfo("large", "", 640, 512, 60.0, LinearRadiometry(0.01), live=True)


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def session(gate: threading.Event) -> Iterator[Session]:
    """A camera that sends forty frames, and more when the gate opens."""
    steps: list[Step] = [*range(40), gate, *range(40, 10_000)]
    session = Session(ScriptedCamera(steps), FaceSegmenter())
    session.set_pre_record(10)
    session.start()
    yield session
    gate.set()
    session.stop()


def recorded(session: Session) -> int:
    return session.look().counts.recorded


def test_what_came_before_the_start_is_recorded_first(
    session: Session, gate: threading.Event, wait_for: WaitFor, tmp_path: Path
) -> None:
    wait_for(lambda: session.look().counts.captured == 40)
    result = session.look().result
    assert result is not None
    assert session.look().pre_recorded_s > 0.2
    path = session.start_recording(tmp_path / "a.h5")
    assert session.look().pre_recorded_s == 0
    gate.set()
    wait_for(lambda: recorded(session) > 60)
    summary = session.stop_recording()

    assert (summary.dropped, summary.missed, summary.recorded) == (0, 0, summary.captured)
    with Recording(path) as recording:
        assert recording.problems == ()
        assert recording.indices.tolist() == list(range(summary.recorded))
        assert recording.gaps == ()
        assert np.all(np.diff(recording.clock("frames/monotonic_s")) > 0)
        for position in (0, 7, 39, 45):
            expected = make_frame(position, 0.0).counts
            np.testing.assert_array_equal(recording.frame(position).counts, expected)
        labelled = recording.samples("nose")["frame_index"]
        assert labelled.min() < 40
        labels = recording.labels(int(labelled[0]))
        np.testing.assert_array_equal(labels, FaceSegmenter().labels)


def test_the_next_recording_begins_after_the_last_one(
    session: Session, gate: threading.Event, wait_for: WaitFor, tmp_path: Path
) -> None:
    gate.set()
    wait_for(lambda: session.look().counts.captured > 40)
    ends = []
    for name in ("a.h5", "b.h5"):
        path = session.start_recording(tmp_path / name)
        before = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > before + 20)  # noqa: B023
        session.stop_recording()
        with Recording(path) as recording:
            assert np.all(np.diff(recording.indices) == 1)
            ends.append((int(recording.indices[0]), int(recording.indices[-1])))
        wait_for(lambda: session.look().pre_recorded_s > 0.05)
    assert ends[0][0] == 0
    assert ends[1][0] == ends[0][1] + 1


def test_drawn_regions_have_their_traces_from_the_first_kept_frame(
    gate: threading.Event, wait_for: WaitFor, tmp_path: Path
) -> None:
    """In the order of the frames, though live samples come while the kept ones are written."""
    session = Session(ScriptedCamera([*range(40), gate, *range(40, 10_000)]), None)
    session.set_rois([DrawnRoi.spot("tip", 8, 8, 3)])
    session.set_pre_record(10)
    with session:
        wait_for(lambda: session.look().counts.captured == 40)
        path = session.start_recording(tmp_path / "a.h5")
        gate.set()
        wait_for(lambda: recorded(session) > 60)
        session.stop_recording()
    with Recording(path) as recording:
        assert recording.problems == ()
        samples = recording.samples("tip")
        assert set(range(40)) <= set(samples["frame_index"].tolist())
        assert np.all(np.diff(samples["time_s"]) > 0)


@pytest.mark.usefixtures("quick_watchdog")
def test_flags_and_gaps_of_what_was_kept_stay(wait_for: WaitFor, tmp_path: Path) -> None:
    lost = CameraLostError("the cable is out")
    session = Session(ScriptedCamera([0, 1, 5, lost], [0, 0, 1]), None)
    session.set_pre_record(10)
    with session:
        wait_for(lambda: session.look().counts.captured == 6)
        path = session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: recorded(session) == 6)
        session.stop_recording()

    with Recording(path) as recording:
        assert recording.indices.tolist() == [0, 1, 5, 6, 7, 8]
        assert recording.flags.tolist() == [0, 0, 32, 32, 4, 0]
        gaps = [(gap.frames, gap.cause) for gap in recording.gaps]
        assert gaps[:2] == [(3, "camera"), (0, "lost")]


def test_only_as_much_as_wanted_is_kept(wait_for: WaitFor) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.set_pre_record(0.2)
        wait_for(lambda: session.look().counts.captured > 60)
        assert 0.1 < session.look().pre_recorded_s <= 0.2
        session.set_pre_record(0)
        assert session.look().pre_recorded_s == 0
        before = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > before + 5)
        assert session.look().pre_recorded_s == 0


def test_frames_are_compressed_in_a_thread_of_their_own(wait_for: WaitFor) -> None:
    pre_record = PreRecord()
    pre_record.open(LARGE)
    pre_record.set(10)
    noise = np.random.default_rng(0)
    frames = [make_frame(index, index / 60, (512, 640)) for index in range(3)]
    for frame in frames:
        counts = (frame.counts + noise.integers(0, 16, (512, 640))).astype(np.uint16)
        object.__setattr__(frame, "counts", counts)
        pre_record.put(KeptFrame.of(Arrival(frame, frame.time_s, 0)))
    assert PRE_RECORD_THREAD in {thread.name for thread in threading.enumerate()}
    wait_for(lambda: pre_record._kept.size < 3 * 512 * 640 * 2 * 0.6)
    pre_record.close()


def free_memory(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))


def test_what_does_not_fit_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    pre_record = PreRecord()
    pre_record.open(LARGE)
    free_memory(monkeypatch, 520_000_000)
    with pytest.raises(RecordingError, match=r"30 s does not fit .*: 12 s fit"):
        pre_record.set(30)
    assert fitting_seconds(LARGE, 520_000_000) == 12
    with pytest.raises(RecordingError, match="choose 0 to 30 s"):
        pre_record.set(31)
    assert PRE_RECORD_THREAD not in {thread.name for thread in threading.enumerate()}


def test_what_turns_out_not_to_fit_when_the_camera_opens_is_shortened_and_told(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    free_memory(monkeypatch, 100)
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_pre_record(20)
    with session:
        wait_for(lambda: session.look().counts.captured > 5)
        assert session.look().pre_recorded_s == 0
        (event,) = session.look().events
    assert "does not fit into the free memory: 0 s fit" in event.text


def test_less_is_kept_where_memory_becomes_scarce(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    monkeypatch.setattr("thermoseg.pre_record.MEMORY_S", 0.0)
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.set_pre_record(30)
        wait_for(lambda: session.look().pre_recorded_s > 0.2)
        free_memory(monkeypatch, -50_000)
        wait_for(lambda: session.look().pre_recorded_s < 0.1)


def test_a_file_has_no_pre_record(wait_for: WaitFor) -> None:
    with Session(ScriptedCamera(range(10_000), live=False), None) as session:
        session.wait_opened(10)
        with pytest.raises(RecordingError, match="a file has no pre-record"):
            session.set_pre_record(5)


def test_what_finds_no_memory_behind_a_slow_disk_is_dropped_and_counted(
    session: Session,
    gate: threading.Event,
    wait_for: WaitFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer_kept, go_on = Recorder.offer_kept, threading.Event()

    def offer_slowly(recorder: Recorder, *arguments: Any) -> None:
        go_on.wait(30)
        offer_kept(recorder, *arguments)

    monkeypatch.setattr(Recorder, "offer_kept", offer_slowly)
    monkeypatch.setattr("thermoseg.pre_record.MEMORY_S", 0.0)
    wait_for(lambda: session.look().counts.captured == 40)
    path = session.start_recording(tmp_path / "a.h5")
    free_memory(monkeypatch, -(10**9))
    gate.set()
    before = session.look().counts.captured
    wait_for(lambda: session.look().counts.captured > before + 10)
    monkeypatch.undo()
    go_on.set()
    wait_for(lambda: recorded(session) > 60)
    summary = session.stop_recording()

    assert summary.dropped >= 10
    assert summary.captured == summary.recorded + summary.dropped
    with Recording(path) as recording:
        assert recording.indices[:40].tolist() == list(range(40))
        assert [gap.cause for gap in recording.gaps] == ["recorder"]
        assert recording.gaps[0].frames == summary.dropped
        assert recording.counts.captured == summary.captured
