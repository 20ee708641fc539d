"""What a user may say of the scene: the options of all cameras and files that can follow them."""

from typing import Annotated

from annotated_types import Unit
from pydantic import BeforeValidator, Field

from thermoseg.cameras import CameraOptions
from thermoseg.radiometry import KELVIN, humidity_ratio


def humidity_of_option(value: object) -> object:
    """Read “50%” as 0.5 and leave all else to pydantic."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return humidity_ratio(float(value.strip().removesuffix("%")))
    return value


Temperature = Annotated[float, Field(gt=-KELVIN, allow_inf_nan=False), Unit("°C")]
Humidity = Annotated[float, BeforeValidator(humidity_of_option), Field(ge=0, le=1)]


class SceneOptions(CameraOptions):
    """The scene in place of what the camera or the file says of it, as far as it is given.

    Each field sets that of `thermoseg.radiometry.ObjectParameters` with the same name.
    """

    emissivity: Annotated[float, Field(gt=0, le=1, examples=[0.98])] | None = None
    """Emissivity of the surface; skin is 0.98."""
    distance_m: Annotated[float, Field(ge=0, allow_inf_nan=False), Unit("m")] | None = None
    """Metres of air between surface and lens."""
    reflected_c: Temperature | None = None
    """Mean temperature of what the surface mirrors, °C."""
    atmosphere_c: Temperature | None = None
    """Temperature of the air between, °C."""
    humidity: Humidity | None = None
    """Relative humidity of the air between, a ratio (0.5) or with a per cent sign (50%)."""

    @property
    def scene(self) -> dict[str, float]:
        """Those object parameters that were given, by field of `ObjectParameters`."""
        # Not the fields of `self`, which may be of a subclass with options of its own.
        names = SceneOptions.model_fields
        return {name: value for name in names if (value := getattr(self, name)) is not None}
