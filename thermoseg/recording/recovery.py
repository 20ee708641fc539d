"""Makes a clean file of a session that a crash has left unfinished, or that has gone bad.

The original is only read.  `h5clear -s`, the usual advice, cut such a file from 77 MB to
715 bytes; reading it as if it had been closed, and copying, recovers it.
"""

import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from thermoseg import errors
from thermoseg.errors import (
    FormatError,
    RecordingError,
    RecoveryCancelledError,
    ThermoSegError,
)
from thermoseg.recording.account import RECOVERY, Account, TableAccount
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.opening import open_leniently, open_session, refuse_unless_file
from thermoseg.recording.own_process import Copying
from thermoseg.recording.unfinished import RECOVERED_SUFFIX
from thermoseg.whole_file import creating


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """Result of a recovery: the copy, and what it has saved and lost."""

    path: Path
    """The recovered file, which is complete."""
    tables: Mapping[str, TableAccount]
    """Rows recovered and discarded by name of the table; empty if an older program recovered."""
    losses: tuple[str, ...]
    """Losses: what the session had and the copy lacks, a sentence each; empty if nothing."""
    notes: tuple[str, ...]
    """Notes on what a crash had never brought to the disk as a whole, a sentence each."""


def recover(
    path: Path, folder: Path | None = None, *, cancelled: Callable[[], bool] = lambda: False
) -> RecoveryReport:
    """Copy everything readable of the session `path` into `<stem>.recovered.h5`.

    Every picture is decoded, and so its checksum verified, before it is copied; damaged ones are
    left out and recorded as a gap, and events tell of every other loss.  The original stays as it
    is.  Running it again tells of the file made before; after a crash in the middle it starts
    again.

    Parameters
    ----------
    folder
        Where to put the copy; beside the original if None, which a full disk may not allow.
    cancelled
        Asked several times a second whether to end.

    Raises
    ------
    FormatError
        If `path` is no session or too damaged to open.
    RecoveryCancelledError
        If `cancelled` said so.
    RecordingError
        If it is still being recorded, the copy cannot be written, or its name is that of another
        session's recovery or of the session itself.
    """
    if is_being_recorded(path):
        raise RecordingError(f"{path} is still being recorded; stop the recording first")
    target = (folder or path.parent) / (path.stem + RECOVERED_SUFFIX)
    refuse_unless_file(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(target, say_fault(error)) from error
    if target.exists():
        if target.samefile(path):
            raise RecordingError(
                f"{target} is the session itself under another name; recover into another folder"
            )
        return _report(target, path, _read_account(target, path))
    try:
        with ExitStack() as named, creating(target) as temporary:
            account = _salvage(path, temporary, target, named, cancelled)
    except FileExistsError:  # somebody else was recovering it, and is done
        account = _read_account(target, path)
    except OSError as error:
        raise _cannot_write(target, say_fault(error)) from error
    return _report(target, path, account)


def _salvage(
    path: Path,
    temporary: Path,
    target: Path,
    named: ExitStack,
    cancelled: Callable[[], bool],
) -> Account:
    """Have the copy made by a process that ends with `named`; see `salvage_process`."""
    job = str(path.absolute()), str(temporary.absolute())
    with ExitStack() as ending:
        copying = Copying.start(ending, "thermoseg.recording.salvage_process", *job)
        told = copying.answer(cancelled)
        if cancelled():
            raise RecoveryCancelledError(
                f"the recovery of {path} was ended early; start it again if you need it"
            )
        if told is None:
            _explain(*copying.end(), target)
        if "account" not in told:
            kind: type[ThermoSegError] = getattr(errors, told["error"])
            if kind is RecordingError:
                raise _cannot_write(target, told["sentence"])
            raise kind(told["sentence"])
        named.push(ending.pop_all())
    return Account.from_json(told["account"])


def _explain(code: int, complaint: str, target: Path) -> NoReturn:
    """Raise what it means that the process ended without an answer."""
    if code < 0:
        name = signal.Signals(-code).name
        raise _cannot_write(target, f"the process that copied was ended by {name}")
    raise RuntimeError(f"the process that copied ended with {code}: {complaint}")


def _cannot_write(target: Path, reason: str) -> RecordingError:
    return RecordingError(
        f"{target} cannot be written ({reason}); make space or check the rights, or recover into "
        "another folder"
    )


def _report(target: Path, path: Path, account: Account) -> RecoveryReport:
    return RecoveryReport(
        target,
        account.tables,
        tuple(f"{path}: {clause}; not recovered" for clause in account.losses),
        tuple(f"{path}: {clause}" for clause in account.notes),
    )


def _read_account(target: Path, path: Path) -> Account:
    """Read what the recovery `target` told when it was made.

    Raises
    ------
    RecordingError
        If it is not the recovery of the session `path`.
    """
    with open_leniently(path) as source:
        session_id = source.attributes.described("session_id", str, [])
    try:
        with open_session(target) as recovered:
            same = recovered.attributes.described("session_id", str, []) == session_id
            account = _parse_account(recovered.file.attrs.get(RECOVERY))
    except FormatError:
        same = False
    if not same:
        raise RecordingError(
            f"{target} exists and does not belong to this session; move it elsewhere first"
        )
    return account


def _parse_account(text: object) -> Account:
    if not isinstance(text, str):
        return Account()
    try:
        return Account.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"its account of the recovery is damaged ({error})") from error
