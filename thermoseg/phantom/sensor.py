"""A microbolometer camera as a model: what it adds to the scene before counts leave it.

Defaults follow measured cameras: 30 mK temporal noise that is strongly correlated from frame to
frame, 14 mK row and column stripes, 50 mK fixed pattern, a shutter event every 3 minutes that
freezes the picture for a second and lets the level step by up to 0.3 K.
"""

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.shape import FloatArray
from thermoseg.phantom.shutter import SimulatedShutter
from thermoseg.radiometry import LinearRadiometry, ObjectParameters

_SPARE: Final = 64
"""Largest shift of the stock of noise, pixels."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """The faults of a camera; all kelvin unless said otherwise."""

    netd_k: float = 0.03
    """Standard deviation of the temporal noise."""
    correlation: float = 0.7
    """Correlation of the temporal noise of a pixel from one frame to the next, 0-1."""
    pattern_k: float = 0.05
    """Standard deviation of the fixed pattern."""
    stripes_k: float = 0.014
    """Standard deviation of row and column offsets."""
    drift_k_per_s: float = 0.002
    blur_px: float = 0.6
    """Standard deviation of the point spread."""
    shutter_every_s: float = 180.0
    """0 for never."""
    shutter_s: float = 1.0
    shutter_step_k: float = 0.15
    """Standard deviation of the level change after a shutter event."""
    radiometry: LinearRadiometry = field(
        default_factory=lambda: LinearRadiometry(0.01, scene=ObjectParameters())
    )
    """Its °C are those of a black surface."""
    seed: int = 0

    @classmethod
    def noiseless(cls) -> "Sensor":
        """Return a perfect camera with 0.01 K counts."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """One frame of the camera."""

    counts: NDArray[np.uint16]
    """(height, width)."""
    shutter: bool
    """Whether the shutter was closed and the picture is an old one."""
    after_shutter_s: float
    """Seconds since the shutter opened, infinite if it never closed."""


class ThermalCamera:
    """Turns scenes into counts, one after the other; the same seed gives the same faults."""

    def __init__(self, sensor: Sensor, height: int, width: int) -> None:
        self._sensor = sensor
        self.shutter = SimulatedShutter(sensor.shutter_every_s, sensor.shutter_s)
        """Its flat-field corrections."""
        rng = np.random.default_rng((sensor.seed, 5))
        shape = (height, width)
        self._fixed = (
            sensor.pattern_k * rng.standard_normal(shape, dtype=np.float32)
            + sensor.stripes_k * rng.standard_normal((1, width), dtype=np.float32)
            + sensor.stripes_k * rng.standard_normal((height, 1), dtype=np.float32)
        ).astype(np.float32)
        self._rng = rng
        self._stock = rng.standard_normal((height + _SPARE, width + _SPARE), dtype=np.float32)
        self._noise = np.float32(sensor.netd_k) * self._stock[:height, :width]
        self._frozen: NDArray[np.uint16] | None = None

    def expose(self, celsius: FloatArray, time_s: float) -> Exposure:
        """Record the scene `celsius`, (height, width), at `time_s` seconds."""
        # In the order of the signal: optics, then what the detector adds (fixed pattern, drift
        # since the last shutter event and the step that it left), then noise, then whole counts.
        # Behind a closed shutter a camera repeats its last picture bit by bit, which is what
        # recorders and meters must notice, so the very same array comes again.
        sensor = self._sensor
        closed, since, event = self.shutter.at(time_s)
        if closed and self._frozen is not None:
            return Exposure(self._frozen, shutter=True, after_shutter_s=0.0)
        picture = celsius
        if sensor.blur_px > 0.2:
            picture = np.asarray(cv2.GaussianBlur(celsius, (0, 0), sensor.blur_px), np.float32)
        level = sensor.drift_k_per_s * (time_s if not np.isfinite(since) else since)
        if event:
            step = np.random.default_rng((sensor.seed, 6, event)).normal(0, sensor.shutter_step_k)
            level += float(step)
        picture = picture + self._fixed + np.float32(level)
        if sensor.netd_k > 0:
            picture += self._next_noise()
        counts = self._quantise(picture)
        self._frozen = counts
        return Exposure(counts, shutter=False, after_shutter_s=since)

    def _next_noise(self) -> FloatArray:
        # First-order autoregressive in time, as the temporal filter of a camera leaves it: with
        # weights ρ and √(1 - ρ²) the variance stays that of the NETD.  Fresh noise is a window at a
        # random place of a stock that is drawn once: Gaussian numbers for each frame would cost
        # more than the rest.
        sensor = self._sensor
        row, column = self._rng.integers(0, _SPARE, 2)
        height, width = self._noise.shape
        fresh = self._stock[row : row + height, column : column + width]
        memory = sensor.correlation
        self._noise *= np.float32(memory)
        self._noise += np.float32(sensor.netd_k * np.sqrt(1 - memory**2)) * fresh
        return self._noise

    def _quantise(self, celsius: FloatArray) -> NDArray[np.uint16]:
        scale = self._sensor.radiometry
        counts = (celsius - np.float32(scale.offset_c)) * np.float32(1 / scale.scale_k)
        return np.asarray(np.clip(np.rint(counts), 0, 65535), np.uint16)
