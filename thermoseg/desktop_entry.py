"""The window in the menu of a Linux desktop: its entry and its icon, where the user's are kept.

pip puts both into the environment, where no desktop looks, and there the entry names no path.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import platformdirs

from thermoseg.assets import asset
from thermoseg.errors import ThermoSegError
from thermoseg.whole_file import write_whole

ENTRY: Final = "thermoseg.desktop"
"""Desktops know a running window by this name; the window gives it to Qt without its ending."""
PROGRAM: Final = "thermoseg-ui"
INDEX_TIMEOUT_S: Final = 30.0

_IN_QUOTES: Final = str.maketrans({each: f"\\{each}" for each in '\\"`$'} | {"%": "%%"})
"""Escapes inside a quoted argument of `Exec`, where % begins a field code."""
_IN_VALUES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})
"""Escapes of every value, applied after those of the argument."""


class DesktopEntryError(ThermoSegError):
    """The window cannot be put into the menu here."""


def entry_text(program: Path) -> str:
    """Return the desktop entry that starts `program`, whatever is on the user's path.

    Values are written as the Desktop Entry Specification wants them
    (https://specifications.freedesktop.org/desktop-entry-spec).

    Parameters
    ----------
    program
        Absolute path of `thermoseg-ui`.
    """
    path = str(program)
    quoted = f'"{path.translate(_IN_QUOTES)}"'.translate(_IN_VALUES)
    lines = []
    for line in asset(ENTRY).read_text(encoding="utf-8").splitlines():
        if line.startswith("Exec="):
            # Without the program, as after `pip uninstall`, desktops do not show the entry.
            lines += [f"TryExec={path.translate(_IN_VALUES)}", f"Exec={quoted} %f"]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def find_program() -> Path:
    """Return the path of `thermoseg-ui` of this installation.

    Raises
    ------
    DesktopEntryError
        If there is none.
    """
    folders = [sysconfig.get_path("scripts")]
    if "posix_user" in sysconfig.get_scheme_names():
        folders.append(sysconfig.get_path("scripts", "posix_user"))
    for folder in folders:
        if (Path(folder) / PROGRAM).is_file():
            return Path(folder) / PROGRAM
    found = shutil.which(PROGRAM)
    if found is None:
        raise DesktopEntryError(
            f"“{PROGRAM}” is not installed beside this Python; install ThermoSeg with pip, then "
            "run this again"
        )
    return Path(found).absolute()


def install_entry(
    program: Path | None = None, folder: Path | None = None, *, platform: str = sys.platform
) -> str:
    """Put the window into the menu of this user's desktop; may be repeated.

    Parameters
    ----------
    program
        What the entry starts; by default `thermoseg-ui` of this installation.
    folder
        Where the desktop looks for the user's entries and icons; by default `~/.local/share`, or
        what `XDG_DATA_HOME` names.

    Returns
    -------
    One sentence that says what was done, with the files.

    Raises
    ------
    DesktopEntryError
        If this is not Linux, the program is not found, or the files cannot be written.
    """
    if platform != "linux":
        raise DesktopEntryError(
            f"desktop entries are for Linux only; elsewhere make a shortcut to “{PROGRAM}”"
        )
    program = program or find_program()
    folder = folder or platformdirs.user_data_path()
    entry = folder / "applications" / ENTRY
    icon = folder / "icons" / "hicolor" / "scalable" / "apps" / "thermoseg.svg"
    icon_bytes = asset("icons/thermoseg.svg").read_bytes()
    try:
        changed = [
            _write_if_other(icon, icon_bytes),
            _write_if_other(entry, entry_text(program).encode()),
        ]
    except OSError as error:
        raise DesktopEntryError(
            f"“{error.filename or folder}” cannot be written ({error.strerror}); check the rights "
            f"of {folder} and its free space"
        ) from error
    _index(entry.parent)
    did = "ThermoSeg is in the menu now" if any(changed) else "ThermoSeg was in the menu already"
    return f"{did}: {entry} starts {program}, its icon is {icon}"


def _write_if_other(path: Path, content: bytes) -> bool:
    """Write a file, and return whether it was not there or another."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return True


def _index(applications: Path) -> None:
    """Let the desktop offer the window for session files, where there is a program that does."""
    program = shutil.which("update-desktop-database")
    if program is None:
        return  # desktops that have none look into the entries themselves
    try:
        subprocess.run(  # noqa: S603  # a fixed command
            [program, str(applications)], check=False, capture_output=True, timeout=INDEX_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DesktopEntryError(
            f"the entry in {applications} is written, but “{program}” failed ({error}); log out "
            "and in again"
        ) from error
