"""Files and folders as a camera: `file:PATH?loop=true`, and as frames to walk through."""

import logging
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from drivers.flir_files import FlirFile, fff_of_jpeg
from drivers.frame_source import (
    UNCLOCKED_STEP_S,
    Clock,
    FileOptions,
    FrameSource,
    modified,
)
from drivers.matrix_files import PureThermalSource, open_bin, open_npy, open_tiff
from drivers.picture_files import PictureSource, VideoSource
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraTimeoutError,
    ConfigError,
    FormatError,
    FrameRefusedError,
    StreamEndedError,
)
from thermoseg.file_kinds import ALL_SUFFIXES, SUFFIXES, FileKind
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import COUNTS, LinearRadiometry, PlanckRadiometry, Radiometry

log = logging.getLogger(__name__)

MAX_LATE_S: Final = 0.25
"""Lateness after which playing goes on from here, without a burst to catch up."""


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
        from thermoseg.recording.reader import Recording, say_no_pictures

        with ExitStack() as stack:
            self._recording = stack.enter_context(Recording(path))
            if not self._recording.has_pictures:
                raise FormatError(say_no_pictures(path))
            self._radiometry = _with_scene(self._recording.info.radiometry, path.name, options)
            self._open = stack.pop_all()
        for problem in self._recording.problems:
            log.warning("%s: %s", path.name, problem)
        self._rate_hz = options.rate_hz
        self.info = replace(
            self._recording.info,
            radiometry=self._radiometry,
            rate_hz=options.rate_hz or self._recording.info.rate_hz,
            live=False,
            frame_count=len(self._recording),
        )

    def __len__(self) -> int:
        return len(self._recording)

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
            frame = self._recording.frame(index)
        except FormatError as error:
            raise FrameRefusedError(str(error)) from error
        return Frame.from_counts(
            frame.counts,
            self._radiometry,
            frame.index,
            index / self._rate_hz if self._rate_hz else frame.time_s,
            frame.wall_time,
            frame.flags,
        )

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
            (
                file
                for file in path.iterdir()
                if file.suffix.lower() in ALL_SUFFIXES and file.is_file()
            ),
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


class PlaybackCamera:
    """A file or folder, played as if it were a camera."""

    Options: ClassVar[type[CameraOptions]] = FileOptions

    def __init__(self, target: str, options: FileOptions) -> None:
        """Remember the path; nothing is opened yet."""
        self._path = Path(target).expanduser()
        self._options = options
        self._source: FrameSource | None = None
        self._info: CameraInfo | None = None
        self._waiting: Frame | None = None

    @property
    def source(self) -> FrameSource:
        """Every frame by number, of an open file.

        Raises
        ------
        CameraError
            If it is not open.
        """
        if self._source is None:
            raise CameraError(f"{self._path.name} is not open; open it before reading")
        return self._source

    def open(self) -> CameraInfo:
        """Open the file; see `open_source`."""
        if self._path == Path():
            raise ConfigError("the address names no file; write file:recording.seq")
        self.close()
        self._source = open_source(self._path, self._options)
        self._info = self._source.info
        self._next = 0
        self._last: Frame | None = None
        self._shift = _Shift()
        self._began: float | None = None
        """Monotonic time at which `time_s` was 0."""
        return replace(self._info, frame_count=None) if self._options.loop else self._info

    def read(self, timeout_s: float) -> Frame:
        """Wait until the next frame is due; see `Camera`.

        Raises
        ------
        FrameRefusedError
            If it is damaged and the one after it can be read.
        FormatError
            If it is damaged, or of another size or kind than the first.
        """
        if self._waiting is None:
            self._waiting = self._following()
        if self._options.realtime:
            self._wait(self._waiting.time_s, timeout_s)
        frame, self._waiting = self._waiting, None
        self._last = frame
        return frame

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._waiting = None
        if self._source is not None:
            self._source.close()
            self._source = None

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """Return nothing: files are named, not found."""
        return ()

    def _following(self) -> Frame:
        """Read the next frame, numbered on where the file begins again."""
        source = self.source
        try:
            frame = source.frame(self._next)
        except FrameRefusedError:
            self._next += 1
            raise
        except IndexError:
            if not self._options.loop or self._last is None:
                raise StreamEndedError(
                    f"{self._path.name} has been played to its end; open it again or loop it"
                ) from None
            self._next = 0
            frame = self._first_again(source)
            rate_hz = source.info.rate_hz or 1 / UNCLOCKED_STEP_S
            self._shift = _Shift(
                self._last.index + 1 - frame.index, self._last.time_s + 1 / rate_hz - frame.time_s
            )
        announced = self._as_announced(frame)
        self._next += 1
        return self._shift.apply(announced)

    def _first_again(self, source: FrameSource) -> Frame:
        """Read the first frame that is not damaged."""
        while True:
            try:
                return source.frame(self._next)
            except FrameRefusedError:
                self._next += 1

    def _as_announced(self, frame: Frame) -> Frame:
        """Refuse a frame unlike the first, and express its counts in the first one's calibration.

        A session has one size and one radiometry; a camera that changes its measuring range in
        the middle of a file changes both the counts and their meaning.
        """
        info = self.source.info
        height, width = frame.counts.shape
        if (width, height) != (info.width, info.height):
            raise FormatError(
                f"{self._path.name}, frame {self._next}: it is {width}×{height}, the first is "
                f"{info.width}×{info.height}; play frames of one size together"
            )
        if frame.radiometric != info.radiometric:
            raise FormatError(
                f"{self._path.name}, frame {self._next}: only part of the frames carry "
                "temperatures; play those of one kind together"
            )
        announced = info.radiometry.to_celsius(frame.counts)
        if np.array_equal(announced, frame.celsius, equal_nan=True):
            return frame
        if not isinstance(info.radiometry, LinearRadiometry | PlanckRadiometry):
            return frame
        counts = np.rint(info.radiometry.to_counts(frame.celsius))
        if not ((counts >= 0) & (counts < COUNTS)).all():
            raise FormatError(
                f"{self._path.name}, frame {self._next}: its calibration differs and it is out of "
                "the range of the first; play it by itself"
            )
        return Frame.from_counts(
            counts.astype(np.uint16),
            info.radiometry,
            frame.index,
            frame.time_s,
            frame.wall_time,
            frame.flags,
        )

    def _wait(self, time_s: float, timeout_s: float) -> None:
        now = time.monotonic()
        if self._began is None or now - self._began - time_s > MAX_LATE_S:
            self._began = now - time_s
        wait_s = self._began + time_s - now
        time.sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            raise CameraTimeoutError(
                f"the next frame of {self._path.name} is not due yet; read again"
            )


@dataclass(frozen=True, slots=True)
class _Shift:
    """Number and time by which a repeated frame is later than when it was first played."""

    index: int = 0
    time_s: float = 0.0

    def apply(self, frame: Frame) -> Frame:
        if not self.index:
            return frame
        return replace(
            frame,
            index=frame.index + self.index,
            time_s=frame.time_s + self.time_s,
            wall_time=frame.wall_time + self.time_s,
        )


def _with_scene(radiometry: Radiometry, name: str, options: FileOptions) -> Radiometry:
    if not options.scene:
        return radiometry
    if not isinstance(radiometry, PlanckRadiometry):
        options.refuse_scene(name)
        return radiometry
    return replace(radiometry, scene=replace(radiometry.scene, **options.scene))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame 2 comes before frame 10."""
    parts = re.findall(r"(\d+)|(\D+)", path.name.lower())
    return [(int(number), "") if number else (-1, text) for number, text in parts]


def _recorded(path: Path) -> float | None:
    with closing(FlirFile(path)) as file:
        return file.wall_times[0]
