"""What cannot be exported of a recording is not offered, and it is said why."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QPushButton

from ui.replay.exporting import ExportKind
from ui.replay.page import ReplayPage

OF_PICTURES = [ExportKind.FRAME, ExportKind.REGION, ExportKind.VIDEO, ExportKind.TIFF]


def entries(page: ReplayPage) -> dict[ExportKind, tuple[bool, str]]:
    """Whether each kind can be chosen, and its tool tip."""
    box = page.export.findChild(QComboBox)
    assert box is not None
    model = box.model()
    assert model is not None
    found = {}
    for row, kind in enumerate(ExportKind):
        index = model.index(row, 0)
        enabled = bool(model.flags(index) & Qt.ItemFlag.ItemIsEnabled)
        found[kind] = enabled, index.data(Qt.ItemDataRole.ToolTipRole) or ""
    return found


def button(page: ReplayPage) -> QPushButton:
    return next(each for each in page.export.findChildren(QPushButton) if each.text() == "Export")


def test_traces_alone_offer_no_kind_that_is_made_of_pictures(
    open_here: Callable[[Path], ReplayPage], study: Path
) -> None:
    page = open_here(study / "traces.h5")

    offered = entries(page)
    assert [kind for kind in ExportKind if not offered[kind][0]] == OF_PICTURES
    for kind in OF_PICTURES:
        assert "traces and no pictures" in offered[kind][1]
    assert button(page).isEnabled()

    open_here(study / "talk.h5")
    assert set(entries(page).values()) == {(True, "")}


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_a_kind_chosen_before_says_why_it_cannot_be_made_of_traces(
    open_here: Callable[[Path], ReplayPage], study: Path, kind: ExportKind
) -> None:
    page = open_here(study / "talk.h5")
    box = page.export.findChild(QComboBox)
    assert box is not None
    box.setCurrentIndex(list(ExportKind).index(kind))
    box.activated.emit(box.currentIndex())
    assert button(page).isEnabled()

    open_here(study / "traces.h5")
    assert not button(page).isEnabled()
    assert "traces and no pictures" in button(page).toolTip()
    assert "traces and no pictures" in page.export._stretch.text()
