"""A stretch of a session as a session file of its own."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from thermoseg.errors import ExportError
from thermoseg.export.frames import say_problems
from thermoseg.export.job import (
    UNWATCHED,
    Exported,
    Watch,
    cannot_write,
    new_files,
    refuse_existing,
)
from thermoseg.export.stretch import Stretch, TimeRange, say_times, settle
from thermoseg.recording.layout import HEADER, SUFFIX, SessionNames
from thermoseg.recording.manifest import (
    ListedFile,
    Manifest,
    describe_recording,
    encode,
    sha256_of,
)
from thermoseg.recording.opening import open_session
from thermoseg.recording.own_process import Copying
from thermoseg.recording.reader import Recording
from thermoseg.recording.status import RecordingSummary

ORIGIN: Final = "cut"
"""Attribute of a cut: where it comes from, as JSON; see docs/session-file.md."""


def cut_session(
    session: Path,
    folder: Path,
    stretch: Stretch,
    *,
    stem: str = "",
    watch: Watch = UNWATCHED,
) -> Exported:
    """Write a stretch of a session as `STEM_10-20s.h5`, whole, and its manifest beside it.

    Pictures are copied as they are packed, each after a check of its checksum; damaged ones are
    left out and become a gap.  Times, numbers and study fields stay; the session id is new, and the
    attribute `cut` names the session and the stretch.  A process of its own does it, because HDF5
    crashes when it closes a file that a full disk did not take.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ExportError
        If nothing lies in the stretch, or the file exists already or cannot be written.
    ExportCancelledError
        If asked to end.
    """
    with Recording(session) as recording:
        times = settle(recording, stretch)
        name = f"{stem or session.stem}_{say_times(recording, times)}{SUFFIX}"
        notes = say_problems(recording)
    path = folder / name
    manifest = SessionNames(path).manifest
    refuse_existing([path, manifest])
    with ExitStack() as named, new_files([path]) as (temporary,):
        notes += _copy(session, temporary, path, times, watch, named)
        described = encode(_describe(temporary, path.name))
    with new_files([manifest]) as (temporary,):
        temporary.write_bytes(described)
    return Exported((path, manifest), notes)


def _describe(copy: Path, name: str) -> Manifest:
    """Return the manifest of a cut that is going to be called `name`."""
    with open_session(copy) as session, Recording(copy) as recording:
        attributes = session.attributes
        header = {key: attributes.value(key, kind) for key, kind in HEADER.items()}
        counts, times_s = recording.counts, recording.times_s
        summary = RecordingSummary(
            path=copy,
            captured=counts.captured,
            recorded=counts.recorded,
            dropped=counts.dropped,
            missed=counts.missed,
            seconds=float(times_s[-1] - times_s[0]) if len(times_s) else 0.0,
            bytes_on_disk=copy.stat().st_size,
            failed="",
        )
        manifest = describe_recording(header, summary, recording.notes)
    # A name that is no text stays one that can be written.
    name = os.fsencode(name).decode("utf-8", "replace")
    listed = ListedFile(name=name, bytes=summary.bytes_on_disk, sha256=sha256_of(copy))
    return manifest.model_copy(update={"files": (listed,)})


def _copy(
    session: Path,
    temporary: Path,
    path: Path,
    times: TimeRange,
    watch: Watch,
    named: ExitStack,
) -> tuple[str, ...]:
    """Have the copy made by a process that ends with `named`; return what it left out."""
    job = {
        "session": str(session.absolute()),
        "copy": str(temporary.absolute()),
        "begin_s": times.begin_s,
        "end_s": times.end_s,
    }
    with ExitStack() as ending:
        copying = Copying.start(ending, "thermoseg.export.cut_process", json.dumps(job))
        for told in copying.reports():
            if "done" in told:
                watch.step(told["done"], told["total"])
            elif "fault" in told:
                raise cannot_write(path, told["fault"])
            elif "sentence" in told:
                raise ExportError(told["sentence"])
            else:
                named.push(ending.pop_all())
                return tuple(f"“{session}”: {note}" for note in told["notes"])
        code, complaint = copying.end()
    if code < 0:
        raise cannot_write(path, f"the process that copied was ended by signal {-code}")
    raise RuntimeError(f"the process that copied ended with {code}: {complaint}")
