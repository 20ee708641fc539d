"""Everything fits on a small screen, long names and large text move nothing, pages leave none."""

import gc
import threading
from pathlib import Path

import pytest
from PyQt6.QtCore import QEvent, QPoint, QRect, QTimer
from PyQt6.QtWidgets import QAbstractScrollArea, QApplication, QSplitter, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import LIVE_ADDRESS, Hands, MakeWindow
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.study_file import StudyFile, write_study
from ui.live.page import LivePage
from ui.pages import PAGES
from ui.shell.notices import Severity
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

SMALL = (1280, 660)
"""1280×720 less a frame and a panel."""
LARGE_TEXT = 1.61
LONG_WORD = "observation" * 10


def place_of(widget: QWidget, window: QWidget) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def outside(window: MainWindow) -> list[str]:
    """List what can be seen in part only, save what scrolls."""
    room = window.rect()
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or widget.isWindow() or scrolls(widget):
            continue
        place = place_of(widget, window)
        if not room.contains(place):
            found.append(f"{type(widget).__name__} “{widget.accessibleName()}” at {place}")
    return found


def scrolls(widget: QWidget) -> bool:
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QAbstractScrollArea):
            return True
        around = around.parentWidget()
    return False


@pytest.fixture(params=[1.0, LARGE_TEXT], ids=["normal text", "text 161 %"])
def small(hands: Hands, request: pytest.FixtureRequest) -> Hands:
    """A window on a small screen."""
    hands.window.look.zoom_to(request.param)
    hands.window.resize(*SMALL)
    settle()
    return hands


def settle() -> None:
    for _ in range(5):
        QApplication.processEvents()


@pytest.mark.parametrize("page", list(PAGES), ids=str)
def test_all_of_a_page_is_inside_a_small_screen(small: Hands, page: PageName) -> None:
    small.window.show_page(page)
    settle()

    assert (small.window.width(), small.window.height()) == SMALL
    assert outside(small.window) == []


def test_all_is_inside_while_it_records_with_three_long_notices(small: Hands) -> None:
    small.open_camera()
    small.record()
    for number in range(3):
        small.window.notices.tell(f"{number} things went wrong. " * 6, Severity.WARNING)
    settle()

    assert (small.window.width(), small.window.height()) == SMALL
    assert outside(small.window) == []


def test_notices_never_cover_the_picture(small: Hands) -> None:
    small.open_camera()
    for number in range(3):
        small.window.notices.tell(f"{number} things went wrong. " * 6, Severity.ERROR)
    settle()
    pane = place_of(small.live.pane, small.window)
    notices = place_of(small.window.notices, small.window)

    assert not pane.intersects(notices)
    assert pane.height() > 100


def sizes(window: MainWindow) -> list[list[int]]:
    return [each.sizes() for each in window.findChildren(QSplitter) if each.isVisible()]


def test_a_long_address_moves_nothing(small: Hands, tmp_path: Path) -> None:
    settle()
    before = sizes(small.window)
    address = str(tmp_path / ("participant-" * 25))
    small.live.source.set_address(address)
    settle()

    assert sizes(small.window) == before
    assert (small.window.width(), small.window.height()) == SMALL
    assert outside(small.window) == []
    assert small.live.source.address


def test_long_names_without_a_place_to_break_move_nothing(small: Hands, tmp_path: Path) -> None:
    small.open_camera()
    desk = small.live.desk
    folder = tmp_path / LONG_WORD
    folder.mkdir()
    write_study(
        folder,
        StudyFile(
            name=LONG_WORD[:60],
            markers=(LONG_WORD[:60],),
            fields=(LONG_WORD[:60],),
            rois=(DrawnRoi.spot(LONG_WORD[:32], 3, 4),),
        ),
    )
    settle()
    before = sizes(small.window)
    desk.study.record_into(folder)
    settle()
    assert sizes(small.window) == before

    desk.study.open(folder)
    small.wait(lambda: desk.study.study is not None)
    for field, value in (("participant", LONG_WORD[:40]), ("session", "01"), ("task", "rest")):
        desk.study.set_field(field, value)
    small.record()
    desk.mark(1)
    settle()
    assert sizes(small.window)[0] == before[0], "across; notices take their room from the rest"
    assert outside(small.window) == []


def test_an_address_longer_than_any_name_is_told(qtbot: QtBot, make_window: MakeWindow) -> None:
    hands = Hands(qtbot, make_window())
    hands.window.open_address("simulated" * 40)
    hands.wait(lambda: hands.window.failure)

    assert "is not a camera address" in hands.window.failure


def test_a_user_that_is_nobody_is_no_crash(hands: Hands) -> None:
    hands.live.source.set_address("~nobody-of-this-name/recording.h5")

    assert "nobody" in hands.live.source.address


def test_the_first_window_fits_the_screen(make_window: MakeWindow) -> None:
    window = make_window()
    screen = window.screen()
    assert screen is not None

    assert screen.availableGeometry().width() >= window.width()
    assert screen.availableGeometry().height() >= window.height()


# Pages come and go.


def things_of(window: MainWindow) -> dict[str, int]:
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    settle()
    gc.collect()
    timers = [each for each in window.findChildren(QTimer) if each.isActive()]
    return {
        "widgets": len(window.findChildren(QWidget)) + len(QApplication.topLevelWidgets()),
        "timers": len(timers),
        "threads": threading.active_count(),
    }


def test_pages_opened_a_hundred_times_leave_nothing_more(
    qtbot: QtBot, make_window: MakeWindow
) -> None:
    hands = Hands(qtbot, make_window())
    hands.open_camera(LIVE_ADDRESS)
    for page in PAGES:
        hands.window.show_page(page)
    hands.qtbot.wait(200)
    before = things_of(hands.window)
    for _ in range(100):
        for page in PAGES:
            hands.window.show_page(page)
            QApplication.processEvents()
    after = things_of(hands.window)

    assert {name: max(0, after[name] - before[name]) for name in after} == dict.fromkeys(after, 0)
    assert isinstance(hands.live, LivePage)


def test_a_hidden_page_draws_nothing(
    qtbot: QtBot, make_window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(qtbot, make_window())
    hands.open_camera(LIVE_ADDRESS)
    live = hands.live
    hands.window.show_page(PageName.REPLAY)
    drawn: list[object] = []
    monkeypatch.setattr(live.pane, "show_content", drawn.append)
    ticks = len(hands.window.controller.tick_times_ms)
    hands.wait(lambda: len(hands.window.controller.tick_times_ms) > ticks + 10)

    assert drawn == []
