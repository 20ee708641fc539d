"""Faces besides the measured one are found in the mask."""

import numpy as np

from tests.ui.picture.conftest import face_labels
from ui.picture.content import is_inside, other_faces


def test_a_second_face_is_found_and_the_measured_one_is_not_another() -> None:
    labels = np.zeros((240, 320), np.uint8)
    labels[96:144, 0:64] = face_labels((48, 64))
    labels[20:116, 160:288] = face_labels((48, 64)).repeat(2, 0).repeat(2, 1)
    measured = (192.0, 44.0, 256.0, 100.0)

    (other,) = other_faces(labels, measured)

    assert is_inside(other, 30, 130)
    assert not is_inside(other, 220, 80)
    assert len(other_faces(labels, None)) == 2


def test_stray_pixels_are_no_face() -> None:
    labels = np.zeros((240, 320), np.uint8)
    labels[5:8, 5:8] = 1

    assert other_faces(labels, None) == ()
    assert other_faces(np.zeros((240, 320), np.uint8), None) == ()
