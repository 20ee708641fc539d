"""Cutting and pasting written as two matrices, so that a fixed sequence of operations does it.

Resizing by means of areas or between neighbours treats rows and columns alike and apart:
`out = rows · image · columnsᵀ`.  Which box is cut then lies in the numbers of the matrices and no
longer in the shapes, which a captured CUDA graph could not change.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thermoseg.preprocess import Box

Way = Literal["area", "linear", "linear over areas"]


def cut_weights(
    box: Box, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices that cut a box out of an image as `thermoseg.preprocess.cut` does.

    Parameters
    ----------
    box
        Anywhere; what lies outside the image repeats its border.
    shape
        Height and width of the image, pixels.
    size
        Height and width wanted, pixels.

    Returns
    -------
    (size[0], shape[0]) and (size[1], shape[1]); the rows of each sum to 1.
    """
    rows, columns = _resize_weights((box.height, box.width), size)
    return _fold(rows, box.top, shape[0]), _fold(columns, box.left, shape[1])


def paste_weights(
    box: Box, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices that map an answer back as `thermoseg.preprocess.paste` does.

    Parameters
    ----------
    box
        The box that was cut.
    shape
        Height and width of the image, pixels.
    size
        Height and width of the answer, pixels.

    Returns
    -------
    (shape[0], size[0]) and (shape[1], size[1]); zero for rows and columns outside the box.
    """
    rows, columns = _resize_weights(size, (box.height, box.width))
    return _place(rows, box.top, shape[0]), _place(columns, box.left, shape[1])


def _resize_weights(
    source: tuple[int, int], target: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    way: Way = "linear"
    if target[0] < source[0] or target[1] < source[1]:
        # OpenCV takes means only where neither side grows.
        grows = target[0] > source[0] or target[1] > source[1]
        way = "linear over areas" if grows else "area"
    return _axis_weights(source[0], target[0], way), _axis_weights(source[1], target[1], way)


def _axis_weights(source: int, target: int, way: Way) -> NDArray[np.float32]:
    """Return (target, source): how much of each source pixel is in each target pixel."""
    # Row i says what target pixel i is made of.  "area": it covers [i, i + 1) · scale of the source
    # and takes from pixel j as much as [j, j + 1) overlaps with that.  "linear": its centre lies at
    # (i + ½) · scale - ½, pixel centres being whole numbers, and it takes from both neighbours.
    # "linear over areas" is what OpenCV makes of INTER_AREA on a side that grows (resize.cpp):
    # source pixel j is repeated, and only the target pixel across the border of two is a mixture.
    scale = source / target
    place = np.arange(target)[:, np.newaxis]
    if way == "area":
        first, last = place * scale, np.minimum((place + 1) * scale, source)
        pixel = np.arange(source)
        shared = np.minimum(last, pixel + 1) - np.maximum(first, pixel)
        means: NDArray[np.float32] = (np.clip(shared, 0, None) / (last - first)).astype(np.float32)
        return means
    if way == "linear":
        position = np.clip((place[:, 0] + 0.5) * scale - 0.5, 0, source - 1)
        before = np.floor(position).astype(np.intp)
        fraction = position - before
    else:
        before = np.minimum(np.floor(place[:, 0] * scale).astype(np.intp), source - 1)
        fraction = np.clip((place[:, 0] + 1) - (before + 1) / scale, 0, None) % 1
    weights = np.zeros((target, source), np.float32)
    every = np.arange(target)
    weights[every, before] = 1 - fraction
    # Where nothing of the next pixel is taken there may be none.
    weights[every, np.minimum(before + 1, source - 1)] += fraction
    return weights


def _fold(weights: NDArray[np.float32], first: int, length: int) -> NDArray[np.float32]:
    """Count what is taken from outside 0 … length as taken from the border."""
    index = np.arange(first, first + weights.shape[1])
    inside = (index >= 0) & (index < length)
    folded = np.zeros((len(weights), length), np.float32)
    folded[:, index[inside]] = weights[:, inside]
    folded[:, 0] += weights[:, index < 0].sum(axis=1)
    folded[:, -1] += weights[:, index >= length].sum(axis=1)
    return folded


def _place(weights: NDArray[np.float32], first: int, length: int) -> NDArray[np.float32]:
    """Set the rows of `weights` from row `first` on into `length` rows, as far as they fit."""
    index = np.arange(first, first + len(weights))
    inside = (index >= 0) & (index < length)
    placed = np.zeros((length, weights.shape[1]), np.float32)
    placed[index[inside]] = weights[inside]
    return placed
