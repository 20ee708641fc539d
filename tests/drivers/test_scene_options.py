"""What a user says of the scene, the same for cameras and files."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from drivers.flir_one import FlirOneOptions
from drivers.frame_source import FileOptions
from drivers.gige import GigeOptions
from drivers.scene_options import SceneOptions
from thermoseg.radiometry import ObjectParameters

DRIVERS = pytest.mark.parametrize("options", [FileOptions, FlirOneOptions, GigeOptions])


@DRIVERS
def test_a_scene_is_what_was_given_and_nothing_else(options: type[SceneOptions]) -> None:
    given = {"emissivity": "0.98", "humidity": "40%", "reflected_c": "-3"}

    assert options.model_validate(given).scene == {
        "emissivity": 0.98,
        "humidity": 0.4,
        "reflected_c": -3.0,
    }
    assert options.model_validate({}).scene == {}


@DRIVERS
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("emissivity", "0"),
        ("emissivity", "1.01"),
        ("distance_m", "-1"),
        ("distance_m", "inf"),
        ("reflected_c", "-274"),
        ("atmosphere_c", "nan"),
        ("humidity", "50"),
        ("humidity", "101%"),
    ],
)
def test_what_cannot_be_is_refused(options: type[SceneOptions], name: str, text: str) -> None:
    with pytest.raises(ValidationError, match=name):
        options.model_validate({name: text})


def test_the_names_are_those_of_object_parameters() -> None:
    assert set(SceneOptions.model_fields) <= {field.name for field in fields(ObjectParameters)}
