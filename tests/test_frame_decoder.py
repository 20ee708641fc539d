import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import WaitFor
from tests.recording.made_frames import MODEL, made_frame, made_info, made_labels, made_result
from thermoseg.errors import CameraError, FrameRefusedError
from thermoseg.frame_decoder import FrameDecoder
from thermoseg.frames import CameraInfo, Frame
from thermoseg.recorded_frames import open_by_number
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.recorder import Recorder
from thermoseg.rois import RoiSample

if TYPE_CHECKING:
    from thermoseg.recording.reader import Recording

HEIGHT, WIDTH = 12, 16
FRAME_BYTES = HEIGHT * WIDTH * 6


class GatedFrames:
    """A hundred frames, each of which is decoded only when the test opens the gate for it."""

    def __init__(self, *, open_gate: bool = False) -> None:
        self.info: CameraInfo = made_info(HEIGHT, WIDTH)
        self.times_s: NDArray[np.float64] = np.arange(100) / 30
        self.session: Recording | None = None
        self.damaged = set[int]()
        self.begun: list[int] = []
        self.thread_names = set[str]()
        self.closed = threading.Event()
        self.gate = threading.Semaphore(0)
        self.free = open_gate

    def __len__(self) -> int:
        return 100

    def frame(self, index: int) -> Frame:
        self.thread_names.add(threading.current_thread().name)
        if not 0 <= index < 100:
            raise IndexError(index)
        self.begun.append(index)
        if not self.free:
            assert self.gate.acquire(timeout=30)
        if index in self.damaged:
            raise FrameRefusedError(f"frame {index} is damaged; go on")
        return made_frame(index, self.info)

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        if index == 50:
            raise FrameRefusedError("the mask is damaged; segment again")
        return None

    def samples(self, index: int) -> tuple[RoiSample, ...]:
        return ()

    def close(self) -> None:
        self.closed.set()

    def let_through(self, count: int) -> None:
        self.gate.release(count)


@pytest.fixture
def gated() -> GatedFrames:
    return GatedFrames()


@pytest.fixture
def free() -> GatedFrames:
    return GatedFrames(open_gate=True)


@pytest.fixture
def decoders() -> Iterator[list[FrameDecoder]]:
    made: list[FrameDecoder] = []
    yield made
    for decoder in made:
        decoder.close()


def decoder_of(
    frames: GatedFrames, decoders: list[FrameDecoder], read_ahead: int = 0, cached: int = 100
) -> FrameDecoder:
    decoder = FrameDecoder(lambda: frames, cache_bytes=cached * FRAME_BYTES, read_ahead=read_ahead)
    decoders.append(decoder)
    return decoder


def test_only_the_newest_of_the_requests_that_wait_is_decoded(
    gated: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(gated, decoders)
    decoder.request(0)
    wait_for(lambda: gated.begun == [0])
    for index in (10, 20, 30):
        newest = decoder.request(index)

    gated.let_through(2)
    wait_for(lambda: decoder.settled)

    decoded = decoder.peek()
    assert decoded is not None
    assert (decoded.request, decoded.index) == (newest, 30)
    assert gated.begun == [0, 30]


def test_the_frame_that_was_being_decoded_is_seen_under_its_own_number(
    gated: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(gated, decoders)
    first = decoder.request(5)
    wait_for(lambda: gated.begun == [5])
    second = decoder.request(6)
    gated.let_through(1)
    wait_for(lambda: gated.begun == [5, 6])

    decoded = decoder.peek()

    assert decoded is not None
    assert (decoded.request, decoded.index) == (first, 5)
    assert decoded.frame is not None
    assert decoded.frame.index == 5
    assert not decoder.settled
    assert second > first
    gated.let_through(1)


def test_a_frame_is_decoded_once_as_long_as_it_is_kept(
    free: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(free, decoders, cached=2)

    for index in (1, 2, 1, 3, 1, 2):
        decoder.request(index)
        wait_for(lambda: decoder.settled)

    assert free.begun == [1, 2, 3, 2]


def test_a_frame_larger_than_the_cache_is_shown_all_the_same(
    free: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(free, decoders, cached=0)

    decoder.request(9)
    wait_for(lambda: decoder.settled)

    decoded = decoder.peek()
    assert decoded is not None
    assert decoded.index == 9


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([10], [10, 11, 12, 13]),
        ([10, 11], [11, 12, 13, 14]),
        ([10, 9], [9, 8, 7, 6]),
        ([10, 14], [14, 18, 22, 26]),
        ([10, 70], [70, 71, 72, 73]),
        ([70, 10], [10, 9, 8, 7]),
        ([3, 1], [1]),
        ([97, 98], [98, 99]),
    ],
)
def test_frames_are_read_ahead_as_the_last_step_went(
    gated: GatedFrames,
    decoders: list[FrameDecoder],
    wait_for: WaitFor,
    asked: list[int],
    expected: list[int],
) -> None:
    decoder = decoder_of(gated, decoders, read_ahead=3)
    *before, last = asked
    for index in before:
        decoder.request(index)
        wait_for(lambda: gated.begun != [])
    decoder.request(last)
    gated.let_through(50)

    wait_for(lambda: gated.begun[-len(expected) :] == expected)

    assert len(gated.begun) == len(before) + len(expected)


def test_a_request_goes_before_what_is_read_ahead(
    gated: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(gated, decoders, read_ahead=5)
    decoder.request(10)
    gated.let_through(1)
    wait_for(lambda: gated.begun == [10, 11])

    decoder.request(60)
    gated.let_through(2)
    wait_for(lambda: decoder.settled)

    assert gated.begun[:3] == [10, 11, 60]
    gated.let_through(50)


def test_a_frame_that_was_read_ahead_is_there_at_once(
    gated: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    decoder = decoder_of(gated, decoders, read_ahead=1)
    decoder.request(10)
    gated.let_through(2)
    wait_for(lambda: decoder.settled and gated.begun == [10, 11])

    decoder.request(11)
    wait_for(lambda: decoder.settled)

    assert gated.begun[:2] == [10, 11]
    gated.let_through(1)


def test_a_damaged_frame_is_answered_with_what_it_is_refused_for(
    free: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    free.damaged.add(7)
    decoder = decoder_of(free, decoders)

    answers = []
    for index in (7, 50, 200, 8):
        decoder.request(index)
        wait_for(lambda: decoder.settled)
        decoded = decoder.peek()
        assert decoded is not None
        answers.append((decoded.frame is not None, str(decoded.problem)))

    assert answers == [
        (False, "frame 7 is damaged; go on"),
        (True, "the mask is damaged; segment again"),
        (False, "there is no frame 200 among 100; ask for one from 0 on"),
        (True, "None"),
    ]
    assert decoder.failure is None


def test_what_was_damaged_is_tried_again(
    free: GatedFrames, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    free.damaged.add(7)
    decoder = decoder_of(free, decoders)
    decoder.request(7)
    wait_for(lambda: decoder.settled)

    free.damaged.clear()
    decoder.request(7)
    wait_for(lambda: decoder.settled)

    decoded = decoder.peek()
    assert decoded is not None
    assert decoded.problem is None


def test_a_file_that_cannot_be_opened_is_a_failure_and_ends_the_waiting(
    decoders: list[FrameDecoder], tmp_path: Path, wait_for: WaitFor
) -> None:
    decoder = FrameDecoder(lambda: open_by_number(tmp_path / "missing.seq"))
    decoders.append(decoder)
    decoder.request(0)

    wait_for(lambda: decoder.failure)

    assert isinstance(decoder.failure, CameraError)
    assert "missing.seq cannot be opened" in str(decoder.failure)
    wait_for(lambda: decoder.settled)
    assert decoder.frames is None
    assert decoder.peek() is None


def test_closing_ends_the_thread_and_closes_the_file(gated: GatedFrames, wait_for: WaitFor) -> None:
    decoder = FrameDecoder(lambda: gated)
    decoder.request(0)
    wait_for(lambda: gated.begun == [0])
    gated.let_through(1)

    decoder.close()
    decoder.close()

    assert gated.closed.is_set()
    assert gated.thread_names == {"thermoseg decode"}


def test_a_session_gives_frames_with_their_masks_and_samples(
    tmp_path: Path, decoders: list[FrameDecoder], wait_for: WaitFor
) -> None:
    info = made_info(48, 64, live=False)
    recorder = Recorder(tmp_path / "a.h5", info, "made:", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for index in range(6):
        frame = made_frame(index, info)
        recorder.offer(frame)
        if index % 2 == 0:
            recorder.offer_result(made_result(frame, info))
    recorder.stop()
    decoder = FrameDecoder(lambda: open_by_number(tmp_path / "a.h5"))
    decoders.append(decoder)

    for index in (4, 1):
        decoder.request(index)
        wait_for(lambda: decoder.settled)
        decoded = decoder.peek()
        assert decoded is not None
        assert decoded.frame is not None
        np.testing.assert_array_equal(decoded.frame.counts, made_frame(index, info).counts)
        if index == 4:
            np.testing.assert_array_equal(decoded.labels, made_labels(4, info))
            assert [sample.region for sample in decoded.samples] == ["mouth", "nostrils"]
        else:
            assert (decoded.labels, decoded.samples) == (None, ())
