"""Regions of drawn faces, whose places are known, and of the phantom."""

import numpy as np
import pytest

from tests.drawn_face import LEFT_NOSTRIL, POSES, RIGHT_NOSTRIL, DrawnFace, Labels
from thermoseg.face_geometry import FaceAxis, RoiMask, find_rois
from thermoseg.labels import Region
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.render import Pose

PHILTRUM, RIGHT_WING_SIDE, LEFT_WING_SIDE = (0.0, 0.92), (-0.36, 0.7), (0.36, 0.7)


def axis_of(labels: Labels) -> FaceAxis | None:
    found = find_rois(labels)
    return None if found is None else found.axis


@pytest.mark.parametrize("roll_deg", [-170, -120, -60, -15, 0, 10, 45, 90, 135])
@pytest.mark.parametrize(
    "without",
    [(), (Region.EYES,), (Region.MOUTH,), (Region.EYEBROWS, Region.NOSE), (Region.CHIN,)],
    ids=lambda regions: "all" if not regions else "without " + "+".join(r.label for r in regions),
)
def test_the_axis_follows_the_roll(roll_deg: float, without: tuple[Region, ...]) -> None:
    axis = axis_of(DrawnFace(roll_deg).labels(without))

    assert axis is not None
    off = (axis.roll_deg - roll_deg + 180) % 360 - 180
    assert abs(off) < 5
    assert axis.unit_px == pytest.approx(60, rel=0.15)
    assert set(axis.regions).isdisjoint(without)


@pytest.mark.parametrize(
    "only", [(), (Region.NOSE,), (Region.MOUTH, Region.CHIN), (Region.NOSE, Region.CHIN)]
)
def test_no_axis_is_claimed_from_too_little(only: tuple[Region, ...]) -> None:
    labels = DrawnFace().labels()
    labels[~np.isin(labels, only)] = 0

    assert axis_of(labels) is None


@pytest.mark.parametrize("face", POSES)
def test_nostrils_are_found_apart_whatever_roll_and_size(face: DrawnFace) -> None:
    found = find_rois(face.labels())

    assert found is not None
    right, left = found.mask("nostril_right"), found.mask("nostril_left")
    assert right[face.at(RIGHT_NOSTRIL)]
    assert left[face.at(LEFT_NOSTRIL)]
    assert not (right & left).any()
    np.testing.assert_array_equal(right | left, found.mask("nostrils"))
    nose = face.labels() == Region.NOSE
    assert not (found.mask("nostrils") & ~nose).any()
    assert not found.mask("nostrils")[face.at((0.0, 0.3))]


def test_the_subjects_right_is_the_left_of_the_picture() -> None:
    found = find_rois(DrawnFace().labels())

    assert found is not None
    assert found.masks["nostril_right"].centre()[1] < found.masks["nostril_left"].centre()[1]


@pytest.mark.parametrize("face", POSES)
def test_the_perinasal_region_lies_on_the_skin_around_the_nostrils(face: DrawnFace) -> None:
    found = find_rois(face.labels())

    assert found is not None
    perinasal = found.mask("perinasal")
    for place in (PHILTRUM, RIGHT_WING_SIDE, LEFT_WING_SIDE):
        assert perinasal[face.at(place)]
    assert (face.labels()[perinasal] == Region.CHIN).all()
    for place in ((0.0, 1.5), (-0.8, 0.7), (0.8, 0.7), (0.6, 1.2)):
        assert not perinasal[face.at(place)]


def test_without_a_mouth_the_perinasal_region_ends_where_one_would_begin() -> None:
    face = DrawnFace()
    found = find_rois(face.labels(without=[Region.MOUTH]))

    assert found is not None
    assert found.mask("perinasal")[face.at(PHILTRUM)]
    assert not found.mask("perinasal")[face.at((0.0, 1.15))]


def test_without_a_chin_label_the_perinasal_region_stays_near_nose_and_mouth() -> None:
    face = DrawnFace()
    found = find_rois(face.labels(without=[Region.CHIN]))

    assert found is not None
    perinasal = found.mask("perinasal")
    assert perinasal[face.at(PHILTRUM)]
    assert (face.labels(without=[Region.CHIN])[perinasal] == Region.BACKGROUND).all()


def test_a_mouth_on_the_collar_does_not_stretch_the_perinasal_region() -> None:
    face = DrawnFace()
    labels = face.labels(without=[Region.MOUTH])
    row, column = face.at((0.0, 1.8))
    labels[row - 4 : row + 4, column - 20 : column + 20] = Region.MOUTH
    found = find_rois(labels)

    assert found is not None
    assert not found.mask("perinasal")[face.at((0.0, 1.5))]


def test_no_face_has_no_regions() -> None:
    assert find_rois(np.zeros((48, 64), np.uint8)) is None


def test_masks_and_their_pixels_are_read_only() -> None:
    found = find_rois(DrawnFace().labels())

    assert found is not None
    assert not any(mask.inside.flags.writeable for mask in found.masks.values())


def test_the_largest_of_two_faces_is_measured() -> None:
    near = DrawnFace(roll_deg=15, unit_px=50, centre=(90, 128))
    far = DrawnFace(unit_px=25, centre=(260, 128))
    labels = np.maximum(near.labels(), far.labels())
    found = find_rois(labels)

    assert found is not None
    np.testing.assert_array_equal(found.mask("nose"), near.labels() == Region.NOSE)
    np.testing.assert_array_equal(found.mask("chin"), near.labels() == Region.CHIN)


def test_stray_pixels_far_from_the_face_are_ignored() -> None:
    face = DrawnFace(unit_px=40)
    labels = face.labels()
    labels[4:12, 4:12] = Region.NOSE
    labels[240:250, 300:316] = Region.MOUTH
    found = find_rois(labels)

    assert found is not None
    np.testing.assert_array_equal(found.mask("nose"), face.labels() == Region.NOSE)


def test_a_second_nose_on_the_cheek_is_ignored() -> None:
    face = DrawnFace()
    labels = face.labels()
    row, column = face.at((0.7, 0.8))
    labels[row - 4 : row + 4, column - 4 : column + 4] = Region.NOSE
    found = find_rois(labels)

    assert found is not None
    np.testing.assert_array_equal(found.mask("nose"), face.labels() == Region.NOSE)


def test_a_nose_too_narrow_to_split_is_one_region_and_said_to_be() -> None:
    found = find_rois(DrawnFace(unit_px=9, shape=(60, 80), centre=(40, 30)).labels())

    assert found is not None
    assert "nostrils" in found.masks
    assert found.too_small == {"nostril_right", "nostril_left"}
    assert found.too_small.isdisjoint(found.masks)


def test_a_held_mask_that_leaves_the_picture_is_cut_off() -> None:
    mask = RoiMask.tight(np.ones((4, 6), np.bool_), top=10, left=20)

    assert mask is not None
    moved = mask.moved(-12, 0, (30, 40))
    assert moved is not None
    assert (moved.top, moved.left, moved.inside.shape) == (0, 20, (2, 6))
    assert mask.moved(100, 0, (30, 40)) is None


@pytest.mark.parametrize("roll_deg", [-30, 0, 30])
def test_the_axis_of_the_phantom_is_its_own(roll_deg: float) -> None:
    picture = Phantom(Sitter(pose=Pose(roll_deg=roll_deg))).picture(0.0, 256, 320)
    axis = axis_of(picture.labels)

    assert axis is not None
    assert axis.roll_deg == pytest.approx(roll_deg, abs=5)
