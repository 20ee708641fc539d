"""What the picture shows at one moment; every part of it belongs to that moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from thermoseg.face_geometry import RoiMask
from thermoseg.frames import Frame
from thermoseg.rois import RoiSample

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom of a face, frame pixels."""


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


def is_inside(box: Box, x_px: float, y_px: float) -> bool:
    """Say whether a place lies in a box."""
    left, top, right, bottom = box
    return left <= x_px < right and top <= y_px < bottom
