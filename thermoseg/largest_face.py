"""Which pixels belong to the largest of the faces in a picture."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import Region

_CLOSE_FRACTION: Final = 0.2
"""Gap between parts of one face, as a fraction of the square root of its labelled area."""
_CLOSE_FRACTION_BARE: Final = 0.45
"""The same where less than half of that area is chin: the parts stand alone."""
_FIND_SIZE_PX: Final = 160
"""The largest face is searched for on masks scaled down to this size."""


def cut_largest_face(
    labels: NDArray[np.uint8],
) -> tuple[tuple[slice, slice], NDArray[np.uint8]] | None:
    """Cut out the largest face, with every other face's pixels set to background.

    Parameters
    ----------
    labels
        (height, width), values of `Region`.

    Returns
    -------
    Rows and columns of the picture that hold the face, and the labels there; None if no pixel
    belongs to a face.
    """
    # Parts of one face do not touch: skin between brows and eyes is background, and without a chin
    # label so is everything between eyes, nose and mouth.  A morphological closing (dilation, then
    # erosion) bridges gaps up to its kernel's size, which grows with the square root of the
    # labelled area, so near and far faces close alike.  The kernel is limited to that: a larger
    # one would join two people side by side.  The border is padded, as a closing that runs into
    # the border of the picture would fill it.
    height, width = labels.shape
    step = -(-max(height, width) // _FIND_SIZE_PX)
    coarse = labels[::step, ::step]
    small = (coarse > 0).view(np.uint8)
    area = cv2.countNonZero(small)
    if area == 0:
        return None
    bare = 2 * np.count_nonzero(coarse == Region.CHIN) < area
    fraction = _CLOSE_FRACTION_BARE if bare else _CLOSE_FRACTION
    reach = max(3, round(fraction * float(np.sqrt(area)))) | 1
    padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    parts = cv2.connectedComponents(joined[reach:-reach, reach:-reach])[1]
    # Counted in labelled pixels: what the closing added has no say in who is largest.
    largest = 1 + int(np.argmax(np.bincount(parts[small > 0])[1:]))
    own = cv2.dilate((parts == largest).view(np.uint8), np.ones((3, 3), np.uint8))
    left, top, columns, rows = (step * edge for edge in cv2.boundingRect(own))
    box = (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
    whole = np.repeat(np.repeat(own, step, axis=0), step, axis=1)[box]
    return box, np.where(whole > 0, labels[box], np.uint8(Region.BACKGROUND))
