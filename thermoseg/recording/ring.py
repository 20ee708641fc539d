"""The shared memory between the recorder and its writer process: three rings and a few counters.

The memory has no name on POSIX, so nothing is left behind whichever process is killed, it is not
limited by the size of /dev/shm (64 MB in many containers), and no resource tracker runs.  One
process gives slots, the other takes them in the same order; that a slot is filled is said by one
byte through a pipe, which both wakes the writer and orders the memory accesses.
"""

import mmap
import os
import sys
import tempfile
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import REASON_BYTES, REGIONS, TEXT_BYTES

MAX_SAMPLES: Final = len(REGIONS)
"""Region samples in one result."""
EVENT_SLOTS: Final = 64
_ALIGNMENT: Final = 64

_SAMPLE: Final = np.dtype(
    [
        ("region", "<i4"),
        ("time_s", "<f8"),
        ("pixels", "<i4"),
        ("mean_c", "<f8"),
        ("min_c", "<f8"),
        ("max_c", "<f8"),
        ("sd_k", "<f8"),
        ("valid", "u1"),
        ("reason", f"S{REASON_BYTES}"),
    ]
)
_EVENT: Final = np.dtype(
    [("time_s", "<f8"), ("wall_time", "<f8"), ("text", f"S{TEXT_BYTES}")], align=True
)
_CONTROL: Final = np.dtype(
    [
        ("state", "<i8"),
        ("offered", "<i8"),
        ("dropped", "<i8"),
        ("missed", "<i8"),
        ("written", "<i8"),
        ("flushed", "<i8"),
        ("file_bytes", "<i8"),
        ("free_bytes", "<i8"),
        ("released", "<i8", (3,)),
        ("sentence", f"S{TEXT_BYTES}"),
    ]
)


class WriterState(IntEnum):
    """What the writer process says of itself."""

    STARTING = 0
    WRITING = 1
    DONE = 2
    FAILED = 3


class Message(IntEnum):
    """The bytes that go through the pipe to the writer."""

    FRAME = ord("F")
    RESULT = ord("R")
    EVENT = ord("E")
    STOP = ord("S")


@dataclass(frozen=True, slots=True)
class RingGeometry:
    """How large the shared memory is and what lies where."""

    height: int
    """Of the pictures, pixels."""
    width: int
    """Of the pictures, pixels."""
    frame_slots: int
    result_slots: int

    @property
    def frame_dtype(self) -> np.dtype[Any]:
        """One frame; `dropped` and `missed` are totals before it."""
        return np.dtype(
            [
                ("counts", "<u2", (self.height, self.width)),
                ("index", "<i8"),
                ("time_s", "<f8"),
                ("wall_time", "<f8"),
                ("flags", "<i8"),
                ("dropped", "<i8"),
                ("missed", "<i8"),
            ],
            align=True,
        )

    @property
    def result_dtype(self) -> np.dtype[Any]:
        """The labels and region samples of one frame."""
        return np.dtype(
            [
                ("labels", "u1", (self.height, self.width)),
                ("frame_index", "<i8"),
                ("time_s", "<f8"),
                ("sample_count", "<i8"),
                ("samples", _SAMPLE, (MAX_SAMPLES,)),
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
        )

    def offsets(self) -> tuple[int, int, int, int]:
        """Where control, frames, results and events begin, bytes."""
        control, frames, results, _ = (_padded(part) for part in self._parts())
        return 0, control, control + frames, control + frames + results


class Ring:
    """Slots given by one process and taken by another, in order, without locks.

    No lock is shared, so a process killed at any moment blocks nobody.
    """

    slots: NDArray[Any]
    """(n,), structured."""

    def __init__(self, slots: NDArray[Any], released: NDArray[np.int64]) -> None:
        """Lay a ring over shared memory.

        Parameters
        ----------
        released
            (1,), shared: how many slots the taker is done with.
        """
        self.slots = slots
        self._released = released
        self._given = 0
        self._taken = 0

    def claim(self) -> int | None:
        """Return the number of the slot to fill next, None if all are waiting to be taken."""
        full = self._given - int(self._released[0]) >= len(self.slots)
        return None if full else self._given % len(self.slots)

    def give(self) -> None:
        """Count the claimed slot as filled; the taker must be told through the pipe."""
        self._given += 1

    def take(self) -> int:
        """Return the number of the oldest filled slot not yet released."""
        return self._taken % len(self.slots)

    def release(self) -> None:
        """Let the slot just taken be filled again."""
        self._taken += 1
        self._released[0] = self._taken


class SharedMemory:
    """The rings and counters, seen from either process."""

    def __init__(self, memory: mmap.mmap, geometry: RingGeometry, token: int | str) -> None:
        """Lay the parts over `memory`; use `create` or `attach` instead."""
        control, frames, results, events = geometry.offsets()
        self.token = token
        """What the other process needs to find the memory: a descriptor, on Windows a name."""
        self.control: NDArray[Any] = np.ndarray((), _CONTROL, memory, control)
        released = self.control["released"]
        self.frames = Ring(
            np.ndarray((geometry.frame_slots,), geometry.frame_dtype, memory, frames),
            released[0:1],
        )
        self.results = Ring(
            np.ndarray((geometry.result_slots,), geometry.result_dtype, memory, results),
            released[1:2],
        )
        self.events = Ring(np.ndarray((EVENT_SLOTS,), _EVENT, memory, events), released[2:3])

    @classmethod
    def create(cls, geometry: RingGeometry) -> Self:
        """Make zeroed memory; on POSIX the caller closes the descriptor `token` once passed on."""
        if sys.platform == "win32":
            name = f"thermoseg-{uuid.uuid4()}"
            return cls(mmap.mmap(-1, geometry.size, tagname=name), geometry, name)
        if sys.platform == "linux":
            descriptor = os.memfd_create("thermoseg-ring")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, geometry.size)
        return cls(mmap.mmap(descriptor, geometry.size), geometry, descriptor)

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
