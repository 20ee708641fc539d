"""Pictures with their labels on top, many on one sheet: what eyes can check of a model."""

from math import ceil
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import TrainingError
from thermoseg.labels import colour_table
from thermoseg.whole_file import write_whole

OPACITY: Final = 0.45
"""Opacity of the labels over a picture."""
GAP_PX: Final = 8
"""Gap between pictures that do not belong together."""
TILE_WIDTH_PX: Final = 240
"""Width of each picture on the sheet, pixels."""


def overlay_labels(picture: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint labels over a picture.

    Parameters
    ----------
    picture
        (h, w), normalised to [-1, 1].
    labels
        (h, w).

    Returns
    -------
    (h, w, 3) blue, green, red.
    """
    grey = ((np.clip(picture, -1, 1) + 1) * 127.5)[..., None]
    colours = colour_table(OPACITY)[labels].astype(np.float32)
    alpha = colours[..., 3:] / 255
    return (grey * (1 - alpha) + colours[..., 2::-1] * alpha).astype(np.uint8)


def save_sheet(path: Path, tiles: list[NDArray[np.uint8]], columns: int, together: int = 1) -> None:
    """Lay tiles (h, w, 3) out in rows of `columns` and save them as a PNG.

    Parameters
    ----------
    together
        So many in a row belong together and have no gap between them; divides `columns`.

    Raises
    ------
    TrainingError
        If the file cannot be written.
    """
    if not tiles:
        return
    # Tiles that belong together are joined first and only then framed at the right and below; the
    # last frame of the sheet is cut off again.
    height = round(TILE_WIDTH_PX * tiles[0].shape[0] / tiles[0].shape[1])
    small = [
        cv2.resize(tile, (TILE_WIDTH_PX, height), interpolation=cv2.INTER_AREA) for tile in tiles
    ]
    blank = np.zeros_like(small[0])
    small += [blank] * (ceil(len(small) / columns) * columns - len(small))
    groups = [np.hstack(small[one : one + together]) for one in range(0, len(small), together)]
    spaced = [cv2.copyMakeBorder(one, 0, GAP_PX, 0, GAP_PX, cv2.BORDER_CONSTANT) for one in groups]
    across = columns // together
    rows = [np.hstack(spaced[row : row + across]) for row in range(0, len(spaced), across)]
    encoded = cv2.imencode(".png", np.vstack(rows)[:-GAP_PX, :-GAP_PX])[1]
    try:
        write_whole(path, encoded.tobytes())
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}); free disk space or rights"
        ) from error
