"""Pixels get the colours of their temperatures, at the place where they are seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt6.QtGui import QTransform

from ui.picture.raster import colour_words, enlarge, place, scale_to_bytes


def test_temperatures_become_bytes() -> None:
    celsius = np.array([[19.0, 20.0, 25.0, 30.0, 31.0, np.nan]], np.float32)
    out = np.zeros((1, 6), np.uint8)

    scale_to_bytes(celsius, (20.0, 30.0), out)

    assert out.tolist() == [[0, 0, 127, 254, 255, 0]]


def test_a_span_without_width_is_drawn_too() -> None:
    out = np.zeros((1, 2), np.uint8)

    scale_to_bytes(np.array([[30.0, 31.0]], np.float32), (30.0, 30.0), out)

    assert out.tolist() == [[0, 255]]


@settings(deadline=None)
@given(
    scale=st.floats(0.2, 40),
    offset=st.tuples(st.floats(-3000, 900), st.floats(-3000, 900)),
    mirrored=st.booleans(),
)
def test_what_is_seen_of_a_picture_lies_where_the_transform_puts_it(
    scale: float, offset: tuple[float, float], mirrored: bool
) -> None:
    across = -scale if mirrored else scale
    transform = QTransform(across, 0, 0, scale, *offset)

    placed = place(transform, (48, 64), (800, 600))

    if placed is None:
        left, right = sorted((offset[0], offset[0] + 64 * across))
        assert right <= 0 or left >= 800 or offset[1] + 48 * scale <= 0 or offset[1] >= 600
        return
    expected = sorted(
        (offset[0] + across * placed.columns.start, offset[0] + across * placed.columns.stop)
    )
    assert placed.target.left() == pytest.approx(expected[0], abs=0.51)
    assert placed.target.top() == pytest.approx(offset[1] + scale * placed.rows.start, abs=0.51)
    assert placed.mirrored is mirrored


@pytest.mark.parametrize("smooth", [True, False])
def test_a_mirrored_picture_is_the_picture_turned_round(smooth: bool) -> None:
    image = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64) // 2
    plain = place(QTransform(4, 0, 0, 4, 0, 0), (48, 64), (256, 192))
    turned = place(QTransform(-4, 0, 0, 4, 256, 0), (48, 64), (256, 192))
    assert plain is not None
    assert turned is not None

    seen = enlarge(image, turned, smooth)

    np.testing.assert_array_equal(seen, enlarge(image, plain, smooth)[:, ::-1])


def test_squares_are_squares() -> None:
    image = np.array([[0, 200], [100, 50]], np.uint8)
    placed = place(QTransform(3, 0, 0, 3, 0, 0), (2, 2), (6, 6))
    assert placed is not None

    assert enlarge(image, placed, smooth=False).tolist() == np.kron(image, np.ones((3, 3))).tolist()


def test_the_byte_of_the_isotherm_is_the_warmest_colour_where_there_is_none() -> None:
    table = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)

    assert colour_words(table, None)[253:] == [0xFFFEFEFE, 0xFFFFFFFF, 0xFFFFFFFF]
    assert colour_words(table, np.array([255, 120, 0], np.uint8))[254:] == [0xFFFFFFFF, 0xFFFF7800]
