"""Editors made of others: a model, a model of several, a value that may be None, a short tuple."""

from collections.abc import Iterable, Mapping, Sequence

from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from ui.form_parts.editor import Complaints, Editor, MakeEditor, Place, chain, name
from ui.form_parts.frames import FieldRow, Section
from ui.form_parts.kinds import (
    UNFILLED,
    Field,
    Fixed,
    Maybe,
    OneOf,
    Record,
    constant,
    fields_of,
    is_section,
)
from ui.form_parts.simple_editors import ChoiceBox, Switch
from ui.form_parts.starting import record_start, switched_on
from ui.texts import forms as words


class RecordEditor(Editor):
    """The fields of a model, one below the other; models inside it are closed sections."""

    def __init__(self, kind: Record, make: MakeEditor, hidden: Iterable[str] = ()) -> None:
        """Make the rows.

        Parameters
        ----------
        kind
            The model.
        make
            Makes editors for the values of the fields.
        hidden
            Dotted names of fields that are not shown; their values stay as they are.
        """
        super().__init__()
        self._make = make
        names = set(hidden)
        self._fields = fields_of(kind.model, names)
        self._constants = {
            field: constant(info)
            for field, info in kind.model.model_fields.items()
            if constant(info) is not UNFILLED
        }
        self._kept: dict[str, object] = {}
        self._frames: dict[str, FieldRow | Section] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for field in self._fields:
            inner = [
                name.removeprefix(f"{field.name}.")
                for name in names
                if name.startswith(f"{field.name}.")
            ]
            frame = self._frame(field, inner)
            self._frames[field.name] = frame
            column.addWidget(frame)

    def value(self) -> dict[str, object]:
        """Return the values by name."""
        shown = {name: _entered(frame) for name, frame in self._frames.items()}
        return {**self._kept, **self._constants, **shown}

    def show_value(self, value: object) -> None:
        """Show a model, or values by name; what is missing is left empty."""
        values = values_of(value)
        self._kept = {
            name: one
            for name, one in values.items()
            if name not in self._frames and one is not UNFILLED
        }
        for field in self._fields:
            self._show_in(self._frames[field.name], values.get(field.name, UNFILLED))

    def show_fields(self, values: Mapping[str, object]) -> None:
        """Show the values of some fields, by name; the others stay as they are entered."""
        for field, value in values.items():
            if field in self._frames:
                self._show_in(self._frames[field], value)
            else:
                self._kept[field] = value

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Hand complaints to the fields; return those about the whole."""
        for name_, frame in self._frames.items():
            frame.complain(
                {place[1:]: said for place, said in complaints.items() if place[:1] == (name_,)}
            )
        return [said for place, said in complaints.items() if place[:1] not in self._places()]

    def name_for(self, label: str, description: str) -> None:
        """Leave the names to the fields, which have their own."""

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches, row by row."""
        return [
            stop
            for frame in self._frames.values()
            for stop in (frame.editor.stops() if isinstance(frame, FieldRow) else frame.stops())
        ]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of a field, whose sections it opens."""
        frame = self._frames.get(str(place[0])) if place else None
        if frame is None:
            return None
        return (
            frame.editor.part(place[1:]) if isinstance(frame, FieldRow) else frame.part(place[1:])
        )

    def _show_in(self, frame: FieldRow | Section, value: object) -> None:
        shown = frame.editor if isinstance(frame, FieldRow) else frame
        shown.show_value(value)

    def _places(self) -> set[Place]:
        return {(name_,) for name_ in self._frames}

    def _frame(self, field: Field, hidden: Sequence[str]) -> FieldRow | Section:
        if not is_section(field.kind):
            row = FieldRow(field.label, field.description, self._make(field.kind))
            row.editor.edited.connect(self.edited)
            return row
        inner = field.kind.inner if isinstance(field.kind, Maybe) else field.kind

        def make() -> Editor:
            if isinstance(inner, Record):
                return RecordEditor(inner, self._make, hidden)
            return self._make(inner)

        section = Section(field.label, field.description, make)
        if isinstance(field.kind, Maybe):
            section.add_switch()
            section.start_with(switched_on(field.kind))
        section.edited.connect(self.edited)
        return section


class OneOfEditor(Editor):
    """A box that chooses the model, and the fields of the chosen one."""

    def __init__(self, kind: OneOf, make: MakeEditor) -> None:
        super().__init__()
        self._kind, self._make = kind, make
        self._tags = list(kind.variants)
        self._box = ChoiceBox([words.choice_text(tag) for tag in self._tags])
        self._box.activated.connect(self._on_chosen)
        self._editors: dict[object, RecordEditor] = {}
        head = QHBoxLayout()
        label = QLabel(words.KIND)
        label.setBuddy(self._box)
        head.addWidget(label)
        head.addWidget(self._box)
        head.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(head)

    def value(self) -> object:
        """Return the values of the chosen model, with its tag."""
        tag = self._tags[self._box.currentIndex()]
        return {**self._editor(tag).value(), self._kind.tag: tag}

    def show_value(self, value: object) -> None:
        """Choose the model of `value` and show its fields."""
        values = values_of(value)
        tag = values.get(self._kind.tag, self._tags[0])
        self._box.setCurrentIndex(self._tags.index(tag))
        self._editor(tag).show_value(values)
        self._show_model(tag)

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Hand complaints to the chosen model."""
        return self._editor(self._tags[self._box.currentIndex()]).complain(complaints)

    def name_for(self, label: str, description: str) -> None:
        """Name the box."""
        name(self._box, f"{label}, {words.KIND.lower()}", description)

    def stops(self) -> list[QWidget]:
        """Return the box, and what Tab reaches below it."""
        inside = self._editors.get(self._tags[self._box.currentIndex()])
        return [self._box, *(inside.stops() if inside is not None else [])]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of a field of the chosen model."""
        if not place or place == (self._kind.tag,):
            return self._box
        return self._editor(self._tags[self._box.currentIndex()]).part(place)

    def _editor(self, tag: object) -> RecordEditor:
        if tag not in self._editors:
            editor = RecordEditor(self._kind.variants[tag], self._make)
            editor.show_value(record_start(self._kind.variants[tag].model))
            editor.edited.connect(self.edited)
            self._editors[tag] = editor
            self._column.addWidget(editor)
            chain(self._box, editor.stops())
        return self._editors[tag]

    def _on_chosen(self, index: int) -> None:
        self._show_model(self._tags[index])
        self.edited.emit()

    def _show_model(self, tag: object) -> None:
        chosen = self._editor(tag)
        for editor in self._editors.values():
            editor.setVisible(editor is chosen)
        about = self._kind.variants[tag].model.__doc__ or ""
        self._box.setToolTip(words.tip_of(about))


class MaybeEditor(Editor):
    """A switch, and beside it the editor of a value that is None while the switch is off."""

    def __init__(self, kind: Maybe, make: MakeEditor) -> None:
        super().__init__()
        self._switch = Switch()
        self._switch.clicked.connect(self._on_switched)
        self._off = QLabel(words.NOT_SET)
        self._off.setProperty("role", "muted")
        self._inner = make(kind.inner)
        self._inner.show_value(switched_on(kind))
        self._inner.edited.connect(self.edited)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._switch)
        row.addWidget(self._off, 1)
        row.addWidget(self._inner, 1)
        self._show_state()

    def value(self) -> object:
        """Return the value; None if the switch is off."""
        return self._inner.value() if self._switch.isChecked() else None

    def show_value(self, value: object) -> None:
        """Turn the switch; the value of before is kept for when it is on again."""
        self._switch.setChecked(value is not None)
        if value is not None:
            self._inner.show_value(value)
        self._show_state()

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Leave it to the value, if there is one."""
        return self._inner.complain(complaints)

    def name_for(self, label: str, description: str) -> None:
        """Name the switch and the editor."""
        name(self._switch, words.set_switch(label), description)
        self._switch.setToolTip(words.set_switch(label))
        self._inner.name_for(label, description)

    def stops(self) -> list[QWidget]:
        """Return the switch and what is beside it."""
        return [self._switch, *self._inner.stops()]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of the value, or the switch that brings it."""
        return self._inner.part(place) if self._switch.isChecked() else self._switch

    def _on_switched(self) -> None:
        self._show_state()
        self.edited.emit()

    def _show_state(self) -> None:
        on = self._switch.isChecked()
        self._inner.setVisible(on)
        self._off.setVisible(not on)


class FixedEditor(Editor):
    """The values of a tuple of given length, one below the other."""

    def __init__(self, kind: Fixed, make: MakeEditor) -> None:
        super().__init__()
        self._editors = [make(inner) for inner in kind.inners]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for editor in self._editors:
            editor.edited.connect(self.edited)
            column.addWidget(editor)

    def value(self) -> object:
        """Return the values."""
        return tuple(editor.value() for editor in self._editors)

    def show_value(self, value: object) -> None:
        """Show values."""
        given = value if isinstance(value, (tuple, list)) else ()
        several = given if len(given) == len(self._editors) else (UNFILLED,) * len(self._editors)
        for editor, one in zip(self._editors, several, strict=True):
            editor.show_value(one)

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Hand complaints to the values, and return all."""
        left = [said for place, said in complaints.items() if not place]
        for index, editor in enumerate(self._editors):
            own = {place[1:]: said for place, said in complaints.items() if place[:1] == (index,)}
            left += editor.complain(own)
        return left

    def name_for(self, label: str, description: str) -> None:
        """Name and number the values."""
        for index, editor in enumerate(self._editors):
            editor.name_for(words.of_row(label, index), description)

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches, one after the other."""
        return [stop for editor in self._editors for stop in editor.stops()]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of a value."""
        index = place[0] if place and isinstance(place[0], int) else 0
        return self._editors[index].part(place[1:])


def values_of(value: object) -> Mapping[str, object]:
    """Return the values of a model by name; of values by name, themselves."""
    if isinstance(value, Mapping):
        return value
    return dict(value.__dict__) if hasattr(type(value), "model_fields") else {}


def _entered(frame: FieldRow | Section) -> object:
    return frame.editor.value() if isinstance(frame, FieldRow) else frame.value()
