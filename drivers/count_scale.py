"""What counts mean: as a camera says if that can be, or of a file as given, or as is plausible."""

import logging
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.frame_source import FileOptions
from thermoseg.errors import FormatError
from thermoseg.radiometry import COUNTS, KELVIN, LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

SCALES_K: Final = (0.04, 0.01)
"""Kelvin per count that thermal cameras write: FLIR high resolution, and centikelvin."""

PLAUSIBLE_MEDIAN_C: Final = (-30.0, 45.0)
"""Median of a scene a person stands in; 14-bit sensor counts (near 8192) must fall outside at
either scale, for they are no temperatures."""

PLAUSIBLE_RANGE_C: Final = (-100.0, 600.0)
"""Bounds of the 1st and 99th percentile of such a scene."""


PLAUSIBLE_K: Final = (233.0, 423.0)
"""Median of a picture whose counts are the steps of a kelvin that a camera says they are."""


def linear_if_plausible(
    counts: NDArray[np.uint16],
    step_k: float,
    otherwise: str,
    median_k: tuple[float, float] = PLAUSIBLE_K,
) -> Radiometry:
    """Believe a camera that its counts are steps of a kelvin, unless that gives an absurd median.

    Parameters
    ----------
    counts
        (height, width), of one picture.
    otherwise
        Begins the sentence that says why they are none.
    median_k
        Least and most that the median can be, kelvin.
    """
    median = float(np.median(counts)) * step_k
    if median_k[0] <= median <= median_k[1]:
        return LinearRadiometry(step_k)
    return RelativeCounts(f"{otherwise}: the median would be {median - KELVIN:.0f} °C")


def plausible_scale(counts: NDArray[np.uint16]) -> float | None:
    """Return the one scale of `SCALES_K` that makes `counts` a scene with people, if only one does.

    Examples
    --------
    >>> plausible_scale(np.full((4, 4), 7600, np.uint16))
    0.04
    >>> plausible_scale(np.full((4, 4), 8192, np.uint16)) is None
    True
    """
    # Nothing in a file of counts says what a count is.  A scale fits if the median is that of a
    # room and nearly all is within what a scene with people has; percentiles, or one dead pixel
    # would decide, and every fourth pixel, as the answer is the same.  Two scales that fit are
    # none.
    low, median, high = np.percentile(counts[::4, ::4], (1, 50, 99))
    fitting = [
        scale
        for scale in SCALES_K
        if PLAUSIBLE_MEDIAN_C[0] <= median * scale - KELVIN <= PLAUSIBLE_MEDIAN_C[1]
        and PLAUSIBLE_RANGE_C[0] <= low * scale - KELVIN
        and high * scale - KELVIN <= PLAUSIBLE_RANGE_C[1]
    ]
    return fitting[0] if len(fitting) == 1 else None


def radiometry_of_counts(
    counts: NDArray[np.uint16], name: str, options: FileOptions, *, guess: bool
) -> Radiometry:
    """Decide what the counts of a file without calibration mean.

    Parameters
    ----------
    counts
        (height, width), of the first frame.
    guess
        Whether a plausible scale may be taken where none is given.

    Returns
    -------
    The scale given, else the only plausible one, else counts without a scale, whose reason asks
    for `scale_k`: regions can be found without °C.
    """
    options.refuse_scene(name)
    if options.relative:
        return RelativeCounts("shown as relative counts on request")
    offset_c = -KELVIN if options.offset_c is None else options.offset_c
    if options.scale_k is not None:
        return LinearRadiometry(options.scale_k, offset_c)
    scale_k = plausible_scale(counts) if guess else None
    if scale_k is None:
        reason = (
            f"{name} holds counts (median {np.median(counts):.0f}) and does not say how many "
            "kelvin one is; for °C give scale_k, such as 0.04 (FLIR) or 0.01 (Lepton)"
        )
        log.warning("%s", reason)
        return RelativeCounts(reason)
    log.warning("%s: taken as %g K per count, the only plausible scale", name, scale_k)
    return LinearRadiometry(scale_k, offset_c)


def sixteen_bits(matrix: NDArray[Any], name: str) -> NDArray[np.uint16]:
    """Return integers of any width as counts.

    Raises
    ------
    FormatError
        If one of them needs more than 16 bits.
    """
    if matrix.dtype.itemsize > 2 or matrix.dtype.kind == "i":
        low, high = int(matrix.min()), int(matrix.max())
        if low < 0 or high >= COUNTS:
            raise FormatError(
                f"{name} has counts from {low} to {high}, which 16 bits cannot hold; "
                "save °C as float32 instead"
            )
    return matrix.astype(np.uint16)
