"""The phantom as it is met: a head that lives, looked at whenever one likes."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.body import Clothing, Glasses
from thermoseg.phantom.people import Climate, Person, Wardrobe, paint_labels
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose
from thermoseg.phantom.shape import (
    TEXTURE_HEIGHT,
    TEXTURE_WIDTH,
    Expression,
    FloatArray,
    Identity,
)
from thermoseg.phantom.skin import Traits
from thermoseg.phantom.surroundings import draw_background

_PORES: Final = 40
"""Perspiring pores between nose and lip and beside the nostrils."""


@dataclass(frozen=True, slots=True)
class Sitter:
    """Person before the camera, and the climate of the room."""

    seed: int = 0
    """Chooses face, clothes and room."""
    pose: Pose = field(default_factory=lambda: Pose(face_height=0.5, y=0.02))
    """Around which the head moves."""
    climate: Climate = field(default_factory=Climate)
    physiology: Physiology = field(default_factory=Physiology)
    glasses: bool = False
    beard: bool = False
    """Whether a drawn beard is kept; shaven otherwise."""
    nose_k: float = -1.0
    """Nose against cheek, kelvin."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Ground truth of one moment."""

    breaths_per_minute: float
    breath_phase: float
    """Breaths since the start."""
    breath_k: float
    """Offset of the nostrils, kelvin, positive while exhaling."""
    pores: float
    """Openness of the pores, 0-1."""
    eyes_closed: float
    pose: Pose


@dataclass(frozen=True, slots=True, eq=False)
class PhantomPicture:
    """One moment of the phantom."""

    celsius: FloatArray
    """(height, width) °C, before any camera."""
    labels: NDArray[np.uint8]
    """(height, width) values of `Region`."""
    landmarks: FloatArray
    """(68, 2) x, y pixels, iBUG order."""
    truth: Truth = field(repr=False)


class Phantom:
    """One sitter; the same seed and time always give the same picture."""

    def __init__(self, sitter: Sitter) -> None:
        self._sitter = sitter
        self._open = self._build(eyes_closed=0.0)
        self._shut = self._build(eyes_closed=1.0)
        self._skin = self._open.stage.atlas[:TEXTURE_HEIGHT, :TEXTURE_WIDTH]
        self._rest = self._skin.copy()
        lids = self._shut.skin_offset_k - self._open.skin_offset_k
        self._lid_window = _window(lids)
        self._lids = lids[self._lid_window]
        self._breath_window = _window(self._open.nostril_weight)
        self._breath = self._open.nostril_weight[self._breath_window]
        pores = self._draw_pores()
        self._pore_window = _window(pores)
        self._pores = pores[self._pore_window]
        self._background: FloatArray | None = None

    def picture(self, time_s: float, height: int, width: int) -> PhantomPicture:
        """Look at the sitter at `time_s` seconds.

        Returns
        -------
        Temperatures, labels, landmarks and the truth of that moment.
        """
        # Only three windows of the skin's texture change with time: lids, nostrils and pores; they
        # are reset from `_rest` and their offsets added, which is a fraction of painting 512 × 1024
        # texels.  Grazing surfaces emit less and mirror more (Fresnel): a weight of 0.25·(1 - cos
        # θ)³ for the room gives faces rims near its temperature.
        body = self._sitter.physiology
        phase, breath_k = body.breath(time_s)
        pores, lids = body.pores(time_s), body.lids(time_s)
        pose = body.sway(time_s, self._sitter.pose)
        self._restore(self._lid_window, self._breath_window, self._pore_window)
        if lids:
            self._skin[self._lid_window] += np.float32(lids) * self._lids
        self._skin[self._breath_window] += np.float32(breath_k) * self._breath
        if pores:
            self._skin[self._pore_window] += np.float32(pores) * self._pores
        surface, facing, seen = self._open.stage.draw(pose, height, width, body_share=0.4)
        room = np.float32(self._sitter.climate.room_c)
        grazing = 1 - facing
        mirrored = np.float32(0.25) * grazing * grazing * grazing
        celsius = np.where(seen, surface + mirrored * (room - surface), self._behind(height, width))
        landmarks = self._open.landmarks(pose, height, width)
        if lids:
            shut = self._shut.landmarks(pose, height, width)
            landmarks = landmarks + np.float32(lids) * (shut - landmarks)
        labels = np.zeros((height, width), np.uint8)
        paint_labels(labels, landmarks)
        truth = Truth(body.breaths_per_minute, phase, breath_k, pores, lids, pose)
        return PhantomPicture(celsius.astype(np.float32), labels, landmarks, truth)

    def _build(self, eyes_closed: float) -> Person:
        sitter = self._sitter
        rng = np.random.default_rng((sitter.seed, 1))
        identity, drawn = Identity.draw(rng), Traits.draw(rng)
        traits = Traits(
            nose_k=sitter.nose_k,
            cheek_k=drawn.cheek_k * 0.6,
            brow_k=-abs(drawn.brow_k) * 0.6 - 0.4,
            hair_k=drawn.hair_k,
            beard_k=drawn.beard_k if sitter.beard else 0.0,
            beard_length=drawn.beard_length if sitter.beard else 0.0,
            moustache=drawn.moustache if sitter.beard else 0.0,
            blotches_k=0.2,
            hair_volume=drawn.hair_volume,
        )
        climate = sitter.climate
        glasses = Glasses.draw(rng, climate.skin_c, climate.room_c)
        clothing = Clothing.draw(rng, climate.skin_c, climate.room_c)
        wardrobe = Wardrobe(glasses=glasses if sitter.glasses else None)
        expression = Expression(eyes_closed=eyes_closed)
        return Person(rng, identity, traits, climate, clothing, wardrobe, expression)

    def _behind(self, height: int, width: int) -> FloatArray:
        if self._background is None or self._background.shape != (height, width):
            climate = self._sitter.climate
            rng = np.random.default_rng((self._sitter.seed, 2))
            self._background = draw_background(rng, height, width, climate.room_c, climate.skin_c)
        return self._background

    def _restore(self, *windows: tuple[slice, slice]) -> None:
        for window in windows:
            self._skin[window] = self._rest[window]

    def _draw_pores(self) -> FloatArray:
        # A Gaussian of 2.2 texels for each pore; the deepest counts where two overlap, as
        # evaporation cools no spot twice.
        rng = np.random.default_rng((self._sitter.seed, 3))
        p = self._open.surface.points
        top, bottom, reach = float(p[33, 1]), float(p[51, 1]), abs(float(p[48, 0])) * 0.8
        spots = np.stack(
            [rng.uniform(-reach, reach, _PORES), rng.uniform(top + 0.03, bottom, _PORES)], -1
        )
        pores = np.zeros((TEXTURE_HEIGHT, TEXTURE_WIDTH), np.float32)
        rows, columns = np.mgrid[0:TEXTURE_HEIGHT, 0:TEXTURE_WIDTH].astype(np.float32)
        for column, row in self._open.surface.to_texel(spots):
            pores = np.maximum(
                pores, np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / (2 * 2.2**2))
            )
        return np.asarray(-self._sitter.physiology.pore_depth_k * pores, np.float32)


def _window(texture: FloatArray) -> tuple[slice, slice]:
    rows = np.flatnonzero(np.abs(texture).max(axis=1) > 1e-3)
    columns = np.flatnonzero(np.abs(texture).max(axis=0) > 1e-3)
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
