"""What is offered is in the file or counted; nothing waits for the disk; nothing is left behind."""

import logging
import os
import queue
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.recording.conftest import MakeRecorder, Record
from tests.recording.made_frames import running_writer
from thermoseg.errors import RecordingError
from thermoseg.frames import FrameFlag
from thermoseg.recording import intake, session_writer, writer, writer_process
from thermoseg.recording import name as name_module
from thermoseg.recording.header import describe_session
from thermoseg.recording.job import WriterJob
from thermoseg.recording.layout import REGIONS, create_datasets
from thermoseg.recording.place import DiskLimits, refuse_taken
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.ring import MESSAGE, Kind, SharedMemory


def writer_of(recorder: Recorder) -> psutil.Process:
    return psutil.Process(running_writer(recorder).pid)


def test_frames_come_back_bit_for_bit(recorded: Record) -> None:
    info = made.made_info()
    with Recording(recorded(24)) as recording:
        for index in range(24):
            frame = recording.frame(index)
            np.testing.assert_array_equal(frame.counts, made.made_counts(index, info))
            assert (frame.index, frame.time_s) == (index, index / 30)
            assert frame.wall_time == 1_700_000_000.0 + index / 30
            assert not frame.counts.flags.writeable
        extremes = [
            (recording.frame(i).counts.min(), recording.frame(i).counts.max()) for i in (3, 7)
        ]
    assert extremes == [(65535, 65535), (0, 0)]


def test_camera_model_and_flags_come_back(make_recorder: MakeRecorder) -> None:
    info = made.made_info()
    recorder = make_recorder()
    shutter = FrameFlag.SHUTTER | FrameFlag.DUPLICATE
    recorder.offer(made.made_frame(0, info))
    recorder.offer(made.made_frame(1, info, shutter))
    path = recorder.stop().path
    with Recording(path) as recording:
        assert recording.complete
        assert recording.ended == "stopped"
        assert recording.address == "made:?seed=1"
        assert recording.model == made.MODEL
        assert recording.info.model == "Made"
        assert recording.info.serial == "0042"
        assert (recording.info.width, recording.info.height) == (160, 120)
        assert recording.info.radiometry == info.radiometry
        assert recording.info.frame_count == 2
        assert recording.flags.tolist() == [0, int(shutter)]
        assert recording.frame(1).flags == shutter


def test_labels_and_samples_belong_to_their_frames(make_recorder: MakeRecorder) -> None:
    info = made.made_info()
    recorder = make_recorder()
    frames = [made.made_frame(index, info) for index in range(6)]
    for frame in frames:
        recorder.offer(frame)
    for frame in frames[1::2]:
        recorder.offer_result(
            made.made_result(frame, info, "too small" if frame.index == 3 else "")
        )
    with Recording(recorder.stop().path) as recording:
        assert recording.labels(0) is None
        np.testing.assert_array_equal(recording.labels(3), made.made_labels(3, info))
        nostrils, mouth = recording.samples("nostrils"), recording.samples("mouth")
        assert nostrils["frame_index"].tolist() == [1, 3, 5]
        assert nostrils["pixels"].tolist() == [1, 3, 5]
        assert nostrils["valid"].tolist() == [True, False, True]
        assert nostrils["reason"].tolist() == ["", "too small", ""]
        assert nostrils["mean_c"].tolist() == [34.5] * 3
        assert np.isnan(mouth["mean_c"]).all()
        assert mouth["reason"].tolist() == ["lost"] * 3
        assert len(recording.samples("chin")) == 0
        with pytest.raises(ValueError, match="no region is called “ear”"):
            recording.samples("ear")


def test_a_region_that_no_file_knows_is_left_out_with_a_warning(
    make_recorder: MakeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    info = made.made_info()
    recorder = make_recorder()
    frame = made.made_frame(0, info)
    recorder.offer(frame)
    recorder.offer_result(made.made_result(frame, info, region="ear"))
    assert recorder.stop().failed == ""
    assert "regions" in caplog.text


def test_the_writer_knows_the_flag_for_gaps() -> None:
    assert FrameFlag(session_writer._GAP_BEFORE) is FrameFlag.GAP_BEFORE


def test_events_are_on_disk_at_once_and_in_the_file_at_the_end(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    recorder.note_event("Reiz „hell“\n", 1.25)
    beside = recorder.path.with_suffix(".events.jsonl")
    wait_for(lambda: beside.exists() and b"Reiz" in beside.read_bytes())
    path = recorder.stop().path
    assert not beside.exists()
    with Recording(path) as recording:
        (event,) = recording.events
    assert (event.time_s, event.text) == (1.25, "Reiz „hell“\n")
    assert abs(event.wall_time - time.time()) < 60


def test_a_finished_recording_is_one_file(recorded: Record) -> None:
    path = recorded(3)
    assert [file.name for file in path.parent.iterdir()] == ["session.h5"]


def test_what_a_stalled_writer_cannot_take_is_counted(
    make_recorder: MakeRecorder, caplog: pytest.LogCaptureFixture, wait_for: WaitFor
) -> None:
    info = made.made_info()
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, info))
    wait_for(lambda: recorder.status().recorded == 1)
    writer_of(recorder).suspend()
    frames = [made.made_frame(index, info) for index in range(1, 501)]
    for frame in frames:
        recorder.offer(frame)
    dropped = recorder.status().dropped
    assert 500 - 240 <= dropped < 500
    writer_of(recorder).resume()
    wait_for(lambda: recorder.status().recorded == 501 - dropped)
    recorder.offer(made.made_frame(501, info))
    summary = recorder.stop()
    assert (summary.captured, summary.dropped) == (502, dropped)
    assert summary.recorded + summary.dropped == 502
    assert caplog.text.count("frames of") == 1
    with Recording(summary.path) as recording:
        (gap,) = recording.gaps
        assert (gap.frames, gap.cause, gap.index_after) == (dropped, "recorder", 501)
        assert recording.frame(-1).flags == FrameFlag.GAP_BEFORE
        assert recording.counts.dropped == dropped
        kept = [recording.frame(i) for i in range(len(recording))]
        assert all(np.array_equal(f.counts, made.made_counts(f.index, info)) for f in kept)


def test_frames_dropped_at_the_very_end_leave_a_gap_too(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    info = made.made_info()
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, info))
    wait_for(lambda: recorder.status().recorded == 1)
    writer_of(recorder).suspend()
    for index in range(1, 301):
        recorder.offer(made.made_frame(index, info))
    writer_of(recorder).resume()
    summary = recorder.stop()
    with Recording(summary.path) as recording:
        (gap,) = recording.gaps
        assert gap.frames == summary.dropped == 301 - len(recording) > 0
        assert gap.index_after == -1


def test_frames_that_the_camera_lost_are_counted_as_missed(make_recorder: MakeRecorder) -> None:
    info = made.made_info()
    recorder = make_recorder()
    for index in (10, 11, 15, 16):
        recorder.offer(made.made_frame(index, info))
    summary = recorder.stop()
    assert (summary.recorded, summary.dropped, summary.missed) == (4, 0, 3)
    with Recording(summary.path) as recording:
        (gap,) = recording.gaps
        assert (gap.index_before, gap.index_after, gap.frames) == (11, 15, 3)
        assert (gap.time_s, gap.cause) == (15 / 30, "camera")
        assert recording.counts.missed == 3


def test_a_camera_that_counts_anew_has_missed_nothing(make_recorder: MakeRecorder) -> None:
    info = made.made_info()
    recorder = make_recorder()
    for index in (900, 901, 0, 1):
        recorder.offer(made.made_frame(index, info))
    summary = recorder.stop()
    assert (summary.recorded, summary.missed) == (4, 0)


def test_offering_a_frame_copies_it_into_shared_memory_and_nowhere_else(
    make_recorder: MakeRecorder,
) -> None:
    """Another copy on the way would take its 655 kB from this process."""
    info = made.made_info(512, 640)
    recorder = make_recorder(info=info)
    frame = made.made_frame(0, info)
    recorder.offer(frame)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(1, 8):
        recorder.offer(replace(frame, index=index))
    taken = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()

    assert frame.counts.nbytes == 655_360
    assert taken < 100_000


def test_a_file_is_read_no_faster_than_it_is_written(
    make_recorder: MakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more frames than wait in memory, and more patience than a busy machine needs."""
    monkeypatch.setattr(intake, "FILE_WAIT_S", 60.0)
    info = made.made_info(live=False)
    recorder = make_recorder(info=info)
    frames = 2 * len(running_writer(recorder).memory.frames.slots)
    for index in range(frames):
        recorder.offer(made.made_frame(index, info))
    summary = recorder.stop()
    assert (summary.recorded, summary.dropped) == (frames, 0)


def test_a_killed_writer_is_noticed_and_the_rest_counted_as_dropped(
    make_recorder: MakeRecorder, wait_for: WaitFor, caplog: pytest.LogCaptureFixture
) -> None:
    info = made.made_info()
    recorder = make_recorder()
    for index in range(10):
        recorder.offer(made.made_frame(index, info))
    wait_for(lambda: running_writer(recorder).memory.control["flushed"] == 10)
    process = writer_of(recorder)
    process.kill()
    wait_for(lambda: recorder.status().failed)  # its last thread may outlive it for a moment
    for index in range(10, 70):  # two seconds, which a slow disk would be told of
        recorder.offer(made.made_frame(index, info))
    assert "ended unexpectedly" in recorder.status().failed
    assert (recorder.status().warning, recorder.status().at_risk_s) == ("", 0.0)
    with pytest.raises(RecordingError, match="was not recorded"):
        recorder.note_event("too late", 1.0)
    summary = recorder.stop()
    assert (summary.captured, summary.recorded, summary.dropped) == (70, 10, 60)
    assert summary.failed == recorder.status().failed
    assert recorder.status().warning == ""
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    with Recording(summary.path) as recording:
        assert (len(recording), recording.complete) == (10, False)


def test_pictures_of_another_size_end_the_recording_with_a_sentence(
    make_recorder: MakeRecorder,
) -> None:
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    recorder.offer(made.made_frame(1, made.made_info(60, 80)))
    recorder.offer(made.made_frame(2, made.made_info()))
    summary = recorder.stop()
    assert "from 160×120 to 80×60 pixels; start a new recording" in summary.failed
    assert (summary.captured, summary.recorded, summary.dropped) == (3, 1, 2)
    with Recording(summary.path) as recording:
        assert recording.complete
        assert len(recording) == 1


def test_ctrl_c_does_not_reach_the_writer_and_sigterm_ends_it_cleanly(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    info = made.made_info()
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, info))
    wait_for(lambda: recorder.status().recorded == 1)
    assert os.getpgid(running_writer(recorder).pid) != os.getpgid(0)
    writer_of(recorder).send_signal(signal.SIGINT)
    recorder.offer(made.made_frame(1, info))
    wait_for(lambda: recorder.status().recorded == 2)
    writer_of(recorder).send_signal(signal.SIGTERM)
    wait_for(lambda: recorder.status().failed)
    assert "told to end by someone else" in recorder.status().failed
    recorder.stop()
    with Recording(recorder.path) as recording:
        assert (recording.complete, len(recording)) == (True, 2)


def test_the_writer_needs_neither_torch_nor_qt_nor_pydantic() -> None:
    code = (
        "import sys, thermoseg.recording.writer\n"
        "print(sorted({'torch', 'PyQt6', 'cv2', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nothing_is_left_behind(
    recorded: Record, make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    recorded(2, "warm-up")
    shared, descriptors = sorted(Path("/dev/shm").glob("*")), psutil.Process().num_fds()
    recorder = make_recorder("killed")
    recorder.offer(made.made_frame(0, made.made_info()))
    writer_of(recorder).kill()
    recorder.stop()
    recorded(2, "stopped")
    assert sorted(Path("/dev/shm").glob("*")) == shared
    assert psutil.Process().num_fds() == descriptors
    assert not psutil.Process().children()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[WriterJob, SharedMemory]]:
    """A job of the writer in this process, and its memory."""
    geometry = writer_process._geometry(made.made_info(), len(REGIONS))
    memory = SharedMemory.create(geometry)
    attributes = describe_session(made.made_info(), "made:", made.MODEL, REGIONS, {})
    path = str(tmp_path / "s.h5")
    token, parent = memory.token, os.getppid()
    yield WriterJob(path, attributes, geometry, REGIONS, token, parent, 0), memory
    if isinstance(memory.token, int):
        os.close(memory.token)


def test_every_flush_reaches_the_disk(
    job: tuple[WriterJob, SharedMemory], monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    memory = job[1]
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor))
    session = session_writer.SessionWriter(*job)
    wait_for(lambda: session.tend(0.0) or memory.control["on_disk"])
    before = len(synced)
    session.flush()
    wait_for(lambda: len(synced) > before)
    session.finish("stopped")
    assert session_writer.FLUSH_INTERVAL_S <= 0.5


def test_the_file_gets_its_name_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, job: tuple[WriterJob, SharedMemory]
) -> None:
    path = Path(job[0].path)
    seen = []

    def create(
        file: h5py.File, height: int, width: int, regions: Sequence[str], notes: bytes
    ) -> dict[str, h5py.Dataset]:
        seen.append(path.exists())
        return create_datasets(file, height, width, regions, notes)

    monkeypatch.setattr(session_writer, "create_datasets", create)
    session = session_writer.SessionWriter(*job)
    as_killed = path.read_bytes()
    session.finish("stopped")
    assert [entry.name for entry in path.parent.iterdir()] == ["s.h5"]

    path.write_bytes(as_killed)
    with Recording(path) as recording:
        assert (len(recording), recording.complete) == (0, False)
    assert seen == [False]


def test_what_lies_at_the_temporary_name_of_somebody_is_left_alone(
    make_recorder: MakeRecorder, tmp_path: Path
) -> None:
    """The file is made under a name of its own, with the permissions of any other file."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("session.h5.new", "session.h5.partial", ".session.h5.partial"):
        (tmp_path / name).symlink_to(victim)
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    path = recorder.stop().path

    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert victim.read_bytes() == b"precious"
    assert path.stat().st_mode == ordinary.stat().st_mode


def test_a_file_that_is_there_is_not_overwritten(job: tuple[WriterJob, SharedMemory]) -> None:
    path = Path(job[0].path)
    path.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        session_writer.SessionWriter(*job)
    assert path.read_bytes() == b"somebody's"


def test_the_first_frame_is_safe_at_once(
    monkeypatch: pytest.MonkeyPatch, job: tuple[WriterJob, SharedMemory]
) -> None:
    """What waits while the writer starts is not lost with it half a second later."""
    monkeypatch.setattr(session_writer, "FLUSH_INTERVAL_S", 3600.0)
    memory = job[1]
    session = session_writer.SessionWriter(*job)
    slot = memory.frames.claim()
    memory.frames.slots[slot]["index"] = 7
    messages = [MESSAGE.pack(Kind.FRAME, slot), MESSAGE.pack(Kind.STOP, 0)]
    flushed: list[int] = []

    class Inbox(queue.SimpleQueue[bytes]):
        def get(self, block: bool = True, timeout: float | None = None) -> bytes:
            flushed.append(int(memory.control["flushed"]))
            return messages.pop(0)

    assert writer._write(job[0], memory, Inbox(), session) == ""
    assert flushed == [0, 1]


class TestRefusals:
    def recorder(self, path: Path, limits: DiskLimits | None = None) -> Recorder:
        return Recorder(path, made.made_info(), "made:", None, limits)

    def test_an_existing_file_is_never_overwritten(self, recorded: Record) -> None:
        path = recorded(2)
        before = path.read_bytes()
        with pytest.raises(RecordingError, match="exists already and is not overwritten"):
            self.recorder(path).start()
        assert path.read_bytes() == before
        assert not path.with_name("session.h5.RECORDING").exists()

    def test_two_recorders_cannot_share_a_file(self, make_recorder: MakeRecorder) -> None:
        recorder = make_recorder()
        with pytest.raises(RecordingError, match=r"exists already|being recorded already"):
            self.recorder(recorder.path).start()

    def test_a_marker_that_a_crash_left_before_the_file_is_no_obstacle(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "session.h5"
        path.with_name("session.h5.RECORDING").write_text('{"pid": 999999999, "started": 0}')
        recorder = self.recorder(path, DiskLimits(0, 0, 0, 0))
        recorder.start()
        assert recorder.stop().failed == ""

    def test_a_name_of_another_kind(self, tmp_path: Path) -> None:
        with pytest.raises(RecordingError, match=r"does not end in \.h5"):
            self.recorder(tmp_path / "session.mp4").start()

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RecordingError, match="cannot be made"):
            self.recorder(tmp_path / "file" / "session.h5").start()

    def test_a_disk_that_is_nearly_full(self, tmp_path: Path) -> None:
        limits = DiskLimits(refuse_bytes=10**18)
        with pytest.raises(RecordingError, match="make room for"):
            self.recorder(tmp_path / "session.h5", limits).start()

    def test_using_it_before_start(self, tmp_path: Path) -> None:
        recorder = self.recorder(tmp_path / "session.h5")
        with pytest.raises(RecordingError, match="call start first"):
            recorder.offer(made.made_frame(0, made.made_info()))
        assert recorder.status().recorded == 0


def test_a_place_that_cannot_be_written_is_named(
    make_recorder: MakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *, replace_stale: bool) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(name_module, "claim_marker", refuse)
        with pytest.raises(RecordingError, match=r"cannot be recorded \(Read-only.*another place"):
            make_recorder()


@pytest.mark.parametrize("at", ["the memory", "the process", "the job"])
def test_a_start_that_fails_half_way_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    descriptors = psutil.Process().num_fds()

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(24, "Too many open files")

    recorder = Recorder(tmp_path / "a.h5", made.made_info(), "made:", None, DiskLimits(0, 0, 0, 0))
    with monkeypatch.context() as patched:
        if at == "the memory":
            patched.setattr(os, "ftruncate", fail)
        elif at == "the process":
            patched.setattr(subprocess, "Popen", fail)
        else:
            patched.setattr(WriterJob, "to_json", fail)
        with pytest.raises(RecordingError, match=r"a\.h5 cannot be recorded \(Too many open files"):
            recorder.start()

    assert list(tmp_path.iterdir()) == []
    assert not psutil.Process().children()
    assert psutil.Process().num_fds() <= descriptors
    recorder.start()
    assert recorder.stop().failed == ""


def test_a_file_that_the_writer_cannot_make_is_told_of_and_leaves_nothing(
    make_recorder: MakeRecorder, wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the folder goes between the claim and the file: the writer is another process."""
    (tmp_path / "gone").mkdir()

    def find_free_and_lose(path: Path) -> None:
        refuse_taken(path)
        path.with_suffix(".events.jsonl").touch()

    monkeypatch.setattr(name_module, "refuse_taken", find_free_and_lose)
    recorder = make_recorder("gone/session")
    with pytest.raises(RecordingError, match=r"cannot be recorded \(File exists\)"):
        recorder.wait_on_disk()
    assert recorder.stop().recorded == 0
    assert [path.name for path in (tmp_path / "gone").iterdir()] == ["session.events.jsonl"]


def test_a_recording_is_said_to_run_once_its_file_is_there(make_recorder: MakeRecorder) -> None:
    recorder = make_recorder()
    recorder.wait_on_disk()
    assert recorder.status().on_disk
    with Recording(recorder.path) as recording:
        assert not recording.complete


def test_a_disk_that_fills_up_is_warned_of_once(
    make_recorder: MakeRecorder, wait_for: WaitFor, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = make_recorder(limits=DiskLimits(0, 0, warn_bytes=10**18))
    recorder.offer(made.made_frame(0, made.made_info()))
    wait_for(lambda: recorder.status().warning)
    assert "make space" in recorder.status().warning
    assert caplog.text.count("make space") == 1


def test_a_disk_below_its_limit_ends_the_recording_cleanly(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    recorder = make_recorder(limits=DiskLimits(0, stop_bytes=10**18, warn_bytes=0, warn_s=0))
    recorder.offer(made.made_frame(0, made.made_info()))
    wait_for(lambda: recorder.status().failed)
    assert "nearly full; recording ended cleanly" in recorder.status().failed
    with Recording(recorder.stop().path) as recording:
        assert recording.complete
        assert "nearly full" in recording.ended
