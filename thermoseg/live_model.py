"""A segmenter at work on a stream, with all that the next one must not go on from."""

import time

from thermoseg.camera_feed import Arrival
from thermoseg.inference.segmenter import ModelIdentity, Segmenter
from thermoseg.latest import Latest
from thermoseg.result import Result
from thermoseg.rois import RoiMeter


class LiveModel:
    """Makes results of frames; used by one thread, its results are looked at by any."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Begin without a face: no region is held yet."""
        self.identity = ModelIdentity(
            segmenter.model_name, segmenter.model_sha256, segmenter.backend
        )
        """Identity of the network."""
        self.results: Latest[Result] = Latest()
        """The newest result, put there by the session; peek only."""
        self._segmenter = segmenter
        self._meter = RoiMeter()

    def segment(self, arrival: Arrival) -> Result:
        """Segment and measure a frame."""
        segmentation = self._segmenter.segment(arrival.frame)
        samples = self._meter.measure(arrival.frame, segmentation)
        latency_s = time.monotonic() - arrival.arrived_s
        return Result(arrival.frame, segmentation, samples, latency_s, self._meter.rois)
