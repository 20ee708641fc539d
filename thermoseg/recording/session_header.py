"""What a session file says of itself: its camera, its model, its study, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import FormatError
from thermoseg.frames import CameraInfo
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.soundness import MAX_RATE_HZ


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """The attributes of a session file, checked; see the properties of `Recording`."""

    address: str
    session_id: str
    created: str
    program: str
    model: ModelIdentity | None
    format_version: str
    regions: tuple[str, ...]
    study: Mapping[str, str | float]
    notes: str
    drawn_rois: tuple[DrawnRoi, ...]
    ended: str
    info: CameraInfo
    """The camera, without the number of frames."""


def read_header(session: OpenSession, problems: list[str]) -> SessionHeader:
    """Read the attributes of a session.

    Parameters
    ----------
    problems
        Gets a sentence for each that is lost and only describes the session.

    Raises
    ------
    FormatError
        If one is lost on which all depends.
    """
    attributes = session.attributes

    def text(name: str) -> str:
        return attributes.described(name, str, problems)

    address, session_id, created, program = (
        text(name) for name in ("address", "session_id", "created", "program")
    )
    for name in ("created_epoch_s", "created_monotonic_s"):
        attributes.described(name, float, problems)
    model = ModelIdentity(*(text(f"model_{part}") for part in ("name", "sha256", "backend")))
    minor = attributes.integer("format_minor")
    regions, study, notes = attributes.regions(), attributes.study(problems), text("notes")
    drawn_rois = attributes.drawn_rois(problems)
    attributes.described("complete", int, problems)
    ended = text("ended")
    attributes.described("pictures", int, problems)
    return SessionHeader(
        address=address,
        session_id=session_id,
        created=created,
        program=program,
        model=model if model.name else None,
        format_version=f"{attributes.integer('format_version')}.{minor}",
        regions=regions,
        study=study,
        notes=notes,
        drawn_rois=drawn_rois,
        ended=ended,
        info=_read_camera(session, problems),
    )


def _read_camera(session: OpenSession, problems: list[str]) -> CameraInfo:
    attributes = session.attributes
    height, width = session.file["frames/counts"].shape[1:]
    if (attributes.integer("height"), attributes.integer("width")) != (height, width):
        raise FormatError(
            f"{session.path}: its pictures are not of the size that its header names; "
            "copy the file again from its source"
        )
    return CameraInfo(
        attributes.described("camera_model", str, problems),
        attributes.described("camera_serial", str, problems),
        width,
        height,
        _rate_hz(attributes.described("rate_hz", float, problems), problems),
        attributes.radiometry(),
        attributes.described("live", int, problems) == 1,
    )


def _rate_hz(rate_hz: float, problems: list[str]) -> float:
    if 0 <= rate_hz <= MAX_RATE_HZ:
        return rate_hz
    problems.append(
        f"its rate of {rate_hz:g} Hz cannot be; it is played by the times of its frames"
    )
    return 0.0
