"""What a client of the control socket may ask for, checked before anything is done."""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thermoseg.errors import ConfigError

Text: TypeAlias = Annotated[str, Field(max_length=100)]


class ControlRequest(BaseModel):
    """One line of a client."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    do: Literal["start", "stop", "marker", "state"]
    label: Text = ""
    """Name of the marker."""
    id: Text | int | None = None
    """Given back with the answer, for clients that ask before they have read."""

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if self.do == "marker" and not self.label.strip():
            raise ValueError('a marker has a name: {"do": "marker", "label": "stimulus on"}')
        if not self.label.isprintable():
            raise ValueError("the name of a marker is one line of text")
        if self.label and self.do != "marker":
            raise ValueError(f"“{self.do}” takes no label; leave it out")
        return self


Answer: TypeAlias = Mapping[str, str | float | bool | None]
"""What happened, by name."""


def read_request(line: bytes) -> ControlRequest:
    """Check a line.

    Raises
    ------
    ConfigError
        If it is no request.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError('a line is one JSON object, such as {"do": "state"}; write it so')
    try:
        return ControlRequest.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":
            raise ConfigError(str(first["ctx"]["error"])) from error
        name = ".".join(str(part) for part in first["loc"][:1])[:40]
        raise ConfigError(f"“{name}”: {first['msg'].lower()}; see docs/control.md") from error
