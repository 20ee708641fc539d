"""Which frame is seen at a moment of a recording: arithmetic on the times of its frames."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

HALF_TICK_S: Final = 5e-7
"""Times that are equal on paper differ in their last bits."""


def frame_at(times_s: NDArray[np.float64], time_s: float) -> int:
    """Return the frame that is seen `time_s` after the first one, or the nearest that there is.

    Parameters
    ----------
    times_s
        (n,), time of each frame, seconds, strictly increasing, n > 0.
    """
    place = int(np.searchsorted(times_s, times_s[0] + time_s + HALF_TICK_S, "right")) - 1
    return min(max(place, 0), len(times_s) - 1)


def frame_from(times_s: NDArray[np.float64], time_s: float) -> int:
    """Return the first frame that is no earlier than `time_s` after the first one, or the last."""
    place = int(np.searchsorted(times_s, times_s[0] + time_s - HALF_TICK_S))
    return min(place, len(times_s) - 1)
