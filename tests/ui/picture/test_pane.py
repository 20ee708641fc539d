"""The pane as both pages use it: settings, keys, freezing, values of one moment."""

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor, QPixmap
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.picture.conftest import HANDS, HEIGHT, WIDTH, MakeContent, sample_of
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.palettes import ALARM
from ui.picture.pane import PicturePane
from ui.picture.span import SpanMode
from ui.picture.units import Unit
from ui.shell.theme import DARK


@pytest.fixture
def pane(qtbot: QtBot) -> PicturePane:
    pane = PicturePane()
    qtbot.addWidget(pane)
    pane.set_theme(DARK, 1.0)
    pane.resize(1000, 800)
    pane.show()
    qtbot.waitExposed(pane)
    return pane


def field(pane: PicturePane, name: str) -> QDoubleSpinBox:
    (found,) = (f for f in pane.findChildren(QDoubleSpinBox) if f.accessibleName() == name)
    return found


def value_of(pane: PicturePane, region: str) -> str:
    return pane.legend._rows[region]._value.text()


def test_freezing_keeps_picture_mask_and_values_of_one_moment(
    pane: PicturePane, make_content: MakeContent
) -> None:
    first = make_content(30, masked=True, means={"nose": 33.0})
    pane.show_content(first)
    pane.show_content(replace(first, samples={"nose": sample_of("nose", 33.5)}))

    pane.actions_by_name["freeze"].trigger()
    assert pane.view.badges.text("frozen") == "Frozen"
    assert value_of(pane, "nose") == "33.50"
    pane.show_content(make_content(35, means={"nose": 36.0}, behind_s=0.5))

    shown = pane.view.content
    assert shown is not None
    assert shown.frame is first.frame
    assert shown.labels is first.labels
    assert value_of(pane, "nose") == "33.50"
    assert pane.view.badges.text("behind") == ""
    pane.actions_by_name["freeze"].trigger()
    assert value_of(pane, "nose") == "36.00"
    assert pane.view.content is not None
    assert pane.view.content.frame is not first.frame


def test_looks_can_be_changed_while_frozen(pane: PicturePane, make_content: MakeContent) -> None:
    first = make_content(30, means={"nose": 33.0})
    pane.show_content(first)
    pane.set_frozen(True)

    pane.actions_by_name["palette"].trigger()
    pane.actions_by_name.units.actions()[1].trigger()

    assert pane.settings.palette == "Inferno"
    assert value_of(pane, "nose") == "91.40"
    assert pane.view.content is first


def test_values_come_at_most_four_times_a_second_and_the_last_one_always(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    for step in range(10):
        pane.show_content(make_content(30, means={"nose": 30.0 + step}))

    qtbot.waitUntil(lambda: value_of(pane, "nose") == "39.00")


@pytest.mark.parametrize("key", ["M", "O", "F", "P", "L", "S"])
def test_letters_are_for_the_picture(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot, key: str
) -> None:
    pane.show_content(make_content())
    pane.view.setFocus()
    before = (pane.state, pane.frozen, pane.span.mode)

    HANDS.keyClick(pane.view, getattr(Qt.Key, f"Key_{key}"))

    assert (pane.state, pane.frozen, pane.span.mode) != before


def test_text_fields_keep_their_letters(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.show_content(make_content())
    pane.view.add_spot()
    (name,) = pane.legend.findChildren(QLineEdit)
    name.setFocus()
    name.selectAll()
    before = pane.state, pane.frozen

    HANDS.keyClicks(name, "mofpl")

    assert name.text() == "mofpl"
    assert (pane.state, pane.frozen) == before


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_number_field_gives_the_keyboard_back(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot, key: Qt.Key
) -> None:
    pane.show_content(make_content(30))
    high = field(pane, "Temperature of the last colour")
    high.setFocus()
    high.selectAll()
    HANDS.keyClicks(high, "39")

    HANDS.keyClick(high, key)

    assert pane.view.hasFocus()
    assert (pane.settings.span_mode is SpanMode.HAND) is (key == Qt.Key.Key_Return)
    HANDS.keyClick(pane.view, Qt.Key.Key_M)
    assert not pane.settings.mask


def test_typed_limits_are_in_the_unit_shown(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.actions_by_name.units.actions()[1].trigger()
    pane.show_content(make_content(30))
    low, high = (field(pane, f"Temperature of the {end} colour") for end in ("first", "last"))

    for box, text in ((low, "86"), (high, "95")):
        box.setFocus()
        box.selectAll()
        HANDS.keyClicks(box, text)
        HANDS.keyClick(box, Qt.Key.Key_Return)

    assert pane.settings.unit is Unit.FAHRENHEIT
    assert pane.settings.span_c == pytest.approx((30.0, 35.0))


def test_limits_in_the_wrong_order_change_nothing(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.show_content(make_content(30))
    high = field(pane, "Temperature of the last colour")
    before = high.value()
    high.setFocus()
    high.selectAll()
    HANDS.keyClicks(high, "-200")
    HANDS.keyClick(high, Qt.Key.Key_Return)

    assert pane.span.mode is SpanMode.FACE
    assert high.value() == before


def test_counts_are_never_negative_nor_beyond_their_pixels(
    pane: PicturePane, make_content: MakeContent
) -> None:
    counts = np.full((HEIGHT, WIDTH), 3, np.uint16)
    counts[16:40, 16:48] = 180
    counts[30:40] += 60
    pane.show_content(make_content(counts=counts, masked=True))

    low, high = pane._span_c
    assert low >= 0
    assert high <= 255
    box = field(pane, "Temperature of the first colour")
    assert (box.minimum(), box.maximum(), box.decimals()) == (0, 255, 0)


def test_a_region_is_switched_in_the_legend_and_stays_so(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.show_content(make_content(masked=True))
    (nose,) = (b for b in pane.legend.findChildren(QAbstractButton) if b.text() == "Nose")

    with qtbot.waitSignal(pane.settings_changed):
        nose.click()

    assert pane.state["hidden"] == ["nose"]
    other = PicturePane()
    qtbot.addWidget(other)
    other.restore(pane.state)
    assert other.settings == pane.settings


def test_drawn_regions_are_in_the_legend_with_their_value(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.restore_drawn((DrawnRoi.spot("tip", 0.5, 0.5), DrawnRoi(name="cheek", outline_px=SQUARE)))
    pane.show_content(make_content(30, means={"cheek": 33.33}))

    assert value_of(pane, "tip") == "31.00"
    assert value_of(pane, "cheek") == "33.33"


def test_a_drawn_region_is_renamed_and_deleted_in_the_legend(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.show_content(make_content())
    pane.restore_drawn((DrawnRoi(name="cheek", outline_px=SQUARE),))
    (name,) = pane.legend.findChildren(QLineEdit)
    name.setFocus()
    name.selectAll()
    HANDS.keyClicks(name, "nose")
    HANDS.keyClick(name, Qt.Key.Key_Return)
    assert name.text() == "cheek"
    assert "choose another name" in pane.legend._complaint.text()

    name.setFocus()
    name.selectAll()
    HANDS.keyClicks(name, "left_cheek")
    with qtbot.waitSignal(pane.rois_changed):
        HANDS.keyClick(name, Qt.Key.Key_Return)
    assert [roi.name for roi in pane.drawn] == ["left_cheek"]
    assert pane.legend._complaint.isHidden()
    delete = pane.legend._rows["left_cheek"]._delete
    assert delete is not None
    delete.click()

    assert pane.drawn == ()
    assert "left_cheek" not in pane.legend._rows


SQUARE = ((10.0, 20.0), (30.0, 20.0), (30.0, 32.0), (10.0, 32.0))


def test_nonsense_in_memory_is_the_default(pane: PicturePane, make_content: MakeContent) -> None:
    pane.restore({"palette": 7, "span_mode": "HAND", "span_c": [3], "opacity": "45", "hidden": {}})
    pane.show_content(make_content())

    assert pane.settings.palette == "Iron"
    assert pane.settings.opacity == 0.45


def test_limits_set_by_hand_are_remembered(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.bar.span_chosen.emit(30.0, 36.0)
    other = PicturePane()
    qtbot.addWidget(other)
    other.restore(pane.state)
    for _ in range(2):  # a source, and another one
        other.clear()
        other.show_content(make_content())
        assert other._span_c == (30.0, 36.0)


def test_limits_of_counts_are_no_temperatures_and_not_remembered(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.show_content(make_content(counts=np.full((HEIGHT, WIDTH), 100, np.uint16)))
    pane.bar.span_chosen.emit(50.0, 150.0)
    assert pane._span_c == (50.0, 150.0)
    pane.clear()
    pane.show_content(make_content(30))

    assert pane._span_c[1] < 40
    assert pane.settings.span_c is None


def test_temperatures_set_by_hand_are_not_forced_on_counts(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.bar.span_chosen.emit(30.0, 36.0)
    pane.clear()
    pane.show_content(make_content(counts=np.full((HEIGHT, WIDTH), 100, np.uint16)))

    assert pane._span_c[0] < 100 < pane._span_c[1]


def test_locking_holds_the_colours_and_unlocking_follows_again(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.show_content(make_content(30))
    before = pane._span_c
    pane.actions_by_name["lock_span"].trigger()
    pane.show_content(make_content(38, time_s=60))
    assert pane._span_c == before

    pane.actions_by_name["lock_span"].trigger()

    assert pane._span_c[0] > before[1]


def test_the_isotherm_is_off_at_first_and_its_fields_set_it(
    pane: PicturePane, make_content: MakeContent, qtbot: QtBot
) -> None:
    pane.show_content(make_content(30))
    high = field(pane, "Upper end of the isotherm")
    assert high.isHidden()
    pane.actions_by_name["isotherm"].trigger()
    high.setFocus()
    high.selectAll()
    HANDS.keyClicks(high, "39.5")
    HANDS.keyClick(high, Qt.Key.Key_Return)

    assert pane.settings.isotherm_c == (36.0, 39.5)
    assert pane.view.hasFocus()


def test_no_tint_changes_the_colour_of_the_isotherm(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.show_content(make_content(37, masked=True))
    pane.actions_by_name["isotherm"].trigger()
    pane.actions_by_name["outlines"].trigger()
    QApplication.processEvents()

    image = pane.view.grab().toImage()
    place = pane.view.mapFromScene(pane.view._box.mapViewToScene(QPointF(32, 38)))
    assert QColor(image.pixel(place)).getRgb()[:3] == ALARM
    assert not pane.actions_by_name["mask"].isEnabled()


def test_the_isotherm_of_counts_lies_among_the_counts(
    pane: PicturePane, make_content: MakeContent
) -> None:
    counts = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    pane.show_content(make_content(counts=counts))
    pane.actions_by_name["isotherm"].trigger()
    low, high = (field(pane, f"{end} end of the isotherm").value() for end in ("Lower", "Upper"))

    assert 0 < low < high < 255
    pane.bar.isotherm_chosen.emit(10.0, 20.0)
    assert field(pane, "Upper end of the isotherm").value() == 20
    assert pane.settings.isotherm_c == (36.0, 38.0)


def test_another_source_thaws_and_forgets(pane: PicturePane, make_content: MakeContent) -> None:
    pane.show_content(make_content(30, means={"nose": 30.0}))
    pane.set_frozen(True)

    pane.clear()

    assert not pane.frozen
    assert value_of(pane, "nose") == "—"
    assert pane.view.badges.text("frozen") == ""


def test_a_photograph_is_offered_only_where_there_is_one(pane: PicturePane) -> None:
    assert not pane.actions_by_name["photo"].isVisible()
    pane.set_photograph(QPixmap(64, 48))

    assert pane.actions_by_name["photo"].isVisible()


def test_every_widget_that_takes_the_focus_has_a_name(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.show_content(make_content())
    pane.view.add_spot()
    pane.actions_by_name["isotherm"].trigger()
    kinds = (QAbstractButton, QAbstractSlider, QComboBox, QDoubleSpinBox, QLineEdit)
    focused = [
        widget
        for widget in pane.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and (isinstance(widget, kinds) or widget is pane.view)
        and not widget.objectName().startswith("qt_")
        and widget.focusProxy() is None
    ]

    assert len(focused) > 20
    assert [widget for widget in focused if not widget.accessibleName()] == []


def test_tab_goes_from_picture_to_scale_to_buttons_to_legend(
    pane: PicturePane, make_content: MakeContent
) -> None:
    pane.show_content(make_content())
    rooms: list[QWidget] = [pane.view, pane.bar, pane.tools, pane.legend]
    met: list[QWidget] = []
    widget: QWidget | None = pane.view
    for _ in range(200):
        room = next((r for r in rooms if widget is r or r.isAncestorOf(widget)), None)
        if room is not None and room not in met:
            met.append(room)
        widget = None if widget is None else widget.nextInFocusChain()
        if widget is pane.view:
            break

    assert met == rooms


def test_nothing_is_cut_where_text_is_large(
    pane: PicturePane, make_content: MakeContent, qapp: QApplication
) -> None:
    pane.show_content(make_content(means={"nose": 33.0}))
    pane.set_theme(DARK, 1.61)
    pane.resize(700, 620)
    QApplication.processEvents()

    for row in pane.legend._rows.values():
        assert row._switch.width() >= row._switch.sizeHint().width()
        assert row._value.text() in ("—", "33.00")
