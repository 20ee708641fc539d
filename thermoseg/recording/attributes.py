"""The attributes of a session file: what it says of itself, none of it trusted."""

import json
from math import isnan
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from pydantic import ValidationError

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import FormatError
from thermoseg.radiometry import Radiometry
from thermoseg.radiometry_text import radiometry_from_dict
from thermoseg.recording.layout import BLANK, HEADER_DEFAULTS, MAX_REGIONS
from thermoseg.recording.tables import HDF5_ERRORS

T = TypeVar("T", bound=str | int | float)
J = TypeVar("J", list[Any], dict[str, Any])


class Attributes:
    """The attributes of a file, each checked for its kind."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        """Look at `file`, which `path` names in messages."""
        self._attributes = file.attrs
        self._path = path

    def value(self, name: str, kind: type[T]) -> T:
        """Return a text or a finite number.

        Raises
        ------
        FormatError
            If it is missing or of another kind.
        """
        value = self._get(name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, np.generic):
            value = value.item()
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if not isinstance(value, kind) or (isinstance(value, float) and not np.isfinite(value)):
            raise self._unusable(name)
        return value

    def described(self, name: str, kind: type[T], faults: list[str]) -> T:
        """Return an attribute of `BLANK`, without which a session is one still.

        Parameters
        ----------
        faults
            Gets a sentence if the attribute is lost; what is returned is blank then.
        """
        blank = BLANK[name]
        if not isinstance(blank, kind):
            raise TypeError(f"attribute “{name}” is no {kind.__name__}")
        try:
            return self.value(name, kind)
        except FormatError:
            if not self._is_blank(name):
                faults.append(f"attribute “{name}” is missing or damaged; it is not known")
            return blank

    def text(self, name: str) -> str:
        """Return a text; see `value`."""
        return self.value(name, str)

    def integer(self, name: str) -> int:
        """Return a whole number; see `value`."""
        return self.value(name, int)

    def regions(self) -> tuple[str, ...]:
        """Return the names of the regions that have a table of samples.

        Raises
        ------
        FormatError
            If they are no names.
        """
        names = self._json("regions", list)
        sound = all(isinstance(name, str) and name.isidentifier() for name in names)
        if not sound or len(set(names)) < len(names) or len(names) > MAX_REGIONS:
            raise self._unusable("regions")
        return tuple(names)

    def study(self, faults: list[str]) -> dict[str, str | float]:
        """Return the study and participant fields; none, and a sentence in `faults`, if lost."""
        try:
            fields = self._json("study", dict)
            if not all(isinstance(value, str | int | float) for value in fields.values()):
                raise self._unusable("study")
        except FormatError:
            faults.append("attribute “study” holds no fields; they are not known")
            return {}
        return fields

    def drawn_rois(self, faults: list[str]) -> tuple[DrawnRoi, ...]:
        """Return the drawn ROIs; none, and a sentence in `faults`, if they are lost."""
        try:
            described = self._json("drawn_rois", list)
            fields = DrawnRoi.model_fields.keys()
            return tuple(
                DrawnRoi.model_validate({name: roi.get(name) for name in fields})
                for roi in described
            )
        except (FormatError, ValidationError, AttributeError):
            faults.append("attribute “drawn_rois” holds no outlines; they are not known")
            return ()

    def radiometry(self) -> Radiometry:
        """Return what turns counts into temperatures.

        Raises
        ------
        FormatError
            If it is damaged, or of a kind that this program does not know.
        """
        try:
            described = json.loads(self.text("radiometry"))
            if not isinstance(described, dict):
                raise FormatError("it is no table")
            return radiometry_from_dict(described)
        except (ValueError, RecursionError, FormatError) as error:
            raise FormatError(
                f"{self._path}: its radiometry cannot be read ({error}); recover the session to "
                "save its counts, without temperatures"
            ) from error

    def _json(self, name: str, kind: type[J]) -> J:
        try:
            value = json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise self._unusable(name) from error
        if not isinstance(value, kind):
            raise self._unusable(name)
        return value

    def _is_blank(self, name: str) -> bool:
        """Tell whether a recovery has left the attribute blank."""
        try:
            value = self._get(name)
        except FormatError:
            return False
        return isinstance(value, float) and isnan(value) and isnan(BLANK[name])

    def _get(self, name: str) -> object:
        try:
            if name in HEADER_DEFAULTS and name not in self._attributes:
                return HEADER_DEFAULTS[name]
            if name not in self._attributes or self._attributes.get_id(name).shape != ():
                raise self._unusable(name)
            value: object = self._attributes[name]
        except HDF5_ERRORS as error:
            raise self._unusable(name) from error
        return value

    def _unusable(self, name: str) -> FormatError:
        return FormatError(
            f"{self._path}: attribute “{name}” is missing or no such value as a session file has; "
            "copy the file again from its source"
        )
