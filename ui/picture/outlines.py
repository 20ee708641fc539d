"""The borders of regions as paths; found when a mask arrives, not when a picture is drawn."""

from collections.abc import Mapping, Set
from typing import Final

import cv2
import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtGui import QPainterPath

from thermoseg.face_geometry import RoiMask
from thermoseg.labels import DERIVED_COLOURS, FACE_REGIONS, NOSTRILS

UNSURE_BELOW: Final = 0.6
"""Probability of a label below which its pixel is drawn as unsure."""

CORNER_PX: Final = 0.4
"""A border may be moved by so many pixels of the frame where that saves corners."""

DRAWN_ROIS: Final = tuple(name for name in DERIVED_COLOURS if name != NOSTRILS)
"""Derived regions that are outlined; both nostrils are outlined one by one."""


def find_outlines(
    labels: NDArray[np.uint8] | None, rois: Mapping[str, RoiMask] | None, shown: Set[str]
) -> dict[str, QPainterPath]:
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
    Paths in frame coordinates by name; regions that are not in the picture are left out.
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
    return {name: path for name, path in found.items() if not path.isEmpty()}


def find_unsure(
    labels: NDArray[np.uint8] | None, confidence: NDArray[np.float32] | None
) -> QPainterPath:
    """Find the pixels whose label is unsure.

    Parameters
    ----------
    labels, confidence
        (height, width) both, or None.

    Returns
    -------
    Their borders in frame coordinates; empty if all are sure or nothing is known.
    """
    if confidence is None or labels is None:
        return QPainterPath()
    return border_of((confidence < UNSURE_BELOW).view(np.uint8), 0, 0, holes=True)


def border_of(inside: NDArray[np.uint8], left: int, top: int, holes: bool = False) -> QPainterPath:
    """Return the border of a mask whose first pixel is (`left`, `top`) of the frame.

    Parameters
    ----------
    inside
        (rows, columns), not 0 for the region's pixels.
    holes
        Whether the borders of holes belong to it.
    """
    mode = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    contours, _ = cv2.findContours(inside, mode, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    path = QPainterPath()
    for contour in contours:
        corners = cv2.approxPolyDP(contour, CORNER_PX, closed=True)[:, 0, :] + 0.5
        path.addPolygon(pg.functions.arrayToQPolygonF(corners[:, 0], corners[:, 1]))
        path.closeSubpath()
    return path
