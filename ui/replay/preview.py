"""Masks for frames that have none stored: made one at a time, of the newest frame only."""

import logging
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.face_geometry import RoiMask, find_rois
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmenter
from thermoseg.live_model import LiveModel
from thermoseg.measured_face import FaceFollower
from thermoseg.result import Result
from ui.shell.jobs import Jobs
from ui.shell.page import Surroundings

log = logging.getLogger(__name__)


class Preview(QObject):
    """Segments the frame that is looked at, in a thread; the picture never waits for it."""

    ready = pyqtSignal()
    """There is a result of another frame."""

    def __init__(self, surroundings: Surroundings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._surroundings = surroundings
        self._jobs = Jobs("preview", self)
        self._jobs.failed.connect(self._on_failed)
        self._name = ""
        self._segmenter: Segmenter | None = None
        self._busy = False
        self._waiting: Frame | None = None
        self._result: Result | None = None
        self._rois: tuple[NDArray[np.uint8], Mapping[str, RoiMask] | None] | None = None

    def ask(self, frame: Frame) -> None:
        """Segment `frame`, unless a newer one is asked for before its turn."""
        if self._result is not None and self._result.frame is frame:
            return
        self._waiting = frame
        if not self._busy:
            self._begin()

    def result_of(self, frame: Frame) -> Result | None:
        """Return what was found in `frame`; None while that is not known."""
        result = self._result
        return result if result is not None and result.frame is frame else None

    def rois_of(self, labels: NDArray[np.uint8]) -> Mapping[str, RoiMask] | None:
        """Return the derived regions of a stored mask, (height, width), for their outlines."""
        if self._rois is None or self._rois[0] is not labels:
            found = find_rois(labels)
            self._rois = labels, None if found is None else found.masks
        return self._rois[1]

    def forget(self) -> None:
        """Show nothing of the recording before."""
        self._jobs.forget()
        self._busy = False
        self._waiting = self._result = self._rois = None

    def close(self) -> None:
        """Wait for the frame at work."""
        self._jobs.close()

    def _begin(self) -> None:
        frame, self._waiting = self._waiting, None
        if frame is not None:
            self._busy = True
            self._jobs.run(lambda: self._segment(frame), self._on_done)

    def _segment(self, frame: Frame) -> Result | None:
        name = self._surroundings.model_name()
        if name != self._name or self._segmenter is None:
            self._name = name
            self._segmenter = self._surroundings.make_segmenter()
        if self._segmenter is None:
            return None
        # Frames come in any order and size, so nothing may be held from the one before.
        model = LiveModel(self._segmenter, FaceFollower(), DrawnMeter(), log.info)
        return model.segment(Arrival(frame, time.monotonic(), 0))

    def _on_done(self, result: Result | None) -> None:
        self._busy = False
        if result is not None:
            self._result = result
            self.ready.emit()
        self._begin()

    def _on_failed(self, _: BaseException) -> None:
        """Go without masks: that a model cannot be used was told when it was chosen."""
        self._busy = False
        self._waiting = None
