"""The process that writes a session file; started by `Recorder` as `python -m` this module.

It is a process of its own because HDF5 stalls every thread that touches it during a flush and
ends its process when it closes a file on a full disk.  It is not a `multiprocessing` child, which
would import the main module again, and with it Qt.  It imports little, so it starts fast.
"""

import contextlib
import errno
import logging
import os
import queue
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from thermoseg.interruption import SIGNALS
from thermoseg.recording.disk_fault import fault_number, say_fault
from thermoseg.recording.job import WriterJob
from thermoseg.recording.layout import STOPPED, TEXT_BYTES, encode_text
from thermoseg.recording.marker import hand_over_marker, remove_marker
from thermoseg.recording.ring import MESSAGE, Kind, SharedMemory, WriterState
from thermoseg.recording.session_writer import FileLostError, SessionWriter

log = logging.getLogger(__name__)

WAIT_S: Final = 0.1
"""Longest wait for a message; then the parent is looked for and a flush may be due."""


def main() -> None:
    """Write one session as the job on standard input says, then end the process."""
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in SIGNALS:
        if number != signal.SIGINT:  # Ctrl-C is the recorder's to hear
            signal.signal(number, lambda *_: inbox.put(MESSAGE.pack(Kind.STOP, 0)))
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):  # whoever wanted the recording has ended already
        os._exit(1)
    job = WriterJob.from_json(line)
    memory = SharedMemory.attach(job.geometry, job.token)
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()
    try:
        writer = _open(job, memory)
        sentence = _write(job, memory, inbox, writer)
    except Exception as error:
        # HDF5 crashes when it closes a file that it could not write, at interpreter exit too.
        expected = logging.ERROR if fault_number(error) is None else logging.DEBUG
        log.log(expected, "the session file cannot be written", exc_info=True)
        begun = bool(memory.control["state"] != WriterState.STARTING)
        _fail(memory, _explain(error, Path(job.path), begun=begun))
        if isinstance(error, FileLostError):
            memory.control["on_disk"] = 0
        os._exit(1)
    if sentence:
        _fail(memory, sentence)
    else:
        memory.control["state"] = WriterState.DONE
    os._exit(0)


def _open(job: WriterJob, memory: SharedMemory) -> SessionWriter:
    """Create the session; what marks it as being recorded goes again if it cannot be."""
    path = Path(job.path)
    try:
        hand_over_marker(path)
        writer = SessionWriter(job, memory)
    except BaseException:
        remove_marker(path)
        raise
    memory.control["free_bytes"] = shutil.disk_usage(path.parent).free
    memory.control["state"] = WriterState.WRITING
    return writer


def _free_bytes(path: Path, writer: SessionWriter) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except FileNotFoundError:
        writer.look_at_file()  # which says more, if the file went with its folder
        raise


def _listen(inbox: queue.SimpleQueue[bytes]) -> None:
    """Pass on the messages that come through the pipe; an empty one is its end."""
    while len(message := sys.stdin.buffer.read(MESSAGE.size)) == MESSAGE.size:
        inbox.put(message)
    inbox.put(b"")


def _write(
    job: WriterJob, memory: SharedMemory, inbox: queue.SimpleQueue[bytes], writer: SessionWriter
) -> str:
    """Write until told to stop; return why it could not go on, empty if it was told to."""
    ended = ""
    flushed_s = time.monotonic()
    while not ended:
        message = _next_message(inbox, job.parent)
        if message == b"":
            ended = "the program that recorded ended unexpectedly"
        elif message is not None:
            kind, slot = MESSAGE.unpack(message)
            if kind == Kind.STOP:
                ended = memory.control["closing"].item().decode() or STOPPED
            else:
                _add(kind, slot, writer, memory)
        if writer.tend(time.monotonic() - flushed_s):
            flushed_s = time.monotonic()
        # At each message, not at each flush only: a file that is played into a recording fills a
        # small reserve between two of them.
        memory.control["free_bytes"] = free = _free_bytes(Path(job.path), writer)
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
    add = {
        Kind.FRAME: writer.add_frame,
        Kind.RESULT: writer.add_result,
        Kind.EVENT: writer.add_event,
        Kind.MARK: writer.add_mark,
        Kind.TAKE_BACK: writer.take_back,
    }
    ring = memory.ring_of(Kind(kind))
    add[Kind(kind)](ring.slots[slot])
    ring.release(slot)


def _fail(memory: SharedMemory, sentence: str) -> None:
    memory.control["sentence"] = encode_text(sentence, TEXT_BYTES)
    memory.control["state"] = WriterState.FAILED


def _explain(error: Exception, path: Path, *, begun: bool) -> str:
    reason = say_fault(error)
    if not begun:
        return f"{path} cannot be recorded ({reason}); choose another place"
    if isinstance(error, FileLostError):
        return f"{path} was removed, renamed or replaced while it was recorded; {error.rest}"
    if fault_number(error) == errno.ENOSPC:
        return (
            f"the disk that holds {path} is full; recording ended, and everything up to its "
            "last half second can be recovered: make space, then recover the session"
        )
    return f"{path} cannot be written ({reason}); recover the session and record to another disk"


if __name__ == "__main__":
    main()
