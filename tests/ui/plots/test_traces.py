"""Traces keep their gaps, and numbers that are not known are a dash with a reason."""

import numpy as np
import pytest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.conftest import MakeSample
from ui.plots.traces import TraceView, broken_at_gaps, describe_sample
from ui.shell.theme import DARK


@pytest.fixture
def view(qtbot: QtBot) -> TraceView:
    view = TraceView()
    view.set_theme(DARK, 1.0)
    qtbot.addWidget(view)
    return view


def words(view: TraceView) -> list[str]:
    return [label.text() for label in view.findChildren(QLabel)]


def test_a_trace_is_broken_where_samples_are_missing() -> None:
    time_s = np.array([0.0, 0.1, 0.2, 2.2, 2.3])

    times, means = broken_at_gaps(time_s, np.array([30.0, 31, 32, 33, 34]))

    assert times.tolist() == pytest.approx([0, 0.1, 0.2, 1.2, 2.2, 2.3])
    assert means.tolist() == pytest.approx([30, 31, 32, np.nan, 33, 34], nan_ok=True)


def test_a_slow_camera_is_no_gap() -> None:
    time_s = np.arange(5, dtype=np.float64)

    assert broken_at_gaps(time_s, np.full(5, 30.0))[0].tolist() == [0, 1, 2, 3, 4]


def test_the_curve_holds_gaps_as_nan(view: TraceView) -> None:
    mean_c = np.array([34.0, np.nan, 34.2])
    view.show_traces({"nostrils": (np.array([1.0, 1.1, 1.2]), mean_c, mean_c == mean_c)}, 1.2)

    curve = view._rows["nostrils"]._curve
    assert curve.xData.tolist() == pytest.approx([-0.2, -0.1, 0])
    assert curve.yData.tolist() == pytest.approx([34, np.nan, 34.2], nan_ok=True)
    assert curve.opts["connect"] == "finite"


def test_the_newest_temperature_is_written(view: TraceView, sample: MakeSample) -> None:
    view.show_samples({"nostrils": sample("nostrils", 34.126)})

    assert "34.13" in words(view)


def test_an_untrusted_temperature_is_a_dash_with_its_reason(
    view: TraceView, sample: MakeSample
) -> None:
    view.show_samples({"nostrils": sample("nostrils", 25.0, valid=False, reason="motion")})

    assert "motion" in words(view)
    assert not any("25" in text for text in words(view))


@pytest.mark.parametrize(
    ("mean_c", "valid", "reason", "said"),
    [
        (34.0, True, "", ("34.00", "")),
        (34.0, True, "held", ("34.00", "held")),
        (float("nan"), False, "lost", ("—", "lost")),
        (float("nan"), True, "", ("—", "")),
    ],
)
def test_a_sample_is_described(
    sample: MakeSample, mean_c: float, valid: bool, reason: str, said: tuple[str, str]
) -> None:
    assert describe_sample(sample("nose", mean_c, valid=valid, reason=reason)) == said


def test_without_a_sample_the_reason_given_is_shown(view: TraceView) -> None:
    view.show_samples({}, "no segmentation")

    assert words(view).count("no segmentation") == 2


def test_no_breathing_rate_is_invented(view: TraceView) -> None:
    assert "not estimated in this version" in words(view)


def test_the_axis_shows_the_length_chosen(view: TraceView) -> None:
    view.set_length(30)

    (low, high), _ = view._rows["nostrils"]._plot.viewRange()
    assert (low, high) == pytest.approx((-30, 0), abs=0.1)


def test_an_unknown_length_is_refused(view: TraceView) -> None:
    with pytest.raises(ValueError, match="not 45"):
        view.set_length(45)


def test_a_still_trace_does_not_fill_the_plot_with_noise(view: TraceView) -> None:
    time_s = np.arange(0, 10, 0.1, dtype=np.float64)
    mean_c = 34 + 0.001 * np.sin(time_s)
    view.show_traces({"nostrils": (time_s, mean_c, mean_c > 0)}, 10)

    _, (low, high) = view._rows["nostrils"]._plot.viewRange()
    assert high - low >= 0.5
