"""Between trials only: no correction falls into a trial, and none that was asked for is lost."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import WaitFor
from tests.session_parts import ScriptedCamera, Step, ended
from thermoseg import corrections
from thermoseg.cameras import FLAT_FIELD, make_camera
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.errors import CameraError, CameraLostError
from thermoseg.frames import Frame, FrameFlag
from thermoseg.headless import record
from thermoseg.recording.reader import Recording
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.study_file import Sitting, StudyFile

BETWEEN = CorrectionPolicy.BETWEEN_TRIALS
CLOSED_FRAMES = 5


class ShutterCamera(ScriptedCamera):
    """Closes its shutter for some frames when asked; cannot be told to do so then only."""

    def __init__(self, *openings: Iterable[Step], fpa_c: float = 30.0, live: bool = True) -> None:
        super().__init__(*(openings or (range(100_000),)), live=live)
        self.fpa_c = fpa_c
        self.orders: list[str] = []
        self.closed = self.refusing = 0

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        return {FLAT_FIELD: self.correct}

    def correct(self) -> None:
        if self.refusing:
            raise CameraError("it is too hot; let it cool down")
        self.orders.append(f"correct in {threading.current_thread().name}")
        self.closed = CLOSED_FRAMES

    def telemetry(self) -> dict[str, float | str]:
        return {"fpa_c": self.fpa_c}

    def read(self, timeout_s: float) -> Frame:
        frame = super().read(timeout_s)
        if not self.closed:
            return frame
        self.closed -= 1
        return replace(frame, flags=FrameFlag.SHUTTER)


class PatientCamera(ShutterCamera):
    """Can be told to correct itself when it is asked only."""

    def set_automatic_correction(self, on: bool) -> None:
        if self.refusing:
            raise CameraError("its serial port is closed; plug it in again")
        self.orders.append("automatic" if on else "manual")


CORRECTED = "correct in thermoseg capture"


def texts_of(session: Session) -> list[str]:
    return [event.text for event in session.look().events]


def wait_until_told(session: Session, wait_for: WaitFor, text: str) -> None:
    wait_for(lambda: any(text in told for told in texts_of(session)))


@pytest.fixture
def camera() -> PatientCamera:
    return PatientCamera()


def test_unless_told_otherwise_all_is_left_to_the_camera(
    camera: PatientCamera, wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "a.h5")
        session.mark("rest", kind="condition", duration_s=0.1)
        session.perform(FLAT_FIELD)
        wait_for(lambda: camera.orders)
        session.stop_recording()

    assert camera.orders == [CORRECTED]


def test_a_recording_is_a_trial_and_what_is_asked_for_waits_for_its_end(
    camera: PatientCamera, wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        path = session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: camera.orders == ["manual"])
        session.perform(FLAT_FIELD)
        session.perform(FLAT_FIELD)
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > seen + 10)
        assert session.look().correction_waits
        assert camera.orders == ["manual"]
        session.stop_recording()
        wait_for(lambda: len(camera.orders) == 3)
        wait_for(lambda: not session.look().correction_waits)

    assert camera.orders == ["manual", CORRECTED, "automatic"]
    assert texts_of(session).count("Flat-field correction waits for the end of the trial") == 1
    assert "Flat-field correction at the end of the trial" in texts_of(session)
    with Recording(path) as recording:
        recorded = [event.text for event in recording.events]
    assert "automatic flat-field correction off" in recorded
    assert "Flat-field correction waits for the end of the trial" in recorded


def test_a_condition_is_a_trial_and_a_correction_follows_it(
    camera: PatientCamera, wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        path = session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: camera.orders == ["manual"])
        mark = session.mark("rest", kind="condition", duration_s=0.3)
        wait_until_told(session, wait_for, "shutter open again")
        session.mark("stress", kind="condition", duration_s=0.2)
        wait_until_told(session, wait_for, "after “stress”")
        session.stop_recording()

    once = [CORRECTED, "automatic"]
    assert camera.orders[:6] == ["manual", *once, "manual", *once]
    with Recording(path) as recording:
        events = {event.text: event.time_s for event in recording.events}
    assert events["Flat-field correction after “rest”"] >= mark.begin_s + 0.3
    assert events["shutter closed"] >= mark.begin_s + 0.3


def test_a_correction_that_is_asked_for_in_a_condition_is_the_one_after_it(
    camera: PatientCamera, wait_for: WaitFor
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        session.mark("rest", kind="condition", duration_s=0.3)
        session.perform(FLAT_FIELD)
        wait_until_told(session, wait_for, "shutter open again")
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > seen + 10)

    assert camera.orders.count(CORRECTED) == 1
    assert "Flat-field correction at the end of the trial" in texts_of(session)


def test_a_condition_that_is_taken_back_holds_nothing_back(
    camera: PatientCamera, wait_for: WaitFor
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        mark = session.mark("rest", kind="condition", duration_s=1000)
        wait_for(lambda: camera.orders == ["manual"])
        assert session.take_back(mark)
        wait_for(lambda: camera.orders[-1] == "automatic")


def test_other_marks_begin_no_trial(camera: PatientCamera, wait_for: WaitFor) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        session.mark("cough", duration_s=1000)
        session.perform(FLAT_FIELD)
        wait_for(lambda: camera.orders)

    assert camera.orders == [CORRECTED]


def test_leaving_it_to_the_camera_again_ends_the_wait(
    camera: PatientCamera, wait_for: WaitFor
) -> None:
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        session.mark("rest", kind="condition", duration_s=1000)
        session.perform(FLAT_FIELD)
        wait_for(lambda: camera.orders == ["manual"])
        session.set_corrections(CorrectionPolicy.AUTOMATIC)
        wait_for(lambda: camera.orders == ["manual", CORRECTED, "automatic"])


@pytest.mark.parametrize("due", ["by time", "by drift", "not"])
def test_a_recording_begins_after_a_correction_if_one_is_due(
    due: str,
    camera: PatientCamera,
    wait_for: WaitFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thermoseg.camera_feed.TELEMETRY_S", 0.01)
    monkeypatch.setattr(corrections, "FRESH_S", 0.0 if due == "by time" else 1000.0)
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        wait_for(lambda: session.look().telemetry == {"fpa_c": 30.0})
        wait_for(lambda: session.look().counts.captured > 5)
        camera.fpa_c = 31.6 if due == "by drift" else 31.4
        wait_for(lambda: session.look().telemetry == {"fpa_c": camera.fpa_c})
        path = session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: "manual" in camera.orders)
        session.stop_recording()

    assert (camera.orders[0] == CORRECTED) is (due != "not")
    with Recording(path) as recording:
        flags = [recording.frame(number).flags for number in range(len(recording))]
    assert flags
    assert not any(flag & FrameFlag.SHUTTER for flag in flags), "open again before the first frame"


def test_a_correction_that_is_refused_delays_no_recording_and_is_told(
    camera: PatientCamera, wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "FRESH_S", 0.0)
    camera.refusing = True
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        session.start_recording(tmp_path / "a.h5")
        wait_until_told(session, wait_for, "goes on correcting itself: its serial port is closed")
        assert session.stop_recording().recorded > 0

    assert "Flat-field correction before the recording failed: it is too hot; let it cool down" in (
        texts_of(session)
    )


def test_a_camera_that_cannot_be_told_says_so_once_and_only_requests_wait(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    camera = ShutterCamera()
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        wait_until_told(session, wait_for, "fake 7 cannot be told when to correct itself; only")
        for name in ("a.h5", "b.h5"):
            session.start_recording(tmp_path / name)
            session.perform(FLAT_FIELD)
            assert session.look().correction_waits
            session.stop_recording()
            wait_for(lambda: not session.look().correction_waits)
        wait_for(lambda: camera.orders == [CORRECTED, CORRECTED])

    assert sum("cannot be told" in text for text in texts_of(session)) == 1


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_in_a_trial_is_told_again(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    pull = threading.Event()

    def until_pulled() -> Iterator[Step]:
        for number in range(100_000):
            yield CameraLostError("unplugged; plug it in") if pull.is_set() else number

    camera = PatientCamera(until_pulled(), range(100_000))
    with Session(camera, None) as session:
        session.wait_opened(10)
        session.set_corrections(BETWEEN)
        session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: camera.orders == ["manual"])
        pull.set()
        wait_for(lambda: camera.opened == 2)
        wait_for(lambda: camera.orders == ["manual", "manual"])


def test_nothing_is_said_of_a_file(wait_for: WaitFor, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    session = Session(ScriptedCamera([*range(20), ended()]), None)
    session.start_recording(path)
    with session:
        wait_for(lambda: session.ended)
    with Session(make_camera(f"file:{quote(str(path))}"), None) as played:
        played.set_corrections(BETWEEN)
        wait_for(lambda: played.ended)

    assert texts_of(played) == ["flat-field corrections: between trials"]


def test_a_study_keeps_corrections_out_of_what_the_command_line_records(tmp_path: Path) -> None:
    study = StudyFile(name="Stroop", corrections="between trials")
    plan = RecordingPlan.in_study(tmp_path, study, Sitting("07", "01", "rest"))
    report = record("simulated:?width=64&height=48&rate_hz=30", plan, 0.5, None)
    with Recording(report.path) as recording:
        texts = [event.text for event in recording.events]

    assert "automatic flat-field correction off" in texts
