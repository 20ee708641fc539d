"""Regions of drawn faces, whose places and temperatures are known, and of the phantom."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg import rois
from thermoseg.frames import Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labels import Region
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose
from thermoseg.rois import RoiMeter, RoiSample, face_axis, find_rois, measure_regions

Labels = NDArray[np.uint8]
Celsius = NDArray[np.float32]

SKIN_C, ROOM_C = 34.0, 22.0
JAW = [(-1.1, 0.0), (-1.0, 0.9), (-0.6, 1.6), (0.0, 1.9), (0.6, 1.6), (1.0, 0.9), (1.1, 0.0)]
MOUTH = [(-0.4, 1.15), (0.0, 1.03), (0.4, 1.15), (0.0, 1.35)]
NOSE = [(0.0, -0.04), (0.26, 0.73), (0.0, 0.8), (-0.26, 0.73)]
RIGHT_EYE = [(-0.73, 0.0), (-0.5, -0.09), (-0.27, 0.0), (-0.5, 0.09)]
RIGHT_BROW = [(-0.88, -0.25), (-0.55, -0.45), (-0.19, -0.33), (-0.55, -0.36)]
RIGHT_NOSTRIL, LEFT_NOSTRIL = (-0.12, 0.72), (0.12, 0.72)
PHILTRUM, RIGHT_WING_SIDE, LEFT_WING_SIDE = (0.0, 0.92), (-0.36, 0.7), (0.36, 0.7)

Point = tuple[float, float]


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


def make_frame(celsius: Celsius, time_s: float = 0.0, flags: FrameFlag = FrameFlag.NONE) -> Frame:
    index = round(time_s * 1000)
    return Frame(np.zeros(celsius.shape, np.uint16), celsius, index, time_s, 0.0, flags)


def make_segmentation(labels: Labels) -> Segmentation:
    return Segmentation(labels, np.ones(labels.shape, np.float32), 0)


def measure(
    meter: RoiMeter,
    celsius: Celsius,
    labels: Labels,
    time_s: float = 0.0,
    flags: FrameFlag = FrameFlag.NONE,
) -> dict[str, RoiSample]:
    samples = meter.measure(make_frame(celsius, time_s, flags), make_segmentation(labels))
    assert tuple(sample.region for sample in samples) == rois.ROI_NAMES
    return {sample.region: sample for sample in samples}


def reasons(samples: dict[str, RoiSample]) -> set[str]:
    return {sample.reason for sample in samples.values()}


POSES = [
    pytest.param(DrawnFace(roll, unit), id=f"roll {roll}, {unit} px")
    for roll in (-150, -90, -30, 0, 20, 75, 180)
    for unit in (20, 60)
]


def test_statistics_of_regions_are_those_of_their_pixels() -> None:
    labels = np.uint8([[1, 1, 0], [5, 1, 5], [0, 0, 1]])
    celsius = np.float32([[30, 32, 99], [20, 34, 22], [99, 99, 36]])

    found = measure_regions(celsius, labels)

    chin, nose = found["chin"], found["nose"]
    assert (chin.pixels, chin.mean_c, chin.min_c, chin.max_c) == (4, 33.0, 30.0, 36.0)
    assert chin.sd_k == pytest.approx(5**0.5)
    assert (nose.pixels, nose.mean_c, nose.min_c, nose.max_c, nose.sd_k) == (2, 21, 20, 22, 1)


def test_an_absent_region_has_no_pixels_and_no_numbers() -> None:
    found = measure_regions(np.zeros((4, 5), np.float32), np.zeros((4, 5), np.uint8))

    assert set(found) == {"chin", "mouth", "eyes", "eyebrows", "nose"}
    for statistics in found.values():
        assert statistics.pixels == 0
        assert np.isnan([statistics.mean_c, statistics.min_c, statistics.max_c]).all()


def test_pixels_without_a_temperature_are_left_out() -> None:
    found = measure_regions(np.float32([[np.nan, 33, 35, np.inf]]), np.full((1, 4), 1, np.uint8))

    assert (found["chin"].pixels, found["chin"].mean_c) == (2, 34.0)


def test_picture_and_labels_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"celsius is \(2, 3\) but labels are \(3, 2\)"):
        measure_regions(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8))
    with pytest.raises(ValueError, match=r"the frame is \(2, 3\)"):
        measure(RoiMeter(), np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8))


@pytest.mark.parametrize("roll_deg", [-170, -120, -60, -15, 0, 10, 45, 90, 135])
@pytest.mark.parametrize(
    "without",
    [(), (Region.EYES,), (Region.MOUTH,), (Region.EYEBROWS, Region.NOSE), (Region.CHIN,)],
    ids=lambda regions: "all" if not regions else "without " + "+".join(r.label for r in regions),
)
def test_the_axis_follows_the_roll(roll_deg: float, without: tuple[Region, ...]) -> None:
    axis = face_axis(DrawnFace(roll_deg).labels(without))

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

    assert face_axis(labels) is None


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


def test_a_nose_too_narrow_to_split_still_gives_one_nostril_region() -> None:
    face = DrawnFace(unit_px=9, shape=(60, 80), centre=(40, 30))
    samples = measure(RoiMeter(), face.celsius(), face.labels())

    assert samples["nostrils"].valid
    for side in ("nostril_right", "nostril_left"):
        assert (samples[side].pixels, samples[side].reason) == (0, rois.TOO_SMALL)
        assert np.isnan(samples[side].mean_c)


def test_a_face_of_a_few_pixels_is_too_small() -> None:
    face = DrawnFace(unit_px=2, shape=(60, 80), centre=(40, 30))
    samples = measure(RoiMeter(), face.celsius(), face.labels())

    assert 0 < samples["nose"].pixels < rois.MIN_PIXELS
    assert samples["nose"].reason == rois.TOO_SMALL
    assert samples["chin"].valid
    assert not samples["nostrils"].valid


@pytest.mark.parametrize("face", POSES)
def test_the_nostril_trace_follows_the_breath(face: DrawnFace) -> None:
    meter, labels = RoiMeter(), face.labels()
    times_s = np.arange(0, 10, 0.2)
    breath_k = 0.3 * np.sin(2 * np.pi * 0.25 * times_s)
    samples = [
        measure(meter, face.celsius(breath), labels, time_s)
        for time_s, breath in zip(times_s, breath_k, strict=True)
    ]

    for region in ("nostrils", "nostril_right", "nostril_left"):
        assert all(sample[region].valid for sample in samples)
        trace = [sample[region].mean_c for sample in samples]
        assert np.corrcoef(trace, breath_k)[0, 1] >= 0.95


def test_all_regions_of_a_still_face_are_valid_without_a_reason() -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), face.celsius(), face.labels())

    assert reasons(samples) == {""}
    assert all(sample.valid for sample in samples.values())
    assert samples["nose"].mean_c == pytest.approx(SKIN_C, abs=0.2)
    assert samples["perinasal"].mean_c == pytest.approx(SKIN_C, abs=0.01)


def test_a_picture_without_a_face_gives_gaps() -> None:
    samples = measure(RoiMeter(), np.full((48, 64), 22, np.float32), np.zeros((48, 64), np.uint8))

    assert reasons(samples) == {rois.LOST}
    assert not any(sample.valid or sample.pixels for sample in samples.values())
    assert all(np.isnan(sample.mean_c) for sample in samples.values())


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        (FrameFlag.SHUTTER, rois.SHUTTER),
        (FrameFlag.AFTER_SHUTTER, rois.SHUTTER),
        (FrameFlag.DUPLICATE, rois.DUPLICATE),
        (FrameFlag.DAMAGED, rois.DAMAGED),
    ],
)
def test_a_frame_that_is_no_measurement_is_never_valid(flag: FrameFlag, reason: str) -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), face.celsius(), face.labels(), flags=flag)

    assert reasons(samples) == {reason}
    assert not any(sample.valid for sample in samples.values())


def test_a_gap_before_a_frame_does_not_make_it_worse() -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), face.celsius(), face.labels(), flags=FrameFlag.GAP_BEFORE)

    assert all(sample.valid for sample in samples.values())


def test_relative_counts_are_never_temperatures() -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), face.celsius(), face.labels(), flags=FrameFlag.UNCALIBRATED)

    assert reasons(samples) == {rois.NO_TEMPERATURES}
    assert samples["nose"].pixels > 0
    for sample in samples.values():
        assert np.isnan([sample.mean_c, sample.min_c, sample.max_c, sample.sd_k]).all()


def painted(face: DrawnFace, region: Region, celsius_c: float) -> Celsius:
    celsius = face.celsius()
    texture = 0.1 * np.random.default_rng(0).standard_normal(face.shape).astype(np.float32)
    here = face.labels() == region
    celsius[here] = celsius_c + texture[here]
    return celsius


@pytest.mark.parametrize(
    ("region", "celsius_c"),
    [
        (Region.NOSE, 60.0),
        (Region.NOSE, 15.0),
        (Region.EYES, 25.0),
        (Region.MOUTH, 37.9),
        (Region.MOUTH, 26.0),
    ],
)
def test_what_cannot_be_skin_is_implausible(region: Region, celsius_c: float) -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), painted(face, region, celsius_c), face.labels())

    assert samples[region.label].reason == rois.IMPLAUSIBLE
    assert not samples[region.label].valid
    assert samples["chin"].valid


def test_a_cold_nose_is_a_nose() -> None:
    face = DrawnFace()
    samples = measure(RoiMeter(), painted(face, Region.NOSE, SKIN_C - 8), face.labels())

    assert samples["nose"].valid
    assert samples["nostrils"].valid


def test_a_half_covered_region_is_implausible() -> None:
    face = DrawnFace()
    celsius = face.celsius()
    row, _ = face.at((0.0, 1.15))
    celsius[row:, :] = 24.0
    samples = measure(RoiMeter(), celsius, face.labels())

    assert samples["mouth"].reason == rois.IMPLAUSIBLE
    assert samples["nostrils"].valid


def test_a_painted_patch_is_implausible() -> None:
    face = DrawnFace()
    celsius = face.celsius()
    celsius[face.labels() == Region.MOUTH] = 34.0
    samples = measure(RoiMeter(), celsius, face.labels())

    assert samples["mouth"].reason == rois.IMPLAUSIBLE


def test_something_of_skin_temperature_is_noticed_when_it_comes_and_accepted_later() -> None:
    face, meter = DrawnFace(), RoiMeter()
    for time_s in np.arange(0, 3, 0.1):
        assert measure(meter, face.celsius(), face.labels(), float(time_s))["nose"].valid
    covered = painted(face, Region.NOSE, SKIN_C - 4)
    soon = measure(meter, covered, face.labels(), 3.1)
    late = measure(meter, covered, face.labels(), 3.1 + rois.JUMP_MEMORY_S)

    assert soon["nose"].reason == soon["nostrils"].reason == rois.IMPLAUSIBLE
    assert late["nose"].valid


def test_a_step_of_the_whole_picture_is_no_occlusion() -> None:
    face, meter = DrawnFace(), RoiMeter()
    measure(meter, face.celsius(), face.labels(), 0.0)
    samples = measure(meter, face.celsius() + np.float32(3), face.labels(), 0.1)

    assert all(sample.valid for sample in samples.values())


def test_a_fast_face_is_motion_for_as_long_as_it_is_fast() -> None:
    meter = RoiMeter()
    found = []
    for tick, column in enumerate((100, 101, 130, 131)):
        face = DrawnFace(centre=(column, 128))
        found.append(measure(meter, face.celsius(), face.labels(), tick / 30)["nostrils"].reason)

    assert found == ["", "", rois.MOTION, ""]


def test_the_same_way_in_more_time_is_no_motion() -> None:
    meter = RoiMeter()
    for tick, column in enumerate((100, 112, 124)):
        face = DrawnFace(centre=(column, 128))
        samples = measure(meter, face.celsius(), face.labels(), tick * 0.5)
        assert samples["nostrils"].valid


@pytest.mark.parametrize("unit_px", [20, 60])
def test_a_lost_mask_is_moved_along_with_the_face(unit_px: float) -> None:
    meter, nothing = RoiMeter(), np.zeros((256, 320), np.uint8)
    first = DrawnFace(unit_px=unit_px)
    measure(meter, first.celsius(), first.labels(), 0.0)
    moved = DrawnFace(unit_px=unit_px, centre=(160 + unit_px / 4, 128 - unit_px / 6))
    samples = measure(meter, moved.celsius(breath_k=0.4), nothing, 0.5)

    assert reasons(samples) == {rois.HELD}
    assert all(sample.valid for sample in samples.values())
    assert meter.rois is not None
    held, true = meter.rois.mask("nostrils"), find_rois(moved.labels())
    assert true is not None
    overlap = (held & true.mask("nostrils")).sum() / (held | true.mask("nostrils")).sum()
    assert overlap > 0.7


def test_only_what_is_lost_is_held() -> None:
    face, meter = DrawnFace(), RoiMeter()
    measure(meter, face.celsius(), face.labels(), 0.0)
    samples = measure(meter, face.celsius(), face.labels(without=[Region.NOSE]), 0.1)

    assert samples["nose"].reason == samples["nostrils"].reason == rois.HELD
    assert samples["mouth"].reason == samples["eyes"].reason == ""


def test_a_mask_is_held_for_a_second_and_then_a_gap() -> None:
    face, meter = DrawnFace(), RoiMeter()
    nothing = np.zeros(face.shape, np.uint8)
    measure(meter, face.celsius(), face.labels(), 0.0)
    held = [
        time_s
        for time_s in np.arange(0.1, 3, 0.1)
        if measure(meter, face.celsius(), nothing, float(time_s))["nostrils"].valid
    ]

    assert held == pytest.approx(np.arange(0.1, 1.05, 0.1))
    assert meter.rois is None


def test_nothing_is_held_where_the_face_has_gone() -> None:
    face, meter = DrawnFace(), RoiMeter()
    measure(meter, face.celsius(), face.labels(), 0.0)
    empty = ROOM_C + np.random.default_rng(1).standard_normal(face.shape).astype(np.float32)
    samples = measure(meter, empty, np.zeros(face.shape, np.uint8), 0.1)

    assert reasons(samples) == {rois.LOST}


def test_a_held_mask_that_leaves_the_picture_is_cut_off() -> None:
    mask = rois.RoiMask.tight(np.ones((4, 6), np.bool_), top=10, left=20)

    assert mask is not None
    moved = mask.moved(-12, 0, (30, 40))
    assert moved is not None
    assert (moved.top, moved.left, moved.inside.shape) == (0, 20, (2, 6))
    assert mask.moved(100, 0, (30, 40)) is None


PHANTOM_POSES = [
    Pose(),
    Pose(yaw_deg=35),
    Pose(yaw_deg=-35, roll_deg=15),
    Pose(pitch_deg=15),
    Pose(pitch_deg=-15, roll_deg=-20),
    Pose(roll_deg=30, face_height=0.4),
]


PHANTOM_VIEWS = [(pose, (256, 320)) for pose in PHANTOM_POSES] + [(Pose(), (120, 160))]
"""Poses and sizes (height, width); point-sampled pictures alias too much at other small ones."""


@pytest.mark.parametrize(("pose", "size"), PHANTOM_VIEWS, ids=str)
def test_the_nostril_trace_follows_the_phantoms_breath(pose: Pose, size: tuple[int, int]) -> None:
    body = Physiology(breaths_per_minute=15, pore_onsets_s=())
    phantom, meter = Phantom(Sitter(seed=3, pose=pose, physiology=body)), RoiMeter()
    samples, breath_k = [], []
    for time_s in np.arange(0, 12, 0.4):
        picture = phantom.picture(float(time_s), *size)
        samples.append(measure(meter, picture.celsius, picture.labels, float(time_s)))
        breath_k.append(picture.truth.breath_k)

    assert all(sample["nostrils"].valid for sample in samples)
    trace = [sample["nostrils"].mean_c for sample in samples]
    assert np.corrcoef(trace, breath_k)[0, 1] >= 0.95


@pytest.mark.parametrize("roll_deg", [-30, 0, 30])
def test_the_axis_of_the_phantom_is_its_own(roll_deg: float) -> None:
    picture = Phantom(Sitter(pose=Pose(roll_deg=roll_deg))).picture(0.0, 256, 320)
    axis = face_axis(picture.labels)

    assert axis is not None
    assert axis.roll_deg == pytest.approx(roll_deg, abs=5)
