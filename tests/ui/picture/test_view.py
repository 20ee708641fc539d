"""The picture shows temperatures by colour, regions over it, and never °C that are none."""

import numpy as np
import pytest
from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from tests.ui.conftest import FakeSession
from thermoseg.labels import COLOURS, Region
from ui.picture.view import LiveView, describe_pixel, scale_to_bytes


@pytest.fixture
def view(qtbot: QtBot) -> LiveView:
    view = LiveView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.set_palette("White hot")
    view.set_outlines_visible(False)
    view.set_smooth(False)
    return view


def colour_at(view: LiveView, row: int, column: int) -> tuple[int, int, int]:
    """The colour in the middle of a pixel of the frame, as it is on the screen."""
    point = view._box.mapViewToScene(QPointF(column + 0.5, row + 0.5))
    colour = QColor(view.grab().toImage().pixel(round(point.x()), round(point.y())))
    return colour.red(), colour.green(), colour.blue()


def test_temperatures_become_bytes() -> None:
    celsius = np.array([[19.0, 20.0, 25.0, 30.0, 31.0, np.nan]], np.float32)
    out = np.zeros((1, 6), np.uint8)

    scale_to_bytes(celsius, (20.0, 30.0), np.zeros_like(celsius), out)

    assert out.tolist() == [[0, 0, 127, 255, 255, 0]]


def test_a_warm_pixel_is_bright_and_a_cold_one_dark(view: LiveView, session: FakeSession) -> None:
    view.show_frame(session.show(0, celsius=30), None, None, (30, 31))

    assert colour_at(view, 10, 10) == (0, 0, 0)
    assert colour_at(view, 0, 0) == (255, 255, 255)


def test_pictures_take_the_path_of_256_colours(view: LiveView, session: FakeSession) -> None:
    view.show_frame(session.show(0), None, None, (20, 40))
    view._picture.render()

    assert view._picture.qimage.format() == QImage.Format.Format_Indexed8


def test_regions_lie_where_their_labels_are(view: LiveView, session: FakeSession) -> None:
    frame = session.show(0, celsius=20)
    view.set_mask_opacity(1.0)

    view.show_frame(frame, session.segment(frame).segmentation.labels, None, (20, 40))

    assert colour_at(view, 25, 30) == COLOURS[Region.NOSE]
    assert colour_at(view, 35, 20) == COLOURS[Region.CHIN]
    assert colour_at(view, 10, 10) == (0, 0, 0)


def test_the_mask_can_be_hidden(view: LiveView, session: FakeSession) -> None:
    frame = session.show(0, celsius=20)
    view.set_mask_opacity(1.0)
    view.show_frame(frame, session.segment(frame).segmentation.labels, None, (20, 40))

    view.set_mask_visible(False)

    assert colour_at(view, 25, 30) == (0, 0, 0)


def test_a_late_mask_is_dimmed_and_says_how_late(view: LiveView, session: FakeSession) -> None:
    frame = session.show(0, celsius=20)
    view.set_mask_opacity(1.0)

    view.show_frame(frame, session.segment(frame).segmentation.labels, None, (20, 40), 0.4)

    assert colour_at(view, 25, 30) != COLOURS[Region.NOSE]
    assert view._behind.text() == "mask 0.4 s behind"


def test_nostrils_are_outlined(view: LiveView, session: FakeSession) -> None:
    frame = session.show(0, celsius=20)
    rois = session.segment(frame).rois
    view.show_frame(frame, None, rois, (20, 40))
    without = view.grab().toImage()

    view.set_outlines_visible(True)
    view.show_frame(frame, None, rois, (20, 40))

    assert view.grab().toImage() != without


def test_the_picture_keeps_its_shape(view: LiveView, session: FakeSession) -> None:
    view.show_frame(session.show(0), None, None, (20, 40))
    for size in ((300, 900), (900, 300)):
        view.resize(*size)
        across, down = view._box.viewPixelSize()
        assert across == pytest.approx(down, rel=0.01)


@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        (0, 0, "31.00 °C   x 0  y 0"),
        (25, 30, "30.00 °C   nose   x 30  y 25"),
        (48, 0, ""),
        (0, -1, ""),
    ],
)
def test_a_pixel_is_described(session: FakeSession, row: int, column: int, text: str) -> None:
    frame = session.show(0, celsius=30)
    labels = session.segment(frame).segmentation.labels

    assert describe_pixel(frame, labels, row, column) == text


def test_relative_counts_are_never_called_degrees(make_session: type[FakeSession]) -> None:
    frame = make_session(radiometric=False).show(0)

    assert describe_pixel(frame, None, 5, 5) == "303 relative counts   x 5  y 5"


def test_the_pointer_tells_the_temperature_of_the_newest_frame(
    view: LiveView, session: FakeSession
) -> None:
    view.show_frame(session.show(0, celsius=30), None, None, (20, 40))
    view._on_mouse_moved(view._box.mapViewToScene(QPointF(10.5, 5.5)))
    view.show_frame(session.show(1, celsius=32), None, None, (20, 40))

    assert view._pointed.text() == "32.00 °C   x 10  y 5"


def test_clearing_forgets_the_picture(view: LiveView, session: FakeSession) -> None:
    view.show_frame(session.show(0), None, None, (20, 40))
    view.clear()
    view._on_mouse_moved(QPointF(100, 100))

    assert view._pointed.isHidden()
