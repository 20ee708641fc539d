"""Temperatures and differences in each unit; only temperatures have an offset."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.picture.units import CHOSEN_UNITS, Unit


@pytest.mark.parametrize(
    ("unit", "boiling", "degree"),
    [(Unit.CELSIUS, 100.0, 1.0), (Unit.FAHRENHEIT, 212.0, 1.8), (Unit.KELVIN, 373.15, 1.0)],
)
def test_water_boils(unit: Unit, boiling: float, degree: float) -> None:
    assert unit.of(100.0) == pytest.approx(boiling)
    assert unit.of_difference(1.0) == pytest.approx(degree)


@settings(deadline=None)
@given(unit=st.sampled_from(list(Unit)), celsius=st.floats(-273, 5000))
def test_there_and_back_is_the_same(unit: Unit, celsius: float) -> None:
    assert unit.to_celsius(unit.of(celsius)) == pytest.approx(celsius, abs=1e-6)


@settings(deadline=None)
@given(unit=st.sampled_from(CHOSEN_UNITS), low=st.floats(-50, 50), step=st.floats(0, 100))
def test_a_difference_is_that_of_two_temperatures(unit: Unit, low: float, step: float) -> None:
    apart = unit.of(low + step) - unit.of(low)

    assert unit.of_difference(step) == pytest.approx(apart, abs=1e-6)


def test_temperatures_are_written_with_their_unit_and_counts_without_decimals() -> None:
    assert Unit.FAHRENHEIT.text(37.0) == "98.60 °F"
    assert Unit.COUNTS.text(254.6, symbol=False) == "255"
