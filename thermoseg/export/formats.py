"""The kinds of files that sessions are exported to: one table, which the command line follows.

A new kind is a module with a function and an entry in `FORMATS`.  What needs NumPy is imported by
the entry's own function, so that `thermoseg -h` answers at once.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path
from typing import Final, Protocol

from thermoseg.errors import ConfigError
from thermoseg.export.job import Exported, Watch


class Export(Protocol):
    """An export whose options are settled."""

    def __call__(self, session: Path, folder: Path, *, stem: str, watch: Watch) -> Exported:
        """Export one session; see `thermoseg.export.tables.export_tables` for what it raises."""
        ...


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A kind of export."""

    name: str
    """Word on the command line."""
    title: str
    """Result, in a line."""
    add_options: Callable[[argparse.ArgumentParser], None]
    """Adds the options that only this kind has."""
    choose: Callable[[argparse.Namespace], Export]
    """Returns the export that those options ask for."""


def _add_csv_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frame", type=int, metavar="N", help="every pixel of frame N (from 0) instead of tables"
    )
    parser.add_argument(
        "--region",
        metavar="NAME",
        help="every pixel of this region instead of tables, of all segmented frames or of --frame",
    )


def _choose_csv(arguments: argparse.Namespace) -> Export:
    from functools import partial

    from thermoseg.export.pixels import export_frame, export_region
    from thermoseg.export.tables import export_tables

    if arguments.region is not None:
        return partial(export_region, region=arguments.region, frame=arguments.frame)
    if arguments.frame is not None:
        return partial(export_frame, frame=arguments.frame)
    return export_tables


def _add_mp4_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--palette", default="Iron", metavar="NAME", help="as in the window; default: Iron"
    )
    parser.add_argument(
        "--span",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="ends of the temperature scale, °C; default: what the session holds",
    )
    parser.add_argument("--no-masks", action="store_true", help="leave the regions out")


def _choose_mp4(arguments: argparse.Namespace) -> Export:
    from functools import partial

    from thermoseg.export.video import VideoLook, export_video

    span = None if arguments.span is None else (arguments.span[0], arguments.span[1])
    look = VideoLook(arguments.palette, span, masks=not arguments.no_masks)
    return partial(export_video, look=look)


def _add_tiff_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--raw", action="store_true", help="sensor counts, 16 bits, not °C")


def _choose_tiff(arguments: argparse.Namespace) -> Export:
    from functools import partial

    from thermoseg.export.tiff import export_tiff

    return partial(export_tiff, raw=arguments.raw)


def _add_cut_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="begin_s",
        type=_seconds,
        default=-inf,
        metavar="S",
        help="first second, as in time_s of the tables; default: the beginning",
    )
    parser.add_argument(
        "--to",
        dest="end_s",
        type=_seconds,
        default=inf,
        metavar="S",
        help="end, seconds, itself not in it; default: the end",
    )
    parser.add_argument(
        "--frames",
        nargs=2,
        type=int,
        metavar=("FIRST", "END"),
        help="the same by frames, from 0: FIRST is in it, END is not",
    )


def _choose_cut(arguments: argparse.Namespace) -> Export:
    from functools import partial

    from thermoseg.export.cut import cut_session
    from thermoseg.export.stretch import FrameRange, TimeRange

    if arguments.frames is None:
        return partial(cut_session, stretch=TimeRange(arguments.begin_s, arguments.end_s))
    if (arguments.begin_s, arguments.end_s) != (-inf, inf):
        raise ConfigError("a cut goes by seconds or by frames; give --from and --to, or --frames")
    return partial(cut_session, stretch=FrameRange(*arguments.frames))


def _seconds(text: str) -> float:
    seconds = float(text)
    if isnan(seconds):
        raise ValueError(text)
    return seconds


FORMATS: Final = (
    ExportFormat(
        "csv",
        "tables of temperatures, frames, markers, gaps and events; or single pixels",
        _add_csv_options,
        _choose_csv,
    ),
    ExportFormat(
        "mp4",
        "video with masks and temperature scale, every frame at its own time",
        _add_mp4_options,
        _choose_mp4,
    ),
    ExportFormat(
        "tiff",
        "TIFF of many pages: °C as 32-bit floats, or counts",
        _add_tiff_options,
        _choose_tiff,
    ),
    ExportFormat("cut", "a stretch as a session file of its own", _add_cut_options, _choose_cut),
)
"""Every kind, in the order of the help."""
