"""Finds sessions that a crash has left unfinished, so that somebody is told.

Looked for at every start, so it loads HDF5 only when there is something to look at.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from thermoseg.recording.staging import staging_folder

RECOVERED_SUFFIX: Final = ".recovered.h5"
"""Suffix, in place of `.h5`, of the copy that `thermoseg recover` makes."""
MARKERS: Final = "*.h5.RECORDING"
"""Pattern of `thermoseg.recording.layout.SessionNames.marker`; a test keeps the two equal."""


def find_unfinished(folder: Path) -> list[Path]:
    """List the sessions in `folder` that a crash has left and nobody has recovered yet.

    A folder that is not there, or that may not be read, has none.
    """
    markers = sorted(folder.glob(MARKERS)) if folder.is_dir() else []
    sessions = [marker.with_suffix("") for marker in markers]
    return [session for session in sessions if session.is_file() and _is_unfinished(session)]


def say_unfinished(folders: Iterable[Path]) -> list[str]:
    """Say of each unfinished session how it is recovered, a sentence each.

    Parameters
    ----------
    folders
        Where to look, besides the one where recordings for network shares are made.
    """
    places = [*folders, staging_folder()]
    found = {path.resolve(): path for folder in places for path in find_unfinished(folder)}
    return [
        f"{path} was not finished (a crash?); recover it with: thermoseg recover {path}"
        for path in found.values()
    ]


def _is_unfinished(session: Path) -> bool:
    from thermoseg.recording.marker import is_being_recorded
    from thermoseg.recording.opening import is_finished

    return (
        not session.with_name(session.stem + RECOVERED_SUFFIX).exists()
        and not is_being_recorded(session)
        # A writer that is killed at the very end leaves its marker beside a whole file.
        and not is_finished(session)
    )
