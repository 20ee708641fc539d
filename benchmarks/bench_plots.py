"""What live traces of five curves cost the window's thread, painting included."""

import os
import statistics
import sys
import time
from math import inf
from typing import Final

import numpy as np
from PyQt6.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from thermoseg.labels import NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, PERINASAL
from thermoseg.rois import RoiSample
from thermoseg.traces import Traces
from ui.plots.time_window import WHOLE
from ui.plots.traces import TracePlots
from ui.shell.theme import DARK, wear

BUDGET_MS: Final = 3.0
"""Median of the 15 looks per second that a window takes, processor time of its thread; for
stretches of `BUDGET_FROM_S` and more.  Shorter ones move by a pixel at each look."""
BUDGET_FROM_S: Final = 120.0
REDRAWS: Final = 120
REDRAWS_HZ: Final = 15
PIXELS: Final = 400
"""Fewer than a plot is wide."""
SIZE: Final = (900, 420)
ROI: Final = "forehead"
REGIONS: Final = (NOSTRILS, NOSTRIL_LEFT, NOSTRIL_RIGHT, PERINASAL, ROI)
CASES: Final = (
    (30.0, 120.0, 30),
    (120.0, 120.0, 12),
    (120.0, 120.0, 30),
    (WHOLE, 3600.0, 12),
    (WHOLE, 3600.0, 30),
)
"""Window, samples before the first drawing (both seconds), samples per second."""


def append(traces: Traces, time_s: float, noise: np.random.Generator) -> None:
    """Add a frame of breathing nostrils; the network loses them now and then."""
    breath_c = 34 + 0.4 * np.sin(time_s * 1.6)
    lost = time_s % 20 < 0.4
    traces.append(
        RoiSample(
            *(region, time_s, 50, breath_c + noise.normal(0, 0.03), 33, 35, 0.1),
            *(not lost, "lost" if lost else ""),
        )
        for region in REGIONS
    )


def measure(
    length_s: float, recorded_s: float, rate_hz: int, *, always: bool = False
) -> list[float]:
    """Look at live traces as a window does; milliseconds of each look.

    Parameters
    ----------
    always
        Whether so much time passes that each look draws; else plots draw when they have moved.
    """
    noise, traces, times_ms = np.random.default_rng(1), Traces(), []
    for frame in range(round(recorded_s * rate_hz)):
        append(traces, frame / rate_hz, noise)
    plots = TracePlots()
    plots.set_theme(DARK, 1.0)
    plots.set_rois((ROI,))
    plots.restore({"length_s": "whole" if length_s == inf else length_s})
    plots.resize(*SIZE)
    plots.show()
    plots.show_live(traces, recorded_s)
    QApplication.processEvents()
    frame = round(recorded_s * rate_hz)
    shown_s = min(length_s, recorded_s)
    for redraw in range(REDRAWS):
        # More than a pixel further each time, or the plots would see that nothing is to be drawn.
        step_s = max(1 / REDRAWS_HZ, shown_s / PIXELS if always else 0)
        now_s = recorded_s + redraw * step_s
        while frame / rate_hz <= now_s:
            append(traces, frame / rate_hz, noise)
            frame += 1
        began_s = time.thread_time()
        plots.show_live(traces, now_s)
        QApplication.processEvents()
        times_ms.append(1000 * (time.thread_time() - began_s))
    plots.close()
    plots.deleteLater()
    QApplication.processEvents()
    return times_ms


def main() -> int:
    """Print medians; 1 if one is over the budget."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication.instance() or QApplication(["benchmark"])
    if isinstance(app, QApplication):
        wear(app, DARK, 1.0)
    table = Table(title=f"live traces, {len(REGIONS)} curves, {SIZE[0]}×{SIZE[1]}, painted")
    for name in ("window", "samples/s", "look: median ms", "mean", "p95", "budget", "drawing ms"):
        table.add_column(name, justify="right")
    worst = 0.0
    for length_s, recorded_s, rate_hz in CASES:
        times_ms = measure(length_s, recorded_s, rate_hz)
        median, late = statistics.median(times_ms), float(np.quantile(times_ms, 0.95))
        held = length_s >= BUDGET_FROM_S
        worst = max(worst, median if held else 0.0)
        window = "whole hour" if length_s == inf else f"{length_s:g} s"
        drawing = statistics.median(measure(length_s, recorded_s, rate_hz, always=True))
        looks = (f"{figure:.2f}" for figure in (median, statistics.mean(times_ms), late))
        budget = f"{BUDGET_MS:g}" if held else "—"
        table.add_row(window, str(rate_hz), *looks, budget, f"{drawing:.2f}")
    Console().print(table)
    return int(worst > BUDGET_MS)


if __name__ == "__main__":
    sys.exit(main())
