"""What is behind and before a person: rooms, streets, chairs, hands."""

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.shape import FloatArray
from thermoseg.phantom.skin import smooth_noise


def draw_background(
    rng: np.random.Generator, height: int, width: int, room_c: float, skin_c: float
) -> FloatArray:
    """Invent a background, (height, width) float32 °C."""
    # Three in ten are plain walls, the others have furniture, a street or clutter; half are
    # blurred, as the focus is on the face.  Temperatures spread by the contrast of skin and room,
    # so that a warm room is no empty picture.
    scene = room_c + float(rng.choice([0.15, 0.5, 1.5])) * smooth_noise(rng, height, width, 3, 4)
    slope = rng.normal(0, 1.0, 2)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    scene = scene + float(slope[0]) * y + float(slope[1]) * x
    kind = rng.random()
    spread = max(abs(skin_c - room_c), 3.0)
    if kind < 0.3:
        pass
    elif kind < 0.6:
        _furnish(rng, scene, int(rng.integers(1, 8)), room_c, spread)
    elif kind < 0.8:
        _street(rng, scene, room_c, spread)
    else:
        _furnish(rng, scene, int(rng.integers(8, 40)), room_c, spread)
    if rng.random() < 0.15:
        _chair(rng, scene, room_c + rng.uniform(0.2, 1.0) * (skin_c - room_c))
    if rng.random() < 0.5:
        scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.5, 4.0)))
    return np.asarray(scene, np.float32)


def _furnish(
    rng: np.random.Generator, scene: FloatArray, count: int, room_c: float, spread: float
) -> None:
    height, width = scene.shape
    for _ in range(count):
        value = float(room_c + rng.normal(0, 0.6) * spread)
        centre = rng.uniform(0, 1, 2) * (width, height)
        size = rng.uniform(0.03, 0.5, 2) * (width, height) / 2
        shape = rng.random()
        if shape < 0.45:
            corner, other = _pixel(centre - size), _pixel(centre + size)
            thickness = -1 if rng.random() < 0.7 else int(rng.integers(1, 7))
            cv2.rectangle(scene, corner, other, value, thickness)
        elif shape < 0.7:
            angle = float(rng.uniform(0, 180))
            cv2.ellipse(
                scene, (tuple(centre.tolist()), tuple((2 * size).tolist()), angle), value, -1
            )
        elif shape < 0.85:
            end = centre + rng.normal(0, 0.6, 2) * (width, height)
            cv2.line(scene, _pixel(centre), _pixel(end), value, int(rng.integers(1, 12)))
        else:
            corners = centre + rng.normal(0, 0.5, (int(rng.integers(3, 8)), 2)) * size * 2
            cv2.fillPoly(scene, [corners.astype(np.int32)], value)


def _street(rng: np.random.Generator, scene: FloatArray, room_c: float, spread: float) -> None:
    height, width = scene.shape
    horizon = int(rng.uniform(0.1, 0.8) * height)
    ground = room_c + rng.normal(0.2, 0.8) * spread
    texture = smooth_noise(rng, height - horizon, width, 40, 50) * rng.uniform(0.05, 0.5)
    scene[horizon:] = ground + texture
    scene[:horizon] = room_c - rng.uniform(0, 1.2) * spread
    for _ in range(int(rng.integers(0, 8))):
        left = int(rng.uniform(-0.1, 1) * width)
        right = left + int(rng.uniform(0.02, 0.3) * width)
        top = int(rng.uniform(-0.2, 0.9) * horizon)
        wall = float(room_c + rng.normal(0, 0.5) * spread)
        cv2.rectangle(scene, (left, top), (right, horizon), wall, -1)
        if rng.random() < 0.5:
            for row in range(top + 3, horizon, int(rng.integers(6, 20))):
                value = wall + float(rng.normal(0, 0.3) * spread)
                cv2.line(scene, (left, row), (right, row), value, int(rng.integers(1, 5)))
    for _ in range(int(rng.integers(0, 6))):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0.3, 1.2) * horizon))
        tree = float(room_c + rng.normal(-0.2, 0.4) * spread)
        cv2.circle(scene, centre, int(rng.uniform(0.02, 0.12) * width), tree, -1)
    for _ in range(int(rng.integers(0, 4))):
        column = int(rng.uniform(0, width))
        pole = float(room_c + rng.normal(0, 0.5) * spread)
        cv2.line(scene, (column, 0), (column, height), pole, int(rng.integers(1, 6)))


def _chair(rng: np.random.Generator, scene: FloatArray, celsius: float) -> None:
    height, width = scene.shape
    cx, half = width * rng.uniform(0.3, 0.7), width * rng.uniform(0.12, 0.4)
    top = height * rng.uniform(0.0, 0.7)
    layer = np.zeros_like(scene)
    corner, other = (int(cx - half), int(top)), (int(cx + half), height)
    cv2.rectangle(layer, corner, other, 1.0, -1)
    soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(1, 5))), np.float32)
    scene += soft * (np.float32(celsius) - scene)


def draw_hand(
    rng: np.random.Generator,
    celsius: FloatArray,
    near_xy: FloatArray,
    size_px: float,
    skin_c: float,
) -> None:
    """Lay a hand over the picture, in place.

    Parameters
    ----------
    celsius
        (height, width) °C.
    near_xy
        (2,) where the fingers point, pixels.
    size_px
        Eye distance of the face; a palm is about 1.3 of it wide.
    """
    # The hand is a skeleton of thick lines in one 8-bit layer: `out` points from the finger tips
    # along the arm, `side` across the palm.  The layer is blurred twice: a little, which gives the
    # alpha of its border, and by an eighth of the eye distance, which is near 1 in the palm and
    # lower in the thin fingers, so these come out colder or warmer than the palm as a whole.
    height, width = celsius.shape
    warmth = skin_c + rng.normal(-1.0, 1.5)
    arm = rng.uniform(0, 2 * np.pi)
    out = np.array([np.cos(arm), np.sin(arm)])
    side = np.array([-out[1], out[0]])
    palm = near_xy + out * size_px * 1.1
    layer = np.zeros((height, width), np.uint8)

    def limb(start: np.ndarray, end: np.ndarray, thickness: float) -> None:
        cv2.line(layer, _pixel(start), _pixel(end), 255, max(1, int(thickness)), cv2.LINE_AA)

    for finger in range(4):
        root = palm + side * size_px * (finger - 1.5) * 0.33
        tip = root - out * size_px * rng.uniform(0.7, 1.3) + side * rng.normal(0, 0.1) * size_px
        limb(root, tip, 0.27 * size_px)
    limb(
        palm + side * size_px * 0.6,
        palm + side * size_px * 1.1 - out * size_px * 0.5,
        0.3 * size_px,
    )
    limb(palm, palm + out * size_px * 0.6, 1.3 * size_px)
    limb(palm, palm + out * size_px * 8, 0.9 * size_px)
    mask = cv2.GaussianBlur(layer.astype(np.float32) / 255, (0, 0), 0.6 + 0.015 * size_px)
    inside = cv2.GaussianBlur(layer.astype(np.float32) / 255, (0, 0), 1 + 0.12 * size_px)
    hand = (
        warmth + (inside - 0.8) * rng.normal(0, 2.0) + 0.3 * smooth_noise(rng, height, width, 9, 9)
    )
    celsius += (mask * (hand - celsius)).astype(np.float32)


def _pixel(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.clip(point, -4000, 4000)
    return int(x), int(y)
