"""A face of polygons, whose places and temperatures are known."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.labels import Region

Labels = NDArray[np.uint8]
Celsius = NDArray[np.float32]
Point = tuple[float, float]

SKIN_C, ROOM_C = 34.0, 22.0
JAW = [(-1.1, 0.0), (-1.0, 0.9), (-0.6, 1.6), (0.0, 1.9), (0.6, 1.6), (1.0, 0.9), (1.1, 0.0)]
MOUTH = [(-0.4, 1.15), (0.0, 1.03), (0.4, 1.15), (0.0, 1.35)]
NOSE = [(0.0, -0.04), (0.26, 0.73), (0.0, 0.8), (-0.26, 0.73)]
RIGHT_EYE = [(-0.73, 0.0), (-0.5, -0.09), (-0.27, 0.0), (-0.5, 0.09)]
RIGHT_BROW = [(-0.88, -0.25), (-0.55, -0.45), (-0.19, -0.33), (-0.55, -0.36)]
RIGHT_NOSTRIL, LEFT_NOSTRIL = (-0.12, 0.72), (0.12, 0.72)


class DrawnFace:
    """A face of polygons, in distances of the eye centres, anywhere in the picture."""

    def __init__(
        self,
        roll_deg: float = 0.0,
        unit_px: float = 60.0,
        centre: Point = (160.0, 128.0),
        shape: tuple[int, int] = (256, 320),
    ) -> None:
        turn = np.deg2rad(roll_deg)
        self.matrix = unit_px * np.array(
            [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        )
        self.centre, self.shape, self.unit_px = np.array(centre), shape, unit_px

    def at(self, point: Point) -> tuple[int, int]:
        """Row and column of a point of the face, whose middle lies at (0, 0.7)."""
        x, y = self.matrix @ (np.array(point) - [0, 0.7]) + self.centre
        return round(float(y)), round(float(x))

    def polygon(self, points: Sequence[Point], mirrored: bool = False) -> NDArray[np.int32]:
        sign = -1 if mirrored else 1
        return np.array([self.at((sign * x, y))[::-1] for x, y in points], np.int32)

    def labels(self, without: Sequence[Region] = ()) -> Labels:
        labels = np.zeros(self.shape, np.uint8)
        for region, points in (
            (Region.CHIN, JAW),
            (Region.MOUTH, MOUTH),
            (Region.EYES, RIGHT_EYE),
            (Region.EYEBROWS, RIGHT_BROW),
            (Region.NOSE, NOSE),
        ):
            if region not in without:
                for mirrored in (False, True):
                    cv2.fillPoly(labels, [self.polygon(points, mirrored)], int(region))
        return labels

    def celsius(self, breath_k: float = 0.0) -> Celsius:
        """Skin with a little texture that belongs to the face, nostrils warmer by `breath_k`."""
        celsius = np.full(self.shape, ROOM_C, np.float32)
        skin = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(skin, [self.polygon(JAW)], 1)
        cv2.fillPoly(skin, [self.polygon([(-1.1, 0.0), (-0.9, -0.9), (0.9, -0.9), (1.1, 0.0)])], 1)
        celsius[skin > 0] = SKIN_C
        for x, y in ((-0.6, 0.9), (0.5, 0.4), (0.3, 1.6), (-0.2, -0.5)):
            row, column = self.at((x, y))
            cv2.circle(celsius, (column, row), round(0.15 * self.unit_px), SKIN_C + 0.8, -1)
        for nostril in (RIGHT_NOSTRIL, LEFT_NOSTRIL):
            row, column = self.at(nostril)
            radius = max(1, round(0.07 * self.unit_px))
            cv2.circle(celsius, (column, row), radius, SKIN_C - 0.5 + breath_k, -1)
        noise = np.random.default_rng(5).standard_normal(self.shape, np.float32)
        return celsius + np.float32(0.01) * noise


POSES = [
    pytest.param(DrawnFace(roll, unit), id=f"roll {roll}, {unit} px")
    for roll in (-150, -90, -30, 0, 20, 75, 180)
    for unit in (20, 60)
]
"""At any roll, near and far."""
