"""Pictures of 8 bits as files."""

import errno
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def write_image(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture in the format that the suffix of `path` names.

    Parameters
    ----------
    picture
        (height, width) or (height, width, 3), blue, green, red.

    Raises
    ------
    OSError
        If it cannot be written: OpenCV's own writing would say nothing but false.
    """
    done, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(picture))
    if not done:
        raise OSError(errno.EINVAL, "too large for this kind of picture", str(path))
    path.write_bytes(encoded.tobytes())
