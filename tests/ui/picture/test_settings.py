"""Each remembered value is checked alone; nonsense in one costs only that one."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ui.picture.settings import PictureSettings
from ui.picture.span import SpanMode
from ui.picture.units import Unit

DEFAULTS = PictureSettings()


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("palette", "Rust"),
        ("unit", "counts"),
        ("unit", "furlong"),
        ("span_mode", "trace=45"),
        ("span_mode", "Locked"),
        ("span_c", [38, 30]),
        ("span_c", [float("nan"), 3]),
        ("isotherm_c", "warm"),
        ("opacity", 45),
        ("opacity", "nan"),
        ("mask", "perhaps"),
        ("hidden", 7),
        ("hidden", ["x" * 5000]),
    ],
)
def test_a_value_that_does_not_fit_is_its_default(name: str, nonsense: object) -> None:
    found = PictureSettings.fitting({name: nonsense, "smooth": False, "zoom": "???"})

    assert getattr(found, name) == getattr(DEFAULTS, name)
    assert found.smooth is False


def test_what_is_remembered_is_found_again() -> None:
    found = PictureSettings(
        palette="Turbo",
        unit=Unit.FAHRENHEIT,
        span_mode=SpanMode.HAND,
        span_c=(30.0, 36.5),
        isotherm=True,
        hidden=("nose", "Spot 1"),
        mirrored=True,
    )

    assert PictureSettings.fitting(found.model_dump(mode="json")) == found


def test_an_ini_file_has_texts_only() -> None:
    found = PictureSettings.fitting({"mask": "false", "opacity": "0.3", "mirrored": "true"})

    assert (found.mask, found.opacity, found.mirrored) == (False, 0.3, True)


NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.floats() | st.text(max_size=3), max_size=3),
    st.just({"a": [1]}),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(list(PictureSettings.model_fields)), value=NONSENSE)
def test_no_nonsense_ends_in_a_traceback(name: str, value: object) -> None:
    fitting = PictureSettings.fitting({"palette": "Viridis", name: value})

    assert fitting.palette == "Viridis" or name == "palette"
