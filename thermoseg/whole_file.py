"""Files that are whole or not there, whatever interrupts the writing.

A new content is written beside its target under a name that nobody can guess and that must not
exist yet, so a file or a symbolic link planted there is neither overwritten nor followed.  It is
flushed to the disk before it gets its name, and the name before the call returns.  Imports the
standard library only: the process that writes sessions starts with it.
"""

import errno
import glob
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

PARTIAL_SUFFIX: Final = ".partial"
"""Suffix of a file that is not whole yet; a kill may leave one behind, hidden by a leading dot."""

_RANDOM_BYTES: Final = 8
"""Random bytes of a temporary name: nobody guesses one of 2⁶⁴."""
_SHOWN_LENGTH: Final = 32
"""Characters of the target's name in a temporary name; all of it could exceed 255 bytes."""
_FIRST_MODE: Final = 0o600
_WANTED_MODE: Final = 0o666
"""Permissions asked for when a file is created; the system takes the umask away."""
_ALL_RIGHTS: Final = 0o777
"""Without the bits that run a program as its owner."""

_NO_LINKS: Final = frozenset((errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP))
"""Error codes of file systems without hard links (FAT, some network shares)."""
_NO_FOLDER_SYNC: Final = frozenset((errno.EINVAL, errno.ENOTSUP))
"""Error codes of file systems that flush no folder: theirs need no flush, or have none."""


@contextmanager
def replacing(
    path: Path,
    *,
    suffix: str = PARTIAL_SUFFIX,
    mode: int | None = None,
    previous: Path | None = None,
    durable: bool = True,
) -> Iterator[Path]:
    """Give a temporary file to fill, which takes the place of `path` when the block ends well.

    The temporary file exists, empty, beside `path`, and may be opened again by its name.  An
    exception in the block removes it and leaves `path` as it was.

    Parameters
    ----------
    suffix
        Suffix of the temporary name, for libraries that choose a format by it.
    mode
        Permissions of the file; those of the file that it replaces if None, else the usual ones.
    previous
        Name, in the same folder, that the replaced file gets; it is removed if None.
    durable
        Whether to wait until file and name are on the disk, which may take seconds on a slow one.

    Raises
    ------
    OSError
        If the folder is missing, full or may not be written.
    """

    def replace(temporary: Path, path: Path) -> None:
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)

    kept = _mode_of(path) if mode is None else mode
    with _published(path, replace, suffix, kept, durable=durable) as temporary:
        yield temporary


@contextmanager
def creating(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary file to fill, which becomes `path` unless that name is taken by then.

    As `replacing`, but nothing is ever replaced.

    Parameters
    ----------
    durable
        As that of `replacing`.

    Raises
    ------
    FileExistsError
        If something has the name, even a symbolic link that leads nowhere.
    OSError
        If the folder is missing, full or may not be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _published(path, _take_free_name, PARTIAL_SUFFIX, None, durable=durable) as temporary:
        yield temporary


@dataclass(slots=True)
class NumberedFile:
    """A file in the making, which gets the first free name of a row."""

    temporary: Path
    """Empty file to be filled."""
    path: Path | None = None
    """The name that it got; None until then."""


@contextmanager
def creating_numbered(name: Callable[[int], Path], *, start: int = 1) -> Iterator[NumberedFile]:
    """Give a temporary file to fill, which gets the first of several names that nobody has.

    As `creating`, but a name that is taken by then leads to the next.

    Parameters
    ----------
    name
        Returns the name with a number; all are in one folder.
    start
        The number that is tried first.

    Raises
    ------
    OSError
        If the folder is missing, full or may not be written.
    """
    file = NumberedFile(name(start))

    def publish(temporary: Path, _path: Path) -> None:
        for number in count(start):
            try:
                _take_free_name(temporary, name(number))
            except FileExistsError:
                continue
            file.path = name(number)
            return

    with _published(name(start), publish, PARTIAL_SUFFIX, None, durable=True) as temporary:
        file.temporary = temporary
        yield file


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write `content` as the file `path`, in place of one that is there.

    Parameters
    ----------
    mode
        As that of `replacing`.

    Raises
    ------
    OSError
        If it cannot be written; the file that was there is intact.
    """
    with replacing(path, mode=mode) as temporary:
        temporary.write_bytes(content)


def remove_partials(path: Path) -> None:
    """Remove what writers of `path` have left that were killed, which no name replaces.

    Only for a folder in which nobody else writes now.

    Raises
    ------
    OSError
        If one cannot be removed.
    """
    digits = "[0-9a-f]" * (2 * _RANDOM_BYTES)
    for leftover in path.parent.glob(f"{glob.escape(_shown(path))}{digits}{PARTIAL_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names created in or removed from `folder` survive a power cut.

    Raises
    ------
    OSError
        If the disk reports a fault.
    """
    if sys.platform == "win32":  # opens no folders, and journals their changes
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _published(
    path: Path,
    publish: Callable[[Path, Path], object],
    suffix: str,
    mode: int | None,
    *,
    durable: bool,
) -> Iterator[Path]:
    """Create a file beside `path`; after the block flush it and `publish` it as `path`."""
    temporary, usual_mode = _create_beside(path, suffix, readable=mode is None)
    try:
        yield temporary
        _complete(temporary, usual_mode if mode is None else mode, durable=durable)
        publish(temporary, path)
    except BaseException:
        # A disk that takes nothing may not give up anything either, and the first fault counts.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def _create_beside(path: Path, suffix: str, *, readable: bool) -> tuple[Path, int]:
    """Create an empty file that only its owner may open; return it and the usual permissions.

    Only the system knows those without a race (the umask can be read by changing it only, and a
    folder may have rules of its own), so the file is created with them and closed off at once.  A
    content whose permissions are narrower must never have been `readable`.
    """
    temporary = path.with_name(f"{_shown(path)}{os.urandom(_RANDOM_BYTES).hex()}{suffix}")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL  # with these, a link is not followed either
    descriptor = os.open(temporary, flags, _WANTED_MODE if readable else _FIRST_MODE)
    try:
        usual_mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if sys.platform != "win32":
            os.fchmod(descriptor, _FIRST_MODE)
    finally:
        os.close(descriptor)
    return temporary, usual_mode


def _shown(path: Path) -> str:
    """Return how the temporary names of `path` begin."""
    return f".{path.name[:_SHOWN_LENGTH]}."


def _complete(temporary: Path, mode: int, *, durable: bool) -> None:
    """Give the file its permissions, and bring its content to the disk if it is to be durable."""
    if sys.platform == "win32":
        descriptor = os.open(temporary, os.O_RDWR)
    else:
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
        os.fchmod(descriptor, mode)
    try:
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mode_of(path: Path) -> int | None:
    """Return the permissions of a file that is there; None if none is, or a link that is cut."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return None
    return stat.S_IMODE(there.st_mode) & _ALL_RIGHTS if stat.S_ISREG(there.st_mode) else None


def _take_free_name(temporary: Path, path: Path) -> None:
    """Rename to a name that nothing has; `FileExistsError` if something has it."""
    if sys.platform == "win32":
        temporary.rename(path)
        return
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        temporary.unlink()
        return
    # The name is taken by an empty file of ours, which alone is then replaced.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FIRST_MODE))
    try:
        temporary.replace(path)
    except OSError:
        path.unlink()
        raise
