"""Tab goes through the window as one reads it, however late a widget was made.

Qt's own order is that in which widgets were made, so the fields of a study that is opened later, a
notice, or a new trace would come after everything else.
"""

from collections.abc import Iterator

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLayout,
    QScrollArea,
    QSplitter,
    QWidget,
)

LEAVES = (QAbstractButton, QAbstractSpinBox, QComboBox)
"""What is inside of these is no stop of its own."""


class ReadingOrder(QWidget):
    """Moves the focus among what is inside it in the order of its layouts."""

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802  # Qt's name
        """Give the focus to the next stop, or to the one before; from the last to the first."""
        stops = list(stops_of(self))
        if not stops:
            return False
        at = _place_of(QApplication.focusWidget(), stops)
        step = 1 if forward else -1
        if at is None:
            at = -1 if forward else 0
        stop = stops[(at + step) % len(stops)]
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        stop.setFocus(reason)
        _scroll_to(stop)
        return True


def stops_of(widget: QWidget) -> Iterator[QWidget]:
    """Go through everything in sight that Tab should stop at, in reading order."""
    if not widget.isVisible() or widget.isWindow():
        return
    takes = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None
    if takes and widget.isEnabled() and not widget.size().isEmpty():
        yield widget
    if isinstance(widget, LEAVES):
        return
    for child in _children_of(widget):
        yield from stops_of(child)


def _children_of(widget: QWidget) -> list[QWidget]:
    """List what is laid out in a widget, then what is only put over it, from top to bottom."""
    if isinstance(widget, QSplitter):
        return [each for at in range(widget.count()) if (each := widget.widget(at)) is not None]
    if isinstance(widget, QScrollArea):
        inside = widget.widget()
        return [] if inside is None else [inside]
    layout = widget.layout()
    laid_out = [] if layout is None else list(_widgets_in(layout))
    direct = widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    over = [each for each in direct if each not in laid_out]
    return laid_out + sorted(over, key=lambda each: (each.y(), each.x()))


def _widgets_in(layout: QLayout) -> Iterator[QWidget]:
    for at in range(layout.count()):
        item = layout.itemAt(at)
        if item is None:
            continue
        inside = item.layout()
        widget = item.widget()
        if inside is not None:
            yield from _widgets_in(inside)
        elif widget is not None:
            yield widget


def _place_of(widget: QWidget | None, stops: list[QWidget]) -> int | None:
    """Return where in `stops` a widget is, or what it is a part of."""
    while widget is not None:
        if widget in stops:
            return stops.index(widget)
        widget = widget.parentWidget()
    return None


def _scroll_to(widget: QWidget) -> None:
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(widget)
        around = around.parentWidget()
