"""Words of the live page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

SOURCE: Final = "Camera or file"
SOURCE_TIP: Final = "A camera from the list, a file, or an address such as simulated: or lepton:"
SOURCE_HINT: Final = "Choose a camera, drop a file, or type an address"
SCAN: Final = "Look for cameras again (F5)"
OPEN_FILE: Final = "Open a recording or picture (Ctrl+O)"
CHOOSE_CAMERA: Final = "Choose a camera"
CHOOSE_CAMERA_HOW: Final = (
    "Pick one from the list above, drop a recording or picture here, or type an address."
)
USE_SIMULATION: Final = "Use the simulated camera"
USE_FILE: Final = "Open a file…"
OPENING_TAKES: Final = "This takes a few seconds the first time."
WAITING: Final = "Waiting for the first picture"
WAITING_FOR: Final = "The camera is open and has not sent one yet."
OPTIONS: Final = "Options of the camera"
CAMERA: Final = "Camera"
ACTIONS_TIP: Final = "What the camera can be asked for"
MODEL: Final = "Model"
MODEL_TIP: Final = "The network that finds the regions"
MODEL_FILE: Final = "Open a model file…"
NO_SEGMENTATION: Final = "No segmentation"
MODEL_FAILED: Final = "not loaded"
SYNTHETIC_ONLY: Final = "synthetic faces only"
MODEL_DATA: Final = "Trained on"
MODEL_NETWORK: Final = "Network"
MODEL_TRAINED: Final = "Trained"
MODEL_LICENCE: Final = "Licence"
MODEL_NOTES: Final = "Notes"
LACKING: Final = "Other cameras"
LACKING_TIP: Final = "What other kinds of camera need before they can be used"
COPY: Final = "Copy"
RECENT: Final = "Opened lately"
START: Final = "Start"
STOP_CAMERA: Final = "Close"
START_TIP: Final = "Open the camera"
STOP_TIP: Final = "Close the camera"

NO_EVENTS: Final = "Nothing has happened yet: no loss, no correction, no broken picture."
EVENTS: Final = "Events"
APPLY_OPTIONS: Final = "Open with these options"
NO_ADDRESS: Final = "Choose a camera first."
NO_OPTIONS: Final = "This camera has no options."

STUDY: Final = "Study"
NO_STUDY: Final = "No study"
NEW_STUDY: Final = "New study…"
OPEN_STUDY: Final = "Open a study…"
EDIT_STUDY: Final = "Settings of the study…"
LEAVE_STUDY: Final = "Work without a study"
FOLDER: Final = "Record into another folder…"
REQUIRED: Final = "required"
PATH: Final = "Path of this recording"
PLANNED_PATH: Final = "Path of the next recording"
PRE_RECORD: Final = "Pre-record"
PRE_RECORD_TIP: Final = "How much of what came before the start is recorded as well"
TRACES_ONLY: Final = "Traces only"
TRACES_ONLY_TIP: Final = "Store temperatures of regions, but neither pictures nor masks"
NOTES: Final = "Notes"
NOTES_HINT: Final = "Notes, until the recording ends"
NO_MARK: Final = "Keys 1 to 9 mark a moment."
UNDO: Final = "Undo"
UNDO_MARK: Final = "Take the last mark back"
TOO_LATE: Final = "That mark is too old to be taken back."
NO_CELSIUS: Final = "the camera gives counts, no temperatures"
NO_MODEL_NOW: Final = "no model segments"
NO_FACE: Final = "no face is seen"
CAMERA_LOST: Final = "the camera is lost"
RECORD_ANYWAY: Final = "Record anyway"
OPEN_ANOTHER: Final = "open another source"
CLOSE_CAMERA: Final = "close the camera"
RECORDING: Final = "Recording"
MARKERS: Final = "Markers"
TEMPERATURES: Final = "Temperatures"
OPTIONS_OF_CAMERA: Final = "Options of the camera"
SHUTTER: Final = "The camera corrects itself behind its shutter"
NO_SIGNAL: Final = "No signal — waiting for the camera"
ENDED: Final = "End of the source"
STOPPED_BY_ERROR: Final = "Stopped by an error"
FLAT_FIELD: Final = "Flat-field correction"
EMISSIVITY: Final = "Emissivity"
REFLECTED: Final = "Reflected temperature"
APPLY_SCENE: Final = "Use these values"
NO_SCENE: Final = "This camera gives no temperatures that could be reckoned anew."
RECOVER: Final = "Recover"
REPLAY: Final = "Replay"
STUDY_SETTINGS: Final = "Settings of the study"
SAVE_STUDY: Final = "Save"
TAKE_OVER: Final = "Take over from now"
TAKE_OVER_TIP: Final = "Put camera, model, span of the colours and drawn regions of now into it"
STUDY_SAVED: Final = "The settings of the study are saved."
ABSENT: Final = "no segmentation"
ABSENT_LOADING: Final = "the model is being loaded"
ABSENT_LOST: Final = "camera lost"
SAVE_PLOTS: Final = "Save the plots as a picture"
SAVE_TABLE: Final = "Save the values as a table"
BETWEEN_TRIALS: Final = "Correct between trials only"
BETWEEN_TRIALS_TIP: Final = (
    "No flat-field correction while a condition, or a recording without conditions, runs"
)
FLAT_FIELD_WAITS: Final = "Flat field waits for the end of the trial"
NO_FLAT_FIELD: Final = "This camera cannot be asked for a flat-field correction."


def notes_refused(characters: int, most_bytes: int) -> str:
    """Return that notes do not take all that was written."""
    what = "1 character does" if characters == 1 else f"{characters} characters do"
    return f"{what} not fit: notes hold {most_bytes} bytes. Keep more in a file of its own."


def unfinished(path: Path) -> str:
    """Return that a recording was cut off by a crash."""
    return f"{path} was not finished (a crash?)."


def more_unfinished(count: int) -> str:
    """Return that there are more of them."""
    return f"{count} more recordings were not finished; the list on the replay page has them."


def recovering(path: Path) -> str:
    """Return that a recording is being recovered."""
    return f"Recovering {path.name}…"


def recovered(path: Path, losses: Sequence[str]) -> str:
    """Return what came of a recovery."""
    lost = f"; lost: {'; '.join(losses)}" if losses else ", nothing is lost"
    return f"Recovered {path}{lost}."


def saved_as(path: str) -> str:
    """Return that something was saved."""
    return f"Saved {path}"


def opening(address: str) -> str:
    """Return that a camera is being opened."""
    return f"Opening {address}"


def reopening(seconds: float) -> str:
    """Return that the camera is away and tried again."""
    return f"Camera lost, reopening… {seconds:.0f} s"


def relative_counts(why: str) -> str:
    """Return that there are no temperatures."""
    return f"Relative counts, no temperatures: {why}"


def marker_key(number: int) -> str:
    """Return what a number key does."""
    return f"Marker {number}"


def lacking(count: int) -> str:
    """Return the row that stands for cameras that cannot be used yet."""
    kinds = "kind" if count == 1 else "kinds"
    return f"{count} other {kinds} of camera…"


def disk_short(minutes: float, wanted: float) -> str:
    """Return that the disk is shorter than the session."""
    needs = f", the session takes {wanted:.0f} min" if wanted else ""
    return f"the disk holds {minutes:.0f} min{needs}"


def before_recording(doubts: list[str]) -> str:
    """Return what should be looked at before a recording."""
    return f"Before you record: {'; '.join(doubts)}. Record again to begin all the same."


def pre_record(seconds: float) -> str:
    """Return how much is kept from before the start."""
    return f"{seconds:g} s before" if seconds else "Nothing before"


def field(name: str) -> str:
    """Return the name of a field as a word."""
    return name[:1].upper() + name[1:].replace("_", " ")


def marker(number: int, name: str) -> str:
    """Return what a marker's button says."""
    return f"{number}  {name}" if name != unnamed_marker(number) else str(number)


def unnamed_marker(number: int) -> str:
    """Return the name of a marker to which no study gives one."""
    return f"Marker {number}"


def condition(name: str, duration_s: float) -> str:
    """Return what a condition's button says."""
    return f"{name} ({duration_s:g} s)"


def marked(label: str, time_s: float) -> str:
    """Return that a moment was marked."""
    return f"“{label}” at {time_s:.1f} s"


def taken_back(label: str) -> str:
    """Return that a mark was taken back."""
    return f"“{label}” was taken back."
