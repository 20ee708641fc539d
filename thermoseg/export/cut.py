"""A stretch of a session as a session file of its own."""

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

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
from thermoseg.recording.layout import HEADER, SUFFIX, SessionNames, samples_of
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


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A stretch by the session's own clock, on which its times stay."""

    begin_s: float
    """The first frame is not earlier; −∞ for the beginning."""
    end_s: float
    """The last frame is earlier; ∞ for the end."""


@dataclass(frozen=True, slots=True)
class FrameRange:
    """A stretch by positions of frames from 0."""

    first: int
    end: int
    """The last frame is the one before."""


def cut_session(
    session: Path,
    folder: Path,
    stretch: TimeRange | FrameRange,
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
        times = _settle(recording, stretch)
        name = f"{stem or session.stem}_{_say(recording, times)}{SUFFIX}"
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


def _settle(recording: Recording, stretch: TimeRange | FrameRange) -> TimeRange:
    """Return the stretch in seconds.

    Raises
    ------
    ExportError
        If nothing lies in it.
    """
    path, times_s = recording.path, recording.times_s
    if isinstance(stretch, FrameRange):
        if not 0 <= stretch.first < stretch.end <= len(times_s):
            raise ExportError(
                f"“{path}” has {len(times_s)} frames, none from {stretch.first} to "
                f"{stretch.end} (not in it); choose a stretch from 0 to {len(times_s)}"
            )
        last_s = float(times_s[stretch.end - 1])
        return TimeRange(float(times_s[stretch.first]), float(np.nextafter(last_s, np.inf)))
    if not stretch.begin_s < stretch.end_s:
        raise ExportError(
            f"a stretch from {stretch.begin_s:g} to {stretch.end_s:g} s is empty; give its "
            "beginning first"
        )
    traces = [recording.table(samples_of(region))["time_s"] for region in recording.regions]
    known_s = np.concatenate([times_s, *traces])
    if not len(known_s):
        raise ExportError(f"“{path}” holds neither frames nor samples; there is nothing to cut")
    if not np.any((known_s >= stretch.begin_s) & (known_s < stretch.end_s)):
        raise ExportError(
            f"“{path}” has nothing from {stretch.begin_s:g} to {stretch.end_s:g} s; it reaches "
            f"from {known_s.min():.3f} to {known_s.max():.3f} s"
        )
    return stretch


def _say(recording: Recording, times: TimeRange) -> str:
    """Name a stretch for a file: 10-20s, an open end by the session's own."""
    known = recording.times_s.tolist() or [0.0]
    begin_s = times.begin_s if isfinite(times.begin_s) else known[0]
    end_s = times.end_s if isfinite(times.end_s) else known[-1]
    return f"{_shortly(begin_s)}-{_shortly(end_s)}s"


def _shortly(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


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
