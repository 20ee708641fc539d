"""Arguments that several commands of `thermoseg` have, and what they may be."""

import argparse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from thermoseg.inference.face_segmenter import Mode
    from thermoseg.inference.segmenter import Segmenter

NO_MODEL: Final = "none"
"""Given as `--model`, records without segmenting."""
LAST_PORT: Final = 65535


def add_model_option(parser: argparse.ArgumentParser, extra: str = "") -> None:
    """Let a command take a model.

    Parameters
    ----------
    extra
        What else it may be, for its help.
    """
    parser.add_argument(
        "--model",
        metavar="M",
        help=f"name from `thermoseg models` or path of a model file{extra}",
    )


def choose_model(model: str | None, mode: "Mode" = "live") -> "Segmenter":
    """Return what segments: the model given, or that of the settings.

    Raises
    ------
    ModelError
        If it cannot be used, or nothing can run it.
    """
    from thermoseg.config import load_settings
    from thermoseg.inference.choose import choose_segmenter

    settings = load_settings()
    return choose_segmenter(model or settings.model, backend=settings.backend, mode=mode)


def name_and_value(text: str) -> tuple[str, str]:
    """Read NAME=VALUE.

    Raises
    ------
    argparse.ArgumentTypeError
        If one of the two is missing.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text}")
    return name, value


def positive_seconds(text: str) -> float:
    """Read a number of seconds above 0.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text}")
    return seconds


def port_number(text: str) -> int:
    """Read the number of a port; 0 is any that is free.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= LAST_PORT):
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {LAST_PORT}, got {text}")
    return int(text)
