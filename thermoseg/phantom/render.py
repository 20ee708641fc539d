"""From parts to a picture: one atlas of textures, one pass of a z-buffer, one look-up.

Drawing is OpenCV's software rasteriser; a picture of 640×512 costs a few milliseconds.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.body import Part
from thermoseg.phantom.shape import FloatArray

_ATLAS_WIDTH: Final = 1024
_FAR: Final = 1000.0
_FOV_Y: Final = 0.6
"""Vertical field of view, radians: a usual 25-50° lens; distance sets the size of a face."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Position and rotation of a head."""

    yaw_deg: float = 0.0
    """Positive turns the nose to the right of the picture."""
    pitch_deg: float = 0.0
    """Positive lifts the nose."""
    roll_deg: float = 0.0
    """Positive turns the top of the head to the right of the picture."""
    x: float = 0.0
    """Shift of the face centre to the right, fraction of the picture's height."""
    y: float = 0.0
    """Shift of the face centre downwards, fraction of the picture's height."""
    face_height: float = 0.5
    """Brows to chin (2.2 eye distances) as a fraction of the picture's height."""

    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) matrix from the head frame to the camera's (x right, y down, z to the viewer)."""
        # Roll after pitch after yaw, seen from the camera: the head turns on the neck first and is
        # tilted as a whole last, so a roll is a rotation in the picture whatever the yaw.
        yaw, pitch, roll = np.deg2rad([self.yaw_deg, self.pitch_deg, self.roll_deg])
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        cr, sr = np.cos(roll), np.sin(roll)
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(tilt @ nod @ turn)


FACE_CENTRE: Final = np.array([0.0, 0.7, -0.3])
"""The point of the head frame about which it turns in the picture: between nose and ears."""
NECK: Final = np.array([0.0, 1.6, -1.2])
"""The joint about which the head turns on the body, head frame."""


class Stage:
    """All parts of one person, ready to be seen from anywhere."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._vertices = [part.grid.reshape(-1, 3) for part in parts]
        self._normals = [_normals(part.grid).reshape(-1, 3) for part in parts]
        self._build_atlas()
        triangles, start = [], 0
        for part in parts:
            rows, columns = part.grid.shape[:2]
            triangles.append(_triangles(rows, columns, part.two_sided) + start)
            start += rows * columns
        self._triangles = np.concatenate(triangles)[None]
        self._rim = np.concatenate(
            [
                np.full(len(v), p.shading, np.float32)
                for v, p in zip(self._vertices, parts, strict=True)
            ]
        )

    @property
    def atlas(self) -> FloatArray:
        """Textures below each other, °C; writable: the part in row 0 is the head's skin."""
        return self._atlas

    def draw(
        self, pose: Pose, height: int, width: int, body_share: float
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Look at the person.

        Parameters
        ----------
        body_share
            How much of the head's turn the body follows, 0-1.

        Returns
        -------
        celsius
            (height, width) °C where `seen`, else 0.
        facing
            (height, width) cosine between the surface and the line of sight, 0-1, scaled by the
            part's shading.
        seen
            (height, width) where the person covers the background.
        """
        # Vertices are rotated, not the camera: the head about FACE_CENTRE, the body about the neck,
        # which itself moves with the head, so that they never part.  What OpenCV interpolates over
        # each triangle is not a temperature but where to look in the atlas (u, v) and the cosine to
        # the line of sight; the look-up comes after it, or every texel of skin would need a vertex.
        # OpenCV's camera has y up, hence the turned signs.
        rotation = pose.rotation()
        body = Pose(
            pose.yaw_deg * body_share, pose.pitch_deg * 0.15, pose.roll_deg * 0.4
        ).rotation()
        points, facing = [], []
        pivot = rotation @ (NECK - FACE_CENTRE)
        for part, vertices, normals in zip(self._parts, self._vertices, self._normals, strict=True):
            if part.follows_head:
                points.append((vertices - FACE_CENTRE) @ rotation.T)
                facing.append(np.abs(normals @ rotation[2]))
            else:
                points.append((vertices - NECK) @ body.T + pivot)
                facing.append(np.abs(normals @ body[2]))
        where = place(np.concatenate(points), pose).astype(np.float32)
        where[:, 1:] *= -1
        cosine = 1 - self._rim * (1 - np.concatenate(facing))
        colours = np.concatenate([self._uv, cosine[:, None]], axis=1).astype(np.float32)
        picture = np.zeros((height, width, 3), np.float32)
        depth = np.full((height, width), _FAR, np.float32)
        cv2.triangleRasterize(
            where[None], self._triangles, colours[None], picture, depth,
            np.eye(4, dtype=np.float32), _FOV_Y, 0.05, _FAR,
        )  # fmt: skip
        u, v, shade = cv2.split(picture)
        celsius = cv2.remap(
            self._atlas,
            u * self._atlas.shape[1],
            v * self._atlas.shape[0],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(celsius), np.asarray(shade), depth < _FAR / 2

    def _build_atlas(self) -> None:
        # Shelf packing: textures stand side by side until a shelf is full.  Coordinates are kept
        # one texel away from the border of their texture, or bilinear look-up would mix in the
        # neighbour's.
        shelves: list[tuple[Part, int, int]] = []
        row, column, shelf = 0, 0, 0
        for part in self._parts:
            h, w = part.celsius.shape
            if column + w > _ATLAS_WIDTH:
                row, column, shelf = row + shelf, 0, 0
            shelves.append((part, row, column))
            column, shelf = column + w, max(shelf, h)
        height = row + shelf
        self._atlas = np.zeros((height, _ATLAS_WIDTH), np.float32)
        uv = []
        for part, top, left in shelves:
            h, w = part.celsius.shape
            self._atlas[top : top + h, left : left + w] = part.celsius
            inset = np.clip(part.texture.reshape(-1, 2) * (w, h), 1, (w - 1, h - 1))
            uv.append(np.add(inset, (left, top)) / (_ATLAS_WIDTH, height))
        self._uv = np.concatenate(uv).astype(np.float32)


def place(points: NDArray[np.floating], pose: Pose) -> NDArray[np.float64]:
    """Move points, (n, 3) around the face centre, to where the camera sees them.

    Returns
    -------
    (n, 3) x right, y down, z away from the camera, positive.
    """
    # A plane at distance d shows 2·d·tan(fov/2) of height; `distance` makes 2.2 eye distances,
    # brows to chin, the wanted fraction of it.  What would lie behind the near plane of the
    # rasteriser (0.05) is moved just before it.
    tangent = np.tan(_FOV_Y / 2)
    distance = 2.2 / (2 * tangent * pose.face_height)
    out = np.asarray(points, np.float64).copy()
    out[:, 0] += 2 * tangent * distance * pose.x
    out[:, 1] += 2 * tangent * distance * pose.y
    out[:, 2] = np.maximum(distance - out[:, 2], 0.06)
    return out


def project(points: NDArray[np.floating], pose: Pose, height: int, width: int) -> FloatArray:
    """Return where points of the head frame, (n, 3), appear: (n, 2) x, y pixels."""
    # The same pinhole as `Stage.draw`: focal length from the vertical field of view.  Pixel centres
    # are whole numbers here, so the picture begins at -0.5.
    turned = (np.asarray(points, np.float64) - FACE_CENTRE) @ pose.rotation().T
    seen = place(turned, pose)
    focal = height / 2 / np.tan(_FOV_Y / 2)
    x = width / 2 + focal * seen[:, 0] / seen[:, 2] - 0.5
    y = height / 2 + focal * seen[:, 1] / seen[:, 2] - 0.5
    return np.stack([x, y], axis=-1).astype(np.float32)


def _triangles(rows: int, columns: int, two_sided: bool) -> NDArray[np.int32]:
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    corners = [(a, c, b), (b, c, d)]
    if two_sided:
        corners += [(a, b, c), (b, d, c)]
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in corners]).astype(np.int32)


def _normals(grid: FloatArray) -> FloatArray:
    down, along = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normal = np.cross(along, down)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.asarray(normal / np.maximum(length, 1e-6), np.float32)
