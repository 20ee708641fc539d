"""The frames of a session for an exporter: those that can be read, and a sentence on the others."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from thermoseg.errors import ExportError, FormatError
from thermoseg.export.job import Watch
from thermoseg.frames import Frame
from thermoseg.recording.reader import Recording


class ReadableFrames:
    """Iterates over frames of a recording by position; leaves out what is damaged."""

    def __init__(self, recording: Recording, watch: Watch, positions: Sequence[int]) -> None:
        """Note which frames are wanted; none is read yet.

        Raises
        ------
        ExportError
            If the recording has no frame, or none is wanted.
        """
        require_frames(recording)
        if not positions:
            raise ExportError(
                f"“{recording.path}” has no frame in this stretch; choose another one"
            )
        self._recording = recording
        self._watch = watch
        self._positions = positions
        self._damaged: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        """Yield positions and frames; raises `ExportCancelledError` if asked to end."""
        total = len(self._positions)
        for done, position in enumerate(self._positions):
            self._watch.step(done, total)
            try:
                frame = self._recording.frame(position)
            except FormatError:
                self._damaged.append(position)
                continue
            yield position, frame
        self._watch.step(total, total)

    def notes(self) -> tuple[str, ...]:
        """Say what was left out, a sentence each, after the last frame.

        Raises
        ------
        ExportError
            If nothing is left.
        """
        if len(self._damaged) == len(self._positions):
            raise ExportError(
                f"“{self._recording.path}”: every frame is damaged; copy the session again from "
                "its source"
            )
        return (*say_problems(self._recording), *say_damaged(self._recording.path, self._damaged))


def require_frames(recording: Recording) -> None:
    """Raise `ExportError` for a recording without a picture."""
    if not len(recording) or not recording.has_pictures:
        raise ExportError(
            f"“{recording.path}” holds no pictures; export its samples as CSV, or name a session "
            "that has some"
        )


def say_problems(recording: Recording) -> tuple[str, ...]:
    """Say what was found wrong when the recording was opened, a sentence each.

    One that had not ended is not whole either: its file may have grown since.
    """
    problems = list(recording.problems)
    if recording.being_recorded:
        problems.append(
            f"it was still being recorded; what came after its first {len(recording)} frames is "
            "left out, export it again when it has ended"
        )
    return tuple(f"“{recording.path}”: {problem}" for problem in problems)


def say_damaged(path: Path, damaged: Sequence[int], what: str = "frame") -> tuple[str, ...]:
    """Say that pictures at these positions are left out; nothing if there are none."""
    if not damaged:
        return ()
    number = f"{len(damaged)} {what}s are" if len(damaged) > 1 else f"1 {what} is"
    return (f"“{path}”: {number} damaged and left out (first: {damaged[0]})",)


def utc_text(wall_time: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC, to the microsecond; empty if unknown."""
    if not isfinite(wall_time):
        return ""
    moment = datetime.fromtimestamp(wall_time, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
