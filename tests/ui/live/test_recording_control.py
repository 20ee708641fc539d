"""The recording is a machine: whatever is pressed in whatever order, it says what is so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import FakeSession
from thermoseg.errors import RecordingError
from thermoseg.recording.status import RecorderStatus, RecordingSummary
from ui.live.recording_control import RecordingControl, RecordState


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def control(qapp: object, clock: Clock) -> Iterator[RecordingControl]:
    control = RecordingControl(clock=clock)
    yield control
    control.close()


@pytest.fixture
def told(control: RecordingControl) -> list[object]:
    """Everything that the control tells of starts: summaries and errors."""
    told: list[object] = []
    control.saved.connect(told.append)
    control.failed.connect(told.append)
    return told


def start(qtbot: QtBot, control: RecordingControl, session: FakeSession, path: Path) -> None:
    assert control.start(session, path)
    qtbot.waitUntil(lambda: control.path == path)
    control.look(session.look())
    assert control.state is RecordState.ON


def test_it_is_on_once_the_file_is_on_the_disk_and_not_before(
    qtbot: QtBot, control: RecordingControl, session: FakeSession, tmp_path: Path
) -> None:
    session.recording_may_start.clear()
    control.start(session, tmp_path / "a.h5")
    control.look(session.look())
    assert (control.state, control.path, control.status) == (RecordState.STARTING, None, None)
    session.recording_may_start.set()
    qtbot.waitUntil(lambda: control.path is not None)
    control.look(session.look())

    assert control.state is RecordState.ON
    assert control.status is session.recorder


def test_numbers_of_the_recording_before_are_never_shown(
    qtbot: QtBot, control: RecordingControl, session: FakeSession, tmp_path: Path
) -> None:
    start(qtbot, control, session, tmp_path / "a.h5")
    control.stop()
    qtbot.waitUntil(lambda: control.state is RecordState.OFF)
    assert control.status is None
    session.recorder = RecorderStatus(999, 0, 60.0, 2_600_000, 10**12, "", on_disk=True)
    session.recording_may_start.clear()
    control.start(session, tmp_path / "b.h5")
    control.look(session.look())

    assert control.status is None
    session.recording_may_start.set()


def test_stop_before_it_is_up_leaves_it_finished(
    qtbot: QtBot,
    control: RecordingControl,
    session: FakeSession,
    told: list[object],
    tmp_path: Path,
) -> None:
    session.recording_may_start.clear()
    control.start(session, tmp_path / "a.h5")
    control.stop()
    assert control.state.name == "STOPPING"
    session.recording_may_start.set()
    qtbot.waitUntil(lambda: bool(told))

    assert isinstance(told[0], RecordingSummary)
    assert control.state is RecordState.OFF
    assert session.recorder is None


def test_a_second_press_within_a_second_is_no_stop(
    qtbot: QtBot, control: RecordingControl, clock: Clock, session: FakeSession, tmp_path: Path
) -> None:
    start(qtbot, control, session, tmp_path / "a.h5")
    clock.now_s += 0.9
    assert not control.may_stop()
    clock.now_s += 0.2

    assert control.may_stop()


def test_seven_starts_are_one(
    qtbot: QtBot,
    control: RecordingControl,
    session: FakeSession,
    told: list[object],
    tmp_path: Path,
) -> None:
    begun = [control.start(session, tmp_path / f"{number}.h5") for number in range(7)]
    qtbot.waitUntil(lambda: control.path is not None)

    assert begun == [True, *[False] * 6]
    assert session.recorded_to == [tmp_path / "0.h5"]
    assert told == []


def test_a_start_that_is_refused_is_told_once_and_the_next_may_begin(
    qtbot: QtBot,
    control: RecordingControl,
    session: FakeSession,
    told: list[object],
    tmp_path: Path,
) -> None:
    session.refusal = RecordingError("the folder is gone; choose another")
    control.start(session, tmp_path / "a.h5")
    qtbot.waitUntil(lambda: control.state is RecordState.FAILED)
    assert told == [session.refusal]
    session.refusal = None

    start(qtbot, control, session, tmp_path / "a.h5")


def test_a_recording_that_ends_by_itself_is_told_with_its_numbers(
    qtbot: QtBot,
    control: RecordingControl,
    session: FakeSession,
    told: list[object],
    tmp_path: Path,
) -> None:
    start(qtbot, control, session, tmp_path / "a.h5")
    session.recorder = RecorderStatus(9, 1, 0.3, 9, 0, "the disk is full")
    control.look(session.look())
    qtbot.waitUntil(lambda: bool(told))

    assert isinstance(told[0], RecordingSummary)
    assert told[0].failed == "the disk is full"
    assert control.state is RecordState.FAILED
    assert len(told) == 1


def test_an_answer_that_comes_after_the_session_was_given_up_changes_nothing(
    qtbot: QtBot,
    control: RecordingControl,
    session: FakeSession,
    told: list[object],
    tmp_path: Path,
) -> None:
    session.recording_may_start.clear()
    control.start(session, tmp_path / "a.h5")
    assert control.give_up()
    assert control.state.name == "STOPPING"
    assert not control.start(session, tmp_path / "b.h5"), "the first one is not finished"
    session.recording_may_start.set()
    qtbot.waitUntil(lambda: bool(session.recorded_to))
    summary = session.stop_recording()
    control.end(summary)

    assert control.state is RecordState.OFF
    assert told == [summary]
    assert control.path is None


def test_a_session_without_a_recording_has_nothing_to_give_up(control: RecordingControl) -> None:
    assert not control.give_up()
    assert control.state is RecordState.OFF
