"""The camera model: each fault alone, of the announced size."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.phantom.sensor import Sensor, ThermalCamera
from thermoseg.radiometry import LinearRadiometry

SHAPE = (48, 64)
FINE = replace(Sensor.noiseless(), radiometry=LinearRadiometry(0.001, -20.0))
"""Without any fault, in steps that do not hide a small one."""


def scene(shift: float = 0.0) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    celsius: NDArray[np.float32] = (24 + shift + 0.1 * rows + 0.05 * columns).astype(np.float32)
    return celsius


def film(sensor: Sensor, frames: int, rate_hz: float = 30) -> NDArray[np.float64]:
    """(frames, height, width) K: what the camera adds to a scene that stands still."""
    camera = ThermalCamera(sensor, *SHAPE)
    counts = [camera.expose(scene(), i / rate_hz).counts for i in range(frames)]
    return sensor.radiometry.to_celsius(np.stack(counts)).astype(np.float64) - scene()


def test_a_noiseless_camera_is_exact_to_half_a_count() -> None:
    sensor = Sensor.noiseless()
    exposure = ThermalCamera(sensor, *SHAPE).expose(scene(), 0.0)
    celsius = sensor.radiometry.to_celsius(exposure.counts)

    assert exposure.counts.dtype == np.uint16
    assert not exposure.shutter
    assert exposure.after_shutter_s == np.inf
    assert np.abs(celsius - scene()).max() <= 0.005 + 1e-4, "counts of 0.01 K"
    assert exposure.counts[0, 0] == 29715, "24 °C in hundredths of a kelvin"


def test_temperatures_beyond_the_range_stop_at_its_ends() -> None:
    camera = ThermalCamera(Sensor.noiseless(), 1, 2)
    exposure = camera.expose(np.array([[-300.0, 500.0]], np.float32), 0.0)

    assert exposure.counts.tolist() == [[0, 65535]]


@pytest.mark.parametrize(("netd_k", "correlation"), [(0.03, 0.7), (0.1, 0.0), (0.05, 0.9)])
def test_temporal_noise_has_its_size_and_memory(netd_k: float, correlation: float) -> None:
    noise = film(replace(FINE, netd_k=netd_k, correlation=correlation), 400)
    lag_one = np.mean(noise[1:] * noise[:-1]) / np.mean(noise**2)

    assert noise.std() == pytest.approx(netd_k, rel=0.1)
    assert noise.std(axis=0).mean() == pytest.approx(netd_k, rel=0.1)
    assert abs(noise.mean()) < 0.1 * netd_k
    assert lag_one == pytest.approx(correlation, abs=0.05)


def test_the_first_frame_is_as_noisy_as_the_others() -> None:
    first = np.stack([film(replace(FINE, netd_k=0.1, seed=seed), 1)[0] for seed in range(10)])

    assert first.std() == pytest.approx(0.1, rel=0.1)


def test_noise_of_neighbouring_pixels_is_independent() -> None:
    noise = film(replace(FINE, netd_k=0.1, correlation=0.0), 60)

    for one, other in (
        (noise[:, :, 1:], noise[:, :, :-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[1:], noise[:-1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


def test_the_fixed_pattern_stays() -> None:
    pattern = film(replace(FINE, pattern_k=0.05), 3)

    assert np.array_equal(pattern[0], pattern[2])
    assert pattern[0].std() == pytest.approx(0.05, rel=0.1)


def test_stripes_run_along_rows_and_columns() -> None:
    stripes = film(replace(FINE, stripes_k=0.05), 1)[0]
    columns = stripes - stripes.mean(axis=1, keepdims=True)
    rows = stripes - stripes.mean(axis=0, keepdims=True)

    assert columns.std(axis=0).max() < 0.002, "one offset for a whole column"
    assert rows.std(axis=1).max() < 0.002, "one offset for a whole row"
    assert columns.mean(axis=0).std() == pytest.approx(0.05, rel=0.35)
    assert rows.mean(axis=1).std() == pytest.approx(0.05, rel=0.35)


def test_blur_spreads_a_point_and_keeps_its_heat() -> None:
    point = np.full(SHAPE, 20.0, np.float32)
    point[24, 32] = 60.0
    camera = ThermalCamera(replace(FINE, blur_px=1.0), *SHAPE)
    counts = camera.expose(point, 0.0).counts
    seen = FINE.radiometry.to_celsius(counts).astype(np.float64) - 20

    assert seen.max() == pytest.approx(40 / (2 * np.pi), rel=0.03), "peak of a Gaussian of 1 px"
    assert seen.sum() == pytest.approx(40, abs=0.5)


def test_drift_grows_until_the_shutter_takes_it_away() -> None:
    sensor = replace(FINE, drift_k_per_s=0.01, shutter_every_s=100, shutter_s=1, shutter_step_k=0.0)
    camera = ThermalCamera(sensor, *SHAPE)
    level = {
        t: float(np.mean(FINE.radiometry.to_celsius(camera.expose(scene(), t).counts) - scene()))
        for t in (0.0, 50.0, 99.0, 101.0, 131.0)
    }

    assert level == pytest.approx({0.0: 0, 50.0: 0.5, 99.0: 0.99, 101.0: 0, 131.0: 0.3}, abs=1e-3)


def test_the_shutter_freezes_the_picture_says_so_and_steps() -> None:
    sensor = replace(FINE, shutter_every_s=10, shutter_s=1, shutter_step_k=0.15)
    camera = ThermalCamera(sensor, *SHAPE)
    before = camera.expose(scene(), 9.9)
    frozen = [camera.expose(scene(shift), t) for shift, t in ((0.5, 10.0), (1.0, 10.9))]
    after = [camera.expose(scene(1.0), t) for t in (11.0, 12.5)]
    steps = [
        FINE.radiometry.to_celsius(exposure.counts).astype(np.float64) - scene(1.0)
        for exposure in after
    ]

    assert not before.shutter
    assert before.after_shutter_s == np.inf
    assert all(exposure.shutter for exposure in frozen)
    assert all(np.array_equal(exposure.counts, before.counts) for exposure in frozen)
    assert not any(exposure.shutter for exposure in after)
    assert [exposure.after_shutter_s for exposure in after] == pytest.approx([0.0, 1.5])
    assert steps[0].std() < 0.001, "the same step everywhere"
    assert 0.005 < abs(steps[0].mean()) < 0.6
    assert np.abs(steps[1] - steps[0]).max() < 0.0015, "and it stays until the next"


def test_steps_have_the_announced_size() -> None:
    def step(seed: int) -> float:
        sensor = replace(FINE, shutter_every_s=10, shutter_s=1, shutter_step_k=0.15, seed=seed)
        counts = ThermalCamera(sensor, 2, 2).expose(np.full((2, 2), 30, np.float32), 12).counts
        return float(FINE.radiometry.to_celsius(counts)[0, 0]) - 30

    steps = [step(seed) for seed in range(200)]

    assert np.std(steps) == pytest.approx(0.15, rel=0.2)
    assert abs(np.mean(steps)) < 0.04


def test_one_seed_is_one_camera() -> None:
    sensor = Sensor(seed=3)
    one, twin = film(sensor, 4), film(sensor, 4)
    other = film(replace(sensor, seed=4), 4)

    assert np.array_equal(one, twin)
    assert not np.array_equal(one, other)


def test_the_scene_is_left_as_it_was() -> None:
    own = scene()
    ThermalCamera(Sensor(), *SHAPE).expose(own, 0.0)

    assert np.array_equal(own, scene())
