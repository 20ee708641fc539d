"""What a session looks like at one moment, for whoever looks: a window, a command, a benchmark."""

from dataclasses import dataclass, field
from pathlib import Path

from thermoseg.backlog import Backlog
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.events import SessionEvent
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.marks import Mark
from thermoseg.recording.status import RecorderStatus
from thermoseg.result import Result
from thermoseg.session_recording import RecordingState
from thermoseg.tally import SessionCounts
from thermoseg.telemetry import Telemetry


@dataclass(frozen=True, slots=True, eq=False)
class SessionView:
    """One look at a session; the defaults are what there is to see where none runs."""

    frame: Frame | None = None
    """The newest one."""
    result: Result | None = None
    """The newest one of the model at work; its frame is never newer than `frame`."""
    counts: SessionCounts = field(default_factory=SessionCounts)
    recording: RecordingState = RecordingState.OFF
    recorder: RecorderStatus | None = None
    """Status of the recording, or of the last one; its `failed` says if it ended by itself."""
    recording_path: Path | None = None
    """Path of the recording, or of the last one; None before the first."""
    pre_recorded_s: float = 0.0
    """Length of what a recording that began now would start with."""
    marks: tuple[Mark, ...] = ()
    """The last marks that were made and not taken back, oldest first, recorded or not."""
    telemetry: Telemetry = field(default_factory=dict)
    """Telemetry of the camera, at most a second old; empty if it has none."""
    visible_jpeg: bytes | None = None
    """The visible picture that came beside the thermal ones, if the camera takes any."""
    lost: str = ""
    """Why the camera is gone, or why it did not open again; empty once pictures come."""
    lost_seconds: float = 0.0
    """Time since the last frame of a camera that is lost; 0 if it is there."""
    backlogs: tuple[Backlog, ...] = ()
    """What waits for the recorder, the network and each sink, and whether it grows."""
    rate_note: str = ""
    """One sentence if the camera has delivered another rate than it was asked for, else empty."""
    events: tuple[SessionEvent, ...] = ()
    """Losses, gaps, actions, marks of the user: the last ones, oldest first."""
    info: CameraInfo | None = None
    """Description of the camera, once it is open."""
    actions: tuple[str, ...] = ()
    """Actions that an open camera offers, such as a flat-field correction."""
    corrections: CorrectionPolicy = CorrectionPolicy.AUTOMATIC
    """Who decides when the camera corrects itself."""
    correction_waits: bool = False
    """Whether a flat-field correction that was asked for waits for the end of the trial."""
    model: ModelIdentity | None = None
    """Identity of the network that segments, None if none does."""
    ended: bool = False
    """Whether no thread works any more: the source ended, or an error, or `stop`."""
    error: Exception | None = None
    """Error that ended the session, if not `stop` or the end of the source."""
