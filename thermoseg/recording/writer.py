"""The process that writes a session file; started by `Recorder` as `python -m` this module.

It is a process of its own because HDF5 stalls every thread that touches it during a flush and
ends its process when it closes a file on a full disk.  It is not a `multiprocessing` child, which
would import the main module again, and with it Qt.  It imports little, so it starts fast.
"""

import contextlib
import errno
import json
import logging
import math
import os
import queue
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import (
    EVENT,
    GAP,
    GAP_CAUSES,
    LIBVER,
    MAX_REASONS,
    SAMPLE,
    SAMPLE_FIELDS,
    STOPPED,
    TEXT_BYTES,
    SessionNames,
    append,
    create_datasets,
    encode_text,
    samples_of,
    set_closing_attributes,
)
from thermoseg.recording.ring import MESSAGE, Kind, RingGeometry, SharedMemory, WriterState

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S: Final = 0.5
"""Between two flushes with fsync; nothing older is lost by a kill or a power cut."""
MIN_FLUSH_INTERVAL_S: Final = 0.1
"""While a backlog is written that spans more than `FLUSH_INTERVAL_S` of frames."""
MAX_FLUSH_SHARE: Final = 0.25
"""Of the time, for such flushes: on a starved machine they must not keep the backlog alive."""
WAIT_S: Final = 0.1
"""For a message; then the parent is looked for and a flush may be due."""
_GAP_BEFORE: Final = 32
"""`thermoseg.frames.FrameFlag.GAP_BEFORE`; a test keeps the two equal."""


@dataclass(frozen=True, slots=True)
class WriterJob:
    """What the recorder tells its writer, as one line of JSON."""

    path: str
    attributes: dict[str, str | int | float]
    """Of the file, written before anything else."""
    geometry: RingGeometry
    regions: tuple[str, ...]
    """Names, in the order in which samples count them."""
    token: int | str
    """Of the shared memory."""
    parent: int
    """Process id of the recorder."""
    stop_bytes: int
    """Free space at which recording ends cleanly, bytes."""

    def to_json(self) -> bytes:
        """Return one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """Read the line of `to_json`."""
        fields = json.loads(line)
        geometry, regions = RingGeometry(**fields["geometry"]), tuple(fields["regions"])
        return cls(**{**fields, "geometry": geometry, "regions": regions})


class SessionWriter:
    """An open session file and everything not yet flushed to it."""

    def __init__(self, job: WriterJob, memory: SharedMemory) -> None:
        """Create the file with all its metadata and make that durable.

        Raises
        ------
        OSError
            If it exists already or cannot be written.
        """
        self._names = SessionNames(Path(job.path))
        self._regions = job.regions
        self._memory = memory
        self._file = _new_file(job)
        self._file.swmr_mode = True
        self._events_file = self._names.events.open("xb")
        self._counts: h5py.Dataset = self._file["frames/counts"]
        self._labels: h5py.Dataset = self._file["labels/labels"]
        self._rows: dict[str, list[Any]] = {}
        self._events: list[tuple[float, float, bytes]] = []
        self._reasons: dict[bytes, int] = {b"": 0}
        self._dropped = 0
        self._missed = 0
        self._refused = 0
        self._last_index = -1
        self._last_time_s = 0.0
        self._written = 0
        self._unflushed_from_s = math.inf
        self.flush()
        _sync_folder(self._names.session.parent)

    @property
    def unflushed_s(self) -> float:
        """How much of the stream would be lost now, seconds of frame time."""
        return max(self._last_time_s - self._unflushed_from_s, 0)

    def add_frame(self, slot: NDArray[Any]) -> None:
        """Append the frame in `slot`, of `RingGeometry.frame_dtype`, and the gap before it."""
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
        self._append_picture(self._counts, slot["counts"])
        self._add_row("frames/index", index)
        self._add_row("frames/time_s", time_s)
        self._add_row("frames/wall_time", float(slot["wall_time"]))
        self._add_row("frames/flags", flags)
        self._add_row("frames/monotonic_s", float(slot["monotonic_s"]))
        self._last_index, self._last_time_s = index, time_s
        self._unflushed_from_s = min(self._unflushed_from_s, time_s)
        self._written += 1
        self._memory.control["written"] = self._written

    def add_result(self, slot: NDArray[Any]) -> None:
        """Append the labels and samples in `slot`, of `RingGeometry.result_dtype`."""
        index, time_s = int(slot["frame_index"]), float(slot["time_s"])
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
        event = float(slot["time_s"]), float(slot["wall_time"]), bytes(slot["text"])
        line = {"time_s": event[0], "wall_time": event[1], "text": event[2].decode()}
        self._events_file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._events_file.flush()
        os.fsync(self._events_file.fileno())
        self._events.append(event)

    def flush(self) -> None:
        """Make everything so far survive a crash of this process and of the machine."""
        for name, rows in self._rows.items():
            append(self._file[name], rows)
        self._rows.clear()
        self._unflushed_from_s = math.inf
        self._file.flush()
        os.fsync(self._file.id.get_vfd_handle())
        self._memory.control["flushed"] = self._written
        self._memory.control["file_bytes"] = self._names.session.stat().st_size

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
        if self._events:
            append(self._file["events"], np.array(self._events, EVENT))
        counts = {"captured": captured, "recorded": self._written}
        counts |= {"dropped": dropped, "missed": missed}
        self.flush()
        set_closing_attributes(self._file, ended, counts)
        self.flush()
        self._file.close()
        self._events_file.close()
        self._names.events.unlink()
        self._names.marker.unlink(missing_ok=True)
        _sync_folder(self._names.session.parent)

    def _append_picture(self, dataset: h5py.Dataset, picture: NDArray[Any]) -> None:
        row = len(dataset)
        dataset.resize(row + 1, axis=0)
        dataset[row] = picture

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


def main() -> None:
    """Write one session as the job on standard input says, then end the process."""
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(MESSAGE.pack(Kind.STOP, 0)))
    job = WriterJob.from_json(sys.stdin.buffer.readline())
    memory = SharedMemory.attach(job.geometry, job.token)
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()
    try:
        sentence = _write(job, memory, inbox)
    except Exception as error:
        # HDF5 crashes when it closes a file that it could not write, at interpreter exit too.
        expected = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
        log.log(expected, "the session file cannot be written", exc_info=True)
        _fail(memory, _explain(error, Path(job.path)))
        os._exit(1)
    if sentence:
        _fail(memory, sentence)
    else:
        memory.control["state"] = WriterState.DONE
    os._exit(0)


def _new_file(job: WriterJob) -> h5py.File:
    """Create the session, which gets its name when it is whole: no kill leaves half a header."""
    path = Path(job.path)
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), job.path)
    nameless = path.with_name(f"{path.name}.new")
    file = h5py.File(nameless, "w", libver=LIBVER)
    for name, value in job.attributes.items():
        file.attrs[name] = value
    create_datasets(file, job.geometry.height, job.geometry.width, job.regions)
    append(file["reasons"], [b""])
    file.close()
    nameless.rename(path)
    return h5py.File(path, "r+", libver=LIBVER)


def _listen(inbox: queue.SimpleQueue[bytes]) -> None:
    """Pass on the messages that come through the pipe; an empty one is its end."""
    while len(message := sys.stdin.buffer.read(MESSAGE.size)) == MESSAGE.size:
        inbox.put(message)
    inbox.put(b"")


def _write(job: WriterJob, memory: SharedMemory, inbox: queue.SimpleQueue[bytes]) -> str:
    """Write until told to stop; return why it could not go on, empty if it was told to."""
    folder = Path(job.path).parent
    writer = SessionWriter(job, memory)
    memory.control["free_bytes"] = shutil.disk_usage(folder).free
    memory.control["state"] = WriterState.WRITING
    ended = ""
    last_flush, flush_s = time.monotonic(), 0.0
    while not ended:
        message = _next_message(inbox, job.parent)
        if message == b"":
            ended = "the program that recorded ended unexpectedly"
        elif message is not None:
            kind, slot = MESSAGE.unpack(message)
            if kind == Kind.STOP:
                ended = STOPPED
            else:
                _add(kind, slot, writer, memory)
        since_s = time.monotonic() - last_flush
        soon_s = max(MIN_FLUSH_INTERVAL_S, flush_s / MAX_FLUSH_SHARE)
        behind = since_s >= soon_s and writer.unflushed_s >= FLUSH_INTERVAL_S
        first = memory.control["written"] and not memory.control["flushed"]
        if since_s < FLUSH_INTERVAL_S and not (behind or first):
            continue
        last_flush = time.monotonic()
        writer.flush()
        flush_s = time.monotonic() - last_flush
        memory.control["free_bytes"] = free = shutil.disk_usage(folder).free
        if free < job.stop_bytes and not ended:
            sentence = f"the disk that holds {job.path} is nearly full"
            writer.finish(sentence)
            return f"{sentence}; recording ended cleanly, make space and record again"
    writer.finish(ended)
    return ""


def _next_message(inbox: queue.SimpleQueue[bytes], parent: int) -> bytes | None:
    """Wait a moment; None if nothing came, empty if nothing will come any more."""
    with contextlib.suppress(queue.Empty):
        return inbox.get(timeout=WAIT_S)
    # The pipe stays open after the parent's death where another child inherited its end.
    return b"" if sys.platform != "win32" and os.getppid() != parent else None


def _add(kind: int, slot: int, writer: SessionWriter, memory: SharedMemory) -> None:
    if kind == Kind.FRAME:
        writer.add_frame(memory.frames.slots[slot])
        memory.frames.release(slot)
    elif kind == Kind.RESULT:
        writer.add_result(memory.results.slots[slot])
        memory.results.release(slot)
    elif kind == Kind.EVENT:
        writer.add_event(memory.events.slots[slot])
        memory.events.release(slot)


def _fail(memory: SharedMemory, sentence: str) -> None:
    memory.control["sentence"] = encode_text(sentence, TEXT_BYTES)
    memory.control["state"] = WriterState.FAILED


def _explain(error: Exception, path: Path) -> str:
    number = getattr(error, "errno", None)
    # h5py puts the number of a failed write into its text only.
    if number == errno.ENOSPC or f"errno = {errno.ENOSPC}" in str(error):
        return (
            f"the disk that holds {path} is full; recording ended, and everything up to its "
            "last half second can be recovered: make space, then recover the session"
        )
    reason = os.strerror(number) if number else str(error)
    return f"{path} cannot be written ({reason}); recover the session and record to another disk"


def _sync_folder(folder: Path) -> None:
    """Make names created in or removed from `folder` survive a power cut."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
