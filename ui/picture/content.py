"""What the picture shows at one moment; every part of it belongs to that moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.face_geometry import RoiMask
from thermoseg.frames import Frame
from thermoseg.rois import RoiSample

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom of a face, frame pixels."""

FACE_SEARCH_PX: Final = 160
"""Faces are told apart on masks scaled down to this size."""
FACE_GAP: Final = 0.08
"""Gap between the parts of one face, as a share of the larger side of the picture."""
LEAST_FACE: Final = 0.002
"""Smallest labelled share of the picture that counts as a face."""
SAME_FACE: Final = 0.5
"""A box that shares this much of its area with the measured one is that face."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureContent:
    """One frame and what is known of it."""

    frame: Frame
    labels: NDArray[np.uint8] | None = None
    """(height, width), same as the frame's; None for no mask."""
    rois: Mapping[str, RoiMask] | None = None
    """Derived regions of the measured face by name (`FaceRois.masks`); None for none."""
    face: Box | None = None
    """The face that is measured."""
    others: tuple[Box, ...] = ()
    """The faces that are not."""
    confidence: NDArray[np.float32] | None = None
    """(height, width), probability of the label, 0-1."""
    samples: Mapping[str, RoiSample] = field(default_factory=lambda: MappingProxyType({}))
    """What was measured, by name of region."""
    behind_s: float = 0.0
    """By how much `labels` and `rois` are older than the frame."""


def other_faces(labels: NDArray[np.uint8], measured: Box | None) -> tuple[Box, ...]:
    """Find the faces in a mask besides the one that is measured.

    Parameters
    ----------
    labels
        (height, width), values of `Region`.

    Returns
    -------
    Their boxes, largest first.
    """
    # Brows and eyes do not touch the rest of a face, so the parts are joined by a dilation first;
    # faces nearer to each other than its reach are told as one.
    step = -(-max(labels.shape) // FACE_SEARCH_PX)
    small = (labels[::step, ::step] > 0).view(np.uint8)
    reach = max(1, round(FACE_GAP * max(small.shape) / 2))
    joined = cv2.dilate(small, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    _, parts = cv2.connectedComponents(joined)
    found = []
    for part in range(1, int(parts.max()) + 1):
        own = ((parts == part) & (small > 0)).view(np.uint8)
        area = cv2.countNonZero(own)
        left, top, width, height = (step * edge for edge in cv2.boundingRect(own))
        box = (float(left), float(top), float(left + width), float(top + height))
        if area >= LEAST_FACE * small.size and not _is_same(box, measured):
            found.append((area, box))
    return tuple(box for _, box in sorted(found, reverse=True))


def is_inside(box: Box, x_px: float, y_px: float) -> bool:
    """Say whether a place lies in a box."""
    left, top, right, bottom = box
    return left <= x_px < right and top <= y_px < bottom


def _is_same(box: Box, measured: Box | None) -> bool:
    if measured is None:
        return False
    across = min(box[2], measured[2]) - max(box[0], measured[0])
    down = min(box[3], measured[3]) - max(box[1], measured[1])
    own = (box[2] - box[0]) * (box[3] - box[1])
    return across > 0 and down > 0 and across * down > SAME_FACE * own
