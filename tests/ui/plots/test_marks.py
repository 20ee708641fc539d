"""Labels stand apart, ticks are round numbers, colours can be read."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QColor

from ui.plots.axes import say_period, say_time, time_ticks, value_ticks
from ui.plots.look import Look
from ui.plots.marks import Band, band_of, lay_out, marker_colour
from ui.shell.theme import THEMES, Theme

READABLE = 4.5
"""Contrast of text, WCAG 2.1 level AA."""


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2.1 defines it."""

    def luminance(colour: str) -> float:
        parts = [part / 255 for part in QColor(colour).getRgb()[:3] if part is not None]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_names_in_the_colours_of_traces_and_markers_can_be_read(theme: Theme) -> None:
    look, rois = Look(theme, 1.0), tuple("abcdef")
    face = ("nostrils", "nostril_left", "nostril_right", "perinasal")
    colours = [look.trace_colour(region, rois) for region in (*face, *rois)]

    assert len(set(colours)) == 10
    for colour in colours:
        assert contrast(colour, theme.card) >= READABLE
        assert contrast(colour, theme.field) >= READABLE
    for kind in ("marker", "condition", "event", "something else"):
        assert contrast(marker_colour(kind, theme), theme.card) >= READABLE


@given(
    labels=st.lists(st.tuples(st.floats(-20, 620), st.floats(5, 200)), max_size=30),
    rows=st.integers(1, 3),
)
def test_labels_neither_overlap_nor_are_cut(labels: list[tuple[float, float]], rows: int) -> None:
    labels.sort()
    places = lay_out([at for at, _ in labels], [width for _, width in labels], 600, rows)

    ends = [0.0] * rows
    for place, (_, width) in zip(places, labels, strict=True):
        if place is not None:
            left, row = place
            assert left >= ends[row]
            assert left + width <= 600
            ends[row] = left + width


def test_a_label_stands_over_its_line_where_there_is_room() -> None:
    assert lay_out([100, 300], [50, 50], 600) == [(75, 0), (275, 0)]
    assert lay_out([100, 110], [50, 50], 600) == [(75, 0), None]
    assert lay_out([100, 110], [50, 50], 600, rows=2) == [(75, 0), (85, 1)]


@pytest.mark.parametrize(
    ("time_s", "said"),
    [(0, "0:00"), (5.99, "0:05"), (65, "1:05"), (3600, "1:00:00"), (-0.2, "0:00"), (-61, "−1:01")],
)
def test_times_are_said(time_s: float, said: str) -> None:
    assert say_time(time_s) == said


def test_a_period_is_said_without_a_clock_that_is_not_known() -> None:
    assert say_period(0, 59.94, float("nan")) == "0:00.0 – 0:59.9"


@pytest.mark.parametrize(
    ("begin_s", "end_s", "room", "expected"),
    [
        (0, 60, 600, ["0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00"]),
        (-30, 30, 300, ["0:00", "0:15", "0:30"]),
        (0, 3600, 500, ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]),
        (0, 5, 800, ["0:00", "0:01", "0:02", "0:03", "0:04", "0:05"]),
    ],
)
def test_times_are_labelled_at_round_moments(
    begin_s: float, end_s: float, room: float, expected: list[str]
) -> None:
    ticks = time_ticks(begin_s, end_s, room, 40, 20)

    assert [text for _, text in ticks] == expected


@given(
    low=st.floats(-50, 400),
    span=st.floats(0.01, 500),
    room=st.floats(40, 1000),
)
def test_temperature_labels_have_room(low: float, span: float, room: float) -> None:
    ticks = value_ticks(low, low + span, room, 12, 4)
    places = [(value - low) / span * room for value, _ in ticks]

    assert all(2 - 1e-6 <= place <= room - 2 + 1e-6 for place in places)
    assert all(later - earlier >= 12 for earlier, later in pairwise(places))
    assert len({text for _, text in ticks}) == len(ticks)


def test_temperatures_are_labelled_at_round_values() -> None:
    assert [text for _, text in value_ticks(33.2, 34.6, 120, 12, 4)] == ["33.5", "34.0", "34.5"]
    assert [text for _, text in value_ticks(-0.3, 0.3, 120, 12, 4)] == ["−0.2", "0.0", "0.2"]


@pytest.mark.parametrize(
    ("reason", "band"),
    [("", Band.MISSING), ("shutter", Band.SHUTTER), ("lost", Band.UNTRUSTED)],
)
def test_every_reason_has_its_band(reason: str, band: Band) -> None:
    assert band_of(reason) is band
