"""A session as a video: masks, temperature scale and time in the picture, frames at their times."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from thermoseg.errors import ConfigError, FormatError
from thermoseg.export.drawing import FrameArtist, Look, Picture, choose_span
from thermoseg.export.frames import ReadableFrames, require_frames, say_damaged
from thermoseg.export.job import UNWATCHED, Exported, Watch, cannot_write, new_files
from thermoseg.export.stretch import Excerpt, Stretch
from thermoseg.frames import Frame, FrameFlag
from thermoseg.palettes import PALETTES
from thermoseg.recording.reader import Recording

CODECS: Final = ("libx264", "libopenh264", "mpeg4")
"""Encoders by preference: the first that FFmpeg was built with is used."""
TICKS_PER_S: Final = 90_000
"""Clock of the video; a frame is shown at its own time to 11 µs."""
MASK_HELD_S: Final = 0.5
"""A frame that was not segmented is drawn with the last masks if they are not older."""
_USUAL_RATE_HZ: Final = 25
"""Rate that an encoder is told where the session has none; frames keep their own times."""


@dataclass(frozen=True, slots=True)
class VideoLook:
    """How a video looks."""

    palette: str = "Iron"
    """One of `thermoseg.palettes.PALETTES`."""
    span: tuple[float, float] | None = None
    """Ends of the temperature scale, °C or counts; None takes them from the session."""
    masks: bool = True


def export_video(
    session: Path,
    folder: Path,
    *,
    look: VideoLook | None = None,
    stretch: Stretch | None = None,
    stem: str = "",
    watch: Watch = UNWATCHED,
) -> Exported:
    """Write `STEM.mp4`: each frame that can be read at its own time, gaps as long as they were.

    Times count from the first frame; the session's own time stands in the picture.

    Parameters
    ----------
    look
        Default: iron, a span that fits the session and does not change, masks drawn.
    stretch
        Part that is wanted; None for all.

    Raises
    ------
    FormatError
        If the session cannot be read.
    ConfigError
        If the palette is unknown or the span empty.
    ExportError
        If it holds no pictures, nothing lies in the stretch, or the file exists already or cannot
        be written.
    ExportCancelledError
        If asked to end.
    """
    look = look or VideoLook()
    _check(look)
    with Recording(session) as recording:
        require_frames(recording)
        excerpt = Excerpt(recording, stretch)
        film = _Film(recording, look, excerpt.positions)
        frames = ReadableFrames(recording, watch, excerpt.positions)
        path = folder / f"{stem or excerpt.stem}.mp4"
        with new_files([path]) as (temporary,):
            with _writing(temporary, path, film.artist.size, recording) as video:
                for position, frame in frames:
                    caption, labels = film.caption_and_masks(position, frame)
                    picture = film.artist.draw(frame.celsius, labels, caption)
                    video.add(picture, frame.time_s)
            notes = frames.notes()
        notes += say_damaged(session, film.damaged_masks, "picture of labels")
    return Exported((path,), notes)


def _check(look: VideoLook) -> None:
    if look.palette not in PALETTES:
        raise ConfigError(
            f"no palette is called “{look.palette}”; choose one of {', '.join(PALETTES)}"
        )
    if look.span and not (all(map(isfinite, look.span)) and look.span[0] < look.span[1]):
        raise ConfigError(
            f"a span from {look.span[0]:g} to {look.span[1]:g} is empty; give the lower end first"
        )


class _Film:
    """What is drawn of each frame of a recording."""

    def __init__(self, recording: Recording, look: VideoLook, positions: Sequence[int]) -> None:
        info = recording.info
        span = look.span or choose_span(recording, positions)
        unit = "°C" if info.radiometric else "counts"
        legend = look.masks and any(map(recording.is_labelled, positions))
        self.artist = FrameArtist(info.width, info.height, Look(look.palette, span, unit, legend))
        self.damaged_masks: list[int] = []
        """Positions of frames whose masks cannot be read."""
        self._recording = recording
        self._masks = look.masks
        self._held: tuple[float, NDArray[np.uint8]] | None = None

    def caption_and_masks(
        self, position: int, frame: Frame
    ) -> tuple[str, NDArray[np.uint8] | None]:
        """Return the line below a frame, and its labels or those that are held over it."""
        said = [_clock(frame.time_s), f"frame {position}"]
        if frame.flags & FrameFlag.SHUTTER:
            said.append("shutter closed")
        labels = self._labels(position) if self._masks else None
        if labels is not None:
            self._held = frame.time_s, labels
        elif self._held is not None:
            age_s = frame.time_s - self._held[0]
            if age_s <= MASK_HELD_S:
                said.append(f"masks {age_s:.2f} s old")
                labels = self._held[1]
        return "   ".join(said), labels

    def _labels(self, position: int) -> NDArray[np.uint8] | None:
        try:
            return self._recording.labels(position)
        except FormatError:
            self.damaged_masks.append(position)
            return None


class _Video:
    """An open MP4 file; frames come in the order of their times."""

    def __init__(self, container: OutputContainer, size: tuple[int, int], rate_hz: float) -> None:
        name = next(name for name in CODECS if name in av.codecs_available)
        rate = Fraction(rate_hz or _USUAL_RATE_HZ).limit_denominator(1000)
        stream = container.add_stream(name, rate=rate)
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{name} is no encoder of video")
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        codec = stream.codec_context
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        if name == "libx264":
            codec.options = {"preset": "veryfast", "crf": "18", "bf": "0"}
        self._container = container
        self._stream = stream
        self._first_s: float | None = None
        self._ticks = -1

    def add(self, picture: Picture, time_s: float) -> None:
        """Show `picture` from `time_s` on; the first one is shown from 0 on."""
        if self._first_s is None:
            self._first_s = time_s
        self._ticks = max(round((time_s - self._first_s) * TICKS_PER_S), self._ticks + 1)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts, frame.time_base = self._ticks, Fraction(1, TICKS_PER_S)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)


@contextmanager
def _writing(
    temporary: Path, path: Path, size: tuple[int, int], recording: Recording
) -> Iterator[_Video]:
    """Give a video that becomes whole when the block ends well."""
    try:
        with av.open(str(temporary), "w", format="mp4") as container:
            container.metadata["title"] = _encodable(recording.path.stem)
            container.metadata["comment"] = _encodable(f"session {recording.session_id}")
            container.metadata["creation_time"] = _encodable(recording.created)
            video = _Video(container, size, recording.info.rate_hz)
            yield video
            video.finish()
    except FFmpegError as error:
        raise cannot_write(path, error.strerror or str(error)) from error


def _encodable(text: str) -> str:
    """Replace what UTF-8 does not have: names of files may hold half characters."""
    return text.encode("utf-8", "replace").decode()


def _clock(time_s: float) -> str:
    """Write seconds as 1:02:03.456.

    Examples
    --------
    >>> _clock(3723.4567)
    '1:02:03.457'
    """
    milliseconds = round(time_s * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest / 1000:06.3f}"
