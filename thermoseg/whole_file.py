"""Files that are whole or not there, whatever interrupts the writing.

A new content is written beside its target under a name that nobody can guess and that must not
exist yet, so a file or a symbolic link planted there is neither overwritten nor followed.  It is
flushed to the disk before it gets its name, and the name before the call returns.  Imports the
standard library only: the process that writes sessions starts with it.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PARTIAL_SUFFIX: Final = ".partial"
"""Of a content that is not whole yet; a kill may leave one behind, hidden by a leading dot."""

_RANDOM_BYTES: Final = 8
"""In a temporary name: 2⁶⁴ of them are not guessed."""
_SHOWN_LENGTH: Final = 32
"""Characters of the target's name in a temporary name; all of it could exceed 255 bytes."""
_FIRST_MODE: Final = 0o600
_WANTED_MODE: Final = 0o666
"""What a program asks for when it creates a file; the system takes the umask away."""
_ALL_RIGHTS: Final = 0o777
"""Without the bits that run a program as its owner."""

_NO_LINKS: Final = frozenset((errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP))
"""How file systems without hard links (FAT, some network shares) refuse one."""
_NO_FOLDER_SYNC: Final = frozenset((errno.EINVAL, errno.ENOTSUP))
"""How file systems refuse to flush a folder: theirs need no flush, or have none."""


@contextmanager
def replacing(
    path: Path, *, suffix: str = PARTIAL_SUFFIX, mode: int | None = None
) -> Iterator[Path]:
    """Give a temporary file to fill, which takes the place of `path` when the block ends well.

    The temporary file exists, empty, beside `path`, and may be opened again by its name.  An
    exception in the block removes it and leaves `path` as it was.

    Parameters
    ----------
    suffix
        Of the temporary name, for libraries that choose a format by it.
    mode
        Permissions of the file; those of the file that it replaces if None, else the usual ones.

    Raises
    ------
    OSError
        If the folder is missing, full or may not be written.
    """
    kept = _mode_of(path) if mode is None else mode
    with _published(path, Path.replace, suffix, kept) as temporary:
        yield temporary


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Give a temporary file to fill, which becomes `path` unless that name is taken by then.

    As `replacing`, but nothing is ever replaced.

    Raises
    ------
    FileExistsError
        If something has the name, even a symbolic link that leads nowhere.
    OSError
        If the folder is missing, full or may not be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _published(path, _take_free_name, PARTIAL_SUFFIX, None) as temporary:
        yield temporary


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
    path: Path, publish: Callable[[Path, Path], object], suffix: str, mode: int | None
) -> Iterator[Path]:
    """Create a file beside `path`; after the block flush it and `publish` it as `path`."""
    temporary, usual_mode = _create_beside(path, suffix, readable=mode is None)
    try:
        yield temporary
        _flush(temporary, usual_mode if mode is None else mode)
        publish(temporary, path)
    except BaseException:
        # A disk that takes nothing may not give up anything either, and the first fault counts.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _create_beside(path: Path, suffix: str, *, readable: bool) -> tuple[Path, int]:
    """Create an empty file that only its owner may open; return it and the usual permissions.

    Only the system knows those without a race (the umask can be read by changing it only, and a
    folder may have rules of its own), so the file is created with them and closed off at once.  A
    content whose permissions are narrower must never have been `readable`.
    """
    name = f".{path.name[:_SHOWN_LENGTH]}.{os.urandom(_RANDOM_BYTES).hex()}{suffix}"
    temporary = path.with_name(name)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL  # with these, a link is not followed either
    descriptor = os.open(temporary, flags, _WANTED_MODE if readable else _FIRST_MODE)
    try:
        usual_mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if sys.platform != "win32":
            os.fchmod(descriptor, _FIRST_MODE)
    finally:
        os.close(descriptor)
    return temporary, usual_mode


def _flush(temporary: Path, mode: int) -> None:
    """Give the file its permissions and bring its content to the disk."""
    if sys.platform == "win32":
        descriptor = os.open(temporary, os.O_RDWR)
    else:
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
        os.fchmod(descriptor, mode)
    try:
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
