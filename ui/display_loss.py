"""A display that dies under the window: what is recorded is completed before the program ends.

Qt notices that its X server or Wayland compositor is gone, says so as a warning, and leaves by C's
`exit`, past everything that Python would do at its end: threads wait for ever, and an invisible
program goes on recording.  So that warning is waited for.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from PyQt6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from thermoseg.sinks import catch
from ui.texts import shell as texts

log = logging.getLogger("qt")

LOST: Final = 1
"""Exit code."""
_FAREWELL: Final = re.compile(
    r"(X11|Wayland) connection (broke|experienced a fatal error)|(X11 server|compositor) die"
)
"""Last words of Qt's platforms xcb and wayland before they leave."""
_LEVELS: Final = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


@contextmanager
def completing_without_display(
    complete: Callable[[], None], leave: Callable[[int], None] = os._exit
) -> Iterator[None]:
    """Call `complete` and end the program when its display dies; messages of Qt go to the log.

    Parameters
    ----------
    complete
        Ends threads and recordings; must not touch a window, as there is nothing to draw on.
    leave
        Ends the process with the exit code that it is given, at once: the way through Python's own
        end is closed, as Qt is in the middle of leaving.
    """
    leaving = False

    def hear(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
        nonlocal leaving
        farewell = _FAREWELL.search(text or "") is not None
        # The user gets our own sentence of it.
        log.log(logging.INFO if farewell else _LEVELS.get(kind, logging.WARNING), "%s", text)
        if leaving or not farewell:
            return
        leaving = True  # what ends may have something to say as well
        error = catch(complete, "the window without a display")
        said = texts.DISPLAY_LOST if error is None else texts.display_lost(error)
        with suppress(OSError, ValueError):  # its terminal may have died with the display
            sys.stderr.write(f"thermoseg-ui: {said}\n")
            sys.stderr.flush()
        for handler in logging.getLogger().handlers:
            with suppress(OSError, ValueError):
                handler.flush()
        leave(LOST)

    before = qInstallMessageHandler(hear)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
