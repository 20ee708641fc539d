"""Sensor counts to temperatures and back: pure functions of counts and constants.

A count has 16 bits, so every conversion is a table of 65,536 temperatures, computed once per set
of constants in double precision: exact, and the same speed for the simplest and the longest
formula.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict

KELVIN: Final = 273.15
"""0 °C in kelvin."""

COUNTS: Final = 65_536
"""Values a 16-bit count can have."""

HOTTEST_C: Final = 1e6
"""Beyond this a number in a file of temperatures is none."""

TABLES_KEPT: Final = 32
"""Conversion tables remembered, 256 KiB each."""

LARGEST_RATIO_IN_HEADER: Final = 2.0
"""A humidity above this in a camera's file header is a percentage (FLIR writes both kinds)."""

_DATA_FROM_FILES: Final = ConfigDict(extra="forbid", allow_inf_nan=False)


class Radiometry(Protocol):
    """How the counts of one source become temperatures."""

    @property
    def radiometric(self) -> bool:
        """Whether the result is °C; if not, it is the counts themselves, good for shapes only."""
        ...

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape)."""
        ...


@dataclass(frozen=True, slots=True)
class LinearRadiometry:
    """T = scale_k · counts + offset_c, as TLinear and TemperatureLinear cameras promise."""

    scale_k: float
    """Kelvin per count."""
    offset_c: float = -KELVIN
    """°C at zero counts."""
    missing: int | None = None
    """The count that stands for a pixel without a temperature (NaN), if there is one."""
    scene: "ObjectParameters | None" = None
    """Corrections that the camera has applied already, if it tells."""

    __pydantic_config__: ClassVar[ConfigDict] = _DATA_FROM_FILES

    def __post_init__(self) -> None:
        if not self.scale_k > 0:
            raise ValueError(f"scale_k must be above 0, got {self.scale_k}")
        if self.missing is not None and not 0 <= self.missing < COUNTS:
            raise ValueError(f"missing must be a 16-bit count, got {self.missing}")

    @property
    def radiometric(self) -> bool:
        """Always true."""
        return True

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape); NaN where missing."""
        return _linear_table(self).take(counts)

    def to_counts(self, celsius: ArrayLike) -> NDArray[np.float64]:
        """Convert °C of any shape to the counts they would give, not rounded and not clipped."""
        return (np.asarray(celsius, np.float64) - self.offset_c) / self.scale_k


@dataclass(frozen=True, slots=True)
class RelativeCounts:
    """Counts without a known scale: a picture, never a temperature."""

    reason: str
    """Why there are no temperatures, one clause, shown to the user."""

    __pydantic_config__: ClassVar[ConfigDict] = _DATA_FROM_FILES

    @property
    def radiometric(self) -> bool:
        """Always false."""
        return False

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Return the counts themselves as float32."""
        return counts.astype(np.float32)


@dataclass(frozen=True, slots=True)
class ObjectParameters:
    """What lies between a surface and the camera: the surface itself, air, a window.

    The defaults are a black surface close to the lens, with the constants of air that FLIR
    cameras carry.
    """

    emissivity: float = 1.0
    """ε of the surface, in (0, 1]; human skin is 0.98 (Steketee 1973)."""
    reflected_c: float = 20.0
    """Mean temperature of what the surface mirrors, usually the room, °C."""
    atmosphere_c: float = 20.0
    """Temperature of the air between, °C."""
    humidity: float = 0.5
    """Relative humidity of that air as a ratio, 0-1; for per cent see `humidity_ratio`."""
    distance_m: float = 0.0
    """Metres of air between surface and lens."""
    window_c: float = 20.0
    """Temperature of a window in front of the lens, °C."""
    window_transmission: float = 1.0
    """Share of radiation that the window lets through, in (0, 1]; 1 is no window."""
    alpha1: float = 0.006569
    """First attenuation of air without water, per √m."""
    alpha2: float = 0.01262
    """Second attenuation of air without water, per √m."""
    beta1: float = -0.002276
    """First attenuation by water, per √m and √mmHg."""
    beta2: float = -0.00667
    """Second attenuation by water, per √m and √mmHg."""
    x: float = 1.9
    """Weight of the first attenuation; the second has 1 - x."""

    __pydantic_config__: ClassVar[ConfigDict] = _DATA_FROM_FILES

    def __post_init__(self) -> None:
        if not 0 < self.emissivity <= 1:
            raise ValueError(f"emissivity must be in (0, 1], got {self.emissivity:g}")
        if not 0 <= self.humidity <= 1:
            raise ValueError(
                f"humidity must be a ratio from 0 to 1, got {self.humidity:g} "
                "(50 per cent is written 0.5)"
            )
        if not 0 <= self.distance_m < np.inf:
            raise ValueError(f"distance_m must be 0 or more, got {self.distance_m:g}")
        if not 0 < self.window_transmission <= 1:
            raise ValueError(
                f"window_transmission must be in (0, 1], got {self.window_transmission:g}"
            )
        for name in ("reflected_c", "atmosphere_c", "window_c"):
            if not -KELVIN < getattr(self, name) < np.inf:
                raise ValueError(
                    f"{name} must be above {-KELVIN:g} °C, got {getattr(self, name):g}"
                )
        if not 0 < self.transmission <= 1 + 1e-9:
            raise ValueError(
                f"alpha, beta and x must give air a transmission in (0, 1], got {self.transmission}"
            )

    @property
    def transmission(self) -> float:
        """Share of radiation that half of the way through the air lets through, τ.

        τ = X·exp(-√(d/2)·(α₁+β₁√w)) + (1-X)·exp(-√(d/2)·(α₂+β₂√w)), with w the water in the
        air, mmHg, from humidity and temperature (Minkina and Dudzik 2009; the form used by
        Thermimage and flirpy, in which an object's rays pass τ twice).
        """
        # `water` is w, mmHg; `first` and `second` are the two exponentials.  Constants of a damaged
        # file can overflow here: `__post_init__` refuses the infinity or NaN that comes of it with
        # a sentence, which a warning of NumPy would only precede.
        air = self.atmosphere_c
        with np.errstate(over="ignore", invalid="ignore"):
            water = self.humidity * np.exp(
                1.5587 + 0.06939 * air - 0.00027816 * air**2 + 6.8455e-7 * air**3
            )
            root_water, root_way = np.sqrt(water), np.sqrt(self.distance_m / 2)
            first = np.exp(-root_way * (self.alpha1 + self.beta1 * root_water))
            second = np.exp(-root_way * (self.alpha2 + self.beta2 * root_water))
            return float(self.x * first + (1 - self.x) * second)


@dataclass(frozen=True, slots=True)
class PlanckRadiometry:
    """Counts as the FLIR radiometric chain gives them: S(T) = R₁ / (R₂·(e^(B/T) - F)) - O.

    A camera sees the object through window and air and with its surroundings mirrored in it;
    the signal of the object alone is, with τ from `ObjectParameters.transmission`,

    S_obj = S/(ε·τ²·τw) - (1-ε)/ε·S(T_refl) - (1-τ)/(ε·τ)·S(T_air)
            - (1-τw)/(ε·τ·τw)·S(T_win) - (1-τ)/(ε·τ²·τw)·S(T_air),

    and T = B / ln(R₁/(R₂·(S_obj+O)) + F).  Source: Minkina and Dudzik, Infrared Thermography:
    Errors and Uncertainties, 2009, as published in Thermimage's raw2temp.
    """

    r1: float
    b: float
    """Kelvin."""
    f: float
    o: float
    """Counts."""
    r2: float
    scene: ObjectParameters = field(default_factory=ObjectParameters)

    __pydantic_config__: ClassVar[ConfigDict] = _DATA_FROM_FILES

    def __post_init__(self) -> None:
        for name in ("r1", "b", "r2"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"Planck {name} must be above 0, got {getattr(self, name):g}")
        if not 0 <= self.f < np.inf:
            raise ValueError(f"Planck f must be 0 or more, got {self.f:g}")
        if not np.isfinite(self.o):
            raise ValueError(f"Planck o must be a number, got {self.o:g}")

    @property
    def radiometric(self) -> bool:
        """Always true."""
        return True

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape).

        NaN where a count is lower than air, window and reflection alone would give.
        """
        return _planck_table(self).take(counts)

    def celsius_of_signal(self, signal: ArrayLike) -> NDArray[np.float64]:
        """Convert counts of any shape, fractions allowed, to °C in double precision.

        Examples
        --------
        >>> camera = PlanckRadiometry(21106.77, 1501, 1, -7340, 0.012545258)
        >>> camera.celsius_of_signal(17994.06).round(4)
        np.float64(23.0)
        """
        # First the path is undone (S = gain·S_obj + rest), then Planck's law is solved for T: `own`
        # is the object's signal above the detector's zero, S_obj + O.  Where that is not above 0,
        # or the argument of the logarithm not above 1, no temperature gives such a signal: NaN,
        # not the number that the formula yields on the other side of its pole.
        gain, rest = self._path()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own = (np.asarray(signal, np.float64) - rest) / gain + self.o
            inner = self.r1 / (self.r2 * own) + self.f
            possible = (own > 0) & (inner > 1)
            celsius: NDArray[np.float64] = self.b / np.log(inner) - KELVIN
            return np.where(possible, celsius, np.nan)[()]

    def to_counts(self, celsius: ArrayLike) -> NDArray[np.float64]:
        """Convert °C of any shape to the counts they would give, not rounded and not clipped.

        Examples
        --------
        >>> camera = PlanckRadiometry(21106.77, 1501, 1, -7340, 0.012545258)
        >>> camera.to_counts(23.0).round(2)
        np.float64(17994.06)
        """
        gain, rest = self._path()
        return gain * self._signal_of_black(celsius) + rest

    def _signal_of_black(self, celsius: ArrayLike) -> NDArray[np.float64]:
        kelvin = np.asarray(celsius, np.float64) + KELVIN
        with np.errstate(divide="ignore", over="ignore"):
            signal: NDArray[np.float64] = self.r1 / (self.r2 * (np.exp(self.b / kelvin) - self.f))
        return signal - self.o

    def _path(self) -> tuple[float, float]:
        """Return a and c of S = a·S_obj + c: what reaches the sensor of an object's signal."""
        # What reaches the sensor, from far to near; τ is half of the way through the air, so the
        # window stands between two halves.  The object (ε) and what it mirrors (1 - ε) pass τ, the
        # window and τ again; the far air radiates 1 - τ and passes window and τ; the window
        # radiates 1 - τw and passes τ; the near air radiates 1 - τ straight into the lens.
        scene = self.scene
        air, window, emissivity = scene.transmission, scene.window_transmission, scene.emissivity
        gain = emissivity * air**2 * window
        from_air = float(self._signal_of_black(scene.atmosphere_c))
        rest = (
            (1 - emissivity) * air**2 * window * float(self._signal_of_black(scene.reflected_c))
            + (1 - air) * air * window * from_air
            + (1 - window) * air * float(self._signal_of_black(scene.window_c))
            + (1 - air) * from_air
        )
        return gain, rest


def humidity_ratio(percent: float) -> float:
    """Turn a relative humidity in per cent into the ratio that `ObjectParameters` takes.

    Raises
    ------
    ValueError
        If `percent` is outside 0-100.

    Examples
    --------
    >>> humidity_ratio(50)
    0.5
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"a humidity in per cent must be from 0 to 100, got {percent:g}")
    return percent / 100


def humidity_of_header(value: float) -> float:
    """Read the humidity field of a camera's file header, which may be a ratio or a percentage.

    Raises
    ------
    ValueError
        If it can be neither: between 1 and 2, negative, above 100 or not a number.

    Examples
    --------
    >>> humidity_of_header(0.3), humidity_of_header(50.0)
    (0.3, 0.5)
    """
    if value > LARGEST_RATIO_IN_HEADER:
        return humidity_ratio(value)
    if not 0 <= value <= 1:
        raise ValueError(f"humidity is neither a ratio nor a percentage, got {value:g}")
    return value


@dataclass(frozen=True, slots=True)
class LinearGrid:
    """Temperatures that came without counts, laid on evenly spaced counts of our own."""

    radiometry: LinearRadiometry

    MISSING: ClassVar[int] = 0
    """Count of a NaN."""

    @classmethod
    def spanning(cls, lowest_c: float, highest_c: float) -> Self:
        """Make the finest grid that holds both temperatures (error at most span / 131,068).

        Raises
        ------
        ValueError
            If one of them is no temperature.
        """
        span_k = highest_c - lowest_c
        if not (span_k >= 0 and max(abs(lowest_c), abs(highest_c)) <= HOTTEST_C):
            raise ValueError(f"cannot span {lowest_c:g} to {highest_c:g} °C")
        step_k = max(span_k / (COUNTS - 2), 1e-6)
        return cls(LinearRadiometry(step_k, lowest_c - step_k, cls.MISSING))

    def counts_of(self, celsius: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
        """Return the nearest counts of °C of any shape; NaN becomes the missing count.

        Raises
        ------
        ValueError
            If a temperature lies outside the grid.
        """
        nearest = np.rint(self.radiometry.to_counts(celsius))
        outside = (nearest <= self.MISSING) | (nearest >= COUNTS)
        if outside.any():
            raise ValueError(
                f"{np.asarray(celsius)[outside].flat[0]:g} °C is outside the grid from "
                f"{self.radiometry.offset_c + self.radiometry.scale_k:g} °C in steps of "
                f"{self.radiometry.scale_k:g} K"
            )
        return np.where(np.isnan(nearest), self.MISSING, nearest).astype(np.uint16)


@lru_cache(maxsize=TABLES_KEPT)
def _linear_table(radiometry: LinearRadiometry) -> NDArray[np.float32]:
    table = np.arange(COUNTS) * radiometry.scale_k + radiometry.offset_c
    if radiometry.missing is not None:
        table[radiometry.missing] = np.nan
    return _frozen(table)


@lru_cache(maxsize=TABLES_KEPT)
def _planck_table(radiometry: PlanckRadiometry) -> NDArray[np.float32]:
    return _frozen(radiometry.celsius_of_signal(np.arange(COUNTS)))


def _frozen(table: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    narrow = table.astype(np.float32)
    narrow.flags.writeable = False
    return narrow
