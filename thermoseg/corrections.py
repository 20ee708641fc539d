"""When a camera corrects itself (flat field): when it likes, or between trials only.

A correction closes the shutter for a second, and temperatures may step after it, so none belongs
into a trial: the stretch of the newest mark of kind “condition”, or, where the recording has no
condition yet, the recording itself.
"""

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Final

from thermoseg.camera_feed import CameraFeed
from thermoseg.cameras import FLAT_FIELD
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.marks import Mark
from thermoseg.session_recording import RecordingState

CONDITION: Final = "condition"
"""Kind of the marks that begin a trial."""
FRESH_S: Final = 180.0
"""A correction is good for so long, as cameras wait between two of their own by default."""
DRIFT_K: Final = 1.5
"""Change of the sensor's temperature after which cameras correct themselves, whatever the time."""
LONGEST_S: Final = 3.0
"""Most that the start of a recording waits for the shutter; closings of 2 to 3 s were seen."""
POLL_S: Final = 0.02
_RECORDED: Final = (RecordingState.STARTING, RecordingState.RUNNING)


class Corrections:
    """Keeps corrections out of the trials of a session."""

    def __init__(
        self,
        feed: CameraFeed,
        recording: Callable[[], RecordingState],
        marks: Callable[[], tuple[Mark, ...]],
        note: Callable[[str], None],
    ) -> None:
        """Leave all to the camera.

        Parameters
        ----------
        recording
            Phase of the session's recording.
        marks
            The marks of the session that hold, oldest first.
        note
            Told what waits, and what the camera cannot do.
        """
        self.policy = CorrectionPolicy.AUTOMATIC
        self.waits = False
        """Whether a correction that was asked for waits for the end of the trial."""
        self._feed = feed
        self._recording = recording
        self._marks = marks
        self._note = note
        self._lock = threading.Lock()
        self._held: Mark | bool = False
        """The trial that runs, as it was seen last."""
        self._recorded = False
        self._since_s = 0.0
        """When recording began or ended last, or a bit before, on the clock of the frames."""
        self._stepped_s = 0.0
        self._sensor: tuple[float, float] = (-inf, 0.0)
        """When the camera was corrected last, and how warm its sensor was then, °C."""
        self._said = False

    def set(self, policy: CorrectionPolicy) -> None:
        """Follow another policy from the next frame on; from any thread."""
        with self._lock:
            if policy is self.policy:
                return
            self.policy, self._said = policy, False
        self._note(f"flat-field corrections: {policy}")

    def hold(self, action: str) -> bool:
        """Whether `action` is a correction that has to wait for the end of a trial; it will."""
        if action != FLAT_FIELD:
            return False
        with self._lock:
            if not self._trial():
                return False
            waited, self.waits = self.waits, True
        if not waited:
            self._note(f"{FLAT_FIELD} waits for the end of the trial")
        return True

    def step(self) -> None:
        """See whether a trial has begun or ended; called in the capture thread, again and again."""
        now_s, recorded = self._feed.now_s(), self._recording() in _RECORDED
        with self._lock:
            if recorded is not self._recorded:
                self._recorded, self._since_s = recorded, self._stepped_s
            self._stepped_s = now_s
            before, self._held = self._held, self._trial()
            waited, self.waits = self.waits, self.waits and bool(self._held)
            policy = self.policy
            tell, self._said = not self._said and policy is CorrectionPolicy.BETWEEN_TRIALS, True
        self._feed.orders.automatic = not self._held
        self._remember_sensor()
        if tell and self._feed.live and not self._feed.orders.can_wait:
            self._note(
                f"{self._feed.name} cannot be told when to correct itself; only corrections that "
                "are asked for here wait for the end of a trial"
            )
        if self._held:
            return
        if waited:
            self._correct("at the end of the trial")
        elif isinstance(before, Mark) and policy is CorrectionPolicy.BETWEEN_TRIALS:
            self._correct(f"after “{before.label}”")

    def correct_before_recording(self, stopping: threading.Event) -> None:
        """Correct the camera if that is due, and wait until its shutter is open again.

        It is due if the last correction is older than `FRESH_S`, or the sensor's temperature, if
        the camera tells it, has changed by more than `DRIFT_K` since.

        Parameters
        ----------
        stopping
            Ends the wait.
        """
        feed = self._feed
        if self.policy is CorrectionPolicy.AUTOMATIC or self._recording() is not RecordingState.OFF:
            return
        if FLAT_FIELD not in feed.orders.actions or feed.lost or not self._is_due():
            return
        before = feed.orders.shutter.openings, feed.orders.refused
        deadline_s = time.monotonic() + LONGEST_S
        self._correct("before the recording")
        while before == (feed.orders.shutter.openings, feed.orders.refused):
            if time.monotonic() > deadline_s or stopping.wait(POLL_S):
                return

    def _trial(self) -> Mark | bool:
        """Return the condition that runs, or whether a recording without one does; lock held."""
        if self.policy is CorrectionPolicy.AUTOMATIC:
            return False
        recorded = self._recording() in _RECORDED
        for mark in reversed(self._marks()):
            if mark.begin_s < self._since_s:
                break
            if mark.kind == CONDITION:
                # One without a known length lasts until the next, or as long as the recording.
                lasts = mark.duration_s > 0
                runs = self._feed.now_s() < mark.begin_s + mark.duration_s if lasts else recorded
                return mark if runs else False
        return recorded

    def _correct(self, why: str) -> None:
        if FLAT_FIELD in self._feed.orders.actions:
            self._feed.orders.ask(FLAT_FIELD, why)

    def _remember_sensor(self) -> None:
        """Remember how warm the sensor was when the camera was corrected last."""
        corrected_s, fpa_c = self._feed.orders.corrected_s, self._feed.telemetry.get("fpa_c")
        if corrected_s != self._sensor[0] and isinstance(fpa_c, float):
            self._sensor = corrected_s, fpa_c

    def _is_due(self) -> bool:
        fpa_c, then = self._feed.telemetry.get("fpa_c"), self._sensor
        drifted = then[0] > -inf and isinstance(fpa_c, float) and abs(fpa_c - then[1]) > DRIFT_K
        return drifted or time.monotonic() - self._feed.orders.corrected_s > FRESH_S
