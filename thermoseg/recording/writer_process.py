"""The near end of the process that writes a session file: its memory, its pipe, its end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any, Final

import psutil
from numpy.typing import NDArray

from thermoseg.frames import CameraInfo
from thermoseg.recording.job import WriterJob
from thermoseg.recording.marker import remove_marker
from thermoseg.recording.own_process import command_of, environment
from thermoseg.recording.ring import MESSAGE, Kind, RingGeometry, SharedMemory, WriterState

RING_S: Final = 8.0
"""Seconds of frames that can wait for a slow disk; memory is taken only for those that do wait."""
RING_BYTES: Final = 256 * 2**20
MIN_SLOTS: Final = 16
MAX_SLOTS: Final = 512
"""Each slot given is three bytes in a pipe; the smallest pipe, that of Windows, holds 4096."""
DRAIN_S: Final = 30.0
"""A writer that has made no progress for this long is killed."""
DRAIN_CHECK_S: Final = 0.2
KILL_S: Final = 5.0
"""A process that a dead disk holds in the kernel cannot be killed; it is left to its fate."""
NICENESS: Final = -10
"""Niceness of the writer, where the system grants it: no other process may starve a recording."""


class WriterProcess:
    """One running writer and the memory shared with it; used under the lock of its recorder."""

    def __init__(
        self,
        place: Path,
        attributes: dict[str, str | int | float],
        info: CameraInfo,
        regions: tuple[str, ...],
        stop_bytes: int,
        notes: bytes,
    ) -> None:
        """Start the process; it writes the session file `place`.

        Raises
        ------
        OSError
            If there is no memory or no process to be had; nothing is left then.
        """
        self._place = place
        self.memory = SharedMemory.create(_geometry(info, len(regions)))
        self.memory.control["notes"] = notes
        token = self.memory.token
        descriptors = (token,) if isinstance(token, int) else ()
        job = WriterJob(
            path=str(place),
            attributes=attributes,
            geometry=self.memory.geometry,
            regions=regions,
            token=token,
            parent=os.getpid(),
            stop_bytes=stop_bytes,
        )
        try:
            self._process = _start(job, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    @property
    def pid(self) -> int:
        """Process id of the writer."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended, so that nothing more comes into the file."""
        return self._process.poll() is not None

    @property
    def control(self) -> NDArray[Any]:
        """The counters shared with the writer, a structure of no dimension, see `ring`."""
        return self.memory.control

    def tell(self, kind: Kind, slot: int = 0) -> None:
        """Send a message; it cannot block, since a pipe has room for one of every slot."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.write(MESSAGE.pack(kind, slot))

    def put(self, kind: Kind, fill: Callable[[NDArray[Any]], None]) -> bool:
        """Let `fill` write into a free slot and give it to the writer; whether one was free.

        Once given, a slot belongs to the writer.
        """
        ring = self.memory.ring_of(kind)
        slot = ring.claim()
        if slot is None:
            return False
        fill(ring.slots[slot])
        ring.give(slot)
        self.tell(kind, slot)
        return True

    def fault(self, *, stopping: bool) -> str:
        """Return why it writes no more, one sentence, without waiting; empty if all is well.

        Parameters
        ----------
        stopping
            Whether it has been told to end.
        """
        ended = self._process.poll()
        state = int(self.control["state"])
        if state == WriterState.FAILED:
            return str(self.control["sentence"].item().decode())
        if ended is not None and state != WriterState.DONE:
            return (
                f"the process that writes {self._place} ended unexpectedly (exit code {ended}); "
                "recover the session and record again"
            )
        if ended is not None and not stopping:
            return (
                f"the process that writes {self._place} was told to end by someone else; "
                "the file is whole, record again into another"
            )
        return ""

    def end(self, complain: Callable[[str], None]) -> None:
        """Let it write what waits and close the file, and wait for that.

        Parameters
        ----------
        complain
            Told in a sentence if the disk takes nothing any more, so that it had to be killed.
        """
        process = self._process
        self.tell(Kind.STOP)
        if process.stdin is not None:
            process.stdin.close()
        progress, deadline = -1, 0.0
        while process.poll() is None:
            control = self.control
            if progress != (progress := int(control["written"] + control["flushed"])):
                deadline = time.monotonic() + DRAIN_S
            if time.monotonic() > deadline:
                process.kill()
                complain(
                    f"the disk has taken nothing of {self._place} for {DRAIN_S:.0f} s; "
                    "recover the session"
                )
            if time.monotonic() > deadline + KILL_S:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(DRAIN_CHECK_S)
        if int(self.control["state"]) == WriterState.STARTING and not self._place.exists():
            remove_marker(self._place)  # it was killed before there was a file to mark


def _start(job: WriterJob, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start the writer and tell it its job; none is left if it cannot be told."""
    # A session of its own, so that Ctrl-C in a terminal does not reach the writer.
    process = subprocess.Popen(  # noqa: S603  # this program
        command_of("thermoseg.recording.writer"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
        pass_fds=descriptors,
        env=environment(),
        start_new_session=True,
    )
    try:
        _prefer(process.pid)
        line = job.to_json()
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(line)
    except BaseException:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        raise
    return process


def _prefer(pid: int) -> None:
    """Give a process precedence where the system allows it; most users may not, and need not."""
    with suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            psutil.Process(pid).nice(psutil.HIGH_PRIORITY_CLASS)
        else:
            psutil.Process(pid).nice(NICENESS)


def _geometry(info: CameraInfo, regions: int) -> RingGeometry:
    """Size the rings for `RING_S` of frames and half of it of results, within `RING_BYTES`."""
    one = RingGeometry(info.height, info.width, 1, 1, regions)
    bytes_each = one.frame_dtype.itemsize + one.result_dtype.itemsize / 2
    affordable = max(int(RING_BYTES / bytes_each), 2)
    wanted = min(max(ceil(info.rate_hz * RING_S), MIN_SLOTS), MAX_SLOTS)
    frames = min(wanted, affordable)
    return RingGeometry(info.height, info.width, frames, max(frames // 2, 2), regions)
