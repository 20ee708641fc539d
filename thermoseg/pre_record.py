"""The last seconds before a recording begins: kept compressed, and recorded first when it does.

keeping    no recording: each new frame replaces those that are older than wanted
feeding    a recording has begun: what was kept goes into it in order, and what comes meanwhile
           queues up behind it
direct     the queue is empty: frames go straight to the recorder, as without a pre-record

The capture thread only appends to a queue; a thread of its own compresses and feeds.
"""

import threading
import time
from enum import Enum
from typing import Final

import psutil

from thermoseg.errors import RecordingError
from thermoseg.frames import CameraInfo
from thermoseg.kept_frames import Kept, KeptFrame, KeptStretch, compress
from thermoseg.recording.recorder import Recorder
from thermoseg.study_file import MAX_PRE_RECORD_S

PRE_RECORD_THREAD: Final = "thermoseg pre-record"
MEMORY_SHARE: Final = 0.5
"""Fraction of the free memory that may be taken."""
MEMORY_S: Final = 1.0
"""How often the free memory is asked after."""
PACKED: Final = 0.55
"""Compressed size of a picture over its own; the phantom at 640×512 has 0.49, with LZ4 after a
shuffle of bits."""
COUNT_BYTES: Final = 2


class _Phase(Enum):
    KEEPING = "keeping"
    FEEDING = "feeding"
    DIRECT = "direct"


class PreRecord:
    """Keeps what came last while nothing is recorded; methods may be called from any thread."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._changed = threading.Condition()
        self._phase = _Phase.KEEPING
        self._seconds = 0.0
        self._info: CameraInfo | None = None
        self._kept = KeptStretch()
        self._queue = KeptStretch()
        """What goes into the recording that has begun."""
        self._recorder: Recorder | None = None
        self._busy = False
        """Whether the thread hands something to the recorder."""
        self._closed = False
        self._thread: threading.Thread | None = None
        self._room = 0
        self._room_asked_s = -MEMORY_S

    @property
    def kept_s(self) -> float:
        """Length of what a recording that began now would start with, seconds."""
        return self._kept.seconds

    @property
    def first(self) -> KeptFrame | None:
        """The frame that it would start with; None if none is kept."""
        with self._changed:
            return self._kept.first

    def set(self, seconds: float) -> None:
        """Keep so much from now on, 0 for nothing.

        Raises
        ------
        RecordingError
            If it does not fit into the memory, or the source is a file; all is as before then.
        """
        if not 0 <= seconds <= MAX_PRE_RECORD_S:
            raise RecordingError(
                f"a pre-record of {seconds:g} s is not kept; choose 0 to {MAX_PRE_RECORD_S:.0f} s"
            )
        with self._changed:
            if self._info is not None:
                self._check_fits(self._info, seconds)
            self._seconds = seconds
            if seconds:
                self._kept.trim(seconds, self._kept.size)
            else:
                self._kept = KeptStretch()
            if seconds and self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name=PRE_RECORD_THREAD, daemon=True
                )
                self._thread.start()

    def open(self, info: CameraInfo) -> str:
        """Note that frames of this camera will come.

        Returns
        -------
        Why less is kept than was asked for before, one sentence; empty if all is.
        """
        with self._changed:
            self._info = info
            try:
                self._check_fits(info, self._seconds)
            except RecordingError as error:
                self._seconds = fitting_seconds(info, self._free_bytes()) if info.live else 0.0
                return str(error)
        return ""

    def put(self, kept: Kept) -> bool:
        """Keep or queue what came; False if it is to go straight to the recorder, if there is one.

        Never waits for the disk.
        """
        if self._thread is None:
            return False
        with self._changed:
            if self._phase is _Phase.DIRECT:
                return False
            if self._phase is _Phase.FEEDING:
                if self._queue.size > self._room_now():
                    kept.picture = None
                self._queue.append(kept)
            elif self._seconds:
                self._kept.append(kept)
                self._kept.trim(self._seconds, self._room_now())
            self._changed.notify_all()
            return True

    def begin(self, recorder: Recorder) -> None:
        """Let `recorder`, started, have what was kept, and then what comes."""
        with self._changed:
            self._recorder = recorder
            self._kept.drop_orphans()
            self._queue, self._kept = self._kept, KeptStretch()
            self._phase = _Phase.FEEDING if len(self._queue) else _Phase.DIRECT
            self._changed.notify_all()

    def end(self, *, discard: bool = False) -> None:
        """Let the recorder have nothing that comes from now on.

        Parameters
        ----------
        discard
            Whether to forget what is queued; else it still goes to the recorder.
        """
        with self._changed:
            self._phase = _Phase.KEEPING
            if discard:
                self._queue = KeptStretch()

    def wait_fed(self) -> None:
        """Wait until the recorder has everything that was queued."""
        with self._changed:
            self._changed.wait_for(lambda: not (len(self._queue) or self._busy) or self._closed)
            if self._phase is _Phase.KEEPING:
                self._recorder = None

    def close(self) -> None:
        """Forget everything and end the thread."""
        with self._changed:
            self._closed = True
            self._kept, self._seconds = KeptStretch(), 0.0
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _check_fits(self, info: CameraInfo, seconds: float) -> None:
        if not seconds:
            return
        if not info.live:
            raise RecordingError(
                "a file has no pre-record; record it from its beginning, or choose a camera"
            )
        fit_s = fitting_seconds(info, self._free_bytes() + self._kept.size)
        if seconds > fit_s:
            raise RecordingError(
                f"a pre-record of {seconds:g} s does not fit into the free memory: "
                f"{fit_s:.0f} s fit; close other programs or keep less"
            )

    def _free_bytes(self) -> int:
        return int(psutil.virtual_memory().available)

    def _room_now(self) -> int:
        """Return how many bytes may be taken, those that are taken already included."""
        now_s = time.monotonic()
        if now_s - self._room_asked_s >= MEMORY_S:
            self._room_asked_s = now_s
            taken = self._kept.size + self._queue.size
            self._room = taken + int(self._free_bytes() * MEMORY_SHARE)
        return self._room

    def _run(self) -> None:
        while (work := self._next()) is not None:
            kept, recorder, info = work
            if recorder is not None:
                kept.give(recorder, (info.height, info.width))
                self._fed()
            elif kept.picture is not None and not isinstance(kept.picture, bytes):
                packed = compress(kept.picture)
                with self._changed:
                    self._kept.pack(kept, packed)
                    self._queue.pack(kept, packed)

    def _next(self) -> tuple[Kept, Recorder | None, CameraInfo] | None:
        """Wait for what is to be done: give to the recorder or, if there is none, compress."""
        with self._changed:
            while True:
                if self._info is not None:
                    if self._recorder is not None and len(self._queue):
                        self._busy = True
                        return self._queue.pop(), self._recorder, self._info
                    loose = self._kept.next_loose()
                    if loose is not None:
                        return loose, None, self._info
                if self._closed:
                    return None
                self._changed.wait()

    def _fed(self) -> None:
        with self._changed:
            self._busy = False
            if not len(self._queue) and self._phase is _Phase.FEEDING:
                self._phase = _Phase.DIRECT
            self._changed.notify_all()


def fitting_seconds(info: CameraInfo, free_bytes: int) -> float:
    """Return how much of a camera's frames fits into its share of the free memory, seconds.

    Parameters
    ----------
    free_bytes
        Bytes of free memory, those already taken for the same purpose included.
    """
    rate_bytes = info.width * info.height * COUNT_BYTES * info.rate_hz * PACKED
    if not rate_bytes:
        return MAX_PRE_RECORD_S
    return min(float(int(free_bytes * MEMORY_SHARE / rate_bytes)), MAX_PRE_RECORD_S)
