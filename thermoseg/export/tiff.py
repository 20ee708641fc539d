"""A session as one TIFF of many pages: °C as 32-bit floats, or the raw counts."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import tifffile
from numpy.typing import NDArray

from thermoseg.errors import ExportError
from thermoseg.export.frames import ReadableFrames, utc_text
from thermoseg.export.job import UNWATCHED, Exported, Watch, new_files
from thermoseg.export.stretch import Excerpt, Stretch
from thermoseg.frames import Frame
from thermoseg.recording.reader import Recording

LARGEST_CLASSIC_BYTES: Final = 2_000_000_000
"""Larger files are BigTIFF, which ImageJ alone does not open, but Fiji does (Bio-Formats)."""
_PAGE_BYTES: Final = 1000
"""Most that a page takes besides its pixels."""


def export_tiff(
    session: Path,
    folder: Path,
    *,
    raw: bool = False,
    stretch: Stretch | None = None,
    stem: str = "",
    watch: Watch = UNWATCHED,
) -> Exported:
    """Write `STEM.tif`, a page for each frame that can be read, one frame in memory at a time.

    The description of each page is JSON in ASCII: `frame`, `frame_index`, `time_s`, `utc`, `flags`,
    `unit`.  Pages are not compressed, so that every reader takes them.

    Parameters
    ----------
    raw
        Whether to write counts as uint16 in place of °C as float32.  Sessions without °C are
        written so in any case, and a note says so.
    stretch
        Part that is wanted; None for all.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ExportError
        If it holds no pictures, nothing lies in the stretch, the disk is too full, or the file
        exists already or cannot be written.
    ExportCancelledError
        If asked to end.
    """
    with Recording(session) as recording:
        info = recording.info
        as_counts = raw or not info.radiometric
        excerpt = Excerpt(recording, stretch)
        frames = ReadableFrames(recording, watch, excerpt.positions)
        path = folder / f"{stem or excerpt.stem}.tif"
        pixel_bytes = 2 if as_counts else 4
        size = len(excerpt.positions) * (info.width * info.height * pixel_bytes + _PAGE_BYTES)
        with new_files([path]) as (temporary,):
            _require_space(path, size)
            with tifffile.TiffWriter(temporary, bigtiff=size > LARGEST_CLASSIC_BYTES) as tiff:
                for position, frame in frames:
                    tiff.write(
                        frame.counts if as_counts else _celsius(frame),
                        photometric="minisblack",
                        contiguous=False,
                        metadata=None,
                        description=_describe(position, frame, "counts" if as_counts else "C"),
                        software=recording.program.encode("ascii", "replace"),
                    )
            notes = frames.notes()
    if as_counts and not raw:
        notes += (f"“{session}” has no °C ({info.why_relative}); its counts were written",)
    return Exported((path,), notes)


def _celsius(frame: Frame) -> NDArray[np.float32]:
    return frame.celsius


def _describe(position: int, frame: Frame, unit: str) -> str:
    return json.dumps(
        {
            "frame": position,
            "frame_index": frame.index,
            "time_s": round(frame.time_s, 6),
            "utc": utc_text(frame.wall_time),
            "flags": int(frame.flags),
            "unit": unit,
        }
    )


def _require_space(path: Path, size: int) -> None:
    free = psutil.disk_usage(str(path.parent)).free
    if size > free:
        raise ExportError(
            f"“{path}” needs {size / 1e9:.1f} GB and its disk has {free / 1e9:.1f} GB left; make "
            "space, choose another folder, or cut the session first"
        )
