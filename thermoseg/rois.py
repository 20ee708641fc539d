"""Where on the face to measure, what is measured there, and whether it may be trusted.

Directions are the face's own: *down* points from the brows to the chin whatever the roll, *left*
is the subject's, which for an upright face is the right of the picture.  Lengths are compared
with the `unit_px` of a face, the distance between its eye centres, or with the width of its nose.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labels import FACE_REGIONS, NUM_CLASSES, Region

Mask: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = NDArray[np.uint8]
Celsius: TypeAlias = NDArray[np.float32]
Box: TypeAlias = tuple[slice, slice]

NOSTRILS: Final = "nostrils"
NOSTRIL_RIGHT: Final = "nostril_right"
"""The subject's right, the left of the picture for an upright face."""
NOSTRIL_LEFT: Final = "nostril_left"
PERINASAL: Final = "perinasal"

FACE_NAMES: Final = tuple(region.label for region in FACE_REGIONS)
DERIVED_NAMES: Final = (NOSTRILS, NOSTRIL_RIGHT, NOSTRIL_LEFT, PERINASAL)
ROI_NAMES: Final = FACE_NAMES + DERIVED_NAMES
"""Every region that is measured, in the order of the samples of a frame."""

NO_TEMPERATURES: Final = "no temperatures"
"""The camera gives relative counts."""
SHUTTER: Final = "shutter"
"""The shutter is closed, or was so recently that temperatures may step."""
DUPLICATE: Final = "duplicate"
"""The same picture as the one before."""
DAMAGED: Final = "damaged frame"
TOO_SMALL: Final = "too small"
"""Fewer than `MIN_PIXELS`, or a nose too narrow to tell its nostrils apart."""
LOST: Final = "lost"
"""The region is not in the picture, and what was held is older than `HOLD_S`."""
IMPLAUSIBLE: Final = "implausible temperature"
"""Not what skin there can have: something is in front of it."""
MOTION: Final = "motion"
"""The face moves too fast for the picture to be sharp and the mask to sit."""
HELD: Final = "held"
"""Valid, but measured under the last mask, moved along with the face."""

MIN_PIXELS: Final = 6
"""Fewest pixels whose mean is reported; with 50 mK NETD its noise is 20 mK."""
MIN_SPLIT_WIDTH_PX: Final = 6.0
"""Narrowest nose whose nostrils are measured apart: three pixels each."""

NOSTRIL_SHARE: Final = 0.25
"""Lower part of the nose, along the face's axis, that holds the nostrils.  Less swings more but
suffers more from masks that jitter; on the phantom a quarter had the best signal to noise that
did not cost correlation with the breath under motion."""
WING_SHARE: Final = 0.45
"""Lower part of the nose whose flanks belong to the perinasal region."""
PERINASAL_HALF_WIDTH: Final = 0.8
"""From the nose's middle to the side, in nose widths: 0.3 of a width beside each wing."""
LIP_UNITS: Final = 0.25
"""Height of the skin between nose and mouth in `unit_px` (16 mm), used where no mouth is seen."""

PLAUSIBLE_C: Final = (20.0, 42.0)
"""Coldest and hottest mean that living facial skin is believed to have, °C."""
COLDER_K: Final = 7.0
"""A region may be this much colder than the warm skin of the same face; glasses are 8 K."""
COLDER_NOSE_K: Final = 10.0
"""The same for nose and nostrils: noses 3.6 K below the cheek were measured indoors, and stress
takes another 3-6 K."""
WARMER_K: Final = 3.0
"""A region may be this much warmer; the parts of a face at rest differ by less than 2 K."""
CONTRAST_K: Final = 3.0
"""Largest standard deviation within a region: a tenth covered at room temperature exceeds it."""
FLAT_K: Final = 0.002
FLAT_PIXELS: Final = 30
"""A patch of this many pixels flatter than `FLAT_K` is clipped or painted over, not skin."""
JUMP_K: Final = 2.5
"""Largest distance from the region's own median of the last `JUMP_MEMORY_S`, both relative to the
face; the skin around a nostril swings 1 K at most."""
JUMP_MEMORY_S: Final = 5.0
JUMP_EVERY_S: Final = 0.1
"""How densely that memory is filled."""

HOLD_S: Final = 1.0
"""A lost mask is moved along with the face for at most this long."""
TRACK_SIZE_PX: Final = 72
"""The tracked patch is scaled down to this size, which bounds the time it takes."""
TRACK_SCORE: Final = 0.6
"""Lowest normalised correlation at which a patch counts as found again."""
MOTION_WIDTHS: Final = 0.25
"""Displacement within `MOTION_S` that counts as motion, in nose widths."""
MOTION_S: Final = 0.1

FACE_MODEL: Final[dict[Region, tuple[float, float]]] = {
    Region.EYEBROWS: (-0.35, 1.0),
    Region.EYES: (0.0, 1.0),
    Region.NOSE: (0.48, 0.7),
    Region.MOUTH: (1.15, 1.0),
    Region.CHIN: (0.85, 0.15),
}
"""Place of each region's centroid down the face, in distances of the eye centres (63 mm; common
anthropometry), and its weight: the chin's centroid slides to the ear as soon as the head turns."""
MIN_SPREAD: Final = 0.15
"""Least weighted variance of those places that fixes a direction: nose and chin alone do not."""

_CLOSE_SHARE: Final = 0.2
"""Gap between parts of one face, as a share of the square root of its labelled area."""
_CLOSE_SHARE_BARE: Final = 0.45
"""The same where less than half of that area is chin: the parts stand alone."""
_FIND_SIZE_PX: Final = 160
"""The largest face is searched for on masks scaled down to this size."""


@dataclass(frozen=True, slots=True)
class RoiSample:
    """What one region showed in one frame.  Absent: 0 pixels, NaN, not valid, with the reason."""

    region: str
    """One of `ROI_NAMES`."""
    time_s: float
    """`Frame.time_s`."""
    pixels: int
    mean_c: float
    min_c: float
    max_c: float
    sd_k: float
    """Standard deviation over the pixels, kelvin."""
    valid: bool
    """Whether the mean may be taken for the skin's temperature."""
    reason: str
    """Why not, one of this module's constants; `HELD` if valid under a held mask, else empty."""


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Pixels and temperatures of one region; NaN where there are no pixels."""

    pixels: int
    mean_c: float
    min_c: float
    max_c: float
    sd_k: float


ABSENT: Final = RegionStatistics(0, np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class FaceAxis:
    """Direction and size of a face, from the centroids of its regions."""

    down_x: float
    """Unit vector from brows to chin; x to the right of the picture."""
    down_y: float
    """y to the bottom of the picture; 1 for an upright face."""
    unit_px: float
    """Distance between the eye centres, as the centroids let it be estimated."""
    regions: tuple[Region, ...]
    """What it rests on; the fewer, the rougher."""

    @property
    def roll_deg(self) -> float:
        """Turn of the face in the picture, degrees, positive clockwise; 0 is upright."""
        return float(np.degrees(np.arctan2(-self.down_x, self.down_y)))


@dataclass(frozen=True, slots=True, eq=False)
class RoiMask:
    """The pixels of one region, stored only as far as they reach."""

    top: int
    """First row of the frame that `inside` covers."""
    left: int
    """First column."""
    inside: Mask
    """(rows, columns), true for the region's pixels; read-only."""

    @classmethod
    def tight(cls, mask: Mask, top: int = 0, left: int = 0) -> "RoiMask | None":
        """Cut `mask`, whose first pixel is (`top`, `left`) of the frame, to what is true in it.

        Returns
        -------
        The mask, or None if it is empty.
        """
        column, row, width, height = cv2.boundingRect(mask.view(np.uint8))
        if width == 0:
            return None
        inside = mask[row : row + height, column : column + width].copy()
        inside.flags.writeable = False
        return cls(top + row, left + column, inside)

    def values(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of `picture` (height, width) under the mask, one-dimensional."""
        rows, columns = self.inside.shape
        part = picture[self.top : self.top + rows, self.left : self.left + columns]
        return part[self.inside]

    def centre(self) -> tuple[float, float]:
        """Return row and column of the centroid in the frame."""
        moments = cv2.moments(self.inside.view(np.uint8), binaryImage=True)
        area = moments["m00"]
        return self.top + moments["m01"] / area, self.left + moments["m10"] / area

    def moved(self, down_px: int, right_px: int, shape: tuple[int, int]) -> "RoiMask | None":
        """Return the mask elsewhere in a frame of `shape`; None if it has left the frame."""
        top, left = self.top + down_px, self.left + right_px
        rows = slice(max(-top, 0), max(shape[0] - top, 0))
        columns = slice(max(-left, 0), max(shape[1] - left, 0))
        inside = self.inside[rows, columns]
        return RoiMask.tight(inside, max(top, 0), max(left, 0)) if inside.size else None


@dataclass(frozen=True, slots=True, eq=False)
class FaceRois:
    """The masks of one face.  Shared between threads, hence read-only."""

    shape: tuple[int, int]
    """(height, width) of the frame."""
    box: Box
    """Rows and columns of the frame that hold the face."""
    masks: Mapping[str, RoiMask]
    """By name of region; absent ones are left out."""
    axis: FaceAxis | None
    """None if too little of the face is seen to tell."""
    nose_width_px: float
    """Across the lower nose; NaN without a nose or an axis."""
    problems: Mapping[str, str]
    """Why a mask is left out although the face is there."""

    def mask(self, region: str) -> Mask:
        """Return (height, width) of the whole frame; all false if the region is absent."""
        whole = np.zeros(self.shape, np.bool_)
        found = self.masks.get(region)
        if found is not None:
            rows, columns = found.inside.shape
            whole[found.top : found.top + rows, found.left : found.left + columns] = found.inside
        return whole


def measure_regions(celsius: Celsius, labels: Labels) -> dict[str, RegionStatistics]:
    """Measure the five face regions over all pixels that bear their labels.

    Parameters
    ----------
    celsius
        (height, width), °C.  Pixels that are not finite are left out.
    labels
        (height, width), values of `Region`.

    Returns
    -------
    Statistics by name of region; `ABSENT` where no pixel has the label.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if celsius.shape != labels.shape:
        raise ValueError(f"celsius is {celsius.shape} but labels are {labels.shape}")
    inside = np.flatnonzero(labels)
    found, values = labels.reshape(-1)[inside], celsius.reshape(-1)[inside]
    order = np.argsort(found, kind="stable")  # a radix sort for uint8, linear in the pixels
    values = values[order]
    ends = np.cumsum(np.bincount(found, minlength=NUM_CLASSES))
    return {
        region.label: _statistics(values[ends[region - 1] : ends[region]])
        for region in FACE_REGIONS
    }


def face_axis(labels: Labels) -> FaceAxis | None:
    """Find which way a face points, from the centroids of the regions that are seen.

    A straight line is fitted through the centroids in the order of `FACE_MODEL` (weighted least
    squares), so any two regions far enough apart do, at any roll.

    Parameters
    ----------
    labels
        (height, width) of one face.

    Returns
    -------
    The axis, or None if the regions seen lie too close together to fix a direction.
    """
    return _axis_of({region: RoiMask.tight(labels == region) for region in FACE_MODEL})


def find_rois(labels: Labels) -> FaceRois | None:
    """Find every region of the largest face in the picture.

    Parameters
    ----------
    labels
        (height, width), values of `Region`; may hold several faces and stray pixels.

    Returns
    -------
    The masks, or None if no pixel belongs to a face.
    """
    found = _largest_face(labels)
    if found is None:
        return None
    box, face = found
    corner = (box[0].start, box[1].start)
    parts: dict[Region, RoiMask | None] = {
        region: RoiMask.tight(face == region, *corner) for region in FACE_REGIONS
    }
    nose = parts[Region.NOSE] = _largest_part(parts[Region.NOSE])
    mouth = parts[Region.MOUTH] = _largest_part(parts[Region.MOUTH])
    masks = {region.label: mask for region, mask in parts.items()}
    axis, nose_width_px, problems = _axis_of(parts), float("nan"), {}
    if axis is not None and nose is not None and np.count_nonzero(nose.inside) >= MIN_PIXELS:
        nose_base = _NoseBase.find(nose, mouth, axis, box)
        nose_width_px = nose_base.width_px
        masks[NOSTRILS] = nose_base.place(nose_base.nostrils)
        if nose_width_px >= MIN_SPLIT_WIDTH_PX:
            right, left = nose_base.split_nostrils()
            masks[NOSTRIL_RIGHT], masks[NOSTRIL_LEFT] = right, left
        else:
            problems = {NOSTRIL_RIGHT: TOO_SMALL, NOSTRIL_LEFT: TOO_SMALL}
        masks[PERINASAL] = nose_base.perinasal(face[nose_base.within(box)])
    present = {name: mask for name, mask in masks.items() if mask is not None}
    return FaceRois(_shape(labels), box, present, axis, nose_width_px, problems)


class RoiMeter:
    """Measures the largest face of each frame; remembers what it needs to judge the next.

    For one stream of frames, used by one thread.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._nose_before: tuple[float, float, float] | None = None
        self._levels: dict[str, deque[tuple[float, float]]] = {}
        self.rois: FaceRois | None = None
        """The masks under which the last frame was measured, for drawing; None if none."""

    def measure(self, frame: Frame, segmentation: Segmentation) -> tuple[RoiSample, ...]:
        """Measure every region of `ROI_NAMES` in `frame`, in that order.

        Raises
        ------
        ValueError
            If frame and labels differ in shape.
        """
        if frame.celsius.shape != segmentation.labels.shape:
            raise ValueError(
                f"the frame is {frame.celsius.shape} but its labels are {segmentation.labels.shape}"
            )
        problem = _frame_problem(frame)
        found = find_rois(segmentation.labels)
        self.rois, held = (found, frozenset[str]()) if problem else self._hold(frame, found)
        moves = not problem and self._moves(frame)
        statistics = _measure_masks(frame.celsius, self.rois)
        warm_c = _warm_skin(statistics)
        samples = []
        for name in ROI_NAMES:
            reason = problem or self._region_problem(name, frame.time_s, statistics[name], warm_c)
            reason = reason or (MOTION if moves else "")
            valid = not reason
            if valid and name in held:
                reason = HELD
            samples.append(_sample(name, frame, statistics[name], valid, reason))
        return tuple(samples)

    def _hold(self, frame: Frame, found: FaceRois | None) -> tuple[FaceRois | None, frozenset[str]]:
        """Add to what was found the masks that were lost less than `HOLD_S` ago."""
        self._seen = {
            name: seen
            for name, seen in self._seen.items()
            if 0 <= frame.time_s - seen.frame.time_s <= HOLD_S
        }
        masks = {} if found is None else dict(found.masks)
        problems = {} if found is None else found.problems
        missing = [name for name in self._seen if name not in masks and name not in problems]
        if found is not None:
            self._seen |= {name: _Seen(frame, found, mask) for name, mask in masks.items()}
        shifts: dict[int, tuple[int, int] | None] = {}
        held: dict[str, RoiMask] = {}
        for name in missing:
            seen = self._seen[name]
            if seen.frame.index not in shifts:
                shifts[seen.frame.index] = _track(seen.frame.celsius, frame.celsius, seen.rois.box)
            shift = shifts[seen.frame.index]
            mask = None if shift is None else seen.mask.moved(*shift, frame.celsius.shape)
            if mask is not None:
                held[name] = mask
        if not held:
            return found, frozenset()
        model = found or self._seen[next(iter(held))].rois
        width_px = model.nose_width_px
        if not np.isfinite(width_px):
            width_px = self._seen[next(iter(held))].rois.nose_width_px
        whole = FaceRois(model.shape, model.box, masks | held, model.axis, width_px, problems)
        return whole, frozenset(held)

    def _moves(self, frame: Frame) -> bool:
        """Tell whether the nose has moved too far since the last frame for a sharp picture."""
        nose = None if self.rois is None else self.rois.masks.get(Region.NOSE.label)
        if self.rois is None or nose is None:
            self._nose_before = None
            return False
        row, column = nose.centre()
        before, self._nose_before = self._nose_before, (frame.time_s, row, column)
        if before is None or not np.isfinite(self.rois.nose_width_px):
            return False
        elapsed_s = frame.time_s - before[0]
        limit_px = MOTION_WIDTHS * self.rois.nose_width_px * max(1.0, elapsed_s / MOTION_S)
        return float(np.hypot(row - before[1], column - before[2])) > limit_px

    def _region_problem(
        self, name: str, time_s: float, found: RegionStatistics, warm_c: float
    ) -> str:
        if found.pixels < MIN_PIXELS:
            problems = {} if self.rois is None else self.rois.problems
            return TOO_SMALL if found.pixels else problems.get(name, LOST)
        relative_k = found.mean_c - warm_c
        if not _is_skin(name, found, relative_k) or self._jumps(name, time_s, relative_k):
            return IMPLAUSIBLE
        levels = self._levels[name]
        if not levels or time_s - levels[-1][0] >= JUMP_EVERY_S:
            levels.append((time_s, relative_k))
        return ""

    def _jumps(self, name: str, time_s: float, relative_k: float) -> bool:
        """Notice something that came in front of a region, at about the skin's temperature.

        Only accepted samples are remembered, so after `JUMP_MEMORY_S` without one the new level
        is taken for another face, or another season.
        """
        levels = self._levels.setdefault(name, deque())
        while levels and not 0 <= time_s - levels[0][0] <= JUMP_MEMORY_S:
            levels.popleft()
        if not levels:
            return False
        usual_k = float(np.median([level for _, level in levels]))
        return abs(relative_k - usual_k) > JUMP_K


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Where a region was when it was last found."""

    frame: Frame
    rois: FaceRois
    mask: RoiMask


@dataclass(frozen=True, slots=True, eq=False)
class _NoseBase:
    """The lower nose in the face's own directions; arrays cover nose, mouth and some skin."""

    axis: FaceAxis
    top: int
    """First row of the frame that the arrays cover."""
    left: int
    """First column."""
    nose: Mask
    mouth: Mask
    down: NDArray[np.float32]
    """(rows, columns), px along the face's axis."""
    sideways: NDArray[np.float32]
    """(rows, columns), px towards the subject's left."""
    top_px: float
    """Upper end of the nose on `down`."""
    bottom_px: float
    """Lower end."""
    nostrils: Mask
    middle_px: float
    """Between the nostrils, on `sideways`."""
    width_px: float

    @classmethod
    def find(cls, nose: RoiMask, mouth: RoiMask | None, axis: FaceAxis, box: Box) -> "_NoseBase":
        """Lay the face's directions over the part of `box` around nose and mouth."""
        window = _around(nose, mouth, round(axis.unit_px / 2), box)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)
        down = columns * np.float32(axis.down_x) + rows * np.float32(axis.down_y)
        sideways = columns * np.float32(axis.down_y) - rows * np.float32(axis.down_x)
        nose_mask = _within(nose, window)
        mouth_mask = _within(mouth, window)
        top_px, bottom_px = _spread(down[nose_mask], 0.01)
        nostrils = nose_mask & (down >= bottom_px - NOSTRIL_SHARE * (bottom_px - top_px))
        across = sideways[nostrils]
        right_px, left_px = _spread(across, 0.02)
        return cls(
            axis,
            window[0].start,
            window[1].start,
            nose_mask,
            mouth_mask,
            down,
            sideways,
            top_px,
            bottom_px,
            nostrils,
            float(np.median(across)),
            left_px - right_px + 1,
        )

    def place(self, mask: Mask) -> RoiMask | None:
        """Return a mask of this part of the frame as one of the frame."""
        return RoiMask.tight(mask, self.top, self.left)

    def within(self, box: Box) -> Box:
        """Return which rows and columns of `box` the arrays cover."""
        top, left = self.top - box[0].start, self.left - box[1].start
        rows, columns = self.nose.shape
        return slice(top, top + rows), slice(left, left + columns)

    def split_nostrils(self) -> tuple[RoiMask | None, RoiMask | None]:
        """Halve the nostrils at their middle: the subject's right and left."""
        left = self.sideways > self.middle_px
        return self.place(self.nostrils & ~left), self.place(self.nostrils & left)

    def perinasal(self, face: Labels) -> RoiMask | None:
        """Return the upper lip and what lies beside the wings of the nose, on the skin only."""
        middle_px: float | NDArray[np.floating] = self.middle_px
        bottom_px = self.bottom_px + LIP_UNITS * self.axis.unit_px
        if np.count_nonzero(self.mouth) >= MIN_PIXELS:
            mouth_down = self.down[self.mouth]
            # no more than twice the usual lip, should the mouth be a false one on the collar
            bottom_px = min(
                _spread(mouth_down, 0.05)[0],
                self.bottom_px + 2 * LIP_UNITS * self.axis.unit_px,
            )
            way_px = float(mouth_down.mean()) - self.bottom_px
            if way_px > 1:
                side_px = float(np.median(self.sideways[self.mouth])) - self.middle_px
                middle_px = self.middle_px + side_px * np.clip(
                    (self.down - self.bottom_px) / way_px, 0, 1
                )
        wings_px = self.bottom_px - WING_SHARE * (self.bottom_px - self.top_px)
        band = (self.down >= wings_px) & (self.down <= bottom_px)
        band &= np.abs(self.sideways - middle_px) <= PERINASAL_HALF_WIDTH * self.width_px
        return self.place(np.asarray(band & self._skin(face), np.bool_))

    def _skin(self, face: Labels) -> Mask:
        """Return what is labelled as cheek and chin, or the surroundings where nothing is."""
        chin = np.asarray(face == Region.CHIN, np.bool_)
        if np.count_nonzero(chin) >= MIN_PIXELS:
            return chin
        reach = 2 * max(1, round(LIP_UNITS * self.axis.unit_px / 2)) + 1
        nose_and_mouth = (self.nose | self.mouth).view(np.uint8)
        around = cv2.dilate(nose_and_mouth, np.ones((reach, reach), np.uint8))
        return np.asarray((around > 0) & (face == Region.BACKGROUND))


def _around(nose: RoiMask, mouth: RoiMask | None, margin_px: int, box: Box) -> Box:
    """Return rows and columns of the frame that hold nose and mouth, a margin and no more."""
    edges = [
        (mask.top, mask.left, mask.top + mask.inside.shape[0], mask.left + mask.inside.shape[1])
        for mask in (nose, mouth)
        if mask is not None
    ]
    top, left, bottom, right = zip(*edges, strict=True)
    return (
        slice(max(min(top) - margin_px, box[0].start), min(max(bottom) + margin_px, box[0].stop)),
        slice(max(min(left) - margin_px, box[1].start), min(max(right) + margin_px, box[1].stop)),
    )


def _within(mask: RoiMask | None, window: Box) -> Mask:
    """Return `mask`, which lies inside `window`, as large as that."""
    rows, columns = window
    whole = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
    if mask is not None:
        top, left = mask.top - rows.start, mask.left - columns.start
        height, width = mask.inside.shape
        whole[top : top + height, left : left + width] = mask.inside
    return whole


def _spread(values: NDArray[np.float32], share: float) -> tuple[float, float]:
    """Return the values below and above which the outermost `share` lies."""
    last = values.size - 1
    low, high = round(share * last), round((1 - share) * last)
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def _shape(picture: NDArray[np.generic]) -> tuple[int, int]:
    height, width = picture.shape
    return height, width


def _largest_face(labels: Labels) -> tuple[Box, Labels] | None:
    """Cut out the largest face, with every other face's pixels set to background."""
    height, width = labels.shape
    step = -(-max(height, width) // _FIND_SIZE_PX)
    coarse = labels[::step, ::step]
    small = (coarse > 0).view(np.uint8)
    area = cv2.countNonZero(small)
    if area == 0:
        return None
    bare = 2 * np.count_nonzero(coarse == Region.CHIN) < area
    share = _CLOSE_SHARE_BARE if bare else _CLOSE_SHARE
    reach = max(3, round(share * float(np.sqrt(area)))) | 1
    padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    parts = cv2.connectedComponents(joined[reach:-reach, reach:-reach])[1]
    largest = 1 + int(np.argmax(np.bincount(parts[small > 0])[1:]))
    own = cv2.dilate((parts == largest).view(np.uint8), np.ones((3, 3), np.uint8))
    left, top, columns, rows = (step * edge for edge in cv2.boundingRect(own))
    box = (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
    whole = np.repeat(np.repeat(own, step, axis=0), step, axis=1)[box]
    return box, np.where(whole > 0, labels[box], np.uint8(Region.BACKGROUND))


def _largest_part(mask: RoiMask | None) -> RoiMask | None:
    if mask is None:
        return None
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.inside.view(np.uint8))
    if count <= 2:
        return mask
    largest = 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))
    return RoiMask.tight(np.asarray(parts == largest), mask.top, mask.left)


def _axis_of(masks: Mapping[Region, RoiMask | None]) -> FaceAxis | None:
    masks_seen = {
        region: mask
        for region, mask in masks.items()
        if mask is not None and np.count_nonzero(mask.inside) >= MIN_PIXELS
    }
    seen = [region for region in FACE_MODEL if region in masks_seen]
    if len(seen) < 2:
        return None
    places, weights = np.array([FACE_MODEL[region] for region in seen]).T
    weights /= weights.sum()
    offsets = places - weights @ places
    spread = float(weights @ offsets**2)
    if spread < MIN_SPREAD**2:
        return None
    rows, columns = np.array([masks_seen[region].centre() for region in seen]).T
    down_x = float((weights * offsets) @ columns) / spread
    down_y = float((weights * offsets) @ rows) / spread
    unit_px = float(np.hypot(down_x, down_y))
    if unit_px < 1:
        return None
    return FaceAxis(down_x / unit_px, down_y / unit_px, unit_px, tuple(seen))


def _statistics(values: NDArray[np.float32]) -> RegionStatistics:
    finite = np.isfinite(values)
    if not finite.all():
        values = values[finite]
    if values.size == 0:
        return ABSENT
    return RegionStatistics(
        values.size,
        float(values.mean(dtype=np.float64)),
        float(values.min()),
        float(values.max()),
        float(values.std(dtype=np.float64)),
    )


def _measure_masks(celsius: Celsius, rois: FaceRois | None) -> dict[str, RegionStatistics]:
    if rois is None:
        return dict.fromkeys(ROI_NAMES, ABSENT)
    return {
        name: _statistics(rois.masks[name].values(celsius)) if name in rois.masks else ABSENT
        for name in ROI_NAMES
    }


def _frame_problem(frame: Frame) -> str:
    """Return why nothing of a frame can be trusted; empty if it can."""
    if not frame.radiometric:
        return NO_TEMPERATURES
    if frame.flags & (FrameFlag.SHUTTER | FrameFlag.AFTER_SHUTTER):
        return SHUTTER
    if frame.flags & FrameFlag.DUPLICATE:
        return DUPLICATE
    if frame.flags & FrameFlag.DAMAGED:
        return DAMAGED
    return ""


def _warm_skin(statistics: Mapping[str, RegionStatistics]) -> float:
    """Return the temperature of the face's warm skin, °C; NaN without a face.

    The second warmest region: skin is warmer than hair, glasses, masks and cold noses, and one
    region may be hotter than skin because something hot is before it.
    """
    means = sorted(
        statistics[name].mean_c for name in FACE_NAMES if statistics[name].pixels >= MIN_PIXELS
    )
    if not means:
        return float("nan")
    return means[-2] if len(means) > 2 else means[-1]


def _is_skin(name: str, found: RegionStatistics, relative_k: float) -> bool:
    """Tell skin from what covers it, as far as level and contrast can.

    A hand or a mask within a few kelvin of the skin passes; its coming is noticed as a jump.
    """
    coldest_c, hottest_c = PLAUSIBLE_C
    nasal = name in (Region.NOSE.label, NOSTRILS, NOSTRIL_RIGHT, NOSTRIL_LEFT)
    colder_k = COLDER_NOSE_K if nasal else COLDER_K
    flat = found.sd_k < FLAT_K and found.pixels >= FLAT_PIXELS
    return (
        coldest_c <= found.mean_c <= hottest_c
        and -colder_k <= relative_k <= WARMER_K
        and found.sd_k <= CONTRAST_K
        and not flat
    )


def _sample(
    name: str, frame: Frame, found: RegionStatistics, valid: bool, reason: str
) -> RoiSample:
    if not frame.radiometric:
        found = RegionStatistics(found.pixels, np.nan, np.nan, np.nan, np.nan)
    return RoiSample(
        name,
        frame.time_s,
        found.pixels,
        found.mean_c,
        found.min_c,
        found.max_c,
        found.sd_k,
        valid,
        reason,
    )


def _track(before: Celsius, now: Celsius, box: Box) -> tuple[int, int] | None:
    """Find again what lay in `box`, up to a quarter of its size away.

    Returns
    -------
    Pixels moved down and to the right, or None if nothing there looks the same.
    """
    rows, columns = box
    reach_rows, reach_columns = (rows.stop - rows.start) // 4, (columns.stop - columns.start) // 4
    top, left = max(rows.start - reach_rows, 0), max(columns.start - reach_columns, 0)
    patch = np.nan_to_num(before[box])
    around = np.nan_to_num(now[top : rows.stop + reach_rows, left : columns.stop + reach_columns])
    step = max(1.0, max(patch.shape) / TRACK_SIZE_PX)
    small_patch, small_around = _shrink(patch, step), _shrink(around, step)
    if min(small_patch.shape) < 3 or small_patch.std() < FLAT_K:
        return None
    scores = cv2.matchTemplate(small_around, small_patch, cv2.TM_CCOEFF_NORMED)
    _, score, _, (column, row) = cv2.minMaxLoc(scores)
    if not score >= TRACK_SCORE:
        return None
    down = step * (row + _vertex(scores[:, column], row)) - (rows.start - top)
    right = step * (column + _vertex(scores[row], column)) - (columns.start - left)
    return round(down), round(right)


def _shrink(picture: Celsius, step: float) -> Celsius:
    size = (max(1, round(picture.shape[1] / step)), max(1, round(picture.shape[0] / step)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _vertex(scores: NDArray[Any], best: int) -> float:
    """Return how far the top of the parabola through three scores lies from the middle one."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, top, after = (float(score) for score in scores[best - 1 : best + 2])
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
