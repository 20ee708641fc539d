"""What stands in plots besides curves: markers, and bands where there are no temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from PyQt6.QtGui import QBrush, QColor, QPainter, QPixmap

from thermoseg.rois import SHUTTER
from ui.plots.gaps import NO_SAMPLES
from ui.shell.theme import Theme
from ui.texts import plots as texts

HATCH_PX: Final = 8
"""Pixels from one line of a hatched band to the next."""
LABEL_GAP: Final = 6.0
"""Pixels between two labels in a row."""


@dataclass(frozen=True, slots=True)
class PlotMarker:
    """A moment, or a stretch of time, that somebody named."""

    time_s: float
    label: str
    kind: str = "marker"
    """Chooses the colour: “marker”, “condition”, “event”."""
    duration_s: float = 0.0
    """0 for a moment."""


class Band(Enum):
    """Why a stretch of a plot is grey."""

    SHUTTER = texts.SHUTTER_BAND
    MISSING = texts.MISSING_BAND
    UNTRUSTED = texts.UNTRUSTED_BAND


def band_of(reason: str) -> Band:
    """Return the kind of band for the reason of a gap."""
    if reason == NO_SAMPLES:
        return Band.MISSING
    return Band.SHUTTER if reason == SHUTTER else Band.UNTRUSTED


@lru_cache(maxsize=32)
def band_brush(band: Band, theme: Theme) -> QBrush:
    """Return how a band is filled; the kinds differ by pattern, not by grey alone.

    Colours are mixed with the card's here: filling with translucent ones takes ten times as long.
    """
    if band is Band.SHUTTER:
        return QBrush(mixed(theme.muted, theme.card, 0.32))
    if band is Band.UNTRUSTED:
        return QBrush(mixed(theme.muted, theme.card, 0.15))
    tile = QPixmap(HATCH_PX, HATCH_PX)
    tile.fill(QColor(theme.card))
    painter = QPainter(tile)
    painter.setPen(mixed(theme.muted, theme.card, 0.55))
    painter.drawLine(0, HATCH_PX - 1, HATCH_PX - 1, 0)
    painter.end()
    return QBrush(tile)


def mixed(colour: str, ground: str, share: float) -> QColor:
    """Mix two colours: `share` of the first, the rest of the second."""
    pairs = zip(QColor(colour).getRgb()[:3], QColor(ground).getRgb()[:3], strict=True)
    return QColor(*(round(share * (one or 0) + (1 - share) * (two or 0)) for one, two in pairs))


def marker_colour(kind: str, theme: Theme) -> str:
    """Return the colour of a marker of some kind; unknown kinds look like markers."""
    return {"condition": theme.good, "event": theme.warning}.get(kind, theme.accent)


def lay_out(
    centres: Sequence[float], widths: Sequence[float], room: float, rows: int = 1
) -> list[tuple[float, int] | None]:
    """Place labels in rows so that none overlaps another or is cut.

    Parameters
    ----------
    centres
        Pixels, increasing: where each label would best stand.
    widths
        Pixels.
    room
        Pixels from 0 that may be used.

    Returns
    -------
    For each label its left edge and its row, None if there is no room for it: the earlier wins.
    """
    free = [0.0] * rows
    places: list[tuple[float, int] | None] = []
    for centre, width in zip(centres, widths, strict=True):
        left = max(min(centre - width / 2, room - width), 0.0)
        # A label may give way to the right as long as its line is still above its text.
        row = min(range(rows), key=lambda row: max(free[row] - left, 0.0))
        left = max(left, free[row])
        if width > room or left + width > room or left > centre:
            places.append(None)
            continue
        free[row] = left + width + LABEL_GAP
        places.append((left, row))
    return places
