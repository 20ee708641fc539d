"""The faces in a picture of labels: which pixels belong together, and where each face lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import NUM_CLASSES, Region

_CLOSE_FRACTION: Final = 0.2
"""Gap between parts of one face, as a fraction of the square root of its labelled area."""
_CLOSE_FRACTION_BARE: Final = 0.45
"""The same where less than half of that area is chin: the parts stand alone."""
_FIND_SIZE_PX: Final = 160
"""Faces are searched for on masks scaled down to this size."""
_LEAST_FRACTION: Final = 0.02
"""Parts below this fraction of the largest are strays."""
_MOST_PARTS: Final = 12
"""Most parts that are looked at, the largest; an untrained network makes thousands."""
MIN_REGIONS: Final = 3
"""A face shows at least so many of its five regions, even in profile or behind a mask."""


class FaceBox(NamedTuple):
    """A rectangle around a face, in pixels of the frame; right and bottom lie just outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def centre(self) -> tuple[float, float]:
        """X and y of the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def side_px(self) -> float:
        """Side of the square of the same area."""
        return float(np.sqrt((self.right - self.left) * (self.bottom - self.top)))

    def moved(self, right_px: float, down_px: float) -> "FaceBox":
        """Return the box elsewhere."""
        return FaceBox(
            self.left + right_px,
            self.top + down_px,
            self.right + right_px,
            self.bottom + down_px,
        )

    def within(self, frame: "FaceBox") -> "FaceBox":
        """Return what of the box lies in the frame; at least a pixel, if it has been left."""
        left = min(max(self.left, frame.left), frame.right - 1)
        top = min(max(self.top, frame.top), frame.bottom - 1)
        right = max(min(self.right, frame.right), left + 1)
        return FaceBox(left, top, right, max(min(self.bottom, frame.bottom), top + 1))

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point lies inside."""
        return self.left <= x < self.right and self.top <= y < self.bottom

    def overlap(self, other: "FaceBox") -> float:
        """Return the area that both share, as a fraction of the smaller one's."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / min(self.side_px, other.side_px) ** 2


@dataclass(frozen=True, slots=True)
class FacePart:
    """Labelled pixels that lie together: a face as a rule, part of one, or two that touch."""

    number: int
    """By which `LabelledFaces` finds it again."""
    box: FaceBox
    whole: bool
    """Whether it shows `MIN_REGIONS` of the regions of a face."""


class LabelledFaces:
    """One picture of labels, taken apart into faces."""

    def __init__(self, labels: NDArray[np.uint8]) -> None:
        """Find the parts.

        Parameters
        ----------
        labels
            (height, width), values of `Region`.
        """
        # Parts of one face do not touch: skin between brows and eyes is background, and without a
        # chin label so is everything between eyes, nose and mouth.  A morphological closing
        # (dilation, then erosion) bridges gaps up to its kernel's size, which grows with the square
        # root of the labelled area, so near and far faces close alike.  The kernel is limited to
        # that: a larger one would join two people side by side.  The border is padded, as a closing
        # that runs into the border of the picture would fill it.
        self._labels = labels
        self.frame = FaceBox(0, 0, labels.shape[1], labels.shape[0])
        """All of the picture."""
        self._step = -(-max(labels.shape) // _FIND_SIZE_PX)
        self._coarse = labels[:: self._step, :: self._step]
        self._parts: NDArray[np.int32] = np.zeros(self._coarse.shape, np.int32)
        self.parts: tuple[FacePart, ...] = ()
        """The parts, the one with the most labelled pixels first."""
        small = (self._coarse > 0).view(np.uint8)
        area = cv2.countNonZero(small)
        if area == 0:
            return
        bare = 2 * np.count_nonzero(self._coarse == Region.CHIN) < area
        fraction = _CLOSE_FRACTION_BARE if bare else _CLOSE_FRACTION
        reach = max(3, round(fraction * float(np.sqrt(area)))) | 1
        padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
        joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
        count, parts = cv2.connectedComponents(joined[reach:-reach, reach:-reach])
        # The bridges stay: between two samples of the coarse mask a thin brow has pixels, too.
        self._parts = np.asarray(parts, np.int32)
        self.parts = self._describe(count)

    def split(self, number: int, faces: Sequence[FaceBox]) -> tuple[FacePart | None, ...]:
        """Take a part asunder in which faces touch: each pixel goes to the nearest face.

        Parameters
        ----------
        faces
            Where the faces are believed to be; distances count in sizes of each.

        Returns
        -------
        The piece of each face, None where it has no pixel.
        """
        first = int(self._parts.max()) + 1
        places = np.flatnonzero(self._parts == number)
        rows, columns = np.divmod(places.astype(np.int32), np.int32(self._parts.shape[1]))
        y_px = (rows.astype(np.float32) + np.float32(0.5)) * np.float32(self._step)
        x_px = (columns.astype(np.float32) + np.float32(0.5)) * np.float32(self._step)
        squares = [
            ((x_px - np.float32(x)) ** 2 + (y_px - np.float32(y)) ** 2)
            * np.float32(1 / face.side_px**2)
            for face in faces
            for x, y in (face.centre,)
        ]
        self._parts.ravel()[places] = first + np.argmin(squares, axis=0)
        found = {part.number: part for part in self._describe(first + len(faces), first)}
        return tuple(found.get(first + piece) for piece in range(len(faces)))

    def cut(self, number: int) -> tuple[tuple[slice, slice], NDArray[np.uint8]]:
        """Cut out one part, with every other part's pixels set to background.

        Returns
        -------
        Rows and columns of the picture that hold it, and the labels there.
        """
        height, width = self._labels.shape
        step = self._step
        own = cv2.dilate((self._parts == number).view(np.uint8), np.ones((3, 3), np.uint8))
        left, top, columns, rows = (step * edge for edge in cv2.boundingRect(own))
        box = (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
        whole = np.repeat(np.repeat(own, step, axis=0), step, axis=1)[box]
        return box, np.where(whole > 0, self._labels[box], np.uint8(Region.BACKGROUND))

    def _describe(self, count: int, first: int = 1) -> tuple[FacePart, ...]:
        """Describe the parts numbered from `first` to below `count`."""
        # One count of all pairs of part and region.  Counted in labelled pixels: what the closing
        # added has no say in who is largest.
        pairs = self._parts.astype(np.int64).ravel() * NUM_CLASSES + self._coarse.ravel()
        pixels = np.bincount(pairs, minlength=count * NUM_CLASSES).reshape(-1, NUM_CLASSES)
        pixels = pixels[:, 1:]
        areas = pixels.sum(axis=1)
        order = [n for n in np.argsort(-areas[first:count], kind="stable") + first if areas[n]]
        found = []
        for number in order[:_MOST_PARTS]:
            if areas[number] < _LEAST_FRACTION * areas[order[0]]:
                break
            whole = np.count_nonzero(pixels[number]) >= MIN_REGIONS
            found.append(FacePart(int(number), self._box(int(number)), bool(whole)))
        return tuple(found)

    def _box(self, number: int) -> FaceBox:
        height, width = self._labels.shape
        own = (self._parts == number).view(np.uint8)
        left, top, columns, rows = (self._step * edge for edge in cv2.boundingRect(own))
        return FaceBox(left, top, min(left + columns, width), min(top + rows, height))
