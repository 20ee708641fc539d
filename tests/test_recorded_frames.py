import gzip
import json
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import drivers.puretherm_files
from tests.drivers.conftest import FlirWriter
from tests.recording.made_frames import MODEL, made_frame, made_info, made_labels, made_result
from thermoseg.errors import CameraError, ConfigError, FormatError, FrameRefusedError
from thermoseg.files import open_frames
from thermoseg.frames import Frame
from thermoseg.recorded_frames import FramesByNumber, open_by_number
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.stored_samples import StoredSamples

COUNT = 12


def counts_of(number: int) -> NDArray[np.uint16]:
    """A warm picture unlike every other."""
    rng = np.random.default_rng(number)
    return rng.integers(17_000 + 40 * number, 17_400 + 40 * number, (48, 64)).astype(np.uint16)


def make_session(path: Path, *, frames: int = COUNT, gap_at: int = 0) -> Path:
    """Record made frames; every third has a mask, and `gap_at` was never delivered."""
    info = made_info(48, 64, live=False)
    recorder = Recorder(path, info, "made:", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for index in range(frames + bool(gap_at)):
        if gap_at and index == gap_at:
            continue
        frame = made_frame(index, info)
        recorder.offer(frame)
        if index % 3 == 0:
            recorder.offer_result(made_result(frame, info))
    recorder.note_event("begin", 0.1)
    recorder.stop()
    return path


def sequence(payload: str, suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"talk{suffix}"
        blocks = (
            FlirWriter(counts_of(n), payload=payload, milliseconds=33 * n).fff()
            for n in range(COUNT)
        )
        path.write_bytes(b"".join(blocks))
        return path

    return make


def fff_folder(folder: Path) -> Path:
    for number in range(COUNT):
        block = FlirWriter(counts_of(number), milliseconds=40 * number).fff()
        (folder / f"frame_{number}.fff").write_bytes(block)
    return folder


def picture_folder(folder: Path) -> Path:
    for number in range(COUNT):
        Image.fromarray((counts_of(number) >> 7).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def lepton(folder: Path) -> Path:
    header = json.dumps({"width": 64, "height": 48, "fps": 9.0}).encode()
    body = b"PTY16V1\n" + struct.pack("<I", len(header)) + header
    for number in range(COUNT):
        seconds = 100 + number / 9
        body += struct.pack("<Qdq", number, seconds, round(seconds * 1000))
        body += counts_of(number).astype("<u2").tobytes()
    path = folder / "lepton.raw.y16.gz"
    path.write_bytes(gzip.compress(body))
    return path


def video(code: str, suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"talk{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, (64, 48))
        for number in range(3 * COUNT):
            grey = (counts_of(number) >> 7).astype(np.uint8)
            writer.write(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        writer.release()
        return path

    return make


def saved(name: str, write: Callable[[Path, NDArray[np.uint16]], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / name, np.stack([counts_of(number) for number in range(COUNT)]))
        return folder / name

    return make


KINDS = {
    "session": lambda folder: make_session(folder / "a.h5"),
    "session with a gap": lambda folder: make_session(folder / "a.h5", gap_at=5),
    "SEQ": sequence("raw", ".seq"),
    "CSQ": sequence("jpeg-ls", ".csq"),
    "FFF folder": fff_folder,
    "TIFF": saved("a.tif", lambda path, stack: tifffile.imwrite(path, stack, compression="zlib")),
    "ImageJ TIFF": saved("a.tif", lambda path, stack: tifffile.imwrite(path, stack, imagej=True)),
    ".npy in °C": saved("a.npy", lambda path, stack: np.save(path, stack / np.float32(550))),
    ".npy in counts": saved("a.npy", np.save),
    "PureThermal": lepton,
    "picture folder": picture_folder,
    "AVI": video("MJPG", ".avi"),
    "MP4": video("mp4v", ".mp4"),
}


@pytest.fixture(params=KINDS)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file or folder of several frames, of each kind."""
    return KINDS[request.param](tmp_path)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[FramesByNumber]:
    with closing(open_by_number(make_session(tmp_path / "a.h5"))) as frames:
        yield frames


def played(path: Path) -> list[Frame]:
    with open_frames(path) as (_, frames):
        return [frame for frame in frames if isinstance(frame, Frame)]


def same(one: Frame, other: Frame) -> bool:
    return (
        np.array_equal(one.counts, other.counts)
        and np.array_equal(one.celsius, other.celsius, equal_nan=True)
        and (one.index, one.time_s, one.flags) == (other.index, other.time_s, other.flags)
    )


def test_frames_in_any_order_are_those_that_are_played(recording: Path) -> None:
    in_order = played(recording)
    numbers = list(range(len(in_order))) * 2
    random.Random(1).shuffle(numbers)

    with closing(open_by_number(recording)) as frames:
        assert len(frames) == len(in_order) >= COUNT
        wrong = [number for number in numbers if not same(frames.frame(number), in_order[number])]
        assert wrong == []
        assert frames.times_s.tolist() == [frame.time_s for frame in in_order]
        assert (frames.info.height, frames.info.width) == in_order[0].counts.shape


def test_there_is_no_frame_before_the_first_or_behind_the_last(recording: Path) -> None:
    with closing(open_by_number(recording)) as frames:
        for number in (-1, len(frames)):
            with pytest.raises(IndexError):
                frames.frame(number)
            with pytest.raises(IndexError):
                frames.labels(number)
    frames.close()


def test_stored_masks_come_with_their_frames(session: FramesByNumber) -> None:
    info = made_info(48, 64)

    for number in (9, 0, 4, 3):
        labels = session.labels(number)
        if number % 3:
            assert labels is None
        else:
            assert labels is not None
            np.testing.assert_array_equal(labels, made_labels(number, info))


def test_a_session_brings_its_events_gaps_and_samples(tmp_path: Path) -> None:
    with closing(open_by_number(make_session(tmp_path / "a.h5", gap_at=5))) as frames:
        assert frames.session is not None
        assert [event.text for event in frames.session.events] == ["begin"]
        assert [(gap.index_before, gap.index_after) for gap in frames.session.gaps] == [(4, 6)]
        assert frames.session.samples("nostrils")["frame_index"].tolist() == [0, 3, 6, 9, 12]


def test_what_is_no_session_has_neither_masks_nor_tables(tmp_path: Path) -> None:
    with closing(open_by_number(sequence("raw", ".seq")(tmp_path))) as frames:
        assert frames.session is None
        assert frames.labels(3) is None


def test_the_samples_of_a_frame_are_found_among_all(session: FramesByNumber) -> None:
    assert session.session is not None
    samples = StoredSamples(session.session)
    third, fourth = session.frame(3), session.frame(4)

    stored = samples.of_frame(third.index, third.time_s)

    assert [(sample.region, sample.pixels, sample.reason) for sample in stored] == [
        ("mouth", 0, "lost"),
        ("nostrils", 3, ""),
    ]
    assert (stored[1].mean_c, stored[1].valid, stored[1].time_s) == (34.5, True, third.time_s)
    assert samples.of_frame(fourth.index, fourth.time_s) == ()
    assert samples.of_frame(fourth.index, third.time_s) == ()


def test_a_damaged_frame_of_a_session_is_refused_and_the_others_come(tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.h5")
    with h5py.File(path) as file:
        chunk = file["frames/counts"].id.get_chunk_info(4)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(data)

    with closing(open_by_number(path)) as frames:
        with pytest.raises(FrameRefusedError, match=r"a\.h5: frame 4 is damaged"):
            frames.frame(4)
        assert [frames.frame(number).index for number in (5, 3)] == [5, 3]


def test_a_damaged_mask_is_refused_and_its_frame_comes(tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.h5")
    with h5py.File(path) as file:
        chunk = file["labels/labels"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(data)

    with closing(open_by_number(path)) as frames:
        with pytest.raises(FrameRefusedError, match="labels 1 is damaged"):
            frames.labels(3)
        assert frames.frame(3).index == 3


def test_a_damaged_frame_of_a_sequence_is_refused_and_the_others_come(tmp_path: Path) -> None:
    path = tmp_path / "talk.seq"
    blocks = [FlirWriter(counts_of(n), payload="png").fff() for n in range(3)]
    at = blocks[1].index(b"\x89PNG") + 60
    blocks[1] = blocks[1][:at] + bytes(200) + blocks[1][at + 200 :]
    path.write_bytes(b"".join(blocks))

    with closing(open_by_number(path)) as frames:
        with pytest.raises(FrameRefusedError, match=r"talk\.seq, frame 1"):
            frames.frame(1)
        np.testing.assert_array_equal(frames.frame(2).counts, counts_of(2))


def test_a_picture_of_another_size_or_a_lost_one_is_refused(tmp_path: Path) -> None:
    picture_folder(tmp_path)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "3.png")

    with closing(open_by_number(tmp_path)) as frames:
        (tmp_path / "4.png").unlink()
        with pytest.raises(FrameRefusedError, match="frame 3: it is 5×4, the first is 64×48"):
            frames.frame(3)
        with pytest.raises(FrameRefusedError, match="frame 4: it cannot be read"):
            frames.frame(4)
        assert frames.frame(5).index == 5


def test_a_lepton_recording_too_large_to_be_unpacked_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = lepton(tmp_path)
    monkeypatch.setattr(drivers.puretherm_files, "UNPACKED_BYTES", 20_000)

    with closing(open_by_number(path)) as frames:
        for number in (7, 2, 11):
            np.testing.assert_array_equal(frames.frame(number).counts, counts_of(number))

    assert "going back in it will be slow" in caplog.text


def test_options_say_how_a_file_is_read(tmp_path: Path) -> None:
    path = sequence("raw", ".seq")(tmp_path)

    with closing(open_by_number(path, {"rate_hz": "10"})) as frames:
        assert frames.times_s == pytest.approx(np.arange(COUNT) / 10)
    with pytest.raises(ConfigError, match="unknown option “speed”"):
        open_by_number(path, {"speed": "2"})


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [("missing.seq", None, CameraError), ("text.h5", b"hello", FormatError)],
)
def test_what_cannot_be_opened_is_named(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(error, match=name):
        open_by_number(tmp_path / name)


def test_frames_of_the_session_file_carry_what_was_recorded(tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.h5", gap_at=5)

    with closing(open_by_number(path)) as frames, Recording(path) as recording:
        assert [frames.frame(n).index for n in range(len(frames))] == recording.indices.tolist()
