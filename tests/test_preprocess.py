"""Normalisation, and cutting boxes out of images and pasting answers back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.preprocess import Box, Normalisation, cut, fit_box, normalise, paste, regrid

SIZE = (256, 320)


def test_minmax_stretches_the_extremes_to_minus_one_and_one() -> None:
    celsius = np.array([[20, 25], [30, 22.5]], np.float32)

    np.testing.assert_allclose(
        normalise(celsius, "minmax"), np.array([[-1, 0], [1, -0.5]]), atol=1e-6
    )


def test_percentile_ignores_a_dead_and_a_glowing_pixel() -> None:
    celsius = np.tile(np.linspace(20, 30, 100, dtype=np.float32), (100, 1))
    celsius[0, 0], celsius[50, 50] = -273, 500

    stretched = normalise(celsius, "percentile")

    assert stretched[0, 0] == -1
    assert stretched[50, 50] == 1
    np.testing.assert_allclose(stretched[10], np.linspace(-1, 1, 100), atol=0.02)


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_a_constant_image_becomes_zeros(method: Normalisation) -> None:
    constant = np.full((8, 9), 31.7, np.float32)

    assert not normalise(constant, method).any()


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_pixels_without_a_number_become_zero_and_disturb_no_other(method: Normalisation) -> None:
    celsius = np.linspace(20, 30, 400, dtype=np.float32).reshape(20, 20)
    holed = celsius.copy()
    holed[3, 4], holed[5, 6], holed[7, 8] = np.nan, np.inf, -np.inf

    stretched = normalise(holed, method)

    assert stretched[3, 4] == stretched[5, 6] == stretched[7, 8] == 0
    assert np.abs(stretched - normalise(celsius, method))[10:].max() < 0.02


def test_an_image_without_any_number_becomes_zeros() -> None:
    assert not normalise(np.full((4, 4), np.nan, np.float32)).any()


def test_the_caller_keeps_his_image() -> None:
    celsius = np.linspace(20, 30, 16, dtype=np.float32).reshape(4, 4)
    celsius.flags.writeable = False

    assert normalise(celsius).base is not celsius
    assert celsius[0, 0] == 20


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_the_scale_of_the_temperatures_does_not_matter(method: Normalisation) -> None:
    celsius = np.random.default_rng(1).normal(30, 2, (40, 50)).astype(np.float32)

    np.testing.assert_allclose(
        normalise(celsius * 100 + 27315, method), normalise(celsius, method), atol=2e-3
    )


@pytest.mark.parametrize(
    ("image", "method"), [(np.zeros(4), "minmax"), (np.zeros((0, 3)), "minmax")]
)
def test_what_is_no_image_is_refused(image: NDArray[np.float64], method: Normalisation) -> None:
    with pytest.raises(ValueError, match="height, width"):
        normalise(image, method)


def test_an_unknown_normalisation_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'zscore'"):
        normalise(np.zeros((2, 2)), "zscore")  # type: ignore[arg-type]  # the wrong name is meant


@pytest.mark.parametrize("shape", [(512, 640), (120, 160), (348, 464), (640, 512), (60, 80)])
def test_the_whole_frame_is_fitted_without_losing_a_pixel(shape: tuple[int, int]) -> None:
    whole = fit_box(Box(0, 0, *shape), SIZE)

    assert whole.top <= 0
    assert whole.left <= 0
    assert whole.top + whole.height >= shape[0]
    assert whole.left + whole.width >= shape[1]
    assert whole.width / whole.height == pytest.approx(1.25, abs=0.02)


def test_a_box_outside_the_image_repeats_the_border() -> None:
    celsius = np.array([[1, 2], [3, 4]], np.float32)

    assert cut(celsius, Box(-2, -2, 2, 2), (2, 2)).tolist() == [[1, 1], [1, 1]]
    assert cut(celsius, Box(0, 0, 4, 4), (4, 4)).tolist() == [
        [1, 2, 2, 2],
        [3, 4, 4, 4],
        [3, 4, 4, 4],
        [3, 4, 4, 4],
    ]


BOXES = [
    Box(0, 0, 512, 640),
    Box(100, 200, 128, 160),
    Box(-80, -33, 700, 875),
    Box(430, 560, 200, 250),
    Box(7, 11, 61, 77),
]


@pytest.mark.parametrize("box", BOXES)
def test_what_is_cut_out_is_pasted_back_to_the_same_pixels(box: Box) -> None:
    rows, columns = np.mgrid[:512, :640].astype(np.float32)

    for ramp in (rows, columns):
        planes, where = paste(cut(ramp, box, SIZE)[np.newaxis], box, ramp.shape)
        assert planes.shape[1:] == ramp[where].shape
        inner = (slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(planes[0][inner], ramp[where][inner], atol=0.2)


def test_a_box_beside_the_image_pastes_nothing() -> None:
    planes, where = paste(np.ones((6, *SIZE), np.float32), Box(600, 0, 50, 60), (512, 640))

    assert planes.size == 0
    assert np.zeros((512, 640))[where].size == 0


@pytest.mark.parametrize("target", [Box(100, 150, 256, 320), Box(140, 171, 200, 250)])
def test_regridding_gives_what_the_target_would_have_shown(target: Box) -> None:
    rows, columns = np.mgrid[:512, :640].astype(np.float32)
    wider = Box(60, 100, 360, 450)

    for ramp in (rows, columns):
        answer = regrid(cut(ramp, wider, SIZE)[np.newaxis], wider, target)[0]
        np.testing.assert_allclose(answer, cut(ramp, target, SIZE), atol=0.2)


def test_overlap_is_the_shared_part_of_the_smaller_box() -> None:
    assert Box(0, 0, 10, 10).overlap(Box(5, 5, 10, 10)) == 0.25
    assert Box(0, 0, 10, 10).overlap(Box(2, 2, 4, 4)) == 1
    assert Box(0, 0, 10, 10).overlap(Box(10, 0, 10, 10)) == 0
