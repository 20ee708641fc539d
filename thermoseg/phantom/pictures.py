"""Training pictures: people in surroundings, seen once, with the labels of their faces."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.people import Climate, Person, paint_labels
from thermoseg.phantom.render import Pose
from thermoseg.phantom.shape import FloatArray
from thermoseg.phantom.surroundings import draw_background, draw_hand

PHANTOM_VERSION: Final = "5"
"""Raised when the same seed no longer gives the same picture; stored in model headers."""

_TURNED_AWAY_DEG: Final = 95.0
"""A head turned further shows no face and gets no labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture and its truth."""

    celsius: FloatArray
    """(height, width) °C, before any camera."""
    labels: NDArray[np.uint8]
    """(height, width) values of `Region`."""
    landmarks: tuple[FloatArray, ...]
    """(68, 2) x, y pixels of each face, the nearest last."""


class PictureStream:
    """Endless pictures from one seed.

    Building a person costs more than drawing one, so a small crowd is kept and renewed member by
    member; every picture still has its own pose, place and surroundings.
    """

    def __init__(
        self, seed: int | np.random.SeedSequence, crowd: int = 6, renewal: float = 0.3
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._crowd: list[Person] = []
        self._size = crowd
        self._renewal = renewal

    def draw(self, height: int, width: int) -> Picture:
        """Draw the next picture of that size."""
        rng = self._rng
        if len(self._crowd) < self._size:
            self._crowd.append(Person.draw(rng))
            person = self._crowd[-1]
        else:
            chosen = int(rng.integers(self._size))
            if rng.random() < self._renewal:
                self._crowd[chosen] = Person.draw(rng)
            person = self._crowd[chosen]
        others = int(rng.choice([0, 1, 2, 3], p=[0.84, 0.1, 0.04, 0.02]))
        company = [self._crowd[int(rng.integers(len(self._crowd)))] for _ in range(others)]
        return compose(rng, person, company, height, width)


def compose(
    rng: np.random.Generator, person: Person, company: list[Person], height: int, width: int
) -> Picture:
    """Put people before a background and look at them; the first is nearest."""
    climate = person.climate
    celsius = draw_background(rng, height, width, climate.room_c, climate.skin_c)
    labels = np.zeros((height, width), np.uint8)
    poses = [draw_pose(rng, width / height)]
    for _ in company:
        pose = draw_pose(rng, width / height)
        poses.append(Pose(
            pose.yaw_deg, pose.pitch_deg, pose.roll_deg, float(rng.uniform(-0.6, 0.6)),
            float(rng.uniform(-0.4, 0.3)), poses[0].face_height * float(rng.uniform(0.25, 0.95)),
        ))  # fmt: skip
    order = sorted(
        zip(poses, [person, *company], strict=True), key=lambda pair: pair[0].face_height
    )
    faces: list[FloatArray] = []
    for pose, someone in order:
        landmarks = add_person(rng, celsius, labels, someone, pose, climate)
        if landmarks is not None:
            faces.append(landmarks)
    if faces and rng.random() < 0.07:
        target = faces[-1][int(rng.integers(0, 68))]
        size = float(np.linalg.norm(faces[-1][36:42].mean(0) - faces[-1][42:48].mean(0)))
        draw_hand(rng, celsius, target, max(size, 4.0), climate.skin_c)
    return Picture(celsius, labels, tuple(faces))


def draw_pose(rng: np.random.Generator, aspect: float) -> Pose:
    """Choose how a head is turned and where it is, for a picture `aspect` times as wide as high."""
    yaw = rng.normal(0, 12) if rng.random() < 0.45 else rng.uniform(-65, 65)
    if rng.random() < 0.03:
        yaw = float(rng.choice([-1, 1])) * rng.uniform(110, 180)
    pitch = rng.normal(7, 13) if rng.random() < 0.85 else rng.uniform(15, 42)
    size = rng.random()
    if size < 0.6:
        face_height = rng.uniform(0.4, 0.75)
    elif size < 0.78:
        face_height = rng.uniform(0.2, 0.4)
    elif size < 0.86:
        face_height = rng.uniform(0.08, 0.2)
    else:
        face_height = rng.uniform(0.75, 1.25)
    reach = 0.5 - 0.32 * min(face_height, 0.8)
    return Pose(
        yaw_deg=float(yaw),
        pitch_deg=float(np.clip(pitch, -38, 42)),
        roll_deg=float(rng.normal(0, 9)),
        x=float(rng.uniform(-reach, reach) * aspect),
        y=float(rng.uniform(-reach, reach)),
        face_height=float(face_height),
    )


def add_person(
    rng: np.random.Generator,
    celsius: FloatArray,
    labels: NDArray[np.uint8],
    person: Person,
    pose: Pose,
    climate: Climate,
) -> FloatArray | None:
    """Paint a person and the labels of the face over a picture, in place.

    Parameters
    ----------
    celsius, labels
        (height, width).

    Returns
    -------
    The 68 landmarks, (68, 2) x, y pixels; None of somebody turned away.
    """
    # The surface keeps its offsets from the skin of the climate it was painted in and takes the
    # level of this picture's.  At the rim it emits less and mirrors the room: ε = 1 - rim·(1 - cos
    # θ)³.
    height, width = celsius.shape
    surface, facing, seen = person.stage.draw(pose, height, width, float(rng.uniform(0.1, 0.9)))
    rim = float(rng.uniform(0.1, 0.55))
    emissivity = 1 - rim * (1 - facing) ** 3
    own = surface - person.climate.skin_c + climate.skin_c
    seen_c = emissivity * own + (1 - emissivity) * np.float32(climate.room_c)
    np.copyto(celsius, seen_c.astype(np.float32), where=seen)
    labels[seen] = 0
    if abs(pose.yaw_deg) > _TURNED_AWAY_DEG:
        return None
    landmarks = person.landmarks(pose, height, width)
    paint_labels(labels, landmarks)
    return landmarks
