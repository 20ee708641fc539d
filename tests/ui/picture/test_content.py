"""A place is inside a box from its first pixel to its last."""

import pytest

from ui.picture.content import is_inside


@pytest.mark.parametrize(
    ("x", "y", "inside"), [(10, 20, True), (29.9, 39.9, True), (30, 25, False), (15, 19.9, False)]
)
def test_a_place_is_inside_a_box_or_not(x: float, y: float, inside: bool) -> None:
    assert is_inside((10, 20, 30, 40), x, y) is inside
