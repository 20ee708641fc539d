"""What a session file holds, in a few lines: the substance of `thermoseg info`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermoseg.frames import CameraInfo, FrameFlag
from thermoseg.recording.reader import Recording, RecordingCounts
from thermoseg.recording.recorder import ModelIdentity


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A session file at a glance."""

    path: Path
    bytes_on_disk: int
    created: str
    program: str
    address: str
    camera: CameraInfo
    model: ModelIdentity | None
    frames: int
    seconds: float
    """From the first frame to the last."""
    rate_hz: float
    """Frames per second as recorded, 0 for fewer than two."""
    counts: RecordingCounts
    gaps: int
    flagged: dict[str, int]
    """Frames that carry each flag, by its name in lower case; none without frames."""
    events: int
    complete: bool
    ended: str
    """Why recording ended; empty if it was not finished."""

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values for people to read, in order."""
        camera, counts, model = self.camera, self.counts, self.model
        flags = ", ".join(f"{count} {name}" for name, count in self.flagged.items())
        radiometry = type(camera.radiometry).__name__
        return [
            ("file", f"{self.path}, {self.bytes_on_disk / 1e6:.1f} MB"),
            ("complete", f"yes, {self.ended}" if self.complete else "no, recover it"),
            ("created", f"{self.created} by {self.program}"),
            ("camera", f"{camera.model} {camera.serial}".strip() + f" at {self.address}"),
            ("size", f"{camera.width} × {camera.height} pixels"),
            ("radiometry", f"°C, {radiometry}" if camera.radiometric else "relative counts"),
            ("frames", f"{self.frames} in {self.seconds:.2f} s"),
            ("rate", f"{self.rate_hz:.2f} Hz, nominal {camera.rate_hz:.2f} Hz"),
            ("lost", f"{counts.dropped} dropped, {counts.missed} missed, {self.gaps} gaps"),
            ("flags", flags or "none"),
            ("model", f"{model.name} ({model.backend}, {model.sha256[:12]})" if model else "none"),
            ("events", str(self.events)),
        ]


def summarise(path: Path) -> RecordingInfo:
    """Look at a session file without reading a picture.

    Raises
    ------
    FormatError
        If it is no session file or damaged.
    """
    with Recording(path) as recording:
        frames = len(recording)
        seconds = float(recording.times_s[-1] - recording.times_s[0]) if frames else 0.0
        counted = {
            (flag.name or "").lower(): int(np.count_nonzero(recording.flags & flag.value))
            for flag in FrameFlag
        }
        return RecordingInfo(
            path=path,
            bytes_on_disk=path.stat().st_size,
            created=recording.created,
            program=recording.program,
            address=recording.address,
            camera=recording.info,
            model=recording.model,
            frames=frames,
            seconds=seconds,
            rate_hz=(frames - 1) / seconds if seconds > 0 else 0.0,
            counts=recording.counts,
            gaps=len(recording.gaps),
            flagged={name: count for name, count in counted.items() if count},
            events=len(recording.events),
            complete=recording.complete,
            ended=recording.ended,
        )
