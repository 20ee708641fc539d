"""What can be made of a replayed session, and how; knows no widget."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from thermoseg.export.cut import FrameRange, cut_session
from thermoseg.export.formats import Export
from thermoseg.export.job import Exported, Watch, cannot_write
from thermoseg.export.pixels import export_frame, export_region
from thermoseg.export.tables import export_tables
from thermoseg.export.tiff import export_tiff
from thermoseg.export.video import VideoLook, export_video
from ui.texts import replay_export as words

CUT_SHARE: Final = 5
"""Of the work on a stretch, one part in so many is cutting it out."""

ReplayLook: TypeAlias = tuple[str, tuple[float, float] | None]
"""Palette and ends of the temperature scale on the screen, °C or counts."""


class ExportKind(Enum):
    """Kind of file; the value is its name in the window."""

    TABLES = words.KIND_TABLES
    FRAME = words.KIND_FRAME
    REGION = words.KIND_REGION
    VIDEO = words.KIND_VIDEO
    TIFF = words.KIND_TIFF
    CUT = words.KIND_CUT

    @property
    def of_stretch(self) -> bool:
        """Whether a selection is what is exported, if there is one."""
        return self is not ExportKind.FRAME


class VideoOptions(BaseModel):
    """How a video looks."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    masks: bool = True
    """Draw the regions of the face."""
    as_on_screen: bool = True
    """Take palette and temperature span from the picture on the screen."""


class TiffOptions(BaseModel):
    """What the pages of a TIFF hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    raw: bool = False
    """Write the sensor's counts, 16 bits, in place of °C."""


class RegionOptions(BaseModel):
    """Which frames of a region are written."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    this_frame: bool = False
    """Write the frame on the screen only."""


OPTIONS: Final[dict[ExportKind, type[BaseModel]]] = {
    ExportKind.VIDEO: VideoOptions,
    ExportKind.TIFF: TiffOptions,
    ExportKind.REGION: RegionOptions,
}
"""Options of the kinds that have some."""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """One export that the user has asked for."""

    kind: ExportKind
    session: Path
    folder: Path
    options: BaseModel | None = None
    """Of the type in `OPTIONS`."""
    frame: int = 0
    """The frame on the screen."""
    region: str = ""
    selection: tuple[int, int] | None = None
    """First and last frame; None for all of them."""
    look: ReplayLook = ("Iron", None)

    def run(self, watch: Watch) -> Exported:
        """Export, in the thread that calls.

        Raises
        ------
        ExportCancelledError
            If asked to end; no file is left.
        ThermoSegError
            As the exports.
        """
        export, ending = self._export()
        stretch = None
        if self.selection is not None and self.kind.of_stretch and not self._of_one_frame:
            stretch = FrameRange(self.selection[0], self.selection[1] + 1)
        if self.kind is ExportKind.CUT:
            if stretch is None:
                stretch = FrameRange(self.frame, self.frame + 1)
            return cut_session(self.session, self.folder, stretch, watch=watch)
        if stretch is None:
            stem = free_stem(self.folder, self.session.stem, ending)
            return export(self.session, self.folder, stem=stem, watch=watch)
        return _export_stretch(self.session, self.folder, stretch, export, ending, watch)

    @property
    def _of_one_frame(self) -> bool:
        options = self.options
        return isinstance(options, RegionOptions) and options.this_frame

    def _export(self) -> tuple[Export, str]:
        """Return what exports, and how the name of its first file ends."""
        options = self.options
        match self.kind:
            case ExportKind.FRAME:
                return partial(export_frame, frame=self.frame), f"_frame-{self.frame:06d}.csv"
            case ExportKind.REGION:
                frame = self.frame if self._of_one_frame else None
                of_one = "" if frame is None else f"_frame-{frame:06d}"
                export = partial(export_region, region=self.region, frame=frame)
                return export, f"{of_one}_{self.region}_pixels.csv"
            case ExportKind.VIDEO:
                return partial(export_video, look=self._video_look()), ".mp4"
            case ExportKind.TIFF:
                raw = isinstance(options, TiffOptions) and options.raw
                return partial(export_tiff, raw=raw), ".tif"
            case _:
                return export_tables, "_samples.csv"

    def _video_look(self) -> VideoLook:
        options = self.options if isinstance(self.options, VideoOptions) else VideoOptions()
        if not options.as_on_screen:
            return VideoLook(masks=options.masks)
        return VideoLook(*self.look, masks=options.masks)


def free_stem(folder: Path, stem: str, ending: str) -> str:
    """Return `stem`, with a number if a file of this ending has its name already."""
    number, free = 1, stem
    while (folder / f"{free}{ending}").exists():
        number += 1
        free = f"{stem}-{number}"
    return free


def _export_stretch(
    session: Path, folder: Path, stretch: FrameRange, export: Export, ending: str, watch: Watch
) -> Exported:
    """Cut the stretch out first, as every export takes a whole session."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".thermoseg-", dir=folder) as place:
            cutting = Watch(_part(watch, 0, 1), watch.cancelled)
            cut = cut_session(session, Path(place), stretch, watch=cutting)
            stem = free_stem(folder, cut.paths[0].stem, ending)
            rest = Watch(_part(watch, 1, CUT_SHARE - 1), watch.cancelled)
            exported = export(cut.paths[0], folder, stem=stem, watch=rest)
    except OSError as error:
        raise cannot_write(folder, error.strerror or str(error)) from error
    return Exported(exported.paths, tuple(dict.fromkeys((*cut.notes, *exported.notes))))


def _part(watch: Watch, before: int, share: int) -> Callable[[int, int], object]:
    """Return what tells the progress of a part of the work, in parts of `CUT_SHARE`."""
    return lambda done, total: watch.progress(
        before * total + share * done, CUT_SHARE * max(total, 1)
    )
