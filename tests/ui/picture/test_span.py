"""The colours follow the face or the scene slowly, or stay where the user put them."""

import numpy as np
import pytest

from ui.picture.span import Span, SpanMode

SCENE = np.linspace(20, 30, 64 * 48, dtype=np.float32).reshape(48, 64)


def test_the_first_picture_sets_the_colours_at_once() -> None:
    low, high = Span().follow(SCENE, None, 0.0, True)

    assert low == pytest.approx(20 + 0.05 - 0.4, abs=0.1)
    assert high == pytest.approx(30 - 0.05 + 0.4, abs=0.1)


def test_a_sudden_change_is_followed_slowly() -> None:
    span = Span()
    span.follow(SCENE, None, 0.0, True)
    one_later = span.follow(SCENE + 10, None, 1 / 30, True)
    for frame in range(2, 300):
        last = span.follow(SCENE + 10, None, frame / 30, True)

    assert one_later[1] < 31
    assert last[1] == pytest.approx(40.35, abs=0.2)


def test_dead_pixels_and_gaps_do_not_count() -> None:
    broken = SCENE.copy()
    broken[5, 5], broken[6, 6] = 900, np.nan

    assert Span().follow(broken, None, 0.0, True)[1] < 31


def test_an_even_picture_still_has_a_span() -> None:
    low, high = Span().follow(np.full((48, 64), 25, np.float32), None, 0.0, True)

    assert (low, high) == pytest.approx((24, 26))


def test_a_picture_without_values_leaves_the_colours_alone() -> None:
    span = Span()
    before = span.follow(SCENE, None, 0.0, True)

    assert span.follow(np.full((48, 64), np.nan, np.float32), None, 0.1, True) == before


def test_a_face_draws_the_colours_to_itself() -> None:
    celsius, labels = SCENE.copy(), np.zeros((48, 64), np.uint8)
    labels[10:30, 20:40] = 1
    celsius[10:30, 20:40] = np.linspace(32, 35, 400, dtype=np.float32).reshape(20, 20)

    low, high = Span().follow(celsius, labels, 0.0, True)

    assert 28 < low < 30.5
    assert 35 < high < 37


def test_without_the_face_mode_the_scene_counts() -> None:
    celsius, labels = SCENE.copy(), np.zeros((48, 64), np.uint8)
    labels[10:30, 20:40] = 1
    span = Span()
    span.mode = SpanMode.SCENE

    assert span.follow(celsius, labels, 0.0, True)[0] < 21


def test_locked_colours_stay() -> None:
    span = Span()
    span.follow(SCENE, None, 0.0, True)
    span.lock(22, 28)

    assert span.follow(SCENE + 50, None, 60.0, True) == (22, 28)


def test_another_source_unlocks() -> None:
    span = Span()
    span.lock(22, 28)
    span.forget()

    assert span.mode is SpanMode.FACE
    assert span.follow(SCENE, None, 0.0, True)[0] < 21


def test_limits_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="low < high"):
        Span().lock(30, 20)
