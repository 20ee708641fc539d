"""The controller opens in another thread, looks without taking, and tells each failure once."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from pytestqt.qtbot import QtBot

import ui.live.session_controller as session_controller
from tests.ui.conftest import FakeNetwork, FakeSession, MakeController
from thermoseg.cameras import CameraListing
from thermoseg.errors import CameraError, ModelError
from thermoseg.hotplug import CameraWatch
from ui.live.model_shelf import ModelChoice, ModelState
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState, SessionController


@pytest.fixture
def running(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> SessionController:
    controller = make_controller(session)
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    return controller


def test_opening_does_not_hold_up_the_window(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> None:
    go, threads = threading.Event(), []

    def slow(address: str, segmenter: object) -> FakeSession:
        threads.append(threading.current_thread())
        go.wait(10)
        return session

    controller = make_controller(slow)
    controller.start("fake:")

    assert controller.state is CameraState.OPENING
    go.set()
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    assert threads[0] is not threading.main_thread()
    assert controller.view.info is session.info


def test_its_view_is_of_the_session_that_runs_and_empty_without_one(
    qtbot: QtBot, running: SessionController, session: FakeSession
) -> None:
    for index in range(3):
        newest = session.show(index)
    result = session.segment(newest)
    qtbot.waitUntil(lambda: running.view.result is result)

    assert running.view.frame is newest
    assert running.view.counts.captured == 90
    running.stop()
    empty = running.view
    assert (empty.frame, empty.counts.captured) == (None, 0)


def test_looks_are_timed(qtbot: QtBot, running: SessionController) -> None:
    qtbot.waitUntil(lambda: len(running.tick_times_ms) >= 3)

    assert all(0 < time_ms < 1000 for time_ms in running.tick_times_ms)


def test_stopping_while_opening_leaves_no_session_behind(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(address: str, segmenter: object) -> FakeSession:
        begun.set()
        go.wait(10)
        return session

    controller = make_controller(slow)
    controller.start("fake:")
    qtbot.waitUntil(begun.is_set)
    controller.stop()
    go.set()

    qtbot.waitUntil(lambda: session.stopped == 1)
    assert controller.state is CameraState.IDLE


def test_starting_again_ends_the_session_before(
    qtbot: QtBot, make_controller: MakeController, make_session: type[FakeSession]
) -> None:
    sessions = [make_session(), make_session()]
    opened = iter(sessions)
    controller = make_controller(lambda address, segmenter: next(opened))
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)

    assert [each.stopped for each in sessions] == [1, 0]


def test_what_cannot_be_opened_is_told(qtbot: QtBot, make_controller: MakeController) -> None:
    def broken(address: str, segmenter: object) -> FakeSession:
        raise CameraError("no such camera; plug it in")

    controller = make_controller(broken)
    with qtbot.waitSignal(controller.failed) as told:
        controller.start("fake:")

    assert str(told.args[0]) == "no such camera; plug it in"
    assert controller.state is CameraState.FAILED


def test_a_session_that_ends_with_an_error_is_told_once(
    qtbot: QtBot, running: SessionController, session: FakeSession
) -> None:
    told: list[Exception] = []
    running.failed.connect(told.append)
    session.error, session.ended = CameraError("unplugged"), True
    qtbot.waitUntil(lambda: session.stopped == 1)

    assert running.state is CameraState.FAILED
    assert told == [session.error]


def test_the_end_of_a_file_is_no_failure(
    qtbot: QtBot, running: SessionController, session: FakeSession
) -> None:
    told: list[Exception] = []
    running.failed.connect(told.append)
    last = session.show(5)
    session.ended = True
    qtbot.waitUntil(lambda: running.state is CameraState.ENDED)

    assert running.view.frame is last
    assert told == []


def test_a_silent_camera_is_called_lost_until_it_speaks_again(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, running: SessionController, session: FakeSession
) -> None:
    monkeypatch.setattr(session_controller, "LOST_AFTER_S", 0.05)
    qtbot.waitUntil(lambda: running.state is CameraState.LOST)
    monkeypatch.setattr(session_controller, "LOST_AFTER_S", 60)
    session.show(1)
    qtbot.waitUntil(lambda: running.state is CameraState.RUNNING)


def test_a_file_that_stands_still_is_not_lost(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    make_controller: MakeController,
    make_session: type[FakeSession],
) -> None:
    monkeypatch.setattr(session_controller, "LOST_AFTER_S", 0.0)
    controller = make_controller(make_session(live=False))
    controller.start("fake:")
    qtbot.waitUntil(lambda: len(controller.tick_times_ms) >= 3)

    assert controller.state is CameraState.RUNNING


def test_a_model_is_used_when_it_is_there_and_the_picture_does_not_wait(
    qtbot: QtBot,
    make_controller: MakeController,
    session: FakeSession,
    loaders: dict[str, Callable[[], object]],
) -> None:
    go = threading.Event()
    loaders["slow-model"] = lambda: go.wait(10)
    controller = make_controller(session)
    controller.models.choose("slow-model")
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    frame = session.show(1)
    qtbot.waitUntil(lambda: controller.view.frame is frame)
    assert controller.models.choice.state.name == "LOADING"
    assert session.segmenters == []
    go.set()
    qtbot.waitUntil(lambda: len(session.segmenters) == 1)

    assert controller.models.choice.state is ModelState.READY
    assert session.segmenters == [controller.models.segmenter]


def test_a_model_that_cannot_be_loaded_leaves_the_camera_and_the_model_before(
    qtbot: QtBot,
    make_controller: MakeController,
    session: FakeSession,
    loaders: dict[str, Callable[[], object]],
) -> None:
    def refuse() -> None:
        raise ModelError("broken.safetensors is damaged; copy it again")

    loaders["broken"] = refuse
    controller = make_controller(session)
    controller.models.choose("good")
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    with qtbot.waitSignal(controller.models.failed) as told:
        controller.models.choose("broken")

    assert "damaged" in str(told.args[0])
    assert controller.state is CameraState.RUNNING
    assert controller.models.choice == ModelChoice("broken", ModelState.FAILED)
    assert cast("FakeNetwork", controller.models.segmenter).name == "good"


def test_the_recording_asked_for_with_the_source_waits_for_the_model(
    qtbot: QtBot,
    make_controller: MakeController,
    session: FakeSession,
    loaders: dict[str, Callable[[], object]],
    tmp_path: Path,
) -> None:
    go = threading.Event()
    loaders["slow-model"] = lambda: go.wait(10)
    controller = make_controller(session)
    controller.models.choose("slow-model")
    controller.start("fake:", tmp_path / "a.h5")
    qtbot.waitUntil(lambda: len(controller.tick_times_ms) >= 2)
    assert session.recorded_to == []
    go.set()
    qtbot.waitUntil(lambda: controller.recording.state is RecordState.ON)

    assert session.recorded_to == [tmp_path / "a.h5"]


def test_stopping_the_camera_tells_what_was_recorded(
    qtbot: QtBot, tmp_path: Path, running: SessionController, session: FakeSession
) -> None:
    assert running.record(tmp_path / "a.h5")
    qtbot.waitUntil(lambda: running.recording.state is RecordState.ON)
    with qtbot.waitSignal(running.recording.saved) as saved:
        running.stop()
        running.start("fake:")

    assert saved.args[0].path == tmp_path / "a.h5"
    assert saved.args[0].recorded == 10
    assert running.recording.state is RecordState.OFF


def test_a_source_that_ends_ends_its_recording_with_its_numbers(
    qtbot: QtBot, tmp_path: Path, running: SessionController, session: FakeSession
) -> None:
    running.record(tmp_path / "a.h5")
    qtbot.waitUntil(lambda: running.recording.state is RecordState.ON)
    with qtbot.waitSignal(running.recording.saved) as saved:
        session.ended = True

    assert saved.args[0].missed == 1
    assert running.state is CameraState.ENDED
    assert running.recording.status is None


def test_nothing_is_recorded_without_a_session(
    make_controller: MakeController, session: FakeSession, tmp_path: Path
) -> None:
    controller = make_controller(session)

    assert not controller.record(tmp_path / "a.h5")
    assert controller.recording.state is RecordState.OFF


def test_cameras_and_models_are_looked_for_elsewhere(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> None:
    controller = make_controller(session)
    with qtbot.waitSignals([controller.cameras_found, controller.models.found]):
        controller.find_cameras()
        controller.models.find()


class Watch(CameraWatch):
    """Tells of cameras what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: queue.SimpleQueue[list[CameraListing]] = queue.SimpleQueue()
        self.looks = 0

    def __exit__(self, *_: object) -> None:
        self.left = True

    def next_change(self, timeout_s: float) -> list[CameraListing] | None:
        self.looks += 1
        try:
            return self.lists.get(timeout=0.01)
        except queue.Empty:
            return None


def test_cameras_that_come_are_told_without_being_asked_for(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> None:
    controller, watch = make_controller(session), Watch()
    controller.watch_cameras(lambda: watch)
    for name in ("a:", "b:"):
        with qtbot.waitSignal(controller.cameras_found) as told:
            watch.lists.put([CameraListing(name, "One")])
        assert told.args[0][0].address == name
    controller.close()

    assert watch.left


def test_nobody_looks_for_cameras_while_one_is_open(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    make_controller: MakeController,
    session: FakeSession,
) -> None:
    monkeypatch.setattr(session_controller, "WATCH_S", 0.01)
    controller, watch = make_controller(session), Watch()
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    controller.watch_cameras(lambda: watch)
    ticks = len(controller.tick_times_ms)
    qtbot.waitUntil(lambda: len(controller.tick_times_ms) > ticks + 3)
    assert watch.looks == 0
    controller.stop()

    qtbot.waitUntil(lambda: watch.looks > 0)


def test_closing_ends_the_session(
    make_controller: MakeController, session: FakeSession, qtbot: QtBot
) -> None:
    controller = make_controller(session)
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state is CameraState.RUNNING)
    controller.close()

    assert session.stopped == 1
