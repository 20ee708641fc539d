"""Aravis and GLib, through which GigE Vision cameras are spoken to."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from drivers.gvcp_pulse import GvcpPulse
from drivers.vendor_library import import_alone
from thermoseg.errors import DriverMissingError

FIREWALL: Final = (
    "let UDP from the camera through the firewall, and check that camera and computer are in the "
    "same subnet"
)


class Pulse(Protocol):
    """Feels whether a camera is there; see `GvcpPulse`."""

    serial: str
    """Serial number in the last answer."""

    def beats(self) -> bool:
        """Ask now and then; whether the camera may be there."""

    def answers(self) -> bool:
        """Ask and wait for an answer."""

    def close(self) -> None:
        """Stop asking."""


@dataclass(frozen=True, slots=True)
class GigeLibrary:
    """Part of Aravis and GLib that is used; tests put a stand-in in their place."""

    aravis: Any
    error: type[Exception]
    """Exception that Aravis raises."""
    pulse: Callable[[str], Pulse] = GvcpPulse


def load_aravis() -> GigeLibrary:
    """Import Aravis when a camera is wanted.

    Raises
    ------
    DriverMissingError
        If it, or what Python needs to speak to it, is not installed.
    """
    try:
        gi = import_alone("gi")
        gi.require_version("Aravis", "0.8")
        aravis = import_alone("gi.repository.Aravis")
        glib = import_alone("gi.repository.GLib")
    except (ImportError, ValueError) as error:
        raise DriverMissingError(
            f"GigE cameras need Aravis ({error}); {aravis_remedy()}"
        ) from error
    # A look at USB would disturb cameras of other drivers.
    aravis.disable_interface("USB3Vision")
    return GigeLibrary(aravis, glib.Error)


def aravis_remedy(platform: str = sys.platform) -> str:
    """Say how Aravis is installed on a system."""
    if platform == "win32":
        return "there is none for Python on Windows: install it on Linux or macOS and record there"
    if platform == "darwin":
        return (
            "“brew install aravis gobject-introspection cairo pkg-config”, then "
            "“pip install 'thermoseg[gige]'”"
        )
    return (
        "on Debian and Ubuntu “make gige” in ThermoSeg's folder, or “sudo apt-get install "
        "gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config gcc python3-dev”, then "
        "“pip install 'thermoseg[gige]'”"
    )
