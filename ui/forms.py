"""Forms made from pydantic models."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from thermoseg.errors import ConfigError
from ui.form_parts.complaints import Complaint, complaints_of, dotted
from ui.form_parts.editor import Place
from ui.form_parts.frames import ComplaintLabel
from ui.form_parts.groups import RecordEditor
from ui.form_parts.kinds import Record
from ui.form_parts.making import make_editor
from ui.form_parts.starting import record_start

Model = TypeVar("Model", bound=BaseModel)


class ModelForm(QWidget, Generic[Model]):
    """Shows a model and lets it be changed; pydantic judges every change.

    Numbers, texts and paths stay exactly as they were set until the user changes them: what a form
    was given, it gives back.
    """

    changed = pyqtSignal()
    """The values are others than before, whether or not they fit."""

    def __init__(
        self,
        model_type: type[Model],
        value: Model | None = None,
        *,
        leave_out: Iterable[str] = (),
        only: Iterable[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        """Build a form.

        Parameters
        ----------
        model_type
            The model.
        value
            What to show; None for the defaults, with fields left empty that have none.
        leave_out
            Dotted names of fields that are not shown; their values stay as they were set.
        only
            If given, the names of the fields that are shown.

        Raises
        ------
        TypeError
            If there is no widget for the type of a field that is to be shown.
        ValueError
            If a name is no field of the model.
        """
        super().__init__(parent)
        self._record = Record(model_type)
        self._type = model_type
        self._editor = RecordEditor(self._record, make_editor, _hidden(model_type, leave_out, only))
        self._head = ComplaintLabel()
        self._outside: dict[Place, str] = {}
        self._untouched: set[Place] = set()
        self._entered: object = None
        self._model: Model | None = None
        self._complaints: dict[Place, Complaint] = {}
        self._any_shown = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._head)
        column.addWidget(self._editor)
        column.addStretch(1)
        self._editor.edited.connect(self._on_edited)
        self._show(record_start(model_type) if value is None else value)

    def value(self) -> Model:
        """Return the model that was entered.

        Raises
        ------
        ConfigError
            If something does not fit; from then on, fields that are still empty say so too.
        """
        if self._model is None:
            self._untouched.clear()
            self._show_complaints()
            place, complaint = next(iter(self._complaints.items()))
            where = f"“{dotted(place)}”: " if place else ""
            raise ConfigError(f"{where}{complaint.sentence.rstrip('.')}; correct it in the form")
        return self._model

    def set_value(self, model: Model) -> None:
        """Show a model; `changed` comes once if it differs from what was shown."""
        if self._model == model and _same(self._model, model):
            return
        self._outside = {}
        self._show(model)
        self.changed.emit()

    def set_fields(self, values: Mapping[str, object]) -> None:
        """Show the values of some fields, by name; what is entered in the others stays.

        `changed` comes once if anything differs from what was shown.

        Raises
        ------
        ValueError
            If a name is no field of the model.
        """
        unknown = [name for name in values if name not in self._type.model_fields]
        if unknown:
            raise ValueError(f"{self._type.__name__} has no field “{unknown[0]}”")
        self._editor.show_fields(values)
        self._on_edited()

    def problems(self) -> dict[str, str]:
        """Return a sentence for each field that is at fault, by its dotted name.

        The name is empty for what is wrong with the whole.
        """
        return {dotted(place): one.sentence for place, one in self._complaints.items()}

    def set_complaints(self, complaints: Mapping[str, str]) -> None:
        """Show complaints of somebody else, in place of those of before.

        Parameters
        ----------
        complaints
            Sentence by dotted name of the field; each stands until something is changed.
        """
        self._outside = {_place(name): said for name, said in complaints.items()}
        self._show_complaints()

    def focus_field(self, name: str) -> None:
        """Open the sections around a field, bring it into sight and give it the focus.

        Parameters
        ----------
        name
            Dotted name, such as `sources.0.path`.

        Raises
        ------
        ValueError
            If no such field is shown.
        """
        widget = self._editor.part(_place(name))
        if widget is None:
            raise ValueError(f"the form shows no field “{name}”")
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        around = self.parentWidget()
        while around is not None:
            if isinstance(around, QScrollArea):
                around.ensureWidgetVisible(widget)
            around = around.parentWidget()

    def _show(self, value: object) -> None:
        self._editor.show_value(value)
        self._check()
        self._untouched = {place for place, one in self._complaints.items() if one.unfilled}
        self._show_complaints()

    def _on_edited(self) -> None:
        before = self._entered
        self._check()
        if _same(before, self._entered):
            return
        self._outside = {}
        unfilled = {place for place, one in self._complaints.items() if one.unfilled}
        self._untouched &= unfilled
        self._show_complaints()
        self.changed.emit()

    def _check(self) -> None:
        self._entered = self._editor.value()
        try:
            self._model = self._type.model_validate(self._entered)
            self._complaints = {}
        except ValidationError as error:
            self._model = None
            self._complaints = complaints_of(error, self._record)

    def _show_complaints(self) -> None:
        visible = {
            place: one.sentence
            for place, one in self._complaints.items()
            if place not in self._untouched
        }
        for place, said in self._outside.items():
            visible[place] = " ".join(filter(None, (visible.get(place), said)))
        if visible or self._any_shown:  # most changes come with nothing to say
            self._head.say(self._editor.complain(visible))
        self._any_shown = bool(visible)


def _same(before: object, after: object) -> bool:
    return repr(before) == repr(after)  # 0.0 and -0.0 differ, NaN and NaN do not


def _place(name: str) -> Place:
    return (
        tuple(int(part) if part.isdecimal() else part for part in name.split(".")) if name else ()
    )


def _hidden(
    model: type[BaseModel], leave_out: Iterable[str], only: Iterable[str]
) -> tuple[str, ...]:
    left, kept = tuple(leave_out), tuple(only)
    unknown = [name for name in (*left, *kept) if name.partition(".")[0] not in model.model_fields]
    if unknown:
        raise ValueError(f"{model.__name__} has no field “{unknown[0]}”")
    if not kept:
        return left
    return (*left, *(name for name in model.model_fields if name not in kept))
