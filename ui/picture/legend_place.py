"""Where the legend stands: beside the picture, or below it where there is no room."""

from typing import Final

from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QGridLayout

from ui.picture.legend import Legend

LEGEND_SHARE: Final = 0.4
"""Greatest height of a legend below the picture, as a share of the pane's."""

CRAMPED_PIXELS: Final = 460
"""Height at scale 1 below which a legend below the picture folds by itself."""

BESIDE_PIXELS: Final = 196
"""Width at scale 1 of a legend beside the picture."""

BAR_PIXELS: Final = 100
"""Width at scale 1 of the colour scale beside the picture, and the gap before it."""

TOOLS_PIXELS: Final = 34
"""Height at scale 1 of the buttons below the picture, and the gap before them."""

WIDE: Final = 1.05
"""Width of what is left for the picture, in its heights, from which on a legend beside it takes
next to nothing of it."""

UNLIMITED_PX: Final = 16_777_215
"""Greatest width that Qt allows a widget."""


class LegendPlace:
    """Moves and folds the legend so that it takes least of the picture."""

    def __init__(self, grid: QGridLayout, legend: Legend) -> None:
        self._grid, self._legend = grid, legend
        self._cramped = self._opened = self._beside = False
        grid.addWidget(legend, 2, 0)

    def note_folded(self, folded: bool) -> None:
        """Take note that the user folded the legend, or opened it."""
        self._opened = not folded

    def fit(self, room: QSize, scale: float, *, folded: bool) -> None:
        """Place the legend in a pane of this size.

        Parameters
        ----------
        folded
            Whether the user wants to see its heading only.
        """
        left = room.width() - round((BAR_PIXELS + BESIDE_PIXELS) * scale)
        wide = left >= WIDE * (room.height() - round(TOOLS_PIXELS * scale))
        cramped = not wide and room.height() < CRAMPED_PIXELS * scale
        if cramped != self._cramped:
            self._cramped, self._opened = cramped, False
        self._place(room, scale, beside=wide and not folded)
        self._legend.set_folded(folded or (cramped and not self._opened))

    def _place(self, room: QSize, scale: float, *, beside: bool) -> None:
        if beside != self._beside:
            self._beside = beside
            self._grid.removeWidget(self._legend)
            self._grid.addWidget(self._legend, *((0, 1, 2, 1) if beside else (2, 0, 1, 1)))
        width = round(BESIDE_PIXELS * scale)
        self._legend.setMinimumWidth(width if beside else 0)
        self._legend.setMaximumWidth(width if beside else UNLIMITED_PX)
        share = 1.0 if beside else LEGEND_SHARE
        self._legend.setMaximumHeight(max(40, round(share * room.height())))
