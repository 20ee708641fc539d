"""Short texts in the corners of the picture, of which none ever lies on another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

from PyQt6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PyQt6.QtGui import QPixmap
from PyQt6.QtWidgets import QLabel, QToolButton, QWidget

from ui.texts.picture import FIT, FIT_TIP, FROZEN, PHOTOGRAPH

GAP: Final = 8
"""Between two badges, and between a badge and the border, pixels at scale 1."""

STYLE: Final = (
    "background: rgba(12, 13, 16, 215); color: #f2f4f7; border-radius: 5px; padding: 3px 8px;"
    "border: none; min-height: 0;"
)
"""The same in both themes: badges lie on the picture, whose colours no theme changes."""

PHOTOGRAPH_STYLE: Final = "border: 1px solid rgba(242, 244, 247, 150); background: #0c0d10;"

PHOTOGRAPH_SHARE: Final = 0.3
"""Greatest width and height of the visible picture, as a share of the view's."""

LEAST_PHOTOGRAPH: Final = 40
"""Smaller in pixels it shows nothing."""


class Side(Enum):
    """Where on its edge a badge lies if there is room."""

    LEFT = auto()
    MIDDLE = auto()
    RIGHT = auto()


class Wish(NamedTuple):
    """What is to be placed."""

    name: str
    side: Side
    size: QSize
    """Of one line."""
    height_for: Callable[[int], int]
    """Height in several lines, if it may be at most so wide."""


Places: TypeAlias = dict[str, QRect]


def arrange(room: QSize, above: Sequence[Wish], below: Sequence[Wish], gap: int) -> Places:
    """Place badges along the upper and the lower edge.

    Parameters
    ----------
    above, below
        What is to lie at the upper and lower edge, the most important first.
    gap
        Pixels around each.

    Returns
    -------
    Rectangles by name, none over another, all inside `room`.  What finds no room is left out, the
    least important first.
    """
    places: Places = {}
    lowest = _stack(room, above, gap, gap, room.height() - gap, places, downward=True)
    _stack(room, below, gap, lowest, room.height() - gap, places, downward=False)
    return places


def _stack(
    room: QSize,
    wishes: Sequence[Wish],
    gap: int,
    top: int,
    bottom: int,
    places: Places,
    downward: bool,
) -> int:
    """Fill rows from one edge on, and return where the free room begins."""
    for row in _rows(wishes, room.width() - 2 * gap, gap):
        sizes = {wish.name: _fitted(wish, room.width() - 2 * gap) for wish in row}
        height = max(size.height() for size in sizes.values())
        if bottom - top < height:
            break
        for wish in row:
            size = sizes[wish.name]
            y = top if downward else bottom - size.height()
            places[wish.name] = QRect(_left(wish.side, size, room, gap), y, *_pair(size))
        if downward:
            top += height + gap
        else:
            bottom -= height + gap
    return top


def _rows(wishes: Sequence[Wish], width: int, gap: int) -> list[list[Wish]]:
    """Put each wish into the first row where its side is free and nothing comes to lie over it."""
    rows: list[list[Wish]] = []
    for wish in wishes:
        for row in rows:
            if all(other.side is not wish.side for other in row) and _fits(
                [*row, wish], width, gap
            ):
                row.append(wish)
                break
        else:
            rows.append([wish])
    return rows


def _fits(row: Sequence[Wish], width: int, gap: int) -> bool:
    # A badge in the middle stays in the middle, so the wider of its neighbours counts twice.
    widths = {wish.side: wish.size.width() for wish in row}
    outer = [widths[side] for side in (Side.LEFT, Side.RIGHT) if side in widths]
    if Side.MIDDLE not in widths:
        return sum(outer) + gap * (len(outer) - 1) <= width
    return widths[Side.MIDDLE] + 2 * (max(outer, default=0) + gap) <= width


def _fitted(wish: Wish, width: int) -> QSize:
    if wish.size.width() <= width:
        return wish.size
    return QSize(width, wish.height_for(width))


def _left(side: Side, size: QSize, room: QSize, gap: int) -> int:
    if side is Side.LEFT:
        return gap
    if side is Side.RIGHT:
        return room.width() - gap - size.width()
    return (room.width() - size.width()) // 2


def _pair(size: QSize) -> tuple[int, int]:
    return size.width(), size.height()


@dataclass(frozen=True, slots=True)
class _Badge:
    label: QLabel
    side: Side
    upper: bool


class Badges(QObject):
    """The badges of one view: made, worded and placed here, also when its size changes."""

    def __init__(self, view: QWidget, on_fit: Callable[[], None]) -> None:
        """Make them all, hidden.

        Parameters
        ----------
        on_fit
            Called by the button that a zoomed view has.
        """
        super().__init__(view)
        self._view = view
        self._gap = GAP
        # In order of importance: the first keeps its place when there is little room.
        self._badges = {
            "note": self._made(Side.MIDDLE, upper=True),
            "frozen": self._made(Side.LEFT, upper=True),
            "behind": self._made(Side.RIGHT, upper=True),
            "news": self._made(Side.MIDDLE, upper=True),
            "pointed": self._made(Side.LEFT, upper=False),
        }
        self._wanted = dict.fromkeys(self._badges, False)
        self._fit = QToolButton(view)
        self._fit.setText(FIT)
        self._fit.setToolTip(FIT_TIP)
        self._fit.setAccessibleName(FIT_TIP)
        self._fit.setStyleSheet(STYLE)
        self._fit.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._fit.clicked.connect(lambda: on_fit())
        self._fit.hide()
        self._zoomed = False
        self._photograph = QPixmap()
        self._photograph_label = QLabel(view)
        self._photograph_label.setStyleSheet(PHOTOGRAPH_STYLE)
        self._photograph_label.setToolTip(PHOTOGRAPH)
        self._photograph_label.setAccessibleName(PHOTOGRAPH)
        self._photograph_label.hide()
        view.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Keep the badges in their corners when the view gets another size."""
        if watched is self._view and event is not None and event.type() == QEvent.Type.Resize:
            self.place()
        return super().eventFilter(watched, event)

    def say(self, name: str, text: str) -> None:
        """Write on a badge; hides it if the text is empty."""
        label = self._badges[name].label
        if text != label.text() or self._wanted[name] != bool(text):
            label.setText(text)
            label.setAccessibleName(text)
            self._wanted[name] = bool(text)
            self.place()

    def text(self, name: str) -> str:
        """Return what a badge says; empty if it says nothing."""
        return self._badges[name].label.text() if self._wanted[name] else ""

    def set_frozen(self, frozen: bool) -> None:
        """Say that the picture stands still, or no longer."""
        self.say("frozen", FROZEN if frozen else "")

    def set_zoomed(self, zoomed: bool) -> None:
        """Offer to show the whole picture, or not."""
        if zoomed != self._zoomed:
            self._zoomed = zoomed
            self.place()

    def set_photograph(self, photograph: QPixmap) -> None:
        """Show a visible picture in the corner; a null one for none."""
        self._photograph = photograph
        self.place()

    def set_scale(self, scale: float) -> None:
        """Take the scale of text."""
        self._gap = round(GAP * scale)
        self.place()

    def place(self) -> None:
        """Put everything where there is room."""
        size = self._view.size()
        above = self._wishes(upper=True)
        below = self._wishes(upper=False)
        if self._zoomed:
            hint = self._fit.sizeHint()
            below.insert(0, Wish("fit", Side.RIGHT, hint, lambda _: hint.height()))
        small = self._photograph_size()
        if small is not None:
            below.append(Wish("photograph", Side.RIGHT, small, lambda _: small.height()))
        places = arrange(size, above, below, self._gap)
        for name, badge in self._badges.items():
            _put(badge.label, places.get(name))
        _put(self._fit, places.get("fit"))
        if "photograph" in places and small is not None:
            self._photograph_label.setPixmap(self._scaled(small))
        _put(self._photograph_label, places.get("photograph"))

    def _wishes(self, upper: bool) -> list[Wish]:
        wishes = []
        for name, badge in self._badges.items():
            if badge.upper is upper and self._wanted[name]:
                badge.label.setWordWrap(False)
                wishes.append(Wish(name, badge.side, badge.label.sizeHint(), _wrapped(badge.label)))
        return wishes

    def _made(self, side: Side, upper: bool) -> _Badge:
        label = QLabel(self._view)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setStyleSheet(STYLE)
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        label.hide()
        return _Badge(label, side, upper)

    def _photograph_size(self) -> QSize | None:
        if self._photograph.isNull():
            return None
        small = self._photograph.size().scaled(
            self._view.size() * PHOTOGRAPH_SHARE, Qt.AspectRatioMode.KeepAspectRatio
        )
        return small if min(_pair(small)) >= LEAST_PHOTOGRAPH else None

    def _scaled(self, size: QSize) -> QPixmap:
        ratio = self._view.devicePixelRatioF()
        small = self._photograph.scaled(
            size * ratio,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        small.setDevicePixelRatio(ratio)
        return small


def _wrapped(label: QLabel) -> Callable[[int], int]:
    def height(width: int) -> int:
        label.setWordWrap(True)
        return label.heightForWidth(width)

    return height


def _put(widget: QWidget, place: QRect | None) -> None:
    if place is not None:
        widget.setGeometry(place)
    widget.setVisible(place is not None)
