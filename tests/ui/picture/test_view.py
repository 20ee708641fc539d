"""The picture, what lies on it, the pointer and clicks agree about every pixel."""

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QWheelEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.picture.conftest import HANDS, HEIGHT, WIDTH, MakeContent
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.labels import COLOURS, DERIVED_COLOURS, FACE_REGIONS, NOSTRILS, ROI_NAMES, Region
from thermoseg.palettes import ALARM
from ui.picture.units import Unit
from ui.picture.view import PictureView, describe_pixel

SPAN = (20.0, 40.0)
ALL = frozenset(ROI_NAMES)
Rgb = tuple[int, int, int]


@pytest.fixture
def view(qtbot: QtBot) -> PictureView:
    view = PictureView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.picture.set_palette("White hot")
    view.picture.set_smooth(False)
    view.overlay.set_looks(ALL, 1.0, tinted=True, outlined=False, unsure=False)
    view.show()
    return view


def on_view(view: PictureView, x: float, y: float) -> QPointF:
    """Where a place of the frame is seen, pixels of the view."""
    return QPointF(view.mapFromScene(view._box.mapViewToScene(QPointF(x, y))))


def colour_at(view: PictureView, row: int, column: int) -> Rgb:
    """The colour in the middle of a pixel of the frame, as it is on the screen."""
    QApplication.processEvents()
    point = on_view(view, column + 0.5, row + 0.5)
    colour = QColor(view.grab().toImage().pixel(round(point.x()), round(point.y())))
    return colour.red(), colour.green(), colour.blue()


def click(qtbot: QtBot, view: PictureView, x: float, y: float, double: bool = False) -> None:
    place = on_view(view, x, y).toPoint()
    act = HANDS.mouseDClick if double else HANDS.mouseClick
    if double:  # as a hand does it: the first press and release come before
        HANDS.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    act(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    if double:
        HANDS.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def turn_wheel(view: PictureView, place: QPointF) -> None:
    """Turn the wheel away from oneself by four notches."""
    wheel = QWheelEvent(
        place,
        QPointF(view.mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), wheel)


def test_a_warm_pixel_is_bright_and_a_cold_one_dark(
    view: PictureView, make_content: MakeContent
) -> None:
    view.show_content(make_content(30), (30, 31))

    assert colour_at(view, 10, 10) == (0, 0, 0)
    assert colour_at(view, 0, 0) == (255, 255, 255)


def test_regions_lie_where_their_labels_are(view: PictureView, make_content: MakeContent) -> None:
    view.show_content(make_content(20, masked=True), SPAN)

    assert colour_at(view, 25, 30) == COLOURS[Region.NOSE]
    assert colour_at(view, 38, 20) == COLOURS[Region.CHIN]
    assert colour_at(view, 10, 10) == (0, 0, 0)


def test_one_region_can_be_left_out(view: PictureView, make_content: MakeContent) -> None:
    view.show_content(make_content(20, masked=True), SPAN)

    view.overlay.set_looks(ALL - {"nose"}, 1.0, tinted=True, outlined=False, unsure=False)

    assert colour_at(view, 25, 30) == (0, 0, 0)
    assert colour_at(view, 38, 20) == COLOURS[Region.CHIN]


OUTLINED = {
    **{region.label: COLOURS[region] for region in FACE_REGIONS},
    **{name: colour for name, colour in DERIVED_COLOURS.items() if name != NOSTRILS},
}


@pytest.mark.parametrize("region", OUTLINED)
def test_each_region_has_an_outline_of_its_colour(
    view: PictureView, make_content: MakeContent, region: str
) -> None:
    view.show_content(make_content(20, masked=True), SPAN)
    view.overlay.set_looks(frozenset({region}), 1.0, tinted=False, outlined=True, unsure=False)
    QApplication.processEvents()

    image = view.grab().toImage()
    pixels = image.constBits()
    assert pixels is not None
    pixels.setsize(image.sizeInBytes())
    seen = np.asarray(pixels, np.uint8).reshape(-1, 4)[:, 2::-1].astype(int)
    nearest = np.abs(seen - OUTLINED[region]).max(axis=1).min()

    assert nearest <= 40


def test_a_late_mask_is_dimmed_and_says_how_late(
    view: PictureView, make_content: MakeContent
) -> None:
    view.show_content(make_content(20, masked=True, behind_s=0.4), SPAN)

    assert colour_at(view, 25, 30) != COLOURS[Region.NOSE]
    assert view.badges.text("behind") == "mask 0.4 s behind"


def test_that_masks_are_late_is_said_until_they_have_not_been_for_a_second(
    view: PictureView, make_content: MakeContent
) -> None:
    def told(time_s: float, behind_s: float) -> str:
        view.show_content(make_content(20, masked=True, time_s=time_s, behind_s=behind_s), SPAN)
        return view.badges.text("behind")

    assert told(500.0, 0.2) == ""
    assert told(500.1, 0.4) == "mask 0.4 s behind"
    assert told(500.2, 0.1) == "mask 0.1 s behind"
    assert told(501.2, 0.1) == ""

    assert told(501.3, 0.4) == "mask 0.4 s behind"
    assert told(501.4, 0.0) == "", "the mask is of this frame"
    assert told(501.5, 0.1) == ""

    assert told(501.6, 0.4) == "mask 0.4 s behind"
    assert told(2.0, 0.1) == "", "another source, whose clock has begun anew"


def test_a_mask_that_is_shown_with_another_frame_stays_and_costs_nothing(
    view: PictureView, make_content: MakeContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_content(20, masked=True)
    view.show_content(first, SPAN)
    before = colour_at(view, 25, 30)
    monkeypatch.setattr(type(view.overlay), "_find", lambda _: pytest.fail("found anew"))

    again = type(first)(
        make_content(22).frame, first.labels, first.rois, None, (), first.confidence
    )
    view.show_content(again, SPAN)

    assert colour_at(view, 25, 30) == before


def test_the_isotherm_marks_its_band_and_nothing_else(
    view: PictureView, make_content: MakeContent
) -> None:
    content = make_content(30)
    view.picture.set_isotherm((30.5, 35.0))
    view.show_content(content, (29, 31))

    assert colour_at(view, 0, 0) == ALARM
    assert colour_at(view, 10, 10) != ALARM
    view.picture.set_isotherm(None)
    assert colour_at(view, 0, 0) == (255, 255, 255)


def test_warmer_than_the_band_is_not_marked_though_the_colours_end_below(
    view: PictureView, make_content: MakeContent
) -> None:
    view.picture.set_isotherm((29.5, 30.5))
    view.show_content(make_content(30), (20, 30))

    assert colour_at(view, 10, 10) == ALARM
    assert colour_at(view, 0, 0) == (255, 255, 255)


def test_unsure_pixels_are_hatched(view: PictureView, make_content: MakeContent) -> None:
    view.show_content(make_content(20, masked=True, unsure=True), SPAN)
    plain = view.grab().toImage()
    view.overlay.set_looks(ALL, 1.0, tinted=True, outlined=False, unsure=True)
    QApplication.processEvents()
    hatched = view.grab().toImage()

    inside, outside = on_view(view, 22, 35).toPoint(), on_view(view, 42, 25).toPoint()
    near = [(inside.x() + step, inside.y()) for step in range(16)]
    assert any(hatched.pixel(*place) != plain.pixel(*place) for place in near)
    assert hatched.pixel(outside) == plain.pixel(outside)


@pytest.mark.parametrize("mirrored", [False, True])
def test_picture_mask_pointer_and_clicks_agree(
    view: PictureView, make_content: MakeContent, qtbot: QtBot, mirrored: bool
) -> None:
    view.set_mirrored(mirrored)
    view.show_content(make_content(20, masked=True, face=(16, 16, 48, 40)), (20, 21))

    assert colour_at(view, 0, 0) == (255, 255, 255)
    assert colour_at(view, 25, 30) == COLOURS[Region.NOSE]
    view._on_mouse_moved(view._box.mapViewToScene(QPointF(0.5, 0.5)))
    assert view.badges.text("pointed") == "21.00 °C   x 0  y 0"
    with qtbot.waitSignal(view.face_clicked) as clicked:
        click(qtbot, view, 20.5, 38.5)
    assert clicked.args is not None
    assert clicked.args == pytest.approx([20.5, 38.5], abs=0.2)
    left, right = on_view(view, 0, 10).x(), on_view(view, WIDTH, 10).x()
    assert (left > right) is mirrored


def test_a_click_outside_every_face_chooses_none(
    view: PictureView, make_content: MakeContent, qtbot: QtBot
) -> None:
    chosen: list[object] = []
    view.face_clicked.connect(lambda *place: chosen.append(place))
    view.show_content(make_content(20, face=(16, 16, 48, 40), others=((0, 0, 8, 8),)), SPAN)

    click(qtbot, view, 12, 44)
    assert not chosen
    click(qtbot, view, 4, 4)
    assert len(chosen) == 1


def test_the_wheel_zooms_and_fit_undoes_it(
    view: PictureView, make_content: MakeContent, qtbot: QtBot
) -> None:
    view.show_content(make_content(20), SPAN)
    before = on_view(view, WIDTH, 0).x() - on_view(view, 0, 0).x()

    zoomed = []
    turn_wheel(view, on_view(view, 32, 24))
    zoomed.append(view.zoomed)
    view.resize(500, 480)
    zoomed.append(view.zoomed)
    view.resize(640, 480)
    nearer = on_view(view, WIDTH, 0).x() - on_view(view, 0, 0).x()
    view.fit()

    assert zoomed == [True, True]
    assert nearer > 1.1 * before
    assert not view.zoomed
    assert on_view(view, WIDTH, 0).x() - on_view(view, 0, 0).x() == pytest.approx(before, abs=2)


def test_a_double_click_sets_a_spot_where_it_was(
    view: PictureView, make_content: MakeContent, qtbot: QtBot
) -> None:
    view.show_content(make_content(20), SPAN)

    with qtbot.waitSignal(view.spots_changed) as told:
        click(qtbot, view, 10.5, 30.5, double=True)

    assert told.args is not None
    (spot,) = told.args[0]
    assert spot == DrawnRoi.spot("spot_1", 10.5, 30.5)


def test_the_picture_keeps_its_shape(view: PictureView, make_content: MakeContent) -> None:
    view.show_content(make_content(), SPAN)
    for size in ((300, 900), (900, 300)):
        view.resize(*size)
        across, down = view._box.viewPixelSize()
        assert across == pytest.approx(down, rel=0.01)


@pytest.mark.parametrize(
    ("row", "column", "unit", "text"),
    [
        (0, 0, Unit.CELSIUS, "31.00 °C   x 0  y 0"),
        (25, 30, Unit.CELSIUS, "30.00 °C   Nose   x 30  y 25"),
        (25, 30, Unit.FAHRENHEIT, "86.00 °F   Nose   x 30  y 25"),
        (25, 30, Unit.KELVIN, "303.15 K   Nose   x 30  y 25"),
    ],
)
def test_a_pixel_is_described(
    make_content: MakeContent, row: int, column: int, unit: Unit, text: str
) -> None:
    assert describe_pixel(make_content(30, masked=True), row, column, unit) == text


def test_relative_counts_are_never_called_degrees(make_content: MakeContent) -> None:
    content = make_content(counts=np.full((HEIGHT, WIDTH), 203, np.uint16))

    assert describe_pixel(content, 5, 5, Unit.FAHRENHEIT) == "203 relative counts   x 5  y 5"


def test_the_pointer_tells_the_temperature_of_the_newest_frame(
    view: PictureView, make_content: MakeContent
) -> None:
    view.show_content(make_content(30), SPAN)
    view._on_mouse_moved(view._box.mapViewToScene(QPointF(10.5, 5.5)))
    view.show_content(make_content(32), SPAN)

    assert view.badges.text("pointed") == "32.00 °C   x 10  y 5"


def test_a_stale_picture_is_dark_and_says_why(view: PictureView, make_content: MakeContent) -> None:
    view.show_content(make_content(40), (20, 30))
    view.set_note("Relative counts")

    view.set_stale("Camera lost")

    assert colour_at(view, 10, 10) == (115, 115, 115)
    assert view.badges.text("note") == "Camera lost\nRelative counts"
    view.set_stale("")
    assert colour_at(view, 10, 10) == (255, 255, 255)
    assert view.badges.text("note") == "Relative counts"


def test_clearing_forgets_the_picture_and_keeps_what_was_drawn(
    view: PictureView, make_content: MakeContent
) -> None:
    view.show_content(make_content(), SPAN)
    view.restore_drawn((DrawnRoi.spot("tip", 10, 10),))
    view.clear()
    view._on_mouse_moved(QPointF(100, 100))

    assert view.badges.text("pointed") == ""
    assert [roi.name for roi in view.drawn.regions] == ["tip"]


def test_a_picture_of_another_size_is_shown_whole(
    view: PictureView, make_content: MakeContent
) -> None:
    view.show_content(make_content(20), SPAN)
    view.show_content(make_content(counts=np.full((120, 160), 9, np.uint16)), (0, 255))

    corner = on_view(view, 160, 120)
    assert corner.x() <= view.width() + 1
    assert corner.y() <= view.height() + 1
    assert on_view(view, 0, 0).x() >= -1
