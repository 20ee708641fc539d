"""The recordings of a folder with what each says of itself, quickly enough for hundreds of them.

No picture is read.  A finished session whose manifest still fits it is not even opened.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import h5py

from thermoseg.errors import FormatError, RecordingError
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.layout import SessionNames
from thermoseg.recording.manifest import Manifest
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.reader import Recording
from thermoseg.recording.unfinished import RECOVERED_SUFFIX

MOST_FILES: Final = 5000
"""Recordings that are listed of one folder; somebody may have chosen the whole disk."""
DEEPEST: Final = 6
"""Folders in folders that are looked into: a study has three."""
ANALYSIS: Final = re.compile(r".+\.analysis-\d+\.h5")
"""Names of analyses, which lie beside their sessions and are none."""
ENTITY: Final = re.compile(r"(?:^|_)(sub|ses|task|run)-([^_]+)")
"""Part of a name, as BIDS has them."""
FIELDS: Final = {"sub": "participant", "ses": "session", "task": "task", "run": "run"}
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Soundness(Enum):
    """Outcome of a recording, as far as its header tells."""

    COMPLETE = "complete"
    CRASHED = "crashed"
    RECOVERED = "recovered"
    """It crashed or is damaged, and its recovered copy lies beside it."""
    RECORDING = "being recorded"
    DAMAGED = "damaged"
    FOREIGN = "of another program"


@dataclass(frozen=True, slots=True)
class ListedRecording:
    """One recording of a list."""

    path: Path
    soundness: Soundness
    participant: str = ""
    session: str = ""
    task: str = ""
    run: str = ""
    created: datetime | None = None
    """When recording began, with its zone; None if unknown."""
    seconds: float = nan
    """Time from the first frame to the last; NaN if unknown."""
    frames: int = -1
    """Frames recorded; −1 if unknown, as the next two."""
    missed: int = -1
    dropped: int = -1
    problem: str = ""
    """What is wrong with it, a sentence; empty if nothing is known to be."""


class RecordingList:
    """Lists folders again and again; what has not changed since is not read again.

    Used by one thread.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], ListedRecording]] = {}

    def look(
        self, folder: Path, cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[ListedRecording, ...]:
        """List the recordings in `folder` and in the folders in it, by their paths.

        Analyses, files of other programs, hidden folders and what cannot be looked at are left out.

        Parameters
        ----------
        cancelled
            Asked before each; what was found so far is returned when it says so.

        Raises
        ------
        RecordingError
            If there is no such folder, or it may not be read.
        """
        listed = []
        for path in find_recordings(folder):
            if cancelled():
                break
            try:
                recording = self._look_at(path)
            except OSError:  # it went while we looked
                continue
            if recording.soundness is not Soundness.FOREIGN:
                listed.append(recording)
        return tuple(listed)

    def _look_at(self, path: Path) -> ListedRecording:
        status = path.stat()
        version = status.st_mtime_ns, status.st_size
        version_known, known = self._known.get(path, ((0, -1), None))
        if known is None or version_known != version or _may_change(path, known):
            known = describe(path)
            self._known[path] = version, known
        if known.soundness in (Soundness.CRASHED, Soundness.DAMAGED) and _recovered(path).exists():
            return replace(known, soundness=Soundness.RECOVERED)
        return known


def find_recordings(folder: Path) -> list[Path]:
    """Find the session files in `folder` and in the folders in it, at most `MOST_FILES`.

    Raises
    ------
    RecordingError
        If `folder` cannot be read.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise RecordingError(
            f"“{folder}” cannot be read ({say_fault(error)}); choose another folder"
        ) from error
    found = []
    for path in _walk(folder):
        found.append(path)
        if len(found) >= MOST_FILES:
            break
    return sorted(found)


def describe(path: Path) -> ListedRecording:
    """Read what the recording `path` says of itself, from its manifest if that fits.

    Raises
    ------
    OSError
        If the file is gone.
    """
    if is_being_recorded(path):
        # Opening it would show what had reached the disk at this moment, which is soon outdated.
        return _filled(path, Soundness.RECORDING)
    manifest = _fitting_manifest(path)
    if manifest is not None:
        counts, study = manifest.counts, manifest.study
        return _filled(
            path, Soundness.COMPLETE, study, manifest.created, manifest.seconds, counts, ""
        )
    try:
        with Recording(path) as recording:
            times_s = recording.times_s
            counts = {
                "recorded": recording.counts.recorded,
                "missed": recording.counts.missed,
                "dropped": recording.counts.dropped,
            }
            problem = " ".join(recording.problems)
            soundness = Soundness.DAMAGED if problem else Soundness.COMPLETE
            if not recording.complete:
                soundness = Soundness.CRASHED
            seconds = float(times_s[-1] - times_s[0]) if len(times_s) else 0.0
            return _filled(
                path, soundness, recording.study, recording.created, seconds, counts, problem
            )
    except FormatError as error:
        soundness = Soundness.FOREIGN if _is_foreign(path) else Soundness.DAMAGED
        return _filled(path, soundness, problem=str(error))


def _walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the session files, those of a folder before those in the folders in it."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        return
    inside = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.name.endswith(".h5") and not ANALYSIS.fullmatch(entry.name) and entry.is_file():
            yield Path(entry.path)
        elif depth < DEEPEST and entry.is_dir(follow_symlinks=False):
            inside.append(Path(entry.path))
    for path in inside:
        yield from _walk(path, depth + 1)


def _may_change(path: Path, known: ListedRecording) -> bool:
    """Tell whether a file that is the same as before may be in another state: its writer died."""
    return known.soundness is Soundness.RECORDING or SessionNames(path).marker.exists()


def _is_foreign(path: Path) -> bool:
    """Tell whether it is a sound HDF5 file that does not call itself a session of ours."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            return "format" not in file.attrs
    except (OSError, RuntimeError):
        return False


def _recovered(path: Path) -> Path:
    return path.with_name(path.stem + RECOVERED_SUFFIX)


def _fitting_manifest(path: Path) -> Manifest | None:
    """Return the manifest of a finished session; None if there is none or the file is another."""
    if SessionNames(path).marker.exists():
        return None
    try:
        manifest = Manifest.model_validate(json.loads(SessionNames(path).manifest.read_bytes()))
        size = path.stat().st_size
    except (OSError, ValueError, RecursionError):
        return None
    fits = any(file.name == path.name and file.bytes == size for file in manifest.files)
    return manifest if fits else None


def _filled(
    path: Path,
    soundness: Soundness,
    study: Mapping[str, str | int | float] = NOTHING,
    created: str = "",
    seconds: float = nan,
    counts: Mapping[str, int] = NOTHING,
    problem: str = "",
) -> ListedRecording:
    """Fill a row; what the study fields do not tell is taken from the name, as `sub-07_run-02`."""
    told = {FIELDS[key]: value for key, value in ENTITY.findall(path.stem)}
    if "run" in told:
        told["run"] = told["run"].lstrip("0") or "0"

    def field(name: str) -> str:
        value = study.get(name, told.get(name, ""))
        return f"{value:g}" if isinstance(value, float) else str(value)

    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        moment = None
    return ListedRecording(
        path,
        soundness,
        participant=field("participant"),
        session=field("session"),
        task=field("task"),
        run=field("run"),
        created=moment if moment is None or moment.tzinfo else moment.astimezone(),
        seconds=seconds,
        frames=counts.get("recorded", -1),
        missed=counts.get("missed", -1),
        dropped=counts.get("dropped", -1),
        problem=problem,
    )
