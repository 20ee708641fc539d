from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from trainer.tiaug import Probability, TiAug, TiAugConfig, without_randomness

STILL = {
    "horizontal_flip": 0.0,
    "vertical_flip": 0.0,
    "rotate": 0.0,
    "resize": 0.0,
    "occlude": 0.0,
    "noise": 0.0,
    "blur": 0.0,
}


def a_face() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A warm square left of and above the centre, with a label for each quarter."""
    celsius = np.full((256, 320), 24.0, np.float32)
    labels = np.zeros((256, 320), np.uint8)
    celsius[40:140, 60:160] = 34.0
    labels[40:90, 60:110], labels[40:90, 110:160] = 1, 2
    labels[90:140, 60:110], labels[90:140, 110:160] = 3, 4
    return celsius, labels


def only(shape: tuple[int, int] = (256, 320), **settings: object) -> TiAug:
    return TiAug(TiAugConfig.model_validate(STILL | settings), shape)


def test_one_seed_reproduces_a_picture_exactly() -> None:
    celsius, labels = a_face()
    augment = TiAug(TiAugConfig())

    first = augment(celsius, labels, np.random.default_rng(7))
    again = augment(celsius, labels, np.random.default_rng(7))
    other = augment(celsius, labels, np.random.default_rng(8))

    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_the_arguments_are_left_untouched() -> None:
    celsius, labels = a_face()
    celsius.flags.writeable = labels.flags.writeable = False

    for seed in range(20):
        warm, mask = TiAug(TiAugConfig())(celsius, labels, np.random.default_rng(seed))
        assert warm.dtype == np.float32
        assert mask.dtype == np.uint8


def test_without_chance_nothing_changes() -> None:
    celsius, labels = a_face()

    warm, mask = only()(celsius, labels, np.random.default_rng(0))

    assert np.array_equal(warm, celsius)
    assert np.array_equal(mask, labels)


def test_flips_move_picture_and_labels_alike() -> None:
    celsius, labels = a_face()

    warm, mask = only(horizontal_flip=1.0)(celsius, labels, np.random.default_rng(0))
    assert np.array_equal(mask, labels[:, ::-1])
    np.testing.assert_allclose(warm, celsius[:, ::-1], atol=1e-3)

    warm, mask = only(vertical_flip=1.0)(celsius, labels, np.random.default_rng(0))
    assert np.array_equal(mask, labels[::-1])
    np.testing.assert_allclose(warm, celsius[::-1], atol=1e-3)


def test_rotation_is_counter_clockwise_and_keeps_picture_and_labels_together() -> None:
    celsius, labels = a_face()

    warm, mask = only(rotate=1.0, rotation_deg=(90.0, 90.0))(
        celsius, labels, np.random.default_rng(0)
    )

    # Centre of the face: (row 89.5, column 109.5) is (-50, -38) from the middle (159.5, 127.5).
    rows, columns = np.nonzero(mask)
    assert rows.mean() == pytest.approx(127.5 + 50, abs=1)
    assert columns.mean() == pytest.approx(159.5 - 38, abs=1)
    assert np.mean((warm > 29) == (mask > 0)) > 0.995


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_scale_changes_the_area_by_its_square(scale: float) -> None:
    celsius = np.full((256, 320), 24.0, np.float32)
    labels = np.zeros((256, 320), np.uint8)
    labels[100:150, 140:190] = 1

    _, mask = only(resize=1.0, scale=(scale, scale), aspect=(1.0, 1.0))(
        celsius, labels, np.random.default_rng(0)
    )

    assert np.count_nonzero(mask) == pytest.approx(2500 * scale**2, rel=0.05)


def test_any_size_comes_out_at_the_configured_one() -> None:
    warm, mask = only((64, 96))(
        np.zeros((480, 640), np.float32), np.ones((480, 640), np.uint8), np.random.default_rng(0)
    )

    assert warm.shape == mask.shape == (64, 96)


def test_pixels_of_a_large_picture_are_averaged_and_not_dropped() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (1024, 1280)).astype(np.float32)
    labels = np.zeros((1026, 1291), np.uint8)
    labels[400:600, 700:1000] = 1

    small, _ = only()(noise, np.zeros(noise.shape, np.uint8), rng)
    warm, mask = only(horizontal_flip=1.0, rotate=1.0)(labels.astype(np.float32), labels, rng)

    # Means of 4 x 4 pixels; bilinear interpolation alone would leave twice as much.
    assert small.std() == pytest.approx(1 / 4, rel=0.02)
    rows, columns = np.nonzero(mask)
    weights = warm / warm.sum()
    assert (weights.sum(1) @ np.arange(256)) == pytest.approx(rows.mean(), abs=0.1)
    assert (weights.sum(0) @ np.arange(320)) == pytest.approx(columns.mean(), abs=0.1)


def test_labels_of_any_integer_type_are_understood() -> None:
    celsius, labels = a_face()
    expected = TiAug(TiAugConfig(occlude=1.0))(celsius, labels > 0, np.random.default_rng(2))

    kinds: tuple[type[np.integer], ...] = (np.uint8, np.int32, np.int64)
    for kind in kinds:
        face = (labels > 0).astype(kind)
        given = TiAug(TiAugConfig(occlude=1.0))(celsius, face, np.random.default_rng(2))
        assert given[1].dtype == np.uint8
        assert np.array_equal(given[0], expected[0])
        assert np.array_equal(given[1], expected[1])


def test_pixels_that_are_not_finite_stay_few_and_set_no_temperature() -> None:
    celsius, labels = a_face()
    celsius[10, 20] = np.nan
    augment = only(occlude=1.0, blur=1.0, noise=1.0, hard_border=1.0, rotate=1.0)

    for seed in range(20):
        warm, _ = augment(celsius, labels, np.random.default_rng(seed))
        assert np.count_nonzero(np.isnan(warm)) <= 64
        # From one span of 10 K below to one above, and the noise.
        assert np.nanmin(warm) > 13.9
        assert np.nanmax(warm) < 44.1


def test_objects_hide_pixels_but_never_labels() -> None:
    celsius, labels = a_face()
    hidden = 0

    for seed in range(50):
        warm, mask = only(occlude=1.0)(celsius, labels, np.random.default_rng(seed))
        assert np.array_equal(mask, labels)
        hidden += bool(np.any(warm[labels > 0] != celsius[labels > 0]))

    assert hidden > 10


def test_objects_have_temperatures_from_one_span_below_to_one_above() -> None:
    celsius, labels = a_face()
    seen = []

    for seed in range(300):
        warm, _ = only(occlude=1.0)(celsius, labels, np.random.default_rng(seed))
        seen += list(np.unique(warm[warm != celsius]))

    # Minimum 24 °C, maximum 34 °C, span 10 K.
    assert 14 <= min(seen) < 17
    assert 41 < max(seen) <= 44


def test_the_drawn_parameters_stay_in_their_ranges() -> None:
    config = TiAugConfig()
    rng = np.random.default_rng(3)
    drawn = [TiAug(config).draw(rng) for _ in range(500)]

    assert all(0.5 <= one.scale <= 2 for one in drawn)
    assert all(0.9 <= one.aspect <= 1.1 for one in drawn)
    assert all(-180 <= one.rotation_deg <= 180 for one in drawn)
    assert all(one.netd_k == 0 or 0 <= one.netd_k <= 0.1 for one in drawn)
    assert all(one.blur_sigma_px == 0 or 1 <= one.blur_sigma_px <= 1.2 for one in drawn)
    objects = [item for one in drawn for item in one.occluders]
    assert all(2 <= len(item.corners) <= 30 for item in objects)
    assert {len(item.corners) for item in objects} >= {2, 30}
    assert all(0.01 <= item.area <= 0.40 for item in objects)
    assert all(-1 <= item.temperature <= 2 for item in objects)
    assert all(0 <= item.row <= 1 and 0 <= item.column <= 1 for item in objects)


def test_half_of_the_pictures_get_objects_in_all_three_configurations() -> None:
    rng = np.random.default_rng(3)
    drawn = [TiAug(TiAugConfig()).draw(rng).occluders for _ in range(1000)]
    kinds = [
        0 if not one else 1 if len(one) == 1 else 3 if one[1].touches_previous else 2
        for one in drawn
    ]

    shares = np.bincount(kinds, minlength=4) / len(kinds)
    np.testing.assert_allclose(shares, [0.5, 0.17, 0.165, 0.165], atol=0.05)


def test_connected_objects_touch() -> None:
    celsius, labels = a_face()
    augment = only(occlude=1.0, configurations=(0.0, 0.0, 1.0), same_temperature=1.0)
    joined = 0
    for seed in range(40):
        warm, _ = augment(celsius, labels, np.random.default_rng(seed))
        count, _ = cv2.connectedComponents((warm != celsius).astype(np.uint8))
        joined += count <= 2

    assert joined >= 36


@pytest.mark.parametrize("elsewhere", [0, 255])
@pytest.mark.parametrize("corners", [2, 3, 5, 30])
def test_an_object_has_the_area_that_was_asked_for(corners: int, elsewhere: int) -> None:
    celsius, labels = a_face()
    labels[labels == 0] = elsewhere
    augment = only(
        occlude=1.0,
        configurations=(1.0, 0.0, 0.0),
        size=(0.2, 0.2),
        vertices=(corners, corners),
        spikiness=(0.0, 0.3),
        position=(0.5, 0.5),
        temperature=(1.5, 1.5),
    )

    for seed in range(30):
        warm, _ = augment(celsius, labels, np.random.default_rng(seed))
        # A fifth of the face's 100 x 100 pixels.
        assert np.count_nonzero(warm == 39) == pytest.approx(2000, rel=0.12)


def test_two_corners_make_a_line_as_thick_as_asked_for() -> None:
    celsius, labels = np.full((256, 320), 20.0, np.float32), np.ones((256, 320), np.uint8)
    celsius[0, 0] = 30
    augment = only(
        occlude=1.0,
        configurations=(1.0, 0.0, 0.0),
        size=(0.02, 0.02),
        vertices=(2, 2),
        line_thickness=(0.1, 0.1),
        position=(0.5, 0.5),
        temperature=(2.0, 2.0),
    )

    warm, _ = augment(celsius, labels, np.random.default_rng(4))
    rows, columns = np.nonzero(warm == 40)
    _, (long_px, short_px), _ = cv2.minAreaRect(np.column_stack([columns, rows]))

    assert sorted((long_px, short_px))[0] / sorted((long_px, short_px))[1] < 0.15


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_objects_of_every_configuration_are_hotter_and_colder_than_the_face(kind: int) -> None:
    weights = tuple(float(one == kind) for one in range(3))
    rng = np.random.default_rng(1)
    drawn = [
        only(occlude=1.0, configurations=weights, same_temperature=0.5).draw(rng).occluders
        for _ in range(400)
    ]

    # The face is the warmest thing of the picture, hence 1.
    hotter = [all(one.temperature > 1 for one in objects) for objects in drawn]
    colder = [all(one.temperature < 1 for one in objects) for objects in drawn]
    assert np.mean(hotter) > 0.15
    assert np.mean(colder) > 0.4
    if kind > 0:
        same = np.mean([objects[0].temperature == objects[1].temperature for objects in drawn])
        assert same == pytest.approx(0.5, abs=0.1)


def test_noise_is_that_of_the_sensor_and_no_lens_blurs_it() -> None:
    celsius, labels = a_face()

    sharp, _ = only(blur=1.0)(celsius, labels, np.random.default_rng(0))
    noisy, _ = only(blur=1.0, noise=1.0, netd_k=(0.1, 0.1))(
        celsius, labels, np.random.default_rng(0)
    )

    assert np.std(noisy[:20] - sharp[:20]) == pytest.approx(0.1 / np.sqrt(12), rel=0.05)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(2, 90),
    width=st.integers(2, 90),
    temperature_c=st.floats(-40, 300, width=32),
    span_k=st.sampled_from([0.0, 0.01, 30.0]),
    seed=st.integers(0, 2**32),
)
def test_any_picture_keeps_its_labels_and_stays_finite(
    height: int, width: int, temperature_c: float, span_k: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    celsius = (temperature_c + span_k * rng.random((height, width))).astype(np.float32)
    labels = rng.choice([0, 2, 5], (height, width)).astype(np.uint8)

    warm, mask = TiAug(TiAugConfig(), (48, 64))(celsius, labels, rng)

    assert warm.shape == mask.shape == (48, 64)
    assert np.isfinite(warm).all()
    assert set(np.unique(mask)) <= {0, 2, 5}
    reach = 1.01 * span_k + 0.06
    assert temperature_c - reach <= warm.min()
    assert warm.max() <= temperature_c + 2.01 * span_k + 0.06


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_only_geometry_moves_labels(seed: int) -> None:
    celsius, labels = a_face()
    everything = TiAug(TiAugConfig(occlude=1.0, noise=1.0, blur=1.0, hard_border=1.0))
    drawn = everything.draw(np.random.default_rng(seed))
    bare = replace(drawn, occluders=(), netd_k=0.0, blur_sigma_px=0.0, border=None)

    assert np.array_equal(
        everything.apply(celsius, labels, drawn)[1], everything.apply(celsius, labels, bare)[1]
    )
    first, again = (everything.apply(celsius, labels, drawn)[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_noise_stays_within_half_its_width() -> None:
    celsius, labels = a_face()

    warm, _ = only(noise=1.0, netd_k=(0.1, 0.1))(celsius, labels, np.random.default_rng(0))
    noise = warm - celsius

    assert np.abs(noise).max() <= 0.05 + 1e-4
    assert noise.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=1e-3)


def test_a_picture_without_a_face_is_augmented_too() -> None:
    celsius = np.full((256, 320), 24.0, np.float32)

    for seed in range(20):
        warm, mask = TiAug(TiAugConfig(occlude=1.0))(
            celsius, np.zeros_like(celsius, np.uint8), np.random.default_rng(seed)
        )
        assert np.isfinite(warm).all()
        assert not mask.any()


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="same two-dimensional shape"):
        TiAug(TiAugConfig())(
            np.zeros((10, 10), np.float32), np.zeros((10, 11), np.uint8), np.random.default_rng(0)
        )
    with pytest.raises(ValueError, match="must have pixels"):
        TiAug(TiAugConfig())(
            np.zeros((0, 10), np.float32), np.zeros((0, 10), np.uint8), np.random.default_rng(0)
        )


def test_without_randomness_a_picture_is_only_brought_to_its_size() -> None:
    celsius, labels = a_face()
    still = TiAug(without_randomness())

    for seed in range(20):
        warm, mask = still(celsius, labels, np.random.default_rng(seed))
        assert np.array_equal(warm, celsius)
        assert np.array_equal(mask, labels)


def test_without_randomness_a_step_that_is_new_is_off_too() -> None:
    class Foggy(TiAugConfig):
        fog: Probability = 0.7
        fog_depth: float = 0.5

    still = without_randomness(Foggy)

    assert isinstance(still, Foggy)
    assert (still.fog, still.fog_depth) == (0.0, 0.5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", (2.0, 0.5)),
        ("vertices", (1, 5)),
        ("vertices", (5, 3)),
        ("occlude", 1.5),
        ("configurations", (float("inf"), 1.0, 1.0)),
        ("unknown", 1),
        ("height", 64),
    ],
)
def test_settings_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        TiAugConfig.model_validate({key: value})
