"""What goes wrong with a simulated camera, and when: `unplug@5s+2s,stall@12s`."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self


class FaultKind(Enum):
    """Kinds of faults; each as a real driver meets it."""

    UNPLUG = "unplug"
    """The camera is gone and comes back after so many seconds."""
    STALL = "stall"
    """No frame comes, for so many seconds or until the camera is opened anew."""
    TRUNCATED = "truncated"
    """Frames come without their last bytes and are refused."""
    DUPLICATE = "duplicate"
    """The picture before comes again, with a number of its own."""
    CORRUPT = "corrupt"
    """One line is noise; the camera's checksum tells, and the frame is marked damaged."""
    SIZE = "size"
    """Frames come with two lines too many, as when telemetry is switched on."""
    CLOCK = "clock"
    """The camera's clock jumps by so many seconds, forwards or back."""
    FFC = "ffc"
    """The shutter closes for so many seconds and the picture stands still."""


DEFAULT_LENGTH_S: Final = {
    FaultKind.UNPLUG: 2.0,
    FaultKind.STALL: math.inf,
    FaultKind.TRUNCATED: 0.0,
    FaultKind.DUPLICATE: 0.0,
    FaultKind.CORRUPT: 0.0,
    FaultKind.SIZE: 0.0,
    FaultKind.CLOCK: 3600.0,
    FaultKind.FFC: 1.0,
}
"""Seconds, where none are given; 0 is one frame."""

MAX_S: Final = 1e6
"""Later than any recording ends."""

_NUMBER: Final = r"(\d{1,9}(?:\.\d{1,6})?)s"
# An address is a query string, in which a plus sign stands for a space.
_FAULT: Final = re.compile(rf"([a-z]+)@{_NUMBER}(?:([+\- ]){_NUMBER})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: FaultKind
    at_s: float
    """Time since the camera was opened for the first time."""
    length_s: float
    """Duration; 0 for one frame.  Of a clock, the size of the jump."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """All that goes wrong with one camera."""

    faults: tuple[Fault, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KIND@BEGINs[+LASTs],…`; nothing goes wrong by an empty text.

        Raises
        ------
        ValueError
            If a part is not of this form or its kind is unknown.

        Examples
        --------
        >>> FaultPlan.parse("ffc@2.5s+1s").faults
        (Fault(kind=<FaultKind.FFC: 'ffc'>, at_s=2.5, length_s=1.0),)
        """
        return cls(tuple(_parse(part) for part in text.split(",")) if text else ())

    def of(self, kind: FaultKind) -> Iterator[Fault]:
        """Give the faults of one kind, in the order in which they were written."""
        return (fault for fault in self.faults if fault.kind is kind)


def _parse(text: str) -> Fault:
    found = _FAULT.fullmatch(text)
    kinds = {kind.value: kind for kind in FaultKind}
    if found is None or found[1] not in kinds:
        raise ValueError(
            f"“{text}” is no fault; write KIND@BEGINs or KIND@BEGINs+LASTs, such as "
            f"unplug@5s+2s, with a kind of {', '.join(kinds)}"
        )
    kind, at_s = kinds[found[1]], float(found[2])
    length_s = DEFAULT_LENGTH_S[kind] if found[4] is None else float(found[4])
    if found[3] == "-":
        if kind is not FaultKind.CLOCK:
            raise ValueError(f"“{text}” lasts less than no time; only a clock can jump back")
        length_s = -length_s
    if at_s > MAX_S or (found[4] is not None and abs(length_s) > MAX_S):
        raise ValueError(f"“{text}” is later or longer than {MAX_S:.0f} s; write less")
    return Fault(kind, at_s, length_s)
