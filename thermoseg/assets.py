"""Files that come with the program: name to path, from a checkout or an installed wheel."""

import sysconfig
from pathlib import Path
from typing import Final

from thermoseg.errors import ThermoSegError

_CHECKOUT: Final = Path(__file__).resolve().parent.parent / "assets"
_INSTALLED: Final = Path(sysconfig.get_path("data")) / "share" / "thermoseg"


def asset(name: str) -> Path:
    """Return the path of a bundled file or folder.

    Parameters
    ----------
    name
        Relative, with forward slashes, such as `models` or `icons/thermoseg.svg`.

    Raises
    ------
    ThermoSegError
        If this installation does not hold it.
    ValueError
        If `name` leads out of the folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"an asset is named relative to the assets folder, got {name!r}")
    for folder in (_CHECKOUT, _INSTALLED):
        if (folder / name).exists():
            return folder / name
    raise ThermoSegError(f"the bundled “{name}” is missing; install ThermoSeg again")
