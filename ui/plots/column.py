"""The plots of all traces above each other: which there are, and what is drawn in each."""

from collections.abc import Collection, Sequence
from math import isfinite
from typing import Final, TypeAlias

from thermoseg.labels import NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, PERINASAL
from ui.plots.board import Board
from ui.plots.gaps import NO_SAMPLES, Gap, common_gaps
from ui.plots.look import Look, Scale
from ui.plots.marks import Band, PlotMarker, band_of
from ui.plots.plot import CurveKey, CurveStyle, TracePlot
from ui.plots.series import Series
from ui.plots.trace_store import Store, TraceStore
from ui.texts import plots as texts

FACE_TRACES: Final = (NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, PERINASAL)
"""Regions that always have a row; the mean is drawn over the two nostrils."""
STALE_S: Final = 2.0
"""A live sample that is older is no longer the temperature of now."""
LEAST_BAND_PX: Final = 0.7
"""Narrower gaps are too short to be seen at all."""
WIDTHS: Final = {Store.NEW: 1.0, Store.STORED: 3.0, Store.DIFFERENCE: 1.0}
"""Pixels at scale 1."""
MEAN_WIDTH: Final = 2.0

Groups: TypeAlias = dict[str, tuple[str, ...]]


class PlotColumn:
    """Fills a `Board` from a `TraceStore`."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def build(self, rois: Sequence[str], shown: Collection[str], *, compared: bool) -> None:
        """Make a plot for each group of traces of which one is shown.

        Parameters
        ----------
        compared
            Whether every trace is drawn twice, and the difference in a plot of its own.
        """
        groups = {
            texts.NOSTRILS_PLOT: (NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS),
            texts.PERINASAL_PLOT: (PERINASAL,),
            texts.ROIS_PLOT: tuple(rois),
        }
        kinds = (Store.STORED, Store.NEW) if compared else (Store.NEW,)
        plots = []
        for title, regions in groups.items():
            keys = [(kind, region) for kind in kinds for region in regions if region in shown]
            if keys:
                plots.append(TracePlot(title, keys, self._board.moment))
        keys = [(Store.DIFFERENCE, region) for region in (*FACE_TRACES, *rois) if region in shown]
        if compared and keys:
            plots.append(TracePlot(texts.DIFFERENCE_PLOT, keys, self._board.moment))
        self._board.set_plots(plots)

    def dress(self, look: Look, scale: Scale, colours: dict[str, str]) -> None:
        """Give every plot its colours, sizes and unit."""
        difference = Scale(scale.factor, 0.0, scale.difference_symbol)
        for plot in self._board.plots:
            styles = {key: _style(key, look, colours) for key in plot.curves}
            differs = any(store is Store.DIFFERENCE for store, _ in plot.curves)
            plot.set_look(look, styles, difference if differs else scale)
        self._board.set_look(look)

    def draw(
        self,
        store: TraceStore,
        window_s: tuple[float, float],
        now_s: float,
        markers: Sequence[PlotMarker],
    ) -> tuple[frozenset[Band], frozenset[str]]:
        """Draw a stretch of time.

        Parameters
        ----------
        now_s
            The moment up to which a live trace should have samples; NaN for a recording.
        markers
            All there are.

        Returns
        -------
        The bands and the kinds of markers that are in sight.
        """
        begin_s, end_s = window_s
        width = int(self._board.plot_width)
        least_s = LEAST_BAND_PX * (end_s - begin_s) / width
        seen = [
            marker
            for marker in markers
            if marker.time_s <= end_s and marker.time_s + marker.duration_s >= begin_s
        ]
        self._board.set_markers(seen, needed=bool(markers))
        self._board.set_range(begin_s, end_s)
        reasons: set[str] = set()
        for plot in self._board.plots:
            found = {key: store.trace(*key) for key in plot.curves}
            traces = {
                key: trace for key, trace in found.items() if trace is not None and len(trace)
            }
            lines = {key: trace.drawn(begin_s, end_s, width) for key, trace in traces.items()}
            absent = [
                [*trace.gaps_between(begin_s, end_s, least_s), *_silence(trace, now_s)]
                for trace in traces.values()
            ]
            gaps = common_gaps(absent)
            reasons.update(gap.reason for gap in gaps if gap.end_s > begin_s)
            plot.draw(lines, gaps)
        bands = frozenset(band_of(reason) for reason in reasons)
        return bands, frozenset(marker.kind for marker in seen)

    def point(self, store: TraceStore, look: Look, colours: dict[str, str]) -> None:
        """Mark the value of every curve under the pointer."""
        pointed_s = self._board.moment.pointed_s
        for plot in self._board.plots:
            dots = []
            for key in plot.curves:
                trace = store.trace(*key)
                if pointed_s is not None and trace is not None:
                    dots.append((trace.at(pointed_s)[0], _style(key, look, colours).colour))
            plot.point(dots)


def _silence(trace: Series, now_s: float) -> list[Gap]:
    """Return the gap since the last sample of a live trace, if it has lasted too long."""
    silent = isfinite(now_s) and now_s - trace.end_s > STALE_S
    return [Gap(trace.end_s, now_s, NO_SAMPLES)] if silent else []


def _style(key: CurveKey, look: Look, colours: dict[str, str]) -> CurveStyle:
    store, region = key
    if store is Store.STORED:
        return CurveStyle(look.stored_colour(colours[region]), WIDTHS[store])
    mean = region == NOSTRILS and store is Store.NEW
    return CurveStyle(colours[region], MEAN_WIDTH if mean else WIDTHS[store])
