"""What the phantom's body does over time, known exactly: breath, pores, blinks, motion."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from thermoseg.phantom.render import Pose

_BLINK_S: Final = 0.25
"""Duration of a blink."""
_PORE_PEAK: Final = 0.67541
"""Greatest value of (1 - exp(-t / 0.5)) · exp(-t / 4), reached 1.1 s after the onset."""


@dataclass(frozen=True, slots=True)
class Physiology:
    """The settings of a phantom's body."""

    breaths_per_minute: float = 15.0
    breath_depth_k: float = 0.8
    """Swing of the nostrils from inhaled to exhaled, peak to peak, kelvin."""
    apnoeas_s: tuple[tuple[float, float], ...] = ()
    """Breath holds as (start, end), seconds."""
    pore_onsets_s: tuple[float, ...] = (20.0, 50.0, 80.0)
    """When perinasal pores open; each opening lasts some 10 s."""
    pore_depth_k: float = 0.3
    """Cooling of an open pore, kelvin."""
    blink_every_s: float = 4.0
    """Mean time between blinks; 0 for none."""
    motion: float = 1.0
    """Size of head movements: 0 still, 1 a person at rest, 3 restless."""
    seed: int = 0
    repeats_s: float = 0.0
    """Time after which the head moves as before, so that a film of it may go round; 0: never."""

    def breath(self, time_s: float) -> tuple[float, float]:
        """Return phase and offset of the breath.

        Returns
        -------
        phase
            Breaths since the start; breathing pauses in an apnoea.
        offset_k
            Kelvin over the mean: positive while exhaling, 0 in an apnoea after its first breath.
        """
        # The phase is the integral of the rate, less the time spent in apnoeas, so breathing goes
        # on where it stopped and `phase` counts true breaths.  The offset decays from the onset on
        # with a time constant of 1 s, from wherever in the breath it was held.
        held = 0.0
        fade = 1.0
        for start, end in self.apnoeas_s:
            held += float(np.clip(time_s - start, 0.0, end - start))
            if start <= time_s < end:
                fade = float(np.exp(-(time_s - start) / 1.0))
        phase = (time_s - held) * self.breaths_per_minute / 60
        return phase, 0.5 * self.breath_depth_k * fade * float(np.sin(2 * np.pi * phase))

    def pores(self, time_s: float) -> float:
        """Return how far the pores are open, 0-1: up within a second, gone after some ten."""
        opened = 0.0
        for onset in self.pore_onsets_s:
            since = time_s - onset
            if since > 0:
                opened = max(opened, float((1 - np.exp(-since / 0.5)) * np.exp(-since / 4.0)))
        return opened / _PORE_PEAK

    def lids(self, time_s: float) -> float:
        """Return how far the eyes are shut, 0-1."""
        if self.blink_every_s <= 0 or time_s < 0:
            return 0.0
        slot = int(time_s // self.blink_every_s)
        start = np.random.default_rng((self.seed, 7, slot)).uniform(0, 0.9) * self.blink_every_s
        since = time_s - slot * self.blink_every_s - start
        return float(np.sin(np.pi * since / _BLINK_S)) if 0 <= since < _BLINK_S else 0.0

    def sway(self, time_s: float, rest: Pose) -> Pose:
        """Return the pose at one moment: slow turns and shifts around `rest`."""
        # Each of yaw, pitch, roll, x and y is the mean of two sines of 0.03-0.25 Hz, drawn from the
        # seed at every call, so any moment can be asked for in any order.  That band reaches into
        # the breath's on purpose: an estimator that takes a nod for a breath shows here.
        rng = np.random.default_rng((self.seed, 11))
        rates_hz, phases = rng.uniform(0.03, 0.25, (5, 2)), rng.uniform(0, 2 * np.pi, (5, 2))
        if self.repeats_s:
            rates_hz = np.rint(rates_hz * self.repeats_s) / self.repeats_s
        swing = np.sin(2 * np.pi * rates_hz * time_s + phases).mean(axis=1) * self.motion
        return Pose(
            rest.yaw_deg + 5 * float(swing[0]),
            rest.pitch_deg + 2.5 * float(swing[1]),
            rest.roll_deg + 2 * float(swing[2]),
            rest.x + 0.012 * float(swing[3]),
            rest.y + 0.008 * float(swing[4]),
            rest.face_height,
        )
