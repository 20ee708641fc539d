"""The options of a camera are a form that becomes its address."""

import pytest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from ui.live.options_panel import OptionsPanel


@pytest.fixture
def panel(qtbot: QtBot) -> OptionsPanel:
    panel = OptionsPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def note(panel: OptionsPanel) -> str:
    return next(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


def test_what_an_address_gives_is_shown_and_given_back(qtbot: QtBot, panel: OptionsPanel) -> None:
    panel.show_address("simulated:?width=160&glasses=true")
    with qtbot.waitSignal(panel.applied) as applied:
        panel._apply.click()

    assert applied.args == ["simulated:?width=160&glasses=true"]


def test_without_options_or_with_a_wrong_address_it_says_so(panel: OptionsPanel) -> None:
    assert "Choose a camera" in note(panel)
    panel.show_address("nonsense")
    assert "nonsense" in note(panel)
    assert not panel._apply.isVisible()
