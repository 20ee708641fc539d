"""What can be made of a replayed session, and how; knows no widget."""

from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from thermoseg.export.cut import cut_session
from thermoseg.export.formats import Export
from thermoseg.export.job import Exported, Watch
from thermoseg.export.pixels import export_frame, export_region
from thermoseg.export.stretch import FrameRange, stem_of
from thermoseg.export.tables import export_tables
from thermoseg.export.tiff import export_tiff
from thermoseg.export.video import VideoLook, export_video
from ui.texts import replay_export as words

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

    @property
    def of_pictures(self) -> bool:
        """Whether it is made of pictures, which sessions with traces only have none of."""
        return self not in (ExportKind.TABLES, ExportKind.CUT)


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
        stretch = self._stretch
        if self.kind is ExportKind.CUT:
            if stretch is None:
                stretch = FrameRange(self.frame, self.frame + 1)
            return cut_session(self.session, self.folder, stretch, watch=watch)
        export, ending = self._export(stretch)
        stem = self.session.stem if stretch is None else stem_of(self.session, stretch)
        stem = free_stem(self.folder, stem, ending)
        return export(self.session, self.folder, stem=stem, watch=watch)

    @property
    def _stretch(self) -> FrameRange | None:
        """What is selected, if that is what is exported."""
        if self.selection is None or not self.kind.of_stretch or self._of_one_frame:
            return None
        return FrameRange(self.selection[0], self.selection[1] + 1)

    @property
    def _of_one_frame(self) -> bool:
        options = self.options
        return isinstance(options, RegionOptions) and options.this_frame

    def _export(self, stretch: FrameRange | None) -> tuple[Export, str]:
        """Return what exports the stretch, and how the name of its first file ends."""
        options = self.options
        match self.kind:
            case ExportKind.FRAME:
                return partial(export_frame, frame=self.frame), f"_frame-{self.frame:06d}.csv"
            case ExportKind.REGION:
                frame = self.frame if self._of_one_frame else None
                of_one = "" if frame is None else f"_frame-{frame:06d}"
                export = partial(export_region, region=self.region, frame=frame, stretch=stretch)
                return export, f"{of_one}_{self.region}_pixels.csv"
            case ExportKind.VIDEO:
                return partial(export_video, look=self._video_look(), stretch=stretch), ".mp4"
            case ExportKind.TIFF:
                raw = isinstance(options, TiffOptions) and options.raw
                return partial(export_tiff, raw=raw, stretch=stretch), ".tif"
            case _:
                return partial(export_tables, stretch=stretch), "_samples.csv"

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
