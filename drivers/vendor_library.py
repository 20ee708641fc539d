"""Libraries that only one kind of camera needs: imported when it is wanted, one at a time.

All drivers look for their cameras at once, each in a thread.  Two threads that enter pyusb from
two sides, perhaps through pyftdi or flirpy, find it half loaded or block each other, because its
modules import each other in a circle.
"""

import threading
from importlib import import_module
from typing import Any, Final

from thermoseg.errors import DriverMissingError

_IMPORTING = threading.RLock()

PACKAGES: Final = {"serial": "pyserial", "usb": "pyusb"}
"""Name of a library for pip, where it is not the name that is imported."""


def load_library(name: str, camera: str) -> Any:  # noqa: ANN401  # most have no types
    """Import a module of a library.

    Parameters
    ----------
    camera
        What cannot be used without it, with its article.

    Raises
    ------
    DriverMissingError
        If it is not installed; it names the package.
    """
    try:
        return import_alone(name)
    except ImportError as error:
        library = name.partition(".")[0]
        package = PACKAGES.get(library, library)
        raise DriverMissingError(f"{camera} needs {package}; pip install {package}") from error


def import_alone(name: str) -> Any:  # noqa: ANN401
    """Import a module while no other thread imports one of the kind."""
    with _IMPORTING:
        return import_module(name)
