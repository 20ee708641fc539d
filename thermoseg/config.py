"""Settings that a user writes down once, and the one strict way to read TOML."""

import os
import tomllib
from pathlib import Path
from typing import Final, Literal, TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.errors import ConfigError

SETTINGS_VARIABLE: Final = "THERMOSEG_SETTINGS"
"""Environment variable that names another settings file."""

Schema = TypeVar("Schema", bound=BaseModel)


class Settings(BaseModel):
    """Defaults of the window and the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    camera: str = "simulated:"
    """Address of the camera to open first."""
    model: str = "face-compact"
    """Name of a bundled model, or path of a model file."""
    backend: Literal["auto", "cuda", "openvino", "torch"] = "auto"
    """Library that runs the network; `auto` takes the fastest that works here."""


def settings_path() -> Path:
    """Return where the user's settings are, whether or not the file exists."""
    named = os.environ.get(SETTINGS_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path("thermoseg") / "settings.toml"


def load_settings() -> Settings:
    """Read the user's settings; without a file, the defaults.

    Raises
    ------
    ConfigError
        If the file is there but cannot be read, or holds an unknown key or a wrong value.
    """
    path = settings_path()
    return read_toml(path, Settings) if path.exists() else Settings()


def read_toml(path: Path, schema: type[Schema]) -> Schema:
    """Read a TOML file into `schema`, which decides what keys and values may be in it.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or does not fit; names the key and its value.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"“{path}” cannot be read ({error.strerror}); check the name and its permissions"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"“{path}” is not TOML ({error}); correct that place") from error
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{complaint(error)} in “{path}”; correct it there") from error


def complaint(error: ValidationError) -> str:
    """Say in one clause which key is at fault first, by its dotted path, and how many more are."""
    first, *others = error.errors()
    key = ".".join(str(part) for part in first["loc"]) or "the whole"
    if first["type"] == "extra_forbidden":
        clause = f"unknown key “{key}”"
    else:
        clause = f"“{key}”: {first['msg']}, got {first['input']!r}"
    return f"{clause} (and {len(others)} more)" if others else clause
