import numpy as np
import pytest

from thermoseg.rois import LOST, RoiSample
from thermoseg.traces import MAX_RATE_HZ, Traces


def sample(
    time_s: float, mean_c: float = 34.0, valid: bool = True, region: str = "nose"
) -> RoiSample:
    reason = "" if valid else LOST
    return RoiSample(region, time_s, 50, mean_c, mean_c - 1, mean_c + 1, 0.3, valid, reason)


def test_a_window_holds_the_last_seconds_in_order() -> None:
    traces = Traces(seconds=60)
    for tick in range(100):
        traces.append([sample(tick / 10, mean_c=30 + tick / 100)])

    time_s, mean_c, valid = traces.window("nose", seconds=1)

    np.testing.assert_allclose(time_s, np.arange(89, 100) / 10)
    np.testing.assert_allclose(mean_c, 30 + np.arange(89, 100) / 100)
    assert valid.all()


def test_what_is_not_valid_is_a_gap_whatever_was_measured() -> None:
    traces = Traces()
    traces.append([sample(1.0)])
    traces.append([sample(2.0, mean_c=99.0, valid=False)])
    traces.append([sample(3.0)])

    _, mean_c, valid = traces.window("nose", seconds=10)

    np.testing.assert_array_equal(mean_c, [34.0, np.nan, 34.0])
    assert valid.tolist() == [True, False, True]


def test_regions_are_kept_apart() -> None:
    traces = Traces()
    traces.append([sample(1.0, 33.0, region="nose"), sample(1.0, 35.0, region="mouth")])

    assert traces.window("nose", 1)[1].tolist() == [33.0]
    assert traces.window("mouth", 1)[1].tolist() == [35.0]
    assert set(traces.regions) == {"nose", "mouth"}


def test_an_unknown_region_has_an_empty_window() -> None:
    traces = Traces()

    assert [part.size for part in traces.window("ear", 10)] == [0, 0, 0]
    assert traces.newest("ear") is None


def test_the_promised_seconds_are_still_there_after_the_ring_went_round() -> None:
    traces = Traces(seconds=2)
    ticks = int(5 * MAX_RATE_HZ)
    for tick in range(ticks):
        traces.append([sample(tick / MAX_RATE_HZ, mean_c=float(tick))])

    time_s, mean_c, _ = traces.window("nose", seconds=2)

    assert mean_c.tolist() == [float(tick) for tick in range(ticks - 201, ticks)]
    assert time_s[-1] - time_s[0] == pytest.approx(2.0)


def test_windows_are_copies() -> None:
    traces = Traces()
    traces.append([sample(1.0)])
    window = traces.window("nose", 10)
    window[1][:] = 0

    assert traces.window("nose", 10)[1].tolist() == [34.0]


def test_a_clock_that_runs_backwards_starts_the_trace_anew() -> None:
    traces = Traces()
    for time_s in (10.0, 11.0, 0.5, 1.0):
        traces.append([sample(time_s)])

    assert traces.window("nose", 60)[0].tolist() == [0.5, 1.0]


def test_the_newest_sample_keeps_its_reason() -> None:
    traces = Traces()
    traces.append([sample(1.0), sample(1.0, valid=False, region="mouth")])
    newest = traces.newest("mouth")

    assert newest is not None
    assert newest.reason == LOST


def test_clearing_forgets_everything() -> None:
    traces = Traces()
    traces.append([sample(1.0)])
    traces.clear()

    assert traces.regions == ()
    assert traces.newest("nose") is None


def test_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds must be positive, got 0"):
        Traces(seconds=0)
