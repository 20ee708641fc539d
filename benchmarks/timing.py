"""How long something takes: the median of several runs, after one to warm up."""

import statistics
import time
from collections.abc import Callable


def median_ms(
    body: Callable[[], object], runs: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time `body`, which waits itself for a device that works beside it; milliseconds."""
    body()
    times_s = []
    for _ in range(runs):
        began_s = clock()
        body()
        times_s.append(clock() - began_s)
    return 1000 * statistics.median(times_s)


def processor_ms(body: Callable[[], object], runs: int = 60) -> float:
    """Time `body` in processor time, which other programs disturb least; milliseconds."""
    return median_ms(body, runs, time.process_time)
