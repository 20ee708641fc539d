import threading
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermoseg.rois import HELD, LOST, SHUTTER, RoiSample
from thermoseg.traces import CHUNK_ROWS, Traces, TraceWindow


def sample(
    time_s: float, mean_c: float = 34.0, valid: bool = True, region: str = "nose", reason: str = ""
) -> RoiSample:
    reason = reason or ("" if valid else LOST)
    return RoiSample(region, time_s, 50, mean_c, mean_c - 1, mean_c + 1, 0.3, valid, reason)


def fill(traces: Traces, samples: int, region: str = "nose", begin: int = 0) -> None:
    for tick in range(begin, begin + samples):
        traces.append([sample(tick / 10, mean_c=float(tick), region=region)])


def test_a_window_holds_the_seconds_asked_for_in_order() -> None:
    traces = Traces()
    fill(traces, 100)

    window = traces.window("nose", 8.9, 9.2)

    assert window.time_s.tolist() == [8.9, 9.0, 9.1, 9.2]
    assert window.mean_c.tolist() == [89, 90, 91, 92]
    assert window.valid.tolist() == [True] * 4


def test_the_first_sample_is_still_there_after_an_hour() -> None:
    traces = Traces()
    fill(traces, 36_000)

    whole = traces.window("nose", -inf, inf)

    assert len(whole) == 36_000
    assert (whole.time_s[0], whole.mean_c[0]) == (0.0, 0.0)
    assert (whole.time_s[-1], whole.mean_c[-1]) == (3599.9, 35_999.0)
    assert np.all(np.diff(whole.mean_c) == 1)


@given(begin=st.integers(-50, 9000), length=st.integers(0, 9000))
def test_any_window_is_what_was_appended_in_it(begin: int, length: int) -> None:
    window = LONG.window("nose", begin / 10 - 0.01, (begin + length) / 10 + 0.01)

    expected = range(max(begin, 0), min(begin + length, 8999) + 1)
    assert window.mean_c.tolist() == list(expected)


LONG = Traces()
fill(LONG, 9000)


def test_what_is_not_valid_is_a_gap_whatever_was_measured_and_keeps_its_reason() -> None:
    traces = Traces()
    traces.append([sample(1.0, reason=HELD)])
    traces.append([sample(2.0, mean_c=99.0, valid=False, reason=SHUTTER)])
    traces.append([sample(3.0)])

    window = traces.window("nose", 0, 10)

    np.testing.assert_array_equal(window.mean_c, [34.0, np.nan, 34.0])
    assert window.valid.tolist() == [True, False, True]
    assert [window.reasons[code] for code in window.reason] == [HELD, SHUTTER, ""]


def test_regions_are_kept_apart() -> None:
    traces = Traces()
    traces.append([sample(1.0, 33.0, region="nose"), sample(1.0, 35.0, region="mouth")])

    assert traces.window("nose", 0, 1).mean_c.tolist() == [33.0]
    assert traces.window("mouth", 0, 1).mean_c.tolist() == [35.0]
    assert set(traces.regions) == {"nose", "mouth"}


def test_regions_may_come_at_times_of_their_own() -> None:
    traces = Traces()
    traces.append([sample(2.0, region="left eye")])
    traces.append([sample(1.5, region="nose")])
    traces.append([sample(2.1, region="left eye")])

    assert traces.window("left eye", 0, 9).time_s.tolist() == [2.0, 2.1]


def test_an_unknown_region_has_an_empty_window() -> None:
    traces = Traces()

    assert len(traces.window("ear", -inf, inf)) == 0
    assert traces.newest("ear") is None


def test_beyond_what_is_kept_the_oldest_go() -> None:
    traces = Traces(rows_kept=2 * CHUNK_ROWS)
    fill(traces, 3 * CHUNK_ROWS)

    whole = traces.window("nose", -inf, inf)

    assert whole.mean_c[0] == CHUNK_ROWS
    assert whole.mean_c[-1] == 3 * CHUNK_ROWS - 1


def test_a_region_that_is_long_gone_is_forgotten_first() -> None:
    traces = Traces(rows_kept=2 * CHUNK_ROWS)
    fill(traces, 10, region="an ROI that was deleted")
    fill(traces, CHUNK_ROWS + 1, begin=10)

    assert len(traces.window("nose", -inf, inf)) == CHUNK_ROWS + 1
    fill(traces, CHUNK_ROWS, begin=CHUNK_ROWS + 11)
    assert traces.regions == ("nose",)


def test_windows_are_copies() -> None:
    traces = Traces()
    traces.append([sample(1.0)])
    traces.window("nose", 0, 10).mean_c[:] = 0

    assert traces.window("nose", 0, 10).mean_c.tolist() == [34.0]


def test_a_clock_that_runs_backwards_starts_the_trace_anew() -> None:
    traces = Traces()
    starts = []
    for time_s in (10.0, 11.0, 0.5, 1.0):
        traces.append([sample(time_s)])
        starts.append(traces.window("nose", 0, 60).starts)

    assert traces.window("nose", 0, 60).time_s.tolist() == [0.5, 1.0]
    assert starts == [1, 1, 2, 2]


def test_cleared_traces_begin_anew() -> None:
    traces = Traces()
    traces.append([sample(1.0)])
    traces.clear()

    assert traces.regions == ()
    assert traces.newest("nose") is None
    traces.append([sample(2.0)])
    assert traces.window("nose", 0, 9).starts == 2


def test_the_newest_sample_keeps_its_reason() -> None:
    traces = Traces()
    traces.append([sample(1.0), sample(1.0, valid=False, region="mouth")])
    newest = traces.newest("mouth")

    assert newest is not None
    assert newest.reason == LOST


def test_windows_are_whole_while_another_thread_appends() -> None:
    traces = Traces()
    writer = threading.Thread(target=fill, args=(traces, 3 * CHUNK_ROWS))
    writer.start()
    seen = 0
    while writer.is_alive():
        window = traces.window("nose", -inf, inf)
        assert window.mean_c.tolist() == list(range(len(window)))
        assert len(window) >= seen
        seen = len(window)
    writer.join()


def test_a_table_of_a_recording_becomes_a_window() -> None:
    rows = [(1.0, 33.5, True, ""), (2.0, 20.0, False, "lost"), (np.nan, 1.0, True, "")]
    kinds = [("time_s", "f8"), ("mean_c", "f8"), ("valid", "?"), ("reason", "U8")]

    window = TraceWindow.from_samples(np.array(rows, kinds))

    assert window.time_s.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(window.mean_c, [33.5, np.nan])
    assert [window.reasons[code] for code in window.reason] == ["", "lost"]


def test_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="rows_kept must be positive, got 0"):
        Traces(rows_kept=0)
