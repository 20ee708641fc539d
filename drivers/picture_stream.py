"""What a picture's place in its stream tells: its time, its number, whether it was there before."""

import time
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.uvc_capture import Picture
from thermoseg.frames import Frame, FrameFlag
from thermoseg.radiometry import Radiometry
from thermoseg.timeline import AFTER_SHUTTER_S

CLOCK_TOLERANCE_S: Final = 1.0
"""A camera's clock that is so far ahead of ours has jumped; USB holds pictures back by up to a
quarter of a second."""
FROZEN_REPEATS: Final = 3
"""A picture that comes again so often is frozen by the shutter; a Lepton 2.5 sends each two times
more."""
KEPT_BOTTOMS: Final = 8
"""Pictures that buffers may still hold; OpenCV has 4 buffers."""


class StreamClock:
    """Turns a camera's clock into seconds since the first frame, whatever that clock does."""

    def __init__(self) -> None:
        self._began: tuple[float, float, float] | None = None
        """Moment on the camera's clock (NaN without one), on ours, and time of the frame, from
        which on the camera's clock is believed."""
        self._came_s = 0.0
        self._time_s = 0.0

    def place(self, taken_s: float, came_s: float) -> float:
        """Return the time of a frame, strictly later than the last one's.

        Parameters
        ----------
        taken_s
            On the camera's clock, NaN if it has none.
        came_s
            On our monotonic clock; measures the step where the camera's clock jumped, which shows
            when it goes back or says that the frame is from the future.
        """
        # The camera's clock is kept as long as it goes forwards and does not run ahead of ours,
        # since arrivals jitter with USB.  Otherwise it was set anew: the frame is placed by our
        # clock, and the two are paired again from there, so that the jump is in no later time
        # either.
        if self._began is None:
            self._began = taken_s, came_s, 0.0
        else:
            taken_0_s, came_0_s, time_0_s = self._began
            time_s = time_0_s + taken_s - taken_0_s
            ahead_s = time_s - time_0_s - (came_s - came_0_s)
            if not (time_s > self._time_s and ahead_s < CLOCK_TOLERANCE_S):
                time_s = self._time_s + max(came_s - self._came_s, 1e-6)
                self._began = taken_s, came_s, time_s
            self._time_s = time_s
        self._came_s = came_s
        return self._time_s


class PictureHistory:
    """Knows pictures again, as a whole or in part, and so what is wrong with them."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint16] | None = None
        self._bottoms: deque[NDArray[np.uint16]] = deque(maxlen=KEPT_BOTTOMS)
        """The last row of each of the last pictures."""
        self.repeats = 0
        """Number of pictures before the last one that were exactly the same, without a break."""
        self.torn = False
        """Whether the last one ends as an earlier one did, and begins otherwise: when the end of a
        picture is lost on the way, what was in the buffer before it shows there."""

    def flags(
        self,
        counts: NDArray[np.uint16],
        *,
        closed: bool | None = None,
        since_s: float = np.inf,
    ) -> FrameFlag:
        """Compare a picture with those before; return what that says of it.

        Parameters
        ----------
        closed
            Whether the camera says that its shutter is; None if only still pictures tell.
        since_s
            Since the last flat-field correction, as the camera says; that may have been before it
            was opened.
        """
        self.add(counts)
        flags = FrameFlag.DUPLICATE if self.repeats else FrameFlag.NONE
        if self.torn or int(counts.min()) == int(counts.max()):
            flags |= FrameFlag.DAMAGED
        if self.repeats >= FROZEN_REPEATS if closed is None else closed:
            flags |= FrameFlag.SHUTTER
        elif since_s < AFTER_SHUTTER_S:
            flags |= FrameFlag.AFTER_SHUTTER
        return flags

    def add(self, counts: NDArray[np.uint16]) -> None:
        """Compare a picture with those before."""
        # Sensors are noisy, so an equal last row in a picture that differs elsewhere is no
        # coincidence: it is what an earlier picture left in the buffer.  A last row of one value is
        # left out, as counts at the limit of the range repeat.
        if self._last is not None and np.array_equal(self._last, counts):
            self.repeats += 1
            self.torn = False
            return
        bottom = counts[-1]
        self.torn = bottom.min() != bottom.max() and any(
            np.array_equal(bottom, other) for other in self._bottoms
        )
        self._last, self.repeats = counts.copy(), 0
        self._bottoms.append(bottom.copy())


class UnnumberedStream:
    """Makes frames of the pictures of a camera that numbers none: counts them, knows them again."""

    def __init__(self) -> None:
        self._clock = StreamClock()
        self._history = PictureHistory()
        self._index = -1

    def frame(
        self,
        counts: NDArray[np.uint16],
        picture: Picture,
        radiometry: Radiometry,
        *,
        closed: bool | None = None,
    ) -> Frame:
        """Make the next frame.

        Parameters
        ----------
        closed
            Whether the camera says that its shutter is; None if only still pictures tell.
        """
        self._index += 1
        time_s = self._clock.place(picture.taken_s, picture.came_s)
        flags = self._history.flags(counts, closed=closed)
        return Frame.from_counts(counts, radiometry, self._index, time_s, time.time(), flags)
