"""What is said of a recording that ended, and offered: nothing about a file that is not there."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QPushButton

from tests.ui.window_parts import Hands, only_file
from ui.shell.saved import to_trash
from ui.texts import shell as texts

OFFERS = {texts.REPLAY, texts.SHOW_IN_FOLDER, texts.TO_TRASH}


def offers(hands: Hands) -> set[str]:
    buttons = hands.window.notices.findChildren(QPushButton)
    return OFFERS & {each.text() for each in buttons if each.isVisible()}


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def rename(path: Path) -> None:
    path.rename(path.with_name("other.h5"))


def replace(path: Path) -> None:
    other = path.with_name("other.h5")
    other.write_bytes(b"somebody's")
    other.replace(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody take an open file away")
@pytest.mark.parametrize("take", [remove_folder, rename, replace], ids=lambda take: take.__name__)
def test_a_recording_that_was_taken_away_is_not_called_saved(
    hands: Hands, take: Callable[[Path], None]
) -> None:
    hands.open_camera()
    hands.record()
    control = hands.window.controller.recording
    path = control.path
    assert path is not None
    hands.wait(lambda: control.status and control.status.recorded > 5)
    take(path)
    hands.wait(lambda: not control.state.active)

    said = hands.window.notices.sentences[-1]
    assert "was removed, renamed or replaced while it was recorded" in said
    assert "Saved" not in said
    assert offers(hands) == set()
    if take is rename and sys.platform == "linux":
        assert str(path.with_name("other.h5")) in said


def test_what_is_gone_by_then_is_not_called_in_the_trash(hands: Hands, recordings: Path) -> None:
    hands.open_camera()
    hands.record()
    hands.window.controller.recording.stop()
    hands.wait(lambda: not hands.window.controller.recording.state.active)
    assert offers(hands) == OFFERS

    path = only_file(recordings)
    path.unlink()
    to_trash(hands.window.notices, path)
    assert hands.window.notices.sentences[-1] == texts.sentence(texts.not_there(path))
