"""The window as its user meets it."""

import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QStandardItemModel
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QFileDialog, QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.conftest import FakeSession, MakeSample, MakeWindow, Stage
from thermoseg.errors import CameraError
from thermoseg.events import SessionEvent
from thermoseg.file_kinds import ALL_SUFFIXES
from thermoseg.radiometry import RelativeCounts
from ui.live.session_controller import SessionState
from ui.main_window import MainWindow
from ui.shell.theme import DARK, LIGHT


def text_of(window: MainWindow) -> str:
    labels = window.findChildren(QLabel)
    return "\n".join(label.text() for label in labels if label.isVisible())


def button(window: MainWindow, text: str) -> QAbstractButton:
    found = [*window.findChildren(QPushButton), *window.findChildren(QToolButton)]
    return next(each for each in found if each.text() == text and each.isVisible())


def press(window: MainWindow, key: Qt.Key) -> None:
    QTest.keyClick(window, key)  # type: ignore[call-overload]  # static; its stub has a self


@pytest.fixture
def running(qtbot: QtBot, make_window: MakeWindow, session: FakeSession) -> MainWindow:
    window = make_window(session)
    window.open_source("fake:")
    qtbot.waitUntil(lambda: window.controller.state is SessionState.RUNNING)
    return window


def test_at_first_it_invites_to_choose_a_camera(
    make_window: MakeWindow, session: FakeSession
) -> None:
    window = make_window(session)

    assert "Choose a camera" in text_of(window)
    assert not button(window, "Record").isEnabled()


def test_what_a_crash_left_is_said_with_what_to_type(
    make_window: MakeWindow, session: FakeSession, settings: QSettings, tmp_path: Path
) -> None:
    path = tmp_path / "recordings" / "monday.h5"
    path.parent.mkdir()
    path.write_bytes(b"half a session")
    path.with_name("monday.h5.RECORDING").write_text('{"pid": 4194305, "started": 0}')
    settings.setValue("recordings", str(path.parent))
    window = make_window(session)
    assert "not finished" not in text_of(window)
    window.say_unfinished()

    said = f"{path} was not finished (a crash?); recover it with: thermoseg recover {path}"
    assert said in text_of(window)
    path.unlink()
    window.say_unfinished()
    assert "not finished" not in text_of(window)


def test_cameras_that_cannot_work_are_shown_with_the_reason(
    qtbot: QtBot, make_window: MakeWindow, session: FakeSession
) -> None:
    window = make_window(session)
    with qtbot.waitSignal(window.controller.cameras_found):
        window.controller.find_cameras()

    source = window._camera._source
    assert [source.itemText(row) for row in range(source.count())] == [
        "Fake camera",
        "gone — install the library gone",
    ]
    rows = source.model()
    assert isinstance(rows, QStandardItemModel)
    gone = rows.item(1)
    assert gone is not None
    assert not gone.isEnabled()


def test_the_first_frame_takes_the_place_of_the_invitation(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    session.show(0)
    qtbot.waitUntil(lambda: running._live.isVisible())

    assert not running._page.isVisible()


def test_temperatures_rates_and_losses_are_written(
    qtbot: QtBot, running: MainWindow, session: FakeSession, sample: MakeSample
) -> None:
    frame = session.show(0)
    session.segment(frame, (sample("nostrils", 33.25), sample("nose", 32.5)))
    qtbot.waitUntil(lambda: "33.25" in text_of(running))

    assert "32.50" in text_of(running)
    assert "camera 30.0/s" in text_of(running)
    assert "missed 2" in text_of(running)
    assert "fake-model" in running._status._source.whole


def test_relative_counts_are_announced(
    qtbot: QtBot, make_window: MakeWindow, make_session: type[FakeSession]
) -> None:
    session = make_session(radiometric=False)
    window = make_window(session)
    window.open_source("fake:")
    session.show(0)
    qtbot.waitUntil(lambda: "Relative counts, no temperatures: a test" in text_of(window))


def test_the_end_of_the_source_is_said_and_its_picture_stays(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    session.show(0)
    session.ended = True
    qtbot.waitUntil(lambda: "End of the source" in text_of(running))

    assert running._live.isVisible()


def test_a_camera_that_is_lost_is_said_with_the_seconds(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, running: MainWindow, session: FakeSession
) -> None:
    session.show(0)
    session.lost, session.lost_seconds = "the cable is out", 3.0
    monkeypatch.setattr("ui.live.session_controller.LOST_AFTER_S", 0.05)
    qtbot.waitUntil(lambda: text_of(running).count("Camera lost, reopening… 3 s") == 2)
    assert "The cable is out" in text_of(running)
    assert running._live._picture.opacity() < 1
    session.lost_seconds = 4.0

    qtbot.waitUntil(lambda: text_of(running).count("Camera lost, reopening… 4 s") == 2)


def test_a_camera_that_sends_no_first_picture_is_said_with_the_reason(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, running: MainWindow, session: FakeSession
) -> None:
    qtbot.waitUntil(lambda: "Waiting for the first picture" in text_of(running))
    monkeypatch.setattr("ui.live.session_controller.LOST_AFTER_S", 0.05)
    session.lost, session.lost_seconds = "none of its pictures arrives; let UDP through", 6.0

    qtbot.waitUntil(lambda: "None of its pictures arrives; let UDP through" in text_of(running))
    qtbot.waitUntil(lambda: text_of(running).count("Camera lost, reopening… 6 s") == 2)
    session.show(0)
    qtbot.waitUntil(running._live.isVisible)


def test_a_picture_that_is_live_again_is_no_longer_dimmed(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, running: MainWindow, session: FakeSession
) -> None:
    monkeypatch.setattr("ui.live.session_controller.LOST_AFTER_S", 0.05)
    session.segment(session.show(0))
    session.lost = "the cable is out"
    qtbot.waitUntil(lambda: running._live._picture.opacity() < 1)
    qtbot.waitUntil(lambda: running._live._mask.opacity() < 1)
    monkeypatch.setattr("ui.live.session_controller.LOST_AFTER_S", 100.0)
    session.lost = ""
    session.show(1)

    qtbot.waitUntil(lambda: running._live._picture.opacity() == 1)


def test_what_happens_to_the_camera_is_told_for_a_while_and_kept(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, running: MainWindow, session: FakeSession
) -> None:
    session.show(0)
    session.events = (
        SessionEvent(1.0, "Flat-field correction", 1e9),
        SessionEvent(2.5, "Flat-field correction failed: no permission; run install-udev", 1e9),
    )
    qtbot.waitUntil(lambda: "no permission; run install-udev" in text_of(running))
    running._show_events()
    assert running._events.text.splitlines() == [
        "     1.0 s   Flat-field correction",
        "     2.5 s   Flat-field correction failed: no permission; run install-udev",
    ]
    session.events += (SessionEvent(4.0, "gap of 3.0 s: the camera was lost", 1e9),)
    qtbot.waitUntil(lambda: "4.0 s   gap of 3.0 s" in running._events.text)
    monkeypatch.setattr("ui.live.session_controller.NEWS_S", 0.0)

    qtbot.waitUntil(lambda: not running._live._news.isVisible())


def test_the_battery_is_in_sight_and_the_rest_under_the_pointer(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    session.telemetry = {"battery_percent": 7.0, "shutter_c": 29.5}
    session.show(0)
    qtbot.waitUntil(lambda: "battery 7 %" in running._status._source.whole)

    assert "29.5" not in running._status._source.whole
    assert "shutter 29.5 °C" in running._status._source.toolTip()


def test_a_visible_picture_is_shown_beside_the_thermal_one(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    session.show(0)
    assert not running._photo.isVisible()
    session.visible_jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 200, np.uint8))[1].tobytes()
    view = running._live._photograph
    qtbot.waitUntil(view.isVisible)
    assert running._photo.isVisible()
    shown = view.pixmap().toImage().pixelColor(5, 5)
    assert abs(shown.red() - 200) < 8
    assert running._live.rect().contains(view.geometry())
    running._photo.click()
    qtbot.waitUntil(lambda: not view.isVisible())
    running._photo.click()
    qtbot.waitUntil(view.isVisible)
    session.visible_jpeg = b"no picture at all"
    qtbot.waitUntil(lambda: not view.isVisible())


def test_a_long_note_is_wrapped_and_stays_in_the_picture(
    qtbot: QtBot, make_window: MakeWindow, make_session: type[FakeSession]
) -> None:
    session = make_session(radiometric=False)
    reason = "a reason that goes on and on, " * 12
    session.info = replace(session.info, radiometry=RelativeCounts(reason))
    window = make_window(session)
    window.resize(800, 600)
    window.open_source("fake:")
    session.show(0)
    note = window._live._note
    qtbot.waitUntil(note.isVisible)

    assert window._live.rect().contains(note.geometry())
    assert note.height() >= note.heightForWidth(note.width())


def test_the_actions_of_a_camera_are_offered_while_it_runs(
    qtbot: QtBot, make_window: MakeWindow, session: FakeSession
) -> None:
    session.actions = ("Flat-field correction",)
    window = make_window(session)
    window.open_source("fake:")
    qtbot.waitUntil(window._camera._actions.isVisible)
    menu = window._camera._actions.menu()
    assert menu is not None
    menu.actions()[0].trigger()
    assert session.performed == ["Flat-field correction"]
    window.controller.stop()

    qtbot.waitUntil(lambda: not window._camera._actions.isVisible())


def test_a_failure_is_told_in_the_dialog_and_on_the_page(
    qtbot: QtBot, make_window: MakeWindow
) -> None:
    def broken(address: str, model: str, stage: Stage) -> FakeSession:
        raise CameraError("no such camera; plug it in")

    window = make_window(broken)
    window.open_source("fake:")
    qtbot.waitUntil(lambda: window.errors.text != "")

    assert window.errors.text == "No such camera; plug it in."
    assert window.failure == "No such camera; plug it in."
    assert "No such camera" in text_of(window)


def test_recording_shows_path_time_size_and_drops(
    qtbot: QtBot, running: MainWindow, session: FakeSession, tmp_path: Path
) -> None:
    session.show(0)
    running._folder = tmp_path
    running._set_frozen(False)
    button(running, "Record").click()
    qtbot.waitUntil(lambda: "123 kB" in text_of(running))

    assert session.recorded_to[0].parent == tmp_path
    assert session.recorded_to[0].suffix == ".h5"
    assert "0 dropped" in text_of(running)
    assert "00:0" in text_of(running)
    running.controller.stop_recording()
    qtbot.waitUntil(lambda: running.controller.recording_path is None)
    assert running._record._path.whole.startswith("Saved ")


@pytest.mark.parametrize(("key", "name"), [("M", "_mask"), ("O", "_outlines"), ("S", "_smooth")])
def test_keys_switch_what_is_shown(
    qtbot: QtBot, make_window: MakeWindow, session: FakeSession, key: str, name: str
) -> None:
    window = make_window(session)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    press(window, getattr(Qt.Key, f"Key_{key}"))

    assert not getattr(window, name).isChecked()


def test_space_starts_and_stops(
    qtbot: QtBot, make_window: MakeWindow, session: FakeSession
) -> None:
    window = make_window(session)
    window._camera.set_address("fake:")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    press(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.controller.state is SessionState.RUNNING)
    press(window, Qt.Key.Key_Space)

    assert window.controller.state is SessionState.IDLE
    assert "Choose a camera" in text_of(window)


def test_a_frozen_picture_stands_still(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    first = session.show(0)
    qtbot.waitUntil(lambda: running._live._frame is first)
    running._set_frozen(True)
    second = session.show(1)
    qtbot.waitUntil(lambda: running.controller.view.frame is second)

    assert running._live._frame is first
    assert "Frozen" in text_of(running)
    running._set_frozen(False)
    qtbot.waitUntil(lambda: running._live._frame is second)


def test_the_user_can_hold_the_colours(
    qtbot: QtBot, running: MainWindow, session: FakeSession
) -> None:
    session.show(0, celsius=30)
    qtbot.waitUntil(lambda: running._bar.isVisible())
    running._bar._high.setValue(40.0)
    hot = session.show(1, celsius=90)
    qtbot.waitUntil(lambda: running._live._frame is hot)

    assert running._live._span_c[1] == 40.0
    assert running._bar._mode.currentText() == "Locked"


def test_a_dropped_file_is_opened(qtbot: QtBot, make_window: MakeWindow, tmp_path: Path) -> None:
    asked: list[str] = []

    def factory(address: str, model: str, stage: Stage) -> FakeSession:
        asked.append(address)
        raise CameraError("not a picture")

    window = make_window(factory)
    path = tmp_path / "a face.png"
    path.touch()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    window.dropEvent(
        QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    qtbot.waitUntil(lambda: window.controller.state is SessionState.FAILED)

    assert asked == [f"file:{str(path).replace(' ', '%20')}"]


def test_what_the_user_set_is_remembered(
    qtbot: QtBot, make_window: MakeWindow, session: FakeSession
) -> None:
    window = make_window(session)
    window.set_theme(LIGHT)
    window._palette.setCurrentText("Viridis")
    window._traces._on_length_chosen(120)
    window._camera.set_address("lepton:")
    window.close()

    again = make_window(session)

    assert again._theme is LIGHT
    assert again._palette.currentText() == "Viridis"
    assert again._traces.state()["length_s"] == 120
    assert again._camera.address == "lepton:"


def test_both_themes_can_be_read() -> None:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in (DARK, LIGHT):
        for ground in (theme.window, theme.card, theme.field):
            for ink in (theme.text, theme.muted):
                light, dark = sorted((luminance(ground), luminance(ink)), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (theme.name, ground, ink)


def test_text_grows_with_very_large_windows(make_window: MakeWindow, session: FakeSession) -> None:
    window = make_window(session)
    small = window._scale
    window.resize(3840, 2160)

    assert window._scale > 1.5 * small


def test_a_model_file_given_by_path_stays_chosen(
    make_window: MakeWindow, session: FakeSession, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"")
    window = make_window(session)
    window.choose_model(str(mine))
    window._on_models_found(["face-compact"])

    chosen = window._camera._model
    assert chosen.currentText() == "mine"
    assert window._camera.model == str(mine)


@pytest.mark.parametrize(
    "name", ["recording.seq", "session.h5", "film.webm", "film.wmv", "lepton.raw.y16.gz"]
)
def test_the_dialog_shows_every_kind_of_file_that_can_be_played(
    make_window: MakeWindow, session: FakeSession, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    window = make_window(session)
    shown: list[str] = []

    def choose(_parent: object, _title: str, _folder: str, filters: str) -> tuple[str, str]:
        shown.extend(re.findall(r"\*\.\w+", filters.split(";;")[0]))
        return "", ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", choose)
    window._on_file_requested()

    assert any(fnmatch(name, pattern) for pattern in shown)
    assert {pattern.removeprefix("*") for pattern in shown} == ALL_SUFFIXES
