"""What a session says of itself on the picture."""

from thermoseg.frames import FrameFlag
from thermoseg.session_view import SessionView
from ui.live.session_controller import CameraState
from ui.shell.defects import capitalised
from ui.texts import live as texts


def describe_stale(view: SessionView) -> str:
    """Return why the picture is not what the camera sees now; only asked of a lost camera."""
    if not view.lost:
        return texts.NO_SIGNAL
    return "\n".join((texts.reopening(view.lost_seconds), capitalised(view.lost)))


def describe_note(state: CameraState, view: SessionView) -> str:
    """Return what must be said on the picture itself; empty if nothing."""
    shutter = view.frame is not None and FrameFlag.SHUTTER in view.frame.flags
    if shutter and state.open:
        return texts.SHUTTER
    said = {CameraState.ENDED: texts.ENDED, CameraState.FAILED: texts.STOPPED_BY_ERROR}
    notes = [said.get(state, "")]
    if view.correction_waits:
        notes.append(texts.FLAT_FIELD_WAITS)
    if view.info is not None and not view.info.radiometric:
        notes.append(texts.relative_counts(view.info.why_relative))
    return "\n".join(note for note in notes if note)
