"""Regions of interest that somebody has drawn into the picture: names and outlines."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thermoseg.errors import ConfigError
from thermoseg.events import SessionEvent
from thermoseg.labels import ROI_NAMES, Region

MAX_NAME: Final = 32
"""Longest name of a drawn ROI, characters."""
MAX_CORNERS: Final = 32
"""Most corners of an outline; with more, an event could not hold the outline that was moved."""
MAX_ROIS: Final = 32
"""Most drawn ROIs at a time."""
FARTHEST_PX: Final = 100_000.0
"""Corners beyond this distance from the picture's own corner are nobody's drawing."""

_MOVE: Final = re.compile(r"ROI “(\w+)” moved to ([-\d., ]+)")

Point = tuple[float, float]


class DrawnRoi(BaseModel):
    """A region of interest in pixels of the frame; a point of the picture is a small one.

    Coordinates are continuous: the pixel in row r and column c is the square from (c, r) to
    (c + 1, r + 1), and it belongs to the region if its middle lies inside the outline.

    Examples
    --------
    >>> DrawnRoi.spot("tip", 12.7, 8.2).outline_px
    ((12.0, 8.0), (13.0, 8.0), (13.0, 9.0), (12.0, 9.0))
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Name of its trace: letters, digits and _."""
    outline_px: Annotated[tuple[Point, ...], Field(min_length=3, max_length=MAX_CORNERS)]
    """Corners of the outline in order, x (to the right) and y (down) in pixels of the frame."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        complaint = name_complaint(name)
        if complaint:
            raise ValueError(complaint)
        return name

    @field_validator("outline_px")
    @classmethod
    def _check_outline(cls, outline: tuple[Point, ...]) -> tuple[Point, ...]:
        if not all(abs(value) <= FARTHEST_PX for point in outline for value in point):
            raise ValueError("a corner of the outline is no place in a picture; draw it again")
        return tuple((round(x, 1), round(y, 1)) for x, y in outline)

    @classmethod
    def spot(cls, name: str, x: float, y: float, side_px: int = 1) -> Self:
        """Make a region of one pixel, or of 3×3, around a point of the picture.

        Parameters
        ----------
        x, y
            Pixels of the frame.
        side_px
            1 or 3, pixels.

        Raises
        ------
        ValueError
            If `side_px` is another number, or the name is unfit.
        """
        if side_px not in (1, 3):
            raise ValueError(f"a spot has a side of 1 or 3 pixels, got {side_px}")
        reach = side_px // 2
        left, top = math.floor(x) - reach, math.floor(y) - reach
        right, bottom = left + side_px, top + side_px
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return cls(name=name, outline_px=corners)

    @property
    def outline_text(self) -> str:
        """The outline as events tell it, such as “12,8 13,8 13,9”."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.outline_px)


def name_complaint(name: str) -> str:
    """Say what is wrong with the name of a drawn ROI, one sentence; empty if nothing is."""
    if not name:
        return "a drawn ROI needs a name; write one"
    if len(name) > MAX_NAME:
        return f"“{name[:MAX_NAME]}…” is longer than {MAX_NAME} characters; shorten the name"
    if not name.isidentifier():
        return f"“{name}” is no name of a trace; use letters, digits and _, with a letter in front"
    if name in (*ROI_NAMES, Region.BACKGROUND.label):
        return f"“{name}” is a region of the face; choose another name"
    return ""


def check_rois(rois: Sequence[DrawnRoi]) -> tuple[DrawnRoi, ...]:
    """Return drawn ROIs that can be measured together.

    Raises
    ------
    ConfigError
        If two have one name, or there are too many; one sentence.
    """
    names = [roi.name.casefold() for roi in rois]
    for roi in rois:
        if names.count(roi.name.casefold()) > 1:
            raise ConfigError(f"two drawn ROIs are called “{roi.name}”; rename one of them")
    if len(rois) > MAX_ROIS:
        raise ConfigError(f"{len(rois)} ROIs are drawn and at most {MAX_ROIS} can be; remove some")
    return tuple(rois)


def read_move(text: str) -> DrawnRoi | None:
    """Read the ROI in its new place from an event that `tell_changes` told; None from others.

    Examples
    --------
    >>> read_move("ROI “tip” moved to 3,4 4,4 4,5")
    DrawnRoi(name='tip', outline_px=((3.0, 4.0), (4.0, 4.0), (4.0, 5.0)))
    """
    found = _MOVE.fullmatch(text)
    if found is None:
        return None
    name, corners = found.groups()
    outline = [corner.split(",") for corner in corners.split()]
    try:
        return DrawnRoi.model_validate({"name": name, "outline_px": outline})
    except ValidationError:
        return None


class DrawnHistory:
    """Drawn ROIs of a recording: as it began, and wherever they were moved."""

    def __init__(self, rois: Sequence[DrawnRoi], events: Iterable[SessionEvent]) -> None:
        """Begin with `rois`; `events` of the recording tell of moves."""
        current = {roi.name: roi for roi in rois}
        self._times_s: list[float] = []
        self._rois = [tuple(rois)]
        for event in events:
            moved = read_move(event.text)
            if moved is not None and moved.name in current:
                current[moved.name] = moved
                self._times_s.append(event.time_s)
                self._rois.append(tuple(current.values()))

    def at(self, time_s: float) -> tuple[DrawnRoi, ...]:
        """Return the ROIs as they were at this time."""
        return self._rois[bisect_right(self._times_s, time_s)]


def names_removed(before: Sequence[DrawnRoi], after: Sequence[DrawnRoi]) -> list[str]:
    """Return the names that are not there any more."""
    kept = {roi.name for roi in after}
    return [roi.name for roi in before if roi.name not in kept]


def tell_changes(before: Sequence[DrawnRoi], after: Sequence[DrawnRoi]) -> list[str]:
    """Tell each ROI that was drawn, moved or removed, with its new outline, a clause each."""
    old = {roi.name: roi for roi in before}
    new = {roi.name: roi for roi in after}
    return [
        *(f"ROI “{name}” removed" for name in names_removed(before, after)),
        *(
            f"ROI “{name}” {'moved to' if name in old else 'drawn at'} {roi.outline_text}"
            for name, roi in new.items()
            if old.get(name) != roi
        ),
    ]
