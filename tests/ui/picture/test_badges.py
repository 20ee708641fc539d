"""Badges never lie on each other, whatever they say and however small the view is."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt6.QtCore import QRect, QSize
from PyQt6.QtGui import QPixmap
from PyQt6.QtWidgets import QApplication, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from ui.picture.badges import Badges, Side, Wish, arrange
from ui.picture.view import PictureView
from ui.shell.theme import DARK, wear

SIZES = [(320, 240), (480, 320), (640, 480), (1280, 720), (2560, 1440)]


def texts(number: int) -> st.SearchStrategy[list[Wish]]:
    """Badges of any length, which need more lines where they have less width."""

    def wish(place: int, side: Side, width: int, height: int) -> Wish:
        return Wish(str(place), side, QSize(width, height), lambda most: height * -(-width // most))

    kinds = st.tuples(st.sampled_from(list(Side)), st.integers(10, 3000), st.integers(10, 60))
    return st.lists(kinds, max_size=number).map(
        lambda made: [wish(place, *kind) for place, kind in enumerate(made)]
    )


@settings(deadline=None)
@given(
    room=st.tuples(st.integers(100, 2600), st.integers(60, 1500)),
    above=texts(5),
    below=texts(3),
    gap=st.integers(2, 20),
)
def test_nothing_overlaps_and_nothing_leaves_the_view(
    room: tuple[int, int], above: list[Wish], below: list[Wish], gap: int
) -> None:
    below = [wish._replace(name=f"below {wish.name}") for wish in below]

    places = arrange(QSize(*room), above, below, gap)

    for place in places.values():
        assert QRect(0, 0, *room).contains(place)
    for one, other in combinations(places.values(), 2):
        assert not one.intersects(other)


def test_the_most_important_is_never_left_out_where_it_fits() -> None:
    note = Wish("note", Side.MIDDLE, QSize(100, 20), lambda _: 20)
    news = Wish("news", Side.MIDDLE, QSize(100, 20), lambda _: 20)

    assert list(arrange(QSize(200, 40), [note, news], [], 8)) == ["note"]


@pytest.mark.parametrize("scale", [1.0, 1.61])
@pytest.mark.parametrize("size", SIZES)
def test_a_view_that_has_all_to_say_says_it_legibly(
    qtbot: QtBot, qapp: QApplication, size: tuple[int, int], scale: float
) -> None:
    view = PictureView()
    qtbot.addWidget(view)
    wear(qapp, DARK, scale)
    view.set_theme(DARK, scale)
    view.resize(*size)
    view.show()
    badges = view.badges
    badges.say("news", "The shutter was closed for 0.4 s; temperatures may step")
    badges.say("behind", "mask 1.4 s behind, not shown")
    badges.say("pointed", "34.21 °C   Chin, cheeks   x 213  y 200")
    badges.set_frozen(True)
    badges.set_zoomed(True)
    badges.set_photograph(QPixmap(640, 480))
    view.set_stale("Camera lost, reopening… 12 s")

    shown = [child for child in _badges_of(view) if child.isVisible()]

    assert "Camera lost, reopening… 12 s" in [c.text() for c in shown if isinstance(c, QLabel)]
    for badge in shown:
        assert view.rect().contains(badge.geometry())
    for one, other in combinations(shown, 2):
        assert not one.geometry().intersects(other.geometry())
    wear(qapp, DARK, 1.0)


def test_all_is_said_where_there_is_room(qtbot: QtBot) -> None:
    view = QWidget()
    qtbot.addWidget(view)
    view.resize(1280, 720)
    view.show()
    badges = Badges(view, lambda: None)
    for name in ("note", "news", "behind", "pointed"):
        badges.say(name, name)
    badges.set_frozen(True)

    assert {label.text() for label in view.findChildren(QLabel) if label.isVisible()} == {
        "note",
        "news",
        "behind",
        "pointed",
        "Frozen",
    }


def _badges_of(view: QWidget) -> list[QWidget]:
    return [child for child in view.children() if isinstance(child, QLabel | QToolButton)]
