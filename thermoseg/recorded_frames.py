"""Frames by number, of any file that the program reads: exact, in any order."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thermoseg.cameras import make_camera
from thermoseg.errors import CameraError
from thermoseg.files import file_address
from thermoseg.frames import CameraInfo, Frame
from thermoseg.rois import RoiSample

if TYPE_CHECKING:
    # HDF5 and its filters take a while to load; who has a session has them already.
    from thermoseg.recording.reader import Recording


class FramesByNumber(Protocol):
    """The frames of one file or folder; used by one thread.

    Frame `n` is what playing the file gives as its frame `n`, bit for bit, whatever was read before
    it.
    """

    @property
    def info(self) -> CameraInfo:
        """Size, radiometry and rate; all frames are of this size and calibration."""
        ...

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame was taken, (n,), seconds, strictly increasing; `Frame.time_s` of each."""
        ...

    @property
    def session(self) -> "Recording | None":
        """The session with its samples, gaps, markers and events, if the file is one of ours.

        HDF5 takes turns between threads, so its tables may be read in another thread than the
        frames.  It is closed together with the frames.
        """
        ...

    def __len__(self) -> int:
        """Return the number of frames; it never changes."""
        ...

    def frame(self, index: int) -> Frame:
        """Read frame `index`, counted from 0; `Frame.index` is the number its camera gave it.

        Raises
        ------
        IndexError
            If there is no such frame.
        FrameRefusedError
            If it is damaged; the others can be read.
        """
        ...

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """Read the stored mask of frame `index`, (height, width), values of `labels.Region`.

        Returns
        -------
        None where none is stored: the file is no session, or the network skipped the frame.

        Raises
        ------
        IndexError
            If there is no such frame.
        FrameRefusedError
            If the mask is damaged; the frame itself may be sound.
        """
        ...

    def samples(self, index: int) -> tuple[RoiSample, ...]:
        """Return the stored samples of frame `index`, one for each region that was measured.

        The first call reads the tables, which takes a fifth of a second for an hour.

        Returns
        -------
        Empty where none are stored.

        Raises
        ------
        IndexError
            If there is no such frame.
        """
        ...

    def close(self) -> None:
        """Close the file; may be called more than once."""


@runtime_checkable
class IndexedCamera(Protocol):
    """A camera whose frames are all there already, such as that of a file."""

    def open_by_number(self) -> FramesByNumber:
        """Open its frames to be read in any order; its own playing is not disturbed.

        Raises
        ------
        ThermoSegError
            As `Camera.open`.
        """
        ...


def open_by_number(path: Path, options: Mapping[str, str] = MappingProxyType({})) -> FramesByNumber:
    """Open any file or folder that the `file:` camera can play; who opens it closes it.

    Parameters
    ----------
    options
        Options of the `file:` camera, such as `scale_k` or `emissivity`.

    Raises
    ------
    ConfigError
        If an option is unknown, wrong or missing.
    CameraError, FormatError
        If the file is missing, of no known kind, or damaged where all of it depends.
    """
    camera = make_camera(file_address(path, options))
    if not isinstance(camera, IndexedCamera):
        raise CameraError(
            f"{path.name} can only be played from its beginning by the driver “file” that is "
            "installed; update the package that brings it"
        )
    return camera.open_by_number()
