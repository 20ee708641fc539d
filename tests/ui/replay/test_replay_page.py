"""The replay page as a user meets it: by keys and clicks, with a list, exports and analyses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.session_parts import FaceSegmenter
from tests.ui.replay.conftest import FRAMES, RATE_HZ
from thermoseg.analysis import list_analyses
from thermoseg.recording.listing import Soundness
from thermoseg.recording.reader import Recording
from ui.pages import PageOpener
from ui.replay.export_panel import FOLDER, ExportPanel
from ui.replay.exporting import ExportKind
from ui.replay.page import ReplayPage
from ui.replay.replay_state import ReplayState
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

Open = Callable[[Path], ReplayPage]
Key = Qt.Key


def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key where the focus is."""
    focus = QApplication.focusWidget()
    assert focus is not None
    QtBot.keyClick(focus, key, modifier)


def button(around: QWidget, text: str) -> QAbstractButton:
    """Return the button of this text or accessible name."""
    kinds: tuple[type[QAbstractButton], ...] = (QPushButton, QToolButton)
    found = [
        widget
        for kind in kinds
        for widget in around.findChildren(kind)
        if text in (widget.text(), widget.accessibleName())
    ]
    assert found, f"no button is called {text!r}"
    return found[0]


def click(widget: QWidget, at: QPoint | None = None) -> None:
    assert widget.isEnabled()
    place = {} if at is None else {"pos": at}
    QtBot.mouseClick(widget, Qt.MouseButton.LeftButton, **place)


def choose(page: ReplayPage, name: str) -> None:
    """Select the recording of this name in the list."""
    view = page.list.view
    model = view.model()
    assert model is not None
    for row in range(model.rowCount()):
        view.selectRow(row)
        chosen = page.list.chosen
        if chosen is not None and chosen.path.name == name:
            return
    pytest.fail(f"{name} is not in the list")


def set_kind(panel: ExportPanel, kind: ExportKind) -> None:
    """Choose a kind of export with the keyboard."""
    panel._kind.setFocus()
    kinds = list(ExportKind)
    steps = kinds.index(kind) - kinds.index(panel.kind)
    for _ in range(abs(steps)):
        press(Key.Key_Down if steps > 0 else Key.Key_Up)
    assert panel.kind is kind


def told(window: MainWindow, words: str) -> bool:
    return any(words in sentence for sentence in window.notices.sentences)


# Keys.


def test_the_keys_of_the_page_go_where_they_say(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    page.setFocus()
    controller, shift = page.controller, Qt.KeyboardModifier.ShiftModifier
    places = []
    for key, modifier in (
        (Key.Key_Right, None),
        (Key.Key_Right, shift),
        (Key.Key_Left, None),
        (Key.Key_End, None),
        (Key.Key_Left, shift),
        (Key.Key_Comma, None),
        (Key.Key_Home, None),
        (Key.Key_Period, None),
    ):
        press(key, modifier or Qt.KeyboardModifier.NoModifier)
        places.append(controller.index)

    assert places == [1, 11, 10, FRAMES - 1, FRAMES - 11, 25, 0, 10]


def test_a_stretch_is_selected_with_brackets(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    page.setFocus()
    for key in (Key.Key_Period, Key.Key_BracketLeft, Key.Key_Period, Key.Key_BracketRight):
        press(key)

    assert page.controller.selection == (10, 25)
    assert page.timeline.selection == pytest.approx((1.0, 2.5))


def test_space_plays_but_presses_the_button_that_has_the_focus(
    open_here: Open, talk: Path, qtbot: QtBot
) -> None:
    page = open_here(talk)
    page.setFocus()
    playing = []
    for _ in range(2):
        press(Key.Key_Space)
        playing.append(page.controller.playing)
    assert playing == [True, False]

    to_end = button(page.transport, "To the end")
    to_end.setFocus()
    press(Key.Key_Space)
    assert page.controller.index == FRAMES - 1
    assert not page.controller.playing


def test_letters_typed_into_a_field_are_no_keys_of_the_page(
    open_here: Open, talk: Path, qtbot: QtBot
) -> None:
    page = open_here(talk)
    page.pane.bar.findChildren(QAbstractSpinBox)[0].setFocus()
    press(Key.Key_Comma)
    press(Key.Key_Period)

    assert page.controller.index == 0


def test_the_buttons_do_what_the_keys_do(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    for name, expected in (("One frame on", 1), ("Next marker", 10), ("One frame back", 9)):
        click(button(page.transport, name))
        assert page.controller.index == expected


def test_clicking_the_timeline_goes_there(open_here: Open, talk: Path, qtbot: QtBot) -> None:
    page = open_here(talk)
    middle = QPoint(page.timeline.width() // 2, page.timeline.height() // 2)
    click(page.timeline, middle)

    expected_s = sum(page.timeline.shown) / 2
    assert page.controller.index == pytest.approx(expected_s * RATE_HZ, abs=1)


# What is seen.


def test_stored_masks_and_traces_are_seen_without_a_network(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    assert page.controller.tables is not None
    assert page.info.text.count("Made") == 1
    for part in ("32×24", "40 frames", "drawn on test", "40 recorded, 0 missed", "calm"):
        assert part in page.info.text, part


def test_a_damaged_frame_leaves_the_one_before_with_a_sentence(
    open_here: Open,
    talk: Path,
    qtbot: QtBot,
    damage: Callable[[Path, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage(talk, 1)
    page = open_here(talk)
    notes: list[str] = []
    monkeypatch.setattr(page.pane, "set_note", notes.append)
    page.setFocus()
    press(Key.Key_Right)
    qtbot.waitUntil(lambda: page.settled)

    assert page.controller.state is ReplayState.OPEN
    assert "damaged" in notes[-1]


def test_a_file_that_cannot_be_opened_says_so_and_leads_back_to_the_list(
    page: ReplayPage, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / f"{'long ' * 24}.h5"
    path.write_bytes(b"nothing")
    page.open(path)
    qtbot.waitUntil(lambda: page.controller.state is ReplayState.FAILED)
    assert page.state_page.isVisible()
    assert page.state_page.sentence.endswith(".")
    click(page.other)

    assert page.list.isVisible()


def test_a_file_that_vanishes_while_it_is_open_ends_nothing(
    open_here: Open, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(talk)
    talk.unlink()
    set_kind(page.export, ExportKind.TABLES)
    click(button(page.export, "Export"))
    qtbot.waitUntil(lambda: told(window, "talk.h5"), timeout=20_000)
    page.setFocus()
    press(Key.Key_End)
    qtbot.waitUntil(lambda: page.settled)

    assert page.controller.index == FRAMES - 1


def test_a_hidden_page_stands_still(open_here: Open, talk: Path, window: MainWindow) -> None:
    page = open_here(talk)
    page.controller.play()
    window.show_page(PageName.LIVE)

    assert not page.controller.playing
    assert not page.controller._timer.isActive()


# The list.


def test_the_list_says_what_there_is_and_opens_it_on_enter(
    page: ReplayPage, study: Path, qtbot: QtBot
) -> None:
    rows = {row.path.name: row for row in page.recordings.listed}
    assert set(rows) == {"talk.h5", "bare.h5", "traces.h5"}
    assert rows["talk.h5"].frames == FRAMES

    choose(page, "bare.h5")
    page.list.view.setFocus()
    press(Key.Key_Return)
    qtbot.waitUntil(lambda: page.controller.state is ReplayState.OPEN)
    assert page.controller.path == study / "bare.h5"


def test_the_list_is_sorted_by_what_is_clicked(page: ReplayPage) -> None:
    view = page.list.view
    column = next(
        number
        for number in range(11)
        if view.model().headerData(number, Qt.Orientation.Horizontal) == "File"  # type: ignore[union-attr]
    )
    orders = []
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        view.sortByColumn(column, order)
        model = view.model()
        assert model is not None
        orders.append([model.index(row, column).data() for row in range(model.rowCount())])

    assert orders[0] == ["bare.h5", "talk.h5", "traces.h5"]
    assert orders[1] == orders[0][::-1]


def test_a_crashed_recording_is_recovered_from_the_list(
    crashed: Path, page: ReplayPage, window: MainWindow, qtbot: QtBot
) -> None:
    before = crashed.read_bytes()
    choose(page, "crashed.h5")
    click(button(page.list, "Recover"))
    qtbot.waitUntil(lambda: told(window, "Recovered into crashed.recovered.h5"), timeout=30_000)
    qtbot.waitUntil(lambda: not page.recordings.looking)

    states = {row.path.name: row.soundness for row in page.recordings.listed}
    assert states["crashed.h5"] is Soundness.RECOVERED
    assert states["crashed.recovered.h5"] is Soundness.COMPLETE
    assert crashed.read_bytes() == before
    with Recording(crashed.with_name("crashed.recovered.h5")) as recovered:
        assert len(recovered) == FRAMES


def test_a_sound_recording_offers_no_recovery(page: ReplayPage) -> None:
    choose(page, "talk.h5")

    assert not button(page.list, "Recover").isEnabled()


def test_a_folder_that_went_is_said_in_place_of_the_list(
    page: ReplayPage, tmp_path: Path, qtbot: QtBot
) -> None:
    page.recordings.look_into(tmp_path / "gone")
    qtbot.waitUntil(lambda: not page.recordings.looking)

    assert "choose another folder" in page.recordings.problem
    assert page.list._empty.isVisible()


# Exports.


def test_the_selection_is_cut_and_the_cut_is_a_recording(
    open_here: Open, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(talk)
    set_kind(page.export, ExportKind.CUT)
    assert not button(page.export, "Export").isEnabled()
    page.controller.select((10, 19))
    click(button(page.export, "Export"))
    qtbot.waitUntil(lambda: told(window, "Exported talk_6-6.9s.h5"), timeout=30_000)

    with Recording(talk.with_name("talk_6-6.9s.h5")) as cut:
        assert cut.indices.tolist() == list(range(10, 20))


def test_a_selection_is_what_tables_hold_and_nothing_is_overwritten(
    open_here: Open, talk: Path, qtbot: QtBot
) -> None:
    page = open_here(talk)
    set_kind(page.export, ExportKind.TABLES)
    page.controller.select((10, 19))
    for _ in range(2):
        click(button(page.export, "Export"))
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=40_000)

    for stem in ("talk_6-6.9s", "talk_6-6.9s-2"):
        rows = talk.with_name(f"{stem}_frames.csv").read_text().splitlines()
        assert [row.partition(",")[0] for row in rows[1:]] == [f"{n}" for n in range(10, 20)]
        described = talk.with_name(f"{stem}_session.json").read_text()
        assert '"session": "talk.h5"' in described
    assert not [path for path in talk.parent.iterdir() if path.name.startswith(".")]


def test_a_cancelled_export_leaves_nothing_and_the_next_one_follows(
    open_here: Open, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(talk)
    before = set(talk.parent.iterdir())
    set_kind(page.export, ExportKind.VIDEO)
    click(button(page.export, "Export"))
    click(button(page.export, "Cancel"))
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=20_000)
    assert set(talk.parent.iterdir()) == before
    assert not window.notices.sentences

    set_kind(page.export, ExportKind.FRAME)
    click(button(page.export, "Export"))
    qtbot.waitUntil(lambda: told(window, "Exported talk_frame-000000.csv"), timeout=20_000)


def test_closing_the_window_ends_an_export_without_half_a_file(
    open_here: Open, talk: Path, window: MainWindow
) -> None:
    page = open_here(talk)
    before = set(talk.parent.iterdir())
    set_kind(page.export, ExportKind.TIFF)
    page.export.export()
    page.export.export()
    window.end()

    # What was done before the window closed is whole; what was not has left nothing.
    new = {path.name for path in set(talk.parent.iterdir()) - before}
    assert new <= {"talk.tif", "talk-2.tif"}


def test_a_folder_that_cannot_be_written_is_said(
    open_here: Open, talk: Path, tmp_path: Path, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(talk)
    (tmp_path / "file").write_text("in the way")
    window.preferences.set(FOLDER, str(tmp_path / "file" / "exports"))
    set_kind(page.export, ExportKind.FRAME)
    click(button(page.export, "Export"))
    qtbot.waitUntil(lambda: told(window, "choose another folder"), timeout=20_000)


def test_foreign_files_are_shown_and_say_why_they_are_not_exported(
    page: ReplayPage, test_data: Path, qtbot: QtBot
) -> None:
    page.open(test_data / "cases" / "last_frame_cut.seq")
    qtbot.waitUntil(lambda: page.settled, timeout=20_000)

    assert page.controller.state is ReplayState.OPEN
    assert not button(page.export, "Export").isEnabled()
    assert "Only recordings" in page.export._stretch.text()


# Analyses.


@pytest.fixture
def drawn_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model see the same face, a degree away from nobody's."""
    monkeypatch.setattr(
        PageOpener, "load_segmenter", lambda *_: FaceSegmenter(name="another model")
    )


@pytest.mark.usefixtures("drawn_model")
def test_an_analysis_is_made_shown_and_compared_and_the_stored_one_comes_back(
    open_here: Open, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(talk)
    page.controller.seek(12)
    page.analyses_panel._models.insertItem(0, "another", "another")
    page.analyses_panel._models.setCurrentIndex(0)
    page.analyses_panel._show_possible()
    click(button(page.analyses_panel, "Analyse again"))
    qtbot.waitUntil(lambda: told(window, "Analysed 40 frames"), timeout=30_000)
    qtbot.waitUntil(lambda: page.settled and len(page.analyses.entries) == 1, timeout=20_000)

    (made,) = list_analyses(talk)
    seen = [page.analyses.shown]
    assert page.controller.index == 12
    assert page.plots._store.stored
    assert "another model" in page.analyses.entries[0].title

    results = page.analyses_panel._results
    results.setFocus()
    press(Key.Key_Up)
    qtbot.waitUntil(lambda: page.settled)
    seen.append(page.analyses.shown)
    assert seen == [made, None]
    assert not page.plots._store.stored
    assert page.controller.index == 12


def test_what_cannot_be_analysed_says_why(open_here: Open, study: Path) -> None:
    page = open_here(study / "traces.h5")

    assert not button(page.analyses_panel, "Analyse again").isEnabled()
    assert "pictures" in page.analyses_panel._note.text()


def test_a_damaged_analysis_is_said_and_the_stored_masks_stay(
    open_here: Open, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    bad = talk.with_name("talk.analysis-1.h5")
    bad.write_bytes(b"nothing")
    page = open_here(talk)
    qtbot.waitUntil(lambda: len(page.analyses.entries) == 1)
    page.analyses.show(bad)
    qtbot.waitUntil(lambda: told(window, bad.name))
    qtbot.waitUntil(lambda: page.settled)

    assert page.analyses.shown is None
    assert page.controller.shown is not None
    assert page.controller.shown.labels is not None


# Everybody.


def test_every_widget_that_tab_reaches_has_a_name(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    parts: list[QWidget] = [page.transport, page.side]
    page.show_list()
    parts.append(page.list)
    nameless = [
        widget
        for part in parts
        for widget in part.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(widget, QAbstractSpinBox | QLineEdit)
        and widget.isVisibleTo(part)
        and not (widget.accessibleName() or getattr(widget, "text", str)())
    ]

    assert not nameless


def test_a_closed_section_is_no_stop_of_tab(open_here: Open, talk: Path) -> None:
    page = open_here(talk)
    seen = []
    for _ in range(2):
        click(page.side.sections["Export"].toggleButton())
        seen.append(page.export.isVisible())

    assert seen == [False, True]
