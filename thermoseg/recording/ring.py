"""The shared memory between the recorder and its writer process: three rings and a few counters.

The memory has no name on POSIX, so nothing is left behind whichever process is killed, it is not
limited by the size of /dev/shm (64 MB in many containers), and no resource tracker runs.  Which
slot is filled is said through a pipe, which keeps the order, wakes the writer and orders the
memory accesses.  The lowest free slot is used, so a writer that keeps up costs the memory of two
frames, not of the whole ring.
"""

import mmap
import os
import struct
import sys
import tempfile
import uuid
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import (
    KIND_BYTES,
    NOTES_BYTES,
    REASON_BYTES,
    SAMPLE_FIELDS,
    SOURCE_BYTES,
    TEXT_BYTES,
)

EVENT_SLOTS: Final = 64
_ALIGNMENT: Final = 64

_SAMPLE: Final = np.dtype(
    [
        ("region", "<i4"),
        *((field.name, field.type) for field in SAMPLE_FIELDS),
        ("reason", f"S{REASON_BYTES}"),
    ]
)
"""`region` counts in the order of the session's regions."""
_EVENT: Final = np.dtype(
    [
        ("time_s", "<f8"),
        ("wall_time", "<f8"),
        ("duration_s", "<f8"),
        ("monotonic_s", "<f8"),
        ("number", "<i8"),
        ("text", f"S{TEXT_BYTES}"),
        ("kind", f"S{KIND_BYTES}"),
        ("source", f"S{SOURCE_BYTES}"),
    ],
    align=True,
)
"""An event, a mark, or that one is taken back; only marks have what lies between `wall_time` and
`text` or behind it.  `number` tells the marks of a recording apart."""
_CONTROL: Final = np.dtype(
    [
        ("state", "<i8"),
        ("offered", "<i8"),
        ("dropped", "<i8"),
        ("missed", "<i8"),
        ("lost", "<i8"),
        ("written", "<i8"),
        ("flushed", "<i8"),
        ("safe", "<i8"),
        ("safe_s", "<f8"),
        ("on_disk", "<i8"),
        ("file_bytes", "<i8"),
        ("free_bytes", "<i8"),
        ("sentence", f"S{TEXT_BYTES}"),
        ("notes", f"S{NOTES_BYTES}"),
        ("closing", f"S{TEXT_BYTES}"),
    ]
)
"""`written` frames are in the file, `flushed` ones survive a kill, `safe` ones a power cut, and the
last of these is of time `safe_s`; `on_disk` is 1 while the file has its name there.
The writer says in `sentence` why it ended; the recorder in `closing` why the file is to end."""


class WriterState(IntEnum):
    """State that the writer process reports."""

    STARTING = 0
    WRITING = 1
    DONE = 2
    FAILED = 3


class Kind(IntEnum):
    """Kind of a message to the writer."""

    FRAME = ord("F")
    RESULT = ord("R")
    EVENT = ord("E")
    MARK = ord("M")
    TAKE_BACK = ord("T")
    STOP = ord("S")


MESSAGE: Final = struct.Struct("<BH")
"""Kind and slot: what goes through the pipe."""


@dataclass(frozen=True, slots=True)
class RingGeometry:
    """Layout of the shared memory: sizes and offsets."""

    height: int
    """Height of the pictures, pixels."""
    width: int
    """Width of the pictures, pixels."""
    frame_slots: int
    result_slots: int
    regions: int
    """Number of regions recorded, and so the most samples in one result."""

    @property
    def frame_dtype(self) -> np.dtype[Any]:
        """One frame; `dropped`, `missed` and `refused` are totals before it.

        `emissivity` and `reflected_c` are NaN unless the scene changes with this frame.
        """
        return np.dtype(
            [
                ("counts", "<u2", (self.height, self.width)),
                ("index", "<i8"),
                ("time_s", "<f8"),
                ("wall_time", "<f8"),
                ("monotonic_s", "<f8"),
                ("flags", "<i8"),
                ("dropped", "<i8"),
                ("missed", "<i8"),
                ("refused", "<i8"),
                ("emissivity", "<f8"),
                ("reflected_c", "<f8"),
            ],
            align=True,
        )

    @property
    def result_dtype(self) -> np.dtype[Any]:
        """The region samples of one frame, and its labels if `labelled`."""
        return np.dtype(
            [
                ("labels", "u1", (self.height, self.width)),
                ("frame_index", "<i8"),
                ("time_s", "<f8"),
                ("labelled", "<i8"),
                ("sample_count", "<i8"),
                ("samples", _SAMPLE, (self.regions,)),
            ],
            align=True,
        )

    @property
    def size(self) -> int:
        """Bytes of the whole memory."""
        return sum(_padded(part) for part in self._parts())

    def _parts(self) -> tuple[int, ...]:
        return (
            _CONTROL.itemsize,
            self.frame_slots * self.frame_dtype.itemsize,
            self.result_slots * self.result_dtype.itemsize,
            EVENT_SLOTS * _EVENT.itemsize,
            self.frame_slots + self.result_slots + EVENT_SLOTS,
        )

    def offsets(self) -> tuple[int, ...]:
        """Offsets of control, frames, results, events and the marks of used slots, bytes."""
        sizes = (_padded(part) for part in self._parts()[:-1])
        return 0, *accumulate(sizes)


class Ring:
    """Slots filled by one process and emptied by another, without locks.

    No lock is shared, so a process killed at any moment blocks nobody.
    """

    def __init__(self, slots: NDArray[Any], used: NDArray[np.uint8]) -> None:
        """Lay a ring over shared memory.

        Parameters
        ----------
        slots
            (n,), structured.
        used
            (n,): 1 from when a slot is given until it is released.
        """
        self.slots = slots
        self._used = used

    @property
    def waiting(self) -> int:
        """Slots that wait to be emptied."""
        return int(np.count_nonzero(self._used))

    def claim(self) -> int | None:
        """Return the lowest slot that may be filled, None if all wait to be emptied."""
        slot = int(self._used.argmin())
        return None if self._used[slot] else slot

    def give(self, slot: int) -> None:
        """Mark `slot` as filled; the other process must be told through the pipe."""
        self._used[slot] = 1

    def release(self, slot: int) -> None:
        """Let `slot`, now empty, be filled again."""
        self._used[slot] = 0


class SharedMemory:
    """The rings and counters, seen from either process."""

    def __init__(self, memory: mmap.mmap, geometry: RingGeometry, token: int | str) -> None:
        """Lay the parts over `memory`; use `create` or `attach` instead."""
        control, frames, results, events, marks = geometry.offsets()
        self.geometry = geometry
        self.token = token
        """Handle by which the other process finds the memory: a descriptor, on Windows a name."""
        self.control: NDArray[Any] = np.ndarray((), _CONTROL, memory, control)
        counts = (geometry.frame_slots, geometry.result_slots, EVENT_SLOTS)
        used: NDArray[np.uint8] = np.ndarray((sum(counts),), np.uint8, memory, marks)
        of_frames, of_results, of_events = np.split(used, np.cumsum(counts)[:-1])
        self.frames = Ring(
            np.ndarray((counts[0],), geometry.frame_dtype, memory, frames), of_frames
        )
        self.results = Ring(
            np.ndarray((counts[1],), geometry.result_dtype, memory, results), of_results
        )
        self.events = Ring(np.ndarray((counts[2],), _EVENT, memory, events), of_events)

    def ring_of(self, kind: Kind) -> Ring:
        """Return the ring through which what is of `kind` goes."""
        return {Kind.FRAME: self.frames, Kind.RESULT: self.results}.get(kind, self.events)

    @classmethod
    def create(cls, geometry: RingGeometry) -> Self:
        """Make zeroed memory; on POSIX the caller closes the descriptor `token` once passed on."""
        # Memory without a name, reached by its descriptor alone: after a crash of both processes
        # nothing is left in /dev/shm.  Where there is no memfd, an unlinked temporary file does the
        # same; Windows has names only, and frees them with their last handle.
        if sys.platform == "win32":
            name = f"thermoseg-{uuid.uuid4()}"
            return cls(mmap.mmap(-1, geometry.size, tagname=name), geometry, name)
        if sys.platform == "linux":
            descriptor = os.memfd_create("thermoseg-ring")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        try:
            os.ftruncate(descriptor, geometry.size)
            memory = mmap.mmap(descriptor, geometry.size)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(memory, geometry, descriptor)

    @classmethod
    def attach(cls, geometry: RingGeometry, token: int | str) -> Self:
        """Map memory made by another process and passed on as `token`."""
        if sys.platform == "win32":
            return cls(mmap.mmap(-1, geometry.size, tagname=str(token)), geometry, token)
        memory = mmap.mmap(int(token), geometry.size)
        os.close(int(token))
        return cls(memory, geometry, token)


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
