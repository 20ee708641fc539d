"""A control socket, by which a program that runs an experiment starts, marks and stops recordings.

One line of JSON comes in, one goes out that says what happened.  The socket is on loopback alone
and off unless it is asked for; docs/control.md describes it.  Whoever connects can do no harm but
what the commands do: lines, clients and waits are bounded, and what looks like a browser is cut.
"""

import errno
import json
import logging
import math
import re
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from thermoseg.control_request import Answer, ControlRequest, read_request
from thermoseg.errors import ConfigError, ThermoSegError

log = logging.getLogger(__name__)

LOOPBACK: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
LINE_BYTES: Final = 4096
"""Longest line of a client."""
LINE_S: Final = 10.0
"""Longest time from a line's first byte to its end."""
CLIENTS: Final = 8
"""Clients at once; further ones are refused with a line."""
SEND_S: Final = 5.0
"""A client that takes no answer for so long is cut."""
ANSWERS_PER_S: Final = 100
"""A client that asks without end gets no more, so that it takes no core."""
DRAIN_S: Final = 0.5
"""Time in which a client that is cut may read why."""
COMMAND_S: Final = 60.0
"""The longest wait for what a command does."""
GLANCE_S: Final = 0.1
"""Interval of looking whether the socket is being closed."""
JOIN_S: Final = 2.0
"""Threads end within this time."""
_HTTP: Final = re.compile(rb"\S+ .*HTTP/\d", re.DOTALL)
"""First line of a browser, whatever page has sent it here."""
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)

Command: TypeAlias = Callable[[ControlRequest, float], "Answer | Future[Answer]"]
"""Does what a request wants, which came at the moment given (monotonic); raises a `ThermoSegError`
with the reason if it cannot.  What takes time may be answered later by a future."""


def _at_once(job: Callable[[], None]) -> None:
    job()


class ControlServer:
    """Listens on loopback and runs commands for whoever connects; `close` ends all threads."""

    def __init__(
        self,
        port: int,
        commands: Mapping[str, Command],
        hand_over: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        """Take the port; who connects waits until `start`.

        Parameters
        ----------
        port
            0 takes any that is free.
        commands
            By the word of the request.
        hand_over
            Has a job done in the thread that owns what the commands change, and returns at once; a
            window posts it to itself.  By default it is done in the thread of the client.

        Raises
        ------
        ConfigError
            If the port is in use or not allowed.
        """
        self._commands = commands
        self._hand_over = hand_over
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[threading.Thread, _Client] = {}
        self._listeners: list[socket.socket] = []
        self._acceptor = threading.Thread(
            target=self._accept, name="thermoseg control", daemon=True
        )
        try:
            for family, host in LOOPBACK:
                self._bind(family, host, self.port if self._listeners else port)
        except BaseException:
            self._close_listeners()
            raise

    @property
    def port(self) -> int:
        """Number of the port."""
        return int(self._listeners[0].getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._acceptor.start()

    def close(self) -> None:
        """Cut all clients, free the port and wait for the threads; may be called twice.

        A command that runs is not waited for; its client is told nothing any more.
        """
        self._closing.set()
        if self._acceptor.ident is not None:
            self._acceptor.join(JOIN_S)
        self._close_listeners()
        with self._lock:
            clients = dict(self._clients)
        for client in clients.values():
            client.cut()
        deadline_s = time.monotonic() + JOIN_S
        for thread in clients:
            thread.join(max(deadline_s - time.monotonic(), 0.0))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _bind(self, family: socket.AddressFamily, host: str, port: int) -> None:
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            return  # a system without this family
        try:
            if sys.platform == "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            listener.listen(CLIENTS)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            if self._listeners and error.errno in _ABSENT:
                return
            raise ConfigError(
                f"the control port {port} cannot be used ({error.strerror}); choose another one "
                "above 1023, or end the program that has it"
            ) from error
        self._listeners.append(listener)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in selector.select(GLANCE_S):
                    with suppress(OSError):  # gone again before it was met
                        self._welcome(key.fileobj.accept()[0])  # type: ignore[union-attr]

    def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        client = _Client(connection, self._closing, self._perform)
        thread = threading.Thread(
            target=self._serve, args=(client,), name="thermoseg control client", daemon=True
        )
        with self._lock:
            full = len(self._clients) >= CLIENTS
            if not full:
                self._clients[thread] = client
        if full:
            client.refuse(f"{CLIENTS} clients are connected already; close one of them")
            return
        thread.start()

    def _serve(self, client: "_Client") -> None:
        try:
            client.serve()
        finally:
            client.cut()
            with self._lock:
                self._clients.pop(threading.current_thread(), None)

    def _perform(self, request: ControlRequest, arrived_s: float) -> Answer:
        """Have the command done by its owner, and wait for what comes of it."""
        command = self._commands.get(request.do)
        if command is None:
            raise ConfigError(f"“{request.do}” cannot be done here; it can do {self._words()}")
        outcome: Future[Answer] = Future()

        def job() -> None:
            if self._closing.is_set() or not outcome.set_running_or_notify_cancel():
                return
            _settle(outcome, lambda: command(request, arrived_s))

        self._hand_over(job)
        deadline_s = time.monotonic() + COMMAND_S
        while time.monotonic() < deadline_s and not self._closing.is_set():
            with suppress(TimeoutError):
                return outcome.result(GLANCE_S)
        outcome.cancel()
        if self._closing.is_set():
            raise ConfigError("the program is ending; start it again")
        raise ConfigError(f"“{request.do}” took longer than {COMMAND_S:.0f} s; ask for the state")

    def _words(self) -> str:
        return ", ".join(self._commands)


class _Client:
    """One connection: reads lines, has them done, writes answers."""

    def __init__(
        self,
        connection: socket.socket,
        closing: threading.Event,
        perform: Callable[[ControlRequest, float], Answer],
    ) -> None:
        self._connection = connection
        self._closing = closing
        self._perform = perform
        self._waiting = b""
        self._answered_s: deque[float] = deque(maxlen=ANSWERS_PER_S)

    def serve(self) -> None:
        """Answer until the client leaves, breaks a rule or the server closes."""
        first = True
        with suppress(OSError):  # it has left
            while (line := self._next_line()) is not None:
                if first and _HTTP.match(line):
                    log.warning("a browser or web client spoke to the control port and was cut")
                    return
                first = False
                if line.strip() and not self._send(self._answer(line, time.monotonic())):
                    return
                self._pace()

    def refuse(self, sentence: str) -> None:
        """Say why, and cut."""
        with suppress(OSError):
            self._send({"ok": False, "error": sentence})
            # Closed with something unread in it, a connection loses what was sent last.
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(GLANCE_S)
            deadline_s = time.monotonic() + DRAIN_S
            while time.monotonic() < deadline_s and self._connection.recv(LINE_BYTES):
                pass
        self.cut()

    def cut(self) -> None:
        """End the connection, from any thread."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _pace(self) -> None:
        now_s = time.monotonic()
        if len(self._answered_s) == ANSWERS_PER_S:
            self._closing.wait(max(self._answered_s[0] + 1.0 - now_s, 0.0))
        self._answered_s.append(now_s)

    def _next_line(self) -> bytes | None:
        """Return the next line; None if there will be none."""
        began_s = time.monotonic()
        self._connection.settimeout(GLANCE_S)
        while b"\n" not in self._waiting and len(self._waiting) <= LINE_BYTES:
            if self._closing.is_set():
                return None
            if not self._waiting:
                began_s = time.monotonic()
            elif time.monotonic() - began_s > LINE_S:
                self.refuse("a line was begun and not ended; end each with a newline")
                return None
            with suppress(TimeoutError):
                received = self._connection.recv(LINE_BYTES)
                if not received:
                    return None
                self._waiting += received
        line, _, self._waiting = self._waiting.partition(b"\n")
        if len(line) > LINE_BYTES:
            self.refuse(f"a line has at most {LINE_BYTES} bytes; send less")
            return None
        return line

    def _answer(self, line: bytes, arrived_s: float) -> dict[str, Any]:
        known: dict[str, Any] = {}
        try:
            request = read_request(line)
            known = {"do": request.do}
            if request.id is not None:
                known["id"] = request.id
            return {"ok": True} | known | _finite(self._perform(request, arrived_s))
        except ThermoSegError as error:
            return {"ok": False} | known | {"error": str(error)}
        except CancelledError:
            return {"ok": False} | known | {"error": "the program is ending; start it again"}

    def _send(self, answer: Mapping[str, Any]) -> bool:
        """Write one line; return whether the client took it."""
        self._connection.settimeout(SEND_S)
        try:
            self._connection.sendall(json.dumps(answer).encode() + b"\n")
        except TimeoutError:
            log.warning("a client of the control port takes no answers and was cut")
            return False
        return True


def _settle(outcome: "Future[Answer]", act: Callable[[], "Answer | Future[Answer]"]) -> None:
    """Give `outcome` what comes of `act`, now or later."""
    try:
        done = act()
    except ThermoSegError as error:
        outcome.set_exception(error)
    except Exception as error:
        log.exception("a command of the control port failed")
        outcome.set_exception(ConfigError(f"a defect of ThermoSeg ({error}); see its log"))
    else:
        if isinstance(done, Future):
            done.add_done_callback(lambda later: _settle(outcome, later.result))
        else:
            outcome.set_result(done)


def _finite(answer: Answer) -> dict[str, Any]:
    """Write what is no number as null, as JSON has no word for it."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in answer.items()
    }
