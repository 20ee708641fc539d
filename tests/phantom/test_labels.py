"""Labels against an independent painting of the landmarks' hulls."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from thermoseg.labels import FACE_REGIONS, Region
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.people import Person
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.pictures import compose
from thermoseg.phantom.render import Pose

PAINTING_ORDER = [
    (1, range(17)),  # chin: the jaw line
    (2, range(48, 68)),  # mouth, outer and inner
    (3, range(36, 42)),  # right eye
    (3, range(42, 48)),  # left eye
    (4, range(17, 22)),  # right brow
    (4, range(22, 27)),  # left brow
    (5, range(27, 36)),  # nose bridge and bottom
]
"""Labels of the paper's preparation and their landmarks; later ones cover earlier ones."""


def painted_by_hand(
    landmarks: NDArray[np.float32], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Label each pixel by which hulls its centre lies in.

    Returns
    -------
    The labels, and where they are beyond doubt: more than a pixel from every border.
    """
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint8)
    certain = np.ones(shape, np.bool_)
    for label, points in PAINTING_ORDER:
        sides = ConvexHull(landmarks[list(points)].astype(np.float64)).equations
        outside = np.max([a * x + b * y + c for a, b, c in sides], axis=0)
        labels[outside <= 0] = label
        certain &= np.abs(outside) > 1
    return labels, certain


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(np.sum(one & other) / np.sum(one | other))


@pytest.mark.parametrize(
    "pose",
    [
        Pose(),
        Pose(30, 0, 0),
        Pose(-60, 0, 0),
        Pose(0, 30, 0),
        Pose(0, -30, 0),
        Pose(-20, 10, 30, 0.1, 0.05, 0.8),
        Pose(10, 0, 120, -0.3, 0.2, 1.3),
    ],
    ids=str,
)
def test_labels_are_the_hulls_of_the_landmarks(pose: Pose) -> None:
    body = Physiology(motion=0, blink_every_s=0)
    picture = Phantom(Sitter(seed=2, pose=pose, physiology=body)).picture(0.0, 512, 640)
    expected, certain = painted_by_hand(picture.landmarks, (512, 640))

    assert np.array_equal(picture.labels[certain], expected[certain])
    assert np.count_nonzero(expected) > 20_000
    for region in FACE_REGIONS:
        # OpenCV fills the border too, half a pixel more on each side.
        assert overlap(picture.labels == region, expected == region) > 0.8


def test_labels_of_a_training_picture_are_the_hulls_of_its_one_face() -> None:
    rng = np.random.default_rng(8)
    person = Person.draw(rng)
    pictures = [compose(rng, person, [], 256, 320) for _ in range(8)]
    faces = [picture for picture in pictures if picture.landmarks]

    assert len(faces) >= 6, "few heads are turned away"
    for picture in faces:
        expected, certain = painted_by_hand(picture.landmarks[0], (256, 320))
        assert np.array_equal(picture.labels[certain], expected[certain])


def test_a_head_turned_away_has_no_labels() -> None:
    rng = np.random.default_rng(0)
    person = Person.draw(rng)
    turned_away = 0
    for _ in range(120):
        picture = compose(rng, person, [], 30, 40)
        if not picture.landmarks:
            turned_away += 1
            assert not picture.labels.any()
    assert turned_away > 0


def test_the_nearest_face_covers_the_others() -> None:
    rng = np.random.default_rng(4)
    one, other = Person.draw(rng), Person.draw(rng)
    pictures = [compose(rng, one, [other], 128, 160) for _ in range(6)]
    pairs = [picture for picture in pictures if len(picture.landmarks) == 2]

    assert len(pairs) >= 3
    for picture in pairs:
        expected, certain = painted_by_hand(picture.landmarks[1], (128, 160))
        face = certain & (expected != Region.BACKGROUND)
        assert np.array_equal(picture.labels[face], expected[face])
