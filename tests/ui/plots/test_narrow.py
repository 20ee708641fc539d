"""Where there is hardly any room, the plots are small, and nothing fails."""

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.plots.conftest import Feed
from thermoseg.traces import Traces
from ui.plots.traces import TracePlots
from ui.shell.theme import DARK


@pytest.mark.parametrize("width", [10, 250, 500])
def test_plots_without_room_are_drawn_and_have_their_stretch_again(
    qtbot: QtBot, feed: Feed, width: int
) -> None:
    traces = Traces()
    feed(traces, 0, 100, {"nostrils": 34.0})
    plots = TracePlots()
    qtbot.addWidget(plots)
    plots.setMinimumWidth(1)
    plots.set_theme(DARK, 2.5)
    plots.resize(width, 200)
    plots.show()
    plots.show_live(traces, 99.9)
    qtbot.waitUntil(lambda: plots._board.plots[0].box.width() == 0)
    plots.show_live(traces, 100.0)
    plots.resize(1600, 600)
    qtbot.waitUntil(lambda: plots._board.plot_width > 300)
    plots.show_live(traces, 100.0)

    assert [round(end, 3) for end in plots._board.plots[0].box.viewRange()[0]] == [40.0, 100.0]
