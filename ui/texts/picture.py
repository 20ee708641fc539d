"""Words on and beside the picture."""

from typing import Final

from thermoseg.labels import (
    NOSTRIL_LEFT,
    NOSTRIL_RIGHT,
    NOSTRILS,
    PERINASAL,
    Region,
)

REGIONS: Final[dict[str, str]] = {
    Region.CHIN.label: "Chin, cheeks",
    Region.MOUTH.label: "Mouth",
    Region.EYES.label: "Eyes",
    Region.EYEBROWS.label: "Eyebrows",
    Region.NOSE.label: "Nose",
    NOSTRILS: "Nostrils",
    NOSTRIL_RIGHT: "Nostril right",
    NOSTRIL_LEFT: "Nostril left",
    PERINASAL: "Perinasal",
}

PICTURE: Final = "Thermal picture"
PICTURE_HELP: Final = (
    "Wheel zooms, dragging moves, a double click sets a spot, a click on a face chooses it. "
    "Delete removes what is selected, Alt and the arrow keys move it."
)
MEASURED: Final = "measured"
FROZEN: Final = "Frozen"
FIT: Final = "Fit"
FIT_TIP: Final = "Show the whole picture"
PHOTOGRAPH: Final = "Visible picture of the camera; it is not recorded"
NO_VALUE: Final = "no value"
RELATIVE_COUNTS: Final = "relative counts"

SPOT: Final = "spot_{number}"
AREA: Final = "area_{number}"
NAME_OF: Final = "Name of {name}"
DELETE_REGION: Final = "Delete {name}"
NAME_TAKEN: Final = "There is a region called “{name}” already; choose another name."

LEGEND_HEADING: Final = "Regions, mean {unit}"
LEGEND_REASON: Final = "Regions: {reason}"
LEGEND_FOLD: Final = "Show or fold the regions"
SHOW_REGION: Final = "Show {region} in the picture"

SPAN_HIGH: Final = "Temperature of the last colour"
SPAN_LOW: Final = "Temperature of the first colour"
SPAN_SLIDER: Final = "Span of the colours"
SPAN_SLIDER_TIP: Final = "Drag to choose which temperatures the colours cover"
SPAN_MODE: Final = "What the colours follow"
SPAN_MODE_TIP: Final = "What the colours follow: face, scene, or nothing (L to lock)"
BAND_HIGH: Final = "Upper end of the isotherm"
BAND_LOW: Final = "Lower end of the isotherm"
BAND_TIP: Final = "Temperatures between these two are drawn in one colour"
BAND: Final = "Isotherm"

PALETTE: Final = "Next palette"
PALETTE_MENU: Final = "Palette"
UNITS: Final = "Units of temperatures"
MORE: Final = "More of this strip"
SPAN_LOCK: Final = "Lock the colours"
OPACITY: Final = "Opacity of the regions"

ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "mask": ("Mask", "Tint the regions"),
    "outlines": ("Outlines", "Outline the regions"),
    "freeze": ("Freeze", "Hold picture, mask and values; traces and recording go on"),
    "palette": ("Palette", "Take the next palette"),
    "lock_span": ("Lock span", "Hold the colours at these temperatures"),
    "mirrored": ("Mirrored", "Show the picture as a mirror does"),
    "fit": ("Fit", FIT_TIP),
    "smooth": ("Smooth", "Interpolate between pixels"),
    "confidence": ("Unsure", "Hatch pixels whose region the model is unsure of"),
    "isotherm": ("Isotherm", "Draw a band of temperatures in one colour"),
    "photo": ("Photo", "Show the visible picture of the camera"),
    "add_spot": ("Add spot", "Tell the temperature of one place (or double click there)"),
    "add_rectangle": ("Add rectangle", "Measure inside a rectangle"),
    "add_polygon": ("Add polygon", "Measure inside an outline; a click on a side adds a corner"),
    "delete": ("Delete selected", "Delete the selected spot or region (Delete)"),
}
"""Name of an action → its text and its tool tip."""


def mask_behind(behind_s: float, shown: bool) -> str:
    """Say how much older than the picture the mask is."""
    return f"mask {behind_s:.1f} s behind" + ("" if shown else ", not shown")
