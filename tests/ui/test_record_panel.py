"""Sizes and times of recordings are written for people."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ui.record_panel import RecordPanel, describe_size
from ui.shell.theme import DARK


@pytest.fixture
def panel(qtbot: QtBot) -> RecordPanel:
    panel = RecordPanel()
    panel.set_theme(DARK, 1.0)
    qtbot.addWidget(panel)
    return panel


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (12_345, "12 kB"), (35_200_000, "35.2 MB"), (4e12, "4.00 TB")],
)
def test_a_size_is_described(size: float, text: str) -> None:
    assert describe_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00"), (61, "01:01"), (3723, "1:02:03")])
def test_time_is_written_as_a_clock(panel: RecordPanel, seconds: float, text: str) -> None:
    panel.show_progress(seconds, 0, 0)

    assert panel._elapsed.text() == text


def test_lost_frames_stand_out(panel: RecordPanel) -> None:
    panel.show_progress(1, 0, 0)
    calm = panel._drops.styleSheet()
    panel.show_progress(1, 0, 3)

    assert panel._drops.text() == "3 dropped"
    assert panel._drops.styleSheet() != calm


def test_the_folder_is_written_from_home(panel: RecordPanel) -> None:
    panel.show_folder(Path.home() / "Recordings")

    assert panel._path.whole == "Saved to ~/Recordings"


def test_asking_does_nothing_while_there_is_nothing_to_record(
    qtbot: QtBot, panel: RecordPanel
) -> None:
    panel.set_enabled(False)
    with qtbot.assertNotEmitted(panel.record_requested):
        panel.toggle()
