"""Every kind of file or folder of frames, opened by its content and read frame by frame."""

import logging
import re
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.flir_files import FlirFile, fff_of_jpeg
from drivers.frame_source import Clock, FileOptions, FrameSource, modified
from drivers.matrix_files import open_bin, open_npy, open_tiff
from drivers.picture_files import PictureSource, VideoSource
from drivers.puretherm_files import PureThermalSource
from thermoseg.errors import CameraError, FormatError, FrameRefusedError
from thermoseg.file_kinds import SUFFIXES, FileKind, is_frames_name
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import PlanckRadiometry, Radiometry
from thermoseg.scene import scene_of, with_scene

log = logging.getLogger(__name__)


def open_source(path: Path, options: FileOptions | None = None) -> FrameSource:
    """Open any file or folder of frames, known by its content, to be read frame by frame.

    Raises
    ------
    CameraError
        If it does not exist or may not be read.
    FormatError
        If it is empty, damaged or of no known kind.
    ConfigError
        If it needs an option to be understood, or cannot follow one.
    """
    options = options or FileOptions()
    try:
        if path.is_dir():
            return FolderSource(path, options)
        if path.exists() and not path.is_file():
            raise CameraError(f"{path.name} is a pipe or a device; name a file or a folder")
        with path.open("rb") as stream:
            magic = stream.read(16)
        return _open_file(path, magic, options, alone=True)
    except (OSError, ValueError) as error:
        # A name with a NUL is the ValueError.
        why = getattr(error, "strerror", None) or error
        raise CameraError(f"{path.name} cannot be opened ({why}); check path and rights") from error


def _open_file(path: Path, magic: bytes, options: FileOptions, *, alone: bool) -> FrameSource:
    suffix = path.suffix.lower()
    if not magic:
        raise FormatError(f"{path.name} is empty; record or copy it again")
    if magic[:4] in (b"FFF\0", b"AFF\0") or suffix in SUFFIXES[FileKind.FLIR]:
        return FlirSource(path, options)
    if magic.startswith(b"\xff\xd8\xff"):
        thermal = fff_of_jpeg(path.read_bytes(), path.name) is not None
        return FlirSource(path, options) if thermal else PictureSource(path, options)
    if magic.startswith(b"\x93NUMPY") or suffix in SUFFIXES[FileKind.NUMPY]:
        return open_npy(path, options, alone=alone)
    tiff = magic[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    if tiff or suffix in SUFFIXES[FileKind.TIFF]:
        return open_tiff(path, options)
    if magic.startswith(b"\x1f\x8b") or suffix in SUFFIXES[FileKind.PURETHERMAL]:
        return PureThermalSource(path, options)
    if magic.startswith(b"\x89HDF\r\n\x1a\n") or suffix in SUFFIXES[FileKind.SESSION]:
        return SessionSource(path, options)
    if suffix in SUFFIXES[FileKind.MATRIX]:
        return open_bin(path, options)
    if magic.startswith((b"\x89PNG", b"BM")) or suffix in SUFFIXES[FileKind.PICTURE]:
        return PictureSource(path, options)
    if suffix in SUFFIXES[FileKind.VIDEO]:
        return VideoSource(path, options)
    raise FormatError(
        f"{path.name} is of no kind that can be played; give FFF, SEQ, CSQ, radiometric JPEG or "
        "TIFF, .npy, .bin, .raw.y16.gz, a picture, a video or a session (.h5)"
    )


class FlirSource:
    """FFF, SEQ, CSQ or radiometric JPEG, with the times of its records."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Open `path`; see `FlirFile`."""
        self._file = FlirFile(path, options.scene)
        try:
            first = self._file.frame(0)
        except BaseException:
            self._file.close()
            raise
        self._clock = Clock.of_file(
            self._file.wall_times,
            options,
            nominal_hz=first.camera.rate_hz if len(self._file) > 1 else 0.0,
            fallback=modified(path),
        )
        height, width = first.counts.shape
        self.info = CameraInfo(
            model=first.camera.model,
            serial=first.camera.serial,
            width=width,
            height=height,
            rate_hz=self._clock.rate_hz,
            radiometry=first.camera.radiometry,
            live=False,
            frame_count=len(self._file),
        )

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return self._clock.all_times_s(len(self))

    def __len__(self) -> int:
        return len(self._file)

    def frame(self, index: int) -> Frame:
        """Read frame `index`; see `FrameSource`."""
        stored = self._file.frame(index)
        return Frame.from_counts(
            stored.counts,
            stored.camera.radiometry,
            index,
            self._clock.time_s(index),
            self._clock.wall_time(index),
        )

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()


class SessionSource:
    """A session that this program recorded."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Open `path`.

        Raises
        ------
        ThermoSegError
            If it is damaged or no session.
        """
        # Only here: HDF5 and its filters take a while to load.
        from thermoseg.recording.pictures import say_no_pictures
        from thermoseg.recording.reader import Recording

        with ExitStack() as stack:
            self.recording = stack.enter_context(Recording(path))
            """What else the session holds."""
            if not self.recording.has_pictures:
                raise FormatError(say_no_pictures(path))
            self._radiometry = _with_scene(self.recording.info.radiometry, path.name, options)
            self._open = stack.pop_all()
        for problem in self.recording.problems:
            log.warning("%s: %s", path.name, problem)
        self._rate_hz = options.rate_hz
        self.info = replace(
            self.recording.info,
            radiometry=self._radiometry,
            rate_hz=options.rate_hz or self.recording.info.rate_hz,
            live=False,
            frame_count=len(self.recording),
        )

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return np.arange(len(self)) / self._rate_hz if self._rate_hz else self.recording.times_s

    def __len__(self) -> int:
        return len(self.recording)

    def frame(self, index: int) -> Frame:
        """Read frame `index`; see `FrameSource`.

        Raises
        ------
        FrameRefusedError
            If it is damaged, which says nothing of the others: each has a checksum of its own.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        try:
            frame = self.recording.frame(index)
        except FormatError as error:
            raise FrameRefusedError(str(error)) from error
        if self._radiometry is not self.recording.info.radiometry:
            frame = frame.converted(self._radiometry)
        return replace(frame, time_s=index / self._rate_hz) if self._rate_hz else frame

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._open.close()


class FolderSource:
    """The files of one folder in natural order, a frame each; their sizes may differ."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """List `path` and open its first file.

        Raises
        ------
        FormatError
            If nothing in it can be played.
        """
        self._options = options
        self._paths = sorted(
            (file for file in path.iterdir() if is_frames_name(file) and file.is_file()),
            key=_natural,
        )
        if not self._paths:
            raise FormatError(
                f"the folder {path.name} holds no file that can be played; name another folder"
            )
        walls: list[float | None] = [None]
        if all(file.suffix.lower() == ".fff" for file in self._paths):
            walls = [_recorded(file) for file in self._paths]
        self._clock = Clock.of_file(
            walls, options, nominal_hz=0.0, fallback=modified(self._paths[0])
        )
        first = self._open(0)
        self.info = replace(first.info, rate_hz=self._clock.rate_hz, frame_count=len(self._paths))
        first.close()

    @property
    def times_s(self) -> NDArray[np.float64]:
        """See `FrameSource`."""
        return self._clock.all_times_s(len(self))

    def __len__(self) -> int:
        return len(self._paths)

    def frame(self, index: int) -> Frame:
        """Read file `index`; see `FrameSource`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        with closing(self._open(index)) as source:
            return replace(
                source.frame(0),
                index=index,
                time_s=self._clock.time_s(index),
                wall_time=self._clock.wall_time(index),
            )

    def close(self) -> None:
        """Nothing to do: files are open only while read."""

    def _open(self, index: int) -> FrameSource:
        path = self._paths[index]
        with path.open("rb") as stream:
            magic = stream.read(16)
        source = _open_file(path, magic, self._options, alone=False)
        if len(source) != 1:
            source.close()
            raise FormatError(
                f"{path.name} holds {len(source)} frames, but a folder is played a frame per file; "
                "play it by itself"
            )
        return source


def _with_scene(radiometry: Radiometry, name: str, options: FileOptions) -> Radiometry:
    if not options.scene:
        return radiometry
    if isinstance(radiometry, PlanckRadiometry):
        return replace(radiometry, scene=replace(radiometry.scene, **options.scene))
    known = scene_of(radiometry)
    if known is None or not options.scene.keys() <= {"emissivity", "reflected_c"}:
        options.refuse_scene(name)
        return radiometry
    return with_scene(radiometry, replace(known, **options.scene))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame 2 comes before frame 10."""
    parts = re.findall(r"(\d+)|(\D+)", path.name.lower())
    return [(int(number), "") if number else (-1, text) for number, text in parts]


def _recorded(path: Path) -> float | None:
    with closing(FlirFile(path)) as file:
        return file.wall_times[0]
