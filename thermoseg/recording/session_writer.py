"""An open session file in the process that writes it: frames, labels, samples, events, gaps."""

import errno
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.disk_sync import DiskSync, Mark
from thermoseg.recording.event_lines import event_line, mark_line, taken_back_line
from thermoseg.recording.held_marks import HeldMarks
from thermoseg.recording.job import WriterJob
from thermoseg.recording.layout import (
    EVENT,
    GAP,
    GAP_CAUSES,
    LIBVER,
    MAX_REASONS,
    PICTURES,
    SAMPLE,
    SAMPLE_FIELDS,
    SessionNames,
    append,
    create_datasets,
    samples_of,
    set_closing_attributes,
    tables_of,
)
from thermoseg.recording.ring import SharedMemory
from thermoseg.whole_file import creating, sync_folder

FLUSH_INTERVAL_S: Final = 0.3
"""Interval between two flushes; a kill loses nothing older."""
MIN_FLUSH_INTERVAL_S: Final = 0.1
"""Interval while a backlog is written that spans more than `FLUSH_INTERVAL_S` of frames."""
MAX_FLUSH_SHARE: Final = 0.25
"""Fraction of the writer's time that flushes may take on a slow disk; the rest is for frames."""
_GAP_BEFORE: Final = 32
"""`thermoseg.frames.FrameFlag.GAP_BEFORE`; a test keeps the two equal."""


_LONGEST_NAMED: Final = 390
"""Bytes of two paths for which a sentence has room."""


class FileLostError(OSError):
    """The file that is written was removed, renamed or replaced by somebody."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Name the file, which is still open, and look where it is."""
        super().__init__(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self.rest: Final = _rest_of(path, descriptor)
        """What there is of it and what to do, one clause."""


class SessionWriter:
    """An open session file and everything not yet flushed to it."""

    def __init__(self, job: WriterJob, memory: SharedMemory) -> None:
        """Create the file with all its metadata.

        It gets its name when it is whole, so no kill leaves half a header; that it is on the disk
        shows in `on_disk` of the shared memory.

        Raises
        ------
        OSError
            If it exists already or cannot be written; nothing is left then.
        """
        self._names = SessionNames(Path(job.path))
        self._regions = job.regions
        self._memory = memory
        self._pictures = bool(job.attributes["pictures"])
        self._file, self._events_file = _create(job, bytes(memory.control["notes"].item()))
        with _leaving_nothing(self._names):
            self._file.swmr_mode = True
            # All are held: what is left of a dataset is written when nobody holds it any more, and
            # a failure then is printed at most, until HDF5 crashes.
            names = (*PICTURES, *tables_of(self._regions))
            self._datasets = {name: self._file[name] for name in names}
        self._counts: h5py.Dataset = self._datasets["frames/counts"]
        self._labels: h5py.Dataset = self._datasets["labels/labels"]
        self._rows: dict[str, list[Any]] = {}
        self._events: list[tuple[float, float, bytes]] = []
        self._marks = HeldMarks()
        self._offered_s = -math.inf
        self._reasons: dict[bytes, int] = {b"": 0}
        self._dropped = 0
        self._missed = 0
        self._refused = 0
        self._last_index = -1
        self._last_time_s = 0.0
        self._written = 0
        self._unflushed_from_s = math.inf
        self._flush_s = 0.0
        self._folder_sync = DiskSync(lambda: sync_folder(self._names.session.parent), lanes=1)
        # Asked for once: HDF5 has one lock, and an fsync must not wait for it.
        self._descriptor = int(self._file.id.get_vfd_handle())
        self._file_sync = DiskSync(lambda: os.fsync(self._descriptor))
        self._events_sync = DiskSync(lambda: os.fsync(self._events_file.fileno()), lanes=1)
        self._folder_sync.request(Mark(0, 0.0))
        with _leaving_nothing(self._names):
            self.flush()

    def add_frame(self, slot: NDArray[Any]) -> None:
        """Append the frame in `slot`, of `RingGeometry.frame_dtype`, and the gap before it."""
        # Slots carry running totals, not differences: frames that found no slot are gone, yet the
        # next one that is written accounts for them.  Each cause gets a row of its own in the table
        # of gaps.  A GAP_BEFORE without any count is a camera that was lost and came back; how many
        # frames that cost nobody knows, so the row says 0.
        index, time_s = int(slot["index"]), float(slot["time_s"])
        dropped = int(slot["dropped"]) - self._dropped
        missed = int(slot["missed"]) - self._missed
        refused = int(slot["refused"]) - self._refused
        flags = int(slot["flags"])
        if flags & _GAP_BEFORE and self._written and not missed + dropped + refused:
            self._add_gap(index, time_s, 0, "lost")
        for cause, frames in (("camera", missed), ("recorder", dropped), ("refused", refused)):
            if frames:
                self._add_gap(index, time_s, frames, cause)
                flags |= _GAP_BEFORE
        self._dropped += dropped
        self._missed += missed
        self._refused += refused
        emissivity, reflected_c = float(slot["emissivity"]), float(slot["reflected_c"])
        if not math.isnan(emissivity):
            self._add_row("scenes", (time_s, index, emissivity, reflected_c))
        if self._pictures:
            self._append_picture(self._counts, slot["counts"])
        self._add_row("frames/index", index)
        self._add_row("frames/time_s", time_s)
        self._add_row("frames/wall_time", float(slot["wall_time"]))
        self._add_row("frames/flags", flags)
        self._offered_s = float(slot["monotonic_s"])
        self._add_row("frames/monotonic_s", self._offered_s)
        self._last_index, self._last_time_s = index, time_s
        self._unflushed_from_s = min(self._unflushed_from_s, time_s)
        self._written += 1
        self._memory.control["written"] = self._written

    def add_result(self, slot: NDArray[Any]) -> None:
        """Append the labels and samples in `slot`, of `RingGeometry.result_dtype`."""
        index, time_s = int(slot["frame_index"]), float(slot["time_s"])
        if self._pictures and slot["labelled"]:
            self._append_picture(self._labels, slot["labels"])
            self._add_row("labels/frame_index", index)
            self._add_row("labels/time_s", time_s)
        for sample in slot["samples"][: int(slot["sample_count"])]:
            row = np.zeros((), SAMPLE)
            for field in SAMPLE_FIELDS:
                row[field.name] = sample[field.name]
            row["frame_index"] = index
            row["reason"] = self._reason_code(bytes(sample["reason"]))
            self._add_row(samples_of(self._regions[sample["region"]]), row)

    def add_event(self, slot: NDArray[Any]) -> None:
        """Write the event in `slot` to the line file at once; it enters the session at the end."""
        self._write_line(event_line(slot), float(slot["time_s"]))
        self._keep_event(slot)

    def add_mark(self, slot: NDArray[Any]) -> None:
        """Write the mark in `slot` to the line file at once; it is a row once it is due."""
        self._write_line(mark_line(slot), float(slot["time_s"]))
        self._marks.add(slot)

    def take_back(self, slot: NDArray[Any]) -> None:
        """Let the mark whose number is in `slot` become no row; that it was made stays an event."""
        self._write_line(taken_back_line(slot), float(slot["time_s"]))
        self._marks.remove(int(slot["number"]))
        self._keep_event(slot)

    def tend(self, since_s: float) -> bool:
        """Flush if it is time to, and take note of what has reached the disk.

        Parameters
        ----------
        since_s
            The last flush ended so long ago, seconds.

        Returns
        -------
        Whether it has flushed.

        Raises
        ------
        OSError
            If the disk does not take what was written.
        """
        for sync in (self._file_sync, self._folder_sync, self._events_sync):
            sync.look()
        self._tell_what_is_safe()
        # A flush that took long is followed by a pause that is longer: frames go on being written.
        soonest_s = max(MIN_FLUSH_INTERVAL_S, self._flush_s * (1 / MAX_FLUSH_SHARE - 1))
        behind = self._last_time_s - self._unflushed_from_s >= FLUSH_INTERVAL_S
        first = self._written and not self._memory.control["flushed"]
        due = since_s >= FLUSH_INTERVAL_S or behind or first
        if not due or (since_s < soonest_s and not first):
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Make everything so far survive a kill, and soon a power cut.

        Raises
        ------
        OSError
            If the disk does not take what was written, or the file has lost its name.
        """
        # Pictures are in HDF5's hands since they came; rows of tables wait for here, as each call
        # would take the lock of HDF5 and enlarge a dataset.  `flushed` is raised after the file has
        # been flushed, never before: readers and recovery rely on it.
        began_s = time.monotonic()
        self._write_marks(self._offered_s)
        for name, rows in self._rows.items():
            append(self._datasets[name], rows)
            # Tables before pictures: what lies last in a file is what a cut takes first, and a
            # piece of a table holds the rows of many frames.
            self._datasets[name].flush()
        self._rows.clear()
        self._unflushed_from_s = math.inf
        self._file.flush()
        self._memory.control["flushed"] = self._written
        self._memory.control["file_bytes"] = self.look_at_file().st_size
        self._flush_s = time.monotonic() - began_s
        self._file_sync.request(Mark(self._written, self._last_time_s))

    def finish(self, ended: str) -> None:
        """Write closing counts and events, close the file and remove what marks it unfinished.

        Parameters
        ----------
        ended
            Why, one clause.
        """
        captured = int(self._memory.control["offered"])
        dropped = captured - self._written
        missed = int(self._memory.control["missed"])
        if dropped > self._dropped:
            self._add_gap(-1, self._last_time_s, dropped - self._dropped, "recorder")
        if missed > self._missed:
            self._add_gap(-1, self._last_time_s, missed - self._missed, "camera")
        if self._memory.control["lost"] and self._written:
            self._add_gap(-1, self._last_time_s, 0, "lost")
        if self._events:
            append(self._datasets["events"], np.array(self._events, EVENT))
        self._write_marks(math.inf)
        counts = {"captured": captured, "recorded": self._written}
        counts |= {"dropped": dropped, "missed": missed}
        self.flush()
        # Complete means that everything else is on the disk already, whatever is cut when.
        syncs = (self._file_sync, self._folder_sync, self._events_sync)
        for sync in syncs:
            sync.hurry()
        for sync in syncs:
            sync.finish()
        self._tell_what_is_safe()
        self.look_at_file()
        notes = bytes(self._memory.control["notes"].item())
        set_closing_attributes(self._file, ended, counts, notes)
        self._file.close()
        _sync_closed(self._names.session)
        self._memory.control["file_bytes"] = self._names.session.stat().st_size
        self._events_file.close()
        # If a power cut brings these names back, they lie beside a file that is complete.
        self._names.events.unlink(missing_ok=True)
        self._names.marker.unlink(missing_ok=True)

    def _tell_what_is_safe(self) -> None:
        safe = self._file_sync.safe
        if safe is None or self._folder_sync.safe is None:
            return
        self._memory.control["safe_s"] = safe.time_s
        self._memory.control["safe"] = safe.frames
        self._memory.control["on_disk"] = 1

    def look_at_file(self) -> os.stat_result:
        """Return what the system knows of the file, if what is written still comes under its name.

        A file that is removed can be written for hours, and nobody will ever read it.

        Raises
        ------
        FileLostError
            If it does not.
        """
        written = os.fstat(self._descriptor)
        try:
            named = self._names.session.stat()
        except FileNotFoundError as error:
            raise FileLostError(self._names.session, self._descriptor) from error
        if not os.path.samestat(written, named):
            raise FileLostError(self._names.session, self._descriptor)
        return written

    def _append_picture(self, dataset: h5py.Dataset, picture: NDArray[Any]) -> None:
        row = len(dataset)
        dataset.resize(row + 1, axis=0)
        dataset[row] = picture

    def _write_line(self, line: bytes, time_s: float) -> None:
        self._events_file.write(line)
        self._events_file.flush()
        self._events_sync.request(Mark(len(self._events), time_s))

    def _keep_event(self, slot: NDArray[Any]) -> None:
        event = float(slot["time_s"]), float(slot["wall_time"]), bytes(slot["text"])
        self._events.append(event)

    def _write_marks(self, now_s: float) -> None:
        for row in self._marks.take(now_s):
            self._add_row("markers", row)

    def _add_row(self, name: str, row: object) -> None:
        self._rows.setdefault(name, []).append(row)

    def _add_gap(self, index: int, time_s: float, frames: int, cause: str) -> None:
        code = GAP_CAUSES.index(cause)
        row = np.array((self._last_index, index, time_s, frames, code), GAP)
        self._add_row("gaps", row)

    def _reason_code(self, reason: bytes) -> int:
        if reason not in self._reasons:
            if len(self._reasons) == MAX_REASONS:
                return MAX_REASONS - 1
            self._reasons[reason] = len(self._reasons)
            self._add_row("reasons", reason)
        return self._reasons[reason]


def _rest_of(path: Path, descriptor: int) -> str:
    """Say where an open file is that has lost its name, as far as the system tells."""
    status = os.fstat(descriptor)
    if not status.st_nlink:
        return "nothing of it is left, so record again"
    with suppress(OSError):
        now = Path(f"/proc/self/fd/{descriptor}").readlink()  # Linux
        short = len(os.fsencode(now)) + len(os.fsencode(path)) <= _LONGEST_NAMED
        if short and os.path.samestat(now.stat(), status):
            return f"what there is of it is {now}: recover it there, and record again"
    return "if it is elsewhere now, recover it there, and record again"


def _create(job: WriterJob, notes: bytes) -> tuple[h5py.File, Any]:
    """Create the session file, whole and under its name, and the file of its events, both open."""
    names = SessionNames(Path(job.path))
    events = names.events.open("xb")
    try:
        with (
            creating(names.session, durable=False) as temporary,
            h5py.File(temporary, "w", libver=LIBVER) as file,
        ):
            for name, value in job.attributes.items():
                file.attrs[name] = value
            size = job.geometry.height, job.geometry.width
            held = create_datasets(file, *size, job.regions, notes)
            append(held["reasons"], [b""])
            # A failure shows here; at closing, HDF5 may crash.
            file.flush()
        with _leaving_nothing(names):
            return h5py.File(names.session, "r+", libver=LIBVER), events
    except BaseException:
        events.close()
        with suppress(OSError):
            names.events.unlink(missing_ok=True)
        raise


@contextmanager
def _leaving_nothing(names: SessionNames) -> Iterator[None]:
    """Remove a session that cannot be begun: it has no frame."""
    try:
        yield
    except BaseException:
        for path in (names.session, names.events):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def _sync_closed(path: Path) -> None:
    """Bring a file that HDF5 has closed to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
