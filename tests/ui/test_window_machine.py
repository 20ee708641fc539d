"""Whatever is done in whatever order while a camera fails: what the window says is so.

A machine of Hypothesis uses the window with the keys, buttons and files that there are, at any
pace, while it pulls the camera out, stops it and lets it skip.  It knows which frames the camera
delivered when a recording began and when it was ended, and compares that with the file.  Rules have
no preconditions: what is so depends on threads, and Hypothesis wants each run to be the same.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QApplication, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import (
    LIVE_ADDRESS,
    FaultyCamera,
    Hands,
    MakeWindow,
    close_popup,
    discard,
    drop_file,
    numbers_in,
)
from thermoseg import camera_feed
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.recording.reader import Recording
from thermoseg.recording.status import RecordingSummary
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.shell.notices import MOST
from ui.shell.rail import PageName
from ui.texts import live as live_texts
from ui.texts import shell as shell_texts

FILES = st.sampled_from(("gone.h5", "broken.h5", "broken.safetensors"))


class WindowMachine(RuleBasedStateMachine):
    """One window, one camera, one pair of restless hands."""

    def __init__(self, make: Callable[[FaultyCamera], Hands], choices: list[str]) -> None:
        super().__init__()
        self.camera = FaultyCamera(rate_hz=120)
        self.hands = make(self.camera)
        self.window = self.hands.window
        self.live = self.hands.live
        self.control = self.window.controller.recording
        self.choices = choices
        self.wanted = False
        """Whether what is being done may end a recording."""
        self.unwanted = 0
        """Recordings that ended though nobody wanted it."""
        self.begun_at: int | None = None
        """Frames delivered when the recording was first said to be on."""
        self.asked_at = 0
        """Frames delivered when its end was asked for."""
        self.told: list[tuple[RecordingSummary, str, int | None, int]] = []
        """What came of each recording, and `begun_at` and `asked_at` of it; not yet checked."""
        self.paths: list[Path] = []
        self.later_s = 0.0
        self.control._clock = lambda: time.monotonic() + self.later_s
        self.control.changed.connect(self.on_changed)
        self.control.saved.connect(self.on_saved)
        self.closer = QTimer()
        self.closer.timeout.connect(close_popup)
        self.closer.start(20)

    def on_changed(self) -> None:
        state = self.control.state
        if state is RecordState.STARTING:
            self.begun_at = None
        elif state is RecordState.ON:
            self.begun_at = len(self.camera.delivered)
        elif state is RecordState.STOPPING:
            self.asked_at = len(self.camera.delivered)
            self.unwanted += not self.wanted

    def on_saved(self, summary: RecordingSummary) -> None:
        told = self.window.notices.sentences
        notice = next((each for each in reversed(told) if str(summary.path) in each), "")
        self.told.append((summary, notice, self.begun_at, self.asked_at))

    @contextmanager
    def wanting(self) -> Iterator[None]:
        self.wanted = True
        yield
        self.wanted = False

    # What one does.

    @initialize(seconds=st.sampled_from((0, 0, 5)))
    def open_a_camera(self, seconds: float) -> None:
        self.window.controller.start(LIVE_ADDRESS)
        self.hands.wait(lambda: self.window.controller.view.frame is not None)
        self.live.desk.panel.pre_record_chosen.emit(seconds)

    @rule()
    def press_f9(self) -> None:
        self.come_to_keys()
        with self.wanting():
            self.hands.key(Qt.Key.Key_F9)

    def come_to_keys(self) -> None:
        """Be active when the question is gone; a desktop sees to it, offscreen nobody does."""
        if self.window.question.box is None:
            self.hands.wait_active()

    @rule()
    def record_for_sure(self) -> None:
        """As one does it who waits for the answer of the checklist."""
        controller = self.window.controller
        busy = self.control.state.active or self.window.question.box is not None
        if controller.state is not CameraState.RUNNING or busy:
            return
        self.come_to_keys()
        self.hands.key(Qt.Key.Key_F9)
        self.hands.wait(lambda: self.control.state.active or self.hands.doubt_button() is not None)
        if not self.control.state.active:
            self.hands.key(Qt.Key.Key_F9)
        self.turn(200)

    @rule(milliseconds=st.sampled_from((0, 30, 200)))
    def stop_for_sure(self, milliseconds: int) -> None:
        """Later than a second after the start, when a press is meant as Stop."""
        if self.control.state is not RecordState.ON:
            return
        self.turn(milliseconds)
        self.later_s += 1.0
        self.press_f9()
        if self.window.question.box is None:
            assert self.control.state is not RecordState.ON

    @rule()
    def click_record(self) -> None:
        button = self.hands.button("Record", self.window.strip)
        if button.isEnabled():
            with self.wanting():
                self.hands.click(button)

    @rule()
    def press_space(self) -> None:
        self.hands.key(Qt.Key.Key_Space)

    @rule(number=st.sampled_from((Qt.Key.Key_1, Qt.Key.Key_2)))
    def switch_page(self, number: Qt.Key) -> None:
        self.hands.key(number, Qt.KeyboardModifier.ControlModifier)

    @rule(key=st.sampled_from("123456789MOFPLC"))
    def press_key_of_the_page(self, key: str) -> None:
        self.hands.key(Qt.Key[f"Key_{key}"])

    @rule()
    def take_mark_back(self) -> None:
        for button in self.live.desk.markers.findChildren(QPushButton):
            if button.accessibleName() == live_texts.UNDO_MARK and button.isVisible():
                self.hands.click(button)

    @rule(name=FILES)
    def open_file(self, name: str) -> None:
        self.choices.append(name)
        self.hands.key(Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
        self.choices.clear()

    @rule(name=FILES)
    def drop_file(self, name: str) -> None:
        drop_file(self.window, Path(name))

    @rule()
    def toggle_camera(self) -> None:
        if self.live.isVisible():
            self.live.source.toggle()

    @rule()
    def open_another(self) -> None:
        self.window.open_address(LIVE_ADDRESS)

    @rule()
    def close_the_window(self) -> None:
        """It asks while it records; else it would be the end, and is left out."""
        if self.control.state.active:
            self.window.close()

    @rule(model=st.sampled_from(("none", "no-such-model")))
    def choose_model(self, model: str) -> None:
        self.window.controller.models.choose(model)

    @rule(count=st.integers(0, 3))
    def draw_rois(self, count: int) -> None:
        outline = ((2.0, 2.0), (12.0, 2.0), (12.0, 12.0))
        pane = self.live.pane
        pane.restore_drawn(
            tuple(DrawnRoi(name=f"roi_{n}", outline_px=outline) for n in range(count))
        )
        pane.rois_changed.emit(pane.drawn)

    @rule(end=st.booleans())
    def answer(self, end: bool) -> None:
        box = self.window.question.box
        if box is None:
            return
        closing = shell_texts.CLOSE_WINDOW in box.informativeText().casefold()
        with self.wanting():
            self.hands.answer(end=end and not closing)

    @rule(milliseconds=st.sampled_from((0, 5, 30, 120, 200)))
    def turn(self, milliseconds: int) -> None:
        """Let the window's loop run for a while."""
        self.hands.qtbot.wait(milliseconds)

    # What happens to the camera.

    @rule()
    def unplug(self) -> None:
        self.camera.plugged = False

    @rule()
    def fall_silent(self) -> None:
        self.camera.silent = True

    @rule()
    def come_back(self) -> None:
        self.camera.plugged, self.camera.silent = True, False

    @rule(frames=st.integers(1, 5))
    def refuse_frames(self, frames: int) -> None:
        self.camera.refusing = frames

    @rule(frames=st.integers(1, 200))
    def skip_frames(self, frames: int) -> None:
        self.camera.skipping = frames

    # What must be so.

    @invariant()
    def the_strip_says_what_is_so(self) -> None:
        content, controller = self.window.strip.content, self.window.controller
        assert content.recording is self.control.state
        assert content.camera_state == controller.state.value
        if content.recording in (RecordState.OFF, RecordState.FAILED, RecordState.STARTING):
            assert content.status is None

    @invariant()
    def few_notices_and_no_defect(self) -> None:
        sentences = self.window.notices.sentences
        assert len(sentences) <= MOST
        assert not any("inside the program" in each for each in sentences)

    @invariant()
    def no_dialog_but_the_question(self) -> None:
        modal = QApplication.activeModalWidget()
        assert modal is None or modal is self.window.question.box
        assert modal is None or self.control.state.active, "it asks about what is over"

    @invariant()
    def it_ends_by_stop_alone(self) -> None:
        assert self.unwanted == 0

    @invariant()
    def every_file_holds_what_was_said(self) -> None:
        while self.told:
            self.check(*self.told.pop(0))

    def check(
        self, summary: RecordingSummary, notice: str, begun_at: int | None, asked_at: int
    ) -> None:
        """Compare a recording that ended with what was said of it and what was delivered."""
        assert summary.path not in self.paths
        self.paths.append(summary.path)
        with Recording(summary.path) as file:
            numbers, counts, ended = numbers_in(file), file.counts, file.ended
        assert ended in ("stopped", "camera lost")
        assert summary.failed == ""
        assert len(numbers) == summary.recorded == counts.recorded
        assert (counts.dropped, counts.missed) == (summary.dropped, summary.missed)
        assert f"{summary.recorded} frames" in notice
        for count, word in ((summary.missed, "missed"), (summary.dropped, "dropped")):
            assert (f"{count} {word}" in notice) == (count > 0)
        if not numbers:
            return
        offered = range(numbers[0], numbers[-1] + 1)
        assert numbers == sorted(set(numbers)), "no frame twice, none out of order"
        assert summary.captured - len(numbers) == summary.dropped
        assert len(offered) - len(numbers) <= summary.dropped, "each lost frame is counted"
        assert begun_at is None or numbers[0] <= begun_at, "it was said to record before it did"
        # One frame may be on its way when the end is asked for.
        assert numbers[-1] >= asked_at - 2 - summary.dropped
        if not self.camera.opened_before & set(offered[1:]):
            skipped = sum(self.camera.skipped_before[number] for number in offered[1:])
            assert summary.missed == skipped

    def teardown(self) -> None:
        """End as one does at the end of the day."""
        self.come_back()
        if self.window.question.box is not None:
            self.hands.answer(end=False)
        if self.control.state.active:
            with self.wanting():
                self.control.stop()
            self.hands.wait(lambda: not self.control.state.active)
        self.closer.stop()
        try:
            self.every_file_holds_what_was_said()
        finally:
            discard(self.window)


@pytest.fixture
def machine(
    qtbot: QtBot, make_window: MakeWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], WindowMachine]:
    """Make machines, each around a window of its own."""
    monkeypatch.setattr(camera_feed, "BACK_OFF_S", (0.0, 0.02))
    monkeypatch.setattr(camera_feed, "SILENCE_LIMIT_S", 0.5)
    monkeypatch.chdir(tmp_path)
    Path("broken.safetensors").write_bytes(b"nonsense")
    Path("broken.h5").write_bytes(b"nonsense")
    choices: list[str] = []
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (choices[0] if choices else "", "")
    )
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    monkeypatch.setattr("ui.shell.saved.show_folder_of", lambda _: None)
    monkeypatch.setattr("ui.shell.saved.to_trash", lambda *_: None)

    def make(camera: FaultyCamera) -> Hands:
        hands = Hands(qtbot, make_window(lambda _: camera))
        hands.window.show_page(PageName.LIVE)
        hands.wait_active()
        return hands

    return lambda: WindowMachine(make, choices)


def run(machine: Callable[[], WindowMachine], examples: int, steps: int, *, same: bool) -> None:
    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]  # it takes what makes one as well
        settings=limits(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same,
            database=None,
            phases=(Phase.generate,),  # threads run as they like, so that nothing can be shrunk
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_is_done_the_window_says_what_is_so(
    machine: Callable[[], WindowMachine],
) -> None:
    run(machine, examples=6, steps=30, same=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_is_done_at_length(machine: Callable[[], WindowMachine]) -> None:
    run(machine, examples=150, steps=60, same=False)
