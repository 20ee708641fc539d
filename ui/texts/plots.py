"""What traces and timeline say."""

from math import inf
from typing import Final

from thermoseg.labels import NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, PERINASAL

TRACES: Final = "Temperature traces"
TRACES_TIP: Final = (
    "Wheel: more or less time. Drag: earlier or later. Point: all values of that moment."
)

REGIONS: Final = {
    NOSTRILS: "Nostrils, mean",
    NOSTRIL_LEFT: "Nostril, left",
    NOSTRIL_RIGHT: "Nostril, right",
    PERINASAL: "Perinasal",
}
"""Region → its name; drawn regions have names of their own."""

NOSTRILS_PLOT: Final = "Nostrils"
PERINASAL_PLOT: Final = "Perinasal"
ROIS_PLOT: Final = "Drawn regions"
DIFFERENCE_PLOT: Final = "New − stored"

EMPTY: Final = "Traces appear here as soon as a face is measured."
NOTHING_SHOWN: Final = "Switch on a trace at the right to see it here."
WAITING: Final = "no samples"
"""Reason where nothing was measured."""

BREATHING: Final = "Breathing rate"
NO_BREATHING: Final = "no breathing rate in this version"

NOW: Final = "now"
NOW_BUTTON: Final = "Now"
NOW_TIP: Final = "Follow the newest sample; press again to hold the plots still"
CURSOR_BUTTON: Final = "Follow"
CURSOR_TIP: Final = "Keep the played moment in sight; press again to hold the plots still"
PAUSED: Final = "paused"
EARLIER: Final = "Earlier"
EARLIER_TIP: Final = "Earlier, by half of what is shown"
LATER: Final = "Later"
LATER_TIP: Final = "Later, by half of what is shown"
LENGTH: Final = "Stretch of time that is shown"
SAVE_PICTURE: Final = "Save the plots as a picture (PNG)…"
SAVE_TABLE: Final = "Save the values that are shown as a table (CSV)…"
SHOWN_TIP: Final = "{name}: shown; press to hide"
HIDDEN_TIP: Final = "{name}: hidden; press to show"

LENGTHS: Final = {
    5.0: "5 s",
    10.0: "10 s",
    30.0: "30 s",
    60.0: "1 min",
    120.0: "2 min",
    300.0: "5 min",
    600.0: "10 min",
    1800.0: "30 min",
    3600.0: "1 h",
    inf: "Whole",
}
"""Seconds → how the choice is called."""

SHUTTER_BAND: Final = "shutter closed"
MISSING_BAND: Final = "no samples"
UNTRUSTED_BAND: Final = "not trusted"
MARKER_LINE: Final = "marker"
STORED_LINE: Final = "stored"
NEW_LINE: Final = "new"

TIMELINE: Final = "Timeline of the recording"
TIMELINE_TIP: Final = (
    "Click or drag: go there. Wheel: zoom. Page Up and Page Down: a tenth. + − 0: zoom."
)
TIMELINE_POSITION: Final = "{position} of {length}"
TIMELINE_EMPTY: Final = "Open a recording to see its timeline."
HANDLE_IN: Final = "cut begins at {time}"
HANDLE_OUT: Final = "cut ends at {time}"


def say_length(seconds: float) -> str:
    """Return a length that is none of the choices: “42 s”, “3.5 min”, “1.2 h”."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"
