"""What should be looked at before a recording begins; asked once, never in the way twice."""

from math import inf

from thermoseg.session_view import SessionView
from ui.texts import live as texts

LEAST_S = 60.0
"""A disk that holds less than this is short whatever is planned."""
ROUGH_PACKING = 0.6
"""Share of a picture that is left of it on the disk; measured on the phantom, 0.5-0.65."""


def list_doubts(
    view: SessionView, free_bytes: int, sitting_s: float, *, pictures: bool
) -> dict[str, str]:
    """Return what speaks against recording now, a clause each by its name; empty if nothing does.

    Parameters
    ----------
    free_bytes
        Of the disk that will be written to; negative if nobody knows.
    sitting_s
        Length of the session that is planned, seconds; 0 if none is.
    pictures
        Whether pictures are to be stored, and not only traces.
    """
    doubts = {}
    if view.info is not None and not view.info.radiometric:
        doubts["celsius"] = texts.NO_CELSIUS
    if view.model is None:
        doubts["model"] = texts.NO_MODEL_NOW
    elif view.result is None or view.result.rois is None:
        doubts["face"] = texts.NO_FACE
    if view.lost:
        doubts["camera"] = texts.CAMERA_LOST
    lasts_s = seconds_left(view, free_bytes, pictures=pictures)
    if lasts_s < max(sitting_s, LEAST_S):
        doubts["disk"] = texts.disk_short(lasts_s / 60, sitting_s / 60)
    return doubts


def seconds_left(view: SessionView, free_bytes: int, *, pictures: bool) -> float:
    """Return for how long a recording would fit on the disk, roughly; infinite if unknown."""
    info = view.info
    if info is None or free_bytes < 0 or not pictures:
        return inf
    rate_hz = view.counts.camera_rate_hz or info.rate_hz
    bytes_per_s = ROUGH_PACKING * 2 * info.width * info.height * rate_hz
    return free_bytes / bytes_per_s if bytes_per_s else inf
