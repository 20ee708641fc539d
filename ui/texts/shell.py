"""Words of the window around the pages."""

from pathlib import Path
from typing import Final

from thermoseg.file_kinds import ALL_SUFFIXES
from thermoseg.models import ONNX_SUFFIX, SUFFIX

TITLE: Final = "ThermoSeg"
NOTICES: Final = "Notices"
DISMISS: Final = "Dismiss"
COPY_DETAILS: Final = "Copy details"
COPY_DETAILS_TIP: Final = "Copy versions, system, camera, model and the end of the log"

LIVE: Final = "Live"
REPLAY: Final = "Replay"
TRAINING: Final = "Training"
TIAUG: Final = "TiAug"
LABELLING: Final = "Labels"
PAGES: Final = "Pages"
FAILED: Final = "That did not work"
NOT_YET: Final = "not in this version"

RECORD: Final = "Record"
STOP: Final = "Stop"
STARTING: Final = "Starting…"
STOPPING: Final = "Finishing…"
STOPPED_BEFORE: Final = "the recording was stopped before it had begun"
DISPLAY_LOST: Final = (
    "the display is gone, so the window ended; what was recorded until then is complete, open the "
    "window again to record on"
)
RECORD_TIP: Final = "Record every frame to disk, or stop (F9)"
MARKER: Final = "Marker"
MARKER_TIP: Final = "Mark this moment; the keys 1 to 9 on the live page do the same"
MENU: Final = "Menu"
CAMERA: Final = "Camera"
EVERYWHERE: Final = "Everywhere"

OPEN_FILE: Final = "Open a file…"
CAMERAS: Final = "Look for cameras"
KEYS: Final = "Keys…"
FULL_SCREEN: Final = "Full screen"
LARGER: Final = "Larger text"
SMALLER: Final = "Smaller text"
NORMAL: Final = "Normal text"
THEME: Final = "Dark or light"
LOG_FILE: Final = "Show the log file"
QUIT: Final = "Quit"

CAMERA_STATES: Final = {
    "idle": "No camera",
    "opening": "Opening…",
    "running": "Live",
    "playing": "Playing",
    "lost": "No signal",
    "ended": "Ended",
    "failed": "Failed",
}
MODEL_LOADING: Final = "model loading…"
NO_SEGMENTATION: Final = "no segmentation"
MODEL_FAILED: Final = "model failed"

KEEP_RECORDING: Final = "Keep recording"
SAVE_AND: Final = "Save the recording and {what}"
STILL_RECORDING: Final = "A recording is running."
WHAT_ENDS_IT: Final = "“{what}” would end it; what was recorded so far is saved."
BACKLOG: Final = "What waits for recorder, network and others"
KEYS_TITLE: Final = "Keys"
CLOSE: Final = "Close"
CLOSE_WINDOW: Final = "close the window"
STOP_NOW: Final = "stop"
SHOW_IN_FOLDER: Final = "Show in folder"
TO_TRASH: Final = "To the trash"
FILE_FILTER: Final = (
    "Thermal files and models ("
    + " ".join(f"*{suffix}" for suffix in sorted({*ALL_SUFFIXES, SUFFIX, ONNX_SUFFIX}))
    + ");;All files (*)"
)
"""Names of files that the dialog shows, as Qt wants them."""


def lost_for(seconds: float) -> str:
    """Return how long the camera has been away."""
    return f"lost for {seconds:.0f} s"


def segments(model: str, rate_hz: float) -> str:
    """Return what segments, and how fast."""
    return f"{model} {rate_hz:.1f} masks/s"


def display_lost(error: BaseException) -> str:
    """Return what a window says whose display dies, and in which something went wrong too."""
    return f"the display is gone, so the window ended; {error}"


def told_times(sentence: str, times: int) -> str:
    """Return a sentence that was told several times."""
    return f"{sentence} ({times} times)"


def defect(what: str) -> str:
    """Return the sentence for a fault of the program itself."""
    return (
        f"Something went wrong inside the program ({what}); a recording that runs goes on, "
        "and the log says more"
    )


def system_refused(reason: str, name: object) -> str:
    """Return the sentence for a refusal of the system."""
    place = f"“{name}”: " if name else ""
    return f"{place}{reason}; check that place, its rights and its free space"


def use_model(name: str) -> str:
    """Return the offer of another model."""
    return f"Use {name}"


def no_trash(path: Path) -> str:
    """Return that a file could not be moved to the trash."""
    return f"{path} cannot be moved to the trash here; delete it in the file manager"


def not_there(path: Path) -> str:
    """Return that a recording is not where it was written."""
    return f"{path} was recorded and is not there any more; look where it was moved, or its trash"


def in_trash(path: Path) -> str:
    """Return that a recording is in the trash."""
    return f"{path.name} is in the trash"


def saved(path: Path, seconds: float, frames: int, missed: int, dropped: int) -> str:
    """Return what came of a recording, from the recorder's own summary."""
    lost = [f"{missed} missed"] if missed else []
    lost += [f"{dropped} dropped"] if dropped else []
    numbers = ", ".join([f"{frames} frames", *lost])
    return f"Saved {path} · {seconds:.1f} s · {numbers}"


def sentence(text: str) -> str:
    """Return a clause of the core as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def backlog(name: str, share: float, *, rising: bool) -> str:
    """Return how full a queue is, and whether it grows."""
    return f"{name} {100 * share:.0f} % behind{' ↑' if rising else ''}"


def disk_left(minutes: float) -> str:
    """Return how long the disk lasts."""
    if minutes >= 120:
        return f"disk {minutes / 60:.0f} h"
    return f"disk {minutes:.0f} min"


def clock(seconds: float) -> str:
    """Return a length of time as 01:05, 1:01:05."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    text = f"{minutes:02d}:{whole % 60:02d}"
    return f"{hours}:{text}" if hours else text


def size(size_bytes: float) -> str:
    """Return a number of bytes in powers of ten, as file managers do."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit in ("B", "kB") else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.2f} TB"
