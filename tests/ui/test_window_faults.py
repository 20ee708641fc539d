"""Nothing that is recorded ends by accident, and each key does its own work or none."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from tests.ui.window_parts import LIVE_ADDRESS, Hands, close_popup, drop_file, only_file
from thermoseg.files import file_address
from thermoseg.recording.reader import Recording
from thermoseg.session import Session
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.shell.rail import PageName
from ui.texts import live as live_words


@pytest.fixture
def recording(hands: Hands) -> Hands:
    """The window while it records."""
    hands.open_camera()
    hands.record()
    return hands


def stop_camera(hands: Hands) -> None:
    hands.click(hands.button(live_words.STOP_CAMERA, hands.live.source))


def open_another(hands: Hands) -> None:
    hands.window.open_address("simulated:?width=64&height=48&seed=4")


def choose_options(hands: Hands) -> None:
    hands.click(hands.button("Options of the camera", hands.live.source))
    hands.click(hands.button("Open with these options", hands.live.side))


def close(hands: Hands) -> None:
    hands.window.close()


def quit_by_key(hands: Hands) -> None:
    hands.key(Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)


def press_record_button(hands: Hands) -> None:
    button = hands.button("Record", hands.window.strip)
    button.setFocus()
    hands.wait(hands.window.controller.recording.may_stop)
    hands.key(Qt.Key.Key_Space)


ENDINGS = [
    stop_camera,
    open_another,
    choose_options,
    close,
    quit_by_key,
    press_record_button,
]


def ticks_go_by(hands: Hands, frames: int = 5) -> None:
    """Let some more frames be recorded."""
    status = hands.window.controller.recording.status
    before = 0 if status is None else status.recorded
    recording = hands.window.controller.recording
    hands.wait(
        lambda: recording.status is not None and recording.status.recorded >= before + frames
    )


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
def test_what_would_end_a_recording_asks_and_keeps_it_by_default(
    recording: Hands, end: Callable[[Hands], None]
) -> None:
    end(recording)
    box = recording.window.question.box
    assert box is not None, "nobody asked"
    default = box.defaultButton()
    assert default is not None
    assert default.text() == "Keep recording"
    recording.press_in(default, Qt.Key.Key_Return)
    recording.wait(lambda: recording.window.question.box is None)
    ticks_go_by(recording)

    assert recording.window.controller.recording.state is RecordState.ON
    assert recording.window.isVisible()
    assert recording.live.source.address == LIVE_ADDRESS, "the camera that runs is the one named"


@pytest.mark.parametrize("end", [open_another, press_record_button], ids=lambda end: end.__name__)
def test_a_question_that_is_answered_with_end_saves_and_goes_on(
    recording: Hands, recordings: Path, end: Callable[[Hands], None]
) -> None:
    end(recording)
    recording.answer(end=True)
    control = recording.window.controller.recording
    recording.wait(lambda: control.state is RecordState.OFF)

    with Recording(only_file(recordings)) as file:
        assert file.ended == "stopped"
        assert f"{len(file)} frames" in recording.window.notices.sentences[-1]


def test_the_question_goes_when_what_it_asks_about_is_over(recording: Hands) -> None:
    """As when the disk is full, or the source at its end."""
    recording.window.close()
    question = recording.window.question
    recording.wait(lambda: question.box)
    control = recording.window.controller.recording
    control.stop()
    recording.wait(lambda: not control.state.active)

    assert question.box is None
    assert recording.window.isVisible()


def test_a_dropped_or_opened_file_is_replayed_beside_the_recording(
    recording: Hands, recordings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture = tmp_path / "nothing.h5"
    picture.write_bytes(b"no session")
    drop_file(recording.window, picture)
    assert recording.window.question.box is None
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(picture), ""))
    recording.key(Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    ticks_go_by(recording)

    assert recording.window.controller.recording.state is RecordState.ON
    assert recording.window.page is recording.window.show_page(PageName.REPLAY)


def test_a_file_played_as_a_camera_asks_first(recording: Hands, tmp_path: Path) -> None:
    recording.window.open_address(file_address(tmp_path / "a.h5"))

    assert recording.window.question.box is not None
    recording.answer(end=False)
    assert recording.window.controller.recording.state is RecordState.ON


def focusable(window: QWidget) -> list[QWidget]:
    return [
        each
        for each in window.findChildren(QWidget)
        if each.focusPolicy() & Qt.FocusPolicy.TabFocus and each.isVisible() and each.isEnabled()
    ]


def test_space_ends_no_recording_wherever_the_focus_is(
    recording: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buttons are pressed by it; those that would end the recording ask."""
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    recording.wait(recording.window.controller.recording.may_stop)
    closer = QTimer()  # a menu has a loop of its own, in which it waits for a choice
    closer.timeout.connect(close_popup)
    closer.start(5)
    pressed = 0
    for page in (PageName.LIVE, PageName.REPLAY):
        recording.window.show_page(page)
        for widget in focusable(recording.window):
            recording.window.show_page(page)
            if not widget.isVisible() or not widget.isEnabled():
                continue  # what was pressed before took it away
            widget.setFocus()
            recording.press_in(widget, Qt.Key.Key_Space)
            pressed += 1
            if recording.window.question.box is not None:
                recording.answer(end=False)
            assert recording.window.controller.recording.state is RecordState.ON, widget
    closer.stop()
    ticks_go_by(recording)

    assert pressed > 25, "most of the window was reached"


# Keys.


def test_after_a_typed_limit_the_keys_belong_to_the_page_again(hands: Hands) -> None:
    hands.open_camera()
    pane = hands.live.pane
    numbers = [each for each in pane.findChildren(QDoubleSpinBox) if each.isVisible()]
    limit = numbers[0]
    limit.setFocus()
    line = limit.findChild(QLineEdit)
    assert line is not None
    line.selectAll()
    hands.type_in("30")
    hands.key(Qt.Key.Key_Return)
    assert not limit.hasFocus()
    masks = pane.actions_by_name["mask"]
    before = masks.isChecked()
    hands.key(Qt.Key.Key_M)
    assert masks.isChecked() is not before
    hands.record()

    assert hands.window.controller.recording.state is RecordState.ON


def test_f9_works_inside_a_text_field_and_letters_stay_there(hands: Hands) -> None:
    hands.open_camera()
    notes = hands.live.desk.panel.findChild(QPlainTextEdit)
    assert notes is not None
    notes.setFocus()
    hands.type_in("Mop 1")
    hands.key(Qt.Key.Key_F9)
    hands.wait(hands.doubt_button)
    hands.key(Qt.Key.Key_F9)
    hands.wait(lambda: hands.window.controller.recording.state is RecordState.ON)

    assert hands.live.desk.panel.notes == "Mop 1"
    assert hands.window.controller.view.marks == ()
    assert notes.hasFocus()


def test_seven_quick_presses_start_one_recording(hands: Hands, recordings: Path) -> None:
    hands.open_camera()
    hands.key(Qt.Key.Key_F9)
    hands.wait(hands.doubt_button)  # read the checklist, then press on
    for _ in range(7):
        hands.key(Qt.Key.Key_F9)
    control = hands.window.controller.recording
    hands.wait(lambda: control.state is RecordState.ON)
    ticks_go_by(hands)

    assert only_file(recordings) == control.path
    assert hands.window.failure == ""
    assert [text for text in hands.window.notices.sentences if "times" in text] == []


def test_f9_without_a_camera_does_nothing(hands: Hands) -> None:
    hands.key(Qt.Key.Key_F9)

    assert hands.window.controller.recording.state is RecordState.OFF
    assert hands.window.notices.sentences == []


def test_digits_mark_and_the_last_mark_can_be_taken_back(recording: Hands) -> None:
    recording.live.setFocus()
    recording.key(Qt.Key.Key_3)
    recording.key(Qt.Key.Key_1)
    controller = recording.window.controller
    recording.wait(lambda: len(controller.view.marks) == 2)
    recording.click(recording.button("Take the last mark back"))
    recording.wait(lambda: len(controller.view.marks) == 1)

    assert controller.view.marks[0].label == "Marker 3"


def test_a_mark_that_the_disk_does_not_take_is_told(
    recording: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thermoseg.errors import RecordingError

    def refuse(*_: object, **__: object) -> None:
        raise RecordingError("the recording takes no mark; stop it and look at the disk")

    monkeypatch.setattr(Session, "mark", refuse)
    recording.live.setFocus()
    recording.key(Qt.Key.Key_1)

    assert recording.window.notices.sentences[-1].startswith("The recording takes no mark")


def test_a_second_press_within_a_second_of_the_start_is_no_stop(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = hands.window.controller.recording
    monkeypatch.setattr(control, "_clock", lambda: 100.0)
    hands.open_camera()
    hands.record()
    hands.key(Qt.Key.Key_F9)
    hands.click(hands.button("Record", hands.window.strip))
    assert control.state is RecordState.ON
    monkeypatch.setattr(control, "_clock", lambda: 101.1)
    hands.click(hands.button("Record", hands.window.strip))

    hands.wait(lambda: control.state is RecordState.OFF)


# Answers that come late.


def test_recording_that_was_asked_for_is_not_of_the_next_camera(
    hands: Hands, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checklist asks a disk that answers when another camera is there already."""
    hands.open_camera()
    asked, answer = threading.Event(), threading.Event()

    def slow(_: Path) -> int:
        asked.set()
        answer.wait(30)
        return 10**12

    hands.live.desk._asked = {"model"}
    monkeypatch.setattr("ui.live.recorder_desk._free_bytes", slow)
    hands.key(Qt.Key.Key_F9)
    hands.wait(asked.is_set)
    stop_camera(hands)
    answer.set()
    hands.open_camera()
    hands.qtbot.wait(50)

    assert hands.window.controller.recording.state is RecordState.OFF
    assert not recordings.exists()


def test_record_anyway_records_what_the_fields_say_by_then(hands: Hands, tmp_path: Path) -> None:
    study = tmp_path / "study"
    hands.live.desk.study.create(study)
    hands.wait(lambda: hands.live.desk.study.study is not None)
    for name, value in (("participant", "07"), ("session", "1"), ("task", "rest")):
        hands.live.desk.study.set_field(name, value)
    hands.open_camera()
    hands.key(Qt.Key.Key_F9)
    hands.wait(hands.doubt_button)
    hands.live.desk.study.set_field("participant", "08")
    anyway = hands.doubt_button()
    assert anyway is not None
    hands.click(anyway)
    hands.wait(lambda: hands.window.controller.recording.state is RecordState.ON)

    assert "sub-08" in str(hands.window.controller.recording.path)


def test_stop_before_the_recorder_is_up_leaves_no_red_stop(
    hands: Hands, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands.open_camera()
    go, starting, start = threading.Event(), threading.Event(), Session.start_recording

    def slow(session: Session, plan: object) -> object:
        starting.set()
        go.wait(30)
        return start(session, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "start_recording", slow)
    hands.key(Qt.Key.Key_F9)
    hands.wait(hands.doubt_button)
    hands.key(Qt.Key.Key_F9)
    hands.wait(starting.is_set)
    assert hands.button("Record", hands.window.strip).text().startswith("Starting")
    stop_camera(hands)
    hands.answer(end=True)
    go.set()
    control = hands.window.controller.recording
    hands.wait(lambda: not control.state.active)
    hands.open_camera()

    assert control.state is RecordState.OFF
    assert hands.button("Record", hands.window.strip).text() == "Record"
    assert hands.window.strip.content.status is None
    assert control.path is None


def test_nine_quick_presses_of_start_and_stop_end_in_what_was_pressed_last(hands: Hands) -> None:
    source = hands.live.source
    source.set_address(LIVE_ADDRESS)
    for _ in range(9):
        source.toggle()
    controller = hands.window.controller
    hands.wait(lambda: controller.state is CameraState.RUNNING and controller.view.frame)
    for _ in range(9):
        source.toggle()
    hands.qtbot.wait(50)

    assert controller.state is CameraState.IDLE
    assert hands.window.strip.content.camera_state == "idle"
    assert hands.window.failure == ""
