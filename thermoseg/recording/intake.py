"""Takes frames and what came of them, from any thread, and hands them to the writer of a file."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import CameraInfo
from thermoseg.recording.handover import Handover
from thermoseg.recording.ring import Kind
from thermoseg.recording.slots import FrameFacts, FrameTotals, fill_samples
from thermoseg.scene import scene_of

if TYPE_CHECKING:
    from thermoseg.rois import RoiSample

FILE_WAIT_S: Final = 1.5
"""Longest wait for the writer, with a frame of a source that is no live camera."""


class Intake:
    """Frames and results on their way into one file; none is waited for in a camera's thread."""

    def __init__(
        self,
        link: Handover,
        path: Path,
        info: CameraInfo,
        regions: tuple[str, ...],
        *,
        pictures: bool,
    ) -> None:
        """Take nothing yet.

        Parameters
        ----------
        path
            Of the recording, for messages.
        regions
            Whose samples have a table.
        pictures
            Whether pictures and labels are stored.
        """
        self.totals = FrameTotals()
        """What was offered, and what became of it."""
        self.totals.scene = scene_of(info.radiometry)
        self.kept = 0
        """Frames offered that came before the recording began."""
        self._link = link
        self._path = path
        self._info = info
        self._regions = regions
        self._pictures = pictures

    def take(self, frame: FrameFacts, counts: NDArray[np.uint16], refused: int) -> None:
        """Take a frame that comes now; see `Recorder.offer`."""
        if not self._info.live:
            self._link.wait(Kind.FRAME, FILE_WAIT_S)
        with self._link.lock:
            self._take(frame, counts, refused, time.monotonic())

    def take_kept(
        self,
        frame: FrameFacts,
        counts: NDArray[np.uint16] | None,
        refused: int,
        arrived_s: float,
    ) -> None:
        """Take a frame that came earlier; see `Recorder.offer_kept`."""
        if counts is not None:
            self._link.wait_with_patience(Kind.FRAME)
        with self._link.lock:
            self._take(frame, counts, refused, arrived_s)
            self.kept = self.totals.offered

    def take_result(
        self,
        frame: tuple[int, float],
        labels: NDArray[np.uint8] | None,
        samples: Sequence["RoiSample"],
        *,
        kept: bool = False,
    ) -> None:
        """Take labels, if there are any, and samples of a frame; see `Recorder.offer_result`.

        Parameters
        ----------
        frame
            Its number and its time, seconds.
        kept
            Whether they came before the recording began, so that the writer is waited for.
        """
        if kept:
            self._link.wait_with_patience(Kind.RESULT)
        with self._link.lock:
            self._take_result(frame, labels, samples)

    def _take(
        self,
        frame: FrameFacts,
        counts: NDArray[np.uint16] | None,
        refused: int,
        arrived_s: float,
    ) -> None:
        """Give a frame to the writer, or drop it if it has no picture any more or no room."""
        if self._link.stopping:
            return
        writer, totals = self._link.running(), self.totals
        totals.count(frame, refused)
        writer.control["offered"], writer.control["missed"] = totals.offered, totals.missed
        if counts is not None and counts.shape != (self._info.height, self._info.width):
            self._link.end_because(
                f"the camera changed its picture from {self._info.width}×{self._info.height} "
                f"to {counts.shape[1]}×{counts.shape[0]} pixels; start a new recording"
            )
        picture = counts if self._pictures else None
        fill = partial(totals.fill, frame=frame, counts=picture, arrived_s=arrived_s)
        if counts is None or self._link.has_failed() or not writer.put(Kind.FRAME, fill):
            totals.drop(frame)
            writer.control["dropped"] = totals.dropped
            if not self._link.failed:
                self._link.warn(
                    "dropped", "the disk is too slow: frames of %s are dropped", self._path
                )

    def _take_result(
        self,
        frame: tuple[int, float],
        labels: NDArray[np.uint8] | None,
        samples: Sequence["RoiSample"],
    ) -> None:
        if self._link.stopping or self._link.has_failed():
            return
        if not {sample.region for sample in samples} <= set(self._regions):
            self._link.warn("regions", "%s has no table for some regions: not recorded", self._path)

        def fill(slot: NDArray[Any]) -> None:
            slot["labelled"] = labels is not None
            if self._pictures and labels is not None:
                slot["labels"] = labels
            slot["frame_index"], slot["time_s"] = frame
            fill_samples(slot, samples, self._regions)

        fits = labels is None or labels.shape == (self._info.height, self._info.width)
        if not (fits and self._link.running().put(Kind.RESULT, fill)):
            self._link.warn("results", "some labels of %s are not recorded", self._path)
