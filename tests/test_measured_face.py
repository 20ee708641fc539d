"""Which face is measured: of drawn faces that walk about, and of two people of the phantom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawn_face import DrawnFace, Labels
from thermoseg import rois
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labelled_faces import FaceBox, LabelledFaces
from thermoseg.labels import Region
from thermoseg.measured_face import GONE_S, FaceFollower, FollowedFaces
from thermoseg.phantom.people import Climate, Person
from thermoseg.phantom.pictures import add_person
from thermoseg.phantom.render import Pose
from thermoseg.rois import RoiMeter

SHAPE = (256, 480)
RATE_HZ = 20.0
CROSSING_PX = 12.0
"""Farthest that the box of a followed face may lie from the truth."""


@dataclass
class Person2D:
    """Where a face is at a time: x and y of its middle and its eye distance, px; None is away."""

    x: Callable[[float], float]
    unit: Callable[[float], float] = lambda _t: 30.0
    there: Callable[[float], bool] = lambda _t: True
    y: float = 128.0

    def labels(self, time_s: float) -> Labels:
        if not self.there(time_s):
            return np.zeros(SHAPE, np.uint8)
        centre = (self.x(time_s), self.y)
        return DrawnFace(unit_px=self.unit(time_s), centre=centre, shape=SHAPE).labels()


def still(x: float) -> Callable[[float], float]:
    return lambda _t: x


def scene(people: list[Person2D], time_s: float) -> Labels:
    """The labels of all, the last in front: its whole face hides what is behind."""
    labels = np.zeros(SHAPE, np.uint8)
    for person in people:
        own = person.labels(time_s)
        labels[own > 0] = own[own > 0]
    return labels


def follow(
    people: list[Person2D], seconds: float, follower: FaceFollower | None = None, start_s: float = 0
) -> Iterator[tuple[float, FollowedFaces]]:
    follower = follower or FaceFollower()
    for number in range(round(seconds * RATE_HZ)):
        time_s = start_s + number / RATE_HZ
        yield time_s, follower.follow(LabelledFaces(scene(people, time_s)), time_s)


def measured_x(found: FollowedFaces) -> float:
    assert found.box is not None
    return found.box.centre[0]


def test_the_largest_face_is_measured_first_and_the_others_are_told() -> None:
    small, large = Person2D(still(120), unit=still(20)), Person2D(still(330), unit=still(35))
    _, found = next(follow([small, large], 1))

    assert measured_x(found) == pytest.approx(330, abs=CROSSING_PX)
    assert [box.centre[0] for box in found.others] == [pytest.approx(120, abs=CROSSING_PX)]
    assert not found.change


def test_a_larger_face_that_walks_in_does_not_take_over() -> None:
    sitter = Person2D(still(130), unit=still(25))
    passer_by = Person2D(lambda t: 480 - 60 * t, unit=still(38), there=lambda t: t > 0.5)
    for time_s, found in follow([sitter, passer_by], 3):
        assert measured_x(found) == pytest.approx(130, abs=CROSSING_PX), time_s
        assert not found.change
        assert bool(found.others) == (time_s > 0.5)


def test_two_faces_that_swap_their_sizes_keep_their_places() -> None:
    first = Person2D(still(120), unit=lambda t: 36 - 6 * t)
    second = Person2D(still(340), unit=lambda t: 20 + 6 * t)
    for _, found in follow([first, second], 3):
        assert measured_x(found) == pytest.approx(120, abs=CROSSING_PX)
        assert not found.change


@pytest.mark.parametrize("speed", [60, 120, 200])
@pytest.mark.parametrize("in_front", [True, False], ids=["in front", "behind"])
@pytest.mark.parametrize("unit", [22.0, 28.0], ids=["smaller", "alike"])
def test_a_face_that_crosses_another_is_found_again_on_the_other_side(
    speed: float, in_front: bool, unit: float
) -> None:
    seconds = 320 / speed
    walker = Person2D(lambda t: 80 + speed * t, unit=still(30))
    other = Person2D(lambda t: 400 - speed * t, unit=still(unit))
    people = [other, walker] if in_front else [walker, other]
    follower = FaceFollower()
    follower.choose(80, 128)
    covered = 0
    for time_s, found in follow(people, seconds, follower):
        covered += found.covered
        assert not found.change, time_s
        if found.box is not None and not found.covered:
            assert measured_x(found) == pytest.approx(80 + speed * time_s, abs=30), time_s

    assert covered
    assert measured_x(found) == pytest.approx(80 + speed * time_s, abs=CROSSING_PX)


def test_a_face_behind_which_another_passes_is_measured_all_the_time() -> None:
    sitter = Person2D(still(240), unit=still(36))
    passer_by = Person2D(lambda t: 60 + 120 * t, unit=still(20))
    for time_s, found in follow([passer_by, sitter], 3):
        assert not found.change
        if not found.covered:
            assert measured_x(found) == pytest.approx(240, abs=30), time_s

    assert measured_x(found) == pytest.approx(240, abs=CROSSING_PX)


def test_faces_that_touch_are_parted_in_the_middle() -> None:
    """Cheek to cheek their labels are one island, for as long as they like."""
    left = Person2D(lambda t: 150 + 5 * min(t, 8), unit=still(30))
    right = Person2D(lambda t: 270 - 5 * min(t, 8), unit=still(30))
    for time_s, found in follow([left, right], 20):
        assert not found.change
        assert not found.covered
        assert measured_x(found) == pytest.approx(150 + 5 * min(time_s, 8), abs=CROSSING_PX)
    assert len(LabelledFaces(scene([left, right], 15)).parts) == 1


@pytest.mark.parametrize("gone_s", [0.05, 0.5, 1.5])
def test_a_mask_that_flickers_leaves_the_face_the_measured_one(gone_s: float) -> None:
    sitter = Person2D(still(130), unit=still(25), there=lambda t: not 1 <= t < 1 + gone_s)
    other = Person2D(still(340), unit=still(38))
    follower = FaceFollower()
    follower.choose(130, 128)
    for time_s, found in follow([sitter, other], 4, follower):
        assert not found.change
        assert (found.box is None) == (1 <= time_s < 1 + gone_s)
        if found.box is not None:
            assert measured_x(found) == pytest.approx(130, abs=CROSSING_PX)


def test_a_nose_is_all_that_is_seen_of_the_measured_face_for_a_moment() -> None:
    follower, face = FaceFollower(), DrawnFace(unit_px=30, centre=(130, 128), shape=SHAPE)
    rest = [region for region in Region if region not in (Region.NOSE, Region.BACKGROUND)]
    boxes = []
    for number, without in enumerate([(), (), rest, rest, ()]):
        found = follower.follow(LabelledFaces(face.labels(without=without)), number / RATE_HZ)
        assert found.part is not None
        boxes.append(found.box)

    assert len(set(boxes)) == 1


def test_half_a_face_for_some_frames_is_the_whole_face_and_then_a_smaller_one() -> None:
    follower, face = FaceFollower(), DrawnFace(unit_px=40, centre=(130, 128), shape=SHAPE)
    half = face.labels()
    half[:, :130] = 0
    boxes = []
    for number in range(12):
        labels = half if number in (3, 4) or number > 6 else face.labels()
        found = follower.follow(LabelledFaces(labels), number / RATE_HZ)
        assert not found.change
        boxes.append(found.box)

    assert len(set(boxes[:9])) == 1
    assert boxes[-1] is not None
    assert boxes[-1].left >= 120


def test_boxes_lie_in_the_picture() -> None:
    frame = FaceBox(0, 0, 100, 80)

    assert FaceBox(-20, 10, 30, 90).within(frame) == (0, 10, 30, 80)
    assert FaceBox(-20, -20, -10, -10).within(frame) == (0, 0, 1, 1)


def test_the_next_face_is_measured_when_the_measured_one_is_gone() -> None:
    leaver = Person2D(still(340), unit=still(38), there=lambda t: t < 1)
    stayer = Person2D(still(130), unit=still(25))
    changes = []
    for time_s, found in follow([leaver, stayer], 5):
        if found.change:
            changes.append((time_s, found.change))
        if time_s < 1 or time_s > 1.2 + GONE_S:
            expected = 340 if time_s < 1 else 130
            assert measured_x(found) == pytest.approx(expected, abs=CROSSING_PX)
        elif time_s < 0.9 + GONE_S:
            assert found.box is None
    [(time_s, why)] = changes

    assert why == "the one before is gone"
    assert time_s == pytest.approx(1 + GONE_S, abs=2 / RATE_HZ)


def test_slow_pictures_do_not_lose_the_face_between_two_of_them() -> None:
    people = [Person2D(still(130), unit=still(25)), Person2D(still(340), unit=still(38))]
    follower = FaceFollower()
    follower.choose(130, 128)
    for number in range(5):
        labels = LabelledFaces(scene(people, 0))
        found = follower.follow(labels, 10.0 * number)
        assert measured_x(found) == pytest.approx(130, abs=CROSSING_PX)
        assert not found.change


def test_a_click_chooses_another_face_and_beside_any_says_so() -> None:
    people = [Person2D(still(130), unit=still(25)), Person2D(still(340), unit=still(38))]
    follower = FaceFollower()
    _, before = list(follow(people, 0.5, follower))[-1]
    follower.choose(130, 120)
    _, chosen = next(follow(people, 0.1, follower, 1.0))
    follower.choose(240, 20)
    _, after = next(follow(people, 0.1, follower, 1.2))

    assert measured_x(before) == pytest.approx(340, abs=CROSSING_PX)
    assert chosen.change == "chosen"
    assert measured_x(chosen) == pytest.approx(130, abs=CROSSING_PX)
    assert follower.refusal.startswith("there is no face at 240, 20;")
    assert after.change == ""
    assert measured_x(after) == pytest.approx(130, abs=CROSSING_PX)


def test_a_stray_is_measured_only_until_there_is_a_face() -> None:
    follower, stray = FaceFollower(), np.zeros(SHAPE, np.uint8)
    stray[20:60, 20:60] = Region.MOUTH
    face = stray | scene([Person2D(still(330))], 0)
    before = follower.follow(LabelledFaces(stray), 0.0)
    after = follower.follow(LabelledFaces(face), 0.1)

    assert measured_x(before) == pytest.approx(40, abs=4)
    assert after.change == "the one before showed too little of a face"
    assert measured_x(after) == pytest.approx(330, abs=CROSSING_PX)


def test_a_source_that_begins_again_begins_with_the_largest_face() -> None:
    people = [Person2D(still(130), unit=still(25)), Person2D(still(340), unit=still(38))]
    follower = FaceFollower()
    follower.choose(130, 128)
    list(follow(people, 1, follower))
    _, again = next(follow(people, 1, follower))

    assert measured_x(again) == pytest.approx(340, abs=CROSSING_PX)
    assert not again.change


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
def test_whatever_a_network_says_the_follower_answers(seeds: list[int]) -> None:
    follower = FaceFollower()
    for number, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 6, (6, 8), np.uint8) * rng.integers(0, 2, (6, 8), np.uint8)
        labels = np.kron(coarse, np.ones((20, 20), np.uint8))
        faces = LabelledFaces(labels)
        found = follower.follow(faces, number * rng.random())
        boxes = (*found.others, *([found.box] if found.box else []))

        assert (found.part is None) == (found.box is None)
        assert all(0 <= box.left < box.right <= 160 for box in boxes)
        if found.part is not None:
            assert faces.cut(found.part)[1].any()


def test_boxes_share_what_they_share() -> None:
    one = FaceBox(0, 0, 10, 10)

    assert one.overlap(FaceBox(5, 5, 10, 10)) == pytest.approx(1)
    assert one.overlap(FaceBox(5, 0, 15, 10)) == pytest.approx(0.5)
    assert one.overlap(FaceBox(10, 0, 15, 10)) == 0


def test_the_traces_of_two_people_are_kept_apart_by_a_gap() -> None:
    """Two heads of the phantom: the chosen one is measured, and one sample says it is another."""
    rng, climate = np.random.default_rng(4), Climate()
    celsius, labels = np.full((240, 400), 22, np.float32), np.zeros((240, 400), np.uint8)
    for x, height, warmer_k in ((-0.4, 0.5, 0.0), (0.4, 0.7, 0.8)):
        before, person = celsius.copy(), Person.draw(np.random.default_rng(7))
        add_person(rng, celsius, labels, person, Pose(0, 0, 0, x, 0, height), climate)
        celsius[celsius != before] += np.float32(warmer_k)
    follower = FaceFollower()
    meter = RoiMeter(follower)
    confidence = np.ones(labels.shape, np.float32)
    chins = []
    for number in range(6):
        if number == 3:
            follower.choose(200 - 0.4 * 240, 120)
        frame = Frame(np.zeros(labels.shape, np.uint16), celsius, number, number / 30, 0.0)
        samples = meter.measure(frame, Segmentation(labels, confidence, number))
        chins.append({sample.region: sample for sample in samples}["chin"])

    assert [chin.valid for chin in chins] == [True, True, True, False, True, True]
    assert chins[3].reason == rois.ANOTHER_FACE
    assert meter.faces.change == ""
    assert chins[2].pixels > 1.5 * chins[4].pixels
    assert chins[2].mean_c - chins[4].mean_c > 0.4
