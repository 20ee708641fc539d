"""What is measured in the frames of a session: the face that a network sees, and what is drawn."""

import threading
import time
from collections.abc import Callable, Sequence

from thermoseg.camera_feed import READ_TIMEOUT_S, Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.drawn_rois import DrawnRoi, names_removed
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import ModelIdentity, Segmenter
from thermoseg.latest import Latest
from thermoseg.live_model import LiveModel
from thermoseg.measured_face import FaceFollower
from thermoseg.result import Result
from thermoseg.rois import RoiSample
from thermoseg.tally import Tally
from thermoseg.thread_switching import step_back
from thermoseg.traces import Traces


class Measuring:
    """Measures the newest frame in the thread that calls `run`; the rest may be called from any."""

    def __init__(
        self, segmenter: Segmenter | None, tally: Tally, tell: Callable[[str], None]
    ) -> None:
        """Measure nothing yet.

        Parameters
        ----------
        segmenter
            None to measure only what is drawn.
        tally
            Counts results.
        tell
            Told what happens to the face that is measured, and to models.
        """
        self.traces = Traces()
        """The temperatures of each region since the start."""
        self._tally = tally
        self._tell = tell
        self._follower, self._drawn = FaceFollower(), DrawnMeter()
        self._arrivals: Latest[Arrival] = Latest()
        self._model = None if segmenter is None else self._make_live(segmenter)

    @property
    def model(self) -> LiveModel | None:
        """What segments; None if nothing does."""
        return self._model

    @property
    def replaced(self) -> int:
        """Frames that were replaced by newer ones before they were measured."""
        return self._arrivals.replaced

    def identify_model(self) -> ModelIdentity | None:
        """Return which network segments; None if none does."""
        model = self._model
        return None if model is None else model.identity

    def rois_since(self, since_s: float) -> tuple[DrawnRoi, ...]:
        """Return what is drawn, as it was then; see `DrawnMeter.rois_since`."""
        return self._drawn.rois_since(since_s)

    def set_segmenter(self, segmenter: Segmenter | None) -> None:
        """Segment with another model from the next frame on, or with none; tells it."""
        self._model = model = None if segmenter is None else self._make_live(segmenter)
        name = "none" if model is None else f"{model.identity.name} on {model.identity.backend}"
        self._tell(f"model: {name}")

    def choose_face(self, x_px: float, y_px: float) -> None:
        """Measure the face at this point of the picture; tells that, or that there is none."""
        if self._model is None:
            self._tell("no face can be chosen while no model segments; choose a model first")
        else:
            self._follower.choose(x_px, y_px)

    def set_rois(self, rois: Sequence[DrawnRoi]) -> tuple[DrawnRoi, ...]:
        """Measure these drawn ROIs from the next frame on; returns those before.

        Raises
        ------
        ConfigError
            If they cannot be measured together.
        """
        before = self._drawn.set(rois)
        self.traces.forget(names_removed(before, rois))
        return before

    def put(self, arrival: Arrival) -> None:
        """Let a frame be measured, in place of one that waits still."""
        if self._model is not None or self._drawn.rois:
            self._arrivals.put(arrival)

    def close(self) -> None:
        """Let `run` return, since no more frames come."""
        self._arrivals.close()

    def run(
        self,
        stopping: threading.Event,
        publish: Callable[[Result], None],
        publish_samples: Callable[[Frame, Sequence[RoiSample]], None],
    ) -> None:
        """Measure frame after frame until `close` or until `stopping` is set.

        Parameters
        ----------
        publish
            Gets what a network has found.
        publish_samples
            Gets a frame and what was measured in it where no network segments.
        """
        step_back()
        while not stopping.is_set():
            arrival = self._arrivals.take_newer(READ_TIMEOUT_S)
            model = self._model
            if arrival is None:
                if self._arrivals.closed:
                    return
            elif model is not None:  # a frame that the last model left waiting is nobody's
                result = model.segment(arrival)
                self.traces.append(result.samples)
                self._tally.note_result(time.monotonic(), result.latency_s)
                model.results.put(result)
                publish(result)
            elif samples := self._drawn.measure(arrival.frame):
                self.traces.append(samples)
                publish_samples(arrival.frame, samples)

    def _make_live(self, segmenter: Segmenter) -> LiveModel:
        return LiveModel(segmenter, self._follower, self._drawn, self._tell)
