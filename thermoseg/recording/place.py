"""Where a recording may go: suffix, room, and what happens to a network share.

HDF5 promises nothing for a file that is written on a share, where a crash can destroy it.  So such
a recording is made on this computer first, and moved when it has ended.
"""

import hashlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from thermoseg.errors import NameTakenError, RecordingError
from thermoseg.recording.layout import SUFFIX, SessionNames
from thermoseg.recording.staging import staging_folder
from thermoseg.whole_file import creating

log = logging.getLogger(__name__)

NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "webdav", "davfs"}
    | {"fuse.sshfs", "fuse.smbnetfs", "fuse.glusterfs", "fuse.rclone", "fuse.davfs", "afpfs"}
)
"""HDF5 gives no guarantee for a file that is written there."""
_BLOCK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """When a disk counts as too full, free bytes unless said otherwise."""

    refuse_bytes: int = 500 * 10**6
    """Least free space with which a recording starts."""
    stop_bytes: int = 200 * 10**6
    """Least free space with which a recording goes on."""
    warn_bytes: int = 5 * 10**9
    warn_s: float = 600.0
    """Warn as well if the disk will be full in less time, seconds."""


def choose_place(wanted: Path, limits: DiskLimits) -> Path:
    """Return where the session `wanted`, absolute, is to be written: there, or here first.

    Raises
    ------
    NameTakenError
        If there is a recording of this name already.
    RecordingError
        If it is no name for a session, or its disk is too full.
    """
    if wanted.suffix != SUFFIX:
        raise RecordingError(f"{wanted} does not end in {SUFFIX}; session files must")
    _make_folder(wanted.parent)
    refuse_taken(wanted)
    kind = file_system_of(wanted.parent)
    place = wanted
    if kind in NETWORK_FILE_SYSTEMS:
        if not os.access(wanted.parent, os.W_OK):
            raise RecordingError(
                f"{wanted.parent} on a network share ({kind}) may not be written; choose another "
                "place, or ask whoever runs the share"
            )
        place = staging_folder() / f"{wanted.stem}.{os.urandom(4).hex()}{SUFFIX}"
        _make_folder(place.parent)
    free = psutil.disk_usage(str(place.parent)).free
    if free < limits.refuse_bytes:
        raise RecordingError(
            f"the disk that holds {place.parent} has only {free / 1e6:.0f} MB left; "
            f"make room for at least {limits.refuse_bytes / 1e6:.0f} MB"
        )
    return place


def refuse_taken(wanted: Path) -> None:
    """Check that nothing has the names of the files of the session `wanted`, but for its marker.

    Raises
    ------
    NameTakenError
        If something has.
    """
    names = SessionNames(wanted)
    for name in (wanted, names.events, names.manifest):
        if os.path.lexists(name):  # a link that leads nowhere, too
            raise NameTakenError(
                f"{name} exists already and is not overwritten; choose another name"
            )


def move_compared(source: Path, target: Path) -> None:
    """Move the finished file `source` to `target`, on another disk, and compare what came there.

    Raises
    ------
    RecordingError
        If it does not arrive whole; then `source` is still there, and nothing at `target`.
    """
    try:
        with creating(target) as temporary:
            with source.open("rb") as read, temporary.open("r+b") as written:
                shutil.copyfileobj(read, written, _BLOCK_BYTES)
                written.flush()
                os.fsync(written.fileno())
            if _sha256(temporary) != _sha256(source):
                raise RecordingError(f"what arrived at {target} differs; it is still in {source}")
    except OSError as error:
        raise RecordingError(
            f"{target} cannot be written ({error.strerror or error}); the recording is whole in "
            f"{source}, move it yourself when the share is back"
        ) from error
    try:
        source.unlink()
    except OSError as error:
        log.warning("%s was moved to %s and is still there too (%s)", source, target, error)


def file_system_of(folder: Path) -> str:
    """Name the kind of file system that holds `folder`, in lower case; empty if unknown."""
    resolved = folder.resolve()
    found = ""
    longest = -1
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if resolved.is_relative_to(mount) and len(mount.parts) > longest:
            found, longest = partition.fstype.lower(), len(mount.parts)
    return found


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"the folder {folder} cannot be made ({error.strerror}); choose another"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
