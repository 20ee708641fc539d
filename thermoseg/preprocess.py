"""From °C image to network input, and from the network's answer back to the image.

`normalise` is the one function that training and running share: whatever reaches a network went
through it, after any cropping and resizing.  For GPUs `thermoseg.inference.torch_stage` says the
same again in PyTorch, and tests hold both equal.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["minmax", "percentile"]
"""How temperatures become [-1, 1]; a model's header says which one it was trained with."""

CLIPPED_PERCENT: Final = 0.5
"""Share of pixels clipped at each end by "percentile", so that a few dead pixels cost nothing."""
FLAT_SPAN: Final = 1e-6
"""Largest span (kelvin or counts) of an image that is taken for constant."""


def normalise(
    celsius: NDArray[np.floating], method: Normalisation = "percentile"
) -> NDArray[np.float32]:
    """Stretch the temperatures of one image to [-1, 1].

    Parameters
    ----------
    celsius
        (h, w), °C or relative counts.
    method
        "minmax" stretches from the coldest to the warmest pixel (Joshi et al., BMVC 2022);
        "percentile" from the 0.5th to the 99.5th percentile and clips what lies outside.

    Returns
    -------
    (h, w) float32 in [-1, 1]; all zeros for a constant image; zero where `celsius` is not finite.

    Raises
    ------
    ValueError
        If `method` is unknown or the image is not two-dimensional or has no pixel.
    """
    if method not in get_args(Normalisation):
        raise ValueError(f"unknown normalisation {method!r}; use one of {get_args(Normalisation)}")
    if celsius.ndim != 2 or celsius.size == 0:
        raise ValueError(f"an image must be (height, width) with pixels, got {celsius.shape}")
    # One copy, changed in place: this runs for every frame and crop.  The middle is subtracted
    # before the scaling; the other way round, the difference of two large products would be left,
    # with their rounding errors.
    image = celsius.astype(np.float32)
    finite = np.isfinite(image)
    whole = bool(finite.all())
    known = image.ravel() if whole else image[finite]
    if known.size == 0:
        return np.zeros(image.shape, np.float32)
    low, high = _span(known, method)
    if not high - low > FLAT_SPAN:
        return np.zeros(image.shape, np.float32)
    image -= np.float32((low + high) / 2)
    image *= np.float32(2 / (high - low))
    np.clip(image, -1, 1, out=image)
    if not whole:
        image[~finite] = 0
    return image


def _span(known: NDArray[np.float32], method: Normalisation) -> tuple[float, float]:
    """Return the temperatures that become -1 and +1."""
    if method == "minmax":
        return float(known.min()), float(known.max())
    # Order statistics by rank, not `np.percentile`: a partition is linear in the number of pixels,
    # and without interpolation a GPU takes the same two values from a `topk`.
    last = known.size - 1
    rank = round(CLIPPED_PERCENT / 100 * last)
    ordered = np.partition(known, (rank, last - rank))
    return float(ordered[rank]), float(ordered[last - rank])


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels in a frame; may reach outside it."""

    top: int
    """Row of its first pixel."""
    left: int
    """Column of its first pixel."""
    height: int
    """Pixels, at least 1."""
    width: int
    """Pixels, at least 1."""

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of its middle, pixels."""
        return self.top + self.height / 2, self.left + self.width / 2

    @property
    def side(self) -> int:
        """Length of the longer side, pixels."""
        return max(self.height, self.width)

    def overlap(self, other: "Box") -> float:
        """Return the intersection over the smaller area, 0-1."""
        rows = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        columns = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        if rows <= 0 or columns <= 0:
            return 0.0
        return rows * columns / min(self.height * self.width, other.height * other.width)


def fit_box(box: Box, size: tuple[int, int]) -> Box:
    """Return the smallest box around the middle of `box` that holds it in the shape of `size`.

    Parameters
    ----------
    size
        Height and width of the network's input, pixels; only their ratio counts.
    """
    aspect = size[1] / size[0]
    height = max(box.height, round(box.width / aspect))
    width = max(box.width, round(box.height * aspect))
    row, column = box.centre
    return Box(round(row - height / 2), round(column - width / 2), height, width)


def cut(celsius: NDArray[np.float32], box: Box, size: tuple[int, int]) -> NDArray[np.float32]:
    """Cut a box out of an image and resize it.

    Parameters
    ----------
    celsius
        (h, w), °C or relative counts.
    box
        Anywhere; what lies outside the image repeats its border.
    size
        Height and width wanted, pixels.

    Returns
    -------
    `size` float32; means over the pixels when shrunk, bilinear when enlarged.
    """
    # Clipped indices repeat the border where the box leaves the image, as averaging over areas has
    # no border mode of its own.  Inside, a slice does without the copy that `np.ix_` makes.
    rows = np.clip(np.arange(box.top, box.top + box.height), 0, celsius.shape[0] - 1)
    columns = np.clip(np.arange(box.left, box.left + box.width), 0, celsius.shape[1] - 1)
    inside = celsius[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if inside.shape != (box.height, box.width):
        inside = celsius[np.ix_(rows, columns)]
    return _resize(np.ascontiguousarray(inside, dtype=np.float32), size)


def paste(
    probabilities: NDArray[np.float32], box: Box, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Map the network's answer for a box back to the image, to the pixels that `cut` took.

    Parameters
    ----------
    probabilities
        (classes, h, w) for the image that `cut` made of `box`.
    box
        The box given to `cut`.
    shape
        Height and width of the image, pixels.

    Returns
    -------
    (classes, rows, columns) for the part of the box that lies inside the image, and where that is
    in the image; nothing (0 rows or columns) if the box lies outside.
    """
    # The answer is resized to the whole box and cut afterwards: a part of it could not be resized
    # by itself, as interpolation at its edge looks at the neighbours beyond.
    top, left = max(box.top, 0), max(box.left, 0)
    bottom, right = min(box.top + box.height, shape[0]), min(box.left + box.width, shape[1])
    bottom, right = max(bottom, top), max(right, left)
    where = (slice(top, bottom), slice(left, right))
    within = (
        slice(top - box.top, bottom - box.top),
        slice(left - box.left, right - box.left),
    )
    resized = [_resize(plane, (box.height, box.width))[within] for plane in probabilities]
    return np.stack(resized), where


def regrid(probabilities: NDArray[np.float32], box: Box, target: Box) -> NDArray[np.float32]:
    """Resample the answer for one box as if it had been given for another.

    Parameters
    ----------
    probabilities
        (classes, h, w) for `box`.
    target
        Another box, normally inside `box`; beyond `box` its border is repeated.

    Returns
    -------
    (classes, h, w) for `target`.
    """
    # An affine map from target pixel i to source pixel u, both counted from pixel centres, as
    # OpenCV does.  The centre of i lies at (i + ½)·target.width / width in the picture, so
    # u + ½ = (i + ½)·across + shift, and u = across·i + (across - 1) / 2 + shift.  Without the
    # middle term labels would move by up to half a pixel of the network, several of the frame.
    height, width = probabilities.shape[1:]
    across, down = target.width / box.width, target.height / box.height
    to_source = np.array(
        [
            [across, 0, (across - 1) / 2 + (target.left - box.left) * width / box.width],
            [0, down, (down - 1) / 2 + (target.top - box.top) * height / box.height],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(
                plane, to_source, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
            for plane in probabilities
        ]
    )


def _resize(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if image.shape == size:
        return image
    shrunk = image.shape[0] > size[0] or image.shape[1] > size[1]
    way = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=way), np.float32)
