"""What every part of a form can do."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QWidget

from ui.form_parts.kinds import Kind

Place: TypeAlias = tuple[int | str, ...]
"""Where a value is: names of fields, and numbers or names of rows, from outside in."""
Complaints: TypeAlias = Mapping[Place, str]
"""A sentence for each place that is at fault."""


class Editor(QWidget):
    """Shows a value and lets it be changed; knows neither models nor who asks."""

    edited = pyqtSignal()
    """The user changed something."""

    def value(self) -> object:
        """Return what is entered, for pydantic to judge; `UNFILLED` where nothing is."""
        raise NotImplementedError

    def show_value(self, value: object) -> None:
        """Show a value, without a signal."""
        raise NotImplementedError

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Take the complaints about this value; return those that whoever frames it must show.

        Called with every change, and with nothing when all is well.
        """
        mark_wrong(self.stops(), wrong=bool(complaints))
        return list(complaints.values())

    def name_for(self, label: str, description: str) -> None:
        """Tell assistive programs what the widgets are, and everybody in a tool tip."""
        raise NotImplementedError

    def stops(self) -> list[QWidget]:
        """Return the widgets that Tab reaches, in reading order."""
        raise NotImplementedError

    def part(self, place: Place) -> QWidget | None:
        """Bring a place inside into sight, and return the widget that can change it, if any."""
        del place
        stops = self.stops()
        return stops[0] if stops else None


MakeEditor: TypeAlias = Callable[[Kind], Editor]
"""Makes the editor for a kind of value; given to those that contain others."""


def name(widget: QWidget, label: str, description: str) -> None:
    """Give a widget its names for assistive programs."""
    widget.setAccessibleName(label)
    widget.setAccessibleDescription(description)


def mark_wrong(widgets: Sequence[QWidget], *, wrong: bool) -> None:
    """Let the style sheet draw widgets as wrong, or no longer."""
    for widget in widgets:
        if bool(widget.property("wrong")) != wrong:
            widget.setProperty("wrong", wrong)
            style = widget.style()
            if style is not None:
                style.unpolish(widget)
                style.polish(widget)


def chain(after: QWidget, stops: Sequence[QWidget]) -> None:
    """Let Tab go from `after` through `stops`, and then on to what came after it before."""
    for stop in stops:
        QWidget.setTabOrder(after, stop)
        after = stop


def chain_before(last: QWidget, stops: Sequence[QWidget], *, after: QWidget | None) -> None:
    """Let Tab go through `stops` before it comes to `last`.

    Parameters
    ----------
    last
        What is reached after them.
    stops
        Widgets of the same window.
    after
        What is reached before them; None for whatever is before `last` now.
    """
    if after is None:
        after = last.previousInFocusChain()
        while after is not None and after is not last and not _is_stop(after):
            after = after.previousInFocusChain()
    if after is None or after is last or after in stops:
        after, stops = stops[0], stops[1:]
    chain(after, [*stops, last])


def _is_stop(widget: QWidget) -> bool:
    return bool(widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value)
