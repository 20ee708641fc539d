"""Where a frame is cut for the network and its answers are painted: beside what computes.

On the CPU that is NumPy and OpenCV.  A GPU has a stage of its own (`torch_stage`), so that only
the frame goes up, and labels with their confidence come down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thermoseg.inference.faces import most_likely
from thermoseg.inference.runner import Runner
from thermoseg.preprocess import Box, Normalisation, cut, normalise, paste

Kept = NDArray[np.bool_]
"""(classes, h, w): where each label may be given; elsewhere its probability counts as zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The network's output for one part of a frame."""

    box: Box
    """The part, in the frame."""
    labels: NDArray[np.uint8]
    """(h, w) in the network's size, the likeliest of each pixel."""
    confidence: NDArray[np.float32]
    """(h, w), probability of that label, 0-1."""
    answer: Any
    """Probabilities (classes, h, w), in the memory of the stage that gave them."""


class Stage(Protocol):
    """Shows parts of a frame to a network and paints what it says; used by one thread."""

    def show(self, celsius: NDArray[np.float32]) -> None:
        """Take the next frame, (height, width), °C or relative counts."""
        ...

    def look(self, box: Box) -> Look:
        """Run the network on a part of the frame."""
        ...

    def keep_background(self, look: Look) -> None:
        """Keep the background's probability of a look at the whole frame, until the next one."""
        ...

    def compose(
        self, answers: Sequence[tuple[Look, Kept]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Paint faces onto the background; of two faces in a pixel the surer one stays.

        Returns
        -------
        Labels and confidence, (height, width) of the frame; the caller's own.
        """
        ...


@runtime_checkable
class StagingRunner(Protocol):
    """A runner whose device can do the work around the network, too."""

    def open_stage(self, size: tuple[int, int], normalisation: Normalisation) -> Stage:
        """Prepare a stage for one stream of frames.

        Parameters
        ----------
        size
            Height and width of the network's input, pixels.
        """
        ...


class HostStage:
    """The stage of every runner that takes pictures and gives probabilities: NumPy and OpenCV."""

    def __init__(self, runner: Runner, size: tuple[int, int], normalisation: Normalisation) -> None:
        self._runner = runner
        self._size = size
        self._normalisation: Normalisation = normalisation
        self._celsius = np.zeros((0, 0), np.float32)
        self._background = np.zeros((0, 0), np.float32)

    def show(self, celsius: NDArray[np.float32]) -> None:
        """Take the next frame; see `Stage`."""
        self._celsius = celsius

    def look(self, box: Box) -> Look:
        """Run the network on a part of the frame; see `Stage`."""
        return look_from(self.probabilities(box), box)

    def probabilities(self, box: Box, *, mirrored: bool = False) -> NDArray[np.float32]:
        """Return (classes, h, w) for a part of the frame.

        Parameters
        ----------
        mirrored
            Show the network the mirror image, and turn back its answer.
        """
        image = normalise(cut(self._celsius, box, self._size), self._normalisation)
        inputs = image[:, ::-1] if mirrored else image
        # Runners want the pixels in a row.
        shown = np.ascontiguousarray(inputs[np.newaxis, np.newaxis])
        answer: NDArray[np.float32] = self._runner.probabilities(shown)[0]
        return answer[:, :, ::-1] if mirrored else answer

    def keep_background(self, look: Look) -> None:
        """Keep the background's probability; see `Stage`."""
        shape = (self._celsius.shape[0], self._celsius.shape[1])
        planes, _ = paste(look.answer[:1], look.box, shape)
        self._background = planes[0]

    def compose(
        self, answers: Sequence[tuple[Look, Kept]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Paint faces onto the background; see `Stage`."""
        # Faces are painted one after the other, and their boxes may overlap.  Where no face was
        # painted yet the new answer holds, its background included, as a look at the face is better
        # than the coarse one; where two faces claim a pixel, the surer one gets it.
        confidence = self._background.copy()
        labels = np.zeros(confidence.shape, np.uint8)
        for look, kept in answers:
            planes, where = paste(look.answer * kept, look.box, confidence.shape)
            if planes.size == 0:
                continue
            new_labels, new_confidence = most_likely(planes)
            old_labels, old_confidence = labels[where], confidence[where]
            wins = (old_labels == 0) | ((new_labels != 0) & (new_confidence > old_confidence))
            old_labels[wins] = new_labels[wins]
            old_confidence[wins] = new_confidence[wins]
        return labels, confidence


def look_from(probabilities: NDArray[np.float32], box: Box) -> Look:
    """Make a look of probabilities (classes, h, w) for `box`."""
    return Look(box, *most_likely(probabilities), probabilities)
