"""What a user may choose when a session is analysed again; stands in the analysis."""

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Unit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermoseg.config import complaint
from thermoseg.errors import ConfigError
from thermoseg.radiometry import KELVIN


class AnalysisSettings(BaseModel):
    """How a session is analysed again."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    emissivity: float | None = Field(default=None, gt=0, le=1)
    """Emissivity of the skin; what the session says if not given."""
    reflected_c: Annotated[float, Unit("°C"), Field(gt=-KELVIN, allow_inf_nan=False)] | None = None
    """Mean temperature of what the skin mirrors, °C; what the session says if not given."""
    mode: Literal["live", "best"] = "live"
    """`live` follows faces as the live view does; `best` searches every frame, which takes ten to
    sixty times as long."""

    @property
    def options(self) -> dict[str, str]:
        """Options with which the `file:` camera reads a session accordingly."""
        given = {"emissivity": self.emissivity, "reflected_c": self.reflected_c}
        return {name: repr(value) for name, value in given.items() if value is not None}


def read_settings(values: Mapping[str, object]) -> AnalysisSettings:
    """Check what a user has given; None is not given.

    Raises
    ------
    ConfigError
        If a value may not be, or its name is unknown.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return AnalysisSettings.model_validate(given)
    except ValidationError as error:
        raise ConfigError(f"{complaint(error)}; correct it and analyse again") from error
