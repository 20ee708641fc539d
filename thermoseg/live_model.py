"""A segmenter at work on a stream, with all that the next one must not go on from."""

import time
from collections.abc import Callable

from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.inference.segmenter import ModelIdentity, Segmenter
from thermoseg.latest import Latest
from thermoseg.measured_face import FaceFollower
from thermoseg.result import Result
from thermoseg.rois import RoiMeter


class LiveModel:
    """Makes results of frames; used by one thread, its results are looked at by any."""

    def __init__(
        self,
        segmenter: Segmenter,
        follower: FaceFollower,
        drawn: DrawnMeter,
        tell: Callable[[str], None],
    ) -> None:
        """Begin without a region that is held.

        Parameters
        ----------
        follower, drawn
            Who is measured, and what somebody has drawn: the same for the next model.
        tell
            Told that another face is measured, or that none is where one was chosen.
        """
        self.identity = ModelIdentity(
            segmenter.model_name, segmenter.model_sha256, segmenter.backend
        )
        """Identity of the network."""
        self.results: Latest[Result] = Latest()
        """The newest result, put there by the session; peek only."""
        self._segmenter = segmenter
        self._follower = follower
        self._drawn = drawn
        self._tell = tell
        self._meter = RoiMeter(follower)

    def segment(self, arrival: Arrival) -> Result:
        """Segment and measure a frame."""
        segmentation = self._segmenter.segment(arrival.frame)
        samples = self._meter.measure(arrival.frame, segmentation)
        samples += self._drawn.measure(arrival.frame)
        faces = self._meter.faces
        if faces.change:
            self._tell(f"another face is measured: {faces.change}")
        if self._follower.refusal:
            self._tell(self._follower.refusal)
        latency_s = time.monotonic() - arrival.arrived_s
        return Result(
            arrival.frame,
            segmentation,
            samples,
            latency_s,
            self._meter.rois,
            face=faces.box,
            other_faces=faces.others,
        )
