"""A person of the phantom: who it is, what it wears, and the surface to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import Region
from thermoseg.phantom.body import (
    Clothing,
    Glasses,
    Part,
    make_brim,
    make_glasses,
    make_hood,
    make_long_hair,
    make_torso,
)
from thermoseg.phantom.render import Pose, Stage, project
from thermoseg.phantom.shape import (
    TEXTURE_HEIGHT,
    TEXTURE_WIDTH,
    Expression,
    FloatArray,
    HeadSurface,
    Identity,
)
from thermoseg.phantom.skin import SkinPainter, Traits

HULLS: Final = (
    (Region.CHIN, range(17)),
    (Region.MOUTH, range(48, 68)),
    (Region.EYES, range(36, 42)),
    (Region.EYES, range(42, 48)),
    (Region.EYEBROWS, range(17, 22)),
    (Region.EYEBROWS, range(22, 27)),
    (Region.NOSE, range(27, 36)),
)
"""Regions as convex hulls of landmarks, in painting order (Joshi et al., BMVC 2022)."""
_SUBPIXEL_BITS: Final = 4


@dataclass(frozen=True, slots=True)
class Climate:
    """Temperatures of a person and the surroundings."""

    skin_c: float = 33.8
    """Mean of the face."""
    room_c: float = 23.0
    """Surroundings of the person, which skin mirrors at grazing angles."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Climate":
        """Choose mostly rooms, sometimes summer heat, sometimes frost."""
        kind = rng.random()
        if kind < 0.6:
            room = rng.uniform(16, 27)
        elif kind < 0.8:
            room = rng.uniform(27, 34)
        elif kind < 0.9:
            room = rng.uniform(34, 45)
        else:
            room = rng.uniform(-10, 16)
        skin = np.clip(33.8 + 0.12 * (room - 23) + rng.normal(0, 0.8), 26, 37)
        return cls(float(skin), float(room))


@dataclass(frozen=True, slots=True)
class Wardrobe:
    """Glasses, hair, hats and the like that a person wears besides clothes."""

    glasses: Glasses | None = None
    long_hair: bool = False
    brim: bool = False
    hood: bool = False

    @classmethod
    def draw(cls, rng: np.random.Generator, climate: Climate, cap: bool) -> "Wardrobe":
        """Choose."""
        pair = Glasses.draw(rng, climate.skin_c, climate.room_c) if rng.random() < 0.33 else None
        hood = bool(rng.random() < 0.07)
        return cls(pair, bool(rng.random() < 0.3), cap and bool(rng.random() < 0.7), hood)


def paint_labels(
    labels: NDArray[np.uint8],
    landmarks: FloatArray,
    hulls: Iterable[tuple[Region, Sequence[int]]] = HULLS,
) -> None:
    """Paint the regions of one face into `labels`, (height, width), in place.

    Parameters
    ----------
    landmarks
        (68, 2) x, y pixels, iBUG order unless `hulls` says otherwise.
    hulls
        Each region with the numbers of its landmarks, in painting order.
    """
    for region, points in hulls:
        hull = cv2.convexHull(landmarks[list(points)])
        fixed = np.round(hull * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillConvexPoly(labels, fixed, int(region), cv2.LINE_8, _SUBPIXEL_BITS)


class Person:
    """One head with its body, to be drawn in any pose; building costs some 50 ms."""

    def __init__(
        self,
        rng: np.random.Generator,
        identity: Identity,
        traits: Traits,
        climate: Climate,
        clothing: Clothing,
        wardrobe: Wardrobe,
        expression: Expression,
    ) -> None:
        self.climate = climate
        self.surface = HeadSurface(identity, expression)
        painter = SkinPainter(rng, self.surface, traits, expression)
        self.skin_offset_k = painter.paint()
        """(512, 1024) kelvin over the mean skin."""
        self.nostril_weight = painter.nostril_weight()
        """(512, 1024) 0-1, share of the breath's swing."""
        skin = climate.skin_c
        head = Part(
            self._lifted(painter.lift),
            self.surface.texture,
            self.skin_offset_k + np.float32(skin),
            follows_head=True,
            two_sided=False,
        )
        parts = [head, make_torso(rng, self.surface, clothing, skin)]
        if wardrobe.long_hair and not traits.bald:
            parts.append(make_long_hair(rng, skin + traits.hair_k, traits.hair_volume))
        if wardrobe.glasses is not None:
            parts += make_glasses(rng, self.surface, wardrobe.glasses)
        if wardrobe.brim and traits.cap_k is not None:
            parts.append(make_brim(rng, skin + traits.cap_k))
        if wardrobe.hood:
            parts.append(make_hood(rng, clothing.cloth_c))
        self.stage = Stage(parts)

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        climate: Climate | None = None,
        traits: Traits | None = None,
        wardrobe: Wardrobe | None = None,
    ) -> "Person":
        """Choose somebody; climate, traits and wardrobe are drawn too where none are given."""
        climate = climate or Climate.draw(rng)
        traits = _acclimatised(traits or Traits.draw(rng), climate)
        expression = Expression(
            mouth_open=float(rng.uniform(0.03, 0.5)) if rng.random() < 0.22 else 0.0,
            smile=float(rng.uniform(-0.05, 0.2)) if rng.random() < 0.4 else 0.0,
            brow_raise=float(rng.normal(0, 0.04)),
            eyes_closed=1.0 if rng.random() < 0.03 else float(rng.uniform(0, 0.25)),
        )
        return cls(
            rng,
            Identity.draw(rng),
            traits,
            climate,
            Clothing.draw(rng, climate.skin_c, climate.room_c),
            wardrobe or Wardrobe.draw(rng, climate, traits.cap_k is not None),
            expression,
        )

    def landmarks(self, pose: Pose, height: int, width: int) -> FloatArray:
        """Return the 68 landmarks in the picture, (68, 2) x, y pixels."""
        return project(self.surface.landmarks(pose.rotation()), pose, height, width)

    def _lifted(self, lift: FloatArray) -> FloatArray:
        grid, uv = self.surface.grid, self.surface.texture
        # Hair, ears, masks and caps stand off the skin by a thickness that is painted as a texture:
        # it is read at each vertex, and the vertex moves away from a point inside the head.
        thickness = cv2.remap(
            lift,
            np.clip(uv[..., 0] * TEXTURE_WIDTH, 0, TEXTURE_WIDTH - 1),
            np.clip(uv[..., 1] * TEXTURE_HEIGHT, 0, TEXTURE_HEIGHT - 1),
            cv2.INTER_LINEAR,
        )
        outwards = grid - np.array([0, 0.2, -1.25], np.float32)
        outwards /= np.linalg.norm(outwards, axis=-1, keepdims=True)
        return np.asarray(grid + outwards * thickness[..., None], np.float32)


def _acclimatised(traits: Traits, climate: Climate) -> Traits:
    """Scale what cools towards the surroundings by how cold these are."""
    pull = float(np.clip((climate.skin_c - climate.room_c) / 11.0, -0.9, 1.8))
    if abs(pull) < 0.15:
        pull = 0.15
    return replace(
        traits,
        nose_k=traits.nose_k * (pull if traits.nose_k < 0 else 1.0),
        brow_k=traits.brow_k * pull,
        hair_k=traits.hair_k * pull,
        beard_k=traits.beard_k * pull,
        ear_k=traits.ear_k * pull,
        cap_k=None if traits.cap_k is None else traits.cap_k * pull,
        face_mask_k=None if traits.face_mask_k is None else traits.face_mask_k * pull,
    )
