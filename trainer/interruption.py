"""SIGTERM and SIGINT as a wish to stop, which is granted when the work allows it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signal(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Call `ask_to_stop` for SIGTERM and SIGINT, until the block ends and the handlers are back."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    try:
        before = {number: signal.signal(number, lambda *_: ask_to_stop()) for number in numbers}
    except ValueError:
        # Only the main thread may set handlers; elsewhere whoever owns the thread stops it.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
