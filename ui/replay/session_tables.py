"""What a session says besides its pictures, counted from its first frame; knows no widget."""

from contextlib import closing
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermoseg.analysis_reading import read_analysis
from thermoseg.labels import NOSTRILS
from thermoseg.recording.contents import Gap, SessionMarker
from thermoseg.recording.reader import Recording
from thermoseg.traces import TraceWindow


@dataclass(frozen=True, slots=True, eq=False)
class SessionTables:
    """What a session says besides its pictures; times are counted from its first frame."""

    traces: dict[str, TraceWindow]
    gaps: tuple[Gap, ...]
    markers: tuple[SessionMarker, ...]
    problems: tuple[str, ...]
    """What of it is lost or damaged, a sentence each."""
    wall_offset_s: float
    """Seconds since 1970 UTC of its first frame; NaN if unknown."""
    drawn: tuple[str, ...] = ()
    """Names of the regions that were drawn."""

    @property
    def overview(self) -> TraceWindow | None:
        """The trace that stands for the session: the nostrils', or the first that there is."""
        return self.traces.get(NOSTRILS) or next(iter(self.traces.values()), None)


def read_tables(session: Recording) -> SessionTables:
    """Read the tables of a session; takes a moment for an hour.

    Raises
    ------
    FormatError
        If a table cannot be read.
    """
    begin_s = float(session.times_s[0])
    traces = {}
    for name in session.regions:
        trace = _trace(session.samples(name), begin_s)
        if len(trace):
            traces[name] = trace
    walls = session.wall_times[np.isfinite(session.wall_times)]
    return SessionTables(
        traces=traces,
        gaps=tuple(session.gaps),
        markers=tuple(
            replace(marker, begin_s=marker.begin_s - begin_s) for marker in session.markers
        ),
        problems=session.problems,
        wall_offset_s=float(walls[0]) if len(walls) else nan,
        drawn=tuple(roi.name for roi in session.drawn_rois),
    )


def read_analysed(path: Path, session: Recording) -> dict[str, TraceWindow]:
    """Read the traces of an analysis, by region, on the time of the tables of its session.

    Raises
    ------
    ThermoSegError
        As `thermoseg.analysis_reading.read_analysis`.
    """
    begin_s = float(session.times_s[0])
    with closing(read_analysis(path, session)) as analysis:
        return {name: _trace(analysis.samples(name), begin_s) for name in analysis.regions}


def _trace(samples: NDArray[np.void], begin_s: float) -> TraceWindow:
    trace = TraceWindow.from_samples(samples)
    return replace(trace, time_s=trace.time_s - begin_s)
