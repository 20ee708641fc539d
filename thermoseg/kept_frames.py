"""Frames and results that are kept in memory, compressed, in the order in which they came."""

from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from thermoseg.camera_feed import Arrival
from thermoseg.frames import FrameFlag
from thermoseg.recording.recorder import Recorder
from thermoseg.result import Result
from thermoseg.rois import RoiSample
from thermoseg.scene import Scene

_Value = TypeVar("_Value", np.uint16, np.uint8)


@dataclass(slots=True, eq=False)
class KeptFrame:
    """A frame without its temperatures, which follow from the counts."""

    index: int
    time_s: float
    wall_time: float
    flags: FrameFlag
    arrived_s: float
    """Monotonic clock."""
    refused: int
    """Broken frames thrown away between the frame before and this one."""
    scene: Scene | None
    """Scene for which its °C were made."""
    picture: NDArray[np.uint16] | bytes | None
    """(height, width) counts, or the same compressed; None if there was no memory for them."""

    @classmethod
    def of(cls, arrival: Arrival) -> "KeptFrame":
        """Keep a frame as it arrived."""
        frame = arrival.frame
        return cls(
            frame.index,
            frame.time_s,
            frame.wall_time,
            frame.flags,
            arrival.arrived_s,
            arrival.refused_before,
            frame.scene,
            frame.counts,
        )

    def give(self, recorder: Recorder, shape: tuple[int, int]) -> None:
        """Let `recorder` have it."""
        picture = self.picture
        counts = _unpacked(picture, np.uint16, shape) if isinstance(picture, bytes) else picture
        recorder.offer_kept(self, counts, self.refused, self.arrived_s)


@dataclass(slots=True, eq=False)
class KeptResult:
    """The labels and samples of a frame that is kept."""

    index: int
    time_s: float
    samples: tuple[RoiSample, ...]
    picture: NDArray[np.uint8] | bytes | None = None
    """(height, width) labels, or the same compressed; None if nobody segmented, or there was no
    memory for them."""

    @classmethod
    def of(cls, result: Result) -> "KeptResult":
        """Keep what came of a frame."""
        segmentation = result.segmentation
        return cls(
            segmentation.frame_index, result.frame.time_s, result.samples, segmentation.labels
        )

    def give(self, recorder: Recorder, shape: tuple[int, int]) -> None:
        """Let `recorder` have it."""
        picture = self.picture
        labels = _unpacked(picture, np.uint8, shape) if isinstance(picture, bytes) else picture
        recorder.offer_kept_result((self.index, self.time_s), labels, self.samples)


Kept: TypeAlias = KeptFrame | KeptResult


@dataclass(slots=True, eq=False)
class KeptStretch:
    """Frames one after the other and their results; used under a lock."""

    size: int = 0
    """Bytes of all pictures."""
    _kept: deque[Kept] = field(default_factory=deque)
    _loose: deque[Kept] = field(default_factory=deque)
    """Those whose pictures are not compressed yet."""
    _first_s: float = 0.0
    _last_s: float = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return self._last_s - self._first_s if self._kept else 0.0

    @property
    def first(self) -> KeptFrame | None:
        """The oldest frame; None if there is none."""
        return next((kept for kept in self._kept if isinstance(kept, KeptFrame)), None)

    def append(self, kept: Kept) -> None:
        """Add what came last."""
        if isinstance(kept, KeptFrame):
            self._first_s = self._first_s if self._kept else kept.time_s
            self._last_s = kept.time_s
        self.size += _size(kept)
        self._kept.append(kept)
        if kept.picture is not None:
            self._loose.append(kept)

    def trim(self, seconds: float, size: int) -> None:
        """Forget the oldest ones until what is left is short and small enough.

        Parameters
        ----------
        size
            Bytes.
        """
        while self._kept and (self.seconds > seconds or self.size > size):
            self.pop()
            self._drop_results()

    def drop_orphans(self) -> None:
        """Forget results whose frames are not here any more."""
        self._drop_results()
        orphans = [kept for kept in self._kept if kept.time_s < self._first_s]
        for kept in orphans:
            self.size -= _size(kept)
            self._kept.remove(kept)
        self._loose = deque(kept for kept in self._loose if kept not in orphans)

    def pop(self) -> Kept:
        """Take the oldest one out."""
        kept = self._kept.popleft()
        if self._loose and self._loose[0] is kept:
            self._loose.popleft()
        self.size -= _size(kept)
        return kept

    def _drop_results(self) -> None:
        """Let a frame be the first one again."""
        while self._kept and isinstance(self._kept[0], KeptResult):
            self.pop()
        if self._kept:
            self._first_s = self._kept[0].time_s

    def next_loose(self) -> Kept | None:
        """Return the oldest one whose picture is not compressed; None if all are."""
        return self._loose[0] if self._loose else None

    def pack(self, kept: Kept, packed: bytes) -> None:
        """Replace the picture of `kept`, the oldest loose one, unless it was popped meanwhile."""
        if self._loose and self._loose[0] is kept:
            self._loose.popleft()
            self.size += len(packed) - _size(kept)
            kept.picture = packed


def compress(picture: NDArray[np.uint16] | NDArray[np.uint8]) -> bytes:
    """Compress a picture, (height, width), without loss; takes about a millisecond."""
    from imagecodecs import blosc2_encode

    return bytes(
        blosc2_encode(
            picture.tobytes(),
            level=1,
            compressor="lz4",
            shuffle="bitshuffle",
            typesize=picture.itemsize,
            numthreads=1,
        )
    )


def _unpacked(packed: bytes, dtype: type[_Value], shape: tuple[int, int]) -> NDArray[_Value]:
    from imagecodecs import blosc2_decode

    return np.frombuffer(blosc2_decode(packed), dtype).reshape(shape)


def _size(kept: Kept) -> int:
    picture = kept.picture
    if picture is None:
        return 0
    return len(picture) if isinstance(picture, bytes) else picture.nbytes
