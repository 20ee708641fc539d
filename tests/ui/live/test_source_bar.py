"""The list of cameras changes by itself and disturbs nobody who is choosing."""

from collections.abc import Callable

import pytest
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QAbstractItemView, QLineEdit
from pytestqt.qtbot import QtBot

from thermoseg.cameras import CameraListing
from ui.live.lacking_panel import LackingPanel
from ui.live.source_bar import SourceBar
from ui.shell.theme import DARK

LEPTON = CameraListing("lepton:1", "FLIR Lepton", model="Lepton 3.5", serial="1")
TWIN = CameraListing("lepton:usb-2", "FLIR Lepton", model="Lepton 3.5", serial="1")
BOSON = CameraListing("boson:2", "FLIR Boson")
GIGE = CameraListing("gige:", "gige", problem="apt install aravis")


@pytest.fixture
def panel(qtbot: QtBot) -> SourceBar:
    panel = SourceBar()
    qtbot.addWidget(panel)
    panel.set_theme(DARK, 1.0)
    panel.show()
    return panel


@pytest.fixture
def texts(panel: SourceBar) -> Callable[[], list[str]]:
    source = panel._source
    return lambda: [source.itemText(row) for row in range(source.count())]


def line_of(panel: SourceBar) -> QLineEdit:
    line = panel._source.lineEdit()
    assert line is not None
    return line


def list_of(panel: SourceBar) -> QAbstractItemView:
    opened = panel._source.view()
    assert opened is not None
    return opened


def test_cameras_that_can_be_used_come_first_and_the_others_are_folded_away(
    qtbot: QtBot, panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([BOSON, GIGE, LEPTON])

    assert texts() == ["FLIR Boson", "Lepton 3.5 1", "1 other kind of camera…"]
    assert panel.address == "", "nobody has chosen yet"
    with qtbot.waitSignal(panel.lacking_requested):
        panel._source.activated.emit(2)
    assert panel.address == ""


def test_the_last_sources_are_offered_again(
    panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([BOSON])
    panel.show_recent(["simulated:?rate_hz=9", "boson:2"])

    assert texts() == ["FLIR Boson", "simulated:?rate_hz=9"]


def test_what_the_others_lack_can_be_read_and_copied(qtbot: QtBot) -> None:
    lacking = LackingPanel()
    qtbot.addWidget(lacking)
    lacking.show_cameras([BOSON, GIGE])

    assert lacking.text == "gige: apt install aravis"
    lacking._copy.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "gige: apt install aravis"


def test_a_camera_that_comes_leaves_the_choice_alone(
    panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([LEPTON])
    panel.set_address("lepton:1")
    panel.show_cameras([BOSON, LEPTON])

    assert texts() == ["FLIR Boson", "Lepton 3.5 1"]
    assert panel.address == "lepton:1"
    assert panel._source.currentText() == "Lepton 3.5 1"


def test_a_camera_that_goes_and_comes_back_is_chosen_again(
    panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([BOSON, LEPTON])
    panel.set_address("lepton:1")
    panel.show_cameras([BOSON])
    assert panel.address == "lepton:1"
    assert texts() == ["FLIR Boson"]
    panel.show_cameras([BOSON, LEPTON])

    assert panel._source.currentText() == "Lepton 3.5 1"
    assert panel.address == "lepton:1"


def test_what_is_being_typed_is_left_alone(panel: SourceBar) -> None:
    panel._source.setEditText("simulated:?rate_")
    line_of(panel).setCursorPosition(4)
    panel.show_cameras([BOSON])
    panel.show_cameras([BOSON, LEPTON])

    assert panel._source.currentText() == "simulated:?rate_"
    assert line_of(panel).cursorPosition() == 4
    assert panel.address == "simulated:?rate_"


def test_a_list_that_is_open_stays_open(
    qtbot: QtBot, panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([LEPTON])
    panel._source.showPopup()
    qtbot.waitUntil(list_of(panel).isVisible)
    panel.show_cameras([BOSON, LEPTON])

    assert list_of(panel).isVisible()
    assert texts() == ["FLIR Boson", "Lepton 3.5 1"]
    panel._source.hidePopup()


def test_of_two_cameras_that_look_alike_the_chosen_one_is_opened(panel: SourceBar) -> None:
    panel.show_cameras([LEPTON, TWIN])
    panel._source.setCurrentIndex(1)

    assert panel.address == "lepton:usb-2"


def test_a_problem_that_is_solved_frees_the_camera(
    panel: SourceBar, texts: Callable[[], list[str]]
) -> None:
    panel.show_cameras([GIGE])
    panel.show_cameras([CameraListing("gige:", "A615")])

    assert texts() == ["A615"]


def test_what_a_camera_can_be_asked_for_is_a_menu(qtbot: QtBot, panel: SourceBar) -> None:
    assert not panel._actions.isVisible()
    panel.show_actions(["Flat-field correction", "Automatic shutter"])
    assert panel._actions.isVisible()
    with qtbot.waitSignal(panel.action_requested) as asked:
        menu = panel._actions.menu()
        assert menu is not None
        menu.actions()[1].trigger()
    assert asked.args == ["Automatic shutter"]
    panel.show_actions([])

    assert not panel._actions.isVisible()
