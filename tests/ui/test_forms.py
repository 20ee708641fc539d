"""Forms as a user meets them: by keys, clicks, wheel and drops."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pytest
from annotated_types import Unit
from pydantic import BaseModel, ConfigDict, Field, model_validator
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)
from pytestqt.qtbot import QtBot

from thermoseg.errors import ConfigError
from trainer.config import TrainingConfig
from trainer.tiaug import TiAugConfig
from ui.form_parts.frames import ComplaintLabel, FieldRow, Section
from ui.form_parts.number_box import NumberBox
from ui.form_parts.simple_editors import ChoiceBox, PathLine, Switch
from ui.form_parts.sliders import PlaceSlider, SpanSlider
from ui.forms import ModelForm
from ui.shell.theme import DARK, LIGHT, wear

W = TypeVar("W", bound=QWidget)
Opened = Callable[..., ModelForm[Any]]


class Condition(BaseModel):
    """One stretch of a session."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1)]
    """What it is called."""
    duration_s: Annotated[float, Field(gt=0), Unit("s")]
    """How long it lasts."""


class Warm(BaseModel):
    """A warm room."""

    kind: Literal["warm"]
    room_c: Annotated[float, Field(ge=20, le=40), Unit("°C")] = 23.0
    """Its temperature."""


class Cold(BaseModel):
    """A cold room."""

    kind: Literal["cold"]
    log: Path
    """Where its temperatures are."""


class Limits(BaseModel):
    """From where to where."""

    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _ascending(self) -> "Limits":
        if self.low > self.high:
            raise ValueError("low must not be above high; swap them")
        return self


class Sample(BaseModel):
    """One field of every kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rate_hz: Annotated[float, Field(gt=0, le=1000), Unit("Hz")] = 30.0
    """Frames per second; see `loop`."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 3
    loop: bool = False
    gain: Literal["high", "low"] = "high"
    shutter: bool | None = None
    span_c: Annotated[
        tuple[Annotated[float, Field(ge=0, le=50)], Annotated[float, Field(ge=0, le=50)]],
        Unit("°C"),
    ] = (20.0, 40.0)
    emissivity: Annotated[float, Field(gt=0, le=1, examples=[0.98])] | None = None
    note: Annotated[str, Field(title="What to remember")] = ""
    names: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    fields: Mapping[str, str] = {}
    conditions: tuple[Condition, ...] = ()
    room: Annotated[Warm | Cold, Field(discriminator="kind")] = Warm(kind="warm")
    limits: Limits = Limits()
    second: Limits | None = None


@pytest.fixture
def opened(qtbot: QtBot) -> Opened:
    """Show a form in a window that has the focus."""

    def show(*arguments: Any, **options: Any) -> ModelForm[Any]:
        form: ModelForm[Any] = ModelForm(*arguments, **options)
        qtbot.addWidget(form)
        form.resize(700, 600)
        form.show()
        form.activateWindow()
        qtbot.waitUntil(form.isActiveWindow)
        return form

    return show


def named(form: QWidget, kind: type[W], name: str) -> W:
    """Find the widget that assistive programs call `name`."""
    found = [one for one in form.findChildren(kind) if one.accessibleName() == name]
    assert len(found) == 1, f"{len(found)} of {name}"
    return found[0]


def heading(form: QWidget, name: str) -> Section:
    return next(
        one for one in form.findChildren(Section) if one.toggleButton().accessibleName() == name
    )


def complaints(form: QWidget) -> list[str]:
    return [one.text() for one in form.findChildren(ComplaintLabel) if one.isVisible()]


def press(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def key(widget: QWidget, which: Qt.Key) -> None:
    QTest.keyClick(widget, which)  # type: ignore[call-overload]  # static, which the stubs deny


def keys(widget: QWidget, text: str) -> None:
    QTest.keyClicks(widget, text)  # type: ignore[call-arg, arg-type]


def write(box: NumberBox, text: str) -> None:
    box.setFocus()
    box.selectAll()
    keys(box, text)


def turned(widget: QWidget) -> bool:
    """Turn the wheel above a widget; return whether it took it, or Qt would ask its parent."""
    where = QPointF(widget.rect().center())
    event = QWheelEvent(
        where,
        QPointF(widget.mapToGlobal(where.toPoint())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_a_typed_number_stays_exact_and_moves_the_slider(opened: Opened) -> None:
    form = opened(Sample)
    box, slider = named(form, NumberBox, "Share"), named(form, PlaceSlider, "Share, slider")

    write(box, "0.123456789012345")
    key(box, Qt.Key.Key_Return)

    assert form.value().share == 0.123456789012345
    assert slider.value() == pytest.approx(0.123456789012345)
    assert box.text() == "0.123456789012345"


@pytest.mark.parametrize("which", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape])
def test_enter_and_escape_give_the_focus_back(opened: Opened, which: Qt.Key) -> None:
    form = opened(Sample)
    box = named(form, NumberBox, "Seed")
    box.setFocus()

    key(box, which)

    assert not isinstance(QApplication.focusWidget(), (QLineEdit, NumberBox))


def test_escape_brings_the_number_of_before_back(opened: Opened) -> None:
    form = opened(Sample)
    box = named(form, NumberBox, "Seed")
    write(box, "77")
    assert form.value().seed == 77

    key(box, Qt.Key.Key_Escape)

    assert form.value().seed == 3
    assert box.text() == "3"


def test_arrow_keys_step_a_number_to_its_bound(opened: Opened) -> None:
    form = opened(Sample, Sample(share=0.985))
    box = named(form, NumberBox, "Share")
    box.setFocus()

    seen = []
    for _ in range(3):
        key(box, Qt.Key.Key_Up)
        seen.append(form.value().share)

    assert seen == [0.995, 1.0, 1.0]


def test_arrow_keys_move_a_slider_whose_scale_is_logarithmic(opened: Opened) -> None:
    form = opened(Sample)
    slider = named(form, PlaceSlider, "Rate, slider")
    slider.setFocus()

    key(slider, Qt.Key.Key_Right)
    once = form.value().rate_hz
    for _ in range(100):
        key(slider, Qt.Key.Key_Left)

    assert 31 < once < 34
    assert 0 < form.value().rate_hz <= 0.01
    key(slider, Qt.Key.Key_End)
    assert form.value().rate_hz == 1000


def test_dragging_a_slider_changes_the_number_each_time_it_moves(opened: Opened) -> None:
    form = opened(Sample)
    slider = named(form, PlaceSlider, "Share, slider")
    seen: list[float] = []
    form.changed.connect(lambda: seen.append(form.value().share))

    for place in (0.5004, 0.6, 0.7123456):
        slider.setSliderPosition(place)

    assert seen == [0.6, 0.712]


def test_one_handle_of_a_pair_leaves_the_other_number_exact(opened: Opened) -> None:
    form = opened(Sample, Sample(span_c=(20.0001234, 40.0)))
    slider = form.findChild(SpanSlider)
    assert slider is not None

    slider.setSliderPosition(0.5, 1)

    assert form.value().span_c == (20.0001234, 25.0)


@pytest.mark.parametrize("kind", [NumberBox, PlaceSlider, ChoiceBox, SpanSlider])
def test_the_wheel_scrolls_the_page_and_changes_nothing(qtbot: QtBot, kind: type[QWidget]) -> None:
    area = QScrollArea()
    qtbot.addWidget(area)
    form = ModelForm(Sample)
    area.setWidget(form)
    area.setWidgetResizable(True)
    area.resize(500, 150)
    area.show()
    bar = area.verticalScrollBar()
    assert bar is not None
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    widget: QWidget | None = form.findChildren(kind)[-1]

    while widget is not None and not turned(widget):
        widget = widget.parentWidget()

    assert form.value() == Sample()
    assert bar.value() > 0


def test_a_number_out_of_bounds_is_complained_of_while_typing(opened: Opened) -> None:
    form = opened(Sample)
    box = named(form, NumberBox, "Rate")

    write(box, "5000")

    assert complaints(form) == ["Must be at most 1000 Hz."]
    assert form.problems() == {"rate_hz": "Must be at most 1000 Hz."}
    assert "Must be at most 1000 Hz." in box.accessibleDescription()
    with pytest.raises(ConfigError, match=r"“rate_hz”: Must be at most 1000 Hz; correct it"):
        form.value()
    key(box, Qt.Key.Key_Backspace)
    assert complaints(form) == []
    assert form.value().rate_hz == 500


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("Share", "0,5", "“0,5” is no number; write one with a point, such as 0.5."),
        ("Seed", "1.5", "“1.5” is no whole number; write one such as 12."),
        ("Seed", "-1", "Must be at least 0."),
        ("Rate", "0", "Must be more than 0 Hz."),
        ("Rate", "nan", "Must be a finite number."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    opened: Opened, field: str, text: str, sentence: str
) -> None:
    form = opened(Sample)

    write(named(form, NumberBox, field), text)

    assert complaints(form) == [sentence]


def test_an_emptied_field_asks_to_be_filled(opened: Opened) -> None:
    form = opened(Sample)
    box = named(form, NumberBox, "Seed")
    box.setFocus()
    box.selectAll()

    key(box, Qt.Key.Key_Delete)

    assert complaints(form) == ["Fill this in."]


def test_a_fresh_form_is_not_red_until_it_is_asked_for_its_value(opened: Opened) -> None:
    form = opened(Condition)
    name = form.problems()

    assert name == {"name": "Fill this in.", "duration_s": "Fill this in."}
    assert "Fill this in." not in complaints(form)[1:]
    with pytest.raises(ConfigError, match="Fill this in; correct it in the form"):
        form.value()
    assert complaints(form) == ["Fill this in.", "Fill this in."]


def test_a_switch_turns_an_optional_value_on_with_an_example(opened: Opened) -> None:
    form = opened(Sample)
    switch = named(form, Switch, "Set Emissivity")
    assert not named(form, NumberBox, "Emissivity").isVisible()

    press(switch)
    on = form.value().emissivity
    write(named(form, NumberBox, "Emissivity"), "0.9")
    press(switch)
    off = form.value().emissivity
    key(switch, Qt.Key.Key_Space)

    assert (on, off, form.value().emissivity) == (0.98, None, 0.9)


def test_yes_no_and_not_set_are_three_choices(opened: Opened) -> None:
    form = opened(Sample)
    box = named(form, ChoiceBox, "Shutter")
    seen = [(box.currentText(), form.value().shutter)]

    for _ in range(2):
        box.setFocus()
        key(box, Qt.Key.Key_Down)
        seen.append((box.currentText(), form.value().shutter))

    assert seen == [("Not set", None), ("On", True), ("Off", False)]


def test_another_kind_shows_its_own_fields_and_needs_them(opened: Opened) -> None:
    form = opened(Sample)
    press(heading(form, "Room").toggleButton())
    box = named(form, ChoiceBox, "Room, kind")
    box.setFocus()
    key(box, Qt.Key.Key_Down)

    assert box.currentText() == "cold"
    assert form.problems() == {"room.log": "Fill this in."}
    line = named(form, PathLine, "Log")
    keys(line, "room.csv")
    assert form.value().room == Cold(kind="cold", log=Path("room.csv"))
    box.setFocus()
    key(box, Qt.Key.Key_Up)
    assert form.value().room == Warm(kind="warm")


def test_a_file_is_chosen_or_dropped(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    form = opened(Cold, only=["log"])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/data/chosen.csv", ""))

    press(named(form, QPushButton, "Log, choose a file"))
    chosen = form.value().log
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile("/data/dropped.csv")])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        dropped,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    named(form, PathLine, "Log").dropEvent(event)

    assert chosen == Path("/data/chosen.csv")
    assert form.value().log == Path("/data/dropped.csv")


def test_rows_are_added_and_removed(opened: Opened) -> None:
    form = opened(Sample)
    add = named(form, QPushButton, "Add a row to Names")
    for name in ("left", "right"):
        press(add)
        line = QApplication.focusWidget()
        assert isinstance(line, QLineEdit)
        keys(line, name)
    both = form.value().names

    press(named(form, QPushButton, "Remove row 1 of Names"))
    press(add)

    assert both == ("left", "right")
    assert form.problems() == {"names.1": "Fill this in."}
    assert named(form, QLineEdit, "Names, row 1").text() == "right"


def test_rows_of_models_are_sections_of_their_own(opened: Opened) -> None:
    form = opened(Sample)
    form.focus_field("conditions")
    press(named(form, QPushButton, "Add a row to Conditions"))
    name = QApplication.focusWidget()
    assert isinstance(name, QPushButton)
    assert name.text() == "1 – 2 to correct"
    form.focus_field("conditions.0.name")
    line = QApplication.focusWidget()
    assert isinstance(line, QLineEdit)
    keys(line, "rest")
    write(named(form, NumberBox, "Duration"), "60")

    assert form.value().conditions == (Condition(name="rest", duration_s=60),)
    assert heading(form, "1 – rest").isExpanded()
    press(named(form, QPushButton, "Remove row 1 of Conditions"))
    assert form.value().conditions == ()


def test_names_and_values_stand_in_two_columns(opened: Opened) -> None:
    form = opened(Sample)
    add = named(form, QPushButton, "Add a row to Fields")
    for index in range(2):
        press(add)
        keys(named(form, QLineEdit, f"Fields, name {index + 1}"), "age")
        keys(named(form, QLineEdit, f"Fields, value {index + 1}"), str(30 + index))

    assert complaints(form) == ["Two rows have the same name; rename one."]
    keys(named(form, QLineEdit, "Fields, name 2"), "s")
    assert form.value().fields == {"age": "30", "ages": "31"}


def test_setting_a_value_is_one_change_and_the_same_value_none(opened: Opened) -> None:
    form = opened(Sample)
    other = Sample(rate_hz=9.0, share=0.1, names=("a",), emissivity=0.9, span_c=(1.0, 2.0))
    changes: list[Any] = []
    form.changed.connect(lambda: changes.append(form.value()))
    form.changed.connect(lambda: form.set_value(form.value()))

    form.set_value(other)
    form.set_value(other)

    assert changes == [other]


def test_setting_some_fields_leaves_what_is_entered_in_the_others(opened: Opened) -> None:
    form = opened(Sample)
    write(named(form, NumberBox, "Seed"), "-4")
    changes: list[dict[str, str]] = []
    form.changed.connect(lambda: changes.append(form.problems()))
    form.set_fields({"names": ("a",), "limits": Limits(low=0.25)})
    form.set_fields({"names": ("a",)})
    assert [change.keys() for change in changes] == [{"seed"}], "what does not fit stays as well"

    write(named(form, NumberBox, "Seed"), "4")
    assert form.value() == Sample(seed=4, names=("a",), limits=Limits(low=0.25))
    with pytest.raises(ValueError, match="Sample has no field “colour”"):
        form.set_fields({"colour": "red"})


def test_complaints_from_outside_stand_until_something_changes(opened: Opened) -> None:
    form = opened(Sample)

    form.set_complaints({"seed": "Nobody has this seed.", "": "The disk is full."})
    shown = complaints(form)
    write(named(form, NumberBox, "Seed"), "4")

    assert shown == ["The disk is full.", "Nobody has this seed."]
    assert complaints(form) == []
    assert form.problems() == {}


def test_what_is_wrong_inside_a_closed_section_is_said_in_its_heading(opened: Opened) -> None:
    form = opened(Sample)
    form.focus_field("limits.low")
    write(named(form, NumberBox, "Low"), "7")

    assert form.problems() == {"limits": "Low must not be above high; swap them."}
    assert complaints(form) == ["Low must not be above high; swap them."]
    section = heading(form, "Limits – 1 to correct")
    press(section.toggleButton())
    assert complaints(form) == []
    assert section.text() == "Limits – 1 to correct"


def test_a_section_with_a_switch_is_none_while_it_is_off(opened: Opened) -> None:
    form = opened(Sample)
    switch = named(form, Switch, "Set Second")

    press(switch)
    on = form.value().second
    press(switch)

    assert on == Limits()
    assert form.value().second is None
    assert not heading(form, "Second").isExpanded()


def test_a_closed_section_makes_no_widgets(opened: Opened) -> None:
    form = opened(TrainingConfig)
    closed = len(form.findChildren(FieldRow))

    form.focus_field("stream.height")

    assert closed == 1
    assert len(form.findChildren(FieldRow)) == 9


def test_fields_left_out_keep_their_values(opened: Opened) -> None:
    given = Sample(seed=8, share=0.25, limits=Limits(low=-1.0))
    form = opened(Sample, given, leave_out=["share", "limits.low"])

    write(named(form, NumberBox, "Seed"), "9")
    form.focus_field("limits.high")

    assert form.value() == given.model_copy(update={"seed": 9})
    assert not [row for row in form.findChildren(QLabel) if row.text() in ("Share", "Low")]
    with pytest.raises(ValueError, match="shows no field “share”"):
        form.focus_field("share")


def test_an_unknown_field_to_leave_out_is_refused(qtbot: QtBot) -> None:
    with pytest.raises(ValueError, match="Sample has no field “sede”"):
        ModelForm(Sample, leave_out=["sede"])


def test_a_type_without_a_widget_is_refused_by_name(qtbot: QtBot) -> None:
    class Odd(BaseModel):
        when: complex = 0j

    with pytest.raises(TypeError, match=r"Odd\.when: there is no widget for"):
        ModelForm(Odd)


def test_tab_goes_from_top_to_bottom_through_sections_opened_late(
    qtbot: QtBot, opened: Opened
) -> None:
    form = opened(Sample)
    form.focus_field("limits.high")
    form.focus_field("room.room_c")
    press(named(form, QPushButton, "Add a row to Names"))
    form.resize(700, 1400)
    qtbot.waitUntil(lambda: heading(form, "Limits").isVisible())
    named(form, PlaceSlider, "Rate, slider").setFocus()
    walked = []
    while (stop := QApplication.focusWidget()) is not None and stop not in walked:
        walked.append(stop)
        QApplication.processEvents()
        key(stop, Qt.Key.Key_Tab)

    seen = [stop for stop in form._editor.stops() if stop.isVisible() and stop.isEnabled()]
    assert [stop.accessibleName() for stop in walked] == [stop.accessibleName() for stop in seen]
    places = [stop.mapTo(form, QPoint(0, stop.height() // 2)) for stop in walked]
    rows = [place.y() for place in places]
    assert all(later >= earlier - 12 for earlier, later in pairwise(rows))


def test_labels_say_names_in_words_with_the_unit_beside(opened: Opened) -> None:
    form = opened(Sample)
    texts = [label.text() for label in form.findChildren(QLabel)]

    assert {"Rate", "Hz", "Span", "°C", "What to remember"} <= set(texts)
    assert not {"rate_hz", "Rate hz"} & set(texts)


def test_tool_tips_are_the_docstrings(opened: Opened) -> None:
    form = opened(Sample)
    row = next(one for one in form.findChildren(FieldRow) if one.editor.findChildren(NumberBox))

    assert row.editor.toolTip() == "<qt>Frames per second; see <i>loop</i>.</qt>"


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
@pytest.mark.parametrize("model", [Sample, TiAugConfig, TrainingConfig])
def test_large_text_fits_a_narrow_column_with_labels_above(
    qtbot: QtBot, qapp: QApplication, model: type[BaseModel], theme: Any
) -> None:
    before = qapp.font(), qapp.palette()
    wear(qapp, theme, 1.61)
    form: ModelForm[Any] = ModelForm(model)
    qtbot.addWidget(form)
    form.resize(320, 600)
    form.show()
    for section in form.findChildren(Section):
        if section.value() is not None:
            section.expand(animate=False)
    row = form.findChildren(FieldRow)[0]
    label = row.findChild(QLabel)

    try:
        assert label is not None
        qtbot.waitUntil(lambda: row.editor.y() >= label.y() + label.height())
        assert form.minimumSizeHint().width() <= 300
        form.resize(1100, 600)
        qtbot.waitUntil(lambda: row.editor.x() >= label.x() + label.width())
    finally:
        qapp.setStyleSheet("")
        qapp.setFont(before[0])
        qapp.setPalette(before[1])
