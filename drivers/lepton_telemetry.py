"""What a FLIR Lepton says of itself in the rows below its picture.

Rows of 80 words of 16 bits, called A, B and C; numbers of 32 bits have their low word first.
Source: Lepton engineering datasheet 500-0659-00-09, and three recordings of a Lepton 3.5.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.radiometry import KELVIN

ROW_WORDS: Final = 80
"""Words of one row of telemetry, whatever the width of the picture."""

_ROW_C: Final = 2 * ROW_WORDS
_HIGHEST_REVISION: Final = 2048
"""A revision is a small number (14 in a Lepton 3.5); pixels in its place are not, at no scale."""
_PLAUSIBLE_FPA: Final = (20_000, 40_000)
"""Kelvin × 100 that a working sensor has."""


class FfcState(IntEnum):
    """Progress of a flat-field correction."""

    NEVER = 0
    IMMINENT = 1
    RUNNING = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One frame's telemetry, as far as it is of use here."""

    revision: int
    uptime_ms: int
    """Time since the camera started; 32 bits, so it begins again after 50 days."""
    frame_counter: int
    """Number of frames that the sensor took; a frame delivered again keeps its number."""
    serial: str
    """Hexadecimal."""
    ffc_state: FfcState
    ffc_uptime_ms: int
    """Uptime at the last flat-field correction."""
    agc: bool
    """Whether the picture is stretched to 8 bits for looking at."""
    shutter_locked: bool
    """Whether it is too hot or cold for the shutter."""
    overheating: bool
    """Whether it is about to switch itself off."""
    fpa_c: float
    """Temperature of the sensor, °C."""
    housing_c: float
    """°C."""
    tlinear: bool | None
    """Whether counts are kelvin; None if the row that says so is missing."""
    resolution_k: float | None
    """Kelvin per count if they are; None as above."""

    @classmethod
    def parse(cls, rows: NDArray[np.uint16]) -> Self:
        """Read telemetry.

        Parameters
        ----------
        rows
            Any shape, in the order they came; 80 words at least, of which row C may be missing.

        Raises
        ------
        FormatError
            If it is too short, or pixels are where telemetry should be.
        """
        # Word numbers are those of the datasheet's rows A, B and C put together.  A picture that
        # has slipped by a row has pixels here, which the revision and the temperature of the sensor
        # give away.
        words = rows.reshape(-1)
        if words.size < ROW_WORDS:
            raise FormatError(
                f"the telemetry has {words.size} words instead of {ROW_WORDS}; "
                "unplug the camera and plug it in again"
            )
        revision, fpa = int(words[0]), int(words[24])
        if not (0 < revision < _HIGHEST_REVISION and _PLAUSIBLE_FPA[0] < fpa < _PLAUSIBLE_FPA[1]):
            raise FormatError(
                "the telemetry is not where it belongs, so the picture is shifted; "
                "unplug the camera and plug it in again if that stays so"
            )
        status = _long(words, 3)
        row_c = words[_ROW_C : _ROW_C + ROW_WORDS]
        complete = row_c.size == ROW_WORDS
        return cls(
            revision=revision,
            uptime_ms=_long(words, 1),
            frame_counter=_long(words, 20),
            serial=words[5:13][::-1].astype(">u2").tobytes().hex().lstrip("0"),
            ffc_state=FfcState(status >> 4 & 3),
            ffc_uptime_ms=_long(words, 30),
            agc=bool(status >> 12 & 1),
            shutter_locked=bool(status >> 15 & 1),
            overheating=bool(status >> 20 & 1),
            fpa_c=fpa / 100 - KELVIN,
            housing_c=int(words[26]) / 100 - KELVIN,
            tlinear=bool(row_c[48]) if complete else None,
            resolution_k=(0.01 if row_c[49] else 0.1) if complete else None,
        )


def _long(words: NDArray[np.uint16], at: int) -> int:
    return int(words[at]) | int(words[at + 1]) << 16
