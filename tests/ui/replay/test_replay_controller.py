"""The recording that is replayed: the exact frame, forth and back, without any widget."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from tests.ui.replay.conftest import FRAMES, RATE_HZ, frame_of
from thermoseg.errors import ThermoSegError
from thermoseg.recorded_frames import open_by_number
from ui.replay.replay_controller import ReplayController
from ui.replay.replay_state import ReplayState


class Clock:
    """A clock that goes when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def controller(qtbot: QtBot, clock: Clock) -> Iterator[ReplayController]:
    controller = ReplayController(clock=clock)
    yield controller
    controller.close()


@pytest.fixture
def opened(controller: ReplayController, talk: Path, qtbot: QtBot) -> ReplayController:
    controller.open(talk)
    qtbot.waitUntil(lambda: controller.settled)
    return controller


def assert_shows(controller: ReplayController, index: int) -> None:
    """Check that it is the recorded picture, bit for bit, and not only its number."""
    shown = controller.shown
    assert shown is not None
    assert shown.frame is not None
    assert shown.index == shown.frame.index == index
    np.testing.assert_array_equal(shown.frame.counts, frame_of(index).counts)


def test_the_first_frame_is_there_with_its_mask_and_length(opened: ReplayController) -> None:
    assert opened.state is ReplayState.OPEN
    assert_shows(opened, 0)
    assert opened.shown is not None
    assert opened.shown.labels is not None
    assert opened.length_s == pytest.approx((FRAMES - 1) / RATE_HZ)


def test_one_frame_forth_and_back_is_the_exact_frame(
    opened: ReplayController, qtbot: QtBot
) -> None:
    for step, expected in ((1, 1), (1, 2), (-1, 1), (-5, 0), (30, 30), (1000, FRAMES - 1)):
        opened.step(step)
        qtbot.waitUntil(lambda: opened.settled)
        assert_shows(opened, expected)


def test_the_newest_request_wins(opened: ReplayController, qtbot: QtBot) -> None:
    for index in (35, 3, 28, 11, 39, 17):
        opened.seek(index)
    qtbot.waitUntil(lambda: opened.settled)

    assert_shows(opened, 17)


def test_a_second_is_a_second_of_the_recording(opened: ReplayController) -> None:
    opened.step_seconds(1.0)
    assert opened.index == round(RATE_HZ)
    opened.seek_time(2.05)
    assert opened.index == 20


def test_it_plays_in_its_own_time(opened: ReplayController, clock: Clock) -> None:
    opened.play()
    clock.now_s += 1.05
    assert (opened.index, opened.playing) == (10, True)
    opened.set_speed(10.0)
    clock.now_s += 0.1
    assert opened.index == 20
    clock.now_s += 10
    assert (opened.index, opened.playing) == (FRAMES - 1, False)


def test_a_selection_is_played_round_and_round(opened: ReplayController, clock: Clock) -> None:
    opened.select((10, 14))
    opened.set_looping(True)
    opened.play()
    seen = set()
    for _ in range(60):
        clock.now_s += 0.05
        seen.add(opened.index)

    assert seen == {10, 11, 12, 13, 14}
    assert opened.playing


def test_in_and_out_may_be_set_in_either_order(opened: ReplayController) -> None:
    opened.seek(30)
    opened.mark_in()
    assert opened.selection == (30, FRAMES - 1)
    opened.seek(5)
    opened.mark_out()
    assert opened.selection == (5, 30)


def test_markers_are_gone_to_one_by_one(opened: ReplayController) -> None:
    places = []
    for way in (1, 1, 1, -1, -1):
        opened.go_to_marker(way)
        places.append(opened.index)

    assert places == [10, 25, 25, 10, 10]


def test_tables_count_from_the_first_frame(opened: ReplayController) -> None:
    tables = opened.tables
    assert tables is not None
    assert [marker.begin_s for marker in tables.markers] == pytest.approx([1.0, 2.5])
    assert tables.traces["nostrils"].time_s[0] == pytest.approx(0.0)


def test_traces_without_pictures_open_and_say_so(
    controller: ReplayController, study: Path, qtbot: QtBot
) -> None:
    controller.open(study / "traces.h5")
    qtbot.waitUntil(lambda: controller.settled)

    assert controller.shown is not None
    assert controller.shown.frame is None
    assert "traces only" in str(controller.shown.problem)
    assert controller.tables is not None
    assert len(controller.tables.traces["nostrils"]) == FRAMES


@pytest.mark.parametrize("name", ["gone.h5", "nonsense.h5", "words.txt"])
def test_what_cannot_be_opened_is_said(
    controller: ReplayController, tmp_path: Path, qtbot: QtBot, name: str
) -> None:
    path = tmp_path / name
    if name != "gone.h5":
        path.write_bytes(b"no recording")
    with qtbot.waitSignal(controller.failed) as failed:
        controller.open(path)

    assert failed.args is not None
    assert isinstance(failed.args[0], ThermoSegError)
    assert name in str(failed.args[0])
    assert controller.state is ReplayState.FAILED
    assert controller.settled


def test_a_damaged_frame_is_told_and_the_next_ones_are_there(
    controller: ReplayController, talk: Path, qtbot: QtBot, damage: Callable[[Path, int], None]
) -> None:
    damage(talk, 7)
    controller.open(talk)
    qtbot.waitUntil(lambda: controller.settled)
    controller.seek(7)
    qtbot.waitUntil(lambda: controller.settled)
    assert controller.shown is not None
    assert controller.shown.frame is None
    assert isinstance(controller.shown.problem, ThermoSegError)

    controller.step(1)
    qtbot.waitUntil(lambda: controller.settled)
    assert_shows(controller, 8)


def test_another_file_in_the_middle_of_opening_is_what_is_shown(
    controller: ReplayController, study: Path, qtbot: QtBot
) -> None:
    failures: list[object] = []
    controller.failed.connect(failures.append)
    controller.open(study / "gone.h5")
    controller.open(study / "traces.h5")
    controller.open(study / "bare.h5")
    qtbot.waitUntil(lambda: controller.settled)

    assert controller.path == study / "bare.h5"
    assert_shows(controller, 0)
    assert not failures


def test_other_masks_leave_place_and_selection(opened: ReplayController, qtbot: QtBot) -> None:
    opened.select((5, 20))
    opened.seek(12)
    path = opened.path
    assert path is not None
    with qtbot.waitSignal(opened.exchanged):
        opened.exchange(lambda: open_by_number(path))
    qtbot.waitUntil(lambda: opened.settled)

    assert_shows(opened, 12)
    assert opened.selection == (5, 20)


def test_other_masks_that_cannot_be_opened_leave_everything(
    opened: ReplayController, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.failed):
        opened.exchange(lambda: open_by_number(tmp_path / "gone.h5"))

    assert opened.state is ReplayState.OPEN
    opened.step(1)
    qtbot.waitUntil(lambda: opened.settled)
    assert_shows(opened, 1)
