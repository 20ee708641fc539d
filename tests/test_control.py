"""The control socket: one line in, one line out that says what happened, and no harm done."""

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import WaitFor
from thermoseg import control
from thermoseg.control import Command, ControlServer
from thermoseg.control_request import Answer, ControlRequest
from thermoseg.errors import ConfigError, RecordingError


class Client:
    """What an experiment's script would write."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.reader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> dict[str, Any]:
        found = json.loads(self.reader.readline())
        assert isinstance(found, dict)
        return found

    def ask(self, **request: object) -> dict[str, Any]:
        self.send(json.dumps(request).encode() + b"\n")
        return self.answer()

    def is_cut(self) -> bool:
        """Read to the end, past a last word if there is one."""
        try:
            while self.reader.readline():
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class Recorder:
    """Stands in for a session."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.let_go = threading.Event()

    def commands(self) -> dict[str, Command]:
        return {"start": self.start, "stop": self.stop, "marker": self.mark, "state": self.tell}

    def start(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        self.done.append("start")
        return {"path": "/home/anna/münchen.h5", "rate": float("nan")}

    def stop(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        raise RecordingError("nothing is being recorded; start a recording first")

    def mark(self, request: ControlRequest, arrived_s: float) -> Answer:
        self.done.append(request.label)
        return {"age_s": time.monotonic() - arrived_s}

    def tell(self, _request: ControlRequest, _arrived_s: float) -> Answer:
        return {"recording": "off"}


Connect = Callable[[], Client]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[ControlServer]:
    with ControlServer(0, recorder.commands()) as server:
        yield server


@pytest.fixture
def connect(server: ControlServer) -> Iterator[Connect]:
    clients: list[Client] = []

    def make() -> Client:
        clients.append(Client(server.port))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_each_line_is_answered_by_what_happened(connect: Connect, recorder: Recorder) -> None:
    client = connect()

    started = client.ask(do="start", id=7)
    assert started == {
        "ok": True,
        "do": "start",
        "id": 7,
        "path": "/home/anna/münchen.h5",
        "rate": None,
    }
    marked = client.ask(do="marker", label="stimulus on", id="m1")
    assert marked["id"] == "m1"
    assert 0 <= marked["age_s"] < 10
    assert recorder.done == ["start", "stimulus on"]
    assert client.ask(do="stop") == {
        "ok": False,
        "do": "stop",
        "error": "nothing is being recorded; start a recording first",
    }
    assert client.ask(do="state") == {"ok": True, "do": "state", "recording": "off"}


def test_lines_that_come_together_or_in_pieces_are_the_same(
    connect: Connect, recorder: Recorder
) -> None:
    client = connect()
    client.send(b'{"do": "marker", "label": "one"}\r\n\n{"do": "marker", "la')
    assert client.answer()["ok"]
    client.send(b'bel": "two"}\n')
    assert client.answer()["ok"]

    assert recorder.done == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"start", "one JSON object"),
        (b'["start"]', "one JSON object"),
        (b"\xff\xfe\x00", "one JSON object"),
        (b"[" * 3000, "one JSON object"),
        (b'{"do": "dance"}', "“do”: input should be 'start'"),
        (b'{"do": "start", "path": "/etc/passwd"}', "“path”: extra inputs are not permitted"),
        (b'{"do": "marker"}', "a marker has a name"),
        (b'{"do": "marker", "label": "  "}', "a marker has a name"),
        (b'{"do": "marker", "label": 7}', "“label”"),
        (b'{"do": "marker", "label": "a\\nb"}', "one line of text"),
        (b'{"do": "marker", "label": "\\ud800"}', "“label”: input should be a valid string"),
        (b'{"do": "marker", "label": "' + b"x" * 101 + b'"}', "“label”"),
        (b'{"do": "start", "label": "x"}', "takes no label"),
    ],
)
def test_nonsense_is_answered_by_one_sentence_and_does_nothing(
    connect: Connect, recorder: Recorder, line: bytes, said: str
) -> None:
    client = connect()
    client.send(line + b"\n")
    answer = client.answer()

    assert not answer["ok"]
    assert said in answer["error"]
    assert client.ask(do="state")["ok"], "the client may go on"
    assert recorder.done == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300).filter(lambda line: b"\n" not in line and b"HTTP/" not in line))
def test_no_bytes_do_harm(server: ControlServer, recorder: Recorder, line: bytes) -> None:
    client = Client(server.port)
    client.send(line + b"\n")
    if line.strip():
        assert not client.answer()["ok"]
    assert client.ask(do="state")["ok"]
    client.close()

    assert recorder.done == []


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1",
        b"POST / HTTP/1.1",
        b"OPTIONS /x HTTP/1.1",
        b"PRI * HTTP/2.0",
        b'{"do":"start"} / HTTP/1.1',
    ],
)
def test_what_a_web_page_sends_is_cut_before_it_is_looked_at(
    connect: Connect, recorder: Recorder, first: bytes
) -> None:
    client = connect()
    client.send(
        first + b"\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\n" + b'{"do": "start"}\n'
    )

    assert client.is_cut()
    assert recorder.done == []


def test_a_line_without_end_is_refused(connect: Connect) -> None:
    client = connect()
    client.send(b"x" * (control.LINE_BYTES + 1))

    assert "at most 4096 bytes" in client.answer()["error"]
    assert client.is_cut()


def test_half_a_line_is_not_waited_for_for_ever(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "LINE_S", 0.2)
    client = connect()
    client.send(b'{"do": ')

    assert "end each with a newline" in client.answer()["error"]
    assert client.is_cut()


def test_a_client_that_never_reads_is_cut_and_holds_up_nobody(
    connect: Connect, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SEND_S", 0.2)
    monkeypatch.setattr(control, "ANSWERS_PER_S", 10**6)
    deaf, other = connect(), connect()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.socket.settimeout(1.0)
    cut = threading.Event()

    def chatter() -> None:
        try:
            while True:
                deaf.send(b'{"do": "dance"}\n' * 100)
        except OSError:
            cut.set()

    thread = threading.Thread(target=chatter)
    thread.start()
    assert other.ask(do="state")["ok"]
    wait_for(cut.is_set)
    thread.join()
    assert other.ask(do="state")["ok"]


def test_more_clients_than_there_is_room_for_are_refused(
    connect: Connect, wait_for: WaitFor
) -> None:
    clients = [connect() for _ in range(control.CLIENTS)]
    for client in clients:
        assert client.ask(do="state")["ok"]
    late = connect()
    assert "connected already" in late.answer()["error"]
    clients[0].close()

    wait_for(lambda: _is_let_in(connect()))


def _is_let_in(client: Client) -> bool:
    try:
        return bool(client.ask(do="state")["ok"])
    except (ConnectionError, ValueError):
        return False


def test_a_command_is_done_by_its_owner_and_answered_from_there(recorder: Recorder) -> None:
    jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    threads: list[str] = []

    def tell(_request: ControlRequest, _arrived_s: float) -> Answer:
        threads.append(threading.current_thread().name)
        return {"recording": "off"}

    with ControlServer(0, {"state": tell}, jobs.put) as server:
        client = Client(server.port)
        client.send(b'{"do": "state"}\n')
        jobs.get(timeout=30)()
        assert client.answer()["recording"] == "off"
        client.close()

    assert threads == [threading.current_thread().name]


def test_what_takes_time_is_answered_when_it_has_happened(wait_for: WaitFor) -> None:
    later: Future[Answer] = Future()
    asked = threading.Event()

    def start(_request: ControlRequest, _arrived_s: float) -> Future[Answer]:
        asked.set()
        return later

    with ControlServer(0, {"start": start, "stop": start}) as server:
        client = Client(server.port)
        client.send(b'{"do": "start"}\n')
        assert asked.wait(30)
        later.set_exception(RecordingError("the disk is full; make space"))
        assert client.answer()["error"] == "the disk is full; make space"
        assert "cannot be done here" in client.ask(do="state")["error"]
        client.close()


def test_closing_waits_for_no_command_of_an_owner_that_is_busy() -> None:
    asked = threading.Event()
    server = ControlServer(0, Recorder().commands(), lambda _job: asked.set())
    server.start()
    port = server.port
    client = Client(port)
    client.send(b'{"do": "start"}\n')
    assert asked.wait(30)
    server.close()
    server.close()

    assert client.is_cut()
    client.close()
    with pytest.raises(OSError, match="refused"):
        Client(port)


def test_a_command_that_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "COMMAND_S", 0.1)
    with ControlServer(0, Recorder().commands(), lambda _job: None) as server:
        client = Client(server.port)
        assert "ask for the state" in client.ask(do="start")["error"]
        client.close()


def test_a_defect_in_a_command_is_a_sentence_too(caplog: pytest.LogCaptureFixture) -> None:
    def start(_request: ControlRequest, _arrived_s: float) -> Answer:
        raise ZeroDivisionError("division by zero")

    with ControlServer(0, {"start": start}) as server:
        client = Client(server.port)
        assert "a defect of ThermoSeg" in client.ask(do="start")["error"]
        client.close()
    assert "ZeroDivisionError" in caplog.text


def test_a_port_in_use_is_refused_with_a_sentence(server: ControlServer) -> None:
    with pytest.raises(ConfigError, match=rf"port {server.port} cannot be used.*in use"):
        ControlServer(server.port, {})


def test_no_other_computer_reaches_it(server: ControlServer) -> None:
    addresses = {each.getsockname()[0] for each in server._listeners}

    assert addresses <= {"127.0.0.1", "::1"}
    assert "127.0.0.1" in addresses


def test_a_client_that_asks_without_end_is_held_to_a_pace(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWERS_PER_S", 5)
    client = connect()
    began_s = time.monotonic()
    for _ in range(8):
        client.ask(do="state")

    assert time.monotonic() - began_s >= 1.0
