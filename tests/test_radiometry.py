import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermoseg.errors import FormatError
from thermoseg.radiometry import (
    LinearGrid,
    LinearRadiometry,
    ObjectParameters,
    PlanckRadiometry,
    RelativeCounts,
    humidity_of_header,
    humidity_ratio,
)
from thermoseg.radiometry_text import radiometry_from_dict, radiometry_to_dict

TOLERANCE_C = 1e-4


def thermimage(**scene: float) -> PlanckRadiometry:
    """The camera of Thermimage's examples."""
    return PlanckRadiometry(21106.77, 1501.0, 1.0, -7340.0, 0.012545258, ObjectParameters(**scene))


@pytest.mark.parametrize(
    ("signal", "scene", "celsius"),
    [
        (18109, {}, 23.624326),
        (17994.06, {}, 23.0000),
        (17994.06, {"emissivity": 0.95, "distance_m": 1, "window_transmission": 0.96}, 23.312234),
        (18109, {"emissivity": 0.95, "distance_m": 1, "window_transmission": 0.96}, 24.000221),
        (17171, {"emissivity": 0.95, "distance_m": 1}, 18.30356),
        (18272, {"emissivity": 0.95, "distance_m": 1}, 24.77367),
        (24931, {"emissivity": 0.95, "distance_m": 1}, 57.07398),
    ],
)
def test_planck_agrees_with_the_published_numbers(
    signal: float, scene: dict[str, float], celsius: float
) -> None:
    assert thermimage(**scene).celsius_of_signal(signal) == pytest.approx(celsius, abs=TOLERANCE_C)


@pytest.mark.parametrize(("raw", "celsius"), [(12000, 21.567), (14000, 32.808), (16000, 43.013)])
def test_planck_agrees_with_a_flir_one_of_other_constants(raw: int, celsius: float) -> None:
    scene = ObjectParameters(emissivity=0.95)
    camera = PlanckRadiometry(16528.178, 1427.5, 1.0, -1307.0, 0.012258549, scene)

    assert camera.to_celsius(np.array([raw], np.uint16))[0] == pytest.approx(celsius, abs=5e-4)


def test_frames_convert_to_the_same_numbers_as_single_values() -> None:
    camera = thermimage(emissivity=0.95, distance_m=1)
    frame = np.array([[17171, 18272, 24931]], np.uint16)

    celsius = camera.to_celsius(frame)

    assert celsius.dtype == np.float32
    assert celsius.shape == (1, 3)
    np.testing.assert_allclose(celsius[0], [18.30356, 24.77367, 57.07398], atol=TOLERANCE_C)


def test_celsius_becomes_the_published_count() -> None:
    assert thermimage().to_counts(23.0) == pytest.approx(17994.06, abs=5e-3)


@settings(deadline=None)
@given(
    st.floats(-20, 150),
    st.floats(0.1, 1),
    st.floats(0, 100),
    st.floats(0, 1),
    st.floats(0.2, 1),
    st.floats(-10, 50),
)
def test_counts_of_a_temperature_convert_back_to_it(
    celsius: float,
    emissivity: float,
    distance_m: float,
    humidity: float,
    window: float,
    room_c: float,
) -> None:
    camera = thermimage(
        emissivity=emissivity,
        distance_m=distance_m,
        humidity=humidity,
        window_transmission=window,
        window_c=room_c,
        reflected_c=room_c,
        atmosphere_c=room_c,
    )

    assert camera.celsius_of_signal(camera.to_counts(celsius)) == pytest.approx(celsius, abs=1e-6)


def test_air_lets_through_what_is_published() -> None:
    assert ObjectParameters(distance_m=1).transmission == pytest.approx(0.995721603, abs=1e-9)


def test_a_count_below_what_the_path_alone_gives_is_no_temperature() -> None:
    assert np.isnan(thermimage().to_celsius(np.array([0, 7000], np.uint16))).all()


def test_humidity_in_per_cent_is_never_taken_for_a_ratio() -> None:
    with pytest.raises(ValueError, match="ratio from 0 to 1, got 50"):
        ObjectParameters(humidity=50.0)

    assert humidity_ratio(50.0) == 0.5


@pytest.mark.parametrize(("header", "ratio"), [(0.3, 0.3), (1.0, 1.0), (2.5, 0.025), (50, 0.5)])
def test_a_header_may_hold_a_ratio_or_a_percentage(header: float, ratio: float) -> None:
    assert humidity_of_header(header) == ratio


@pytest.mark.parametrize("header", [1.5, -0.1, 101.0, float("nan")])
def test_a_header_humidity_that_can_be_neither_is_refused(header: float) -> None:
    with pytest.raises(ValueError, match="humidity"):
        humidity_of_header(header)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("emissivity", 0.0),
        ("emissivity", 1.01),
        ("distance_m", -1.0),
        ("distance_m", float("nan")),
        ("window_transmission", 0.0),
        ("reflected_c", -300.0),
        ("atmosphere_c", float("inf")),
        ("alpha1", -1000.0),
    ],
)
def test_impossible_scenes_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field.rstrip("1")):
        ObjectParameters(**{"distance_m": 1.0, field: value})


def test_centikelvin_converts_to_the_nearest_float32() -> None:
    every_count = np.arange(65_536, dtype=np.uint16)

    celsius = LinearRadiometry(0.01).to_celsius(every_count)

    exact = [(count - 27_315) / 100 for count in range(65_536)]
    np.testing.assert_allclose(celsius, exact, rtol=6e-8, atol=1e-9)


def test_a_missing_pixel_is_not_a_number() -> None:
    celsius = LinearRadiometry(0.04, missing=0).to_celsius(np.array([0, 7000], np.uint16))

    assert np.isnan(celsius[0])
    assert celsius[1] == pytest.approx(6.85, abs=1e-5)


def test_relative_counts_stay_counts() -> None:
    relative = RelativeCounts("8 bits only")

    assert not relative.radiometric
    np.testing.assert_array_equal(
        relative.to_celsius(np.array([3, 250], np.uint16)), np.array([3, 250], np.float32)
    )


@pytest.mark.parametrize(
    "radiometry",
    [
        LinearRadiometry(0.04),
        LinearRadiometry(0.005, -100.0, 0),
        RelativeCounts("AGC is on"),
        thermimage(emissivity=0.98, humidity=0.3, distance_m=1.5, window_transmission=0.9),
    ],
    ids=str,
)
def test_radiometry_survives_json(radiometry: LinearRadiometry) -> None:
    text = json.dumps(radiometry_to_dict(radiometry))

    assert radiometry_from_dict(json.loads(text)) == radiometry


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        ({}, "None"),
        ({"kind": "magic"}, "magic"),
        ({"kind": ["linear"]}, "unknown"),
        ({"kind": "linear"}, "scale_k"),
        ({"kind": "linear", "scale_k": 0.04, "offset": 1}, "offset"),
        ({"kind": "linear", "scale_k": float("nan")}, "scale_k"),
        ({"kind": "linear", "scale_k": -1}, "above 0"),
        ({"kind": "planck", "r1": "many"}, "r1"),
        (
            {"kind": "planck", "r1": 1, "b": 1, "f": 1, "o": 0, "r2": 1, "scene": {"humidity": 50}},
            "humidity",
        ),
    ],
)
def test_a_damaged_description_is_refused_by_the_place(
    described: dict[str, object], complaint: str
) -> None:
    with pytest.raises(FormatError, match=complaint):
        radiometry_from_dict(described)


@settings(deadline=None)
@given(st.floats(-100, 100), st.floats(0, 600))
def test_a_grid_holds_its_extremes_and_loses_less_than_5_mk(low: float, span: float) -> None:
    high = low + span
    grid = LinearGrid.spanning(low, high)
    celsius = np.array([low, low + span / 3, high, np.nan])

    back = grid.radiometry.to_celsius(grid.counts_of(celsius))

    np.testing.assert_allclose(back[:3], celsius[:3], atol=0.005)
    assert np.isnan(back[3])


def test_a_grid_refuses_what_lies_outside() -> None:
    grid = LinearGrid.spanning(20.0, 40.0)

    with pytest.raises(ValueError, match="41 °C is outside"):
        grid.counts_of(np.array([[30.0, 41.0]]))
