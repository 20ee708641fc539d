"""What a crash or bad disk has left is copied into a sound file; the original is not touched."""

import shutil
import struct
import subprocess
import sys

import h5py
import numpy as np
import psutil
import pytest

from thermoseg.errors import FormatError, RecordingError
from thermoseg.recording.crashed import lookup3, view_as_closed
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.unfinished import find_unfinished

FRAMES = 40


@pytest.fixture
def crashed(made, make_recorder, wait_for):
    """Record made frames, kill the writer once they are on disk, and return the file."""

    def crash(name="session"):
        info = made.made_info()
        recorder = make_recorder(name)
        for index in range(FRAMES):
            frame = made.made_frame(index, info)
            recorder.offer(frame)
            recorder.offer_result(made.made_result(frame, info, "motion"))
        recorder.note_event("begin", 0.5)
        wait_for(lambda: recorder._memory.control["flushed"] == FRAMES)
        wait_for(lambda: recorder.path.with_suffix(".events.jsonl").stat().st_size)
        psutil.Process(recorder._process.pid).kill()
        return recorder.stop().path

    return crash


def flip(path, dataset, row):
    """Flip one bit in the middle of a chunk of a finished or unfinished session."""
    with Recording(path) as recording:
        stored = recording._session.file[dataset]
        chunk = (row,) + (0,) * (stored.ndim - 1)
        info = stored.id.get_chunk_info_by_coord(chunk)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 4
    path.write_bytes(data)


def test_a_crashed_session_is_recovered_whole(made, crashed):
    path = crashed()
    info, before = made.made_info(), path.read_bytes()
    assert find_unfinished(path.parent) == [path]
    target = recover(path).path
    assert target.name == "session.recovered.h5"
    with Recording(target) as recording:
        assert recording.complete
        assert recording.ended.startswith("recovered")
        assert recording.indices.tolist() == list(range(FRAMES))
        for index in range(FRAMES):
            np.testing.assert_array_equal(
                recording.frame(index).counts, made.made_counts(index, info)
            )
            np.testing.assert_array_equal(recording.labels(index), made.made_labels(index, info))
        assert set(recording.samples("nostrils")["reason"]) == {"motion"}
        assert [event.text for event in recording.events] == ["begin"]
        assert recording.model == made.MODEL
        assert recording.info.radiometry == info.radiometry
        counts = recording.counts
        assert (counts.captured, counts.recorded, counts.dropped) == (FRAMES, FRAMES, 0)
    with h5py.File(target) as plain:
        assert plain.attrs["complete"] == 1
    assert path.read_bytes() == before
    assert find_unfinished(path.parent) == []


def test_recovering_twice_gives_the_same_file(crashed):
    path = crashed()
    target = recover(path).path
    made_first = target.stat().st_mtime_ns
    assert recover(path).path == target
    assert target.stat().st_mtime_ns == made_first


def test_a_recovery_that_was_cut_short_is_made_anew(crashed):
    path = crashed()
    half = path.with_name("session.recovered.h5.partial")
    half.write_bytes(b"half a copy")
    with Recording(recover(path).path) as recording:
        assert len(recording) == FRAMES
    assert not half.exists()


def test_the_recovery_of_another_session_is_not_taken_for_this_one(crashed, recorded):
    path = crashed()
    shutil.copy(recorded(2, "other"), path.with_name("session.recovered.h5"))
    with pytest.raises(RecordingError, match="does not belong to this session; move it"):
        recover(path)


def test_recovery_may_go_to_another_folder(crashed, tmp_path):
    folder = tmp_path / "rescued"
    folder.mkdir()
    assert recover(crashed(), folder).path.parent == folder


def test_a_folder_that_cannot_be_written_is_named(crashed, tmp_path):
    with pytest.raises(RecordingError, match=r"cannot be written .*another folder"):
        recover(crashed(), tmp_path / "absent")


def test_a_full_disk_is_told_in_one_line(crashed, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "Unable to create file\n (file write failed: buf = 0x55d1)")

    path = crashed()
    monkeypatch.setattr("thermoseg.recording.recovery._Copy.make", full)
    with pytest.raises(RecordingError, match=r"\(No space left on device\); make space"):
        recover(path, tmp_path)


def test_damaged_frames_are_left_out_and_become_a_gap(made, recorded):
    path = recorded(20)
    for row in (4, 5, 19):
        flip(path, "frames/counts", row)
    with Recording(recover(path).path) as recording:
        kept = [index for index in range(20) if index not in (4, 5, 19)]
        assert recording.indices.tolist() == kept
        for position, index in enumerate(kept):
            counts = recording.frame(position).counts
            np.testing.assert_array_equal(counts, made.made_counts(index, made.made_info()))
        gaps = [(g.index_before, g.index_after, g.frames, g.cause) for g in recording.gaps]
        assert gaps == [(3, 6, 2, "damaged"), (18, -1, 1, "damaged")]
        assert (recording.counts.captured, recording.counts.dropped) == (20, 3)


def test_rows_of_a_damaged_table_are_lost_and_the_others_kept(recorded):
    path = recorded(300)
    flip(path, "frames/time_s", 256)
    with pytest.raises(FormatError, match="recover the session"):
        Recording(path)
    with Recording(recover(path).path) as recording:
        assert recording.indices.tolist() == list(range(256))
        (gap,) = recording.gaps
        assert (gap.frames, gap.cause) == (300 - 256, "damaged")


def test_damaged_samples_labels_and_reasons_cost_only_themselves(recorded):
    path = recorded(10)
    flip(path, "samples/nostrils", 0)
    flip(path, "labels/labels", 3)
    flip(path, "reasons", 0)
    with Recording(recover(path).path) as recording:
        assert len(recording) == 10
        assert len(recording.samples("nostrils")) == 0
        assert set(recording.samples("mouth")["reason"]) == {"reason not recorded"}
        assert recording.labels(3) is None
        assert recording.labels(4) is not None


def test_a_session_still_being_recorded_is_left_alone(made, make_recorder, wait_for):
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    wait_for(lambda: recorder.status().recorded == 1)
    with pytest.raises(RecordingError, match="still being recorded; stop"):
        recover(recorder.path)
    assert find_unfinished(recorder.path.parent) == []


def test_an_event_line_that_the_crash_cut_off_is_left_out(crashed):
    path = crashed()
    with path.with_suffix(".events.jsonl").open("ab") as lines:
        lines.write(b'{"time_s": 1.0, "wall_ti')
    with Recording(path) as recording:
        assert [event.text for event in recording.events] == ["begin"]


def test_a_damaged_unfinished_file_is_refused_at_once(crashed):
    """HDF5's own way to read along would wait for its writer to mend it."""
    path = crashed()
    sane, refusals = path.read_bytes(), []
    for place in range(48, 4000, 97):
        data = bytearray(sane)
        data[place] ^= 16
        path.write_bytes(data)
        try:
            with Recording(path) as recording:
                assert len(recording) == FRAMES
        except FormatError as error:
            refusals.append(str(error))
    assert len(refusals) > 5
    assert all("session.h5" in refusal for refusal in refusals)


def test_recovery_survives_a_kill_in_the_middle(crashed, tmp_path, wait_for):
    path = crashed()
    code = (
        "import sys, time, threading\n"
        "from pathlib import Path\n"
        "from thermoseg.recording import recovery\n"
        "recovery.set_closing_attributes = lambda *_: threading.Event().wait()\n"
        "recovery.recover(Path(sys.argv[1]))\n"
    )
    half = path.with_name("session.recovered.h5.partial")
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as recovering:
        wait_for(lambda: half.exists() and half.stat().st_size > 1000, 30)
        recovering.kill()
    assert half.exists()
    with Recording(recover(path).path) as recording:
        assert len(recording) == FRAMES


class TestViewAsClosed:
    def test_the_checksum_is_the_one_that_its_author_published(self):
        # lookup3.c, driver5, with initial value 0.
        assert lookup3(b"Four score and seven years ago") == 0x17770551

    def test_the_checksum_is_the_one_that_hdf5_writes(self, recorded):
        superblock = recorded(1).read_bytes()[:48]
        assert struct.unpack("<I", superblock[44:]) == (lookup3(superblock[:44]),)

    def test_the_file_itself_does_not_change(self, crashed):
        path = crashed()
        before = path.read_bytes()
        with view_as_closed(path) as view:
            assert view[11] == 0
            assert view[:48] != before[:48]
        assert path.read_bytes() == before

    def test_only_a_file_left_open_by_its_writer_is_viewed(self, recorded):
        path = recorded(1)
        with pytest.raises(ValueError, match="no file that was being written"):
            view_as_closed(path)
