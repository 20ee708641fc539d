"""What comes of segmenting one frame."""

from dataclasses import dataclass

from thermoseg.face_geometry import FaceRois
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labelled_faces import FaceBox
from thermoseg.rois import RoiSample


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The labels and temperatures of one frame.  Shared between threads, hence read-only."""

    frame: Frame
    segmentation: Segmentation
    samples: tuple[RoiSample, ...]
    """One for each region of the face, then one for each that was drawn."""
    latency_s: float
    """Time from the frame's arrival to this result."""
    rois: FaceRois | None = None
    """The masks that were measured, for drawing; held ones included.  None without a face."""
    face: FaceBox | None = None
    """Around the face that is measured: left, top, right, bottom, px; None if it is not seen."""
    other_faces: tuple[FaceBox, ...] = ()
    """Around the other faces in the picture, which can be chosen."""
