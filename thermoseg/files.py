"""Reading the frames of any file that the `file:` camera can play, as fast as they come."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode

from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame

READ_TIMEOUT_S: Final = 1.0
"""One wait for a frame; files on a slow network disk may need several."""

MAX_SILENT_READS: Final = 30
"""Waits without a frame after which a file is given up."""


def file_address(path: Path, options: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the address that plays `path` unpaced, whatever signs its name has.

    Parameters
    ----------
    options
        Options of the `file:` camera, such as `scale_k`.
    """
    return f"file:{quote(str(path), safe='/')}?{urlencode({'realtime': 'false', **options})}"


@contextmanager
def open_frames(
    path: Path, options: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[CameraInfo, Iterator[Frame | FrameRefusedError]]]:
    """Open `path` and give what is known of it and its frames, each once and in order.

    In place of a frame that is damaged while those after it can be read comes what it is refused
    for.

    Raises
    ------
    ConfigError
        If an option is unknown, wrong or missing.
    CameraError, FormatError
        If the file is missing, of no known kind, or damaged; damage further in is raised by the
        iterator when it gets there.
    """
    camera = make_camera(file_address(path, options))
    try:
        info = camera.open()

        def frames() -> Iterator[Frame | FrameRefusedError]:
            silent = 0
            while silent < MAX_SILENT_READS:
                try:
                    frame = camera.read(READ_TIMEOUT_S)
                except CameraTimeoutError:
                    silent += 1
                except StreamEndedError:
                    return
                except FrameRefusedError as refusal:
                    silent = 0
                    yield refusal
                else:
                    silent = 0
                    yield frame
            raise FormatError(
                f"“{path}” gave no frame for {MAX_SILENT_READS * READ_TIMEOUT_S:.0f} s; "
                "copy it to a local disk and try again"
            )

        yield info, frames()
    finally:
        camera.close()
