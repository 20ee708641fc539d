"""What a form is given, it gives back: model → form → TOML → model is the identity."""

import tomllib
import types
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pytestqt.qtbot import QtBot

from thermoseg.cameras import installed_drivers, load_driver
from thermoseg.config import Settings
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.study_file import Condition, StudyFile
from trainer.config import TrainingConfig
from trainer.degradation import DegradationConfig
from trainer.tiaug import TiAugConfig
from ui.form_parts.frames import Section
from ui.forms import ModelForm

MODELS: list[type[BaseModel]] = [
    *(load_driver(entry).Options for entry in installed_drivers().values()),
    Settings,
    DegradationConfig,
    TiAugConfig,
    StudyFile,
    TrainingConfig,
]
"""Every model that a form is made of."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

VALID: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("SimulatedOptions", "fault"): st.sampled_from(["", "unplug@5s+2s", "stall@12s"]),
    ("SimulatedOptions", "loop_s"): st.sampled_from([0.0, 0.25]),
    ("StudyFile", "name"): st.sampled_from(["rest", "Ruhe und Rechnen"]),
    ("StudyFile", "span_c"): st.sampled_from([None, (20.0, 38.5)]),
    ("StudyFile", "rois"): st.lists(
        st.sampled_from(["cheek", "tip"]), min_size=1, max_size=2, unique=True
    ).map(lambda names: tuple(DrawnRoi.spot(name, 3, 4) for name in names)),
    ("StudyFile", "markers"): st.just(("on", "off")),
    ("StudyFile", "conditions"): st.just((Condition(name="rest", duration_s=60.5),)),
    ("StudyFile", "fields"): st.just(("age", "room")),
    ("StudyFile", "required"): st.sampled_from([("age",), ("task", "room")]),
    ("GigeOptions", "ip"): st.sampled_from(["", "192.168.0.7"]),
    ("FolderConfig", "subject"): st.sampled_from([None, "^(s[0-9]+)_"]),
    ("FolderConfig", "validation_subjects"): st.just(()),
    ("ThermalFaceDbConfig", "validation_subjects"): st.lists(
        st.from_regex(r"\A[0-9]{3}\Z"), min_size=1, max_size=3
    ).map(tuple),
    ("ObjectiveConfig", "class_weights"): st.sampled_from([(), (0.1, 1.0, 2.0, 3.0, 0.0, 1e-9)]),
    ("ObjectiveConfig", "rmi"): st.floats(1e-6, 1e6),
    ("RunConfig", "minutes"): st.none(),
    ("RunConfig", "iterations"): st.integers(1, 10**9),
    ("RunConfig", "batch"): st.integers(2, 4096),
    ("ValidationConfig", "seed"): st.integers(2**63, 2**80),
}
"""Values of fields that a validator of ours looks at."""


def models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Draw valid models, numbers from all of their range."""
    fields = {
        name: VALID.get((model.__name__, name), values(info.annotation, [info, *info.metadata]))
        for name, info in model.model_fields.items()
    }
    whole = st.fixed_dictionaries(fields).map(partial(_validated, model))
    return whole.filter(lambda value: value is not None)


def _validated(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel | None:
    """Return the model, or None for a film that memory cannot hold."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        if [part["loc"] for part in error.errors()] != [("loop_s",)]:
            raise
        return None


def values(annotation: Any, marks: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Draw values of a type within its bounds."""
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return values(arguments[0], [*marks, *arguments[1:]])
        case origin if origin in (Union, types.UnionType):
            return st.one_of(*(values(one, marks) for one in arguments))
        case origin if origin is Literal:
            return st.sampled_from(arguments)
        case origin if origin is tuple and arguments[-1] is Ellipsis:
            return st.lists(values(arguments[0], []), min_size=1, max_size=3).map(tuple)
        case origin if origin is tuple:
            ordered: Any = tuple if len(arguments) != 2 else lambda pair: tuple(sorted(pair))
            return st.tuples(*(values(one, []) for one in arguments)).map(ordered)
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is str:
        return TEXTS
    if annotation is Path:
        return st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(Path)
    if issubclass(annotation, BaseModel):
        return models(annotation)
    low, high, exclude_low, exclude_high = bounds(marks)
    if annotation is int:
        return st.integers(
            None if low is None else low + exclude_low,
            None if high is None else high - exclude_high,
        )
    return st.floats(
        low,
        high,
        exclude_min=exclude_low,
        exclude_max=exclude_high,
        allow_nan=False,
        allow_infinity=False,
    )


def bounds(marks: Sequence[Any]) -> tuple[Any, Any, bool, bool]:
    """Return least and greatest value, and whether each is excluded."""
    flat = [m for mark in marks for m in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    low: Any = None
    high: Any = None
    exclude_low = exclude_high = False
    for mark in flat:
        match mark:
            case annotated_types.Ge(bound):
                low = bound
            case annotated_types.Gt(bound):
                low, exclude_low = bound, True
            case annotated_types.Le(bound):
                high = bound
            case annotated_types.Lt(bound):
                high, exclude_high = bound, True
    return low, high, exclude_low, exclude_high


def open_all(form: ModelForm[Any]) -> None:
    """Open every section, so that every value is in a widget."""
    while closed := [
        section
        for section in form.findChildren(Section)
        if not section.isExpanded() and section.value() is not None
    ]:
        for section in closed:
            section.expand(animate=False)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_comes_back_from_form_and_toml_as_it_was(
    qtbot: QtBot, model: type[BaseModel]
) -> None:
    form = ModelForm(model)
    qtbot.addWidget(form)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(models(model))
    def check(value: BaseModel) -> None:
        form.set_value(value)
        open_all(form)

        given_back = form.value()
        text = tomli_w.dumps(given_back.model_dump(mode="json", exclude_none=True))

        assert given_back == value
        assert repr(given_back) == repr(value)
        assert model.model_validate(tomllib.loads(text)) == value

    check()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_form_without_a_value_shows_the_defaults(qtbot: QtBot, model: type[BaseModel]) -> None:
    if any(info.is_required() for info in model.model_fields.values()):
        pytest.skip("has fields without a default")
    form = ModelForm(model)
    qtbot.addWidget(form)
    open_all(form)

    assert form.value() == model()
    assert form.problems() == {}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_none_can_be_written_by_leaving_it_away(model: type[BaseModel]) -> None:
    for name, info in model.model_fields.items():
        if type(None) in get_args(info.annotation):
            assert info.default is None, f"{name}: TOML has no None"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_docstring_and_every_stop_of_tab_a_name(
    qtbot: QtBot, model: type[BaseModel]
) -> None:
    form = ModelForm(model)
    qtbot.addWidget(form)
    open_all(form)

    stops = form._editor.stops()

    assert [name for name, info in model.model_fields.items() if not info.description] == []
    assert [stop for stop in stops if not stop.accessibleName()] == []
