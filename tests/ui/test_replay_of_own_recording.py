"""What the window records is looked at in Replay while it is recorded."""

from pathlib import Path

from PyQt6.QtCore import Qt

from tests.ui.window_parts import Hands, only_file
from thermoseg.recording.listing import Soundness
from thermoseg.recording.reader import Recording
from ui.replay.page import ReplayPage
from ui.shell.rail import PageName


def stop(hands: Hands) -> None:
    recording = hands.window.controller.recording
    hands.wait(recording.may_stop)
    hands.key(Qt.Key.Key_F9)
    hands.wait(lambda: not recording.state.active)


def test_replay_reads_the_recording_again_when_it_is_stopped(
    hands: Hands, recordings: Path
) -> None:
    hands.open_camera()
    hands.record()
    path = hands.window.controller.recording.path
    hands.wait(lambda: path is not None and len(_opened(path)) > 3)
    hands.window.open_file(str(path))
    page = hands.window.page
    assert isinstance(page, ReplayPage)
    hands.wait(lambda: page.settled and page.controller.last > 2)
    page.controller.seek(2)
    stop(hands)

    hands.wait(lambda: page.analyses.possible and page.settled)
    with Recording(only_file(recordings)) as recording:
        assert page.controller.last == len(recording) - 1
    assert page.controller.index == 2


def test_the_list_in_sight_says_that_the_recording_is_complete(
    hands: Hands, recordings: Path
) -> None:
    hands.open_camera()
    hands.record()
    page = hands.show(PageName.REPLAY)
    assert isinstance(page, ReplayPage)
    hands.wait(lambda: _states(page) == [Soundness.RECORDING])
    stop(hands)

    hands.wait(lambda: _states(page) == [Soundness.COMPLETE])


def _opened(path: Path) -> list[int]:
    with Recording(path) as recording:
        return [int(index) for index in recording.indices]


def _states(page: ReplayPage) -> list[Soundness]:
    return [found.soundness for found in page.recordings.listed]
