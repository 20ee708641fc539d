"""The timeline of a recording is clicked, dragged, zoomed, and read by those who do not see it."""

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.plots.conftest import (
    MakeWindow,
    click,
    drag_mouse,
    move_mouse,
    press_key,
    turn_wheel,
)
from ui.plots.gaps import Gap
from ui.plots.marks import PlotMarker
from ui.plots.timeline import Timeline
from ui.shell.theme import DARK

LENGTH_S = 3600.0


@pytest.fixture
def timeline(qtbot: QtBot, window: MakeWindow) -> Timeline:
    timeline = Timeline()
    timeline.set_theme(DARK, 1.0)
    timeline.resize(836, 60)  # 800 pixels for an hour: 4.5 s each
    qtbot.addWidget(timeline)
    timeline.show()
    qtbot.waitExposed(timeline)
    times = list(range(0, 3600, 2))
    timeline.show_recording(LENGTH_S, window(times, [34.0 + time / 3600 for time in times]))
    return timeline


def place(timeline: Timeline, time_s: float) -> QPoint:
    return QPoint(round(timeline._x(time_s)), 30)


def test_a_click_goes_there(qtbot: QtBot, timeline: Timeline) -> None:
    with qtbot.waitSignal(timeline.position_changed) as moved:
        click(qtbot, timeline, place(timeline, 900))

    assert moved.args == [pytest.approx(900, abs=3)]
    assert timeline.position_s == pytest.approx(900, abs=3)


def test_a_drag_tells_where_it_ends_and_little_in_between(qtbot: QtBot, timeline: Timeline) -> None:
    told: list[float] = []
    timeline.position_changed.connect(told.append)
    drag_mouse(qtbot, timeline, place(timeline, 900), place(timeline, 2700))

    assert told[0] == pytest.approx(900, abs=3)
    assert told[-1] == pytest.approx(2700, abs=3)
    assert len(told) <= 3


def test_while_one_drags_the_player_does_not_pull_it_back(qtbot: QtBot, timeline: Timeline) -> None:
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=place(timeline, 900))
    timeline.set_position(0)
    assert timeline.position_s == pytest.approx(900, abs=3)

    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=place(timeline, 900))
    timeline.set_position(1000)
    assert timeline.position_s == 1000


def test_a_drag_beyond_the_end_stays_in_the_recording(qtbot: QtBot, timeline: Timeline) -> None:
    drag_mouse(qtbot, timeline, place(timeline, 900), QPoint(2000, 30))
    assert timeline.position_s == LENGTH_S

    drag_mouse(qtbot, timeline, place(timeline, 900), QPoint(-500, 30))
    assert timeline.position_s == 0


def test_the_ends_of_a_selection_are_dragged(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_selection((600, 1200))
    with qtbot.assertNotEmitted(timeline.position_changed):
        drag_mouse(qtbot, timeline, place(timeline, 600), place(timeline, 300))
        with qtbot.waitSignal(timeline.selection_changed) as changed:
            drag_mouse(qtbot, timeline, place(timeline, 1200), place(timeline, 1800))

    assert changed.args is not None
    assert timeline.selection == pytest.approx((300, 1800), abs=3)


def test_an_end_cannot_pass_the_other(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_selection((600, 1200))
    drag_mouse(qtbot, timeline, place(timeline, 600), place(timeline, 3000))

    assert timeline.selection == (1200, 1200)


def test_keys_zoom_and_page(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_position(1800)
    press_key(qtbot, timeline, Qt.Key.Key_PageDown)
    assert timeline.position_s == 1800 + 360
    press_key(qtbot, timeline, Qt.Key.Key_PageUp)
    assert timeline.position_s == 1800

    press_key(qtbot, timeline, Qt.Key.Key_Plus)
    begin_s, end_s = timeline.shown
    assert end_s - begin_s == pytest.approx(3600 / 1.25)
    assert begin_s < 1800 < end_s
    press_key(qtbot, timeline, Qt.Key.Key_0)
    assert timeline.shown == (0, 3600)


@pytest.mark.parametrize(
    "key", [Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_Space, Qt.Key.Key_Comma]
)
def test_the_keys_of_the_page_are_left_to_it(qtbot: QtBot, timeline: Timeline, key: Qt.Key) -> None:
    reached: list[int] = []

    class Page(QWidget):
        def keyPressEvent(self, event: object) -> None:  # noqa: N802
            reached.append(key.value)

    page = Page()
    qtbot.addWidget(page)
    QVBoxLayout(page).addWidget(timeline)
    press_key(qtbot, timeline, key)
    timeline.setParent(None)

    assert reached == [key.value]


def test_the_wheel_zooms_around_the_pointer(timeline: Timeline) -> None:
    turn_wheel(timeline, place(timeline, 1800), 4)

    begin_s, end_s = timeline.shown
    assert end_s - begin_s == pytest.approx(3600 / 1.25**4)
    assert (begin_s + end_s) / 2 == pytest.approx(1800, abs=10)
    turn_wheel(timeline, place(timeline, 1800), -20)
    assert timeline.shown == (0, 3600)


def test_a_zoomed_timeline_follows_the_played_moment(timeline: Timeline) -> None:
    turn_wheel(timeline, place(timeline, 10), 12)
    timeline.set_position(3000)

    begin_s, end_s = timeline.shown
    assert begin_s <= 3000 <= end_s


def test_a_moment_is_described(timeline: Timeline, window: MakeWindow) -> None:
    bands = [Gap(100, 200, ""), Gap(200, 210, "shutter")]
    timeline.show_recording(LENGTH_S, None, bands, wall_offset_s=1_000_000_000)
    timeline.set_markers([PlotMarker(150, "cough"), PlotMarker(1000, "rest", "condition", 500)])

    assert timeline.describe(150).startswith("2:30.0 · ")
    assert timeline.describe(150).endswith("49:10 · cough · no samples")
    assert timeline.describe(205).endswith("shutter")
    assert timeline.describe(1200).endswith("rest")


def test_the_gaps_of_the_trace_are_its_bands(timeline: Timeline, window: MakeWindow) -> None:
    times = [*range(100), *range(200, 300)]
    timeline.show_recording(300, window(times, [34.0] * 200))

    assert timeline.describe(150).endswith("no samples")
    assert timeline.describe(50) == "0:50.0"


def test_the_pointer_shows_a_moment_and_leaves_it(timeline: Timeline) -> None:
    before = timeline.grab().toImage()
    move_mouse(timeline, place(timeline, 1800))

    assert timeline.grab().toImage() != before
    assert timeline.cursor().shape() == Qt.CursorShape.PointingHandCursor


def test_it_says_where_it_is_to_those_who_do_not_see_it(timeline: Timeline) -> None:
    timeline.set_position(65.25)

    assert timeline.accessibleName() == "Timeline of the recording"
    assert timeline.accessibleDescription().startswith("1:05.2 of 1:00:00.0")


def test_without_a_recording_nothing_happens(qtbot: QtBot) -> None:
    timeline = Timeline()
    timeline.set_theme(DARK, 1.0)
    qtbot.addWidget(timeline)
    timeline.show()
    with qtbot.assertNotEmitted(timeline.position_changed):
        click(qtbot, timeline)
        press_key(qtbot, timeline, Qt.Key.Key_PageDown)
        turn_wheel(timeline, QPoint(50, 30), 2)
        timeline.set_position(3)

    assert timeline.accessibleDescription() == "" or "Open" in timeline.accessibleDescription()


def test_a_recording_without_length_is_shown(timeline: Timeline) -> None:
    timeline.show_recording(0.0)
    timeline.set_position(0.0)
    timeline.grab()

    assert timeline.shown == (0, 5)


def test_tab_reaches_the_timeline(qtbot: QtBot, timeline: Timeline) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    field = QLineEdit()
    layout = QVBoxLayout(page)
    layout.addWidget(field)
    layout.addWidget(timeline)
    page.show()
    field.setFocus()
    press_key(qtbot, field, Qt.Key.Key_Tab)

    assert page.focusWidget() is timeline
    timeline.setParent(None)
