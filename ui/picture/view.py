"""The thermal picture with all that lies on it, to be zoomed, pointed at and drawn on."""

from typing import Final

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QEvent, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QPixmap
from PyQt6.QtWidgets import QWidget

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.frames import Frame
from thermoseg.labels import Region
from ui.picture.badges import Badges
from ui.picture.content import PictureContent, is_inside
from ui.picture.drawn import DrawnRegions
from ui.picture.overlay import Overlay
from ui.picture.picture_item import PictureItem
from ui.picture.span import Limits
from ui.picture.spots import centre_of
from ui.picture.units import Unit
from ui.shell.theme import Theme
from ui.texts.picture import (
    NO_VALUE,
    PICTURE,
    PICTURE_HELP,
    REGIONS,
    RELATIVE_COUNTS,
    mask_behind,
)

TOLD_BEHIND_S: Final = 0.3
"""A mask later than this is dashed, and said to be late, besides being dimmed."""
TOLD_FOR_S: Final = 1.0
"""For so long after: dashes that come and go with each mask could not be read."""

DEEPEST_ZOOM_PX: Final = 8
"""Fewest pixels of the frame that the view shows across."""

WIDEST_ZOOM: Final = 20
"""Widest range that the view shows, in widths of the picture."""

NEW_SHARE: Final = 0.2
"""Width and height of a new region, as a share of what is seen of the picture."""

NEW_PLACES: Final = sorted(
    ((column, row) for column in (-1.2, 0, 1.2) for row in (-1.2, 0, 1.2)),
    key=lambda place: abs(place[0]) + abs(place[1]),
)
"""Places tried for it, from the middle, in its own widths and heights."""

MOVES: Final = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
"""Key → step to the right and down, as it is seen."""


class PictureView(pg.GraphicsView):  # type: ignore[misc]
    """Shows one moment at a time; knows no camera, thread or page.

    One unit of its scene is one pixel of the frame, so that picture, mask, pointer, clicks and
    drawn regions agree however the view is zoomed or mirrored.
    """

    face_clicked = pyqtSignal(float, float)
    """The user clicked inside the box of a face: x, y in frame pixels."""
    spots_changed = pyqtSignal(tuple)
    """tuple[DrawnRoi, …]: the user added, moved, renamed or deleted a spot."""
    rois_changed = pyqtSignal(tuple)
    """The same of regions with an outline."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False)
        self._content: PictureContent | None = None
        self._pointer: QPointF | None = None
        self._told_until_s = float("-inf")
        self._unit = Unit.CELSIUS
        self._fitted = True
        self._mirrored = False
        self._stale = ""
        self._note = ""
        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0)
        self._picture = PictureItem()
        self._overlay = Overlay()
        self.setCentralItem(self._box)
        for item in (self._picture, self._overlay):
            self._box.addItem(item, ignoreBounds=True)
        self.badges = Badges(self, self.fit)
        """Texts in the corners."""
        self.drawn = DrawnRegions(self._box, self)
        """Spots and outlines that the user has drawn."""
        self.drawn.spots_changed.connect(self.spots_changed)
        self.drawn.rois_changed.connect(self.rois_changed)
        self.setAccessibleName(PICTURE)
        self.setAccessibleDescription(PICTURE_HELP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        self._box.sigResized.connect(self._on_box_resized)
        self._box.sigRangeChangedManually.connect(self._on_zoomed)

    @property
    def zoomed(self) -> bool:
        """Whether the user has chosen a part of the picture."""
        return not self._fitted

    @property
    def content(self) -> PictureContent | None:
        """What is shown; None for nothing."""
        return self._content

    def show_content(self, content: PictureContent, span_c: Limits) -> None:
        """Draw a moment.

        Parameters
        ----------
        span_c
            Temperatures of the first and last colour, °C or counts.
        """
        before, self._content = self._content, content
        shape = content.frame.celsius.shape
        self._picture.show_celsius(content.frame.celsius, span_c)
        told = self._tells_late(content)
        self._overlay.show_content(content, told)
        if before is None or before.frame.celsius.shape != shape:
            self._box.setLimits(maxXRange=WIDEST_ZOOM * shape[1], minXRange=DEEPEST_ZOOM_PX)
            self.fit()
        self.badges.say(
            "behind", mask_behind(content.behind_s, content.labels is not None) if told else ""
        )
        self._say_pointed()

    def clear(self) -> None:
        """Show nothing; what the user has drawn stays."""
        self._content = None
        self._picture.clear()
        self._overlay.clear()
        for name in ("pointed", "behind", "news"):
            self.badges.say(name, "")
        self.set_stale("")
        self.badges.set_photograph(QPixmap())

    def fit(self) -> None:
        """Show the whole picture."""
        self._fitted = True
        self.badges.set_zoomed(False)
        if self._content is not None:
            height, width = self._content.frame.celsius.shape
            self._box.setRange(QRectF(0, 0, width, height), padding=0, disableAutoRange=True)

    def set_mirrored(self, mirrored: bool) -> None:
        """Show the picture as a mirror does, with all that lies on it."""
        self._mirrored = mirrored
        self._box.invertX(mirrored)
        self._say_pointed()

    def set_stale(self, reason: str) -> None:
        """Darken the picture, because it is not what the camera sees now, and say why.

        Parameters
        ----------
        reason
            One sentence; empty if the picture is fresh.
        """
        self._stale = reason
        self._picture.set_stale(bool(reason))
        self._overlay.set_stale(bool(reason))
        self._write_note(reason)

    def set_note(self, text: str) -> None:
        """Write on the picture what holds for all of it; nothing if empty."""
        self._note = text
        self._write_note(self._stale)

    def set_unit(self, unit: Unit) -> None:
        """Tell temperatures in this unit."""
        self._unit = unit
        self._say_pointed()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self.setBackground(theme.canvas)
        self._overlay.set_scale(scale)
        self.drawn.set_scale(scale)
        self.badges.set_scale(scale)

    @property
    def picture(self) -> PictureItem:
        """The item that draws temperatures: palette, smoothing, isotherm are set there."""
        return self._picture

    @property
    def overlay(self) -> Overlay:
        """The item that draws what is known of the picture: regions and their looks."""
        return self._overlay

    def add_spot(self) -> str:
        """Draw a spot under the pointer, or in the middle of what is seen; return its name."""
        place = self._middle()
        if self._pointer is not None:
            pointed = self._box.mapSceneToView(self._pointer)
            if self._pixel(pointed) is not None:
                place = pointed
        return self.drawn.add_spot(place.x(), place.y())

    def add_rectangle(self) -> str:
        """Draw a rectangle in the middle of what is seen; return its name."""
        middle, (width, height) = self._middle(), self._new_size()
        left, top = round(middle.x() - width / 2), round(middle.y() - height / 2)
        right, bottom = left + round(width), top + round(height)
        return self.drawn.add_outline([(left, top), (right, top), (right, bottom), (left, bottom)])

    def add_polygon(self) -> str:
        """Draw an outline of five corners in the middle of what is seen; return its name."""
        middle, (width, height) = self._middle(), self._new_size()
        angles = np.pi * (0.4 * np.arange(5) - 0.5)
        return self.drawn.add_outline(
            (round(middle.x() + width / 2 * x, 1), round(middle.y() + height / 2 * y, 1))
            for x, y in zip(np.cos(angles).tolist(), np.sin(angles).tolist(), strict=True)
        )

    def restore_drawn(self, regions: tuple[DrawnRoi, ...]) -> None:
        """Show these drawn regions; tells nobody."""
        self.drawn.set_regions(regions)

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802  # Qt's name
        """Stop telling the temperature under the pointer."""
        super().leaveEvent(event)
        self._pointer = None
        self.badges.say("pointed", "")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Delete or move the selected region; Esc selects none."""
        chosen = self.drawn.chosen
        if event is None or not chosen:
            super().keyPressEvent(event)
            return
        modifiers = event.modifiers()
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.drawn.delete(chosen)
        elif event.key() == Qt.Key.Key_Escape:
            self.drawn.select("")
        elif event.key() in MOVES and modifiers & Qt.KeyboardModifier.AltModifier:
            right, down = MOVES[Qt.Key(event.key())]
            step = 10 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
            self.drawn.move(step * (-right if self._mirrored else right), step * down)
        else:
            super().keyPressEvent(event)

    def _tells_late(self, content: PictureContent) -> bool:
        """Say whether the mask has been late lately; one that belongs to its frame is not."""
        now_s = content.frame.time_s
        if content.behind_s >= TOLD_BEHIND_S:
            self._told_until_s = now_s + TOLD_FOR_S
        elif content.behind_s == 0:
            self._told_until_s = float("-inf")
        # A time far ahead comes from a recording in which one has gone back.
        return now_s < self._told_until_s <= now_s + TOLD_FOR_S

    def _write_note(self, reason: str) -> None:
        self.badges.say("note", "\n".join(filter(None, (reason, self._note))))

    def _middle(self) -> QPointF:
        """Return where something new is drawn: beside what was drawn there before."""
        seen = self._seen()
        step = QPointF(seen.width(), seen.height()) * NEW_SHARE
        place = seen.center()
        taken = [QPointF(*centre_of(roi)) for roi in self.drawn.regions]
        for column, row in NEW_PLACES:
            place = seen.center() + QPointF(column * step.x(), row * step.y())
            if all((place - other).manhattanLength() > step.y() / 2 for other in taken):
                break
        return place

    def _new_size(self) -> tuple[float, float]:
        seen = self._seen()
        return max(4.0, NEW_SHARE * seen.width()), max(4.0, NEW_SHARE * seen.height())

    def _seen(self) -> QRectF:
        """Return what is seen of the picture, frame pixels."""
        seen: QRectF = self._box.viewRect().normalized()
        return seen.intersected(self._picture.boundingRect())

    def _on_mouse_moved(self, position: QPointF) -> None:
        self._pointer = position
        self._say_pointed()

    def _on_mouse_clicked(self, event: object) -> None:
        # Items that take clicks themselves, such as spots, have accepted theirs before.
        if event.button() != Qt.MouseButton.LeftButton or event.isAccepted():  # type: ignore[attr-defined]
            return
        point = self._box.mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        inside = self._pixel(point) is not None
        if event.double():  # type: ignore[attr-defined]
            if inside:
                self.drawn.add_spot(point.x(), point.y())
            else:
                self.fit()
            return
        self.drawn.select("")
        content = self._content
        if content is None or not inside:
            return
        boxes = [*content.others, *([content.face] if content.face is not None else [])]
        if any(is_inside(box, point.x(), point.y()) for box in boxes):
            self.face_clicked.emit(point.x(), point.y())

    def _pixel(self, point: QPointF) -> tuple[int, int] | None:
        """Return row and column of a place in the frame; None outside."""
        if self._content is None:
            return None
        height, width = self._content.frame.celsius.shape
        row, column = int(np.floor(point.y())), int(np.floor(point.x()))
        return (row, column) if 0 <= row < height and 0 <= column < width else None

    def _on_box_resized(self) -> None:
        if self._fitted:
            self.fit()

    def _on_zoomed(self) -> None:
        self._fitted = False
        self.badges.set_zoomed(True)

    def _say_pointed(self) -> None:
        if self._content is None or self._pointer is None:
            return
        pixel = self._pixel(self._box.mapSceneToView(self._pointer))
        said = "" if pixel is None else describe_pixel(self._content, *pixel, self._unit)
        self.badges.say("pointed", said)


def describe_pixel(content: PictureContent, row: int, column: int, unit: Unit) -> str:
    """Say what is at one pixel of a frame."""
    said = describe_value(content.frame, float(content.frame.celsius[row, column]), unit)
    place = f"x {column}  y {row}"
    label = (
        Region.BACKGROUND if content.labels is None else Region(int(content.labels[row, column]))
    )
    parts = [said, *([REGIONS[label.label]] if label else []), place]
    return "   ".join(parts)


def describe_value(frame: Frame, value: float, unit: Unit) -> str:
    """Say one value of a frame; counts are never called degrees."""
    if not np.isfinite(value):
        return NO_VALUE
    return unit.text(value) if frame.radiometric else f"{value:.0f} {RELATIVE_COUNTS}"
