"""What a crash has left is told once, with a button that recovers it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.conftest import WaitFor
from tests.copying import hold_copying
from tests.export.hand_made import write_session
from tests.ui.conftest import make_surroundings
from ui.live.leftovers import Leftovers
from ui.shell.notices import Notices
from ui.shell.preferences import Preferences


@pytest.fixture
def notices(qtbot: QtBot) -> Notices:
    notices = Notices(str)
    qtbot.addWidget(notices)
    return notices


@pytest.fixture
def leftovers(settings: QSettings, notices: Notices) -> Iterator[Leftovers]:
    leftovers = Leftovers(make_surroundings(Preferences(settings), notices))
    yield leftovers
    leftovers.close()


def crash(folder: Path, name: str, session: Path | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if session is None:
        path.write_bytes(b"half a session")
    else:
        shutil.copy(session, path)
    path.with_name(f"{name}.RECORDING").write_text('{"pid": 4194305, "started": 0}')
    return path


def test_it_is_told_once_wherever_in_the_study_it_lies(
    qtbot: QtBot, leftovers: Leftovers, notices: Notices, tmp_path: Path
) -> None:
    path = crash(tmp_path / "sourcedata" / "sub-07" / "ses-01", "a.h5")
    leftovers.look([tmp_path])
    qtbot.waitUntil(lambda: notices.sentences == [f"{path} was not finished (a crash?)."])
    leftovers.look([tmp_path])
    leftovers.close()

    assert len(notices.sentences) == 1


def test_of_many_the_number_is_told(
    qtbot: QtBot, leftovers: Leftovers, notices: Notices, tmp_path: Path
) -> None:
    for number in range(5):
        crash(tmp_path, f"{number}.h5")
    leftovers.look([tmp_path])
    qtbot.waitUntil(lambda: len(notices.sentences) == 3)

    assert notices.sentences[-1].startswith("3 more recordings")


def test_what_cannot_be_recovered_is_told_with_the_reason(
    qtbot: QtBot, leftovers: Leftovers, notices: Notices, tmp_path: Path
) -> None:
    crash(tmp_path, "a.h5")
    leftovers.look([tmp_path])
    qtbot.waitUntil(lambda: len(notices.sentences) == 1)
    buttons = [each for each in notices.findChildren(QPushButton) if each.text() == "Recover"]
    buttons[0].click()

    qtbot.waitUntil(
        lambda: any("cannot be opened as a session" in each for each in notices.sentences)
    )


def test_closing_ends_a_recovery(
    qtbot: QtBot, leftovers: Leftovers, notices: Notices, tmp_path: Path, wait_for: WaitFor
) -> None:
    left = tmp_path / "left"
    crash(left, "a.h5", write_session(tmp_path / "rest.h5"))
    leftovers.recover(left / "a.h5")
    copying = hold_copying(psutil.Process(), wait_for)
    leftovers.close()

    assert not copying.is_running()
    assert not [path for path in left.iterdir() if "recovered" in path.name]
