"""A slider's scale: where a number stands, and which number a place means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.form_parts.kinds import Number
from ui.form_parts.scale import Scale, nice

NUMBERS = [
    Number(False, 0.0, 1.0),
    Number(False, -180.0, 180.0),
    Number(False, 0.1, 10.0),
    Number(False, 0.0, 1000.0, low_open=True),
    Number(False, 0.0, 1.0, high_open=True),
    Number(True, 40, 2048),
    Number(True, 0, 1_000_000),
    Number(True, 1, 5),
]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_ends_are_the_bounds_unless_they_are_excluded(number: Number) -> None:
    scale = Scale(number)
    low, high = scale.value(0.0), scale.value(1.0)

    assert low == number.low or (number.low_open and 0 < low <= 0.01)
    assert high == number.high or (number.high_open and 0.99 <= high < 1)


@pytest.mark.parametrize("number", NUMBERS)
@given(place=st.floats(0, 1), further=st.floats(0, 1))
def test_a_place_further_right_never_means_less(
    number: Number, place: float, further: float
) -> None:
    scale = Scale(number)
    first, second = sorted((place, further))

    assert scale.value(first) <= scale.value(second)
    assert abs(scale.position(scale.value(place)) - place) <= (0.5 if number.whole else 0.03)


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"),
    [(0.1, 10.0, True), (0.1, 9.0, False), (0.0, 1.0, False), (0.0, 500.0, True), (-1, 900, False)],
)
def test_bounds_that_lie_far_apart_make_it_logarithmic(
    low: float, high: float, logarithmic: bool
) -> None:
    assert Scale(Number(False, low, high)).logarithmic is logarithmic


def test_the_middle_of_a_logarithmic_scale_is_the_geometric_mean() -> None:
    assert Scale(Number(False, 0.1, 10.0)).value(0.5) == 1.0


@pytest.mark.parametrize(("step", "rounded"), [(0.01, 0.01), (3.6, 2.0), (0.051, 0.05), (9, 5.0)])
def test_steps_are_round(step: float, rounded: float) -> None:
    assert nice(step) == pytest.approx(rounded)


def test_a_number_without_bounds_has_no_scale() -> None:
    assert not Scale.suits(Number(True, 0, 2**63))
    assert not Scale.suits(Number(False, 0.0))
    with pytest.raises(ValueError, match="two bounds"):
        Scale(Number(False, 0.0))
