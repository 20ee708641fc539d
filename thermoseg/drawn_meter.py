"""What is measured in regions that somebody has drawn: no face and no network are needed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.drawn_rois import DrawnRoi, check_rois
from thermoseg.face_geometry import RoiMask
from thermoseg.frames import Frame
from thermoseg.rois import ABSENT, RoiSample, frame_problem, sample_of, statistics_of
from thermoseg.study_file import MAX_PRE_RECORD_S

MOVED: Final = "moved"
"""The ROI was drawn or moved just now; one sample that keeps the traces of two places apart."""
OUTSIDE: Final = "outside the picture"
"""No pixel's middle lies inside the outline."""
MISSING: Final = "no temperature here"
"""The camera has no temperature for any of its pixels."""


class DrawnMeter:
    """Measures drawn ROIs; `rois` may be set by any thread, one thread measures."""

    def __init__(self) -> None:
        self._rois: tuple[DrawnRoi, ...] = ()
        self._past: tuple[tuple[float, tuple[DrawnRoi, ...]], ...] = ()
        """What was set, and when, back to the oldest frame that a recording may begin with."""
        self._shape = (0, 0)
        self._placed: dict[str, _Placed] = {}

    @property
    def rois(self) -> tuple[DrawnRoi, ...]:
        """What is measured from the next frame on."""
        return self._rois

    def set(self, rois: Sequence[DrawnRoi]) -> tuple[DrawnRoi, ...]:
        """Measure these from the next frame on; returns those before.

        Raises
        ------
        ConfigError
            If they cannot be measured together.
        """
        before, self._rois = self._rois, check_rois(rois)
        now_s = time.monotonic()
        older = [entry for entry in self._past if now_s - entry[0] > MAX_PRE_RECORD_S]
        self._past = (*self._past[max(len(older) - 1, 0) :], (now_s, self._rois))
        return before

    def rois_since(self, since_s: float) -> tuple[DrawnRoi, ...]:
        """Return today's ROIs as they were at `since_s`, monotonic clock, or when they were drawn.

        What has become of them since is told by events; see `drawn_rois.DrawnHistory`.
        """
        first: dict[str, DrawnRoi] = {}
        for set_s, rois in self._past:
            known = first if set_s > since_s else {}
            first = {roi.name: known.get(roi.name, roi) for roi in rois}
        return tuple(first.values())

    def measure(self, frame: Frame) -> tuple[RoiSample, ...]:
        """Measure every drawn ROI in `frame`, in their order."""
        rois = self._rois
        shape = (frame.celsius.shape[0], frame.celsius.shape[1])
        known = self._placed if shape == self._shape else {}
        placed = {roi.name: known.get(roi.name) for roi in rois}
        problem = frame_problem(frame)
        samples = []
        self._shape, self._placed = shape, {}
        for roi in rois:
            before = placed[roi.name]
            if before is None or before.roi != roi:
                now = _Placed(roi, cover(roi, shape))
                moved = before is not None
            else:
                now, moved = before, False
            self._placed[roi.name] = now
            reason = problem or (MOVED if moved else "")
            samples.append(_measure(frame, now, reason))
        return tuple(samples)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A drawn ROI and the pixels that it has in pictures of one size."""

    roi: DrawnRoi
    mask: RoiMask | None


def cover(roi: DrawnRoi, shape: tuple[int, int]) -> RoiMask | None:
    """Return the pixels of a picture whose middles lie inside the outline; None if none do.

    An outline that crosses itself leaves out what it goes round twice (the even-odd rule).

    Parameters
    ----------
    shape
        (height, width) of the picture.
    """
    # Row by row: the middle line of a row meets the outline at some x; pixels whose middles lie
    # right of an odd number of these are inside.  An edge holds its upper end and not its lower
    # one, so a corner on the line counts once.
    corners = np.array(roi.outline_px, np.float64)
    ends = np.roll(corners, -1, axis=0)
    low, high = corners.min(axis=0), corners.max(axis=0)
    left, top = (max(int(edge), 0) for edge in low)
    right, bottom = min(int(high[0]) + 1, shape[1]), min(int(high[1]) + 1, shape[0])
    if right <= left or bottom <= top:
        return None
    middles_x = np.arange(left, right) + 0.5
    inside = np.zeros((bottom - top, right - left), np.bool_)
    for row in range(top, bottom):
        y = row + 0.5
        crossing = (corners[:, 1] <= y) != (ends[:, 1] <= y)
        (x, y_from), (x_to, y_to) = corners[crossing].T, ends[crossing].T
        meets = np.sort(x + (y - y_from) / (y_to - y_from) * (x_to - x))
        inside[row - top] = np.searchsorted(meets, middles_x, side="right") % 2 == 1
    return RoiMask.tight(inside, top, left)


def _measure(frame: Frame, placed: _Placed, reason: str) -> RoiSample:
    name = placed.roi.name
    if placed.mask is None:
        return sample_of(name, frame, ABSENT, valid=False, reason=reason or OUTSIDE)
    values: NDArray[np.float32] = placed.mask.values(frame.celsius)
    found = statistics_of(values)
    if found.pixels == 0:
        reason = reason or MISSING
    return sample_of(name, frame, found, valid=not reason, reason=reason)
