"""What a head is covered with: skin, eyes, lips, hair, beard and cloth, painted as temperatures.

Everything is painted on a texture of the head (`shape.HeadSurface.to_texel`), as offsets in kelvin
from the mean skin temperature.  Sizes and offsets follow measured faces: inner canthus 1.2 K above
the forehead, nose between 5 K colder and a little warmer than the cheek, hair 2-8 K colder, and
blotches, vessels, folds, lid edges and stubble of a few tenths, all with soft borders.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.shape import (
    TEXTURE_HEIGHT,
    TEXTURE_WIDTH,
    Expression,
    FloatArray,
    HeadSurface,
)

_SUBPIXEL_BITS: Final = 4


@dataclass(frozen=True, slots=True)
class Traits:
    """Covering of one head; temperatures are offsets from the mean skin, kelvin."""

    nose_k: float = -1.5
    cheek_k: float = -0.4
    canthus_k: float = 1.1
    lips_k: float = 0.2
    brow_k: float = -1.0
    hair_k: float = -2.3
    beard_k: float = 0.0
    """0 is shaven."""
    beard_length: float = 0.0
    """0 stubble to 1 full beard: how much the skin below is hidden."""
    moustache: float = 0.0
    bald: bool = False
    fringe: float = 0.0
    """Length of the hair over the forehead, eye distances."""
    strands: int = 0
    """Loose strands of hair that hang over the face."""
    hair_volume: float = 0.12
    """Thickness over the scalp, eye distances."""
    blotches_k: float = 0.3
    folds_k: float = 0.25
    face_mask_k: float | None = None
    """Offset of a face mask, None for none."""
    cap_k: float | None = None
    """Offset of a cap, None for none."""
    ear_k: float = -1.0
    detail: float = 1.0
    """Strength of lines and edges: 0 is a face without contrast."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Traits":
        """Choose somebody's covering."""
        kind = rng.random()
        if kind < 0.5:
            nose = -rng.uniform(0.8, 5.5)
        elif kind < 0.8:
            nose = rng.uniform(-0.8, 0.1)
        else:
            nose = rng.uniform(-0.2, 0.6)
        bearded = rng.random() < 0.35
        return cls(
            nose_k=float(nose),
            cheek_k=float(rng.normal(-0.4, 0.6)),
            canthus_k=float(rng.uniform(0.3, 1.6)),
            lips_k=float(rng.normal(0.1, 0.6)),
            brow_k=float(-rng.uniform(0.0, 2.2) if rng.random() < 0.93 else rng.uniform(0, 0.4)),
            hair_k=float(-rng.uniform(0.8, 3.5) if rng.random() < 0.7 else -rng.uniform(3, 9)),
            beard_k=float(-rng.uniform(0.3, 3.0)) if bearded else 0.0,
            beard_length=float(rng.uniform(0.1, 1.0)) if bearded else 0.0,
            moustache=float(rng.uniform(0.2, 1.0)) if bearded and rng.random() < 0.8 else 0.0,
            bald=bool(rng.random() < 0.1),
            fringe=float(rng.uniform(0.1, 0.75)) if rng.random() < 0.25 else 0.0,
            strands=int(rng.integers(1, 9)) if rng.random() < 0.2 else 0,
            hair_volume=float(rng.uniform(0.03, 0.3)),
            blotches_k=float(rng.uniform(0.1, 0.6)),
            folds_k=float(rng.uniform(0.05, 0.5)),
            face_mask_k=float(rng.uniform(-6, -0.3)) if rng.random() < 0.05 else None,
            cap_k=float(rng.uniform(-8, -0.5)) if rng.random() < 0.12 else None,
            ear_k=float(rng.normal(-1.2, 1.2)),
            detail=float(rng.choice([rng.uniform(0.0, 0.5), rng.uniform(0.5, 1.6)], p=[0.2, 0.8])),
        )


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, rows: int, columns: int
) -> FloatArray:
    """Random field of unit deviation with about `rows` × `columns` bumps on (height, width)."""
    seeds = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC))


class Canvas:
    """A texture of temperature offsets, and brushes with soft edges."""

    def __init__(self, height: int, width: int) -> None:
        self.offset_k = np.zeros((height, width), np.float32)
        """(height, width), kelvin over the mean skin."""

    def stain(
        self,
        polygons: list[FloatArray],
        delta_k: float,
        soft: float,
        grain: FloatArray | None = None,
    ) -> None:
        """Add `delta_k` inside filled polygons.

        Parameters
        ----------
        polygons
            Each (n, 2) texels.
        soft
            Standard deviation of the border, texels.
        grain
            (height, width) factor for the whole texture, such as hair; None for plain.
        """
        window, mask = self._coverage(polygons, soft, filled=True)
        if grain is not None:
            mask = mask * grain[window]
        self.offset_k[window] += np.float32(delta_k) * mask

    def cover(
        self,
        polygons: list[FloatArray],
        value_k: FloatArray | float,
        soft: float,
        amount: float = 1,
    ) -> None:
        """Replace what is inside filled polygons by `value_k`, a number or a whole texture."""
        window, mask = self._coverage(polygons, soft, filled=True)
        mask *= np.float32(amount)
        value = value_k if isinstance(value_k, float | int) else value_k[window]
        self.offset_k[window] += mask * (value - self.offset_k[window])

    def stroke(self, lines: list[FloatArray], delta_k: float, width: float, soft: float) -> None:
        """Add `delta_k` along open lines of `width` texels."""
        window, mask = self._coverage(lines, soft, filled=False, width=width)
        self.offset_k[window] += np.float32(delta_k) * mask

    def _coverage(
        self, shapes: list[FloatArray], soft: float, *, filled: bool, width: float = 1
    ) -> tuple[tuple[slice, slice], FloatArray]:
        # Only the window that the shapes reach, with three standard deviations more on each side,
        # is drawn and blurred, not half a million texels for each of some hundred brushes.  OpenCV
        # takes corners in fixed point, `_SUBPIXEL_BITS` after the point: rounded to whole texels, a
        # lid of 2 texels would move in steps.  Wide blurs are done at a quarter of the size, a
        # sixteenth of the cost.  A shape outside the texture leaves a window of one texel, not an
        # empty one that OpenCV refuses.
        points = np.concatenate(shapes)
        margin = int(3 * soft + width + 2)
        rows, columns = self.offset_k.shape
        x0, y0 = np.floor(points.min(axis=0)).astype(int) - margin
        x1, y1 = np.ceil(points.max(axis=0)).astype(int) + margin
        x0, y0 = max(int(x0), 0), max(int(y0), 0)
        x1, y1 = max(min(int(x1), columns), x0 + 1), max(min(int(y1), rows), y0 + 1)
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        scale = 1 << _SUBPIXEL_BITS
        fixed = [np.round((s - (x0, y0)) * scale).astype(np.int32) for s in shapes]
        if filled:
            cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        else:
            thickness = max(1, round(width))
            cv2.polylines(mask, fixed, False, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        soft_mask = np.asarray(mask, np.float32) * np.float32(1 / 255)
        if soft > 0.3:
            if soft > 12 and min(soft_mask.shape) > 32:
                small = cv2.resize(soft_mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
                small = cv2.GaussianBlur(small, (0, 0), soft / 4)
                soft_mask = np.asarray(cv2.resize(small, soft_mask.shape[::-1]), np.float32)
            else:
                soft_mask = np.asarray(cv2.GaussianBlur(soft_mask, (0, 0), soft), np.float32)
        return (slice(y0, y1), slice(x0, x1)), np.asarray(soft_mask)


def ellipse(x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> FloatArray:
    """(24, 2) points of an ellipse in the frontal plane."""
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    px, py = rx * np.cos(t), ry * np.sin(t)
    c, s = np.cos(tilt), np.sin(tilt)
    return np.stack([x + c * px - s * py, y + s * px + c * py], axis=-1).astype(np.float32)


class SkinPainter:
    """Paints one head; `texture` is the result, masks tell where it lives."""

    def __init__(
        self,
        rng: np.random.Generator,
        surface: HeadSurface,
        traits: Traits,
        expression: Expression,
    ) -> None:
        self._rng = rng
        self._surface = surface
        self._traits = traits
        self._expression = expression
        self._canvas = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
        self.lift = np.zeros((TEXTURE_HEIGHT, TEXTURE_WIDTH), np.float32)
        """Thickness of hair, cap or mask over the skin, eye distances."""
        self._hair_grain = self._strands()

    def paint(self) -> FloatArray:
        """Return (512, 1024) float32 offsets from the mean skin, kelvin."""
        self._ground()
        self._relief()
        self._cheeks_and_orbits()
        self._nose()
        self._folds()
        self._mouth()
        self.paint_eyes(self._canvas, self._surface.points, self._expression.eyes_closed)
        self._brows()
        self._ears()
        if self._traits.beard_k or self._traits.moustache:
            self._beard()
        self._scalp()
        if self._traits.strands:
            self._loose_strands(self._traits.strands)
        if self._traits.face_mask_k is not None:
            self._face_mask(self._traits.face_mask_k)
        if self._traits.cap_k is not None:
            self._cap(self._traits.cap_k)
        return self._canvas.offset_k

    def nostril_weight(self) -> FloatArray:
        """(512, 1024) 0-1: how much of the breath's swing each texel shows."""
        canvas = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
        canvas.stain([self._texels(shape) for shape in self._nostrils()], 1.0, 2.5)
        halo = [self._texels(shape) for shape in self._nostrils(grow=1.9)]
        canvas.stain(halo, 0.35, 7.0)
        return np.minimum(canvas.offset_k, 1)

    def _texels(self, points: NDArray[np.floating] | list[tuple[float, float]]) -> FloatArray:
        return self._surface.to_texel(np.asarray(points, np.float64))

    def _sign(self, deviation: float) -> float:
        return float(self._rng.normal(0, deviation)) * self._traits.detail

    def _strands(self) -> FloatArray:
        height, width = TEXTURE_HEIGHT, TEXTURE_WIDTH
        fine = smooth_noise(self._rng, height, width, 22, 420)
        coarse = smooth_noise(self._rng, height, width, 10, 90)
        grain = 1 + 0.3 * fine + 0.35 * coarse
        shear = float(self._rng.uniform(-0.6, 0.6))
        matrix = np.array([[1, shear, -shear * height / 2], [0, 1, 0]], np.float32)
        sheared = cv2.warpAffine(grain, matrix, (width, height), borderMode=cv2.BORDER_WRAP)
        return np.asarray(np.clip(sheared, 0.1, 2.2))

    def _ground(self) -> None:
        # Octaves of noise, from a few wide blotches to grain of single pores, then one slope down
        # and one across the face, as from a lamp or a window at one side, and some vessels: short
        # random walks, a little warmer than the skin.
        rng, strength = self._rng, self._traits.blotches_k
        height, width = TEXTURE_HEIGHT, TEXTURE_WIDTH
        ground = self._canvas.offset_k
        ground += strength * smooth_noise(rng, height, width, 6, 9)
        ground += 0.6 * strength * smooth_noise(rng, height, width, 16, 28)
        ground += 0.3 * strength * smooth_noise(rng, height, width, 45, 80)
        ground += 0.06 * smooth_noise(rng, height, width, 200, 400)
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, width, dtype=np.float32)[None]
        ground += float(rng.normal(-0.2, 0.6)) * down + float(rng.normal(0, 0.9)) * across
        for _ in range(int(rng.integers(2, 9))):
            x, y = rng.uniform(-1.0, 1.0), rng.uniform(-1.1, 0.3)
            steps = rng.normal(0, 0.1, (6, 2)) + rng.normal(0, 0.08, 2)
            path = np.cumsum(np.vstack([[x, y], steps]), axis=0)
            self._canvas.stroke(
                [self._texels(path)], rng.uniform(0.0, 0.5) * self._traits.detail, 4, 3.5
            )

    def _relief(self) -> None:
        """Hollows keep warm, what stands out cools, and slopes differ by a few tenths."""
        # z grows towards the viewer, so the local mean less the surface is positive in hollows and
        # negative on ridges.  Slopes differ since one side of a face is nearer to a window or a
        # radiator; which one is drawn.  Both are cut off beyond ±77° (1.35 rad), where the columns
        # of the grid lie far apart and its gradient is no longer that of the skin.
        rng, grid, detail = self._rng, self._surface.grid, self._traits.detail
        depth = grid[..., 2]
        smooth = cv2.GaussianBlur(depth, (0, 0), 4.0)
        hollow = np.clip(smooth - depth, -0.12, 0.12) / 0.1
        slope_y, slope_x = np.gradient(depth)
        slope = np.clip(
            rng.normal(0, 0.6) * slope_x / 0.08 + rng.normal(0, 0.6) * slope_y / 0.08, -2, 2
        )
        field = (abs(rng.normal(0.35, 0.4)) * hollow + 0.35 * rng.random() * slope) * detail
        front = np.abs(self._surface.angles)[None] < 1.35
        self._canvas.offset_k += self._surface.bake(np.where(front, field, 0))

    def _cheeks_and_orbits(self) -> None:
        rng, p, t = self._rng, self._surface.points, self._traits
        for side, eye_points in ((-1, p[36:42]), (1, p[42:48])):
            x, y = eye_points.mean(axis=0)
            inner = p[39] if side < 0 else p[42]
            paint = self._canvas.stain
            cheek = ellipse(side * 0.68, 0.6 + rng.normal(0, 0.08), 0.36, 0.38)
            paint([self._texels(cheek)], t.cheek_k + rng.normal(0, 0.15), 20)
            paint([self._texels(ellipse(x, y - 0.02, 0.34, 0.2))], rng.normal(0.35, 0.3), 10)
            spot = ellipse(inner[0] + side * 0.02, inner[1], 0.075, 0.055)
            paint([self._texels(spot)], t.canthus_k, 4)
            crease = [
                (inner[0] - side * 0.03, inner[1] + 0.02),
                (inner[0] - side * 0.07, inner[1] + 0.16),
                (inner[0] - side * 0.02, inner[1] + 0.32),
            ]
            self._canvas.stroke([self._texels(crease)], 0.5 * t.canthus_k * rng.random(), 9, 6)
            temple = ellipse(side * 0.98, -0.35, 0.2, 0.3)
            paint([self._texels(temple)], rng.normal(0.2, 0.3), 14)

    def _nose(self) -> None:
        rng, p, t = self._rng, self._surface.points, self._traits
        base = abs(float(p[31, 0]))
        start = rng.uniform(0.1, 0.9)
        top_y = p[27, 1] + start * (p[29, 1] - p[27, 1])
        outline = [
            (-0.08, top_y), (0.08, top_y),
            (base * 0.8, p[30, 1] - 0.1), (base * 1.2, p[31, 1] - 0.04),
            (base * 0.95, p[31, 1] + 0.03), (0, p[33, 1] + 0.01), (-base * 0.95, p[31, 1] + 0.03),
            (-base * 1.2, p[31, 1] - 0.04), (-base * 0.8, p[30, 1] - 0.1),
        ]  # fmt: skip
        body = self._texels(outline)
        self._canvas.stain([body], 0.72 * t.nose_k, float(rng.uniform(3, 10)))
        self._canvas.stain([body], 0.28 * t.nose_k, float(rng.uniform(16, 34)))
        tip = ellipse(0, float(p[30, 1]), 0.12, 0.1)
        self._canvas.stain([self._texels(tip)], 0.25 * t.nose_k * rng.random(), 7)
        self._canvas.stain(
            [self._texels(shape) for shape in self._nostrils()],
            float(rng.normal(0.0, 0.8)) - 0.2 * t.nose_k * rng.random(),
            float(rng.uniform(1.0, 3.0)),
        )
        edge = self._sign(0.45)
        ridge = self._sign(0.3)
        wing = -0.15 * t.nose_k * rng.random() * t.detail
        for side in (-1, 1):
            crease = [
                (side * base * 0.75, p[30, 1] - 0.1),
                (side * base * 1.18, p[31, 1] - 0.1),
                (side * base * 1.25, p[31, 1] - 0.02),
                (side * base * 1.0, p[31, 1] + 0.035),
            ]
            self._canvas.stroke([self._texels(crease)], edge + wing, 3, 1.8)
            flank = [
                (side * 0.12, p[27, 1] + 0.05), (side * 0.12, p[28, 1]), (side * 0.16, p[29, 1]),
                (side * base * 0.8, p[30, 1] - 0.06),
            ]  # fmt: skip
            self._canvas.stroke([self._texels(flank)], ridge, 6, 4)
        under = [
            (-base * 0.9, p[31, 1] + 0.03),
            (0, p[33, 1] + 0.02),
            (base * 0.9, p[31, 1] + 0.03),
        ]
        self._canvas.stroke([self._texels(under)], self._sign(0.4), 3, 1.8)

    def _nostrils(self, grow: float = 1.0) -> list[FloatArray]:
        p = self._surface.points
        x, y = abs(float(p[32, 0])) * 1.05, float(p[32, 1]) - 0.015
        rx, ry = 0.055 * grow, 0.035 * grow
        return [ellipse(side * x, y, rx, ry, tilt=side * 0.4) for side in (-1, 1)]

    def _folds(self) -> None:
        rng, p, k = self._rng, self._surface.points, self._traits.folds_k
        corner = abs(float(p[48, 0]))
        smile_lines, bags = float(rng.normal(0.3, 1)) * k, self._sign(0.3)
        for side in (-1, 1):
            fold = [
                (side * abs(p[31, 0]) * 1.25, p[31, 1] - 0.08),
                (side * (corner * 0.95 + 0.03), p[33, 1] + 0.14),
                (side * (corner + 0.1), p[48, 1]),
                (side * (corner + 0.1), p[48, 1] + 0.14),
            ]
            self._canvas.stroke([self._texels(fold)], smile_lines, 5, float(rng.uniform(2.5, 7)))
            eye = p[36:42].mean(axis=0) if side < 0 else p[42:48].mean(axis=0)
            bag = [
                (eye[0] - 0.24, eye[1] + 0.11), (eye[0], eye[1] + 0.2),
                (eye[0] + 0.24, eye[1] + 0.11),
            ]  # fmt: skip
            self._canvas.stroke([self._texels(bag)], bags, 4, 4)
            feet = [(eye[0] + side * 0.3, eye[1]), (eye[0] + side * 0.45, eye[1] - 0.05)]
            self._canvas.stroke([self._texels(feet)], self._sign(0.2), 2, 1.5)
        below = ellipse(0, float(p[57, 1]) + 0.09, 0.22, 0.045)
        self._canvas.stain([self._texels(below)], self._sign(0.35), 4)
        chin = ellipse(0, float(p[57, 1]) + 0.3, 0.24, 0.18)
        self._canvas.stain([self._texels(chin)], float(rng.normal(-0.3, 0.5)), 10)
        lips_side = ellipse(0, float(p[51, 1]) - 0.12, 0.12, 0.09)
        self._canvas.stain([self._texels(lips_side)], float(rng.normal(0.1, 0.35)), 5)
        for _ in range(int(rng.integers(0, 4))):
            y, bend = rng.uniform(-1.05, -0.6), rng.normal(0, 0.04)
            line = [(x, y + bend * x * x + rng.normal(0, 0.01)) for x in np.linspace(-0.6, 0.6, 7)]
            self._canvas.stroke([self._texels(line)], self._sign(0.2), 2, 2)
        frown = self._sign(0.2)
        for side in (-1, 1):
            line = [(side * 0.08, p[21, 1] - 0.1), (side * 0.07, p[27, 1] - 0.1)]
            self._canvas.stroke([self._texels(line)], frown, 2, 2)
        edge = self._surface.points[2:15]
        self._canvas.stroke([self._texels(edge)], self._sign(0.35), 8, 6)

    def _mouth(self) -> None:
        # Points 48-59 are the outer, 60-67 the inner contour of the lips (iBUG).  A closed mouth is
        # a line half way between upper and lower inner lip; an open one shows the warm inside, and
        # sometimes teeth, which are colder and hang from the upper lip.
        rng, p, t = self._rng, self._surface.points, self._traits
        outer, inner = self._texels(p[48:60]), self._texels(p[60:68])
        soft = float(rng.uniform(1.0, 3.5))
        self._canvas.stain([outer], t.lips_k, soft)
        lower = np.vstack([p[48], p[60], p[67], p[66], p[65], p[64], p[54:60]])
        self._canvas.stain([self._texels(lower)], float(rng.normal(-0.1, 0.4)) * t.detail, soft)
        border = np.vstack([outer, outer[:1]])
        self._canvas.stroke([border], self._sign(0.3), 2, 1.5)
        for corner in (p[48], p[54]):
            spot = ellipse(float(corner[0]), float(corner[1]), 0.05, 0.04)
            self._canvas.stain([self._texels(spot)], float(rng.normal(0.2, 0.3)) * t.detail, 3)
        if self._expression.mouth_open < 0.03:
            between = self._texels(np.vstack([p[48], (p[61:64] + p[67:64:-1]) / 2, p[54]]))
            self._canvas.stroke([between], float(rng.normal(0.2, 0.6)) * t.detail, 2, 1.4)
            return
        self._canvas.cover([inner], float(rng.normal(0.8, 0.8)), 1.5)
        if rng.random() < 0.6:
            gap = p[67] - p[61]
            teeth = np.vstack([p[60:65], p[63] + 0.4 * gap, p[62] + 0.5 * gap, p[61] + 0.4 * gap])
            self._canvas.stain([self._texels(teeth)], float(rng.normal(-0.8, 0.8)), 1.2)

    def paint_eyes(self, canvas: Canvas, p: FloatArray, closed: float) -> None:
        """Paint both eyes and their lids at landmarks `p`, (68, 2), on `canvas`."""
        # Points 36-41 and 42-47 run around each eye from one corner along the upper lid.  The
        # cornea is cooled by tears and stands out of the ball; its disc is cut off at the lids.
        # Lines of 2 texels do the rest: lid edges, lashes, and the crease above them.
        rng, t = self._rng, self._traits
        ball, cornea = float(rng.normal(-0.2, 0.4)), float(rng.normal(-0.35, 0.35))
        lid, lash, crease = self._sign(0.5), -abs(self._sign(0.6)), self._sign(0.35)
        lid_soft = float(rng.uniform(1.0, 2.2))
        lashes_out = rng.random() < 0.4
        for first in (36, 42):
            eye = p[first : first + 6]
            outline = self._texels(eye)
            centre = eye.mean(axis=0)
            if closed < 0.75:
                canvas.stain([outline], ball * t.detail, 1.5)
                radius = 0.105
                disc = ellipse(float(centre[0]), float(centre[1]), radius, radius)
                top, bottom = eye[1:3, 1].min(), eye[4:6, 1].max()
                disc[:, 1] = np.clip(disc[:, 1], top, bottom)
                canvas.stain([self._texels(disc)], cornea * t.detail, 1.5)
                rim = np.vstack([outline, outline[:1]])
                canvas.stroke([rim], lid, 2, lid_soft)
            upper = outline[:4]
            canvas.stroke([upper], lash, 2, 1.2)
            if lashes_out:
                hairs = [
                    np.stack([point, np.add(point, (rng.normal(0, 2), -rng.uniform(4, 11)))])
                    for point in self._texels(np.linspace(eye[0], eye[3], 7) - (0, 0.07))
                ]
                canvas.stroke([np.asarray(h, np.float32) for h in hairs], lash, 1, 0.8)
            raised = self._texels(
                eye[:4] - (0, 0.075) + np.array([[0, 0.05], [0, 0], [0, 0], [0, 0.05]])
            )
            canvas.stroke([raised], crease, 2, 2)
            lower = self._texels(np.add(np.vstack([eye[3:6], eye[:1]]), (0, 0.03)))
            canvas.stroke([lower], self._sign(0.25), 2, 2)

    def _brows(self) -> None:
        rng, p, t = self._rng, self._surface.points, self._traits
        height, soft = float(rng.uniform(0.05, 0.13)), float(rng.uniform(1.2, 4.5))
        bristle = np.clip(1 + 0.5 * smooth_noise(rng, TEXTURE_HEIGHT, TEXTURE_WIDTH, 90, 300), 0, 2)
        for brow in (p[17:22], p[26:21:-1]):
            thick = height * np.array([0.25, 0.7, 0.95, 1.0, 0.85])[:, None]
            down = np.array([[0.0, 1.0]])
            polygon = np.vstack([brow - 0.45 * thick * down, (brow + 0.55 * thick * down)[::-1]])
            self._canvas.stain([self._texels(polygon)], t.brow_k, soft, bristle)
            shade = self._texels(np.add(brow, (0, height * 0.8)))
            self._canvas.stroke([shade], self._sign(0.25), 5, 3.5)

    def _ears(self) -> None:
        # Ears lie beyond ±90°, where `to_texel` does not reach, as it starts from the frontal
        # plane; they are drawn in texture pixels, 1.72 rad around the axis.  Their thickness goes
        # into `lift`, which pushes the surface outwards there.
        rng, t = self._rng, self._traits
        row = self._row
        for side in (-1, 1):
            column = TEXTURE_WIDTH / 2 * (1 + side * 1.72 / np.pi)
            top, bottom = row(-0.18), row(0.72)
            middle, half = (top + bottom) / 2, (bottom - top) / 2
            angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            shape = np.stack([column + 17 * np.cos(angle), middle + half * np.sin(angle)], -1)
            self._canvas.stain([shape.astype(np.float32)], t.ear_k, 3)
            inner = np.stack(
                [column - side * 4 + 7 * np.cos(angle), middle + half * 0.5 * np.sin(angle)], -1
            )
            self._canvas.stain([inner.astype(np.float32)], float(rng.normal(0.8, 0.8)), 3)
            outside = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
            outside.stain([shape.astype(np.float32)], float(rng.uniform(0.1, 0.24)), 3)
            self.lift += outside.offset_k

    def _row(self, y: float) -> float:
        s = self._surface
        return (y - s.top) / (s.bottom - s.top) * TEXTURE_HEIGHT

    def _beard(self) -> None:
        rng, p, t = self._rng, self._surface.points, self._traits
        height, width = TEXTURE_HEIGHT, TEXTURE_WIDTH
        stubble = 0.25 * smooth_noise(rng, height, width, 110, 260)
        stubble = stubble + 0.25 * smooth_noise(rng, height, width, 25, 50)
        grain = np.clip(0.8 + stubble + 0.3 * (self._hair_grain - 1), 0, 2)
        corner = abs(float(p[48, 0]))
        cheek_line = rng.uniform(0.0, 0.35)
        chin_only = rng.random() < 0.3
        jaw = p[0:17] if not chin_only else p[5:12]
        outside = np.asarray(jaw) * (1.02, 1.0) + (0, 0.12)
        if chin_only:
            inside = [(corner + 0.05, p[54, 1]), (-corner - 0.05, p[48, 1])]
        else:
            inside = [
                (1.0, 0.25), (0.85, 0.6 + cheek_line), (corner + 0.16, p[54, 1] - 0.05),
                (-corner - 0.16, p[48, 1] - 0.05), (-0.85, 0.6 + cheek_line), (-1.0, 0.25),
            ]  # fmt: skip
        area = np.vstack([outside, inside])
        lips = self._texels(p[48:60])
        kept = self._canvas.offset_k.copy()
        soft = float(rng.uniform(3, 9))
        if t.beard_length > 0.5:
            level = t.beard_k * grain
            self._canvas.cover([self._texels(area)], level.astype(np.float32), soft, t.beard_length)
        else:
            self._canvas.stain([self._texels(area)], t.beard_k * 0.7, soft, grain)
        if t.moustache:
            lip_y = float(p[51, 1])
            upper = [
                (-corner - 0.08, p[48, 1] + 0.03), (-corner * 0.6, lip_y - 0.09),
                (0, p[33, 1] + 0.07),
                (corner * 0.6, lip_y - 0.09), (corner + 0.08, p[54, 1] + 0.03), (0, lip_y + 0.02),
            ]  # fmt: skip
            self._canvas.stain([self._texels(upper)], t.beard_k * t.moustache, 3.5, grain)
        hidden = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
        hidden.stain([lips], 1.0, 2)
        if rng.random() < 0.85:
            self._canvas.offset_k += hidden.offset_k * (kept - self._canvas.offset_k)
        fluff = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
        fluff.stain([self._texels(area)], 0.12 * t.beard_length, 8)
        self.lift += fluff.offset_k

    def _scalp(self) -> None:
        rng, t = self._rng, self._traits
        if t.bald:
            return
        # The hairline is one height y (downwards, eyes at 0) per direction around the head: `knots`
        # are angles from the front, `line` the heights there: forehead, temple, side burn before
        # the ear (the ear lies at 1.72 rad), over the ear, nape.  A height becomes a texture row,
        # and all rows above it are hair, with a border of `soft` texels.  Hair lets 0.3 of the
        # pattern of the skin through.
        angle = (np.arange(TEXTURE_WIDTH) / TEXTURE_WIDTH * 2 - 1) * np.pi
        middle = -1.02 + float(rng.normal(0, 0.1))
        knots = np.array([0, 0.4, 0.75, 1.05, 1.25, 1.42, 1.6, 1.9, 2.2, np.pi])
        side_burn = float(rng.uniform(-0.1, 0.6))
        line = np.array(
            [middle, middle - 0.02, middle + 0.12, -0.55, -0.2, side_burn, 0.0, -0.1, 1.3, 1.45]
        )
        hairline = np.interp(np.abs(angle), knots, line)
        parting = float(rng.uniform(-0.5, 0.5))
        if t.fringe:
            reach = np.exp(-(((angle - parting * 0.6) / 0.75) ** 4))
            hairline = hairline + t.fringe * reach * (1 + 0.25 * np.sin(angle * 3 + parting * 9))
        ragged = np.interp(
            np.arange(TEXTURE_WIDTH), np.linspace(0, TEXTURE_WIDTH, 200), rng.normal(0, 0.04, 200)
        )
        edge = np.array([self._row(float(y)) for y in hairline + ragged * (1 + 2 * t.fringe)])
        rows = np.arange(TEXTURE_HEIGHT, dtype=np.float32)[:, None]
        soft = float(rng.uniform(3, 14))
        mask = np.clip((edge[None].astype(np.float32) - rows) / soft + 0.5, 0, 1)
        thin = float(rng.uniform(0.75, 1.0))
        level = t.hair_k * self._hair_grain + 0.3 * self._canvas.offset_k
        self._canvas.offset_k += (mask * thin * (level - self._canvas.offset_k)).astype(np.float32)
        depth = np.clip((edge[None] - rows) / 40, 0, 1)
        self.lift += (t.hair_volume * depth).astype(np.float32)

    def _loose_strands(self, count: int) -> None:
        rng = self._rng
        for _ in range(count):
            x = rng.choice([-1, 1]) * rng.uniform(0.1, 1.05)
            y = np.linspace(-1.1, rng.uniform(-0.5, 1.6), 8)
            drift = rng.normal(0, 0.25) * (y - y[0]) + rng.normal(0, 0.1) * (y - y[0]) ** 2
            path = self._texels(np.stack([np.clip(x + drift, -1.1, 1.1), y], -1))
            strength = self._traits.hair_k * rng.uniform(0.15, 0.5)
            self._canvas.stroke([path], strength, float(rng.integers(1, 4)), 0.9)

    def _face_mask(self, offset_k: float) -> None:
        rng = self._rng
        y_top, y_side = float(rng.uniform(0.12, 0.5)), float(rng.uniform(0.3, 0.7))
        shape = [
            (-1.05, y_side), (-0.5, y_top + 0.15), (0, y_top), (0.5, y_top + 0.15), (1.05, y_side),
            (0.95, 1.2), (0.6, 1.7), (0, 1.95), (-0.6, 1.7), (-0.95, 1.2),
        ]  # fmt: skip
        pleats = smooth_noise(rng, TEXTURE_HEIGHT, TEXTURE_WIDTH, int(rng.integers(20, 60)), 8)
        cloth = (
            offset_k
            + 0.25 * pleats
            + 0.2 * smooth_noise(rng, TEXTURE_HEIGHT, TEXTURE_WIDTH, 12, 20)
        )
        self._canvas.cover([self._texels(shape)], cloth.astype(np.float32), 1.5)
        over = Canvas(TEXTURE_HEIGHT, TEXTURE_WIDTH)
        over.stain([self._texels(shape)], 0.1, 8)
        self.lift += over.offset_k

    def _cap(self, offset_k: float) -> None:
        # As with the hairline, one height per direction, at the sides lower than in front.  The
        # Gaussian along the edge, 12 texels above it, is the band, warmed by the skin or wet and
        # cold.
        rng = self._rng
        front, sides = float(rng.uniform(-0.95, -0.4)), float(rng.uniform(-0.4, 0.1))
        angle = (np.arange(TEXTURE_WIDTH) / TEXTURE_WIDTH * 2 - 1) * np.pi
        edge_y = front + (sides - front) * np.clip(np.abs(angle) / 1.5, 0, 1) ** 2
        edge = np.array([self._row(float(y)) for y in edge_y], np.float32)
        rows = np.arange(TEXTURE_HEIGHT, dtype=np.float32)[:, None]
        mask = np.clip((edge[None] - rows) / 3 + 0.5, 0, 1)
        cloth = offset_k * (1 + 0.15 * smooth_noise(rng, TEXTURE_HEIGHT, TEXTURE_WIDTH, 14, 30))
        cloth += 0.8 * np.exp(-(((edge[None] - rows - 12) / 8) ** 2)) * float(rng.normal(0, 0.7))
        self._canvas.offset_k += mask * (cloth - self._canvas.offset_k)
        self.lift = np.maximum(self.lift, mask * float(rng.uniform(0.08, 0.3)))
