"""What the strip says of a session; a pure reading of its controller."""

from thermoseg.session_view import SessionView
from ui.live.model_shelf import ModelChoice, ModelState
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState, SessionController
from ui.shell.strip import StripContent
from ui.texts import shell as texts


def describe_strip(controller: SessionController) -> StripContent:
    """Return what there is to say now.

    Numbers are those of the recording that runs and of no other: there are none before its file is
    on the disk, nor after it is finished, when the notice of its end has the recorder's own.
    """
    view, state, recording = controller.view, controller.state, controller.recording
    shown = recording.state in (RecordState.ON, RecordState.STOPPING)
    playing = state is CameraState.RUNNING and view.info is not None and not view.info.live
    return StripContent(
        camera=_describe_camera(view, controller.models.choice) if state.open else "",
        camera_state="playing" if playing else state.value,
        backlogs=view.backlogs if state.open else (),
        recording=recording.state,
        status=recording.status if shown else None,
    )


def _describe_camera(view: SessionView, choice: ModelChoice) -> str:
    info, counts = view.info, view.counts
    if info is None:
        return ""
    parts = [f"{info.model} {info.width}×{info.height}", f"{counts.camera_rate_hz:.1f}/s"]
    if choice.state is ModelState.LOADING:
        parts.append(texts.MODEL_LOADING)
    elif view.model is None:
        failed = choice.state is ModelState.FAILED
        parts.append(texts.MODEL_FAILED if failed else texts.NO_SEGMENTATION)
    else:
        parts.append(texts.segments(view.model.name, counts.segmented_rate_hz))
    if view.lost:
        parts.insert(0, texts.lost_for(view.lost_seconds))
    return "  ·  ".join(parts)
