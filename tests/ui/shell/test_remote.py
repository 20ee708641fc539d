"""Another program records with the window, and is told what has happened."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.conftest import FakeSession, MakeController
from thermoseg.errors import ConfigError, RecordingError
from ui.live.session_controller import SessionController
from ui.shell.remote import RemoteControl

Ask = Callable[[dict[str, object]], dict[str, object]]


class Recorder:
    """Stands for the page that records."""

    def __init__(self, controller: SessionController, path: Path) -> None:
        self.controller, self.path = controller, path
        self.complaint = ""

    def record(self) -> None:
        raise AssertionError("another program is not asked anything")

    def record_at_once(self) -> None:
        if self.complaint:
            raise ConfigError(self.complaint)
        self.controller.record(self.path)

    def mark(self) -> None:
        raise AssertionError("a marker of another program has its own name")


@pytest.fixture
def controller(
    qtbot: QtBot, make_controller: MakeController, session: FakeSession
) -> SessionController:
    controller = make_controller(session)
    controller.start("fake:")
    qtbot.waitUntil(lambda: controller.state.open)
    return controller


@pytest.fixture
def recorder(controller: SessionController, tmp_path: Path) -> Recorder:
    return Recorder(controller, tmp_path / "a.h5")


@pytest.fixture
def ask(qtbot: QtBot, controller: SessionController, recorder: Recorder) -> Iterator[Ask]:
    """Send one line and wait for the answer, while the window goes on."""
    remote = RemoteControl(0, controller, lambda: recorder)
    client = socket.create_connection(("127.0.0.1", remote.port), 10)
    lines = client.makefile("r", encoding="utf-8")
    with ThreadPoolExecutor(1) as reader:

        def send(request: dict[str, object]) -> dict[str, object]:
            client.sendall(json.dumps(request).encode() + b"\n")
            answer: Future[str] = reader.submit(lines.readline)
            qtbot.waitUntil(answer.done, timeout=20_000)
            told = json.loads(answer.result())
            assert isinstance(told, dict)
            return told

        yield send
        lines.close()
        client.close()
        remote.close()


def test_a_recording_is_started_marked_and_stopped(
    ask: Ask, session: FakeSession, recorder: Recorder
) -> None:
    started = ask({"do": "start"})
    assert started["path"] == str(recorder.path), started
    assert ask({"do": "state"})["recording"] == "on"
    assert ask({"do": "marker", "label": "stimulus on"})["label"] == "stimulus on"
    stopped = ask({"do": "stop"})

    assert (stopped["recorded"], stopped["missed"]) == (10, 1)
    assert ask({"do": "state"})["recording"] == "off"
    assert [mark.label for mark in session.marked] == ["stimulus on"]


def test_what_cannot_be_is_told_with_the_reason(
    ask: Ask, session: FakeSession, recorder: Recorder
) -> None:
    assert "nothing is being recorded" in str(ask({"do": "stop"}))
    assert "nothing was marked" in str(ask({"do": "marker", "label": "on"}))
    recorder.complaint = "the participant is missing; fill it in"
    assert "the participant is missing" in str(ask({"do": "start"}))
    recorder.complaint = ""
    session.refusal = RecordingError("the folder is gone; choose another")
    assert "the folder is gone" in str(ask({"do": "start"}))
    session.refusal = None

    assert ask({"do": "start"})["path"] == str(recorder.path)
    assert "stop it before" in str(ask({"do": "start"}))


def test_without_a_camera_nothing_is_started(ask: Ask, controller: SessionController) -> None:
    controller.stop()

    assert "no camera is open" in str(ask({"do": "start"}))
