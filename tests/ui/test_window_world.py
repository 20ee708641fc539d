"""The world's faults are told as the world's, numbers are of now, and one part fails alone."""

from datetime import UTC
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import FaultyCamera, Hands, MakeWindow, numbers_in, words_in
from thermoseg.recording.reader import Recording
from thermoseg.recording.status import RecorderStatus
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.shell.rail import PageName
from ui.texts import live as live_words

INSIDE = "inside the program"
"""What a defect of ours is told as."""


@pytest.fixture
def camera() -> FaultyCamera:
    return FaultyCamera()


@pytest.fixture
def window(qtbot: QtBot, make_window: MakeWindow, camera: FaultyCamera) -> Hands:
    """A window around one camera that the test holds."""
    hands = Hands(qtbot, make_window(lambda _: camera))
    hands.window.show_page(PageName.LIVE)
    hands.wait_active()
    return hands


def stop(hands: Hands) -> str:
    """Stop the recording, and return what its notice says."""
    control = hands.window.controller.recording
    hands.wait(control.may_stop)
    hands.key(Qt.Key.Key_F9)
    hands.wait(lambda: not control.state.active)
    return hands.window.notices.sentences[-1]


# Numbers of another moment.


def test_after_the_camera_is_closed_no_number_of_it_is_left(window: Hands) -> None:
    window.open_camera()
    window.record()
    window.wait(lambda: any("frames" in word for word in words_in(window.window.strip)))
    stop(window)
    window.click(window.button(live_words.STOP_CAMERA, window.live.source))
    left = words_in(window.window.strip) + words_in(window.live)

    assert window.window.strip.content.status is None
    assert [word for word in left if "°C" in word or "frames" in word or "/s" in word] == []


def test_a_short_recording_has_its_own_numbers_and_not_those_before(window: Hands) -> None:
    window.open_camera()
    window.record()
    control = window.window.controller.recording
    window.wait(lambda: control.status is not None and control.status.recorded > 60)
    stop(window)
    seen: list[RecorderStatus] = []
    control.changed.connect(
        lambda: seen.append(control.status) if control.status is not None else None
    )
    window.record()
    first = window.window.strip.content.status
    said = stop(window)
    path = window.window.notices.sentences[-1].split(" · ")[0].removeprefix("Saved ")
    with Recording(Path(path)) as file:
        frames = len(file)

    assert first is not None
    assert first.bytes_on_disk <= Path(path).stat().st_size
    assert f" {frames} frames" in said
    assert all(status.recorded <= frames for status in seen)


def test_missed_frames_are_counted_in_strip_notice_and_file(
    window: Hands, camera: FaultyCamera
) -> None:
    window.open_camera()
    window.record()
    camera.skipping = 127
    control = window.window.controller.recording
    window.wait(lambda: control.status is not None and control.status.missed == 127)
    window.wait(lambda: "127 missed" in words_in(window.window.strip))
    said = stop(window)

    assert "127 missed" in said


# The world's faults.


def test_a_recordings_folder_that_is_gone_is_told_as_such(window: Hands, recordings: Path) -> None:
    recordings.write_text("a file where the network drive was")
    window.open_camera()
    window.key(Qt.Key.Key_F9)
    window.wait(window.doubt_button)
    window.key(Qt.Key.Key_F9)
    control = window.window.controller.recording
    window.wait(lambda: control.state is RecordState.FAILED)
    told = window.window.failure

    assert str(recordings) in told
    assert INSIDE not in told
    assert window.window.controller.state is CameraState.RUNNING


def test_a_disk_that_refuses_is_told_as_such(
    window: Hands, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    window.open_camera()
    monkeypatch.setattr(Path, "mkdir", refuse)
    window.key(Qt.Key.Key_F9)
    window.wait(window.doubt_button)
    window.key(Qt.Key.Key_F9)
    control = window.window.controller.recording
    window.wait(lambda: control.state is RecordState.FAILED)

    assert str(recordings) in window.window.failure
    assert INSIDE not in window.window.failure


def test_a_file_that_is_not_there_is_no_strange_address(
    qtbot: QtBot, make_window: MakeWindow, tmp_path: Path
) -> None:
    window = make_window()
    window.open_address(str(tmp_path / "gone.h5"))
    qtbot.waitUntil(lambda: bool(window.failure), timeout=30_000)

    assert "gone.h5" in window.failure
    assert "camera address" not in window.failure
    assert INSIDE not in window.failure


def test_a_camera_that_fails_is_told_once_by_its_page_or_by_a_notice(
    qtbot: QtBot, make_window: MakeWindow
) -> None:
    hands = Hands(qtbot, make_window())
    app, page = hands.window, hands.live
    page.open("nonsense")
    hands.wait(lambda: page.failure)
    assert app.notices.sentences == [], "the page says it"
    assert "nonsense" in app.failure

    page.open("rubbish")
    app.show_page(PageName.REPLAY)
    hands.wait(lambda: app.notices.sentences)
    assert "rubbish" in app.notices.sentences[0], "the page is out of sight"


def test_a_file_for_replay_that_is_not_there_is_told(
    qtbot: QtBot, make_window: MakeWindow, tmp_path: Path
) -> None:
    window = make_window()
    window.open_file(str(tmp_path / "gone.h5"))
    page = window.page
    assert page is not None
    qtbot.waitUntil(lambda: page.settled, timeout=30_000)
    qtbot.waitUntil(lambda: any("gone.h5" in word for word in words_in(page)), timeout=30_000)

    assert not any(INSIDE in word for word in words_in(page))


def test_two_windows_in_one_second_record_both(
    qtbot: QtBot, make_window: MakeWindow, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import datetime

    class Second(datetime):
        """The same second, however long the test takes."""

        @classmethod
        def now(cls, tz: object = None) -> "Second":
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    monkeypatch.setattr("ui.live.study_control.datetime", Second)
    windows = [Hands(qtbot, make_window(lambda _: FaultyCamera())) for _ in range(2)]
    for hands in windows:
        hands.window.show_page(PageName.LIVE)
        hands.window.activateWindow()
        hands.wait_active()
        hands.open_camera()
        hands.record()
    for hands in windows:
        hands.window.activateWindow()
        hands.wait_active()
        stop(hands)

    assert len({hands.window.notices.sentences[-1] for hands in windows}) == 2
    assert len(list(recordings.rglob("*.h5"))) == 2
    assert [hands.window.failure for hands in windows] == ["", ""]


# The core says it, the window says it too.


def test_a_disk_that_is_nearly_full_is_a_notice(
    window: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    warning = "the disk that holds a.h5 has 0.5 GB left, enough for 3 min; make space"
    monkeypatch.setattr("thermoseg.recording.recorder.warn_of_disk", lambda *_: warning)
    window.open_camera()
    window.record()
    window.wait(lambda: f"The{warning[3:]}." in window.window.notices.sentences)

    assert window.window.controller.recording.state is RecordState.ON


def test_shutter_closings_are_in_the_list_of_events_and_in_the_file(
    qtbot: QtBot, make_window: MakeWindow
) -> None:
    hands = Hands(qtbot, make_window())
    hands.open_camera("simulated:?width=64&height=48&shutter_every_s=2&rate_hz=20")
    hands.record()
    section = hands.button("Events", hands.live.side)
    hands.click(section)
    events = hands.live.side.events
    hands.wait(lambda: "shutter closed" in events.text and "shutter open" in events.text)
    path = hands.window.controller.recording.path
    stop(hands)
    assert path is not None
    with Recording(path) as file:
        told = [event.text for event in file.events]

    assert any(text.startswith("shutter closed") for text in told)


# One part does not take the rest down.


def test_a_damaged_model_leaves_the_camera_and_is_not_remembered(
    window: Hands, tmp_path: Path, settings: QSettings
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    window.open_camera()
    window.window.open_file(str(broken))
    window.wait(lambda: window.window.failure)
    before = window.window.controller.view.frame
    window.wait(lambda: window.window.controller.view.frame is not before)

    assert "broken.safetensors" in window.window.failure
    assert INSIDE not in window.window.failure
    assert window.live.pane.isVisible()
    assert "broken" not in str(settings.value("window/model"))


def test_a_model_that_was_remembered_and_is_damaged_hides_no_camera(
    window: Hands, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nonsense")
    window.window.choose_first_model(str(broken))
    window.open_camera()
    window.wait(lambda: window.window.failure)

    assert window.live.pane.isVisible()
    assert window.window.controller.state is CameraState.RUNNING


def test_a_frozen_picture_is_of_one_moment_while_the_recording_goes_on(
    window: Hands, camera: FaultyCamera
) -> None:
    window.open_camera()
    window.record()
    path = window.window.controller.recording.path
    window.live.setFocus()
    window.key(Qt.Key.Key_F)
    assert window.live.pane.frozen
    frozen_at = len(camera.delivered)
    window.wait(lambda: len(camera.delivered) > frozen_at + 20)
    stop(window)
    assert path is not None
    with Recording(path) as file:
        numbers = numbers_in(file)

    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] > frozen_at
