"""What every export has in common: names, whole files, progress, and an end that is asked for.

Imports the standard library and small modules only: the command line loads it before it knows what
it is asked for.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from thermoseg.errors import ExportCancelledError, ExportError
from thermoseg.whole_file import creating

Progress: TypeAlias = Callable[[int, int], object]
"""Told what is done and what there is to do, in frames or rows."""
Cancelled: TypeAlias = Callable[[], bool]
"""Asked at least once a frame whether to end."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Whoever waits for an export: what to tell them, and whether they still wait.

    Both are called in the thread that exports.
    """

    progress: Progress = lambda _done, _total: None
    cancelled: Cancelled = lambda: False

    def step(self, done: int, total: int) -> None:
        """Tell how far it is.

        Raises
        ------
        ExportCancelledError
            If nobody waits any more.
        """
        if self.cancelled():
            raise ExportCancelledError("the export was ended early; start it again if you need it")
        self.progress(done, total)


UNWATCHED: Final = Watch()


@dataclass(frozen=True, slots=True)
class Exported:
    """Result of an export."""

    paths: tuple[Path, ...]
    """The new files."""
    notes: tuple[str, ...]
    """What of the session is not in them, a sentence each; empty if everything is."""


@contextmanager
def new_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give a temporary file for each of `paths`; they get their names when the block ends well.

    An exception in the block leaves none of them behind, and no kill leaves half of one under its
    name.  The folder is made if there is none.

    Raises
    ------
    ExportError
        If one of them exists, or cannot be written: no folder, no right, no space.
    """
    refuse_existing(paths)
    written = paths[0]
    try:
        written.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            yield [files.enter_context(creating(path)) for path in paths]
    except OSError as error:
        raise cannot_write(written, error.strerror or str(error)) from error


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise `ExportError` if one of `paths` exists, be it a link that leads nowhere."""
    for path in paths:
        if os.path.lexists(path):
            raise ExportError(
                f"“{path}” exists already and is not overwritten; choose another folder, or move "
                "it away"
            )


def cannot_write(path: Path, reason: str) -> ExportError:
    """Return the sentence for a file that cannot be written, for `reason`, a clause."""
    return ExportError(
        f"“{path}” cannot be written ({reason}); make space, check the rights, or choose another "
        "folder"
    )


def plan_stems(sessions: Iterable[Path]) -> dict[Path, str]:
    """Give each session a beginning for the names of its files that no other one has.

    The second of two sessions called `rest` becomes `rest-2`; one that is named twice is exported
    once.  Letters count alike in both cases, as some disks have it.
    """
    sessions = tuple(dict.fromkeys(sessions))
    originals = {session.stem.lower() for session in sessions}
    stems: dict[Path, str] = {}
    taken: set[str] = set()
    for session in sessions:
        stem, number = session.stem, 1
        while stem.lower() in taken or (number > 1 and stem.lower() in originals):
            number += 1
            stem = f"{session.stem}-{number}"
        taken.add(stem.lower())
        stems[session] = stem
    return stems
