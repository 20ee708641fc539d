"""Pictures with their labels on top, many on one sheet: what eyes judge a model by."""

from math import ceil
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import TrainingError
from thermoseg.labels import colour_table

OPACITY: Final = 0.45
"""Of labels over a picture."""
TILE_WIDTH_PX: Final = 240
"""Of each picture on the sheet."""


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


def save_sheet(path: Path, tiles: list[NDArray[np.uint8]], columns: int) -> None:
    """Lay tiles (h, w, 3) out in rows of `columns` and save them as a PNG.

    Raises
    ------
    TrainingError
        If the file cannot be written.
    """
    if not tiles:
        return
    height = round(TILE_WIDTH_PX * tiles[0].shape[0] / tiles[0].shape[1])
    small = [
        cv2.resize(tile, (TILE_WIDTH_PX, height), interpolation=cv2.INTER_AREA) for tile in tiles
    ]
    blank = np.zeros_like(small[0])
    small += [blank] * (ceil(len(small) / columns) * columns - len(small))
    rows = [np.hstack(small[row : row + columns]) for row in range(0, len(small), columns)]
    encoded = cv2.imencode(".png", np.vstack(rows))[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}); free disk space or rights"
        ) from error
