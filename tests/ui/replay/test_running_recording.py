"""A recording that is opened while it runs, by this window and by somebody else."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.conftest import WaitFor
from tests.recording.made_frames import running_writer
from tests.ui.replay.conftest import FRAMES, INFO, frame_of
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.recorder import Recorder
from ui.replay.export_panel import KIND
from ui.replay.exporting import ExportKind
from ui.replay.page import ReplayPage
from ui.replay.replay_state import ReplayState
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

EARLY = 15
"""Frames on the disk when it is opened."""
Open = Callable[[Path], ReplayPage]


@pytest.fixture
def running(study: Path, wait_for: WaitFor) -> Iterator[Recorder]:
    """Somebody's recording that runs."""
    recorder = Recorder(study / "running.h5", INFO, "made:", None, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for index in range(EARLY):
        recorder.offer(frame_of(index))
    wait_for(lambda: running_writer(recorder).control["flushed"] == EARLY)
    yield recorder
    recorder.stop()


def end(recorder: Recorder) -> None:
    for index in range(EARLY, FRAMES):
        recorder.offer(frame_of(index))
    assert recorder.stop().recorded == FRAMES


def test_what_ended_is_read_again_where_one_was(
    open_here: Open, running: Recorder, qtbot: QtBot
) -> None:
    page = open_here(running.path)
    assert page.controller.last == EARLY - 1
    assert "on the disk" in page.export._stretch.text()
    page.controller.select((3, 9))
    page.controller.seek(7)
    end(running)
    page.recording_ended()

    qtbot.waitUntil(lambda: page.settled and page.controller.last == FRAMES - 1, timeout=20_000)
    assert (page.controller.index, page.controller.selection) == (7, (3, 9))
    assert page.analyses.possible
    page.controller.select(None)
    assert page.export._stretch.text() == "The whole recording."
    assert page.controller.tables is not None


def test_an_export_after_the_end_holds_all_though_nobody_told_the_window(
    open_here: Open, running: Recorder, window: MainWindow, qtbot: QtBot
) -> None:
    window.preferences.set(KIND, ExportKind.TABLES.name)
    page = open_here(running.path)
    end(running)
    page.export.export()
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=20_000)

    with running.path.with_name("running_frames.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == FRAMES
    assert '"complete": true' in running.path.with_name("running_session.json").read_text()
    qtbot.waitUntil(lambda: page.settled and page.controller.last == FRAMES - 1, timeout=20_000)


def test_an_export_while_it_runs_says_that_it_is_not_all(
    open_here: Open, running: Recorder, window: MainWindow, qtbot: QtBot
) -> None:
    window.preferences.set(KIND, ExportKind.TABLES.name)
    page = open_here(running.path)
    page.export.export()
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=20_000)

    assert f"after its first {EARLY} frames is left out" in window.notices.sentences[-1]


def test_a_hidden_page_reads_it_again_when_it_is_seen(
    open_here: Open, running: Recorder, window: MainWindow, qtbot: QtBot
) -> None:
    page = open_here(running.path)
    window.show_page(PageName.LIVE)
    end(running)
    page.recording_ended()
    assert page.controller.last == EARLY - 1

    window.show_page(PageName.REPLAY)
    qtbot.waitUntil(lambda: page.settled and page.controller.last == FRAMES - 1, timeout=20_000)


def test_what_grew_under_a_recorder_elsewhere_is_read_again_by_an_export(
    open_here: Open, crashed: Path, talk: Path, window: MainWindow, qtbot: QtBot
) -> None:
    window.preferences.set(KIND, ExportKind.TABLES.name)
    page = open_here(crashed)
    assert "reached the disk" in page.export._stretch.text()
    page.export.export()
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=20_000)
    assert page.settled
    assert not page.analyses.possible

    shutil.copyfile(talk, crashed)  # its recorder has ended it
    page.export.export()
    qtbot.waitUntil(lambda: page.export.queue.current is None, timeout=20_000)
    qtbot.waitUntil(lambda: page.settled and page.analyses.possible, timeout=20_000)
    second = crashed.with_name("crashed-2_session.json").read_text()
    assert '"complete": true' in second


def test_an_unfinished_file_that_vanishes_stays_in_sight(open_here: Open, crashed: Path) -> None:
    page = open_here(crashed)
    crashed.unlink()
    page.recording_ended()

    assert page.controller.state is ReplayState.OPEN
    assert page.controller.last == FRAMES - 1
