"""Each remembered value is checked alone; nonsense costs its default and nothing else."""

from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import Field
from PyQt6.QtCore import QSettings

from ui.shell.preferences import Preference, Preferences

ZOOM = Preference("window/zoom", Annotated[float, Field(ge=0.7, le=2.5)], 1.0)
SPAN = Preference[str]("live/span", Literal["face", "scene"], "face")
REGIONS = Preference("live/regions", dict[str, bool], {"nose": True})


def test_what_is_set_is_there_at_the_next_start(settings: QSettings) -> None:
    Preferences(settings).set(ZOOM, 1.5)
    Preferences(settings).set(REGIONS, {"chin": False})
    settings.sync()
    again = Preferences(QSettings(settings.fileName(), QSettings.Format.IniFormat))

    assert again.get(ZOOM) == 1.5
    assert again.get(REGIONS) == {"chin": False}
    assert again.get(SPAN) == "face"


@pytest.mark.parametrize("nonsense", ["", "45", "-1", "nan", "none", "[1]", "\x00", "{", "1e999"])
def test_an_unfit_value_costs_its_default_only(settings: QSettings, nonsense: str) -> None:
    preferences = Preferences(settings)
    preferences.set(SPAN, "scene")
    settings.setValue(ZOOM.key, nonsense)

    assert preferences.get(ZOOM) == 1.0
    assert preferences.get(SPAN) == "scene"


@given(value=st.one_of(st.text(), st.integers(), st.binary(), st.lists(st.text())))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_of_another_version_raises(settings: QSettings, value: object) -> None:
    for preference in (ZOOM, SPAN, REGIONS):
        settings.setValue(preference.key, value)

    preferences = Preferences(settings)
    assert 0.7 <= preferences.get(ZOOM) <= 2.5
    assert preferences.get(SPAN) in ("face", "scene")
    assert isinstance(preferences.get(REGIONS), dict)
