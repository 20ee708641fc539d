"""A curve that is cheap to draw often: thin lines side by side in place of one thick line."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QPainter, QTransform

PASSES = ((0, 0), (0, 1), (1, 0), (-1, 0), (0, -1))
"""Where each further line lies, pixels: first below, as flat stretches look thinnest."""


class FastCurve(pg.PlotDataItem):  # type: ignore[misc]
    """A line with gaps whose owner gives it new points whenever its view has moved.

    Qt's raster engine draws a line that is wider than a pixel as a polygon for each segment, which
    took thirty times as long as a line of one pixel.
    """

    def __init__(self) -> None:
        super().__init__(connect="finite")
        self.setDynamicRangeLimit(None)
        self.curve.setParentItem(None)
        self.curve: _ThinLines = _ThinLines()
        self.curve.setParentItem(self)

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.curve.lines)

    def set_points(self, time_s: NDArray[np.float64], values: NDArray[Any]) -> None:
        """Draw a line through points; NaN breaks it."""
        whole = bool(np.isfinite(values).all())
        self.setData(time_s, values, connect="all" if whole else "finite")

    def set_style(self, colour: str, width: float) -> None:
        """Draw in a colour, so many pixels across as there are whole ones in `width`."""
        self.curve.lines = min(max(round(width), 1), len(PASSES))
        self.setPen(pg.mkPen(colour, width=1))

    def viewRangeChanged(self, *_: object) -> None:  # noqa: N802  # pyqtgraph's name
        """Wait for the points of the new range rather than clip the old ones once more."""


class _ThinLines(pg.PlotCurveItem):  # type: ignore[misc]
    """Draws its line again beside itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 1

    def boundingRect(self) -> QRectF:  # noqa: N802  # Qt's name
        """Cover the view; finding the extremes of all points would cost more than it spares."""
        box = self.getViewBox()
        return QRectF() if box is None else QRectF(box.viewRect())

    def paint(self, painter: QPainter, *rest: object) -> None:
        place = painter.transform()
        for across, down in PASSES[: self.lines]:
            painter.setTransform(place * QTransform.fromTranslate(across, down))
            super().paint(painter, *rest)
        painter.setTransform(place)
