"""What the recorder tells the process that writes its session file."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from thermoseg.recording.ring import RingGeometry


@dataclass(frozen=True, slots=True)
class WriterJob:
    """One session to write, as one line of JSON."""

    path: str
    attributes: dict[str, str | int | float]
    """Attributes of the session file, written before anything else."""
    geometry: RingGeometry
    regions: tuple[str, ...]
    """Names, in the order in which samples count them."""
    token: int | str
    """Handle of the shared memory: a descriptor, on Windows a name."""
    parent: int
    """Process id of the recorder."""
    stop_bytes: int
    """Free space at which recording ends cleanly, bytes."""

    def to_json(self) -> bytes:
        """Return one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """Read the line of `to_json`."""
        fields = json.loads(line)
        geometry, regions = RingGeometry(**fields["geometry"]), tuple(fields["regions"])
        return cls(**{**fields, "geometry": geometry, "regions": regions})
