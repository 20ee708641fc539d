"""The log of a program that has no terminal: a file of its own, which never grows large.

Every run has files of its own, named after its start and its process, so two windows never write
into one; those of the oldest runs are removed.  What the system's faults leave, such as a library
that crashes, goes into a file beside it.
"""

import faulthandler
import logging
import os
import platform
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import platformdirs
import psutil

from thermoseg.errors import ConfigError

log = logging.getLogger(__name__)

LARGEST_BYTES: Final = 1_000_000
"""Size at which a log is set aside and a new one begun."""
SET_ASIDE: Final = 2
"""Logs of one run that are set aside; older ones are removed."""
RUNS_KEPT: Final = 10
"""Runs whose logs are kept."""
OURS: Final = ("thermoseg", "drivers", "trainer", "ui", "qt")
"""Loggers that are heard from `INFO` on; other libraries from `WARNING` on."""
LINE: Final = "%(asctime)s %(levelname)s %(name)s (%(threadName)s): %(message)s"
_NAME: Final = re.compile(r"(?P<run>.+-\d{8}-\d{6}-(?P<process>\d+))\.(log(\.\d+)?|crash)")


class LogFile(RotatingFileHandler):
    """The log file of this process, and beside it one for crashes that is gone if there was none.

    A disk that takes nothing any more costs the log, said once, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        """Make the files.

        Raises
        ------
        OSError
            If they cannot be made.
        """
        super().__init__(
            path,
            maxBytes=LARGEST_BYTES,
            backupCount=SET_ASIDE,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self.path = path
        self.setFormatter(logging.Formatter(LINE))
        self._crashes: TextIOWrapper | None = path.with_suffix(".crash").open("w", encoding="utf-8")
        self._said = False
        faulthandler.enable(self._crashes)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  # logging's
        """Say once that the log is not written, instead of a traceback for each line."""
        if not self._said:
            self._said = True
            with suppress(OSError, ValueError):
                sys.stderr.write(f"the log {self.path} cannot be written any more; free space\n")

    def close(self) -> None:
        """Close both files; the one for crashes goes if nothing is in it."""
        super().close()
        crashes, self._crashes = self._crashes, None
        if crashes is not None:
            faulthandler.disable()
            crashes.close()
            path = Path(crashes.name)
            with suppress(OSError):
                if not path.stat().st_size:
                    path.unlink()


def start_log_file(program: str = "thermoseg-ui", folder: Path | None = None) -> Path:
    """Log from now on into a file as well, and return its path; again, the one there is.

    What is shown on stderr stays as it was.

    Parameters
    ----------
    program
        First part of its name.
    folder
        By default that which the system has for logs.

    Raises
    ------
    ConfigError
        If it cannot be written; everything else goes on without it.
    """
    present = log_path()
    if present is not None:
        return present
    place = folder or platformdirs.user_log_path("thermoseg")
    path = place / f"{program}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        place.mkdir(parents=True, exist_ok=True)
        handler = LogFile(path)
    except OSError as error:
        raise ConfigError(
            f"no log is kept, as {place} cannot be written ({error.strerror}); make it writable"
        ) from error
    _forget_old_runs(place)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for shown in root.handlers:  # our loggers will tell more, for the file alone
        shown.setLevel(max(shown.level, root.level))
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    log.info("ThermoSeg %s, Python %s, %s", *describe_system())
    return path


def describe_system() -> tuple[str, str, str]:
    """Return the versions of ThermoSeg, empty in a checkout, and of Python, and the system."""
    try:
        version = metadata.version("thermoseg")
    except metadata.PackageNotFoundError:
        version = ""
    return version, platform.python_version(), platform.platform()


def stop_log_file() -> None:
    """Close the log file, if there is one."""
    handler = _handler()
    if handler is not None:
        logging.getLogger().removeHandler(handler)
        handler.close()


@contextmanager
def keeping_log(program: str, say: Callable[[str], None]) -> Iterator[None]:
    """Log into a file meanwhile; `say` is told where, or why there is none."""
    try:
        say(f"what is going on is written into {start_log_file(program)}")
    except ConfigError as error:
        say(str(error))
    try:
        yield
    finally:
        stop_log_file()


def log_path() -> Path | None:
    """Return the log file of this process; None if none is kept."""
    handler = _handler()
    return None if handler is None else handler.path


def log_tail(lines: int) -> str:
    """Return the last `lines` lines of the log, as for a report; empty if none is kept."""
    handler = _handler()
    if handler is None:
        return ""
    handler.flush()
    text = ""
    for path in (handler.path.with_name(f"{handler.path.name}.1"), handler.path):
        with suppress(OSError):
            text += path.read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _handler() -> LogFile | None:
    found = (each for each in logging.getLogger().handlers if isinstance(each, LogFile))
    return next(found, None)


def _forget_old_runs(folder: Path) -> None:
    """Remove the logs of all but the newest runs; one whose process lives keeps its own."""
    runs: dict[str, list[Path]] = defaultdict(list)
    ages: dict[str, float] = defaultdict(float)
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is None or psutil.pid_exists(int(found["process"])):
            continue
        with suppress(OSError):
            ages[found["run"]] = max(ages[found["run"]], path.stat().st_mtime)
            runs[found["run"]].append(path)
    newest_first = sorted(runs, key=lambda run: ages[run], reverse=True)
    for run in newest_first[RUNS_KEPT:]:
        for path in runs[run]:
            with suppress(OSError):
                path.unlink()
