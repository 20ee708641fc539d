"""Fills the slots of the shared memory with frames, results, events and marks."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import FrameFlag
from thermoseg.marks import UNDO_S, Mark
from thermoseg.recording.layout import (
    KIND_BYTES,
    REASON_BYTES,
    SAMPLE_FIELDS,
    SOURCE_BYTES,
    TEXT_BYTES,
    encode_text,
)

if TYPE_CHECKING:
    from thermoseg.rois import RoiSample


class FrameFacts(Protocol):
    """What is recorded of a frame besides its picture; a `Frame` has it."""

    @property
    def index(self) -> int:
        """Number given by the camera."""

    @property
    def time_s(self) -> float:
        """Seconds since the camera was opened."""

    @property
    def wall_time(self) -> float:
        """Seconds since 1970, UTC."""

    @property
    def flags(self) -> FrameFlag:
        """Faults of the frame."""


class FrameTotals:
    """Frames offered, dropped, missed and refused, as the frames that are written carry them."""

    def __init__(self) -> None:
        self.offered = 0
        self.dropped = 0
        self.missed = 0
        self.refused = 0
        self.first_s = 0.0
        self.last_s = 0.0
        self._gap = FrameFlag.NONE
        """`GAP_BEFORE` while a frame that carried it was dropped."""
        self._last_index: int | None = None

    def count(self, frame: FrameFacts, refused: int) -> None:
        """Note that `frame` was offered, and what is missing before it.

        Parameters
        ----------
        refused
            Broken frames thrown away since the frame before; they are no missed ones.
        """
        if self.offered == 0:
            self.first_s = frame.time_s
        self.last_s = frame.time_s
        self.offered += 1
        if self._last_index is not None:
            self.missed += max(frame.index - self._last_index - 1 - refused, 0)
            self.refused += refused
        self._last_index = frame.index

    def drop(self, frame: FrameFacts) -> None:
        """Note that `frame` is not written.

        Its GAP_BEFORE goes on to the next frame that is, with the totals: a gap must not vanish
        because the frame that told of it did.
        """
        self.dropped += 1
        self._gap |= frame.flags & FrameFlag.GAP_BEFORE

    def fill(
        self,
        slot: NDArray[Any],
        frame: FrameFacts,
        counts: NDArray[np.uint16] | None,
        arrived_s: float,
    ) -> None:
        """Write a frame; without its picture if `counts` is None."""
        if counts is not None:
            slot["counts"] = counts
        slot["index"], slot["flags"] = frame.index, int(frame.flags | self._gap)
        self._gap = FrameFlag.NONE
        slot["time_s"], slot["wall_time"] = frame.time_s, frame.wall_time
        slot["monotonic_s"] = arrived_s
        slot["dropped"], slot["missed"] = self.dropped, self.missed
        slot["refused"] = self.refused


def fill_samples(
    slot: NDArray[Any], samples: Sequence["RoiSample"], regions: Sequence[str]
) -> None:
    """Write the samples of `regions` into the slot of a result."""
    known = [sample for sample in samples if sample.region in regions]
    slot["sample_count"] = len(known)
    for row, sample in zip(slot["samples"], known, strict=False):
        row["region"] = regions.index(sample.region)
        for field in SAMPLE_FIELDS:
            row[field.name] = getattr(sample, field.name)
        row["reason"] = encode_text(sample.reason, REASON_BYTES)


def fill_event(slot: NDArray[Any], text: str, time_s: float, number: int = 0) -> None:
    """Write that something happens now; `number` is that of the mark that it takes back."""
    slot["time_s"], slot["wall_time"], slot["number"] = time_s, time.time(), number
    slot["text"] = encode_text(text, TEXT_BYTES)


def fill_mark(slot: NDArray[Any], mark: Mark) -> None:
    """Write a mark, and until when it may be taken back."""
    slot["time_s"], slot["wall_time"] = mark.begin_s, mark.wall_time
    slot["duration_s"], slot["number"] = mark.duration_s, mark.number
    slot["monotonic_s"] = mark.made_s + UNDO_S
    slot["text"] = encode_text(mark.label, TEXT_BYTES)
    slot["kind"] = encode_text(mark.kind, KIND_BYTES)
    slot["source"] = encode_text(mark.source, SOURCE_BYTES)
