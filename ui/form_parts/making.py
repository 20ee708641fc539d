"""Which editor a kind of value gets."""

from ui.form_parts.editor import Editor
from ui.form_parts.groups import FixedEditor, MaybeEditor, OneOfEditor, RecordEditor
from ui.form_parts.kinds import (
    Choice,
    File,
    Fixed,
    Flag,
    Kind,
    Maybe,
    Number,
    OneOf,
    Pair,
    Record,
    Several,
    Table,
    Text,
)
from ui.form_parts.number_editors import NumberEditor, PairEditor
from ui.form_parts.rows import RowsEditor, TableEditor
from ui.form_parts.simple_editors import ChoiceEditor, PathEditor, SwitchEditor, TextEditor


def make_editor(kind: Kind) -> Editor:
    """Return an editor without a value."""
    match kind:
        case Flag(optional=True):
            return ChoiceEditor(Choice((True, False), optional=True))
        case Flag():
            return SwitchEditor()
        case Choice():
            return ChoiceEditor(kind)
        case Number():
            return NumberEditor(kind)
        case Pair(number):
            return PairEditor(number)
        case Text():
            return TextEditor()
        case File(folder):
            return PathEditor(folder=folder)
    return _of_others(kind)


def _of_others(kind: Record | Maybe | OneOf | Several | Fixed | Table) -> Editor:
    match kind:
        case Record():
            return RecordEditor(kind, make_editor)
        case Maybe():
            return MaybeEditor(kind, make_editor)
        case OneOf():
            return OneOfEditor(kind, make_editor)
        case Several():
            return RowsEditor(kind, make_editor)
        case Fixed():
            return FixedEditor(kind, make_editor)
        case Table():
            return TableEditor(kind, make_editor)
