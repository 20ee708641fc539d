"""Spots and outlines: drawn, named, moved, measured, deleted, and told of."""

import numpy as np
import pyqtgraph as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.ui.picture.conftest import HANDS, MakeContent
from thermoseg.drawn_rois import MAX_CORNERS, MAX_ROIS, DrawnRoi
from ui.picture.drawn import mean_inside
from ui.picture.spots import is_rectangle, is_spot
from ui.picture.view import PictureView

SQUARE = DrawnRoi(name="cheek", outline_px=((10.0, 20.0), (30.0, 20.0), (30.0, 32.0), (10.0, 32.0)))
TRIANGLE = DrawnRoi(name="brow", outline_px=((5.0, 5.0), (20.0, 6.0), (12.0, 18.0)))
SPOT = DrawnRoi.spot("tip", 12.5, 8.5)


@pytest.fixture
def view(qtbot: QtBot, make_content: MakeContent) -> PictureView:
    view = PictureView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.show()
    view.show_content(make_content(30), (20, 40))
    return view


def test_what_is_restored_is_what_was_drawn_and_tells_nobody(view: PictureView) -> None:
    told: list[object] = []
    view.spots_changed.connect(told.append)
    view.rois_changed.connect(told.append)

    view.restore_drawn((SQUARE, TRIANGLE, SPOT))

    assert view.drawn.regions == (SQUARE, TRIANGLE, SPOT)
    assert not told


def test_spots_and_outlines_are_told_of_apart(view: PictureView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.rois_changed) as areas:
        view.add_rectangle()
    with qtbot.waitSignal(view.spots_changed) as spots:
        view.add_spot()
    with qtbot.waitSignal(view.rois_changed) as both:
        view.add_polygon()

    def names(told: object) -> list[str]:
        return [roi.name for roi in told[0]]  # type: ignore[index]

    assert names(areas.args) == ["area_1"]
    assert names(spots.args) == ["spot_1"]
    assert names(both.args) == ["area_1", "area_2"]


def test_new_ones_do_not_lie_on_each_other(view: PictureView) -> None:
    for _ in range(3):
        view.add_rectangle()

    corners = [np.array(roi.outline_px) for roi in view.drawn.regions]
    for place, one in enumerate(corners):
        for other in corners[place + 1 :]:
            apart = np.maximum(one.min(0) - other.max(0), other.min(0) - one.max(0))
            assert apart.max() >= -1


def test_dragging_an_outline_is_told(view: PictureView, qtbot: QtBot) -> None:
    view.restore_drawn((SQUARE,))
    item = view.drawn._items["cheek"].items()[1]

    with qtbot.waitSignal(view.rois_changed) as told:
        item.setPos(pg.Point(15, 22))  # as pyqtgraph does it while dragged

    assert told.args is not None
    assert told.args[0][0].outline_px[0] == (15.0, 22.0)


def test_no_more_is_drawn_than_can_be_stored(view: PictureView) -> None:
    names = [view.add_spot() for _ in range(MAX_ROIS + 1)]
    assert names[-1] == ""
    assert len(view.drawn.regions) == MAX_ROIS
    view.restore_drawn((TRIANGLE,))
    polygon: pg.PolyLineROI = view.drawn._items["brow"].items()[1]

    for _ in range(MAX_CORNERS):
        polygon.segmentClicked(polygon.segments[0], None, pg.Point(6, 6))

    assert len(view.drawn.regions[0].outline_px) == MAX_CORNERS


def test_keys_move_and_delete_the_selected_one(view: PictureView, qtbot: QtBot) -> None:
    view.restore_drawn((SPOT, SQUARE))
    view.drawn.select("tip")

    HANDS.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    HANDS.keyClick(
        view,
        Qt.Key.Key_Down,
        Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert view.drawn.regions[0] == DrawnRoi.spot("tip", 13.5, 18.5)
    HANDS.keyClick(view, Qt.Key.Key_Delete)

    assert view.drawn.regions == (SQUARE,)
    assert view.drawn.chosen == ""


def test_in_a_mirrored_view_right_is_where_it_is_seen(view: PictureView, qtbot: QtBot) -> None:
    view.set_mirrored(True)
    view.restore_drawn((SPOT,))
    view.drawn.select("tip")

    HANDS.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)

    assert view.drawn.regions[0] == DrawnRoi.spot("tip", 11.5, 8.5)


def test_a_deleted_name_is_free_again(view: PictureView) -> None:
    assert view.add_spot() == "spot_1"
    assert view.add_spot() == "spot_2"
    view.drawn.delete("spot_1")

    assert view.add_spot() == "spot_1"


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        ("  ", "a drawn ROI needs a name; write one"),
        ("CHEEK", "There is a region called “CHEEK” already; choose another name."),
        ("nose", "“nose” is a region of the face; choose another name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(view: PictureView, new: str, complaint: str) -> None:
    view.restore_drawn((SPOT, SQUARE))

    assert view.drawn.rename("tip", new) == complaint
    assert view.drawn.regions == (SPOT, SQUARE)


def test_a_new_name_is_told_with_the_place_kept(view: PictureView, qtbot: QtBot) -> None:
    view.restore_drawn((SQUARE, SPOT))

    with qtbot.waitSignal(view.rois_changed) as told:
        assert view.drawn.rename("cheek", "  left_cheek ") == ""

    assert told.args is not None
    assert told.args[0] == (DrawnRoi(name="left_cheek", outline_px=SQUARE.outline_px),)
    assert [roi.name for roi in view.drawn.regions] == ["left_cheek", "tip"]


def test_the_mean_inside_is_that_of_the_pixels_inside() -> None:
    celsius = np.full((48, 64), 20, np.float32)
    celsius[20:32, 10:30] = 34
    celsius[25, 15] = np.nan

    assert mean_inside(celsius, SQUARE) == pytest.approx(34)
    assert mean_inside(celsius, DrawnRoi.spot("s", 10.2, 20.9)) == 34
    assert mean_inside(celsius, DrawnRoi.spot("s", 9.9, 20.9)) == 20


@settings(deadline=None)
@given(
    corners=st.lists(st.tuples(st.floats(-100, 200), st.floats(-100, 200)), min_size=3, max_size=8)
)
def test_any_outline_is_measured_without_a_fault(corners: list[tuple[float, float]]) -> None:
    celsius = np.full((48, 64), 30, np.float32)

    mean = mean_inside(celsius, DrawnRoi(name="any", outline_px=tuple(corners)))

    assert np.isnan(mean) or mean == 30


def test_kinds_are_recognised() -> None:
    assert is_spot(SPOT)
    assert not is_spot(SQUARE)
    assert is_rectangle(np.array(SQUARE.outline_px))
    assert not is_rectangle(np.array(TRIANGLE.outline_px))
