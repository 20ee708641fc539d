"""Live traces, traces of recordings and compared ones, as somebody sees and uses them."""

import csv
import re
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QFontMetricsF, QImage
from PyQt6.QtWidgets import QApplication, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.plots.conftest import (
    Feed,
    MakeWindow,
    click,
    drag_mouse,
    move_mouse,
    press_key,
    turn_wheel,
)
from thermoseg.traces import Traces
from ui.plots.marks import Band, PlotMarker
from ui.plots.traces import TracePlots
from ui.shell.theme import DARK, LIGHT, Theme

FACE = {"nostrils": 34.0, "nostril_left": 33.5, "nostril_right": 34.5, "perinasal": 35.0}


@pytest.fixture
def plots(qtbot: QtBot) -> TracePlots:
    plots = TracePlots()
    plots.set_theme(DARK, 1.0)
    plots.resize(900, 420)
    qtbot.addWidget(plots)
    plots.show()
    qtbot.waitExposed(plots)
    return plots


@pytest.fixture
def traces(feed: Feed) -> Traces:
    traces = Traces()
    feed(traces, 0, 100, FACE)
    return traces


def said(plots: TracePlots) -> dict[str, tuple[str, str]]:
    return {name: (row.text, row.reason) for name, row in plots._readouts.rows.items()}


def curve(plots: TracePlots, region: str, plot: int = 0) -> tuple[list[float], list[float]]:
    """What is drawn of a trace."""
    (drawn,) = (
        item for (_, name), item in plots._board.plots[plot].curves.items() if name == region
    )
    times, values = drawn.getData()
    return list(times), list(values)


def shown(plots: TracePlots) -> tuple[float, float]:
    (left, right), _ = plots._board.plots[0].box.viewRange()
    return round(left, 3), round(right, 3)


def place(plots: TracePlots, time_s: float) -> QPoint:
    """Where in the board a moment is."""
    board = plots._board
    box = board.plots[0].box.sceneBoundingRect()
    begin_s, end_s = shown(plots)
    x = box.left() + (time_s - begin_s) / (end_s - begin_s) * box.width()
    return QPoint(board.mapFromScene(QPointF(x, box.center().y())))


def point(plots: TracePlots, time_s: float) -> None:
    move_mouse(plots._board.viewport(), place(plots, time_s))


def drag(qtbot: QtBot, plots: TracePlots, from_s: float, to_s: float) -> None:
    viewport = plots._board.viewport()
    begin, end = place(plots, from_s), place(plots, to_s)
    drag_mouse(qtbot, viewport, begin, end)


def choose_length(qtbot: QtBot, plots: TracePlots, name: str) -> None:
    combo = plots._tools.length
    combo.setFocus()
    combo.setCurrentIndex(combo.findText(name))
    combo.activated.emit(combo.currentIndex())


def tab_stops(plots: QWidget) -> list[QWidget]:
    stops, widget = [], plots.nextInFocusChain()
    while widget is not None and widget is not plots:
        takes_tab = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        if takes_tab and plots.isAncestorOf(widget) and widget.isVisible():
            stops.append(widget)
        widget = widget.nextInFocusChain()
    return stops


# Live.


def test_without_samples_there_is_one_sentence_and_no_tab_stop(plots: TracePlots) -> None:
    visible = [label.text() for label in plots.findChildren(QLabel) if label.isVisible()]

    assert visible == ["Traces appear here as soon as a face is measured."]
    assert tab_stops(plots) == []


def test_every_tab_stop_has_a_name_and_the_plots_are_none(
    plots: TracePlots, traces: Traces
) -> None:
    plots.show_live(traces, 99.9)

    names = [stop.accessibleName() for stop in tab_stops(plots)]
    assert names == [
        *("Earlier", "Later", "Stretch of time that is shown", "Now"),
        "Save the plots as a picture (PNG)…",
        "Save the values that are shown as a table (CSV)…",
        *("Nostril, left: shown", "Nostril, right: shown"),
        *("Nostrils, mean: shown", "Perinasal: shown"),
    ]


def test_live_traces_end_now_and_show_the_newest_values(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)

    assert shown(plots) == (39.9, 99.9)
    assert said(plots) == {
        "nostrils": ("34.00 °C", ""),
        "nostril_left": ("33.50 °C", ""),
        "nostril_right": ("34.50 °C", ""),
        "perinasal": ("35.00 °C", ""),
    }
    assert plots._readouts.said_moment == "now"


def test_what_comes_later_is_added(plots: TracePlots, traces: Traces, feed: Feed) -> None:
    plots.show_live(traces, 99.9)
    feed(traces, 100, 101, FACE | {"nostrils": 36.0})
    plots.show_live(traces, 100.9)

    assert said(plots)["nostrils"] == ("36.00 °C", "")
    times, values = curve(plots, "nostrils")
    assert times[-1] == pytest.approx(100.9)
    assert values[-1] == 36


def test_an_untrusted_value_is_a_dash_with_its_reason(
    plots: TracePlots, traces: Traces, feed: Feed
) -> None:
    feed(traces, 100, 101, FACE, "motion")
    plots.show_live(traces, 100.9)

    assert said(plots)["nostrils"] == ("—", "motion")


def test_a_held_value_says_so(plots: TracePlots, traces: Traces, feed: Feed) -> None:
    feed(traces, 100, 101, FACE, "held")
    plots.show_live(traces, 100.9)

    assert said(plots)["perinasal"] == ("35.00 °C", "held")


def test_an_old_value_is_not_the_one_of_now(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    plots.set_absent("camera lost")
    plots.show_live(traces, 103)

    assert said(plots)["nostrils"] == ("—", "camera lost")
    assert Band.MISSING.value in plots._legend.names


def test_no_breathing_rate_is_invented(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)

    words = [label.text() for label in plots._readouts.findChildren(QLabel)]
    assert "Breathing rate" in words
    assert "no breathing rate in this version" in words
    assert not any(re.search(r"\d", word) for word in words[words.index("Breathing rate") :][:3])


def test_eighty_seconds_without_samples_are_a_grey_gap_and_not_joined(
    plots: TracePlots, traces: Traces, feed: Feed
) -> None:
    feed(traces, 180, 190, FACE)
    plots.restore({"length_s": 120})
    plots.show_live(traces, 189.9)

    for region, plot in (("nostrils", 0), ("perinasal", 1)):
        times, values = curve(plots, region, plot)
        (hole,) = np.flatnonzero(np.isnan(values))
        assert times[hole - 1] <= 99.9
        assert times[hole + 1] >= 180
    assert plots._legend.names == ("no samples",)
    (gap,) = plots._board.plots[0].marks.gaps
    assert (gap.begin_s, gap.end_s) == pytest.approx((99.9, 180))


def test_a_closed_shutter_and_what_is_not_trusted_are_told_apart(
    plots: TracePlots, traces: Traces, feed: Feed
) -> None:
    feed(traces, 100, 102, FACE, "shutter")
    feed(traces, 102, 104, FACE)
    feed(traces, 104, 106, FACE, "lost")
    feed(traces, 106, 107, FACE)
    plots.show_live(traces, 106.9)

    assert set(plots._legend.names) == {"shutter closed", "not trusted"}
    point(plots, 101)
    assert said(plots)["nostrils"] == ("—", "shutter")
    point(plots, 105)
    assert said(plots)["nostrils"] == ("—", "lost")


def test_a_restarted_source_starts_anew(plots: TracePlots, traces: Traces, feed: Feed) -> None:
    plots.show_live(traces, 99.9)
    feed(traces, 0, 2, FACE | {"nostrils": 30.0})
    plots.show_live(traces, 1.9)

    assert said(plots)["nostrils"] == ("30.00 °C", "")
    times, _ = curve(plots, "nostrils")
    assert max(times) <= 1.9


def test_drawn_regions_have_a_plot_and_rows_of_their_own(
    plots: TracePlots, traces: Traces, feed: Feed
) -> None:
    plots.show_live(traces, 99.9)
    assert [plot.marks.title for plot in plots._board.plots] == ["Nostrils", "Perinasal"]

    plots.set_rois(["forehead"])
    feed(traces, 100, 101, FACE | {"forehead": 33.25})
    plots.show_live(traces, 100.9)

    assert plots._board.plots[2].marks.title == "Drawn regions"
    assert said(plots)["forehead"] == ("33.25 °C", "")
    plots.set_rois([])
    assert "forehead" not in said(plots)


def test_clear_leaves_nothing_of_another_moment(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    plots.clear("Start a camera to see traces.")

    visible = [label.text() for label in plots.findChildren(QLabel) if label.isVisible()]
    assert visible == ["Start a camera to see traces."]
    plots.show_live(Traces(), 0.0)
    assert not plots._board.isVisible()


# Time.


def test_panning_pauses_and_now_follows_again(
    qtbot: QtBot, plots: TracePlots, traces: Traces, feed: Feed
) -> None:
    plots.show_live(traces, 99.9)
    drag(qtbot, plots, 60, 80)

    assert shown(plots) == pytest.approx((19.9, 79.9), abs=0.3)
    assert plots._tools.state == "paused"
    before = shown(plots)
    feed(traces, 100, 110, FACE)
    plots.show_live(traces, 109.9)
    assert shown(plots) == before

    click(qtbot, plots._tools.follow)
    assert shown(plots) == (49.9, 109.9)
    assert plots._tools.state == ""


def test_the_keyboard_pans_pauses_and_follows(
    qtbot: QtBot, plots: TracePlots, traces: Traces
) -> None:
    plots.show_live(traces, 99.9)
    for button, expected in (
        (plots._tools.earlier, (9.9, 69.9)),
        (plots._tools.later, (39.9, 99.9)),
        (plots._tools.follow, (39.9, 99.9)),
    ):
        button.setFocus()
        press_key(qtbot, button, Qt.Key.Key_Space)
        assert shown(plots) == expected
    assert plots._tools.state == ""
    press_key(qtbot, plots._tools.follow, Qt.Key.Key_Space)
    assert plots._tools.state == "paused"


@pytest.mark.parametrize(
    ("name", "expected"), [("5 s", (94.9, 99.9)), ("2 min", (-20.1, 99.9)), ("Whole", (0, 99.9))]
)
def test_any_length_can_be_chosen(
    qtbot: QtBot, plots: TracePlots, traces: Traces, name: str, expected: tuple[float, float]
) -> None:
    plots.show_live(traces, 99.9)
    choose_length(qtbot, plots, name)

    assert shown(plots) == expected


def test_the_wheel_zooms_around_the_pointer(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    plots._tools.follow.click()
    turn_wheel(plots._board.viewport(), place(plots, 69.9), 1)

    assert shown(plots) == pytest.approx((45.9, 93.9), abs=0.2)
    assert plots._tools.length.currentIndex() == -1
    assert plots._tools.length.placeholderText() == "48 s"


def test_the_wheel_reaches_the_whole(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    turn_wheel(plots._board.viewport(), place(plots, 69.9), -10)

    assert plots._tools.length.currentText() == "Whole"
    assert plots._tools.state == ""


def test_the_value_under_the_pointer_is_shown_for_all_curves(
    plots: TracePlots, window: MakeWindow
) -> None:
    windows = {
        "nostrils": window([0, 1, 2, 3], [33, 34, 35, 36]),
        "perinasal": window([0, 1, 2, 3], [30, nan, 31, 32]),
    }
    plots.show_recorded(windows, 3, wall_offset_s=1_000_000_000)
    point(plots, 1.2)

    assert said(plots)["nostrils"] == ("34.00 °C", "")
    assert said(plots)["perinasal"] == ("—", "lost")
    assert said(plots)["nostril_left"] == ("—", "no samples")
    assert re.fullmatch(r"0:01\.2 · 1\.2 s · \d\d:46:41", plots._readouts.said_moment)
    QApplication.sendEvent(plots._board, QEvent(QEvent.Type.Leave))
    assert not plots._readouts.said_moment.startswith("0:01.2")


# Switches and units.


def test_a_trace_is_switched_off_and_on(qtbot: QtBot, plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    button = plots._readouts.rows["perinasal"].button
    click(qtbot, button)

    assert [plot.marks.title for plot in plots._board.plots] == ["Nostrils"]
    assert button.accessibleName() == "Perinasal: hidden"
    button.setFocus()
    press_key(qtbot, button, Qt.Key.Key_Space)
    assert len(plots._board.plots) == 2


def test_with_everything_off_a_sentence_says_what_to_do(plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    for row in plots._readouts.rows.values():
        row.button.click()

    assert not plots._board.isVisible()
    assert plots._nothing.isVisible()
    plots._readouts.rows["nostrils"].button.click()
    assert plots._board.isVisible()


@pytest.mark.parametrize(
    ("to_unit", "text"),
    [
        (lambda celsius: (celsius * 1.8 + 32, "°F"), "93.20 °F"),
        (lambda celsius: (celsius + 273.15, "K"), "307.15 K"),
    ],
)
def test_other_units(
    plots: TracePlots, traces: Traces, to_unit: Callable[[float], tuple[float, str]], text: str
) -> None:
    plots.show_live(traces, 99.9)
    plots.set_unit(to_unit)

    assert said(plots)["nostrils"] == (text, "")
    _, values = curve(plots, "nostrils")
    assert values[0] == pytest.approx(float(text.split()[0]), abs=0.01)
    low, high = plots._board.plots[0].range
    assert low < values[0] < high


def test_a_still_trace_does_not_fill_the_plot_with_noise(
    plots: TracePlots, window: MakeWindow
) -> None:
    times = np.arange(0, 10, 0.1)
    still = window(list(times), list(34 + 0.001 * np.sin(times)))
    plots.show_recorded({"nostrils": still, "perinasal": still}, 10)

    low, high = plots._board.plots[1].range
    assert high - low >= 0.5


def test_the_temperature_axis_does_not_dance(plots: TracePlots, feed: Feed) -> None:
    traces, ranges = Traces(), set()
    for second in range(60):
        feed(traces, second, second + 1, FACE | {"perinasal": 35 + 0.1 * (second % 2)})
        plots.show_live(traces, second + 0.9)
        if second > 2:
            ranges.add(plots._board.plots[1].range)

    assert len(ranges) == 1


# Recordings.


def test_a_recording_shows_the_played_moment_and_is_clicked(
    qtbot: QtBot, plots: TracePlots, window: MakeWindow
) -> None:
    times = list(np.arange(0, 100, 0.5))
    plots.show_recorded({"nostrils": window(times, [30 + t / 100 for t in times])}, 100)
    plots.set_cursor(50)

    assert said(plots)["nostrils"] == ("30.50 °C", "")
    assert plots._tools.follow.text() == "Follow"
    assert shown(plots) == (44, 100) or shown(plots)[0] <= 50 <= shown(plots)[1]
    with qtbot.waitSignal(plots.time_clicked) as clicked:
        click(qtbot, plots._board.viewport(), place(plots, 80))
    assert clicked.args == [pytest.approx(80, abs=0.2)]


def test_a_drag_is_no_click(qtbot: QtBot, plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    with qtbot.assertNotEmitted(plots.time_clicked):
        drag(qtbot, plots, 60, 80)


def test_a_live_session_takes_the_place_of_a_recording(
    plots: TracePlots, traces: Traces, window: MakeWindow
) -> None:
    plots.show_recorded({"nostrils": window([500, 501], [20, 20])}, 501)
    plots.set_cursor(500.5)
    plots.show_live(traces, 99.9)

    assert shown(plots) == (39.9, 99.9)
    assert said(plots)["nostrils"] == ("34.00 °C", "")


def test_a_recording_without_traces_says_so(plots: TracePlots) -> None:
    plots.show_recorded({}, 100)

    assert not plots._board.isVisible()


def test_two_analyses_and_their_difference(plots: TracePlots, window: MakeWindow) -> None:
    stored = {"nostrils": window([0, 1, 2], [33, 34, 35]), "perinasal": window([0], [30])}
    new = {"nostrils": window([0, 1, 2], [33.5, 34.25, nan]), "perinasal": window([0], [30])}
    plots.set_compared(new, stored, 2)
    plots.set_cursor(1)

    titles = [plot.marks.title for plot in plots._board.plots]
    assert titles == ["Nostrils", "Perinasal", "New − stored"]
    _, differences = curve(plots, "nostrils", plot=2)
    assert differences == pytest.approx([0.5, 0.25, nan], nan_ok=True)
    row = plots._readouts.rows["nostrils"]
    assert (row.text, row.difference) == ("34.25 °C", "+0.25 K")
    point(plots, 2)
    assert (row.text, row.difference) == ("—", "—")
    assert {"stored", "new"} <= set(plots._legend.names)
    plots.show_recorded(new, 2)
    assert row.difference == ""


# Markers.


def test_marker_names_do_not_overlap_and_lines_stand_at_their_times(
    plots: TracePlots, traces: Traces
) -> None:
    plots.show_live(traces, 99.9)
    plots.set_markers([PlotMarker(50.0 + k / 10, f"marker number {k}") for k in range(30)])
    plots.grab()

    assert len(plots._board.moment.markers) == 30
    assert 1 <= len(plots._board.lane.shown) <= 4
    assert plots._board.lane.shown[0] == "marker number 0"


def test_markers_out_of_sight_are_not_drawn(plots: TracePlots, traces: Traces) -> None:
    plots.set_markers([PlotMarker(1, "early")])
    plots.show_live(traces, 99.9)
    plots.set_markers([PlotMarker(1, "early"), PlotMarker(60, "rest", "condition", 20)])

    assert [marker.label for marker in plots._board.moment.markers] == ["rest"]
    assert "condition" in plots._legend.names


# Remembered.


def test_the_state_comes_back(qtbot: QtBot, plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    choose_length(qtbot, plots, "30 s")
    with qtbot.waitSignal(plots.state_changed):
        plots._readouts.rows["nostril_left"].button.click()
    state = plots.state()
    assert state == {"length_s": 30, "hidden": ["nostril_left"], "follows": True}

    again = TracePlots()
    qtbot.addWidget(again)
    again.restore(state)
    assert again.state() == state
    again.show_live(traces, 99.9)
    assert not again._readouts.rows["nostril_left"].button.isChecked()


@pytest.mark.parametrize(
    "nonsense",
    [
        {"length_s": "forty", "hidden": "nostrils", "follows": "no"},
        {"length_s": -1, "hidden": [1, 2], "follows": 3},
        {"length_s": inf, "hidden": None, "follows": None},
        {"length_s": nan},
        {"length_s": True},
        {},
    ],
)
def test_unfit_values_leave_what_is_there(plots: TracePlots, nonsense: dict[str, object]) -> None:
    plots.restore({"length_s": 300, "hidden": ["perinasal"], "follows": True})
    plots.restore(nonsense)

    assert plots.state() == {"length_s": 300, "hidden": ["perinasal"], "follows": True}


def test_one_unfit_value_does_not_cost_the_others(plots: TracePlots) -> None:
    plots.restore({"length_s": "forty", "hidden": ["nostrils"], "follows": False})

    assert plots.state() == {"length_s": 60, "hidden": ["nostrils"], "follows": False}


# Saved.


def test_the_table_holds_what_is_seen(
    plots: TracePlots, window: MakeWindow, tmp_path: Path
) -> None:
    plots.set_rois(["left cheek, drawn"])
    windows = {
        "nostrils": window([0, 1, 2, 60], [33, 34, nan, 36]),
        "perinasal": window([0, 1], [30, 31]),
        "left cheek, drawn": window([0.5, 1], [32.123456, 32]),
    }
    plots.restore({"length_s": 5, "hidden": ["perinasal", "nostril_left", "nostril_right"]})
    plots.show_recorded(windows, 60, wall_offset_s=1_000_000_000)
    plots.save_table(tmp_path / "seen.csv")

    with (tmp_path / "seen.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["time_s", "wall_time", "nostrils (°C)", "left cheek, drawn (°C)"],
        ["0.000000", "2001-09-09T01:46:40.000+00:00", "33.0000", ""],
        ["0.500000", "2001-09-09T01:46:40.500+00:00", "", "32.1235"],
        ["1.000000", "2001-09-09T01:46:41.000+00:00", "34.0000", "32.0000"],
        ["2.000000", "2001-09-09T01:46:42.000+00:00", "", ""],
    ]


def test_the_table_of_compared_traces_has_both_and_the_difference(
    plots: TracePlots, window: MakeWindow, tmp_path: Path
) -> None:
    plots.restore({"hidden": ["perinasal", "nostril_left", "nostril_right"]})
    plots.set_unit(lambda celsius: (celsius * 1.8 + 32, "°F"))
    plots.set_compared({"nostrils": window([0], [35])}, {"nostrils": window([0], [34])}, 1)
    plots.save_table(tmp_path / "seen.csv")

    assert (tmp_path / "seen.csv").read_text(encoding="utf-8").split("\n")[:2] == [
        "time_s,nostrils (°F),nostrils stored (°F),nostrils difference (°F)",
        "0.000000,95.0000,93.2000,1.8000",
    ]


def test_the_picture_is_written_whole_with_both_clocks(
    plots: TracePlots, traces: Traces, tmp_path: Path
) -> None:
    plots.show_live(traces, 99.9, 1_000_000_000)
    plots.save_picture(tmp_path / "seen.png")

    image = QImage(str(tmp_path / "seen.png"))
    assert image.width() > 1500
    colours = {
        image.pixelColor(x, y).name()
        for x in range(0, image.width(), 2)
        for y in range(0, image.height(), 2)
    }
    assert {"#4cc9f0", "#ff7ac6", DARK.card} <= colours


def test_a_folder_that_is_not_there_is_told_and_leaves_nothing(
    plots: TracePlots, traces: Traces, tmp_path: Path
) -> None:
    plots.show_live(traces, 99.9)
    for save in (plots.save_picture, plots.save_table):
        with pytest.raises(OSError, match="gone"):
            save(tmp_path / "gone" / "file")
    assert list(tmp_path.iterdir()) == []


def test_saving_is_asked_for_by_buttons(qtbot: QtBot, plots: TracePlots, traces: Traces) -> None:
    plots.show_live(traces, 99.9)
    for button, signal in (
        (plots._tools.picture, plots.picture_asked),
        (plots._tools.table, plots.table_asked),
    ):
        with qtbot.waitSignal(signal):
            click(qtbot, button)


# Looks.


@pytest.mark.parametrize("scale", [1.0, 1.61])
def test_no_tick_label_is_cut(
    worn: Callable[[Theme, float], None], plots: TracePlots, traces: Traces, scale: float
) -> None:
    worn(LIGHT, scale)
    plots.set_theme(LIGHT, scale)
    plots.show_live(traces, 99.9)
    plots.grab()

    metrics = QFontMetricsF(plots._look.font)
    board = plots._board
    left = board.plots[0].box.sceneBoundingRect().left()
    assert board.times.shown
    for at, text in board.times.shown:
        half = metrics.horizontalAdvance(text) / 2
        assert left + at - half >= 0
        assert left + at + half <= board.width()
    for plot in board.plots:
        assert len(plot.labels.shown) >= 2
        for at, _ in plot.labels.shown:
            top = plot.box.sceneBoundingRect().top() + at - metrics.height() / 2
            assert top >= 0
            assert top + metrics.height() <= board.height()


def test_plots_of_three_hundred_pixels_show_everything(
    qtbot: QtBot, worn: Callable[[Theme, float], None], plots: TracePlots, traces: Traces
) -> None:
    worn(DARK, 1.0)
    plots.resize(620, 300)
    plots.show_live(traces, 99.9)
    plots.grab()

    assert plots.height() == 300
    boxes = [plot.box for plot in plots._board.plots]
    qtbot.waitUntil(lambda: all(box.height() >= 50 for box in boxes))
    bar = plots._side.verticalScrollBar()
    assert bar is not None
    assert bar.maximum() == 0
    buttons = [row.button for row in plots._readouts.rows.values()]
    assert all(isinstance(button, QToolButton) and button.isVisible() for button in buttons)
