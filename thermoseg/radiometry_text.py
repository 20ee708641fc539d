"""Radiometry in plain values, as session files hold it."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from thermoseg.errors import FormatError
from thermoseg.radiometry import LinearRadiometry, PlanckRadiometry, Radiometry, RelativeCounts
from thermoseg.scene import CorrectedRadiometry

_KINDS: Final[dict[str, type[Any]]] = {
    "linear": LinearRadiometry,
    "planck": PlanckRadiometry,
    "relative": RelativeCounts,
    "corrected": CorrectedRadiometry,
}


def radiometry_to_dict(radiometry: Radiometry) -> dict[str, Any]:
    """Describe `radiometry` in plain values that JSON can hold.

    Raises
    ------
    TypeError
        If it is of a kind that no file knows.
    """
    for name, kind in _KINDS.items():
        if isinstance(radiometry, kind):
            return {"kind": name, **TypeAdapter(kind).dump_python(radiometry)}
    raise TypeError(f"no file can describe a {type(radiometry).__name__}")


def radiometry_from_dict(described: Mapping[str, Any]) -> Radiometry:
    """Rebuild what `radiometry_to_dict` described.

    Raises
    ------
    FormatError
        If a value is missing, unknown or impossible.
    """
    values = dict(described)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise FormatError(
            f"radiometry “{kind}” is unknown (known: {', '.join(_KINDS)}); "
            "open the file with the program version that wrote it"
        )
    try:
        radiometry: Radiometry = TypeAdapter(_KINDS[kind]).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or kind
        raise FormatError(
            f"the {kind} radiometry is damaged at “{place}” ({first['msg']}); "
            "use an undamaged copy of the file"
        ) from error
    return radiometry
