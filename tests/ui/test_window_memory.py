"""Whatever is remembered, by whichever version, and however unfit: the window starts."""

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import ui.pages
from tests.ui.window_parts import Hands, MakeWindow, discard
from ui.live.page import PICTURE as LIVE_PICTURE
from ui.live.page import TRACES as LIVE_TRACES
from ui.replay.page import PICTURE as REPLAY_PICTURE
from ui.replay.page import TRACES as REPLAY_TRACES
from ui.shell.preferences import Preference, Preferences
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

assert ui.pages, "imports every page, and with it every preference"
OF_THE_WINDOW = {
    id(value)
    for name, module in list(sys.modules.items())
    if name.startswith("ui.")
    for value in list(vars(module).values())
}
ALL = sorted(
    # Other tests have preferences of their own.
    (e for e in gc.get_objects() if type(e) is Preference and id(e) in OF_THE_WINDOW),
    key=lambda each: each.key,
)
STRUCTURED = (LIVE_PICTURE, LIVE_TRACES, REPLAY_PICTURE, REPLAY_TRACES)
"""Values with parts of their own, each checked alone as well."""
NONSENSE = st.one_of(
    st.text(max_size=30),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=6,
    ).map(json.dumps),
)


@pytest.fixture
def every_page(settings: QSettings, make_window: MakeWindow) -> "Start":
    return Start(settings, make_window)


class Start:
    """Starts a window with what is remembered, shows each page, and closes it."""

    def __init__(self, settings: QSettings, make_window: MakeWindow) -> None:
        self.settings, self.make_window = settings, make_window

    def __call__(self, remembered: dict[str, str]) -> None:
        for key, text in remembered.items():
            self.settings.setValue(key, text)
        window = self.make_window()
        for name in PageName:
            if self.there(window, name):
                window.show_page(name)
        QApplication.processEvents()
        assert "inside the program" not in " ".join(window.notices.sentences)
        discard(window)

    @staticmethod
    def there(window: MainWindow, name: PageName) -> bool:
        return window.rail.actions_by_page[name].isEnabled()


def test_every_preference_is_known_here() -> None:
    keys = [each.key for each in ALL]

    assert len(keys) == len(set(keys))
    assert {"window/zoom", "window/geometry", "live/recent", "replay/picture"} <= set(keys)


@pytest.mark.parametrize("text", ["45", "null", "[]", '"\\u0000"', "{", '{"span": "x"}'])
def test_nonsense_in_all_values_at_once_and_the_window_starts(every_page: Start, text: str) -> None:
    every_page({each.key: text for each in ALL})


SHARED = [HealthCheck.function_scoped_fixture]
SPOILT = st.fixed_dictionaries({each.key: NONSENSE for each in ALL})


@limits(max_examples=4, deadline=None, suppress_health_check=SHARED)
@given(SPOILT)
def test_any_text_in_each_value_and_the_window_starts(
    every_page: Start, remembered: dict[str, str]
) -> None:
    every_page(remembered)


@pytest.mark.slow
@pytest.mark.timeout(900)
@limits(max_examples=150, deadline=None, suppress_health_check=SHARED)
@given(SPOILT)
def test_any_text_at_length(every_page: Start, remembered: dict[str, str]) -> None:
    every_page(remembered)


@pytest.fixture
def kept(qtbot: QtBot, make_window: MakeWindow, settings: QSettings) -> dict[str, object]:
    """What a window keeps of its structured values."""
    hands = Hands(qtbot, make_window())
    for name in (PageName.LIVE, PageName.REPLAY):
        hands.window.show_page(name)
    discard(hands.window)
    preferences = Preferences(settings)
    return {each.key: preferences.get(each) for each in STRUCTURED}


def spoilt(value: object, unfit: object) -> Iterator[object]:
    """Put `unfit` into the place of each part of a value, one after the other."""
    yield unfit
    if isinstance(value, dict):
        for name, part in value.items():
            for other in spoilt(part, unfit):
                yield {**value, name: other}
    elif isinstance(value, list):
        for place, part in enumerate(value):
            for other in spoilt(part, unfit):
                yield [*value[:place], other, *value[place + 1 :]]


@pytest.mark.parametrize("unfit", [None, -1, 45, 1e308, "x", True, [], [1, "a"], {"a": 1}])
def test_each_part_of_a_structured_value_may_be_unfit(
    qtbot: QtBot, make_window: MakeWindow, kept: dict[str, object], unfit: object
) -> None:
    window = make_window()
    pages = [window.show_page(name) for name in (PageName.LIVE, PageName.REPLAY)]
    for key, value in kept.items():
        assert isinstance(value, dict)
        page = pages[0] if key.startswith("live") else pages[1]
        part = page.pane if key.endswith("picture") else page.plots  # type: ignore[attr-defined]
        for other in spoilt(value, unfit):
            if isinstance(other, dict):
                part.restore(other)
    QApplication.processEvents()

    assert window.notices.sentences == []


def test_what_was_set_is_there_the_next_time(
    qtbot: QtBot, make_window: MakeWindow, tmp_path: Path
) -> None:
    first = Hands(qtbot, make_window())
    first.window.show_page(PageName.LIVE)
    first.window.look.zoom_to(0.9)
    first.window.look.toggle_theme()
    first.window.resize(780, 600)
    first.live.pane.actions_by_name["mask"].trigger()
    shown = first.live.pane.actions_by_name["mask"].isChecked()
    theme = first.window.look.theme.name
    discard(first.window)
    second = Hands(qtbot, make_window())
    second.window.show_page(PageName.LIVE)

    assert second.window.look.theme.name == theme
    assert second.live.pane.actions_by_name["mask"].isChecked() is shown
    assert (second.window.width(), second.window.height()) == (780, 600)
