"""Temperatures of single pixels as CSV: a whole frame, or a region over time."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thermoseg.drawn_meter import cover
from thermoseg.errors import ExportError, FormatError
from thermoseg.export.frames import ReadableFrames, require_frames, say_damaged
from thermoseg.export.job import UNWATCHED, Exported, Watch, new_files
from thermoseg.export.stretch import Excerpt, Stretch
from thermoseg.face_geometry import RoiMask, find_rois
from thermoseg.labels import ROI_NAMES
from thermoseg.recording.reader import Recording
from thermoseg.region_table import open_table


def export_frame(
    session: Path, folder: Path, frame: int, *, stem: str = "", watch: Watch = UNWATCHED
) -> Exported:
    """Write one frame as `STEM_frame-000012.csv`: a line for each row of the picture, no header.

    °C to 0.0001, or counts where the session has no °C; NaN is an empty cell.

    Parameters
    ----------
    frame
        Position in the session from 0, as in the column `frame` of the tables.

    Raises
    ------
    FormatError
        If the session, or this frame of it, cannot be read.
    ExportError
        If there is no such frame, or the file exists already or cannot be written.
    ExportCancelledError
        If asked to end.
    """
    with Recording(session) as recording:
        _require_frame(recording, frame)
        path = folder / f"{stem or session.stem}_frame-{frame:06d}.csv"
        picture = recording.frame(frame).celsius
        with new_files([path]) as (temporary,), open_table(temporary) as file:
            table = csv.writer(file)
            for done, row in enumerate(picture):
                watch.step(done, len(picture))
                table.writerow(map(_cell, row))
            watch.step(len(picture), len(picture))
    return Exported((path,), ())


def export_region(
    session: Path,
    folder: Path,
    region: str,
    *,
    frame: int | None = None,
    stretch: Stretch | None = None,
    stem: str = "",
    watch: Watch = UNWATCHED,
) -> Exported:
    """Write every pixel of a region, of one frame or of all in which it is known.

    `STEM_nose_pixels.csv` has the columns `frame`, `time_s`, `row`, `column` (from 0, at the top
    left) and `celsius`, or `counts` where the session has no °C.  Regions of a face are those of
    the stored masks, of the largest face, without what was held from an earlier frame while a
    region was lost.  A drawn ROI has pixels in every frame, wherever it lay then.

    Parameters
    ----------
    region
        One of `thermoseg.labels.ROI_NAMES`, or the name of a drawn ROI.
    frame
        Position in the session from 0; every frame, or every segmented one, if None.
    stretch
        Part of which every frame is wanted; None for all.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ExportError
        If there is no such region or frame, the region is not seen, or the file exists already
        or cannot be written.
    ExportCancelledError
        If asked to end.
    """
    with Recording(session) as recording:
        find = _finder(recording, region)
        excerpt = Excerpt(recording, stretch)
        positions = _positions(recording, excerpt, frame, drawn=region not in ROI_NAMES)
        frames = ReadableFrames(recording, watch, positions)
        pixels = _RegionPixels(recording, region, find, frames)
        of_one = "" if frame is None else f"_frame-{frame:06d}"
        path = folder / f"{stem or excerpt.stem}{of_one}_{region}_pixels.csv"
        with new_files([path]) as (temporary,):
            with open_table(temporary) as file:
                table = csv.writer(file)
                value = "celsius" if recording.info.radiometric else "counts"
                table.writerow(("frame", "time_s", "row", "column", value))
                table.writerows(pixels)
            notes = pixels.notes()
    return Exported((path,), notes)


Finder = Callable[[int], RoiMask | None]
"""Finds the pixels of a region in the frame at a position; None if it is not seen."""


class _RegionPixels:
    """The pixels of one region, a row each."""

    def __init__(
        self, recording: Recording, region: str, find: Finder, frames: ReadableFrames
    ) -> None:
        self._recording = recording
        self._region = region
        self._find = find
        self._frames = frames
        self._seen = 0
        self._damaged: list[int] = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for position, frame in self._frames:
            mask = self._mask(position)
            if mask is None:
                continue
            self._seen += 1
            rows, columns = np.nonzero(mask.inside)
            values = mask.values(frame.celsius)
            for row, column, value in zip(
                (rows + mask.top).tolist(), (columns + mask.left).tolist(), values, strict=True
            ):
                yield position, f"{frame.time_s:.6f}", row, column, _cell(value)

    def notes(self) -> tuple[str, ...]:
        """Say what was left out, after the last row; raise `ExportError` if there was no row."""
        path = self._recording.path
        notes = (*self._frames.notes(), *say_damaged(path, self._damaged, "picture of labels"))
        if not self._seen:
            raise ExportError(
                f"“{path}”: {self._region} is not seen there; choose another region or frame"
            )
        return tuple(dict.fromkeys(notes))

    def _mask(self, position: int) -> RoiMask | None:
        try:
            return self._find(position)
        except FormatError:
            self._damaged.append(position)
            return None


def _finder(recording: Recording, region: str) -> Finder:
    """Return what finds the pixels of a region in a frame.

    Raises
    ------
    ExportError
        If there is no such region.
    """

    def in_face(position: int) -> RoiMask | None:
        labels = recording.labels(position)
        found = None if labels is None else find_rois(labels)
        return None if found is None else found.masks.get(region)

    if region in ROI_NAMES:
        return in_face
    drawn = {roi.name: roi for roi in recording.drawn_rois}
    if region not in drawn:
        raise ExportError(
            f"“{recording.path}” has no region “{region}”; its pixels can be had of "
            f"{', '.join((*ROI_NAMES, *drawn))}"
        )
    shape = recording.info.height, recording.info.width

    def in_outline(position: int) -> RoiMask | None:
        rois = recording.drawn_history.at(float(recording.times_s[position]))
        return next((cover(roi, shape) for roi in rois if roi.name == region), None)

    return in_outline


def _positions(
    recording: Recording, excerpt: Excerpt, frame: int | None, *, drawn: bool
) -> Sequence[int]:
    """Return the positions of the frames that are wanted and know the region.

    Parameters
    ----------
    frame
        The one that is asked for, None for all of `excerpt`.
    drawn
        Whether the region was drawn, so that it is known in every frame.
    """
    require_frames(recording)
    if drawn:
        if frame is not None:
            _require_frame(recording, frame)
        return excerpt.positions if frame is None else [frame]
    if frame is not None:
        _require_frame(recording, frame)
        if not recording.is_labelled(frame):
            raise ExportError(
                f"“{recording.path}”: frame {frame} was not segmented; choose one whose column "
                "“segmented” is 1 in the table of frames"
            )
        return [frame]
    positions = [place for place in excerpt.positions if recording.is_labelled(place)]
    if not positions and any(map(recording.is_labelled, range(len(recording)))):
        raise ExportError(
            f"“{recording.path}”: no frame of this stretch was segmented; choose another stretch, "
            "or export whole frames"
        )
    if not positions:
        raise ExportError(
            f"“{recording.path}” was recorded without masks; segment it first, or export whole "
            "frames"
        )
    return positions


def _require_frame(recording: Recording, frame: int) -> None:
    require_frames(recording)
    if not 0 <= frame < len(recording):
        raise ExportError(
            f"“{recording.path}” has no frame {frame}; choose one from 0 to {len(recording) - 1}"
        )


def _cell(value: np.float32) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"
