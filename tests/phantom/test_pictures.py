"""Training pictures: repeatable, varied, of any size."""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.phantom.people import Climate, Person
from thermoseg.phantom.pictures import Picture, PictureStream, compose, draw_pose
from thermoseg.phantom.training import Scene, draw_picture

HEIGHT, WIDTH = 96, 120


@pytest.fixture(scope="module")
def thirty() -> list[Picture]:
    stream = PictureStream(seed=11)
    return [stream.draw(HEIGHT, WIDTH) for _ in range(30)]


def test_one_seed_gives_one_stream_of_pictures() -> None:
    one, twin, other = PictureStream(3), PictureStream(3), PictureStream(4)
    rounds = [[stream.draw(HEIGHT, WIDTH) for _ in range(4)] for stream in (one, twin, other)]

    for a, b in zip(rounds[0], rounds[1], strict=True):
        assert np.array_equal(a.celsius, b.celsius)
        assert np.array_equal(a.labels, b.labels)
        assert len(a.landmarks) == len(b.landmarks)
        assert all(np.array_equal(x, y) for x, y in zip(a.landmarks, b.landmarks, strict=True))
    assert not np.array_equal(rounds[0][0].celsius, rounds[2][0].celsius)


def test_streams_of_children_of_one_seed_differ() -> None:
    seeds = np.random.SeedSequence(7).spawn(2)
    one, other = (PictureStream(seed).draw(HEIGHT, WIDTH) for seed in seeds)

    assert not np.array_equal(one.celsius, other.celsius)


def test_single_pictures_repeat_with_their_generator() -> None:
    def pictures(seed: int) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        rng = np.random.default_rng(seed)
        return [draw_picture(rng, HEIGHT, WIDTH) for _ in range(3)]

    one, twin = pictures(5), pictures(5)

    for (celsius, labels), (same_celsius, same_labels) in zip(one, twin, strict=True):
        assert np.array_equal(celsius, same_celsius)
        assert np.array_equal(labels, same_labels)
    assert not np.array_equal(one[0][0], one[1][0])


def test_all_labels_and_no_others_occur(thirty: list[Picture]) -> None:
    found = np.unique([picture.labels for picture in thirty])

    assert found.tolist() == [0, 1, 2, 3, 4, 5]


def test_temperatures_are_finite_and_of_this_earth(thirty: list[Picture]) -> None:
    for picture in thirty:
        assert picture.celsius.dtype == np.float32
        assert np.isfinite(picture.celsius).all()
        assert picture.celsius.min() > -80
        assert picture.celsius.max() < 100


def test_faces_are_large_and_small_and_mostly_warmer_than_what_is_around(
    thirty: list[Picture],
) -> None:
    faces = [picture for picture in thirty if (picture.labels > 0).sum() > 50]
    contrast = [p.celsius[p.labels > 0].mean() - p.celsius[p.labels == 0].mean() for p in faces]
    share = [np.mean(p.labels > 0) for p in faces]

    assert len(faces) >= 20
    assert np.mean(np.array(contrast) > 1) > 0.5
    assert max(share) > 5 * min(share)
    assert max(share) < 0.9


def test_in_surroundings_warmer_than_skin_the_contrast_is_inverted() -> None:
    rng = np.random.default_rng(3)
    person = Person.draw(rng, Climate(skin_c=36.0, room_c=45.0))
    pictures = [compose(rng, person, [], HEIGHT, WIDTH) for _ in range(6)]
    contrast = [
        picture.celsius[picture.labels > 0].mean() - picture.celsius[picture.labels == 0].mean()
        for picture in pictures
        if picture.landmarks
    ]

    assert len(contrast) >= 4
    assert np.median(contrast) < -2


@pytest.mark.parametrize("shape", [(60, 80), (81, 47), (256, 320), (768, 1024)])
def test_pictures_have_any_size(shape: tuple[int, int]) -> None:
    celsius, labels = draw_picture(np.random.default_rng(2), *shape)
    streamed = PictureStream(2).draw(*shape)

    assert celsius.shape == labels.shape == shape
    assert streamed.celsius.shape == streamed.labels.shape == shape
    assert celsius.dtype == np.float32
    assert labels.dtype == np.uint8
    assert np.isfinite(celsius).all()


def test_a_crowd_is_kept_and_renewed() -> None:
    stream = PictureStream(seed=1, crowd=2, renewal=0.0)
    members = [stream.draw(48, 60) for _ in range(8)]

    # Nobody new after the first two: a face's proportions are those of one of two people.
    assert len({id(person) for person in stream._crowd}) == 2
    assert len({picture.celsius.tobytes() for picture in members}) == 8


def test_poses_cover_the_announced_ranges() -> None:
    rng = np.random.default_rng(0)
    poses = [draw_pose(rng, 1.25) for _ in range(2000)]
    yaw = np.array([pose.yaw_deg for pose in poses])
    pitch = np.array([pose.pitch_deg for pose in poses])
    size = np.array([pose.face_height for pose in poses])

    assert np.quantile(yaw, [0.05, 0.95]) == pytest.approx([-60, 60], abs=12)
    assert pitch.min() < -25
    assert pitch.max() > 30
    assert np.mean(np.abs(yaw) > 95) < 0.06, "few heads turned away"
    assert (size.min(), size.max()) == pytest.approx((0.1, 1.25), abs=0.02)


def test_climates_reach_from_frost_to_rooms_warmer_than_skin() -> None:
    rng = np.random.default_rng(0)
    climates = [Climate.draw(rng) for _ in range(500)]

    assert min(climate.room_c for climate in climates) < 0
    assert max(climate.room_c - climate.skin_c for climate in climates) > 3
    assert all(26 <= climate.skin_c <= 37 for climate in climates)


@pytest.mark.parametrize("scene", ["laboratory", "wild"])
def test_scenes_repeat_and_show_every_region(scene: Scene) -> None:
    def pictures() -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        return [
            draw_picture(np.random.default_rng((8, i)), HEIGHT, WIDTH, None, scene)
            for i in range(8)
        ]

    one, twin = pictures(), pictures()

    for (celsius, labels), (same_celsius, same_labels) in zip(one, twin, strict=True):
        assert np.array_equal(celsius, same_celsius)
        assert np.array_equal(labels, same_labels)
        assert np.isfinite(celsius).all()
    assert np.unique([labels for _, labels in one]).tolist() == [0, 1, 2, 3, 4, 5]


def test_only_in_the_laboratory_is_every_face_warmer_than_what_is_behind() -> None:
    def contrast(scene: Scene, i: int) -> float:
        celsius, labels = draw_picture(np.random.default_rng((9, i)), HEIGHT, WIDTH, None, scene)
        return float(celsius[labels > 0].mean() - np.median(celsius[labels == 0]))

    assert min(contrast("laboratory", i) for i in range(12)) > 3
    assert min(contrast("wild", i) for i in range(12)) < -1
