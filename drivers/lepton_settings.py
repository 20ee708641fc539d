"""Settings of a Lepton: what can be asked for, and the extension units that it is asked through."""

import logging
from typing import Final, Literal

from pydantic import Field

from drivers.uvc_controls import Control, ExtensionUnits
from thermoseg.cameras import CameraOptions
from thermoseg.errors import CameraError

log = logging.getLogger(__name__)

TLINEAR_ON: Final = Control("TLinear", 4, ((21, 18), (5, 49)))
"""Newer firmware keeps what lies beyond 31 controls in unit 21, as Windows counts no further."""
TLINEAR_RESOLUTION: Final = Control("TLinear resolution", 4, ((21, 19), (5, 50)))
GAIN: Final = Control("gain", 4, ((6, 19),))
SHUTTER: Final = Control("the shutter", 32, ((6, 16),))
"""The shutter's attribute: its first word is the mode, the rest are periods and thresholds."""
RUN_FFC: Final = Control("flat-field correction", 1, ((6, 17),))
PART: Final = Control("the part number", 32, ((4, 8),))

GAINS: Final = {"high": 0, "low": 1, "auto": 2}
SHUTTER_MODES: Final = {"manual": 0, "auto": 1}
RESOLUTIONS: Final = {"0.01": (1, 0.01), "0.1": (0, 0.1)}
"""Value of the control, and kelvin per count."""


class LeptonOptions(CameraOptions):
    """Settings of a Lepton when it is opened; those that stay as they are say keep."""

    telemetry: bool = True
    """Ask for the rows that tell frame number, shutter and calibration."""
    tlinear: Literal["0.01", "0.1", "off", "keep"] = Field(default="0.01", title="TLinear")
    """Kelvin per count; 0.1 for scenes above 380 °C, off for relative counts (Linux only)."""
    gain: Literal["high", "low", "auto", "keep"] = "keep"
    """High up to about 140 °C, low up to 450 °C and less exact (Linux only)."""
    shutter: Literal["auto", "manual", "keep"] = "keep"
    """Manual leaves flat-field correction to you: none while recording, but drift (Linux only)."""


def part_number(units: ExtensionUnits) -> str:
    """Return the core's part number, empty where it does not tell."""
    try:
        return units.read(PART).split(b"\0")[0].decode("ascii", "replace").strip()
    except CameraError as error:
        log.info("the core tells no part number: %s", error)
        return ""


def set_word(units: ExtensionUnits, control: Control, value: int | None) -> None:
    """Set the first word of an attribute and leave the rest as it is; None leaves all."""
    if value is not None:
        units.write(control, value.to_bytes(4, "little") + units.read(control)[4:])


def set_gain(units: ExtensionUnits, wanted: str, name: str) -> str:
    """Set the gain unless it is kept; return what the camera has then, empty if it does not tell.

    Raises
    ------
    CameraError
        If it cannot be set, or not to that.
    """
    set_word(units, GAIN, GAINS.get(wanted))
    try:
        word = int.from_bytes(units.read(GAIN), "little")
    except CameraError as error:
        if wanted in GAINS:
            raise
        log.info("%s does not tell its gain: %s", name, error)
        return ""
    gain = next((gain for gain, value in GAINS.items() if value == word), f"unknown ({word})")
    if wanted in GAINS and gain != wanted:
        raise CameraError(f"{name} has its gain {gain} and not {wanted}; leave gain={wanted} away")
    return gain


def set_tlinear(units: ExtensionUnits, wanted: str) -> float:
    """Set TLinear; return kelvin per count as the camera has it then, 0 if it is off."""
    if wanted in RESOLUTIONS:
        set_word(units, TLINEAR_RESOLUTION, RESOLUTIONS[wanted][0])
        set_word(units, TLINEAR_ON, 1)
    elif wanted == "off":
        set_word(units, TLINEAR_ON, 0)
    if not any(units.read(TLINEAR_ON)):
        return 0.0
    return 0.01 if any(units.read(TLINEAR_RESOLUTION)) else 0.1
