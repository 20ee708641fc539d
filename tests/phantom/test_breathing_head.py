"""The living phantom shows in its pictures what it says is true."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from thermoseg.labels import Region
from thermoseg.phantom.head import Phantom, PhantomPicture, Sitter
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose

HEIGHT, WIDTH = 256, 320

CALM = Physiology(pore_onsets_s=(), blink_every_s=0, motion=0.5)
STILL = Physiology(breath_depth_k=0, pore_onsets_s=(), blink_every_s=0, motion=0)


def inside(corners: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a picture whose centres lie in the convex hull of `corners`, (n, 2) x, y."""
    sides = ConvexHull(corners.astype(np.float64)).equations
    y, x = np.mgrid[: shape[0], : shape[1]]
    within: NDArray[np.bool_] = np.all([a * x + b * y + c <= 0 for a, b, c in sides], axis=0)
    return within


def nostril_area(picture: PhantomPicture) -> NDArray[np.bool_]:
    """The lower third of the nose along its own axis, from root (27) to base (33)."""
    points = picture.landmarks
    root, base = points[27].astype(np.float64), points[33].astype(np.float64)
    y, x = np.mgrid[: picture.celsius.shape[0], : picture.celsius.shape[1]]
    axis = base - root
    along = ((x - root[0]) * axis[0] + (y - root[1]) * axis[1]) / (axis @ axis)
    low: NDArray[np.bool_] = along > 2 / 3
    return inside(points[27:36], picture.celsius.shape) & low


def disc(
    picture: PhantomPicture, centre: NDArray[np.float32], radius: float
) -> NDArray[np.float32]:
    y, x = np.mgrid[: picture.celsius.shape[0], : picture.celsius.shape[1]]
    near: NDArray[np.bool_] = np.hypot(x - centre[0], y - centre[1]) <= radius
    return picture.celsius[near]


def eyes(picture: PhantomPicture) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Centre of the right and the left eye, and their distance in pixels."""
    right, left = picture.landmarks[36:42].mean(axis=0), picture.landmarks[42:48].mean(axis=0)
    return right, left, float(np.linalg.norm(left - right))


@pytest.fixture(scope="module")
def calm() -> Phantom:
    return Phantom(Sitter(seed=1, physiology=CALM))


@pytest.fixture(scope="module")
def still() -> Phantom:
    return Phantom(Sitter(seed=1, physiology=STILL))


def test_the_same_seed_and_time_give_the_same_picture(calm: Phantom) -> None:
    first = calm.picture(3.2, 60, 80)
    calm.picture(9.9, 60, 80)
    again = calm.picture(3.2, 60, 80)
    twin = Phantom(Sitter(seed=1, physiology=CALM)).picture(3.2, 60, 80)

    for other in (again, twin):
        assert np.array_equal(first.celsius, other.celsius)
        assert np.array_equal(first.labels, other.labels)
        assert np.array_equal(first.landmarks, other.landmarks)
        assert first.truth == other.truth


def test_another_seed_is_somebody_else_and_another_time_another_picture(calm: Phantom) -> None:
    now = calm.picture(1.0, 60, 80)
    later = calm.picture(2.0, 60, 80)
    other = Phantom(Sitter(seed=2, physiology=CALM)).picture(1.0, 60, 80)

    assert not np.array_equal(now.celsius, later.celsius)
    assert np.abs(now.landmarks - other.landmarks).max() > 0.5


@pytest.mark.parametrize("shape", [(60, 80), (97, 61), (256, 320), (480, 640)])
def test_a_picture_has_the_size_that_was_asked_for(still: Phantom, shape: tuple[int, int]) -> None:
    picture = still.picture(0.0, *shape)

    assert picture.celsius.shape == picture.labels.shape == shape
    assert picture.celsius.dtype == np.float32
    assert picture.labels.dtype == np.uint8
    assert picture.landmarks.shape == (68, 2)
    assert np.isfinite(picture.celsius).all()


def test_one_face_is_the_same_at_every_resolution(still: Phantom) -> None:
    coarse, fine = still.picture(0.0, 128, 160), still.picture(0.0, 512, 640)

    # A pixel's centre is at its whole number, so halves are added before scaling.
    assert np.allclose((coarse.landmarks + 0.5) * 4 - 0.5, fine.landmarks, atol=1e-2)
    for region in Region:
        share = np.mean(coarse.labels == region), np.mean(fine.labels == region)
        assert share[0] == pytest.approx(share[1], rel=0.35, abs=1e-3)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0, 0, 0), (30, 0, 0), (-45, 5, 0), (0, 20, 0), (0, 30, 0), (0, 0, 30), (-30, 15, -30)],
)
def test_the_nostril_area_follows_the_breath(yaw: float, pitch: float, roll: float) -> None:
    phantom = Phantom(Sitter(seed=4, pose=Pose(yaw, pitch, roll, 0.0, 0.02, 0.5), physiology=CALM))
    pictures = [phantom.picture(t, HEIGHT, WIDTH) for t in np.arange(0, 8, 0.5) + 0.1]
    means = np.array([picture.celsius[nostril_area(picture)].mean() for picture in pictures])
    truth = np.array([picture.truth.breath_k for picture in pictures])

    assert np.corrcoef(means, truth)[0, 1] >= 0.95
    # The nostrils are a part of the area, so it swings by less than they do, but visibly.
    assert 0.05 < np.ptp(means) / np.ptp(truth) < 0.8


def test_the_middle_of_a_nostril_swings_by_the_whole_depth() -> None:
    body = Physiology(15, 1.0, pore_onsets_s=(), blink_every_s=0, motion=0)
    phantom = Phantom(Sitter(seed=1, pose=Pose(pitch_deg=15, face_height=0.8), physiology=body))
    out, drawn_in = phantom.picture(1.0, 512, 640), phantom.picture(3.0, 512, 640)
    swing = out.celsius - drawn_in.celsius
    right, left, distance = eyes(out)

    # A breath takes 4 s: the warmest moment is after one second, the coldest after three.
    assert (out.truth.breath_k, drawn_in.truth.breath_k) == pytest.approx((0.5, -0.5))
    assert swing.max() == pytest.approx(1.0, abs=0.08)
    row, column = np.unravel_index(swing.argmax(), swing.shape)
    nearest = min(np.hypot(*(out.landmarks[i] - (column, row))) for i in (32, 34))
    assert nearest < 0.12 * distance
    assert swing.min() > -1e-3
    face_above = swing[: int(max(right[1], left[1]))]
    assert np.abs(face_above).max() < 1e-3, "breath leaves eyes and forehead alone"


def test_the_breath_has_the_rate_that_was_asked_for() -> None:
    body = Physiology(breaths_per_minute=20, breath_depth_k=1.0)
    times_s = np.arange(0, 30, 0.05)
    offsets = np.array([body.breath(t)[1] for t in times_s.tolist()])
    rises = np.flatnonzero((offsets[:-1] < 0) & (offsets[1:] >= 0))

    assert np.diff(times_s[rises]) == pytest.approx(3.0, abs=0.051)
    assert np.ptp(offsets) == pytest.approx(1.0, abs=0.01)
    assert body.breath(30.0)[0] == pytest.approx(10.0)


def test_no_breath_no_swing(still: Phantom) -> None:
    pictures = [still.picture(t, 96, 120) for t in (0.0, 1.0, 2.5)]

    assert all(np.array_equal(a.celsius, b.celsius) for a, b in pairwise(pictures))


def test_an_apnoea_flattens_the_nostrils_and_then_the_breath_goes_on() -> None:
    body = Physiology(15, 1.0, ((8.0, 20.0),), (), blink_every_s=0, motion=0)
    phantom = Phantom(Sitter(seed=1, physiology=body))

    area = nostril_area(phantom.picture(0.0, 96, 120))

    def swing(start_s: float) -> float:
        """Peak to peak over 4 s, the length of a breath."""
        pictures = [phantom.picture(start_s + t, 96, 120) for t in np.arange(0, 4, 0.5).tolist()]
        return float(np.ptp([picture.celsius[area].mean() for picture in pictures]))

    breathing, held, again = swing(0.0), swing(14.0), swing(20.0)

    assert held < 0.03 * breathing
    assert again == pytest.approx(breathing, rel=0.01)
    assert body.breath(20.0)[0] == pytest.approx(2.0), "no breaths are counted while holding"
    assert body.breath(24.0)[0] == pytest.approx(3.0)


def test_pores_cool_the_upper_lip_from_their_onset_on() -> None:
    body = Physiology(15, 0.0, (), (4.0,), pore_depth_k=0.5, blink_every_s=0, motion=0)
    phantom = Phantom(Sitter(seed=1, physiology=body))
    rest, before, soon, later, gone = (
        phantom.picture(t, 512, 640) for t in (0.0, 3.99, 5.1, 8.0, 40.0)
    )
    points = rest.landmarks
    lip = inside(points[[31, 33, 35, 48, 50, 51, 52, 54]], rest.celsius.shape)
    cooling = soon.celsius - rest.celsius

    assert np.array_equal(before.celsius, rest.celsius)
    assert before.truth.pores == 0
    assert 0.5 < soon.truth.pores <= 1
    # A pore spans some pixels, so its middle shows nearly all of what it cools.
    assert cooling.min() == pytest.approx(-0.5 * soon.truth.pores, rel=0.05)
    assert -0.5 * soon.truth.pores < cooling[lip].mean() < -0.02
    assert cooling.max() < 1e-3
    assert np.mean(lip[cooling < -0.1]) > 0.8
    warm_again = (later.celsius - rest.celsius)[lip].mean() / cooling[lip].mean()
    assert warm_again == pytest.approx(later.truth.pores / soon.truth.pores, rel=0.02)
    assert np.abs(gone.celsius - rest.celsius).max() < 1e-3


def test_pores_open_only_after_their_times() -> None:
    body = Physiology(pore_onsets_s=(20.0, 50.0))

    assert [body.pores(t) for t in (0.0, 20.0)] == [0, 0]
    assert body.pores(21.0) > 0.5
    assert body.pores(49.9) < 0.01
    assert body.pores(51.0) > 0.5


def test_a_blink_brings_the_lids_together_and_moves_nothing_else() -> None:
    body = Physiology(15, 0.0, pore_onsets_s=(), blink_every_s=4, motion=0)
    phantom = Phantom(Sitter(seed=1, physiology=body))
    times_s = np.arange(4, 8, 0.01)
    shut = np.array([body.lids(t) for t in times_s.tolist()])
    middle_s = float(times_s[shut.argmax()])
    opened = phantom.picture(middle_s - 0.2, 512, 640)
    closed = phantom.picture(middle_s, 512, 640)
    lids = [(37, 41), (38, 40), (43, 47), (44, 46)]

    def gaps(picture: PhantomPicture) -> list[float]:
        return [float(np.hypot(*(picture.landmarks[a] - picture.landmarks[b]))) for a, b in lids]

    assert np.count_nonzero(shut) * 0.01 == pytest.approx(0.25, abs=0.02), "one blink in 4 s"
    assert opened.truth.eyes_closed == 0
    assert closed.truth.eyes_closed > 0.99
    assert min(gaps(opened)) > 5
    assert max(gaps(closed)) < 0.5
    moved = np.hypot(*(closed.landmarks - opened.landmarks).T) > 0.5
    assert set(np.flatnonzero(moved)) == {37, 38, 43, 44}
    eyelids = np.count_nonzero(closed.labels == Region.EYES)
    assert eyelids < 0.5 * np.count_nonzero(opened.labels == Region.EYES)


def test_a_blink_changes_the_picture_around_the_eyes_only() -> None:
    body = Physiology(15, 0.0, pore_onsets_s=(), blink_every_s=4, motion=0)
    phantom = Phantom(Sitter(seed=1, physiology=body))
    times_s = np.arange(4, 8, 0.01)
    middle_s = float(times_s[np.argmax([body.lids(t) for t in times_s.tolist()])])
    opened = phantom.picture(middle_s - 0.2, HEIGHT, WIDTH)
    closed = phantom.picture(middle_s, HEIGHT, WIDTH)
    right, left, distance = eyes(opened)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    away = np.minimum(np.hypot(x - right[0], y - right[1]), np.hypot(x - left[0], y - left[1]))
    change = np.abs(closed.celsius - opened.celsius)

    assert change[away < 0.3 * distance].max() > 0.1
    assert change[away > 0.9 * distance].max() < 0.05


def test_a_restless_head_moves_more_than_one_at_rest() -> None:
    def wandering(motion: float) -> float:
        body = Physiology(motion=motion)
        poses = [body.sway(t, Pose()) for t in np.arange(0, 60, 0.5).tolist()]
        return float(np.ptp([pose.yaw_deg for pose in poses]))

    assert wandering(0) == 0
    assert 1 < wandering(1) < 15
    assert wandering(3) == pytest.approx(3 * wandering(1))


@pytest.mark.parametrize("seed", range(6))
def test_temperatures_are_those_of_measured_faces(seed: int) -> None:
    picture = Phantom(Sitter(seed=seed, physiology=STILL)).picture(0.0, HEIGHT, WIDTH)
    right, left, distance = eyes(picture)
    up = np.array([0.0, -distance], np.float32)
    forehead = disc(picture, (right + left) / 2 + 0.75 * up, 0.15 * distance).mean()
    hair = disc(picture, (right + left) / 2 + 1.4 * up, 0.1 * distance).mean()
    corners = np.concatenate(
        [disc(picture, picture.landmarks[i], 0.1 * distance) for i in (39, 42)]
    )

    assert 32.5 < picture.celsius[picture.labels > 0].mean() < 35.5, "face, room at 23 °C"
    assert 33.0 < forehead < 35.3, "5 to 95 % of 897 people"
    assert 34.0 < corners.max() < 36.8, "inner corners of the eyes are the hottest"
    assert corners.max() > forehead + 0.5
    assert hair < forehead - 0.8


def test_glasses_are_colder_than_skin_and_nearer_to_the_room() -> None:
    lens_over_room, lens_under_eyes = [], []
    for seed in range(6):
        bare = Phantom(Sitter(seed=seed, physiology=STILL)).picture(0.0, 128, 160)
        worn = Phantom(Sitter(seed=seed, physiology=STILL, glasses=True)).picture(0.0, 128, 160)
        right, left, distance = eyes(bare)
        middles = [(p, centre) for p in (bare, worn) for centre in (right, left)]
        seen = [disc(p, centre, 0.12 * distance).mean() for p, centre in middles]
        lens_over_room.append(np.mean(seen[2:]) - 23)
        lens_under_eyes.append(np.mean(seen[:2]) - np.mean(seen[2:]))

    assert min(lens_under_eyes) > 2
    assert min(lens_over_room) > -3
    assert np.median(lens_over_room) < 5, "nearer to the room than to skin, 11 K above it"
