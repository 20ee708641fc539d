"""The borders of regions; found when a mask arrives, not when a picture is drawn."""

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QTransform

from thermoseg.face_geometry import RoiMask
from thermoseg.labels import DERIVED_COLOURS, FACE_REGIONS, NOSTRILS

UNSURE_BELOW: Final = 0.6
"""Probability of a label below which its pixel is drawn as unsure."""

CORNER_PX: Final = 0.4
"""A border may be moved by so many pixels of the frame where that saves corners."""

DRAWN_ROIS: Final = tuple(name for name in DERIVED_COLOURS if name != NOSTRILS)
"""Derived regions that are outlined; both nostrils are outlined one by one."""

SUBPIXEL_BITS: Final = 3
"""Lines begin and end at eighths of a pixel."""

SOFTNESS_PX: Final = 0.55
"""Standard deviation of the blur that takes the place of antialiasing."""

Corners: TypeAlias = NDArray[np.float32]
"""(n, 2) x, y of a closed line."""
Colour: TypeAlias = tuple[int, int, int, int]
"""Blue, green, red, alpha, as `QImage.Format_ARGB32_Premultiplied` lies in memory."""


def find_outlines(
    labels: NDArray[np.uint8] | None, rois: Mapping[str, RoiMask] | None, shown: Set[str]
) -> dict[str, list[Corners]]:
    """Find the borders of the regions that are shown.

    Parameters
    ----------
    labels
        (height, width), values of `Region`; None for none.
    rois
        Masks of derived regions by name; None for none.
    shown
        Names of regions.

    Returns
    -------
    Closed lines in frame coordinates by name; regions that are not in the picture are left out.
    """
    found = {}
    if labels is not None:
        left, top, width, height = cv2.boundingRect(labels)
        face = labels[top : top + height, left : left + width]
        for region in FACE_REGIONS:
            if region.label in shown and width:
                found[region.label] = border_of((face == region).view(np.uint8), left, top)
    for name in DRAWN_ROIS:
        if rois is not None and name in rois and name in shown:
            mask = rois[name]
            found[name] = border_of(mask.inside.view(np.uint8), mask.left, mask.top)
    return {name: lines for name, lines in found.items() if lines}


def border_of(inside: NDArray[np.uint8], left: int, top: int) -> list[Corners]:
    """Return the outer borders of a mask whose first pixel is (`left`, `top`) of the frame.

    Parameters
    ----------
    inside
        (rows, columns), not 0 for the region's pixels.
    """
    contours, _ = cv2.findContours(
        inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
    )
    # The middle of a pixel is half a pixel from its corner, where frame coordinates count from.
    return [
        cv2.approxPolyDP(contour, CORNER_PX, closed=True)[:, 0, :].astype(np.float32) + 0.5
        for contour in contours
    ]


def on_screen(lines: Sequence[Corners], transform: QTransform) -> list[Corners]:
    """Map lines by a transform that scales and moves."""
    scale = np.array([transform.m11(), transform.m22()], np.float32)
    offset = np.array([transform.dx(), transform.dy()], np.float32)
    return [line * scale + offset for line in lines]


def draw_lines(
    image: NDArray[np.uint8], lines: Sequence[Corners], colour: Colour, width: float, closed: bool
) -> None:
    """Draw lines with jagged edges; `soften` makes them smooth, in a quarter of the time.

    Parameters
    ----------
    image
        (height, width, 4), written.
    width
        Pixels.
    """
    fixed = [np.round((line - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32) for line in lines]
    cv2.polylines(
        image, fixed, closed, colour, max(1, round(width)), cv2.LINE_8, shift=SUBPIXEL_BITS
    )


def soften(image: NDArray[np.uint8], lines: Sequence[Corners], margin: int) -> None:
    """Smooth (height, width, 4) colours, multiplied by their alpha, around lines, in place."""
    if not lines:
        return
    corners = np.vstack(list(lines))
    height, width = image.shape[:2]
    left, top = np.clip(corners.min(0).astype(int) - margin, 0, (width, height))
    right, bottom = np.clip(corners.max(0).astype(int) + margin, 0, (width, height))
    if left < right and top < bottom:
        part = image[top:bottom, left:right]
        part[...] = cv2.GaussianBlur(part, (3, 3), SOFTNESS_PX)


def dashes_of(line: Corners, dash: float, gap: float) -> list[Corners]:
    """Cut a closed line into dashes, lengths in pixels."""
    # All corners and all ends of dashes along the line at once: a loop over the dashes would take
    # longer than everything else that is drawn.
    ring = np.vstack([line, line[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    starts = np.arange(0.0, along[-1], dash + gap)
    ends = np.minimum(starts + dash, along[-1])
    inner = along[1:-1]
    owner = np.searchsorted(starts, inner, "right") - 1
    kept = (inner > starts[owner]) & (inner < ends[owner]) if len(starts) else np.zeros(0, bool)
    places = np.concatenate([starts, ends, inner[kept]])
    owners = np.concatenate([np.arange(len(starts)), np.arange(len(starts)), owner[kept]])
    order = np.lexsort((places, owners))
    corners = np.stack(
        [np.interp(places[order], along, ring[:, axis]) for axis in (0, 1)], axis=1
    ).astype(np.float32)
    return np.split(corners, np.flatnonzero(np.diff(owners[order])) + 1) if len(starts) else []


@lru_cache(maxsize=2)
def hatching(
    size: tuple[int, int], distance: int, colours: tuple[Colour, Colour]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make slanting stripes of two colours.

    Parameters
    ----------
    size
        (height, width), pixels.
    distance
        Pixels from stripe to stripe; half of them stay free.

    Returns
    -------
    (height, width, 4) the colours, and (height, width) 255 on the stripes and 0 between them.
    """
    rows, columns = np.ogrid[: size[0], : size[1]]
    phase = (rows + columns) % distance
    first = phase < distance // 4
    stripes = np.array(colours, np.uint8)[1 - first.astype(np.intp)]
    return stripes, np.where(phase < distance // 2, np.uint8(255), np.uint8(0))
