"""The manifest beside a finished session: what it holds, for programs that do not read HDF5.

As a program, `python -m thermoseg.recording.manifest MANIFEST` adds the checksum that is missing.
"""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.recording.layout import SessionNames
from thermoseg.recording.status import RecordingSummary
from thermoseg.whole_file import creating, write_whole

log = logging.getLogger(__name__)

KIND: Final = "thermoseg manifest"
LIBRARIES: Final = ("thermoseg", "numpy", "h5py", "hdf5plugin", "openvino", "torch")
"""Their versions stand in the manifest."""
MAX_BYTES: Final = 1_000_000
"""Read of a manifest at most; study fields and notes have 40 kB."""
_BLOCK_BYTES: Final = 2**20


class ListedFile(BaseModel):
    """One file that the manifest is about."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Name without its folder."""
    bytes: int
    sha256: str | None
    """In hexadecimal; None until it has been calculated."""


class Manifest(BaseModel):
    """What a finished session holds; newer programs may add keys."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["thermoseg manifest"] = "thermoseg manifest"
    files: tuple[ListedFile, ...]
    session_id: str
    created: str
    """ISO 8601 with zone."""
    seconds: float
    """Time from the first frame to the last."""
    camera: dict[str, str | int | float]
    model: dict[str, str] | None
    """None if none segmented."""
    regions: tuple[str, ...]
    pictures: bool
    """Whether pictures were recorded, and not only traces."""
    study: dict[str, str | int | float]
    notes: str
    counts: dict[str, int]
    format_version: str
    software: dict[str, str]


def describe_recording(
    header: Mapping[str, str | int | float], summary: RecordingSummary, notes: str
) -> Manifest:
    """Return the manifest of a session that was just finished, without its checksum.

    Parameters
    ----------
    header
        Attributes of the session file, see `thermoseg.recording.layout.HEADER`.

    Raises
    ------
    OSError
        If the file is gone.
    """
    camera = ("camera_model", "camera_serial", "address", "width", "height", "rate_hz")
    model = {name: str(header[f"model_{name}"]) for name in ("name", "sha256", "backend")}
    counts = ("captured", "recorded", "dropped", "missed")
    size = summary.path.stat().st_size
    return Manifest(
        files=(ListedFile(name=summary.path.name, bytes=size, sha256=None),),
        session_id=str(header["session_id"]),
        created=str(header["created"]),
        seconds=summary.seconds,
        camera={name.removeprefix("camera_"): header[name] for name in camera},
        model=model if model["name"] else None,
        regions=tuple(json.loads(str(header["regions"]))),
        pictures=bool(header["pictures"]),
        study=json.loads(str(header["study"])),
        notes=notes,
        counts={name: getattr(summary, name) for name in counts},
        format_version=f"{header['format_version']}.{header['format_minor']}",
        software=_versions(),
    )


def write_manifest(manifest: Manifest, session: Path, cancelled: Callable[[], bool]) -> bool:
    """Write the manifest of `session` beside it, at first without and then with its checksum.

    Parameters
    ----------
    cancelled
        Asked for each MB that is read, as a long recording takes minutes.

    Returns
    -------
    Whether the checksum is in it; False if it was cancelled.

    Raises
    ------
    FileExistsError
        If there is a file of its name.
    OSError
        If it cannot be written, or the session not be read.
    """
    path = SessionNames(session).manifest
    with creating(path) as temporary:
        temporary.write_bytes(encode(manifest))
    return complete_manifest(path, cancelled)


def complete_manifest(path: Path, cancelled: Callable[[], bool] = lambda: False) -> bool:
    """Add the checksums to the manifest `path`; False if it was cancelled.

    Raises
    ------
    OSError, ValueError
        If it or a file that it lists cannot be read or written.
    """
    manifest = Manifest.model_validate_json(_read(path))
    files = []
    for listed in manifest.files:
        digest = sha256_of(path.with_name(Path(listed.name).name), cancelled)
        if digest is None:
            return False
        files.append(listed.model_copy(update={"sha256": digest}))
    write_whole(path, encode(manifest.model_copy(update={"files": tuple(files)})))
    return True


def compare_manifest(session: Path, session_id: str) -> list[str]:
    """Compare the finished file `session` with its manifest; return what differs, a sentence each.

    Nothing is said if there is none, or a JSON file of another kind has its name.
    """
    path = SessionNames(session).manifest
    if not path.is_file():
        return []
    try:
        content = json.loads(_read(path))
        if not isinstance(content, dict) or content.get("kind") != KIND:
            return []
        manifest = Manifest.model_validate(content)
    except (OSError, ValueError, RecursionError) as error:
        why = "damaged" if isinstance(error, ValidationError) else str(error)
        return [f"its manifest {path.name} cannot be read ({why}); copy it again from its source"]
    if manifest.session_id != session_id:
        return [f"its manifest {path.name} is that of another session; move it to that one"]
    return [
        f"{fault}: it was changed or damaged after it was recorded, copy it again from its source"
        for listed in manifest.files[:1]
        for fault in _differences(session, listed, path.name)
    ]


def _differences(session: Path, listed: ListedFile, name: str) -> list[str]:
    size = session.stat().st_size
    if size != listed.bytes:
        return [f"it has {size} bytes and {listed.bytes} in its manifest {name}"]
    if listed.sha256 is not None and sha256_of(session) != listed.sha256:
        return [f"its SHA-256 is not that of its manifest {name}"]
    return []


def sha256_of(path: Path, cancelled: Callable[[], bool] = lambda: False) -> str | None:
    """Return the SHA-256 of a file in hexadecimal; None if it was cancelled."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if cancelled():
                return None
            digest.update(block)
    return digest.hexdigest()


def encode(manifest: Manifest) -> bytes:
    """Return a manifest as its file holds it."""
    return manifest.model_dump_json(indent=2).encode() + b"\n"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {"python": python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _main() -> None:
    if sys.platform != "win32":
        os.nice(10)
    complete_manifest(Path(sys.argv[1]))


if __name__ == "__main__":
    _main()
