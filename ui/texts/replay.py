"""Words of the replay page."""

from typing import Final

PLAY: Final = "Play"
PAUSE: Final = "Pause"
TO_BEGIN: Final = "To the beginning"
TO_END: Final = "To the end"
FRAME_BACK: Final = "One frame back"
FRAME_ON: Final = "One frame on"
SECOND_BACK: Final = "One second back"
SECOND_ON: Final = "One second on"
MARKER_BACK: Final = "Marker before"
MARKER_ON: Final = "Next marker"
CUT_IN: Final = "Selection begins here"
CUT_OUT: Final = "Selection ends here"
LOOP: Final = "Loop"
LOOP_TIP: Final = "Play the selection, or all, round and round"
SPEED: Final = "Speed"
PLACE: Final = "Time and frame"
OPEN: Final = "Open…"
OPEN_TIP: Final = "Open a recording, or any other file of frames"
AS_CAMERA: Final = "As camera"
AS_CAMERA_TIP: Final = "Open this file on the live page, where a model segments it"
INFO: Final = "Recording"
EXPORT: Final = "Export"
ANALYSES: Final = "Analyses"
CHOOSE: Final = "Choose…"
SHOW_IN_FOLDER: Final = "Show in folder"
REPLAY_IT: Final = "Replay"
CHOOSE_FOLDER: Final = "Choose a folder"
MODEL: Final = "Model"
SAVE_PLOTS: Final = "Save the plots as a picture"
SAVE_TABLE: Final = "Save the values as a table"
READING_TRACES: Final = "Reading the traces…"
NO_TRACES: Final = "No traces are stored with this recording."
TO_LIST: Final = "Recordings"
TO_LIST_TIP: Final = "The list of recordings; the one that is open stays open"


def opening(name: str) -> str:
    """Return that a file is being opened."""
    return f"Opening {name}"


def place(time_s: float, length_s: float, index: int, count: int) -> str:
    """Return where in a recording one is."""
    return f"{stamp(time_s)} / {stamp(length_s)}   frame {index + 1} of {count}"


def stamp(seconds: float) -> str:
    """Return a time as 1:01:05.250."""
    whole, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(whole), 60)
    text = f"{minutes:02d}:{rest:06.3f}"
    return f"{hours}:{text}" if hours else text


def saved_as(name: str) -> str:
    """Return that something was written."""
    return f"Saved {name}."


def as_sentence(text: str) -> str:
    """Return a clause as a sentence."""
    text = text.strip()
    ended = text.endswith((".", "!", "?"))
    return text if ended or not text else f"{text}."


def length(seconds: float) -> str:
    """Return how long a recording is, as 1:01:05, 2:05 or 4.5 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
