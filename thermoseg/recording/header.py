"""What a session file says of itself before its first frame."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from thermoseg.errors import RecordingError
from thermoseg.frames import CameraInfo
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import radiometry_to_dict
from thermoseg.recording.layout import FORMAT, FORMAT_MINOR, FORMAT_VERSION, STUDY_BYTES


def describe_session(
    info: CameraInfo,
    address: str,
    model: ModelIdentity | None,
    regions: Sequence[str],
    study: Mapping[str, str | float],
    *,
    pictures: bool = True,
) -> dict[str, str | int | float]:
    """Return the attributes of a session that begins now, see `layout.HEADER`.

    Raises
    ------
    RecordingError
        If the study fields take too much room.
    """
    identity = asdict(model or ModelIdentity("", "", ""))
    try:
        program = f"thermoseg {version('thermoseg')}"
    except PackageNotFoundError:
        program = "thermoseg"
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "format_minor": FORMAT_MINOR,
        "session_id": str(uuid.uuid4()),
        "program": program,
        "created": datetime.now().astimezone().isoformat(),
        "created_epoch_s": time.time(),
        "created_monotonic_s": time.monotonic(),
        "address": address,
        "camera_model": info.model,
        "camera_serial": info.serial,
        "width": info.width,
        "height": info.height,
        "rate_hz": float(info.rate_hz),
        "live": int(info.live),
        "radiometry": json.dumps(radiometry_to_dict(info.radiometry)),
        **{f"model_{name}": value for name, value in identity.items()},
        "regions": json.dumps(list(regions)),
        "study": _study_text(study),
        "pictures": int(pictures),
    }


def _study_text(study: Mapping[str, str | float]) -> str:
    text = json.dumps(dict(study), ensure_ascii=False)
    if len(text.encode()) > STUDY_BYTES:
        raise RecordingError(
            f"the study fields take {len(text.encode())} bytes and a session file has room for "
            f"{STUDY_BYTES}; shorten them, or keep long notes in a file of their own"
        )
    return text
