"""Which labels belong to one face, and which islands no face can have."""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.inference.faces import belonging, find_faces, has_face_layout, most_likely
from thermoseg.labels import NUM_CLASSES, Region


def probabilities(labels: NDArray[np.uint8], certainty: float = 0.8) -> NDArray[np.float32]:
    """`certainty` for the label drawn, half of the rest for the chin."""
    rest = 1 - certainty
    result = np.full((NUM_CLASSES, *labels.shape), rest / 10, np.float32)
    result[Region.CHIN] = rest / 2
    np.put_along_axis(result, labels[np.newaxis], np.float32(certainty), axis=0)
    return result


def draw_face(labels: NDArray[np.uint8], top: int, left: int, scale: int = 1) -> None:
    """Paint a face of 40 x 40 times `scale` pixels; the brows lie apart from the rest."""

    def fill(region: Region, y: int, x: int, height: int, width: int) -> None:
        rows = slice(top + y * scale, top + (y + height) * scale)
        columns = slice(left + x * scale, left + (x + width) * scale)
        labels[rows, columns] = region

    fill(Region.EYEBROWS, 0, 4, 3, 10)
    fill(Region.EYEBROWS, 0, 26, 3, 10)
    fill(Region.CHIN, 8, 0, 32, 40)
    fill(Region.EYES, 7, 6, 4, 8)
    fill(Region.EYES, 7, 26, 4, 8)
    fill(Region.NOSE, 10, 17, 12, 6)
    fill(Region.MOUTH, 28, 12, 4, 16)


def cleaned(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities of a drawn face without what it cannot have."""
    answer = probabilities(labels)
    found = most_likely(answer)
    (face,) = find_faces(*found)
    return answer * belonging(*found, face)


def test_the_likeliest_label_wins_and_the_lowest_wins_a_draw() -> None:
    planes = np.array([[[0.5, 0.2, 0.4]], [[0.3, 0.2, 0.1]], [[0.2, 0.6, 0.4]]], np.float32)

    labels, confidence = most_likely(planes)

    assert labels.tolist() == [[0, 2, 0]]
    np.testing.assert_allclose(confidence, [[0.5, 0.6, 0.4]])


def test_brows_are_joined_to_the_face_below_them() -> None:
    labels = np.zeros((100, 120), np.uint8)
    draw_face(labels, top=30, left=50)

    (face,) = find_faces(*most_likely(probabilities(labels)))

    assert (face.box.top, face.box.left, face.box.height, face.box.width) == (30, 50, 40, 40)
    np.testing.assert_array_equal(face.mask, labels != 0)
    assert face.pixels == np.count_nonzero(labels)
    assert abs(face.confidence - 0.8) < 1e-5


def test_two_faces_side_by_side_stay_two_and_the_larger_comes_first() -> None:
    labels = np.zeros((200, 260), np.uint8)
    draw_face(labels, top=20, left=10)
    draw_face(labels, top=20, left=60, scale=3)

    large, small = find_faces(*most_likely(probabilities(labels)))

    assert (large.box.left, large.box.width) == (60, 120)
    assert (small.box.left, small.box.width) == (10, 40)
    assert not (large.mask & small.mask).any()


def test_a_collar_taken_for_a_chin_is_no_face() -> None:
    labels = np.zeros((100, 120), np.uint8)
    labels[60:80, 20:100] = Region.CHIN
    labels[70:75, 50:60] = Region.MOUTH

    assert find_faces(*most_likely(probabilities(labels))) == []


def test_nothing_is_found_where_nothing_is() -> None:
    assert find_faces(*most_likely(probabilities(np.zeros((50, 60), np.uint8)))) == []


def test_noise_of_thousands_of_islands_ends_soon() -> None:
    noise = np.random.default_rng(1).random((NUM_CLASSES, 256, 320)).astype(np.float32)
    noise[0] += 0.6

    assert isinstance(find_faces(*most_likely(noise)), list)


def test_a_second_nose_on_the_cheek_becomes_cheek() -> None:
    labels = np.zeros((100, 120), np.uint8)
    draw_face(labels, top=30, left=50)
    truth = labels.copy()
    labels[50:55, 80:85] = Region.NOSE

    found, confidence = most_likely(cleaned(labels))

    np.testing.assert_array_equal(found, truth)
    np.testing.assert_allclose(confidence[52, 82], 0.1, atol=1e-6)


def test_both_eyes_and_both_brows_are_kept() -> None:
    labels = np.zeros((100, 120), np.uint8)
    draw_face(labels, top=30, left=50)

    np.testing.assert_array_equal(most_likely(cleaned(labels))[0], labels)


def test_of_three_eyes_the_least_likely_goes() -> None:
    labels = np.zeros((100, 120), np.uint8)
    draw_face(labels, top=30, left=50)
    truth = labels.copy()
    labels[53:56, 52:60] = Region.EYES

    np.testing.assert_array_equal(most_likely(cleaned(labels))[0], truth)


def test_cleaning_leaves_the_network_s_answer_untouched() -> None:
    labels = np.zeros((100, 120), np.uint8)
    draw_face(labels, top=30, left=50)
    labels[50:55, 80:85] = Region.NOSE
    found = most_likely(probabilities(labels))
    before = tuple(each.copy() for each in found)

    belonging(*found, find_faces(*found)[0])

    for now, then in zip(found, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_neighbour_is_taken_out_of_a_face_s_crop() -> None:
    labels = np.zeros((100, 160), np.uint8)
    draw_face(labels, top=30, left=20)
    draw_face(labels, top=30, left=100)
    answer = probabilities(labels)
    found = most_likely(answer)
    left_face = next(face for face in find_faces(*found) if face.box.left == 20)

    alone, confidence = most_likely(answer * belonging(*found, left_face))

    np.testing.assert_array_equal(alone[:, :80], labels[:, :80])
    assert not alone[:, 80:].any()
    assert confidence[60, 120] < 0.1


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_face_has_the_layout_of_one_whatever_its_roll(quarter_turns: int) -> None:
    labels = np.zeros((120, 120), np.uint8)
    draw_face(labels, top=30, left=50)

    assert has_face_layout(np.rot90(labels, quarter_turns))


def test_a_mouth_above_the_nose_or_no_cheeks_is_not_the_layout_of_a_face() -> None:
    labels = np.zeros((120, 120), np.uint8)
    draw_face(labels, top=30, left=50)
    swapped = labels.copy()
    swapped[labels == Region.MOUTH] = Region.CHIN
    swapped[34:38, 60:80] = Region.MOUTH
    without_mouth = np.where(labels == Region.MOUTH, Region.CHIN, labels)
    without_cheeks = np.where(labels == Region.CHIN, Region.BACKGROUND, labels)

    for wrong in (swapped, without_mouth, without_cheeks):
        assert not has_face_layout(wrong.astype(np.uint8))
