"""Where the regions of a face lie: its axis, the base of its nose, nostrils, skin around them.

Pure geometry of label masks, without temperatures and without memory.  Directions are the face's
own: *down* points from the brows to the chin whatever the roll, *left* is the subject's, which for
an upright face is the right of the picture.  Lengths are compared with the `unit_px` of a face, the
distance between its eye centres, or with the width of its nose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.labelled_faces import LabelledFaces
from thermoseg.labels import (
    FACE_REGIONS,
    NOSTRIL_LEFT,
    NOSTRIL_RIGHT,
    NOSTRILS,
    PERINASAL,
    Region,
)

Mask: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[slice, slice]

MIN_PIXELS: Final = 6
"""Fewest pixels of a region that count; with 50 mK NETD the noise of their mean is 20 mK."""
MIN_SPLIT_WIDTH_PX: Final = 6.0
"""Narrowest nose whose nostrils are measured apart: three pixels each."""

NOSTRIL_FRACTION: Final = 0.25
"""Lower part of the nose, along the face's axis, that holds the nostrils.  Less swings more but
suffers more from masks that jitter; on the phantom a quarter had the best signal to noise that
did not cost correlation with the breath under motion."""
WING_FRACTION: Final = 0.45
"""Lower part of the nose whose flanks belong to the perinasal region."""
PERINASAL_HALF_WIDTH: Final = 0.8
"""Half width of the perinasal region, in nose widths: 0.3 of a width beside each wing."""
LIP_UNITS: Final = 0.25
"""Height of the skin between nose and mouth in `unit_px` (16 mm), used where no mouth is seen."""

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
"""Least weighted standard deviation of those places that fixes a direction; that of nose and chin
alone does not."""


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
    """Regions that the axis was fitted to; the fewer, the rougher."""

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
    """The masks of one face; threads share them, so they are read-only."""

    shape: tuple[int, int]
    """(height, width) of the frame."""
    box: Box
    """Rows and columns of the frame that hold the face."""
    masks: Mapping[str, RoiMask]
    """Masks by name of region; absent regions are left out."""
    axis: FaceAxis | None
    """None if too little of the face is seen to tell."""
    nose_width_px: float
    """Across the lower nose; NaN without a nose or an axis."""
    too_small: frozenset[str]
    """Regions that are in the picture, but too small to be told from their neighbours."""

    def mask(self, region: str) -> Mask:
        """Return (height, width) of the whole frame; all false if the region is absent."""
        whole = np.zeros(self.shape, np.bool_)
        found = self.masks.get(region)
        if found is not None:
            rows, columns = found.inside.shape
            whole[found.top : found.top + rows, found.left : found.left + columns] = found.inside
        return whole


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
    faces = LabelledFaces(labels)
    return find_rois_of(_shape(labels), *faces.cut(faces.parts[0].number)) if faces.parts else None


def find_rois_of(shape: tuple[int, int], box: Box, face: Labels) -> FaceRois:
    """Find every region of one face.

    Parameters
    ----------
    shape
        (height, width) of the picture.
    box, face
        Rows and columns that hold the face, and the labels of that face alone there.
    """
    # Eyes and brows have two pieces each; of nose and mouth only the largest counts, as a stray one
    # would move the centroids that fix the axis, and the percentiles of the nose.  All masks are
    # cropped to what they cover, or every statistic would run over the whole frame.
    corner = (box[0].start, box[1].start)
    parts: dict[Region, RoiMask | None] = {
        region: RoiMask.tight(face == region, *corner) for region in FACE_REGIONS
    }
    nose = parts[Region.NOSE] = _largest_part(parts[Region.NOSE])
    mouth = parts[Region.MOUTH] = _largest_part(parts[Region.MOUTH])
    masks = {region.label: mask for region, mask in parts.items()}
    axis, nose_width_px, too_small = _fit_axis(parts), float("nan"), frozenset[str]()
    if axis is not None and nose is not None and np.count_nonzero(nose.inside) >= MIN_PIXELS:
        nose_base = _NoseBase.find(nose, mouth, axis, box)
        nose_width_px = nose_base.width_px
        masks[NOSTRILS] = nose_base.place(nose_base.nostrils)
        if nose_width_px >= MIN_SPLIT_WIDTH_PX:
            right, left = nose_base.split_nostrils()
            masks[NOSTRIL_RIGHT], masks[NOSTRIL_LEFT] = right, left
        else:
            too_small = frozenset((NOSTRIL_RIGHT, NOSTRIL_LEFT))
        masks[PERINASAL] = nose_base.perinasal(face[nose_base.within(box)])
    present = {name: mask for name, mask in masks.items() if mask is not None}
    return FaceRois(shape, box, present, axis, nose_width_px, too_small)


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
    """Place of the line between the nostrils, on `sideways`."""
    width_px: float

    @classmethod
    def find(cls, nose: RoiMask, mouth: RoiMask | None, axis: FaceAxis, box: Box) -> "_NoseBase":
        """Lay the face's directions over the part of `box` around nose and mouth."""
        # Coordinates of every pixel along (down) and across (sideways) the face, in px: rows and
        # columns turned by the roll, so that all that follows is comparisons of these two.  The
        # ends of the nose and its width are percentiles, not extremes: a pixel that flickers at
        # the rim of the mask would move the lower quarter, which holds the nostrils, by as much.
        window = _around(nose, mouth, round(axis.unit_px / 2), box)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)
        down = columns * np.float32(axis.down_x) + rows * np.float32(axis.down_y)
        sideways = columns * np.float32(axis.down_y) - rows * np.float32(axis.down_x)
        nose_mask = _within(nose, window)
        mouth_mask = _within(mouth, window)
        top_px, bottom_px = _spread(down[nose_mask], 0.01)
        nostrils = nose_mask & (down >= bottom_px - NOSTRIL_FRACTION * (bottom_px - top_px))
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
        # A band across the face: from the wings of the nose down to the mouth, 0.8 nose widths to
        # either side of a middle line that leads from between the nostrils to the middle of the
        # mouth, because in a head that is turned the mouth lies beside the nose, not below it.
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
        wings_px = self.bottom_px - WING_FRACTION * (self.bottom_px - self.top_px)
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


def _spread(values: NDArray[np.float32], fraction: float) -> tuple[float, float]:
    """Return the values below and above which the outermost `fraction` lies."""
    last = values.size - 1
    low, high = round(fraction * last), round((1 - fraction) * last)
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def _shape(picture: NDArray[np.generic]) -> tuple[int, int]:
    height, width = picture.shape
    return height, width


def _largest_part(mask: RoiMask | None) -> RoiMask | None:
    if mask is None:
        return None
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.inside.view(np.uint8))
    if count <= 2:
        return mask
    largest = 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))
    return RoiMask.tight(np.asarray(parts == largest), mask.top, mask.left)


def _fit_axis(masks: Mapping[Region, RoiMask | None]) -> FaceAxis | None:
    """Fit the direction and size of a face to the centroids of the regions that are seen.

    Returns
    -------
    The axis, or None if the regions seen lie too close together to fix a direction.
    """
    # Weighted least squares of a straight line p(s) = p0 + s·d: s is a region's place down the
    # model face in eye distances (`FACE_MODEL`), p its centroid in the picture, (row, column) in
    # px.  The slope d = Σ w·(s - s̄)·p / Σ w·(s - s̄)² points down the face, whatever the roll, and
    # its length is the eye distance in px.  Any two regions far enough apart fix it, so a face
    # without eyes or without a mouth still has one.  Two whose places are close (nose and chin)
    # would turn a pixel of jitter into degrees: that is what `MIN_SPREAD` refuses.
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
