"""The shape of a head: a surface around a vertical axis with a face in relief on its front.

Lengths are in units of the distance between the eye centres (63 mm in adults).  Head frame: the
origin lies midway between the eyes, x points to the right of the picture (the subject's left), y
down, z to the camera.  Proportions follow common anthropometry (bizygomatic breadth 137 mm, head
length 195 mm, sellion to menton 118 mm), the 68 points the iBUG numbering.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

TEXTURE_WIDTH: Final = 1024
"""Texels around the head; the middle column is the middle of the face."""
TEXTURE_HEIGHT: Final = 512
"""Texels from crown to throat."""

_ROWS: Final = 72
_COLUMNS: Final = 97

_PROFILE_Y: Final = np.array(
    [-1.85, -1.75, -1.5, -1.1, -0.7, -0.35, 0.0, 0.4, 0.8, 1.15, 1.4, 1.62, 1.8, 1.92, 2.02, 2.1]
)
_FRONT_Z: Final = np.array(
    [-1.2, -0.85, -0.42, -0.02, 0.13, 0.18, 0.1, 0.1, 0.16, 0.2, 0.17, 0.14, 0.06, -0.1, -0.4, -0.7]
)
_HALF_WIDTH: Final = np.array(
    [0.12, 0.45, 0.83, 1.1, 1.19, 1.18, 1.13, 1.1, 1.05, 0.97, 0.86, 0.7, 0.52, 0.4, 0.3, 0.2]
)
_WIDEST_Z: Final = np.array(
    [-1.2, -1.22, -1.25, -1.3, -1.3, -1.25, -1.2, -1.15, -1.1, -1.0, -0.9, -0.8, -0.75, -0.8, -0.9,
     -0.95]
)  # fmt: skip
_BACK_Z: Final = np.array(
    [-1.4, -1.85, -2.3, -2.75, -2.95, -3.0, -2.95, -2.8, -2.5, -2.1, -1.8, -1.6, -1.5, -1.4, -1.3,
     -1.2]
)  # fmt: skip
_SECTION_EXPONENT: Final = 2.3
"""Exponent of the superellipse of a horizontal section; 2 is an ellipse, less flat in front."""

_RIGHT_FACE: Final = {
    # jaw line, subject's right to the middle
    0: (-1.1, 0.02), 1: (-1.09, 0.36), 2: (-1.05, 0.7), 3: (-0.97, 1.02), 4: (-0.83, 1.32),
    5: (-0.64, 1.56), 6: (-0.43, 1.74), 7: (-0.21, 1.85), 8: (0.0, 1.89),
    17: (-0.88, -0.24), 18: (-0.75, -0.38), 19: (-0.56, -0.43), 20: (-0.37, -0.4),
    21: (-0.19, -0.32),
    27: (0.0, -0.04), 28: (0.0, 0.19), 29: (0.0, 0.41), 30: (0.0, 0.61),
    31: (-0.24, 0.73), 32: (-0.12, 0.77), 33: (0.0, 0.8),
    36: (-0.73, 0.02), 37: (-0.6, -0.075), 38: (-0.42, -0.075), 39: (-0.27, 0.035),
    40: (-0.42, 0.075), 41: (-0.6, 0.085),
    48: (-0.42, 1.15), 49: (-0.26, 1.06), 50: (-0.1, 1.015), 51: (0.0, 1.035),
    60: (-0.36, 1.15), 61: (-0.13, 1.125), 62: (0.0, 1.135),
    57: (0.0, 1.35), 58: (-0.12, 1.335), 59: (-0.27, 1.27), 66: (0.0, 1.175), 67: (-0.13, 1.17),
}  # fmt: skip
_MIRROR: Final = {
    **{i: 16 - i for i in range(8)}, 17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 31: 35, 32: 34,
    36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46, 48: 54, 49: 53, 50: 52, 58: 56, 59: 55,
    60: 64, 61: 63, 67: 65,
}  # fmt: skip
UPPER_LIDS: Final = {37: 41, 38: 40, 43: 47, 44: 46}
"""Upper-lid landmark → lower-lid landmark below it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Proportions of one head; 1 and 0 are the average."""

    width: float = 1.0
    lower_face: float = 1.0
    forehead: float = 1.0
    jaw_width: float = 1.0
    nose_length: float = 1.0
    nose_width: float = 1.0
    nose_height: float = 1.0
    mouth_width: float = 1.0
    lip_height: float = 1.0
    eye_size: float = 1.0
    eye_slant: float = 0.0
    """Rise of the outer corner over the inner one, eye distances."""
    brow_height: float = 0.0
    brow_slant: float = 0.0
    relief: float = 1.0
    """Depth of sockets, cheeks, lips and chin."""
    asymmetry: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Identity":
        """Choose somebody."""

        def around(mean: float, sd: float) -> float:
            return float(np.clip(rng.normal(mean, sd), mean - 2.2 * sd, mean + 2.2 * sd))

        return cls(
            width=around(0.97, 0.06),
            lower_face=around(0.9, 0.08),
            forehead=around(1.0, 0.08),
            jaw_width=around(1.0, 0.07),
            nose_length=around(1.0, 0.08),
            nose_width=around(1.05, 0.14),
            nose_height=around(1.0, 0.2),
            mouth_width=around(0.89, 0.11),
            lip_height=around(0.88, 0.22),
            eye_size=around(0.95, 0.12),
            eye_slant=around(0.0, 0.03),
            brow_height=around(-0.05, 0.05),
            brow_slant=around(0.0, 0.05),
            relief=around(1.0, 0.25),
            asymmetry=around(0.0, 0.015),
        )


@dataclass(frozen=True, slots=True)
class Expression:
    """Expression of a face at one moment."""

    mouth_open: float = 0.0
    """Distance of the inner lips, eye distances; a yawn has about 0.6."""
    smile: float = 0.0
    """Outward and upward shift of the lip corners, eye distances."""
    brow_raise: float = 0.0
    """Upward shift of the brows, eye distances."""
    eyes_closed: float = 0.0
    """0 open, 1 shut."""


def face_points(identity: Identity, expression: Expression) -> FloatArray:
    """Place the 68 landmarks in the frontal plane.

    Returns
    -------
    (68, 2) float32 x, y in the head frame, eye distances.
    """
    # The 68 points of iBUG: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, lips 48-67.  First the
    # parts that identity scales or turns, each about its own centre; then the expression, in which
    # an open mouth takes lower lip and chin along; last what shears or stretches the whole face,
    # so that parts stay joined whatever was drawn for them.
    points = np.zeros((68, 2), np.float64)
    for index, (x, y) in _RIGHT_FACE.items():
        points[index] = x, y
        if index in _MIRROR:
            points[_MIRROR[index]] = -x, y
    nose, brows, mouth = slice(27, 36), slice(17, 27), slice(48, 68)
    points[nose, 1] = -0.04 + (points[nose, 1] + 0.04) * identity.nose_length
    points[31:36, 0] *= identity.nose_width
    for side in (-1, 1):
        lids = [i for i in range(36, 48) if np.sign(points[i, 0]) == side]
        centre = points[lids].mean(axis=0)
        points[lids] = centre + (points[lids] - centre) * identity.eye_size
        points[lids, 1] -= identity.eye_slant * side * (points[lids, 0] - centre[0]) / 0.22
        hairs = [i for i in range(17, 27) if np.sign(points[i, 0]) == side]
        points[hairs, 1] -= identity.brow_slant * (np.abs(points[hairs, 0]) - 0.5) / 0.35
    points[brows, 1] -= identity.brow_height + expression.brow_raise
    for upper, lower in UPPER_LIDS.items():
        points[upper, 1] += (points[lower, 1] - points[upper, 1]) * expression.eyes_closed
    middle_y = 1.15
    points[mouth, 0] *= identity.mouth_width
    points[mouth, 1] = middle_y + (points[mouth, 1] - middle_y) * identity.lip_height
    corner = np.clip((np.abs(points[mouth, 0]) / 0.42) ** 2, 0, 1.3)
    points[mouth, 0] += np.sign(points[mouth, 0]) * expression.smile * 0.6 * corner
    points[mouth, 1] -= expression.smile * 0.5 * corner
    below = [55, 56, 57, 58, 59, 65, 66, 67]
    falloff = np.clip(1 - (np.abs(points[below, 0]) / 0.5) ** 2, 0, 1)
    points[below, 1] += expression.mouth_open * (0.35 + 0.65 * falloff)
    points[[50, 51, 52, 61, 62, 63], 1] -= 0.12 * expression.mouth_open
    drop = 0.55 * expression.mouth_open
    points[3:14, 1] += drop * np.clip((points[3:14, 1] - 1.0) / 0.85, 0, 1)
    points[:, 1] += identity.asymmetry * points[:, 0]
    points[:, 1] *= np.where(points[:, 1] > 0, identity.lower_face, identity.forehead)
    jaw = slice(0, 17)
    points[jaw, 0] *= _jaw_factor(identity, points[jaw, 1])
    points[:, 0] *= identity.width
    return points.astype(np.float32)


def _jaw_factor(identity: Identity, y: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 + (identity.jaw_width - 1) * np.clip((y - 0.2) / 1.0, 0, 1)


class HeadSurface:
    """The skin of one head as a grid of points, with texture coordinates.

    A row of the grid is one height, a column one direction around the vertical axis.
    """

    def __init__(self, identity: Identity, expression: Expression) -> None:
        # Rows are spaced evenly in height.  Columns crowd at the front (exponent 1.35), where the
        # nose and the lips need them.  An open mouth moves the profile below y = 1 down with the
        # jaw.  The relief is defined over the frontal plane, so a point of the back of the
        # head has the same x and y as one of the face: it fades out where the surface turns away,
        # from cos = 1/3 to 0.
        self.points = face_points(identity, expression)
        """(68, 2) landmarks in the frontal plane."""
        self._identity = identity
        stretch = np.where(_PROFILE_Y > 0, identity.lower_face, identity.forehead)
        self._knots = _PROFILE_Y * stretch
        drop = 0.55 * expression.mouth_open * identity.lower_face
        self._knots = self._knots + drop * np.clip((self._knots - 1.0) / 0.85, 0, 1)
        self.top, self.bottom = float(self._knots[0]), float(self._knots[-1])
        self.rows_y = np.linspace(self.top, self.bottom, _ROWS)
        bend = np.linspace(-1, 1, _COLUMNS)
        self.angles = np.pi * np.sign(bend) * np.abs(bend) ** 1.35
        angle, y = np.meshgrid(self.angles, self.rows_y)
        x, z = self._section(angle, y)
        z = z + self._relief(x, y) * np.clip(np.cos(angle) * 3, 0, 1)
        self.grid = np.stack([x, y, z], axis=-1).astype(np.float32)
        """(rows, columns, 3) x, y, z."""
        self._point_angles = self.angle_at(
            self.points[:, 0].astype(np.float64), self.points[:, 1].astype(np.float64)
        )
        self.texture = np.stack(
            [(angle / np.pi + 1) / 2, (y - self.top) / (self.bottom - self.top)], axis=-1
        ).astype(np.float32)
        """(rows, columns, 2) u, v in 0-1."""

    def to_texel(self, points_xy: NDArray[np.floating]) -> FloatArray:
        """Map points of the frontal plane, (n, 2) x, y, to texture pixels, (n, 2) column, row."""
        # Cylindrical: the column is the angle around the axis, with the middle of the face in the
        # middle of the texture, and the row is the height.  What is painted in frontal coordinates
        # so lands on the skin without stretching at the sides.
        points = np.asarray(points_xy, np.float64).reshape(-1, 2)
        angle = self.angle_at(points[:, 0], points[:, 1])
        column = (angle / np.pi + 1) / 2 * TEXTURE_WIDTH
        row = (points[:, 1] - self.top) / (self.bottom - self.top) * TEXTURE_HEIGHT
        return np.stack([column, row], axis=-1).astype(np.float32)

    def angle_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the direction around the axis, radians, of frontal points; clipped to ±90°."""
        # The section gives x from the angle; its inverse is interpolated in a table of 64 angles
        # per point, as x grows with the angle up to 90° and no closed form exists for a
        # superellipse of two halves.
        dense = np.linspace(0, np.pi / 2, 64)
        heights = np.broadcast_to(y[:, None], (len(y), 64))
        section_x, _ = self._section(np.broadcast_to(dense, heights.shape), heights)
        return np.array(
            [
                np.sign(px) * np.interp(abs(px), row, dense)
                for px, row in zip(x, section_x, strict=True)
            ]
        )

    def landmarks(self, to_view: NDArray[np.floating]) -> FloatArray:
        """Return the 68 landmarks in 3-D, the jaw line moved to the outline that is seen.

        Annotators put the jaw points of a turned head on its visible outline; here each jaw point
        slides along its height to wherever it lies furthest out in the view.

        Parameters
        ----------
        to_view
            (3, 3) rotation from the head frame to the camera's.

        Returns
        -------
        (68, 3) float32 in the head frame.
        """
        # Candidates are 25 directions between the middle of the face and the jaw point's own;
        # `seen_x`, the first row of the rotation times the point, is how far to the right of the
        # picture each lies.  Points 17-67 stay where they are and get the relief of the face; jaw
        # points lie on the plain section.
        points = self.points.astype(np.float64)
        angle = self._point_angles.copy()
        jaw = np.r_[0:8, 9:17]
        along = angle[jaw, None] * np.linspace(0, 1, 25)[None]
        y = np.broadcast_to(points[jaw, 1, None], along.shape)
        x, z = self._section(along, y)
        seen_x = to_view[0, 0] * x + to_view[0, 1] * y + to_view[0, 2] * z
        furthest = np.argmax(np.sign(points[jaw, 0, None]) * seen_x, axis=1)
        angle[jaw] = along[np.arange(len(jaw)), furthest]
        x, z = self._section(angle, points[:, 1])
        inner = np.arange(68) > 16
        x = np.where(inner, points[:, 0], x)
        z = z + np.where(inner, self._relief(x, points[:, 1]), 0)
        return np.stack([x, points[:, 1], z], axis=-1).astype(np.float32)

    def bake(self, field: NDArray[np.floating]) -> FloatArray:
        """Spread a value per grid point, (rows, columns), over the texture, (512, 1024)."""
        around = np.linspace(-np.pi, np.pi, TEXTURE_WIDTH)
        column = np.interp(around, self.angles, np.arange(_COLUMNS)).astype(np.float32)
        row = np.linspace(0, _ROWS - 1, TEXTURE_HEIGHT, dtype=np.float32)
        columns, rows = np.meshgrid(column, row)
        return np.asarray(cv2.remap(field.astype(np.float32), columns, rows, cv2.INTER_CUBIC))

    def _section(
        self, angle: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Horizontal section at heights `y`: x and z of the surface in direction `angle`."""
        # A superellipse |x/width|^n + |z/depth|^n = 1, in polar form.  Its centre is where the head
        # is widest, and it is deeper behind than ahead, so front and back are halves of two of
        # them that meet at ±90°.
        knots = self._knots
        unscaled = np.where(y > 0, y / self._identity.lower_face, y / self._identity.forehead)
        width = np.interp(y, knots, _HALF_WIDTH) * self._identity.width
        width = width * _jaw_factor(self._identity, unscaled)
        centre = np.interp(y, knots, _WIDEST_Z)
        ahead = np.interp(y, knots, _FRONT_Z) - centre
        behind = centre - np.interp(y, knots, _BACK_Z)
        depth = np.where(np.abs(angle) <= np.pi / 2, ahead, behind)
        n = _SECTION_EXPONENT
        radius = (
            np.abs(np.sin(angle) / np.maximum(width, 1e-3)) ** n
            + np.abs(np.cos(angle) / np.maximum(depth, 1e-3)) ** n
        ) ** (-1 / n)
        return radius * np.sin(angle), centre + radius * np.cos(angle)

    def _relief(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height of the face over the section at frontal points."""
        # Towards the camera, in eye distances, added to the smooth section of the head.  The nose
        # is a ridge: its height is interpolated between landmarks along its length, its profile
        # across falls off as exp(-|x|^2.2), flatter on top than a Gaussian.  All else is a sum of
        # Gaussian bumps at landmarks: wings of the nose, sockets (negative) with the eyeballs in
        # them, brow ridges, cheek bones, lips and the groove between them, chin, philtrum.
        p = self.points.astype(np.float64)
        one = self._identity

        def bump(cx: float, cy: float, sx: float, sy: float) -> NDArray[np.float64]:
            return np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2) / 2)

        along = np.array([p[27, 1] - 0.25, p[27, 1], p[28, 1], p[29, 1], p[30, 1], p[33, 1],
                          p[33, 1] + 0.08])  # fmt: skip
        ridge = np.interp(y, along, np.array([0.0, 0.07, 0.17, 0.29, 0.38, 0.1, 0.0]))
        width = np.interp(y, along, np.array([0.1, 0.08, 0.09, 0.12, 0.13, 0.14, 0.14]))
        height = (
            one.nose_height
            * ridge
            * np.exp(-(np.abs(x / (width * one.nose_width * one.width)) ** 2.2) / 1.6)
        )
        ala = abs(p[31, 0]) * 0.82
        for side in (-1, 1):
            eye = p[36:42].mean(axis=0) if side < 0 else p[42:48].mean(axis=0)
            height += 0.14 * one.nose_height * bump(side * ala, p[31, 1] - 0.05, 0.075, 0.075)
            height += one.relief * (
                -0.11 * bump(eye[0], eye[1] - 0.04, 0.26, 0.16)
                + 0.075 * bump(eye[0], eye[1], 0.15, 0.09)
                + 0.05 * bump(eye[0] * 1.1, p[19, 1], 0.3, 0.09)
                + 0.06 * bump(side * 0.68, 0.5, 0.25, 0.25)
            )
        upper, inner, lower = p[51, 1], (p[62, 1] + p[66, 1]) / 2, p[57, 1]
        reach = abs(p[48, 0]) * 0.7
        height += one.relief * (
            0.05 * bump(0, (upper + p[62, 1]) / 2, reach, 0.05)
            + 0.05 * bump(0, (lower + p[66, 1]) / 2, reach, 0.06)
            - 0.05 * bump(0, inner, reach, 0.03)
            - 0.05 * bump(0, lower + 0.1, 0.2, 0.05)
            + 0.07 * bump(0, lower + 0.3, 0.22, 0.14)
            - 0.02 * bump(0, upper - 0.1, 0.06, 0.08)
        )
        return np.asarray(height)
