"""All that a user has drawn on the picture: named, selected, moved, deleted, measured."""

from collections.abc import Iterable, Set
from typing import Final

import cv2
import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QSignalBlocker, pyqtSignal

from thermoseg.drawn_rois import MAX_ROIS, DrawnRoi, name_complaint
from ui.picture.spots import DrawnItem, OutlineItem, SpotItem, centre_of, is_spot
from ui.texts.picture import AREA, NAME_TAKEN, SPOT

SUBPIXEL_BITS: Final = 4
"""Corners are placed to a sixteenth of a pixel."""


class DrawnRegions(QObject):
    """Holds the drawn regions of a view and tells when the user changes them."""

    spots_changed = pyqtSignal(tuple)
    """The spots, tuple[DrawnRoi, …], after one was added, moved, renamed or deleted."""
    rois_changed = pyqtSignal(tuple)
    """The same of regions with an outline."""
    selected = pyqtSignal(str)
    """Name of the region that keys mean now; empty for none."""

    def __init__(self, box: pg.ViewBox, parent: QObject) -> None:
        super().__init__(parent)
        self._box = box
        self._items: dict[str, DrawnItem] = {}
        self._chosen = ""
        self._scale = 1.0
        self._hidden: Set[str] = frozenset()

    @property
    def regions(self) -> tuple[DrawnRoi, ...]:
        """All drawn regions, in the order they were drawn."""
        return tuple(item.region() for item in self._items.values())

    @property
    def chosen(self) -> str:
        """Name of the selected region; empty if none is."""
        return self._chosen

    def set_regions(self, regions: Iterable[DrawnRoi]) -> None:
        """Show these regions instead of those drawn before; tells nobody."""
        with QSignalBlocker(self):
            for name in list(self._items):
                self._remove(name)
            for roi in regions:
                self._add(roi)

    def add_spot(self, x_px: float, y_px: float) -> str:
        """Draw a spot, and return the name it got; empty if there are too many already."""
        return "" if self.full else self._added(DrawnRoi.spot(self._free_name(SPOT), x_px, y_px))

    def add_outline(self, outline_px: Iterable[tuple[float, float]]) -> str:
        """Draw a region with these corners, frame pixels; return its name, empty if too many."""
        if self.full:
            return ""
        return self._added(DrawnRoi(name=self._free_name(AREA), outline_px=tuple(outline_px)))

    def select(self, name: str) -> None:
        """Let keys mean this region; none if empty or unknown."""
        self._chosen = name if name in self._items else ""
        for known, item in self._items.items():
            item.set_selected(known == self._chosen)
        self.selected.emit(self._chosen)

    def delete(self, name: str) -> None:
        """Delete a region; nothing happens if there is none of that name."""
        item = self._items.get(name)
        if item is not None:
            self._remove(name)
            self._tell(item)

    def rename(self, name: str, new: str) -> str:
        """Give a region another name.

        Returns
        -------
        Why that cannot be, one sentence; empty if it was done.
        """
        complaint = self.complaint(name, new)
        if not complaint and new.strip() != name:
            new = new.strip()
            item = self._items[name]
            item.name = new
            item.say(new)
            self._items = {new if known == name else known: i for known, i in self._items.items()}
            if self._chosen == name:
                self.select(new)
            self._tell(item)
        return complaint

    def complaint(self, name: str, new: str) -> str:
        """Say why a region cannot be called `new`, one sentence; empty if it can."""
        new = new.strip()
        taken = {known.casefold() for known in self._items if known != name}
        if new.casefold() in taken:
            return NAME_TAKEN.format(name=new)
        return name_complaint(new)

    @property
    def full(self) -> bool:
        """Whether no more can be drawn."""
        return len(self._items) >= MAX_ROIS

    def move(self, x_px: float, y_px: float) -> None:
        """Move the selected region, frame pixels."""
        item = self._items.get(self._chosen)
        if item is not None:
            item.move_by(x_px, y_px)
            self._tell(item)

    def say(self, name: str, text: str) -> None:
        """Write beside a region, usually its name and value."""
        self._items[name].say(text)

    def set_hidden(self, names: Set[str]) -> None:
        """Do not show regions of these names."""
        self._hidden = names
        for name, item in self._items.items():
            _set_visible(item, name not in names)

    def set_scale(self, scale: float) -> None:
        """Take the scale of lines and text."""
        self._scale = scale
        for item in self._items.values():
            item.set_scale(scale)

    def _added(self, roi: DrawnRoi) -> str:
        self._tell(self._add(roi))
        self.select(roi.name)
        return roi.name

    def _add(self, roi: DrawnRoi) -> DrawnItem:
        def moved() -> None:
            self._tell(item)

        def chosen() -> None:
            self.select(item.name)

        item: DrawnItem = (SpotItem if is_spot(roi) else OutlineItem)(roi, moved, chosen)
        item.set_scale(self._scale)
        self._items[roi.name] = item
        for part in item.items():
            self._box.addItem(part, ignoreBounds=True)
        _set_visible(item, roi.name not in self._hidden)
        return item

    def _remove(self, name: str) -> None:
        for part in self._items.pop(name).items():
            self._box.removeItem(part)
        if self._chosen == name:
            self.select("")

    def _tell(self, item: DrawnItem) -> None:
        # A region may be told of while it is being taken away: pyqtgraph says so of each corner.
        spots = tuple(roi for roi in self.regions if is_spot(roi))
        if isinstance(item, SpotItem):
            self.spots_changed.emit(spots)
        else:
            self.rois_changed.emit(tuple(roi for roi in self.regions if not is_spot(roi)))

    def _free_name(self, pattern: str) -> str:
        number = 1
        while pattern.format(number=number) in self._items:
            number += 1
        return pattern.format(number=number)


def _set_visible(item: DrawnItem, visible: bool) -> None:
    for part in item.items():
        part.setVisible(visible)


def mean_inside(celsius: NDArray[np.float32], roi: DrawnRoi) -> float:
    """Return the mean of (height, width) temperatures inside a drawn region.

    Returns
    -------
    Of a spot the pixel it lies on; NaN outside the picture or where nothing is finite.
    """
    height, width = celsius.shape
    if is_spot(roi):
        x, y = (int(np.floor(place)) for place in centre_of(roi))
        return float(celsius[y, x]) if 0 <= x < width and 0 <= y < height else float("nan")
    corners = np.array(roi.outline_px)
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int), (width, height))
    if left >= right or top >= bottom:
        return float("nan")
    part = celsius[top:bottom, left:right]
    inside = np.zeros(part.shape, np.uint8)
    # A pixel's middle is at half a pixel in the frame, and at 0 for OpenCV.
    placed = np.round((corners - (left, top) - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(inside, [placed], 1, shift=SUBPIXEL_BITS)
    values = part[(inside > 0) & np.isfinite(part)]
    return float(values.mean()) if values.size else float("nan")
