"""Segmenting files: masks, overlays and one table of region temperatures."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.drawn_meter import DrawnMeter
from thermoseg.drawn_rois import DrawnHistory
from thermoseg.errors import ConfigError, FormatError, FrameRefusedError
from thermoseg.file_kinds import ALL_SUFFIXES
from thermoseg.files import open_frames
from thermoseg.frames import Frame
from thermoseg.image_file import write_image
from thermoseg.inference.segmenter import Segmenter
from thermoseg.overlay import draw_overlay
from thermoseg.region_table import RegionTable
from thermoseg.rois import RoiMeter

if TYPE_CHECKING:
    from thermoseg.recording.reader import Recording

VIS_FOLDER: Final = "vis"
TABLE_NAME: Final = "regions.csv"


@dataclass(frozen=True, slots=True)
class Job:
    """One input file and the name that its outputs bear."""

    path: Path
    stem: str
    options: Mapping[str, str]
    """Options of the `file:` camera, which say how the file is to be read."""


def plan_jobs(
    paths: Iterable[Path], out: Path, options: Mapping[str, str] = MappingProxyType({})
) -> tuple[Job, ...]:
    """Expand folders, drop repetitions and give every file a stem of its own.

    The second of two inputs called `face` becomes `face-2`, so neither overwrites the other.

    Raises
    ------
    ConfigError
        If there is nothing to segment, or a mask would overwrite an input.
    """
    paths = tuple(paths)
    files = tuple(dict.fromkeys(chain.from_iterable(_expand(path) for path in paths)))
    if not files:
        named = ", ".join(f"“{path}”" for path in paths)
        raise ConfigError(
            f"{named} holds no picture or recording; name files, or the folders that they are "
            "directly in (folders in folders are not searched)"
        )
    for file in files:
        if _may_be_overwritten(file, out):
            raise ConfigError(
                f"the results would overwrite the input “{file}”; choose another folder for --out"
            )
    stems = {file.stem for file in files}
    taken: set[str] = set()
    return tuple(Job(file, _free_stem(file.stem, stems, taken), options) for file in files)


def segment_file(
    job: Job,
    out: Path,
    segmenter: Segmenter,
    table: RegionTable,
    tell: Callable[[str], None],
    note: Callable[[str], None] = lambda _sentence: None,
) -> Iterator[tuple[int, int | None]]:
    """Segment every frame of one file, writing as it goes.

    Parameters
    ----------
    tell
        Told of each frame that is damaged and left out, a sentence.
    note
        Told of each frame from which on another face is measured, a sentence; nothing is lost.

    Yields
    ------
    Frames done so far and frames in all, the latter None where the file does not tell.

    Raises
    ------
    ThermoSegError
        If the file cannot be read, or not to its end; what was written before stays.
    """
    meter, drawn, history = RoiMeter(), DrawnMeter(), _read_drawn(job.path)
    with open_frames(job.path, job.options) as (info, frames):
        first = next(frames, None)
        if first is None:
            raise FormatError(f"“{job.path}” holds no frame; record it again")
        second = next(frames, None)
        single = second is None
        following = () if second is None else (second,)
        for number, frame in enumerate(chain((first,), following, frames)):
            if isinstance(frame, FrameRefusedError):
                tell(str(frame))
                continue
            name = job.stem if single else f"{job.stem}_{number:06d}"
            segmentation = segmenter.segment(frame)
            _write_pictures(frame, segmentation.labels, out, name)
            drawn.set(history.at(frame.time_s))
            samples = meter.measure(frame, segmentation) + drawn.measure(frame)
            table.append(job.path, number, samples)
            if meter.faces.change:
                note(
                    f"{job.path}, frame {number}: another face is measured from here on "
                    f"({meter.faces.change})"
                )
            yield number + 1, 1 if single else info.frame_count


def say_losses(path: Path) -> tuple[str, ...]:
    """Say what a session has lost and so was not segmented, a sentence each; none of other files.

    Raises
    ------
    FormatError
        If the session cannot be read.
    """
    with _session(path) as recording:
        problems = () if recording is None else recording.problems
    return tuple(f"{path}: {problem}" for problem in problems)


def _read_drawn(path: Path) -> DrawnHistory:
    """Return what was drawn in a session, and nothing for other files."""
    with _session(path) as recording:
        return DrawnHistory((), ()) if recording is None else recording.drawn_history


@contextmanager
def _session(path: Path) -> "Iterator[Recording | None]":
    """Open a session; None if the file is none."""
    # Only here: HDF5 and its filters take a while to load.
    from thermoseg.recording.opening import is_session
    from thermoseg.recording.reader import Recording

    if not is_session(path):
        yield None
        return
    with Recording(path) as recording:
        yield recording


def prepare_folder(out: Path) -> None:
    """Make the folder of the results, with its folder of overlays."""
    (out / VIS_FOLDER).mkdir(parents=True, exist_ok=True)


def _expand(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in ALL_SUFFIXES and file.is_file():
            yield file


def _may_be_overwritten(file: Path, out: Path) -> bool:
    # `Path.resolve` fails on links that lead to each other, which are told of when they are opened.
    folder, suffix = Path(os.path.realpath(file)).parent, file.suffix.lower()
    masks, pictures = (Path(os.path.realpath(place)) for place in (out, out / VIS_FOLDER))
    return (folder == masks and suffix == ".png") or (folder == pictures and suffix == ".jpg")


def _free_stem(wanted: str, stems: set[str], taken: set[str]) -> str:
    """Number `wanted` until it is free, whatever the case of letters, and mark it as taken.

    `face_000003` would meet the fourth mask of a sequence `face`, so it is not free beside one.
    """
    base, _, number = wanted.rpartition("_")
    candidate, count = wanted, 1
    if number.isdecimal() and base in stems:
        candidate, count = f"{wanted}-2", 2
    while candidate.lower() in taken:
        count += 1
        candidate = f"{wanted}-{count}"
    taken.add(candidate.lower())
    return candidate


def _write_pictures(frame: Frame, labels: NDArray[np.uint8], out: Path, name: str) -> None:
    write_image(out / f"{name}.png", labels)
    overlay = draw_overlay(frame.celsius, labels)
    write_image(out / VIS_FOLDER / f"{name}.jpg", overlay[..., ::-1])
