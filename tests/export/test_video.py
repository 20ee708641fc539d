"""What another player sees: frames at their times, temperatures as colours of a scale."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.export.hand_made import HEIGHT, TIMES_S, WIDTH, damage, write_session
from thermoseg.errors import ConfigError, ExportError
from thermoseg.export.video import VideoLook, export_video

SCALE = 20
"""A picture of 25 rows is enlarged to 500."""
HOT, COLD = (2, 3), (20, 30)
"""Places, row and column: warmer with each frame, and never warm."""


def decode(path: Path) -> tuple[list[float], NDArray[np.uint8]]:
    """Return times, seconds, and frames (n, height, width, 3)."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times_s = [float(frame.time or 0) for frame in frames]
    return times_s, np.stack([frame.to_ndarray(format="rgb24") for frame in frames])


def at(picture: NDArray[np.uint8], place: tuple[int, int]) -> list[int]:
    """Return the colour in the middle of an enlarged pixel."""
    row, column = (SCALE * part + SCALE // 2 for part in place)
    colour: list[int] = picture[row, column].tolist()
    return colour


def test_frames_are_shown_at_their_own_times(session: Path, out: Path) -> None:
    (path,) = export_video(session, out).paths

    times_s, _ = decode(path)
    assert times_s == pytest.approx([time_s - TIMES_S[0] for time_s in TIMES_S], abs=2e-5)


def test_an_odd_size_is_made_even_and_is_h264_that_browsers_play(session: Path, out: Path) -> None:
    (path,) = export_video(session, out).paths

    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert (codec.width % 2, codec.height % 2) == (0, 0)
        assert codec.width > WIDTH * SCALE
        assert codec.height > HEIGHT * SCALE


def test_warmer_pixels_become_lighter_on_a_scale_that_stays(session: Path, out: Path) -> None:
    look = VideoLook(palette="White hot", span=(26.85, 36.85), masks=False)
    (path,) = export_video(session, out, look=look).paths

    _, pictures = decode(path)
    greys = [at(picture, HOT)[1] for picture in pictures]
    # One kelvin of ten with each frame: a tenth of 256 steps.
    assert greys == pytest.approx([n * 25.6 for n in range(8)], abs=4)
    assert {round(at(picture, COLD)[1] / 4) for picture in pictures} == {0}
    assert at(pictures[0], (12, 15)) == pytest.approx([255, 255, 255], abs=4)


def test_colours_are_those_of_the_palette(session: Path, out: Path) -> None:
    look = VideoLook(palette="Iron", span=(26.85, 36.85), masks=False)
    (path,) = export_video(session, out, look=look).paths

    _, pictures = decode(path)
    assert at(pictures[0], (12, 15)) == pytest.approx([255, 254, 232], abs=6)
    assert at(pictures[0], COLD) == pytest.approx([0, 0, 10], abs=6)


def test_masks_are_laid_over_and_can_be_left_out(session: Path, out: Path) -> None:
    look = VideoLook(palette="White hot", span=(26.85, 36.85))
    bare = VideoLook(palette="White hot", span=(26.85, 36.85), masks=False)
    (with_masks,) = export_video(session, out, look=look).paths
    (without,) = export_video(session, out, look=bare, stem="bare").paths

    red, green, _ = at(decode(with_masks)[1][1], (12, 15))
    assert red - green > 20  # the nose is magenta
    assert max(at(decode(without)[1][1], (12, 15))) - min(at(decode(without)[1][1], (12, 15))) < 8


def test_masks_are_held_over_frames_that_were_not_segmented_but_not_for_long(
    session: Path, out: Path
) -> None:
    look = VideoLook(palette="White hot", span=(26.85, 36.85))
    (path,) = export_video(session, out, look=look).paths

    def tinted(picture: NDArray[np.uint8]) -> bool:
        red, green, _ = at(picture, (12, 15))
        return red - green > 20

    # 1 and 3 are segmented, 2 and 4 follow at once; 5 comes two seconds later; 6 is segmented.
    shown = [tinted(picture) for picture in decode(path)[1]]
    assert shown == [False, True, True, True, True, False, True, True]


def test_the_scale_shows_the_palette_beside_the_picture(session: Path, out: Path) -> None:
    look = VideoLook(palette="White hot", span=(26.85, 36.85))
    (path,) = export_video(session, out, look=look).paths

    beside = decode(path)[1][0][:, WIDTH * SCALE :]
    bar = beside[32:350, 15].astype(int).mean(axis=1)
    assert bar[0] > 245
    assert np.all(np.diff(bar) < 4)  # ever darker downwards, but for what the codec adds
    assert bar[-1] < 60


def test_damaged_frames_are_skipped_and_told_and_the_time_goes_on(session: Path, out: Path) -> None:
    damage(session, "frames/counts", 3)
    exported = export_video(session, out)

    times_s, _ = decode(exported.paths[0])
    assert times_s == pytest.approx([0, 0.1, 0.2, 0.5, 2.5, 2.6, 2.7], abs=2e-5)
    assert exported.notes == (f"“{session}”: 1 frame is damaged and left out (first: 3)",)


def test_a_session_without_degrees_shows_counts(tmp_path: Path, out: Path) -> None:
    relative = {"kind": "relative", "reason": "8-bit picture"}
    session = write_session(tmp_path / "grey.h5", radiometry=relative)
    exported = export_video(session, out)

    assert len(decode(exported.paths[0])[0]) == 8


def test_a_single_frame_is_a_video(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "one.h5", frames=(1,), samples=False)
    (path,) = export_video(session, out).paths

    assert decode(path)[0] == [0.0]


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (VideoLook(palette="Rust"), "no palette is called “Rust”; choose one of Iron, Inferno"),
        (VideoLook(span=(36, 30)), "a span from 36 to 30 is empty"),
        (VideoLook(span=(float("nan"), 30)), "a span from nan to 30 is empty"),
    ],
)
def test_a_look_that_cannot_be_is_one_sentence(
    session: Path, out: Path, look: VideoLook, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        export_video(session, out, look=look)


def test_a_session_without_pictures_says_what_can_be_had(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "traces.h5", frames=(), segmented=())
    with pytest.raises(ExportError, match=r"traces\.h5” holds no pictures; export its samples"):
        export_video(session, out)
