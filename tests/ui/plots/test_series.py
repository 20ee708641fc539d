"""A trace keeps its gaps and its spikes, however few pixels there are for it."""

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermoseg.traces import TraceWindow
from ui.plots.gaps import NO_SAMPLES, Gap, common_gaps
from ui.plots.series import Series


def window(
    times: list[float] | NDArray[np.float64],
    means: list[float] | NDArray[np.float64],
    reasons: list[str] | None = None,
) -> TraceWindow:
    """Make samples by hand; NaN is not valid, for the reason given or “lost”."""
    mean_c = np.array(means, np.float32)
    said = reasons or ["lost" if isnan(mean) else "" for mean in mean_c]
    names = tuple(dict.fromkeys(said))
    codes = np.array([names.index(reason) for reason in said], np.uint16)
    return TraceWindow(np.array(times, np.float64), mean_c, ~np.isnan(mean_c), codes, names)


def series(*windows: TraceWindow) -> Series:
    made = Series()
    for each in windows:
        made.append(each)
    return made


def steady(begin: float, end: float, rate_hz: float = 10, mean_c: float = 34) -> TraceWindow:
    times = np.arange(round(begin * rate_hz), round(end * rate_hz)) / rate_hz
    return window(times, np.full(len(times), mean_c))


def test_few_samples_are_drawn_as_they_are() -> None:
    times, means = series(window([1, 1.1, 1.2], [34, 35, 36])).drawn(0, 5, 100)

    assert times.tolist() == [1, 1.1, 1.2]
    assert means.tolist() == [34, 35, 36]


def test_missing_samples_are_a_gap_with_a_break_in_its_middle() -> None:
    trace = series(window([0, 0.1, 0.2, 0.3, 2.3, 2.4], [30, 31, 32, 33, 34, 35]))

    times, means = trace.drawn(-inf, inf, 100)
    assert times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 1.3, 2.3, 2.4])
    assert means.tolist() == pytest.approx([30, 31, 32, 33, nan, 34, 35], nan_ok=True)
    assert trace.gaps_between(-inf, inf) == [Gap(0.3, 2.3, NO_SAMPLES)]


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_gap_is_found_wherever_a_live_trace_is_cut_into_pieces(pieces: int) -> None:
    times = np.r_[np.arange(0, 10, 0.1), np.arange(90, 100, 0.1)]
    parts = np.array_split(times, pieces)
    trace = series(*(window(part, np.full(len(part), 34.0)) for part in parts))

    (gap,) = trace.gaps_between(-inf, inf)
    assert (gap.begin_s, gap.end_s) == pytest.approx((9.9, 90))


@pytest.mark.parametrize("columns", [50, 200, 1000])
def test_eighty_seconds_without_samples_are_not_joined_at_any_zoom(columns: int) -> None:
    trace = series(steady(0, 1700, 12), steady(1780, 3600, 12))

    times, means = trace.drawn(0, 3600, columns)

    breaks = times[np.isnan(means)]
    assert len(breaks) == 1
    assert 1700 <= breaks[0] <= 1780
    assert len(times) <= 4 * columns + 1


def test_a_slow_camera_is_no_gap() -> None:
    assert series(steady(0, 20, rate_hz=1)).gaps_between(-inf, inf) == []


def test_a_spike_of_one_sample_is_seen_in_an_hour() -> None:
    means = np.full(36_000, 34.0)
    means[20_001] = 36.5
    trace = series(window(np.arange(36_000) / 10, means))

    _, drawn_c = trace.drawn(0, 3600, 600)

    assert drawn_c.max() == 36.5
    assert drawn_c.min() == 34.0


def test_single_invalid_samples_do_not_empty_an_hour() -> None:
    means = np.full(36_000, 34.0)
    means[::3] = nan
    trace = series(window(np.arange(36_000) / 10, means))

    _, drawn_c = trace.drawn(0, 3600, 300)

    assert np.isfinite(drawn_c).all()


@given(
    rows=st.integers(1, 30_000),
    begin=st.integers(0, 30_000),
    length=st.integers(1, 30_000),
    columns=st.integers(1, 900),
    cuts=st.lists(st.integers(1, 29_999), max_size=4),
)
def test_what_is_drawn_has_the_extremes_of_what_was_measured(
    rows: int, begin: int, length: int, columns: int, cuts: list[int]
) -> None:
    means = 34 + np.sin(np.arange(rows) ** 1.1)
    times = np.arange(rows) / 10
    trace = Series()
    for part in np.split(np.arange(rows), sorted(cut for cut in cuts if cut < rows)):
        trace.append(window(times[part], means[part], [""] * len(part)))

    drawn_s, drawn_c = trace.drawn(begin / 10, (begin + length) / 10, columns)

    inside = means[begin : begin + length + 1].astype(np.float32)
    if inside.size:
        assert drawn_c.max() >= inside.max()
        assert drawn_c.min() <= inside.min()
    assert np.all(np.diff(drawn_s) >= 0)
    assert len(drawn_s) <= 4 * columns + 6


def test_a_scrolling_line_keeps_its_blocks() -> None:
    means = 34 + np.sin(np.arange(20_000) ** 1.1)
    trace = series(window(np.arange(20_000) / 10, means, [""] * 20_000))

    one, other = (trace.drawn(begin, begin + 1000, 500) for begin in (300.0, 300.1))

    common = np.isin(one[0], other[0])
    assert common.sum() > 0.98 * len(one[0])
    np.testing.assert_array_equal(one[1][common], other[1][np.isin(other[0], one[0])])


def test_why_there_is_no_temperature_is_known_for_every_moment() -> None:
    trace = series(
        window(
            [0, 1, 2, 3, 4, 5],
            [34, 35, nan, nan, nan, 36],
            ["", "", "shutter", "shutter", "lost", "held"],
        )
    )

    assert trace.gaps_between(-inf, inf) == [Gap(1, 4, "shutter"), Gap(4, 5, "lost")]
    assert trace.at(0.9) == (35, "")
    assert trace.at(1.0) == (35, "")
    for time_s, reason in [(1.1, "shutter"), (3.0, "shutter"), (4.6, "lost")]:
        mean_c, why = trace.at(time_s)
        assert isnan(mean_c)
        assert why == reason
    assert trace.newest_reason == "held"
    for time_s in (-0.1, 5.1):
        mean_c, why = trace.at(time_s)
        assert isnan(mean_c)
        assert why == NO_SAMPLES


def test_a_gap_that_lasts_grows_with_its_samples() -> None:
    trace = series(window([0, 1], [34, nan]))
    trace.append(window([2], [nan]))
    assert trace.gaps_between(-inf, inf) == [Gap(0, 2, "lost")]

    trace.append(window([3, 4], [34, 34]))
    assert trace.gaps_between(-inf, inf) == [Gap(0, 3, "lost")]


def test_samples_are_given_back_without_the_rows_that_break_the_line() -> None:
    trace = series(window([0, 0.1, 0.2, 0.3, 9, 9.1], [30, 31, nan, 33, 34, 35]))

    times, means = trace.samples(0.1, 9.05)

    assert times.tolist() == [0.1, 0.2, 0.3, 9]
    assert means.tolist() == pytest.approx([31, nan, 33, 34], nan_ok=True)


def test_an_empty_trace_has_nothing_to_draw() -> None:
    trace = Series()
    trace.append(window([], []))

    assert [part.size for part in trace.drawn(0, 10, 100)] == [0, 0]
    assert isnan(trace.newest_c)
    assert isnan(trace.at(1)[0])


def test_beyond_what_is_kept_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.plots.series.ROWS_KEPT", 5000)
    trace = Series()
    for begin in range(0, 2000, 10):
        trace.append(steady(begin, begin + 10))

    times, _ = trace.samples(-inf, inf)
    assert 5000 <= len(times) <= 5000 + 4096
    assert times[-1] == 1999.9
    _, drawn_c = trace.drawn(-inf, inf, 100)
    assert np.isfinite(drawn_c).all()


def test_two_traces_have_only_common_gaps_in_common() -> None:
    left = [Gap(0, 4, "shutter"), Gap(10, 20, "lost")]
    right = [Gap(1, 2, "motion"), Gap(3, 12, "lost"), Gap(19, 30, "lost")]

    assert common_gaps([left, right]) == [
        Gap(1, 2, "shutter"),
        Gap(3, 4, "shutter"),
        Gap(10, 12, "lost"),
        Gap(19, 20, "lost"),
    ]
    assert common_gaps([left]) == left
    assert common_gaps([left, []]) == []
    assert common_gaps([]) == []


def test_many_gaps_are_all_remembered() -> None:
    means = np.where(np.arange(400) % 4 == 3, nan, 34.0)
    trace = series(window(np.arange(400) / 10, means))

    assert len(trace.gaps_between(-inf, inf)) == 100
    assert trace.gaps_between(9.95, 10.25) == [Gap(9.8, 10.0, "lost"), Gap(10.2, 10.4, "lost")]
