"""The regions of a face: ids, names and colours.

Ids and painting order follow the Thermal Face Database labels of Joshi et al., BMVC 2022.
"""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Region(IntEnum):
    """Class of a pixel; the value is the label in every mask and file."""

    BACKGROUND = 0
    """Everything else, forehead, hair and neck included."""
    CHIN = 1
    """Lower face and cheeks: the convex hull of the jaw line."""
    MOUTH = 2
    EYES = 3
    EYEBROWS = 4
    NOSE = 5

    @property
    def label(self) -> str:
        """Name in lower case, as in files and legends."""
        return self.name.lower()


FACE_REGIONS: Final = tuple(region for region in Region if region is not Region.BACKGROUND)
"""The five regions whose overlap with the truth is reported."""

NUM_CLASSES: Final = len(Region)

NOSTRILS: Final = "nostrils"
NOSTRIL_RIGHT: Final = "nostril_right"
"""The subject's right, the left of the picture for an upright face."""
NOSTRIL_LEFT: Final = "nostril_left"
PERINASAL: Final = "perinasal"

FACE_NAMES: Final = tuple(region.label for region in FACE_REGIONS)
DERIVED_NAMES: Final = (NOSTRILS, NOSTRIL_RIGHT, NOSTRIL_LEFT, PERINASAL)
ROI_NAMES: Final = FACE_NAMES + DERIVED_NAMES
"""Every region that is measured and recorded, in the order of the samples of a frame."""

COLOURS: Final[dict[Region, tuple[int, int, int]]] = {
    Region.BACKGROUND: (0, 0, 0),
    Region.CHIN: (30, 150, 255),
    Region.MOUTH: (255, 180, 165),
    Region.EYES: (180, 255, 240),
    Region.EYEBROWS: (225, 195, 255),
    Region.NOSE: (225, 45, 255),
}
"""Red, green, blue, 0-255.  Palettes of thermal cameras take the greens, yellows, oranges and reds
for skin; these differ by CIEDE2000 20 and more from skin in each of them, and by 18 and more from
each other and from `DERIVED_COLOURS`."""

DERIVED_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    NOSTRILS: (76, 201, 240),
    NOSTRIL_RIGHT: (76, 201, 240),
    NOSTRIL_LEFT: (105, 90, 255),
    PERINASAL: (255, 122, 198),
}
"""The same of the regions that are derived from the mask; by name."""

DRAWN_COLOUR: Final = (150, 150, 240)
"""The same of every region that a user has drawn; those are told apart by their names."""


def colour_table(opacity: float) -> NDArray[np.uint8]:
    """Build the colour table that lays a mask over a picture.

    Parameters
    ----------
    opacity
        Opacity of every face region, from 0 (invisible) to 1 (hides the picture).

    Returns
    -------
    (256, 4) RGBA; row i colours label i; the background and unused labels are transparent.

    Raises
    ------
    ValueError
        If `opacity` is outside 0-1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be between 0 and 1, got {opacity}")
    table = np.zeros((256, 4), np.uint8)
    for region in FACE_REGIONS:
        table[region] = (*COLOURS[region], round(255 * opacity))
    return table
