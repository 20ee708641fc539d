"""Files and folders as a camera: `file:PATH?loop=true`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from drivers.file_sources import open_source
from drivers.frame_source import UNCLOCKED_STEP_S, FileOptions, FrameSource
from drivers.uniform_frames import UniformFrames, as_announced
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraTimeoutError,
    ConfigError,
    FrameRefusedError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame
from thermoseg.recorded_frames import FramesByNumber

MAX_LATE_S: Final = 0.25
"""Lateness after which playing goes on from here, without a burst to catch up."""


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

    def open(self) -> CameraInfo:
        """Open the file; see `open_source`."""
        self.close()
        self._source = self._open_source()
        self._info = self._source.info
        self._next = 0
        self._last: Frame | None = None
        self._shift = _Shift()
        self._began: float | None = None
        """Monotonic time at which `time_s` was 0."""
        return replace(self._info, frame_count=None) if self._options.loop else self._info

    def open_by_number(self) -> FramesByNumber:
        """Open the file once more; see `IndexedCamera`."""
        return UniformFrames(self._open_source(), self._path.name)

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

    def _open_source(self) -> FrameSource:
        if self._path == Path():
            raise ConfigError("the address names no file; write file:recording.seq")
        return open_source(self._path, self._options)

    def _following(self) -> Frame:
        """Read the next frame, numbered on where the file begins again."""
        source = self._source
        if source is None:
            raise CameraError(f"{self._path.name} is not open; open it before reading")
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
        announced = as_announced(frame, source.info, self._path.name, self._next)
        self._next += 1
        return self._shift.apply(announced)

    def _first_again(self, source: FrameSource) -> Frame:
        """Read the first frame that is not damaged."""
        while True:
            try:
                return source.frame(self._next)
            except FrameRefusedError:
                self._next += 1

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
