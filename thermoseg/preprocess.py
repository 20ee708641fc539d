"""From °C image to network input, and from the network's answer back to the image.

`normalise` is the one function that training and running share: whatever reaches a network went
through it, after any cropping and resizing.
"""

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["minmax", "percentile"]
"""How temperatures become [-1, 1]; a model's header says which one it was trained with."""

CLIPPED_PERCENT: Final = 0.5
"""Share of pixels clipped at each end by "percentile", so that a few dead pixels cost nothing."""
FLAT_SPAN: Final = 1e-6
"""Below this span (kelvin or counts) an image is constant."""


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
    last = known.size - 1
    rank = round(CLIPPED_PERCENT / 100 * last)
    ordered = np.partition(known, (rank, last - rank))
    return float(ordered[rank]), float(ordered[last - rank])
