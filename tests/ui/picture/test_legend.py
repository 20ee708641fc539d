"""The legend tells values, and a reason once where it is the same for all regions."""

from itertools import combinations

import pytest
from PyQt6.QtWidgets import QAbstractButton, QLabel
from pytestqt.qtbot import QtBot

from tests.ui.picture.conftest import sample_of
from ui.picture.legend import LISTED, Legend
from ui.picture.units import Unit
from ui.picture.values import say_sample
from ui.shell.theme import DARK, THEMES, Theme


@pytest.fixture
def legend(qtbot: QtBot) -> Legend:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.set_theme(DARK, 1.0)
    legend.resize(760, 160)
    legend.show()
    return legend


def words(legend: Legend) -> list[str]:
    labels = [part.text() for part in legend.findChildren(QLabel) if not part.isHidden()]
    return labels + [part.text() for part in legend.findChildren(QAbstractButton)]


def test_a_reason_that_all_share_is_told_once_and_whole(legend: Legend) -> None:
    legend.show_values(dict.fromkeys(LISTED, ("—", "no temperatures")), Unit.CELSIUS)

    assert [text for text in words(legend) if "temperatures" in text] == [
        "Regions: no temperatures"
    ]
    assert words(legend).count("—") == len(LISTED)


def test_a_reason_of_its_own_stands_beside_its_region(legend: Legend) -> None:
    values = dict.fromkeys(LISTED, ("34.10", "")) | {"nose": ("—", "lost")}
    legend.show_values(values, Unit.FAHRENHEIT)

    assert "— lost" in words(legend)
    assert words(legend).count("34.10") == len(LISTED) - 1
    assert "Regions, mean °F" in words(legend)


def test_nothing_known_is_no_reason(legend: Legend) -> None:
    legend.show_values({}, Unit.CELSIUS)

    assert "Regions, mean °C" in words(legend)
    assert words(legend).count("—") == len(LISTED)


def test_values_are_those_of_valid_samples_in_the_unit() -> None:
    assert say_sample(sample_of("nose", 34.0), Unit.KELVIN) == ("307.15", "")
    assert say_sample(sample_of("nose", 34.0, "motion"), Unit.KELVIN) == ("—", "motion")
    assert say_sample(sample_of("nose", float("nan")), Unit.KELVIN) == ("—", "")


def test_it_folds_to_its_heading(legend: Legend, qtbot: QtBot) -> None:
    told: list[bool] = []
    legend.folded.connect(told.append)

    legend.set_folded(True)
    assert legend.is_folded
    assert not any(row.isVisible() for row in legend._rows.values())
    assert not told, "only the user's own folding is told"
    legend._head.click()

    assert told == [False]
    assert all(row.isVisible() for row in legend._rows.values())


@pytest.mark.parametrize("width", [200, 420, 1200])
def test_rows_lie_beside_and_below_each_other(legend: Legend, qtbot: QtBot, width: int) -> None:
    legend.set_drawn(["left cheek", "Spot 1"])
    legend.resize(width, 500)

    def lie_apart() -> bool:
        boxes = [row.geometry() for row in legend._rows.values()]
        pairs = combinations(boxes, 2)
        return all(box.width() > 0 for box in boxes) and not any(a.intersects(b) for a, b in pairs)

    qtbot.waitUntil(lie_apart)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_its_words_can_be_read(theme: Theme) -> None:
    for colour in (theme.text, theme.muted, theme.warning):
        light, dark = sorted((luminance(colour), luminance(theme.card)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
