"""What a user says of the scene in front of a camera, and the °C that follow from it.

Counts never change.  °C follow from counts, the camera's constants and the scene, so they can be
made anew for another emissivity as long as it is known with which one they were made.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict

from thermoseg.errors import ConfigError
from thermoseg.radiometry import (
    COUNTS,
    TABLES_KEPT,
    LinearRadiometry,
    ObjectParameters,
    PlanckRadiometry,
    Radiometry,
    RelativeCounts,
)

BAND_B_K: Final = 1439.0
"""B = c₂/λ of Planck's law at λ = 10 µm, the middle of what bolometers see; the constants of
calibrated ones lie between 1396 and 1501 K, which changes a correction by less than 3 %."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The two facts of a scene that a user sets: what the surface is, and what it mirrors."""

    emissivity: float
    """ε of the surface, in (0, 1]; human skin is 0.98 (Steketee 1973)."""
    reflected_c: float
    """Mean temperature of what the surface mirrors, usually the room, °C."""

    def __post_init__(self) -> None:
        ObjectParameters(emissivity=self.emissivity, reflected_c=self.reflected_c)

    def __str__(self) -> str:
        """Return it as events and tables tell it."""
        return f"emissivity {self.emissivity:g}, reflected temperature {self.reflected_c:g} °C"


@dataclass(frozen=True, slots=True)
class CorrectedRadiometry:
    """°C that a camera has made for one scene, made anew for another.

    What the camera saw is found from its °C by undoing its own correction, and corrected for the
    scene: S = ε'·S(T_cam) + (1-ε')·S(T'_refl) = ε·S(T) + (1-ε)·S(T_refl), with ε' and T'_refl of
    the camera and S(T) = 1/(e^(B/T) - 1), Planck's law at one wavelength; air and window as in
    `PlanckRadiometry`.
    """

    camera: LinearRadiometry
    """Scale of the camera; its `scene` tells the corrections it has made."""
    scene: ObjectParameters
    """Corrections in place of those."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    def __post_init__(self) -> None:
        if self.camera.scene is None:
            raise ValueError("the camera must tell its own corrections for others in their place")

    @property
    def radiometric(self) -> bool:
        """Always true."""
        return True

    def to_celsius(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert counts of any shape to °C (float32, same shape).

        NaN where missing, and where the scene alone gives more than the camera saw.
        """
        return _corrected_table(self).take(counts)

    def to_counts(self, celsius: ArrayLike) -> NDArray[np.float64]:
        """Convert °C of any shape to the counts they would give, not rounded and not clipped."""
        own, seen = self._laws()
        return self.camera.to_counts(own.celsius_of_signal(seen.to_counts(celsius)))

    def celsius_of(self, camera_c: ArrayLike) -> NDArray[np.float64]:
        """Make °C of the camera, any shape, anew in double precision."""
        own, seen = self._laws()
        return seen.celsius_of_signal(own.to_counts(camera_c))

    def _laws(self) -> tuple[PlanckRadiometry, PlanckRadiometry]:
        """Return Planck's law in the camera's own scene, and in the one in its place."""
        own = self.camera.scene or self.scene
        law = PlanckRadiometry(r1=1.0, b=BAND_B_K, f=1.0, o=0.0, r2=1.0, scene=own)
        return law, replace(law, scene=self.scene)


def scene_of(radiometry: Radiometry) -> Scene | None:
    """Return the scene for which °C are made; None if that is not known or there are no °C."""
    scene: ObjectParameters | None = None
    if isinstance(radiometry, PlanckRadiometry | CorrectedRadiometry | LinearRadiometry):
        scene = radiometry.scene
    return None if scene is None else Scene(scene.emissivity, scene.reflected_c)


def with_scene(radiometry: Radiometry, scene: Scene) -> Radiometry:
    """Return what makes °C of the same counts for another scene.

    Air and window stay as they are.

    Raises
    ------
    ConfigError
        If that cannot be done: there are no °C, or nobody knows for which scene they were made.
    """
    changed: dict[str, Any] = {"emissivity": scene.emissivity, "reflected_c": scene.reflected_c}
    if isinstance(radiometry, PlanckRadiometry):
        return replace(radiometry, scene=replace(radiometry.scene, **changed))
    if isinstance(radiometry, CorrectedRadiometry):
        return with_scene(radiometry.camera, scene)
    if isinstance(radiometry, LinearRadiometry) and radiometry.scene is not None:
        wanted = replace(radiometry.scene, **changed)
        same = wanted == radiometry.scene
        return radiometry if same else CorrectedRadiometry(radiometry, wanted)
    if isinstance(radiometry, RelativeCounts):
        raise ConfigError(
            f"there are no temperatures that an emissivity could change: {radiometry.reason}"
        )
    raise ConfigError(
        "the source gives finished °C and does not tell the emissivity they were made with, so "
        "they cannot be made anew for another; set the emissivity in the camera itself"
    )


def in_scene(radiometry: Radiometry, scene: Scene | None) -> Radiometry:
    """Return `radiometry` for `scene`, or as it is if that is None or its own."""
    if scene is None or scene == scene_of(radiometry):
        return radiometry
    return with_scene(radiometry, scene)


@lru_cache(maxsize=TABLES_KEPT)
def _corrected_table(radiometry: CorrectedRadiometry) -> NDArray[np.float32]:
    # In double precision from the counts on, or the table would carry the rounding of °C twice.
    camera = radiometry.camera
    camera_c = np.arange(COUNTS) * camera.scale_k + camera.offset_c
    if camera.missing is not None:
        camera_c[camera.missing] = np.nan
    table: NDArray[np.float32] = radiometry.celsius_of(camera_c).astype(np.float32)
    table.flags.writeable = False
    return table
