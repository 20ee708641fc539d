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
EMPTY_TITLE: Final = "Replay"
EMPTY: Final = "Open a recording, or choose one of the list."
OPEN: Final = "Open a recording…"
FAILED: Final = "That did not work"
AS_CAMERA: Final = "Play as a camera"
AS_CAMERA_TIP: Final = "Open this file on the live page, where a model segments it"
NO_MASKS: Final = "No masks are stored"
DAMAGED: Final = "This frame is damaged"
INFO: Final = "Recording"
RECORDINGS: Final = "Recordings"
EXPORT: Final = "Export"
ANALYSES: Final = "Analyses"


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
