"""A thermal image as a grey picture with its regions laid over in their colours."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import colour_table

OPACITY: Final = 0.45
"""Opacity of a region; its colour is told from others, and the picture beneath stays readable."""

GREY_PERCENTILES: Final = (0.5, 99.5)
"""Temperatures that become black and white; a few dead or burning pixels must not set them."""


def grey_picture(celsius: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spread temperatures over 0-255, NaN as black.

    Parameters
    ----------
    celsius
        (height, width), °C or relative counts.
    """
    finite = celsius[np.isfinite(celsius)]
    if finite.size == 0:
        return np.zeros(celsius.shape, np.uint8)
    low, high = np.percentile(finite, GREY_PERCENTILES)
    span = max(float(high - low), 1e-6)
    scaled = (np.nan_to_num(celsius, nan=low, posinf=high, neginf=low) - low) / span
    grey: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return grey


def draw_overlay(
    celsius: NDArray[np.float32], labels: NDArray[np.uint8], opacity: float = OPACITY
) -> NDArray[np.uint8]:
    """Lay the regions over the picture.

    Parameters
    ----------
    celsius
        (height, width), °C or relative counts.
    labels
        (height, width), values of `thermoseg.labels.Region`.

    Returns
    -------
    (height, width, 3) red, green, blue, 0-255.

    Raises
    ------
    ValueError
        If the two shapes differ.
    """
    if celsius.shape != labels.shape:
        raise ValueError(f"picture {celsius.shape} and labels {labels.shape} differ in shape")
    colours = colour_table(opacity)[labels].astype(np.float32)
    alpha = colours[..., 3:] / 255
    grey = grey_picture(celsius)[..., np.newaxis]
    return np.rint(grey * (1 - alpha) + colours[..., :3] * alpha).astype(np.uint8)
