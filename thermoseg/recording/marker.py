"""The marker beside a session file that is being written: `NAME.h5.RECORDING`.

It keeps two recorders from one file, tells readers whether a living process still writes it, and
is what a crash leaves behind.
"""

import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from thermoseg.recording.layout import SessionNames
from thermoseg.whole_file import creating, replacing

_MARKER_BYTES: Final = 4096
"""Read of a marker; one has less than a hundred."""


def claim_marker(path: Path, *, replace_stale: bool = True) -> None:
    """Make the marker of the session `path`, for this process.

    Parameters
    ----------
    replace_stale
        Whether to replace one whose process is gone.  Of two programs that replace one at the same
        moment, both would believe to have it; whoever has another name to try leaves it alone.

    Raises
    ------
    FileExistsError
        If a living process records it, or a process of another computer: nobody here can tell.
    OSError
        If it cannot be written.
    """
    marker = SessionNames(path).marker
    replaceable = replace_stale and marker.exists() and _is_of_this_host(marker)
    if replaceable and not is_being_recorded(path):
        marker.unlink()
    with creating(marker, durable=False) as temporary:
        temporary.write_text(json.dumps(_owner()))


def hand_over_marker(path: Path) -> None:
    """Make this process the owner of the marker of the session `path`, whoever it was.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with replacing(SessionNames(path).marker, durable=False) as temporary:
        temporary.write_text(json.dumps(_owner()))


def remove_marker(path: Path) -> None:
    """Remove the marker of the session `path`, if the disk lets it go."""
    with suppress(OSError):
        SessionNames(path).marker.unlink(missing_ok=True)


def is_being_recorded(path: Path) -> bool:
    """Tell whether a living process still writes the session file `path`."""
    try:
        marker = json.loads(_read_marker(SessionNames(path).marker))
        process = psutil.Process(int(marker["pid"]))
        # A younger process of the same number is not the one that made the marker.
        old_enough = process.create_time() <= float(marker["started"]) + 1
        return old_enough and process.status() != psutil.STATUS_ZOMBIE
    # Nested without end is a RecursionError, a number that is no process an OverflowError.
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError, psutil.Error):
        return False


def _read_marker(marker: Path) -> bytes:
    """Return the text of a marker: every command reads those of its folder, whoever made them."""
    if not marker.is_file():  # a pipe would be waited for, and a device read for ever
        raise ValueError("no marker")
    with marker.open("rb") as file:
        return file.read(_MARKER_BYTES)


def _is_of_this_host(marker: Path) -> bool:
    """Tell whether a process of this computer made it; one that cannot be read is nobody's."""
    try:
        host = json.loads(_read_marker(marker)).get("host", platform.node())
    except (OSError, ValueError, AttributeError, RecursionError):
        return True
    return bool(host == platform.node())


def _owner() -> dict[str, float | str]:
    return {"pid": os.getpid(), "started": time.time(), "host": platform.node()}
