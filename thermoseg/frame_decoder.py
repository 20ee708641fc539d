"""One thread that decodes the frames of a recording as they are asked for, the newest first.

Nobody is called back: a window asks for a frame, and looks when it draws what has been decoded.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FrameRefusedError, ThermoSegError
from thermoseg.frames import Frame
from thermoseg.recorded_frames import FramesByNumber
from thermoseg.rois import RoiSample
from thermoseg.sinks import catch

CACHE_BYTES: Final = 192 * 1024**2
"""Decoded frames that are kept: 80 of 640×512 pixels, about 3 s."""

READ_AHEAD: Final = 8
"""Frames decoded before they are asked for, onwards as the last two requests went."""

MAX_STRIDE: Final = 30
"""A larger step between two requests is a jump, behind which single frames are expected."""

CLOSE_TIMEOUT_S: Final = 10.0
"""A frame that is being read from a slow share cannot be interrupted."""

THREAD: Final = "thermoseg decode"


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """What one request found."""

    request: int
    """Number that `FrameDecoder.request` returned."""
    index: int
    """Number of the frame in its file."""
    frame: Frame | None
    """None if it is damaged."""
    labels: NDArray[np.uint8] | None
    """(height, width), the stored mask; None if there is none or it is damaged."""
    samples: tuple[RoiSample, ...]
    """Stored samples of this frame; empty if there are none."""
    problem: ThermoSegError | None = None
    """What frame or mask is refused for."""


class FrameDecoder:
    """Decodes frames of one file in a thread of its own.

    A request replaces the one that waits; the frame that is being decoded when it comes is finished
    first and shown, unless somebody is faster.  While nobody asks, frames are read ahead.
    `request`, `peek` and `close` never wait for a frame and may be called from any thread.
    """

    def __init__(
        self,
        open_frames: Callable[[], FramesByNumber],
        *,
        cache_bytes: int = CACHE_BYTES,
        read_ahead: int = READ_AHEAD,
    ) -> None:
        """Start the thread, which opens the file first.

        Parameters
        ----------
        open_frames
            Called in the thread, such as `lambda: open_by_number(path)`; the frames are closed by
            the thread when it ends.
        cache_bytes
            Most that decoded frames may take in memory; the newest one is kept in any case.
        read_ahead
            Frames that are decoded without being asked for.
        """
        self._open_frames = open_frames
        self._cache = _Cache(cache_bytes)
        self._read_ahead = read_ahead
        self._changed = threading.Condition()
        self._number = 0
        self._wanted: tuple[int, int] | None = None
        self._closing = False
        self._frames: FramesByNumber | None = None
        self._failure: Exception | None = None
        self._decoded: DecodedFrame | None = None
        self._thread = threading.Thread(target=self._body, name=THREAD, daemon=True)
        self._thread.start()

    @property
    def frames(self) -> FramesByNumber | None:
        """The open file, for its `info`, `times_s`, `len` and `session`; None until it is open.

        Its frames are the thread's to read.
        """
        return self._frames

    @property
    def failure(self) -> Exception | None:
        """What kept the file from being opened, or ended the thread; None if all is well."""
        return self._failure

    @property
    def settled(self) -> bool:
        """Whether the newest request has been answered, or never will be."""
        decoded = self._decoded
        answered = 0 if decoded is None else decoded.request
        return answered == self._number or not self._thread.is_alive()

    def request(self, index: int) -> int:
        """Ask for frame `index`, in place of a request that still waits; return its number.

        What is no frame of the file is answered with a `problem`.
        """
        with self._changed:
            self._number += 1
            self._wanted = self._number, index
            self._changed.notify()
            return self._number

    def peek(self) -> DecodedFrame | None:
        """Return what was decoded last, with the number of its request; None before the first."""
        return self._decoded

    def close(self) -> None:
        """End the thread and close the file; may be called more than once."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _body(self) -> None:
        self._failure = catch(self._decode_all, THREAD)

    def _decode_all(self) -> None:
        frames = self._open_frames()
        try:
            self._frames = frames
            ahead: deque[int] = deque()
            last: int | None = None
            while True:
                with self._changed:
                    while not (self._wanted or ahead or self._closing):
                        self._changed.wait()
                    if self._closing:
                        return
                    wanted, self._wanted = self._wanted, None
                if wanted is None:
                    self._cached(frames, ahead.popleft())
                    continue
                number, index = wanted
                frame, labels, samples, problem = self._cached(frames, index)
                self._decoded = DecodedFrame(number, index, frame, labels, samples, problem)
                ahead = deque(self._plan(len(frames), index, index if last is None else last))
                last = index
        finally:
            frames.close()

    def _plan(self, count: int, index: int, last: int) -> list[int]:
        """List the frames to be read ahead: onwards as the last step went, forwards at first."""
        stride = index - last
        if not 0 < abs(stride) <= MAX_STRIDE:
            stride = -1 if stride < 0 else 1
        planned = range(index + stride, index + stride * (self._read_ahead + 1), stride)
        inside = [place for place in planned if 0 <= place < count and place not in self._cache]
        return inside[: self._cache.room]

    def _cached(self, frames: FramesByNumber, index: int) -> "_Content":
        content = self._cache.get(index)
        if content is None:
            content = _decode(frames, index)
            self._cache.put(index, content)
        return content


_Content = tuple[
    Frame | None, NDArray[np.uint8] | None, tuple[RoiSample, ...], ThermoSegError | None
]


def _decode(frames: FramesByNumber, index: int) -> _Content:
    problem: ThermoSegError | None = None
    labels, samples = None, tuple[RoiSample, ...]()
    try:
        frame = frames.frame(index)
    except IndexError:
        problem = FrameRefusedError(
            f"there is no frame {index} among {len(frames)}; ask for one from 0 on"
        )
        return None, None, (), problem
    except ThermoSegError as error:
        return None, None, (), error
    try:
        labels = frames.labels(index)
    except ThermoSegError as error:
        problem = error
    try:
        samples = frames.samples(index)
    except ThermoSegError as error:
        problem = problem or error
    return frame, labels, samples, problem


class _Cache:
    """Decoded frames by number; the least recently used go when their bytes are too many."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._contents: OrderedDict[int, _Content] = OrderedDict()

    def __contains__(self, index: int) -> bool:
        return index in self._contents

    @property
    def room(self) -> int:
        """Frames that may be read ahead: half of all that fit, so that what was seen stays."""
        if not self._contents:
            return 1
        return int(self._most_bytes // max(1, self._bytes // len(self._contents)) // 2)

    def get(self, index: int) -> _Content | None:
        if index in self._contents:
            self._contents.move_to_end(index)
        return self._contents.get(index)

    def put(self, index: int, content: _Content) -> None:
        if content[0] is None:  # a share that was away may be back the next time
            return
        self._contents[index] = content
        self._bytes += _bytes_of(content)
        while self._bytes > self._most_bytes and len(self._contents) > 1:
            _, oldest = self._contents.popitem(last=False)
            self._bytes -= _bytes_of(oldest)


def _bytes_of(content: _Content) -> int:
    frame, labels, _, _ = content
    frame_bytes = 0 if frame is None else frame.counts.nbytes + frame.celsius.nbytes
    return frame_bytes + (0 if labels is None else labels.nbytes)
