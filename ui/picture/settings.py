"""What a user sets about the picture and finds again tomorrow."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thermoseg.palettes import PALETTES
from ui.picture.span import Limits, SpanMode
from ui.picture.units import CHOSEN_UNITS, Unit

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1000, le=100_000)]


class PictureSettings(BaseModel):
    """Looks of the picture; `PictureSettings()` are those of the first start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    palette: str = "Iron"
    """One of `thermoseg.palettes.PALETTES`."""
    unit: Unit = Unit.CELSIUS
    span_mode: SpanMode = SpanMode.FACE
    """Not `LOCKED`: that holds for the moment."""
    span_c: tuple[Finite, Finite] | None = None
    """Limits set by hand, °C; None if they never were."""
    isotherm: bool = False
    isotherm_c: tuple[Finite, Finite] = (36.0, 38.0)
    opacity: Annotated[float, Field(ge=0.05, le=1, allow_inf_nan=False)] = 0.45
    mask: bool = True
    outlines: bool = True
    confidence: bool = False
    smooth: bool = True
    mirrored: bool = False
    photo: bool = True
    legend_folded: bool = False
    hidden: tuple[Annotated[str, Field(max_length=200)], ...] = ()
    """Names of regions that are switched off."""

    @field_validator("palette")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PALETTES:
            raise ValueError(f"no palette is called {name!r}")
        return name

    @field_validator("unit")
    @classmethod
    def _choosable(cls, unit: Unit) -> Unit:
        if unit not in CHOSEN_UNITS:
            raise ValueError("counts are no unit that can be chosen")
        return unit

    @field_validator("span_mode")
    @classmethod
    def _lasting(cls, mode: SpanMode) -> SpanMode:
        if mode is SpanMode.LOCKED:
            raise ValueError("locked colours are not remembered")
        return mode

    @field_validator("span_c", "isotherm_c")
    @classmethod
    def _ordered(cls, limits: Limits | None) -> Limits | None:
        if limits is not None and not limits[0] < limits[1]:
            raise ValueError(f"the limits need low < high, got {limits}")
        return limits

    @classmethod
    def fitting(cls, remembered: Mapping[str, object]) -> Self:
        """Take what fits, and the default for everything else.

        Parameters
        ----------
        remembered
            By name of field, as `model_dump` or a settings file has them; may hold nonsense.
        """
        fit: dict[str, object] = {}
        for name in cls.model_fields:
            if name in remembered:
                try:
                    fit[name] = getattr(cls.model_validate({name: remembered[name]}), name)
                except ValidationError:
                    continue
        return cls.model_validate(fit)
