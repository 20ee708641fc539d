"""Temperatures of drawn faces, which are known, and of the phantom."""

import numpy as np
import pytest

from tests.drawn_face import POSES, ROOM_C, SKIN_C, Celsius, DrawnFace, Labels
from thermoseg import rois
from thermoseg.face_geometry import MIN_PIXELS, find_rois
from thermoseg.frames import Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labels import ROI_NAMES, Region
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose
from thermoseg.rois import RoiMeter, RoiSample


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
    assert tuple(sample.region for sample in samples) == ROI_NAMES
    return {sample.region: sample for sample in samples}


def reasons(samples: dict[str, RoiSample]) -> set[str]:
    return {sample.reason for sample in samples.values()}


def test_statistics_of_a_region_are_those_of_its_pixels() -> None:
    face = DrawnFace()
    chin = face.celsius()[face.labels() == Region.CHIN].astype(np.float64)
    found = measure(RoiMeter(), face.celsius(), face.labels())["chin"]

    assert found.pixels == chin.size
    assert (found.mean_c, found.sd_k) == pytest.approx((chin.mean(), chin.std()))
    assert (found.min_c, found.max_c) == (chin.min(), chin.max())


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_pixels_without_a_temperature_are_left_out(broken: float) -> None:
    face = DrawnFace()
    celsius = face.celsius()
    whole = measure(RoiMeter(), celsius, face.labels())["chin"]
    row, column = face.at((0.7, 0.9))
    celsius[row, column] = broken
    found = measure(RoiMeter(), celsius, face.labels())["chin"]

    assert found.valid
    assert found.pixels == whole.pixels - 1
    assert found.mean_c == pytest.approx(whole.mean_c, abs=1e-3)


def test_picture_and_labels_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the frame is \(2, 3\)"):
        measure(RoiMeter(), np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8))


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

    assert 0 < samples["nose"].pixels < MIN_PIXELS
    assert samples["nose"].reason == rois.TOO_SMALL
    assert samples["chin"].valid
    assert not samples["nostrils"].valid


@pytest.mark.parametrize("face", POSES)
def test_the_nostril_trace_follows_the_breath(face: DrawnFace) -> None:
    meter, labels = RoiMeter(), face.labels()
    times_s = np.arange(0, 10, 0.2)
    breath_k = 0.3 * np.sin(2 * np.pi * 0.25 * times_s)
    samples = [
        measure(meter, face.celsius(breath), labels, float(time_s))
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
