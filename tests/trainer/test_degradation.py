import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.degradation import Degradation, DegradationConfig

STEPS = (
    "drift",
    "patches",
    "coarse",
    "stripes",
    "grain",
    "halo",
    "smooth",
    "equalise",
    "local_equalise",
    "clip",
    "tone",
    "invert",
    "quantise",
    "compress",
    "overlay",
)


def a_ramp() -> NDArray[np.float32]:
    rows, columns = np.indices((64, 80), dtype=np.float32)
    ramp: NDArray[np.float32] = 20 + 10 * (rows * 80 + columns) / (64 * 80 - 1)
    return ramp


def only(*steps: str) -> Degradation:
    chances = {step: float(step in steps) for step in STEPS}
    return Degradation(DegradationConfig(coarse_width_px=30, **chances))


def test_one_seed_reproduces_a_picture_exactly() -> None:
    augment = Degradation(DegradationConfig())
    labels = np.zeros((64, 80), np.uint8)

    first, _ = augment(a_ramp(), labels, np.random.default_rng(5))
    again, _ = augment(a_ramp(), labels, np.random.default_rng(5))

    assert np.array_equal(first, again)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_changes_the_picture_but_neither_its_shape_nor_labels(step: str) -> None:
    celsius = a_ramp() + np.random.default_rng(0).normal(0, 0.3, (64, 80)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 6, (64, 80)).astype(np.uint8)
    kept = celsius.copy()
    changed = 0

    for seed in range(10):
        picture, mask = only(step)(celsius, labels, np.random.default_rng(seed))
        assert picture.shape == celsius.shape
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert np.array_equal(mask, labels)
        changed += not np.allclose(picture, celsius, atol=1e-3)

    assert changed >= 5
    assert np.array_equal(celsius, kept)


def test_without_steps_nothing_changes() -> None:
    picture, _ = only()(a_ramp(), np.zeros((64, 80), np.uint8), np.random.default_rng(0))

    np.testing.assert_allclose(picture, a_ramp(), atol=1e-4)


def test_inversion_turns_the_order_round() -> None:
    picture, _ = only("invert")(a_ramp(), np.zeros((64, 80), np.uint8), np.random.default_rng(0))

    np.testing.assert_allclose(picture, 50 - a_ramp(), atol=0.01)


@pytest.mark.parametrize("step", ["tone", "clip", "equalise", "quantise"])
def test_tone_never_turns_the_order_round(step: str) -> None:
    for seed in range(20):
        picture, _ = only(step)(a_ramp(), np.zeros((64, 80), np.uint8), np.random.default_rng(seed))
        assert np.all(np.diff(picture.ravel()) >= -1e-4)


def test_equalisation_makes_levels_equally_frequent() -> None:
    celsius = (a_ramp() - 20) ** 3
    evenness = []

    for seed in range(30):
        picture, _ = only("equalise")(
            celsius, np.zeros((64, 80), np.uint8), np.random.default_rng(seed)
        )
        counts, _ = np.histogram(picture, bins=8)
        evenness.append(counts.std() / counts.mean())

    assert min(evenness) < 0.1
    assert np.histogram(celsius, bins=8)[0].std() / (64 * 80 / 8) > 1


def test_a_constant_picture_stays_constant() -> None:
    celsius = np.full((64, 80), 25, np.float32)

    picture, _ = Degradation(DegradationConfig())(
        celsius, np.zeros((64, 80), np.uint8), np.random.default_rng(0)
    )

    assert np.array_equal(picture, celsius)
