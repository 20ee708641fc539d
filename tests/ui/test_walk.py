"""Walks over every widget of the window: names, Tab order, cut texts, contrast, tool tips, keys."""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtCore import QPoint, QRect, QSettings, QSize, Qt
from PyQt6.QtGui import QAction, QImage, QKeySequence, QPainter
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot
from superqt import QElidingLabel, QToggleSwitch

from tests.ui.conftest import HEIGHT, WIDTH
from tests.ui.picture.conftest import face_labels
from tests.ui.staged import StagedSession, film_of_face, make_staged_window, record_film
from thermoseg.study_file import Condition, StudyFile, write_study
from ui.live.page import LivePage
from ui.live.session_controller import CameraState
from ui.picture.view import PictureView
from ui.replay.page import ReplayPage
from ui.shell.keys import KeySheet
from ui.shell.notices import Severity
from ui.shell.places import RECORDINGS
from ui.shell.preferences import Preferences
from ui.shell.rail import PageName
from ui.shell.theme import DARK, LIGHT
from ui.shell.window import MainWindow

HANDS: Final[Any] = QTest
"""Presses keys; PyQt's hints take its static functions for methods."""
SMALL: Final = QSize(1280, 660)
"""A screen of 1280×720 less frame and panel."""
SMALLER: Final = QSize(1000, 600)
LARGE_TEXT: Final = 1.61
PATIENCE_MS: Final = 30_000
LEAST_CONTRAST: Final = 4.5
"""Web Content Accessibility Guidelines 2.2, 1.4.3."""
DENSE: Final = 3
"""Pixels per pixel, so that the stems of letters have a core of their colour."""
CORE: Final = 12
"""Least pixels of a colour that is no artefact of smoothing."""

Show: TypeAlias = Callable[["Walk"], None]


class Walk:
    """A window and what the states of its pages are made of."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        Preferences(settings).set(RECORDINGS, str(folder))
        rows = np.mgrid[:HEIGHT, :WIDTH][0]
        celsius = (30 + rows / 10).astype(np.float32)
        self.film = film_of_face(celsius, face_labels(celsius.shape))
        self.qtbot, self.folder = qtbot, folder
        self.session = StagedSession(self.film)
        self.window: MainWindow = make_staged_window(settings, self.session)
        self.window.resize(SMALL)
        self.window.show()

    @property
    def live(self) -> LivePage:
        page = self.window.show_page(PageName.LIVE)
        assert isinstance(page, LivePage)
        return page

    @property
    def replay(self) -> ReplayPage:
        page = self.window.show_page(PageName.REPLAY)
        assert isinstance(page, ReplayPage)
        return page

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let the window work until `condition` holds."""
        self.qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def settle(self) -> None:
        """Let every layout be made anew."""
        for _ in range(3):
            QApplication.processEvents()

    def widgets(self) -> list[QWidget]:
        """Every widget in sight."""
        return [each for each in self.window.findChildren(QWidget) if each.isVisible()]


def live_empty(walk: Walk) -> None:
    assert walk.live.isVisible()


def live_recording(walk: Walk) -> None:
    study = walk.folder / "study"
    study.mkdir()
    names = ("Baseline", "Stimulus")
    conditions = (Condition(name="rest", duration_s=300.0),)
    written = StudyFile(
        name="Warmth and breath", markers=names, conditions=conditions, fields=("handedness",)
    )
    write_study(study, written)
    page = walk.live
    page.desk.study.open(study)
    page.open("fake:")
    controller = walk.window.controller
    walk.wait(lambda: controller.state is CameraState.RUNNING)
    walk.wait(lambda: page.settled and page.desk.study.study is not None)
    controller.record(study / "a.h5")
    walk.wait(lambda: controller.recording.status is not None)
    page.desk.mark(0)
    walk.window.notices.tell("The camera delivers 8.7/s, asked for 30/s.", Severity.WARNING)
    walk.wait(page.plots.findChild(QComboBox).isVisible)


def live_folded_out(walk: Walk) -> None:
    page = walk.live
    page.open("simulated:")
    controller = walk.window.controller
    walk.wait(lambda: controller.state is CameraState.RUNNING and page.settled)
    for section in page.side.sections:
        section.expand(animate=False)
    page.pane.actions_by_name["isotherm"].trigger()
    page.pane.actions_by_name["add_spot"].trigger()


def replay_empty(walk: Walk) -> None:
    assert walk.replay.isVisible()


def replay_open(walk: Walk) -> None:
    film = [*walk.film] * 10
    path = record_film(film, walk.folder / "a.h5", [(0.2, "Baseline")])
    page = walk.replay
    page.open(path)
    walk.wait(lambda: page.settled and page.controller.shown is not None)
    walk.wait(page.plots.findChild(QComboBox).isVisible)


STATES: Final = (live_empty, live_recording, live_folded_out, replay_empty, replay_open)
every_state = pytest.mark.parametrize("show", STATES, ids=lambda show: show.__name__)


@pytest.fixture
def walk(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Walk]:
    worn, font = qapp.styleSheet(), qapp.font()
    made = Walk(qtbot, tmp_path)
    yield made
    made.window.end()
    made.window.deleteLater()
    qapp.setStyleSheet(worn)
    qapp.setFont(font)


@every_state
def test_every_widget_that_takes_the_focus_has_a_name_and_every_icon_a_tip(
    walk: Walk, show: Show
) -> None:
    show(walk)
    nameless = [describe(each) for each in walk.widgets() if is_stop(each) and not name_of(each)]
    mute = [
        describe(each)
        for each in walk.widgets()
        if isinstance(each, QAbstractButton) and not each.text() and not each.toolTip()
    ]

    assert not nameless
    assert not mute


@every_state
def test_tab_reaches_everything_in_reading_order(walk: Walk, show: Show) -> None:
    show(walk)
    walk.window.activateWindow()
    walk.wait(walk.window.isActiveWindow)
    reached = press_tab_round(walk.window)
    missed = {each for each in walk.widgets() if is_stop(each)} - set(reached)

    assert not [describe(each) for each in missed]
    assert not [describe(each) for each in reached if not each.isVisible()]
    assert not [
        f"{describe(after)} comes after {describe(before)}"
        for before, after in pairwise(reached)
        if goes_back(before, after)
    ]


@every_state
@pytest.mark.parametrize(
    ("size", "zoom"),
    [(SMALL, 1.0), (SMALLER, 1.0), (SMALL, LARGE_TEXT)],
    ids=["1280×660", "1000×600", "1280×660 at 161 %"],
)
def test_no_text_is_cut_and_nothing_lies_over_anything(
    walk: Walk, show: Show, size: QSize, zoom: float
) -> None:
    walk.window.resize(size)
    walk.window.look.zoom_to(zoom)
    show(walk)
    walk.settle()

    assert walk.window.size() == size
    assert not [describe(each) for each in walk.widgets() if is_cut(each)]
    assert not overlaps(walk.window)


@every_state
def test_text_can_be_read_in_both_themes(walk: Walk, show: Show) -> None:
    show(walk)
    faint = []
    for theme in (DARK, LIGHT):
        walk.window.look.set_theme(theme)
        QApplication.processEvents()
        picture = grab(walk.window)
        for each in walk.widgets():
            if shown_text(each) and is_whole(each):
                ratio = contrast_in(picture, rect_of(each, walk.window))
                if ratio < LEAST_CONTRAST:
                    faint.append(f"{theme.name}: {describe(each)} {ratio:.1f}")

    assert not faint


def test_every_key_is_in_the_sheet(walk: Walk) -> None:
    replay_open(walk)
    live_recording(walk)
    walk.window.show_keys()
    (sheet,) = walk.window.findChildren(KeySheet)
    text = next(label.text() for label in sheet.findChildren(QLabel))
    sheet.close()
    keys = {
        sequence.toString(QKeySequence.SequenceFormat.NativeText)
        for action in walk.window.findChildren(QAction)
        for sequence in action.shortcuts()
    }

    assert len(keys) > 30
    assert not {key for key in keys if key not in text}
    assert text.count(">Ctrl+1&") == 1


# How a walk looks at a widget.


def is_stop(widget: QWidget) -> bool:
    """Whether Tab should stop there."""
    focusable = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
    return focusable and widget.isEnabled() and widget.focusProxy() is None and in_sight(widget)


def in_sight(widget: QWidget) -> bool:
    """Whether it is there for the user, even if one has to scroll to it."""
    return widget.isVisible() and not widget.size().isEmpty()


def is_whole(widget: QWidget) -> bool:
    """Whether all of it is painted, none of it scrolled out of sight."""
    return widget.visibleRegion().boundingRect().contains(widget.rect())


def name_of(widget: QWidget) -> str:
    """Return what a screen reader calls it."""
    if isinstance(widget, QAbstractButton):
        return widget.accessibleName() or widget.text()
    return widget.accessibleName()


def describe(widget: QWidget) -> str:
    """Return enough to find it again."""
    text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
    around = widget.parentWidget()
    return (
        f"{type(around).__name__}/{type(widget).__name__} “{text or widget.accessibleName()}” "
        f"{widget.width()}×{widget.height()} of "
        f"{widget.minimumSizeHint().width()}×{widget.minimumSizeHint().height()}"
    )


def press_tab_round(window: MainWindow) -> list[QWidget]:
    """Press Tab until the first widget has the focus again; return all that had it."""
    page = window.page
    assert page is not None
    page.setFocus()
    reached: list[QWidget] = []
    focus: QWidget | None = page
    while focus is not None and focus not in reached:
        reached.append(focus)
        HANDS.keyClick(focus, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
    reached.remove(page)
    first = next(at for at, each in enumerate(reached) if window.strip.isAncestorOf(each))
    return reached[first:] + reached[:first]


def goes_back(before: QWidget, after: QWidget) -> bool:
    """Whether one who reads from top to bottom and from left to right would go back."""
    lines = [line_of(before), line_of(after)]
    while len(lines[0]) > 1 and len(lines[1]) > 1 and lines[0][1] is lines[1][1]:
        lines = [line[1:] for line in lines]
    if len(lines[0]) < 2 or len(lines[1]) < 2:
        return False
    window = before.window()
    assert window is not None
    first, second = (rect_of(line[1], window) for line in lines)
    above = second.bottom() <= first.top() and second.left() < first.right()
    left = second.right() <= first.left() and second.top() < first.bottom()
    return above or left


def line_of(widget: QWidget) -> list[QWidget]:
    """Return the widgets around it from the window inwards, and itself."""
    line = [widget]
    while (around := line[0].parentWidget()) is not None:
        line.insert(0, around)
    return line


def rect_of(widget: QWidget, window: QWidget) -> QRect:
    """Return its place in the window, without what a scroll area hides."""
    seen = widget.visibleRegion().boundingRect()
    return QRect(widget.mapTo(window, seen.topLeft()), seen.size())


def shown_text(widget: QWidget) -> str:
    """Return the words that it shows."""
    if isinstance(widget, QToggleSwitch) and not widget.isEnabled():
        return ""  # superqt paints it at half its strength, which WCAG allows what is inactive
    if isinstance(widget, QComboBox):
        return widget.currentText()
    if isinstance(widget, QToolButton):
        only_icon = widget.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonIconOnly
        return "" if only_icon and not widget.icon().isNull() else widget.text()
    return widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""


def is_cut(widget: QWidget) -> bool:
    """Whether it has less room than its text needs; what elides says the rest in a tool tip."""
    text, metrics = shown_text(widget), widget.fontMetrics()
    if not text:
        return False
    if isinstance(widget, QElidingLabel):
        return widget._elidedText() != text and not widget.toolTip()
    if isinstance(widget, QLabel):
        if widget.wordWrap():
            return widget.heightForWidth(widget.width()) > widget.height() + 1
        wanted = widget.sizeHint()
        return wanted.width() > widget.width() + 1 or wanted.height() > widget.height() + 1
    too_wide = metrics.horizontalAdvance(text) > widget.width()
    if isinstance(widget, QComboBox) and widget.toolTip():
        too_wide = False
    return too_wide or metrics.height() > widget.height()


def overlaps(window: QWidget) -> list[str]:
    """List pairs of neighbours of which one lies over the other."""
    found = []
    parents = [each for each in window.findChildren(QWidget) if each.isVisible()]
    for parent in parents:
        if isinstance(parent, QStackedWidget | QSplitter | QAbstractScrollArea | PictureView):
            continue
        children = [
            each
            for each in parent.findChildren(
                QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly
            )
            if each.isVisible() and not each.isWindow() and not isinstance(each, QDialog)
        ]
        found += [
            f"{describe(one)} and {describe(other)}"
            for one, other in combinations(children, 2)
            if one.geometry().adjusted(1, 1, -1, -1).intersects(other.geometry())
        ]
    return found


def grab(window: QWidget) -> NDArray[np.uint32]:
    """Paint the window, `DENSE` times as fine as it is; (height, width), 0xRRGGBB."""
    image = QImage(window.size() * DENSE, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.scale(DENSE, DENSE)
    window.render(painter, QPoint(0, 0))
    painter.end()
    bits = image.constBits()
    assert bits is not None
    pixels = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint32)
    return pixels.reshape(image.height(), image.width()) & np.uint32(0xFFFFFF)


def contrast_in(picture: NDArray[np.uint32], rect: QRect) -> float:
    """Return the contrast of a text and its ground: its most frequent colour, and the one that is
    farthest from it."""
    inner = rect.adjusted(2, 2, -2, -2)
    rows = slice(DENSE * inner.top(), DENSE * (inner.bottom() + 1))
    columns = slice(DENSE * inner.left(), DENSE * (inner.right() + 1))
    colours, counts = np.unique(picture[rows, columns], return_counts=True)
    if not len(colours):
        return np.inf
    light = luminance(colours)
    ground = light[counts.argmax()]
    often = light[counts >= CORE]
    ratios = (np.maximum(often, ground) + 0.05) / (np.minimum(often, ground) + 0.05)
    return float(ratios.max())


def luminance(colours: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Relative luminance of sRGB colours, 0xRRGGBB, (n,); WCAG 2.2."""
    share = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])
