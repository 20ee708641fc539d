"""Long work of the user's, one after another: how far it is, and how it is ended; no widget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from thermoseg.errors import ThermoSegError
from thermoseg.export.job import Watch
from ui.shell.jobs import Jobs

LOOK_MS: Final = 100
"""How often it is told how far the work is."""


@dataclass(slots=True, eq=False)
class Work:
    """One thing to be done."""

    title: str
    """What it is, as it stands beside the bar."""
    act: Callable[[Watch], object]
    """Does it, in a thread."""
    on_done: Callable[[object], object]
    """Told the result of `act`, in the window's thread."""
    cancelled: bool = False
    progress: tuple[int, int] = (0, 0)
    """What is done and what there is to do; (0, 0) while nobody knows."""

    def watch(self) -> Watch:
        """Return what `act` tells, and asks."""
        return Watch(self._tell, lambda: self.cancelled)

    def _tell(self, done: int, total: int) -> None:
        self.progress = done, total


class WorkQueue(QObject):
    """Does works in a thread of its own, in the order in which they are asked for."""

    changed = pyqtSignal()
    """Another work is at hand or waits, or one is further."""
    failed = pyqtSignal(object)
    """Why a work came to nothing."""

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = Jobs(name, self)
        self._works: list[Work] = []
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.changed)

    @property
    def current(self) -> Work | None:
        """What is at hand; None if nothing is."""
        return self._works[0] if self._works else None

    @property
    def waiting(self) -> int:
        """Works that wait for the one at hand."""
        return max(0, len(self._works) - 1)

    def add(self, work: Work) -> None:
        """Do `work` when those before it are done."""
        self._works.append(work)
        self._jobs.run(
            lambda: _do(work),
            lambda result: self._on_done(work, result),
            lambda error: self._on_failed(work, error),
        )
        self._timer.start()
        self.changed.emit()

    def cancel(self) -> None:
        """End the work at hand; those that wait follow."""
        if self._works:
            self._works[0].cancelled = True

    def close(self) -> None:
        """End everything, and wait for that; nothing half is left."""
        for work in self._works:
            work.cancelled = True
        self._timer.stop()
        self._jobs.close()

    def _on_done(self, work: Work, result: object) -> None:
        self._drop(work)
        work.on_done(result)

    def _on_failed(self, work: Work, error: BaseException) -> None:
        self._drop(work)
        # Whoever ends it knows that it ended.
        if not (work.cancelled and isinstance(error, ThermoSegError)):
            self.failed.emit(error)

    def _drop(self, work: Work) -> None:
        self._works.remove(work)
        if not self._works:
            self._timer.stop()
        self.changed.emit()


def _do(work: Work) -> object:
    watch = work.watch()
    watch.step(0, 0)
    return work.act(watch)
