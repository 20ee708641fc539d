"""Work that may take long: done in a thread, answered in the window's thread, never too late."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from PyQt6.QtCore import QObject, Qt, pyqtSignal

from thermoseg.errors import ThermoSegError

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

EVERY: Final = -1
"""In place of an attempt: answered in each."""


class Jobs(QObject):
    """Does one job after another in a thread of its own, and tells what came of each.

    Each job carries the number of the attempt it belongs to.  `forget` begins another attempt:
    what was asked before may still be done, but is not answered any more.
    """

    failed = pyqtSignal(object)
    """An exception of a job for which nobody else listens."""

    _done = pyqtSignal(object, object, int)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, f"window-{name}")
        self._attempt = 0
        self._closed = False
        # Queued even if a job was done at once, so that what it told on the way arrives before.
        queued = Qt.ConnectionType.QueuedConnection
        self._done.connect(self._on_done, queued)  # type: ignore[call-arg]

    def run(
        self,
        job: Callable[[], Answer],
        on_done: Callable[[Answer], None] = lambda _: None,
        on_error: Callable[[BaseException], None] | None = None,
        *,
        kept: bool = False,
    ) -> None:
        """Do `job` when those before it are done, then one of the others in the window's thread.

        Parameters
        ----------
        on_error
            Told what the job raised; without it `failed` tells.
        kept
            Whether it is answered in every later attempt, too.
        """
        if self._closed:
            return
        attempt = EVERY if kept else self._attempt
        handlers = (on_done, on_error or self.failed.emit)
        future = self._pool.submit(job)
        future.add_done_callback(lambda done: self._tell(done, handlers, attempt))

    def wait(self) -> None:
        """Wait, in another thread than the window's, until what was asked so far is done."""
        self._pool.submit(lambda: None).result()

    def forget(self) -> None:
        """Answer nothing that was asked so far."""
        self._attempt += 1

    def close(self) -> None:
        """Wait for the job at work and for those that wait; answer none."""
        self._closed = True
        self.forget()
        self._pool.shutdown(wait=True)

    def _tell(self, done: Future[Any], handlers: object, attempt: int) -> None:
        if not done.cancelled() and not self._closed:
            self._done.emit(done, handlers, attempt)

    def _on_done(
        self,
        done: Future[Any],
        handlers: tuple[Callable[[Any], None], Callable[[BaseException], None]],
        attempt: int,
    ) -> None:
        error = done.exception()
        if error is not None:
            # What was to be expected is told in the window; a traceback would say nothing more.
            expected = isinstance(error, ThermoSegError)
            level = logging.INFO if expected else logging.WARNING
            log.log(level, "a job of the window failed: %s", error, exc_info=error)
        if self._closed or attempt not in (EVERY, self._attempt):
            return
        on_done, on_error = handlers
        if error is None:
            on_done(done.result())
        else:
            on_error(error)
