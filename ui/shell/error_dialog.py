"""The one place where the window tells of errors, expected and not."""

import logging
import sys
import threading
import traceback
from types import TracebackType

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QMessageBox, QWidget

from thermoseg.errors import ThermoSegError

log = logging.getLogger(__name__)

DEFECT = "Something went wrong inside the program; a recording that runs goes on."


class ErrorDialog(QObject):
    """Shows one error at a time; what comes meanwhile is counted, not stacked."""

    _reported = pyqtSignal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._box: QMessageBox | None = None
        self._more = 0
        self._count = 0
        self._logged: set[tuple[object, ...]] = set()
        # Queued, so that no dialog opens in the middle of whatever failed, a paint event for one.
        queued = Qt.ConnectionType.QueuedConnection
        self._reported.connect(self._on_reported, queued)  # type: ignore[call-arg]

    @property
    def text(self) -> str:
        """Text that is shown; empty if none is."""
        return "" if self._box is None else self._box.text()

    @property
    def count(self) -> int:
        """Number of errors told, or counted, so far."""
        return self._count

    def report(self, error: BaseException) -> None:
        """Show `error`; may be called from any thread."""
        self._reported.emit(error)

    def catch_all(self) -> None:
        """Report what nobody caught, in any thread, where Qt would end the program.

        To be called after pyqtgraph has been imported, which installs a hook of its own.
        """
        sys.excepthook = self._on_uncaught
        threading.excepthook = self._on_uncaught_in_thread

    def _on_uncaught(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if self._is_new(error):
            log.error("uncaught", exc_info=(kind, error, trace))
        self.report(error)

    def _is_new(self, error: BaseException) -> bool:
        """Whether this error has not been logged for this place: a tick fails 30 times a second."""
        frames = traceback.extract_tb(error.__traceback__)
        place = (type(error).__name__, frames[-1].filename, frames[-1].lineno) if frames else ()
        known = place in self._logged
        self._logged.add(place)
        return not known

    def _on_uncaught_in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        if error is not None:
            self._on_uncaught(arguments.exc_type, error, arguments.exc_traceback)

    def _on_reported(self, error: BaseException) -> None:
        self._count += 1
        if self._box is not None:
            self._more += 1
            self._box.setInformativeText(f"{self._more} more since then; the log has them all.")
            return
        self._more = 0
        box = QMessageBox(self._window)
        box.setWindowTitle("ThermoSeg")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(describe_error(error))
        if not isinstance(error, ThermoSegError):
            box.setDetailedText("".join(traceback.format_exception(error)))
        box.setStandardButtons(QMessageBox.StandardButton.Ok)
        box.finished.connect(self._on_closed)
        self._box = box
        box.open()

    def _on_closed(self) -> None:
        if self._box is not None:
            self._box.deleteLater()
            self._box = None


def capitalised(text: str) -> str:
    """Return `text` with a capital first letter, unless it begins with a name, path or number."""
    return text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text


def describe_error(error: BaseException) -> str:
    """Return one sentence for the user."""
    if isinstance(error, ThermoSegError):
        sentence = capitalised(str(error))
        return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    return f"{DEFECT} ({type(error).__name__}: {error})"
