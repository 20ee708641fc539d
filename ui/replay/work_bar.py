"""How far long work is, and the button that ends it."""

from PyQt6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ui.replay.work_queue import WorkQueue
from ui.shell.eliding import eliding_label, say
from ui.texts import replay_export as words


class WorkBar(QWidget):
    """Shows the work at hand of a queue; hidden while there is none."""

    def __init__(self, queue: WorkQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._title = eliding_label()
        self._bar = QProgressBar()
        self._bar.setAccessibleName(words.PROGRESS)
        self._bar.setTextVisible(False)
        self._cancel = QPushButton(words.CANCEL)
        self._cancel.clicked.connect(queue.cancel)
        row = QHBoxLayout()
        row.addWidget(self._bar, 1)
        row.addWidget(self._cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._title)
        layout.addLayout(row)
        queue.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        work = self._queue.current
        self.setVisible(work is not None)
        if work is None:
            return
        say(self._title, words.waiting(work.title, self._queue.waiting))
        done, total = work.progress
        # A bar from 0 to 0 is busy; integers of Qt have 32 bits.
        self._bar.setRange(0, 1000 if total else 0)
        self._bar.setValue(round(1000 * done / total) if total else 0)
        self._cancel.setEnabled(not work.cancelled)
