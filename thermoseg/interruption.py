"""Ctrl-C, SIGTERM, a closed terminal: whoever is asked to end completes what was begun."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

if sys.platform == "win32":
    SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
else:
    SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a program to end: a key, another program, a terminal that goes away."""


@contextmanager
def on_interruption(act: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `act` for each signal that asks to end, instead of ending; afterwards all is as before.

    A closed terminal is no request where it is ignored already: `nohup` does that.  Elsewhere what
    is written to it from then on is lost, without an error.  In a thread other than the main one
    nothing changes, as Python handles signals in the main thread alone.

    Parameters
    ----------
    act
        Called between any two instructions of the main thread, so it notes the fact and does
        nothing else.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if sys.platform != "win32" and number == signal.SIGHUP:
            _release_closed_terminal()
        act(signal.Signals(number))

    ignored = sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    handled = [number for number in SIGNALS if not (ignored and number.name == "SIGHUP")]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that was not set by Python and cannot be set by it either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def noting_interruption() -> Iterator[threading.Event]:
    """Give an event that is set as soon as the program is asked to end."""
    interrupted = threading.Event()
    with on_interruption(lambda _number: interrupted.set()):
        yield interrupted


@contextmanager
def holding_interruption() -> Iterator[None]:
    """Let what must not be left half done be done; signals that come meanwhile act at its end."""
    held: list[signal.Signals] = []
    try:
        with on_interruption(held.append):
            yield
    finally:
        for number in held:
            signal.raise_signal(number)


def _release_closed_terminal() -> None:
    """Point standard output and error to nowhere if they are a terminal that is gone.

    Every write to it fails (EIO), the one that tells of the failure too.  Files, pipes and a
    terminal that is still there stay, so a summary that somebody can read is written.
    """
    for descriptor in (1, 2):
        try:
            os.get_terminal_size(descriptor)
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
