"""The memory of a pre-record under any sequence of what may happen to it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.session_parts import HEIGHT, WIDTH, FaceSegmenter, make_frame
from thermoseg.camera_feed import Arrival
from thermoseg.kept_frames import Kept, KeptFrame, KeptResult, KeptStretch, compress
from thermoseg.result import Result

STEPS = st.lists(
    st.sampled_from(["frame", "frame", "result", "late result", "pack", "stale pack", "pop"])
    | st.tuples(st.floats(0, 1), st.integers(0, 20_000)),
    max_size=40,
)


def held(stretch: KeptStretch) -> list[Kept]:
    return list(stretch._kept)


def bytes_of(kept: Kept) -> int:
    picture = kept.picture
    assert picture is not None
    return len(picture) if isinstance(picture, bytes) else picture.nbytes


@settings(deadline=None, max_examples=50)
@given(steps=STEPS)
def test_order_and_bytes_are_right_whatever_happens(
    steps: list[str | tuple[float, int]],
) -> None:
    stretch, segmenter = KeptStretch(), FaceSegmenter()
    expected: list[Kept] = []
    frames = 0
    popped: list[Kept] = []
    for step in steps:
        kept: Kept | None = None
        if step == "frame":
            frame = make_frame(frames, frames / 30)
            kept, frames = KeptFrame.of(Arrival(frame, frame.time_s, 0)), frames + 1
        elif step in ("result", "late result") and frames:
            back = 0 if step == "result" else min(5, frames - 1)
            frame = make_frame(frames - 1 - back, (frames - 1 - back) / 30)
            kept = KeptResult.of(Result(frame, segmenter.segment(frame), (), 0.0))
        elif step == "pack" and (loose := stretch.next_loose()) is not None:
            assert isinstance(loose.picture, np.ndarray)
            stretch.pack(loose, compress(loose.picture))
        elif step == "stale pack" and popped:
            stretch.pack(popped[-1], b"nobody's")
        elif step == "pop" and expected:
            popped.append(stretch.pop())
            assert popped[-1] is expected.pop(0)
        elif isinstance(step, tuple):
            seconds, size = step
            stretch.trim(seconds, size)
            assert stretch.seconds <= seconds or not len(stretch)
            assert stretch.size <= size
            expected = expected[len(expected) - len(stretch) :]
        if kept is not None:
            stretch.append(kept)
            expected.append(kept)
        assert held(stretch) == expected
        assert stretch.size == sum(map(bytes_of, expected))

    stretch.drop_orphans()
    left = held(stretch)
    assert stretch.size == sum(map(bytes_of, left))
    times_s = [kept.time_s for kept in left if isinstance(kept, KeptFrame)]
    assert all(kept.time_s >= times_s[0] for kept in left)
    assert [kept for kept in expected if kept in left] == left


def test_pictures_come_back_bit_for_bit() -> None:
    from imagecodecs import blosc2_decode

    counts = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), np.uint16)
    labels = (counts % 6).astype(np.uint8)
    for packed, picture in (
        (compress(counts), counts),
        (compress(labels), labels),
        (compress(counts[::2, ::3]), counts[::2, ::3]),
    ):
        assert bytes(blosc2_decode(packed)) == picture.tobytes()
