"""Protocol of a segmenter: frame in, one label per pixel out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Labels of one frame, a region per pixel.  Shared between threads, hence read-only."""

    labels: NDArray[np.uint8]
    """(height, width), frame coordinates; values of `thermoseg.labels.Region`."""
    confidence: NDArray[np.float32]
    """(height, width), probability of the label given, 0-1."""
    frame_index: int
    """`Frame.index` of the frame it belongs to."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Identity of the network that made a segmentation; written into every recording of it."""

    name: str
    sha256: str
    """Hex digest of the model file."""
    backend: str
    """Library and device that ran the network."""


class Segmenter(Protocol):
    """A network ready to run; used by one thread."""

    @property
    def model_name(self) -> str:
        """Name of the model, such as `face-compact`."""
        ...

    @property
    def model_sha256(self) -> str:
        """Hex digest of the model file, which names it in every recording."""
        ...

    @property
    def backend(self) -> str:
        """Library and device that run the network, such as `openvino CPU` or `torch cuda:0`."""
        ...

    def segment(self, frame: Frame) -> Segmentation:
        """Label every pixel of `frame`."""
        ...
