"""Editors of as many values as the user likes: rows to add and remove."""

from collections.abc import Mapping, Sequence

from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ui.form_parts.editor import (
    Complaints,
    Editor,
    MakeEditor,
    Place,
    chain_before,
    mark_wrong,
    name,
)
from ui.form_parts.frames import ComplaintLabel, Section, remove_button
from ui.form_parts.kinds import OneOf, Several, Table, is_section
from ui.form_parts.starting import start_value
from ui.texts import forms as words


class PlainRow(QWidget):
    """A value without a name, a button that removes it, and what is wrong with it."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.editor = editor
        self.remove = remove_button("")
        self._complaint = ComplaintLabel()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        grid.addWidget(editor, 0, 0)
        grid.addWidget(self.remove, 0, 1)
        grid.addWidget(self._complaint, 1, 0, 1, 2)

    def complain(self, complaints: Complaints) -> None:
        """Show what is wrong with the value."""
        self._complaint.say(self.editor.complain(complaints))

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches."""
        return [*self.editor.stops(), self.remove]


class RowsEditor(Editor):
    """A tuple or list: one row for each value, or one section where values have fields."""

    def __init__(self, kind: Several, make: MakeEditor) -> None:
        super().__init__()
        self._kind, self._make = kind, make
        self._rows: list[PlainRow | Section] = []
        self._label = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._column = QVBoxLayout()
        column.addLayout(self._column)
        self._add = add_button()
        self._add.clicked.connect(self._on_add)
        foot = QHBoxLayout()
        foot.addWidget(self._add)
        foot.addStretch(1)
        column.addLayout(foot)

    def value(self) -> object:
        """Return the values, in the container that the field has."""
        return self._kind.container(_entered(row) for row in self._rows)

    def show_value(self, value: object) -> None:
        """Show values; rows that are there already are used again."""
        values = value if isinstance(value, (tuple, list)) else ()
        while len(self._rows) > len(values):
            self._drop(self._rows[-1])
        for index, one in enumerate(values):
            if index == len(self._rows):
                self._append()
            _show(self._rows[index], one)
        self._say_names()

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Hand complaints to the rows; return those about their number."""
        for index, row in enumerate(self._rows):
            row.complain(
                {place[1:]: said for place, said in complaints.items() if place[:1] == (index,)}
            )
        numbers = {(index,) for index in range(len(self._rows))}
        return [said for place, said in complaints.items() if place[:1] not in numbers]

    def name_for(self, label: str, description: str) -> None:
        """Name rows and buttons."""
        self._label = label
        name(self._add, words.add_row(label), description)
        self._say_names()

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches, row by row, and the button below."""
        return [*(stop for row in self._rows for stop in row.stops()), self._add]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of a row."""
        index = place[0] if place else None
        if not isinstance(index, int) or index >= len(self._rows):
            return self._add
        row = self._rows[index]
        return row.editor.part(place[1:]) if isinstance(row, PlainRow) else row.part(place[1:])

    def _on_add(self) -> None:
        row = self._append()
        _show(row, start_value(self._kind.inner))
        self._say_names()
        if isinstance(row, Section):
            row.open_up()
        row.stops()[0].setFocus()
        self.edited.emit()

    def _append(self) -> PlainRow | Section:
        row: PlainRow | Section
        inner = self._kind.inner
        if is_section(inner):
            row = Section("", "", lambda: self._make(inner))
            row.add_remove_button(words.REMOVE)
            row.removed.connect(lambda: self._on_remove(row))
            row.edited.connect(self._on_row_edited)
        else:
            row = PlainRow(self._make(inner))
            row.remove.clicked.connect(lambda: self._on_remove(row))
            row.editor.edited.connect(self._on_row_edited)
        before = self._rows[-1].stops()[-1] if self._rows else None
        self._rows.append(row)
        self._column.addWidget(row)
        chain_before(self._add, row.stops(), after=before)
        return row

    def _on_row_edited(self) -> None:
        self._say_names()
        self.edited.emit()

    def _on_remove(self, row: PlainRow | Section) -> None:
        index = self._rows.index(row)
        self._drop(row)
        self._say_names()
        left = self._rows[min(index, len(self._rows) - 1)] if self._rows else None
        (self._add if left is None else left.stops()[0]).setFocus()
        self.edited.emit()

    def _drop(self, row: PlainRow | Section) -> None:
        self._rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _say_names(self) -> None:
        for index, row in enumerate(self._rows):
            if isinstance(row, PlainRow):
                row.editor.name_for(words.of_row(self._label, index), "")
                name(row.remove, words.remove_row(self._label, index), "")
                row.remove.setToolTip(words.remove_row(self._label, index))
            else:
                row.set_title(words.row_title(index, self._said(row)))
                row.name_remove_button(words.remove_row(self._label, index))

    def _said(self, row: Section) -> str:
        """Return what tells a row from others: its kind or name."""
        value = row.value()
        key = self._kind.inner.tag if isinstance(self._kind.inner, OneOf) else "name"
        said = value.get(key, "") if isinstance(value, Mapping) else getattr(value, key, "")
        return words.choice_text(said)


class TableRow(QWidget):
    """A name, a value, and a button that removes both."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.key = QLineEdit()
        self.key.setProperty("role", "field")
        self.editor = editor
        self.remove = remove_button("")
        self._complaint = ComplaintLabel()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 2)
        grid.addWidget(self.key, 0, 0)
        grid.addWidget(editor, 0, 1)
        grid.addWidget(self.remove, 0, 2)
        grid.addWidget(self._complaint, 1, 0, 1, 3)

    def complain(self, complaints: Complaints) -> None:
        """Show what is wrong with name or value."""
        self._complaint.say(self.editor.complain(complaints))

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches."""
        return [self.key, *self.editor.stops(), self.remove]


class TableEditor(Editor):
    """Values by name, in two columns."""

    def __init__(self, kind: Table, make: MakeEditor) -> None:
        super().__init__()
        self._kind, self._make = kind, make
        self._rows: list[TableRow] = []
        self._label = ""
        self._column = QVBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._column)
        self._add = add_button()
        self._add.clicked.connect(self._on_add)
        foot = QHBoxLayout()
        foot.addWidget(self._add)
        foot.addStretch(1)
        column.addLayout(foot)

    def value(self) -> object:
        """Return the values by name; as rows, which is no mapping, if two have the same name."""
        pairs = [(row.key.text(), row.editor.value()) for row in self._rows]
        by_name = dict(pairs)
        return by_name if len(by_name) == len(pairs) else pairs

    def show_value(self, value: object) -> None:
        """Show values by name."""
        if value == self.value():
            return
        values = value if isinstance(value, Mapping) else {}
        while len(self._rows) > len(values):
            self._drop(self._rows[-1])
        for index, (key, one) in enumerate(values.items()):
            if index == len(self._rows):
                self._append()
            self._rows[index].key.setText(key)
            self._rows[index].editor.show_value(one)
        self._say_names()

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Hand complaints to the rows; return those about the whole."""
        keys = {row.key.text() for row in self._rows}
        for row in self._rows:
            key = row.key.text()
            row.complain(
                {place[1:]: said for place, said in complaints.items() if place[:1] == (key,)}
            )
        mark_wrong([row.key for row in self._rows], wrong=() in complaints)
        return [said for place, said in complaints.items() if not place or place[0] not in keys]

    def name_for(self, label: str, description: str) -> None:
        """Name rows and buttons."""
        self._label = label
        name(self._add, words.add_row(label), description)
        self._say_names()

    def stops(self) -> list[QWidget]:
        """Return what Tab reaches, row by row, and the button below."""
        return [*(stop for row in self._rows for stop in row.stops()), self._add]

    def part(self, place: Place) -> QWidget | None:
        """Return the widget of a name's value."""
        row = next((row for row in self._rows if place[:1] == (row.key.text(),)), None)
        return self._add if row is None else row.editor.part(place[1:])

    def _on_add(self) -> None:
        row = self._append()
        row.editor.show_value(start_value(self._kind.inner))
        self._say_names()
        row.key.setFocus()
        self.edited.emit()

    def _append(self) -> TableRow:
        row = TableRow(self._make(self._kind.inner))
        row.key.textEdited.connect(self.edited)
        row.editor.edited.connect(self.edited)
        row.remove.clicked.connect(lambda: self._on_remove(row))
        before = self._rows[-1].remove if self._rows else None
        self._rows.append(row)
        self._column.addWidget(row)
        chain_before(self._add, row.stops(), after=before)
        return row

    def _on_remove(self, row: TableRow) -> None:
        index = self._rows.index(row)
        self._drop(row)
        self._say_names()
        left = self._rows[min(index, len(self._rows) - 1)].key if self._rows else self._add
        left.setFocus()
        self.edited.emit()

    def _drop(self, row: TableRow) -> None:
        self._rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _say_names(self) -> None:
        for index, row in enumerate(self._rows):
            name(row.key, words.key_of(self._label, index), "")
            row.editor.name_for(words.value_of(self._label, index), "")
            name(row.remove, words.remove_row(self._label, index), "")
            row.remove.setToolTip(words.remove_row(self._label, index))


def add_button() -> QPushButton:
    """Return the button below rows."""
    button = QPushButton(words.ADD)
    button.setAutoDefault(False)
    return button


def _entered(row: PlainRow | Section) -> object:
    return row.editor.value() if isinstance(row, PlainRow) else row.value()


def _show(row: PlainRow | Section, value: object) -> None:
    if isinstance(row, PlainRow):
        row.editor.show_value(value)
    else:
        row.show_value(value)
