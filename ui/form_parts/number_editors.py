"""Editors of one number and of two, with a slider where they have bounds."""

from collections.abc import Sequence

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QWidget

from ui.form_parts.editor import Complaints, Editor, Place, mark_wrong, name
from ui.form_parts.kinds import UNFILLED, Number
from ui.form_parts.number_box import NumberBox
from ui.form_parts.scale import Scale
from ui.form_parts.sliders import PlaceSlider, SpanSlider
from ui.texts import forms as words

WIDEST_UNIT = "/min"
"""Room for it is kept behind every slider's field, so that fields stand below one another."""
NARROW_CHARACTERS = 38
"""A pair that is narrower than so many characters has its slider above its fields."""


class NumberEditor(Editor):
    """A number field, with a slider before it if the number has bounds."""

    def __init__(self, number: Number) -> None:
        super().__init__()
        self._scale = Scale(number) if Scale.suits(number) else None
        self._slider = PlaceSlider() if self._scale is not None else None
        self._box = NumberBox(number)
        self._box.edited.connect(self._on_box_edited)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        if self._slider is not None:
            self._slider.place_chosen.connect(self._on_place_chosen)
            self._slider.stepped.connect(self._on_stepped)
            row.addWidget(self._slider, 1)
        row.addWidget(self._box)
        unit = unit_label(number.unit)
        row.addWidget(unit)
        if self._slider is None:
            row.addStretch(1)
        else:
            unit.setMinimumWidth(unit.fontMetrics().horizontalAdvance(WIDEST_UNIT))

    def value(self) -> object:
        """Return the number, exactly as typed or set."""
        return self._box.entry()

    def show_value(self, value: object) -> None:
        """Show a number in field and slider."""
        self._box.set_entry(value if isinstance(value, (int, float, str)) else UNFILLED)
        self._show_place()

    def name_for(self, label: str, description: str) -> None:
        """Name field and slider."""
        name(self._box, label, description)
        if self._slider is not None:
            name(self._slider, words.slider_of(label), description)

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Draw the field as wrong, if it is, and leave the words to the frame."""
        mark_wrong([self._box], wrong=bool(complaints))
        return list(complaints.values())

    def stops(self) -> list[QWidget]:
        """Return slider and field."""
        return [self._box] if self._slider is None else [self._slider, self._box]

    def part(self, place: Place) -> QWidget:
        """Return the field, not the slider."""
        del place
        return self._box

    def _on_box_edited(self) -> None:
        self._show_place()
        self.edited.emit()

    def _on_place_chosen(self, place: float) -> None:
        if self._scale is not None:
            self._take(self._scale.value(place))

    def _on_stepped(self, step: float) -> None:
        if self._scale is None or self._slider is None:
            return
        place = min(max(self._slider.value() + step, 0.0), 1.0)
        chosen = self._scale.value(place)
        if chosen == self._box.entry():
            self._box.stepBy(1 if step > 0 else -1)
        else:
            self._take(chosen)
            self._show_place()

    def _take(self, value: float) -> None:
        if value != self._box.entry():
            self._box.set_entry(value)
            self.edited.emit()

    def _show_place(self) -> None:
        entry = self._box.entry()
        if self._scale is not None and self._slider is not None and isinstance(entry, (int, float)):
            self._slider.set_place(self._scale.position(entry))


class PairEditor(Editor):
    """Two number fields, with a slider of two handles between or above them."""

    def __init__(self, number: Number) -> None:
        super().__init__()
        self._scale = Scale(number) if Scale.suits(number) else None
        self._slider = SpanSlider() if self._scale is not None else None
        self._boxes = (NumberBox(number), NumberBox(number))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._dash = QLabel("–", self)
        self._unit = unit_label(number.unit)
        self._narrow: bool | None = None
        for box in self._boxes:
            box.edited.connect(self._on_box_edited)
        if self._slider is not None:
            self._slider.places_chosen.connect(self._on_places_chosen)
        self._arrange(narrow=False)

    def value(self) -> object:
        """Return both numbers, exactly as typed or set."""
        return tuple(box.entry() for box in self._boxes)

    def show_value(self, value: object) -> None:
        """Show two numbers."""
        both = value if isinstance(value, (tuple, list)) and len(value) == 2 else (UNFILLED,) * 2
        for box, entry in zip(self._boxes, both, strict=True):
            box.set_entry(entry)
        self._show_places()

    def name_for(self, label: str, description: str) -> None:
        """Name both fields."""
        name(self._boxes[0], words.lowest(label), description)
        name(self._boxes[1], words.highest(label), description)
        if self._slider is not None:
            name(self._slider, words.slider_of(label), description)

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Draw the field that is wrong as wrong, both if it is about the two together."""
        for index, box in enumerate(self._boxes):
            own = any(place[:1] in ((), (index,)) for place in complaints)
            mark_wrong([box], wrong=own)
        return list(dict.fromkeys(complaints.values()))

    def stops(self) -> list[QWidget]:
        """Return the fields."""
        return list(self._boxes)

    def part(self, place: Place) -> QWidget:
        """Return one of the fields."""
        return self._boxes[1 if place[:1] == (1,) else 0]

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size of the narrow arrangement."""
        fields = sum(box.sizeHint().width() for box in self._boxes)
        return super().minimumSizeHint().boundedTo(QSize(fields + self._rest(), 10_000))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Put the slider above the fields where it would become too short between them."""
        super().resizeEvent(event)
        self._arrange(
            narrow=self.width() < NARROW_CHARACTERS * self.fontMetrics().averageCharWidth()
        )

    def _rest(self) -> int:
        spacing = self._grid.horizontalSpacing()
        return self._unit.sizeHint().width() + self._dash.sizeHint().width() + 3 * spacing

    def _arrange(self, *, narrow: bool) -> None:
        if narrow == self._narrow:
            return
        self._narrow = narrow
        low, high = self._boxes
        middle: QWidget = self._dash
        self._dash.setVisible(narrow or self._slider is None)
        if self._slider is not None and not narrow:
            middle = self._slider
        elif self._slider is not None:
            self._grid.addWidget(self._slider, 0, 0, 1, 5)
        self._grid.addWidget(low, 1, 0)
        self._grid.addWidget(middle, 1, 1)
        self._grid.addWidget(high, 1, 2)
        self._grid.addWidget(self._unit, 1, 3)
        fills = self._slider is not None and not narrow
        room = self._unit.fontMetrics().horizontalAdvance(WIDEST_UNIT)
        self._unit.setMinimumWidth(room if fills else 0)
        self._grid.setColumnStretch(1, 1 if fills else 0)
        self._grid.setColumnStretch(4, 0 if fills else 1)

    def _on_box_edited(self) -> None:
        self._show_places()
        self.edited.emit()

    def _on_places_chosen(self, places: tuple[float, float]) -> None:
        if self._scale is None:
            return
        changed = False
        for box, place in zip(self._boxes, places, strict=True):
            entry = box.entry()
            at = self._scale.position(entry) if isinstance(entry, (int, float)) else None
            if at is None or abs(at - place) > 1e-9:  # the other handle's number stays exact
                chosen = self._scale.value(place)
                changed = changed or chosen != entry
                box.set_entry(chosen)
        if changed:
            self.edited.emit()

    def _show_places(self) -> None:
        if self._scale is None or self._slider is None:
            return
        places = [
            self._scale.position(entry)
            for entry in (box.entry() for box in self._boxes)
            if isinstance(entry, (int, float))
        ]
        if len(places) == 2:
            self._slider.set_places(*sorted(places))


def unit_label(unit: str) -> QLabel:
    """Return the unit that stands behind a number."""
    label = QLabel(unit)
    label.setProperty("role", "muted")
    label.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
    return label
