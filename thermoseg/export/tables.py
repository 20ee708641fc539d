"""A session's numbers as CSV, a file for each kind of row, and a JSON file that describes them."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.events import SessionEvent
from thermoseg.export.frames import say_problems, utc_text
from thermoseg.export.job import UNWATCHED, Exported, Watch, new_files
from thermoseg.export.stretch import Excerpt, Stretch
from thermoseg.frames import FrameFlag
from thermoseg.radiometry_text import radiometry_to_dict
from thermoseg.recording.contents import Gap, SessionMarker
from thermoseg.recording.reader import Recording
from thermoseg.region_table import MEASURED, cell, open_table

Cell = str | int | float
Rows = Iterable[Sequence[Cell]]

FLAGS: Final = tuple(FrameFlag)
"""Flags of a frame that have a column each."""


def export_tables(
    session: Path,
    folder: Path,
    *,
    stretch: Stretch | None = None,
    stem: str = "",
    watch: Watch = UNWATCHED,
) -> Exported:
    """Write samples, frames, markers, gaps and events of a session as CSV, and what they mean.

    `STEM_samples.csv` has a row for each region and segmented frame, in the columns of
    `regions.csv`; the column `frame` is that of `STEM_frames.csv`.  Cells without a value are
    empty.  See docs/export.md.

    Parameters
    ----------
    session
        A session file, finished or not.
    folder
        Where the files go; made if it is missing.
    stretch
        Part that is wanted; None for all.  Numbers of frames stay those of the session.
    stem
        Beginning of their names; that of the session, with its stretch, if empty.
    watch
        Told of rows.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ExportError
        If nothing lies in the stretch, or a file exists already or cannot be written.
    ExportCancelledError
        If asked to end.
    """
    with Recording(session) as recording:
        excerpt, unit = Excerpt(recording, stretch), _columns_in_units(recording)
        traces = _traces(recording, excerpt)
        tables: dict[str, tuple[Sequence[str], Rows]] = {
            "samples": (unit(_SAMPLE_COLUMNS), _sample_rows(recording, traces)),
            "frames": (_FRAME_COLUMNS, _frame_rows(recording, excerpt.positions)),
            "markers": (_MARKER_COLUMNS, _marker_rows(excerpt.markers)),
            "gaps": (_GAP_COLUMNS, _gap_rows(recording, excerpt.gaps)),
            "events": (_EVENT_COLUMNS, _event_rows(excerpt.events)),
        }
        total, done = sum(map(len, traces)) + len(excerpt.positions), 0
        stem = stem or excerpt.stem
        paths = [folder / f"{stem}_{name}.csv" for name in tables]
        paths.append(folder / f"{stem}_session.json")
        with new_files(paths) as temporaries:
            for temporary, (columns, cells) in zip(temporaries, tables.values(), strict=False):
                with open_table(temporary) as file:
                    table = csv.writer(file)
                    table.writerow(columns)
                    for row in cells:
                        watch.step(min(done, total), total)
                        table.writerow(row)
                        done += 1
            with open_table(temporaries[-1]) as file:
                file.write(_description(recording, excerpt))
            watch.step(total, total)
        return Exported(tuple(paths), say_problems(recording))


_SAMPLE_COLUMNS: Final = (
    *("frame", "time_s", "region"),
    *(field.name for field in MEASURED),
    *("reason", "frame_index", "utc"),
)
_FRAME_COLUMNS: Final = (
    *("frame", "time_s", "frame_index", "utc", "segmented"),
    *((flag.name or "").lower() for flag in FLAGS),
)
_MARKER_COLUMNS: Final = ("begin_s", "duration_s", "kind", "label", "source", "utc")
_GAP_COLUMNS: Final = ("time_s", "duration_s", "frames", "cause", "index_before", "index_after")
_EVENT_COLUMNS: Final = ("time_s", "text", "utc")


def _columns_in_units(recording: Recording) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return what names the columns of temperatures: those of counts without a scale say so."""

    def rename(columns: Sequence[str]) -> tuple[str, ...]:
        if recording.info.radiometric:
            return tuple(columns)
        return tuple(
            f"{name[:-2]}_counts" if name.endswith(("_c", "_k")) else name for name in columns
        )

    return rename


def _traces(recording: Recording, excerpt: Excerpt) -> list[NDArray[Any]]:
    """Read what is wanted of the trace of each region."""
    traces = [recording.samples(region) for region in recording.regions]
    return [trace[excerpt.inside(trace["time_s"])] for trace in traces]


def _sample_rows(recording: Recording, traces: Sequence[NDArray[Any]]) -> Iterator[Sequence[Cell]]:
    """Yield the rows of all regions, those of one frame together, in the order of the file."""
    if not traces:
        return
    times_s = np.concatenate([trace["time_s"] for trace in traces])
    regions = np.repeat(np.arange(len(traces)), [len(trace) for trace in traces])
    rows = np.concatenate([np.arange(len(trace)) for trace in traces])
    numbers = np.concatenate([trace["frame_index"] for trace in traces])
    places = _places(recording, numbers)
    for at in np.lexsort((regions, times_s)).tolist():
        region, place = int(regions[at]), int(places[at])
        sample = traces[region][rows[at]]
        yield (
            place if place >= 0 else "",
            f"{sample['time_s']:.6f}",
            recording.regions[region],
            *(cell(sample[field.name]) for field in MEASURED),
            sample["reason"],
            int(sample["frame_index"]),
            utc_text(recording.wall_times[place]) if place >= 0 else "",
        )


def _places(recording: Recording, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of frames by the camera's numbers, (n,); −1 where there is none."""
    if not len(recording):
        return np.full(len(numbers), -1, np.int64)
    places = np.searchsorted(recording.indices, numbers).clip(max=len(recording) - 1)
    return np.where(recording.indices[places] == numbers, places, -1)


def _frame_rows(recording: Recording, positions: Sequence[int]) -> Iterator[Sequence[Cell]]:
    for place in positions:
        flags = int(recording.flags[place])
        yield (
            place,
            _seconds(recording.times_s[place]),
            int(recording.indices[place]),
            utc_text(recording.wall_times[place]),
            int(recording.is_labelled(place)),
            *(int(bool(flags & flag)) for flag in FLAGS),
        )


def _marker_rows(markers: Iterable[SessionMarker]) -> Iterator[Sequence[Cell]]:
    for mark in markers:
        begin_s, duration_s = _seconds(mark.begin_s), _seconds(mark.duration_s)
        yield begin_s, duration_s, mark.kind, mark.label, mark.source, utc_text(mark.wall_time)


def _gap_rows(recording: Recording, gaps: Iterable[Gap]) -> Iterator[Sequence[Cell]]:
    for gap in gaps:
        duration_s = _seconds(recording.gap_seconds(gap))
        neighbours = (gap.index_before, gap.index_after)
        named = ("" if index < 0 else index for index in neighbours)
        # Nobody knows how many frames a lost camera would have sent.
        frames: Cell = "" if gap.cause == "lost" else gap.frames
        yield _seconds(gap.time_s), duration_s, frames, gap.cause, *named


def _event_rows(events: Iterable[SessionEvent]) -> Iterator[Sequence[Cell]]:
    for event in events:
        yield _seconds(event.time_s), event.text, utc_text(event.wall_time)


def _seconds(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"


def _description(recording: Recording, excerpt: Excerpt) -> str:
    """Describe the session as JSON: what is needed to cite it and to read its numbers."""
    info, model = recording.info, recording.model
    described: dict[str, Any] = {
        "session": recording.path.name,
        "session_id": recording.session_id,
        "created": recording.created,
        "program": recording.program,
        "format": recording.format_version,
        "complete": recording.complete,
        "ended": recording.ended,
        "camera": {
            "model": info.model,
            "serial": info.serial,
            "address": recording.address,
            "width": info.width,
            "height": info.height,
            "rate_hz": info.rate_hz,
        },
        "temperatures": info.temperatures,
        "radiometry": radiometry_to_dict(info.radiometry),
        "model": asdict(model) if model else None,
        "study": dict(recording.study),
        "notes": recording.notes,
        "regions": list(recording.regions),
        "drawn_rois": [roi.model_dump() for roi in recording.drawn_rois],
        "scenes": [{"time_s": time_s} | asdict(scene) for time_s, scene in recording.scenes],
        "counts": asdict(recording.counts),
        "problems": list(recording.problems),
    }
    if excerpt.times is not None:
        described["stretch"] = excerpt.described()
    return json.dumps(described, ensure_ascii=False, indent=2) + "\n"
