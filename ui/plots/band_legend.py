"""What the grey bands and the lines in the plots mean; only those that are in sight."""

from collections.abc import Mapping
from typing import Final

from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from ui.plots.look import Look
from ui.plots.marks import Band, band_brush, marker_colour
from ui.texts import plots as texts

CHIP: Final = (18, 10)
"""Width and height of a sample, pixels at scale 1."""


class BandLegend(QWidget):
    """One line below the plots; it keeps its room while it is empty."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._bands: frozenset[Band] = frozenset()
        self._kinds: frozenset[str] = frozenset()
        self._compared = False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    @property
    def names(self) -> tuple[str, ...]:
        """What is explained, from left to right."""
        return tuple(self._entries())

    def set_look(self, look: Look) -> None:
        """Take colours and sizes."""
        self._look = look
        self.setFixedHeight(QFontMetrics(look.font).height() + round(2 * look.scale))
        self.update()

    def show_entries(
        self, bands: frozenset[Band], kinds: frozenset[str], *, compared: bool
    ) -> None:
        """Explain these bands and kinds of markers, and if two analyses are shown, their lines."""
        if (bands, kinds, compared) == (self._bands, self._kinds, self._compared):
            return
        self._bands, self._kinds, self._compared = bands, kinds, compared
        self.setAccessibleName(", ".join(self.names))
        self.setToolTip(", ".join(self.names))
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw samples and names from the left, as many as there is room for."""
        look = self._look
        if look is None:
            return
        painter = QPainter(self)
        painter.setFont(look.font)
        metrics = QFontMetrics(look.font)
        scale = look.scale
        left, middle = 0.0, self.height() / 2
        width, height = CHIP[0] * scale, CHIP[1] * scale
        for name, sample in self._entries().items():
            room = metrics.horizontalAdvance(name)
            if left + width + room > self.width():
                break
            chip = QRectF(left, middle - height / 2, width, height)
            if isinstance(sample, Band):
                painter.fillRect(chip, band_brush(sample, look.theme))
                painter.setPen(QPen(QColor(look.theme.line), 1))
                painter.drawRect(chip)
            else:
                painter.setPen(sample)
                painter.drawLine(QLineF(chip.left() + 2, middle, chip.right() - 2, middle))
            painter.setPen(QColor(look.theme.muted))
            text = QRectF(chip.right() + 5 * scale, 0, room + 2, self.height())
            painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), name)
            left = text.right() + 14 * scale
        painter.end()

    def _entries(self) -> Mapping[str, Band | QPen]:
        look = self._look
        entries: dict[str, Band | QPen] = {band.value: band for band in Band if band in self._bands}
        if look is None:
            return entries
        for kind in sorted(self._kinds):
            pen = QPen(QColor(marker_colour(kind, look.theme)), 1.5 * look.scale)
            pen.setStyle(Qt.PenStyle.DashLine)
            entries[kind] = pen
        if self._compared:
            colour = QColor(look.stored_colour(look.theme.text))
            entries[texts.STORED_LINE] = QPen(colour, 3 * look.scale)
            entries[texts.NEW_LINE] = QPen(QColor(look.theme.text), 1.5 * look.scale)
        return entries
