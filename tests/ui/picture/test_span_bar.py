"""The scale shows the span in the user's unit and never offers what cannot be."""

import pytest
from PyQt6.QtWidgets import QComboBox, QDoubleSpinBox
from pytestqt.qtbot import QtBot

from ui.picture.span import SpanMode
from ui.picture.span_bar import SpanBar
from ui.picture.units import Unit
from ui.shell.theme import DARK


@pytest.fixture
def bar(qtbot: QtBot) -> SpanBar:
    bar = SpanBar()
    qtbot.addWidget(bar)
    bar.set_theme(DARK, 1.0)
    bar.set_palette("Iron")
    bar.resize(92, 400)
    bar.show()
    return bar


def field(bar: SpanBar, name: str) -> QDoubleSpinBox:
    (found,) = (f for f in bar.findChildren(QDoubleSpinBox) if f.accessibleName() == name)
    return found


@pytest.mark.parametrize(
    ("unit", "low", "high"),
    [(Unit.CELSIUS, 30, 35), (Unit.FAHRENHEIT, 86, 95), (Unit.KELVIN, 303.15, 308.15)],
)
def test_limits_are_in_the_unit(bar: SpanBar, unit: Unit, low: float, high: float) -> None:
    bar.show_span((30.0, 35.0), SpanMode.FACE, unit)

    assert field(bar, "Temperature of the first colour").value() == pytest.approx(low, abs=0.06)
    assert field(bar, "Temperature of the last colour").value() == pytest.approx(high, abs=0.06)


def test_showing_is_no_choice_of_the_user(bar: SpanBar) -> None:
    told: list[object] = []
    bar.span_chosen.connect(lambda *span: told.append(span))
    bar.isotherm_chosen.connect(lambda *band: told.append(band))

    bar.set_isotherm((33.0, 34.0))
    for unit in Unit:
        bar.show_span((30.0, 35.0), SpanMode.SCENE, unit, (0.0, 255.0))
    bar.show_span((10.0, 12.0), SpanMode.SCENE, Unit.CELSIUS)

    assert not told


def test_the_scale_of_counts_ends_where_counts_end(bar: SpanBar) -> None:
    bar.show_span((0.0, 250.0), SpanMode.FACE, Unit.COUNTS, (0.0, 255.0))

    assert bar._slider.minimum() == 0
    assert bar._slider.maximum() == 255


def test_the_scale_stands_still_while_the_span_moves_a_little(bar: SpanBar) -> None:
    bar.show_span((30.0, 35.0), SpanMode.FACE, Unit.CELSIUS)
    before = bar._slider.minimum(), bar._slider.maximum()
    for step in range(10):
        bar.show_span((30.0 + 0.05 * step, 35.0), SpanMode.FACE, Unit.CELSIUS)
        assert (bar._slider.minimum(), bar._slider.maximum()) == before


def test_dragging_the_slider_chooses_limits_in_celsius(bar: SpanBar, qtbot: QtBot) -> None:
    bar.show_span((30.0, 35.0), SpanMode.FACE, Unit.FAHRENHEIT)

    with qtbot.waitSignal(bar.span_chosen) as told:
        bar._slider.setValue((31.0, 34.0))

    assert told.args == [31.0, 34.0]


def test_each_source_of_limits_can_be_chosen(bar: SpanBar, qtbot: QtBot) -> None:
    bar.show_span((30.0, 35.0), SpanMode.FACE, Unit.CELSIUS)
    modes = bar.findChild(QComboBox)
    assert modes is not None

    for place, mode in enumerate(SpanMode):
        with qtbot.waitSignal(bar.mode_chosen) as told:
            modes.activated.emit(place)
        assert told.args == [mode]
