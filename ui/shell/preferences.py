"""What the user set and the window remembers; each value is checked alone, unfit ones replaced."""

import logging
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from pydantic import StringConstraints, TypeAdapter, ValidationError
from PyQt6.QtCore import QSettings

log = logging.getLogger(__name__)

Value = TypeVar("Value")

PathText: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Type of what is, or may be, the path of a file: no system takes a zero byte in one."""


class Preference(Generic[Value]):
    """One value that is remembered: where, of which type and bounds, and what it is at first."""

    def __init__(self, key: str, kind: Any, default: Value) -> None:  # noqa: ANN401  # Annotated
        """Describe a value.

        Parameters
        ----------
        key
            Where it is kept, such as `window/zoom`.
        kind
            Its type as pydantic takes it, with its bounds: `Annotated[float, Field(ge=0.7)]`.
        """
        self.key: Final = key
        self.default: Final = default
        self._adapter: TypeAdapter[Value] = TypeAdapter(kind)

    def read(self, text: str) -> Value:
        """Return the value written as JSON.

        Raises
        ------
        ValidationError
            If it is no JSON, or not of this type and bounds.
        """
        return self._adapter.validate_json(text)

    def write(self, value: Value) -> str:
        """Return `value` as JSON."""
        return self._adapter.dump_json(value).decode()


class Preferences:
    """The values of one user, in a file that other versions of the program may have written."""

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    def get(self, preference: Preference[Value]) -> Value:
        """Return what was remembered; the default if that is nothing, or unfit."""
        stored = self._settings.value(preference.key)
        if stored is None:
            return preference.default
        try:
            return preference.read(str(stored))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            log.info("the remembered %s is unfit (%s): its default is used", preference.key, reason)
            return preference.default

    def set(self, preference: Preference[Value], value: Value) -> None:
        """Remember `value`."""
        self._settings.setValue(preference.key, preference.write(value))
