"""The account of a session agrees with what NumPy says of the same numbers."""

import math
import time

import numpy as np
import pytest

from thermoseg.tally import LATENCY_WINDOW, RATE_WINDOW_S, SessionCounts, Tally


def report(tally: Tally) -> SessionCounts:
    return tally.report(replaced=0, recorded=0, dropped=0, sink_dropped=0)


@pytest.mark.parametrize("results", [1, 2, 3, 20, LATENCY_WINDOW + 50])
def test_latencies_are_told_by_their_percentiles(results: int) -> None:
    latencies_s = np.random.default_rng(results).gamma(2.0, 0.02, results)
    tally = Tally()
    for latency_s in latencies_s:
        tally.note_result(time.monotonic(), float(latency_s))

    counts = report(tally)
    kept_ms = 1e3 * latencies_s[-LATENCY_WINDOW:]
    assert counts.segmented == results
    assert counts.latency_p50_ms == pytest.approx(np.percentile(kept_ms, 50))
    assert counts.latency_p95_ms == pytest.approx(np.percentile(kept_ms, 95))


def test_rates_are_those_of_the_last_seconds() -> None:
    now_s = time.monotonic()
    tally = Tally()
    slow = np.arange(now_s - 20, now_s - RATE_WINDOW_S - 0.5, 1.0)
    fast = np.arange(now_s - RATE_WINDOW_S + 0.5, now_s, 0.05)
    for moment_s in (*slow, *fast):
        tally.note_result(float(moment_s), 0.01)

    assert report(tally).segmented_rate_hz == pytest.approx(20)


def test_nothing_is_made_up_before_the_first_result() -> None:
    counts = report(Tally())

    assert math.isnan(counts.latency_p50_ms)
    assert math.isnan(counts.latency_p95_ms)
    assert (counts.segmented_rate_hz, counts.camera_rate_hz, counts.seconds) == (0, 0, 0)
