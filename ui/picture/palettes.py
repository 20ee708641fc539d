"""Colour palettes for temperatures, as tables of 256 colours."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

COLOURS: Final = 256
"""Rows of a table: pictures are 8-bit when they reach the screen."""

IRON: Final = (
    (0.00, (0, 0, 10)),
    (0.10, (26, 0, 92)),
    (0.25, (92, 0, 155)),
    (0.40, (166, 12, 143)),
    (0.55, (220, 52, 78)),
    (0.70, (246, 122, 16)),
    (0.85, (255, 200, 34)),
    (1.00, (255, 254, 232)),
)
"""Black through violet, red and orange to white, as the makers of thermal cameras have it; its
lightness only grows, so that warmer never looks darker."""


def colours_of(name: str) -> NDArray[np.uint8]:
    """Return the table of a palette.

    Parameters
    ----------
    name
        One of `PALETTES`.

    Returns
    -------
    (256, 3) red, green, blue; row 0 is the coldest.

    Raises
    ------
    ValueError
        If there is no such palette.
    """
    if name not in PALETTES:
        raise ValueError(f"no palette is called {name!r}; there are {', '.join(PALETTES)}")
    return PALETTES[name]()


def _iron() -> NDArray[np.uint8]:
    places = [place for place, _ in IRON]
    steps = np.linspace(0, 1, COLOURS)
    channels = [
        np.interp(steps, places, values) for values in zip(*(c for _, c in IRON), strict=True)
    ]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def _grey() -> NDArray[np.uint8]:
    return np.repeat(np.arange(COLOURS, dtype=np.uint8)[:, None], 3, axis=1)


def _inverted_grey() -> NDArray[np.uint8]:
    return _grey()[::-1].copy()


def _of_pyqtgraph(name: str) -> Callable[[], NDArray[np.uint8]]:
    def table() -> NDArray[np.uint8]:
        colours: NDArray[np.uint8] = pg.colormap.get(name).getLookupTable(nPts=COLOURS, alpha=False)
        return colours

    return table


PALETTES: Final[dict[str, Callable[[], NDArray[np.uint8]]]] = {
    "Iron": _iron,
    "Inferno": _of_pyqtgraph("inferno"),
    "White hot": _grey,
    "Black hot": _inverted_grey,
    "Viridis": _of_pyqtgraph("viridis"),
    "Turbo": _of_pyqtgraph("turbo"),
}
"""Name in the window → its table."""
