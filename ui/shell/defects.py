"""Errors in a sentence, and the one place where those arrive that nobody caught."""

import logging
import sys
import threading
import traceback
from types import TracebackType

from PyQt6.QtCore import QObject, Qt, pyqtSignal

from thermoseg.errors import ThermoSegError
from ui.texts import shell as texts

log = logging.getLogger(__name__)


class Defects(QObject):
    """Takes what nobody caught, in any thread, where Qt would end the program."""

    told = pyqtSignal(str)
    """A sentence, in the window's thread; once for each place where something went wrong."""

    _caught = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: set[tuple[object, ...]] = set()
        # Queued, so that nothing is drawn in the middle of whatever failed, a paint event for one.
        queued = Qt.ConnectionType.QueuedConnection
        self._caught.connect(self._on_caught, queued)  # type: ignore[call-arg]

    def catch_all(self) -> None:
        """Begin; to be called once pyqtgraph is imported, which installs a hook of its own."""
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
            self._caught.emit(error)

    def _is_new(self, error: BaseException) -> bool:
        """Tell whether this error comes from a new place: a tick fails 30 times a second."""
        frames = traceback.extract_tb(error.__traceback__)
        place = (type(error).__name__, frames[-1].filename, frames[-1].lineno) if frames else ()
        known = place in self._known
        self._known.add(place)
        return not known

    def _on_uncaught_in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        if error is not None:
            self._on_uncaught(arguments.exc_type, error, arguments.exc_traceback)

    def _on_caught(self, error: BaseException) -> None:
        self.told.emit(describe_error(error))


def capitalised(text: str) -> str:
    """Return `text` with a capital first letter, unless it begins with a name, path or number."""
    return text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text


def describe_error(error: BaseException) -> str:
    """Return one sentence for the user: what the world did, or that the program has a fault."""
    if isinstance(error, ThermoSegError):
        sentence = capitalised(str(error))
    elif isinstance(error, OSError) and error.strerror:
        sentence = texts.system_refused(error.strerror, error.filename)
    else:
        sentence = texts.defect(f"{type(error).__name__}: {error}")
    return sentence if sentence.endswith((".", "!", "?", ")")) else f"{sentence}."
