"""What a crash or bad disk has left is copied into a sound file; the original is not touched."""

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import psutil
import pytest

from tests.conftest import WaitFor
from tests.copying import hold_copying
from tests.recording import made_frames as made
from tests.recording.conftest import MakeRecorder, Record
from tests.recording.made_frames import running_writer
from thermoseg import cli
from thermoseg.errors import FormatError, RecordingError
from thermoseg.recording import recovery
from thermoseg.recording.account import Account
from thermoseg.recording.crashed import lookup3, view_as_closed
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.unfinished import find_unfinished

FRAMES = 40

Crash: TypeAlias = Callable[[], Path]
"""What the fixture `crashed` gives."""


@pytest.fixture
def crashed(make_recorder: MakeRecorder, wait_for: WaitFor) -> Crash:
    """Record made frames, kill the writer once they are on disk, and return the file."""

    def crash() -> Path:
        info = made.made_info()
        recorder = make_recorder()
        writer = running_writer(recorder)
        for index in range(FRAMES):
            frame = made.made_frame(index, info)
            recorder.offer(frame)
            recorder.offer_result(made.made_result(frame, info, "motion"))
        recorder.note_event("begin", 0.5)
        wait_for(lambda: writer.control["flushed"] == FRAMES)
        wait_for(lambda: recorder.path.with_suffix(".events.jsonl").stat().st_size)
        psutil.Process(writer.pid).kill()
        return recorder.stop().path

    return crash


def flip(path: Path, dataset: str, row: int) -> None:
    """Flip one bit in the middle of a chunk of a finished or unfinished session."""
    with Recording(path) as recording:
        stored = recording._session.file[dataset]
        chunk = (row,) + (0,) * (stored.ndim - 1)
        info = stored.id.get_chunk_info_by_coord(chunk)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 4
    path.write_bytes(data)


def test_a_crashed_session_is_recovered_whole(crashed: Crash) -> None:
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


def test_what_never_reached_the_disk_is_told_and_is_no_loss(
    crashed: Crash, capsys: pytest.CaptureFixture[str]
) -> None:
    path = crashed()
    with h5py.File(view_as_closed(path)) as file:
        row = file["frames/index"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    # As if the last numbers had been waiting in memory: they read as never written, and their
    # checksum is made to fit.
    place, size = row.byte_offset, row.size
    numbers = np.frombuffer(bytes(data[place : place + size - 4]), "<i8").copy()
    numbers[FRAMES - 3 : FRAMES] = np.iinfo(np.int64).min
    data[place : place + size - 4] = numbers.tobytes()
    data[place + size - 4 : place + size] = fletcher32(numbers.tobytes())
    path.write_bytes(data)
    assert cli.main(["recover", str(path)]) == 0
    told = capsys.readouterr()
    assert told.err == (
        f"thermoseg: {path}: 3 frames at the end had not reached the disk as a whole\n"
    )
    with Recording(path.with_name("session.recovered.h5")) as recording:
        assert recording.indices.tolist() == list(range(FRAMES - 3))
        assert recording.gaps == ()
        assert recording.problems == ()


def fletcher32(content: bytes) -> bytes:
    """HDF5's checksum of a chunk, little-endian, over 16-bit words that it takes as big-endian."""
    low = high = 0
    for word in np.frombuffer(content, ">u2").tolist():
        low += word
        high += low
    low, high = ((part - 1) % 65535 + 1 if part else 0 for part in (low, high))
    return struct.pack("<I", high << 16 | low)


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_crashed_session_that_was_cut_off_too_is_read_up_to_there(
    crashed: Crash, share: float
) -> None:
    path = crashed()
    with path.open("rb+") as file:
        file.truncate(int(share * path.stat().st_size))
    with Recording(path) as recording:
        kept = recording.indices.tolist()
        assert share * FRAMES / 2 < len(kept) < FRAMES
        assert kept == list(range(len(kept)))
        for index in kept:
            counts = recording.frame(index).counts
            np.testing.assert_array_equal(counts, made.made_counts(index, made.made_info()))
    report = recover(path)
    with Recording(report.path) as recording:
        assert recording.indices.tolist() == kept
    assert report.losses or report.notes


def test_recovering_twice_gives_the_same_file(crashed: Crash) -> None:
    path = crashed()
    target = recover(path).path
    made_first = target.stat().st_mtime_ns
    assert recover(path).path == target
    assert target.stat().st_mtime_ns == made_first


def test_recovering_twice_at_once_gives_one_file(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    salvage = recovery._salvage

    def salvage_late(path: Path, *rest: Any) -> Account:
        """Let another recovery begin and end while this one copies."""
        monkeypatch.setattr(recovery, "_salvage", salvage)
        recover(path)
        return salvage(path, *rest)

    monkeypatch.setattr(recovery, "_salvage", salvage_late)
    report = recover(session)
    assert (report.path.exists(), report.losses) == (True, ())
    assert sorted(path.name for path in session.parent.iterdir()) == [
        "session.h5",
        "session.recovered.h5",
    ]


def test_the_recovery_of_another_session_is_not_taken_for_this_one(
    crashed: Crash, recorded: Record
) -> None:
    path = crashed()
    shutil.copy(recorded(2, "other"), path.with_name("session.recovered.h5"))
    with pytest.raises(RecordingError, match="does not belong to this session; move it"):
        recover(path)


def test_recovery_may_go_to_another_folder(crashed: Crash, tmp_path: Path) -> None:
    folder = tmp_path / "rescued"
    folder.mkdir()
    assert recover(crashed(), folder).path.parent == folder


def test_a_folder_that_cannot_be_written_is_named(crashed: Crash, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"cannot be written .*another folder"):
        recover(crashed(), tmp_path / "file" / "folder")


def test_a_folder_that_is_not_there_is_made(crashed: Crash, tmp_path: Path) -> None:
    report = recover(crashed(), tmp_path / "new" / "folder")
    assert report.path == tmp_path / "new" / "folder" / "session.recovered.h5"
    assert report.path.is_file()


def run_limited(path: Path, folder: Path, bytes_allowed: int) -> subprocess.CompletedProcess[str]:
    """Run `thermoseg recover` where no file may grow beyond a size, as on a disk that is full."""
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({bytes_allowed}, r.RLIM_INFINITY))"
    code = f"{limit}; import sys; from thermoseg.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "recover", str(path), "--out", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_disk_that_is_full_is_told_in_one_line_and_nothing_is_left(
    session: Path, tmp_path: Path, share: float
) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    done = run_limited(session, folder, int(share * session.stat().st_size))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"thermoseg: {folder / 'session.recovered.h5'} cannot be written (")
    assert line.endswith("make space or check the rights, or recover into another folder")
    assert list(folder.iterdir()) == []


def test_a_full_file_system_is_told_in_one_line_and_nothing_is_left(
    session: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = (
        'mount -t tmpfs -o size=300k tmpfs "$1" || exit 77; "$2" -m thermoseg recover "$3" '
        '--out "$1"; code=$?; ls -A "$1"; exit $code'
    )
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(small), sys.executable, str(session)]
    if not shutil.which("unshare") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root and unshare")
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "(No space left on device); make space" in line


def test_ctrl_c_ends_the_copying_and_nothing_is_left(
    session: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-m", "thermoseg", "recover", str(session), "--out", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    copying = hold_copying(psutil.Process(process.pid), wait_for)
    assert list(folder.iterdir()) != []
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (130, "")
    assert list(folder.iterdir()) == []
    wait_for(lambda: not copying.is_running())


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_session_is_not_recovered_onto_itself(session: Path, tmp_path: Path, link: str) -> None:
    before = session.read_bytes()
    folder = tmp_path / "links"
    folder.mkdir()
    getattr(folder / "session.recovered.h5", link)(session)
    with pytest.raises(RecordingError, match=r"is the session itself .*; recover into another"):
        recover(session, folder)
    assert session.read_bytes() == before


def test_damaged_frames_are_left_out_and_become_a_gap(recorded: Record) -> None:
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


def test_every_loss_of_every_table_is_told_counted_and_marked(session: Path) -> None:
    for name, row in (
        *(("frames/time_s", 256), ("frames/wall_time", 0), ("labels/time_s", 512)),
        *(("samples/nostrils", 0), ("reasons", 0), ("events", 0), ("labels/labels", 7)),
    ):
        flip(session, name, row)
    report = recover(session)
    lost = {name: counts.discarded for name, counts in report.tables.items() if counts.discarded}
    assert lost == {
        "frames/counts": 256,
        "frames/wall_time": 256,
        "labels/labels": made.SOUND_FRAMES - 512 + 1,
        "samples/nostrils": 256,
        "reasons": 2,
        "events": 1,
    }
    assert report.tables["samples/nostrils"].recovered == made.SOUND_FRAMES - 256
    assert all(str(session) in sentence for sentence in report.losses)
    for name in lost:
        assert any(name.partition("/")[0] in sentence for sentence in report.losses)
    with Recording(report.path) as recording:
        assert recording.problems == ()
        assert recording.indices.tolist() == [*range(256), *range(512, made.SOUND_FRAMES)]
        (gap,) = recording.gaps
        assert (gap.index_before, gap.index_after, gap.frames) == (255, 512, 256)
        assert np.isnan(recording.wall_times[:256]).all()
        assert recording.labels(7) is None
        assert recording.labels(8) is not None
        assert set(recording.samples("mouth")["reason"]) == {"reason not recorded"}
        events = [event.text for event in recording.events]
    assert "recovered: 256 rows of samples/nostrils were damaged" in events
    assert len(events) == len(report.losses)


def test_recovering_twice_tells_the_same_losses(session: Path) -> None:
    flip(session, "samples/mouth", 0)
    first = recover(session)
    assert first.losses
    assert recover(session) == first


def test_nothing_is_said_of_a_sound_session(session: Path) -> None:
    report = recover(session)
    assert (report.losses, report.notes) == ((), ())
    assert report.tables["frames/counts"].recovered == made.SOUND_FRAMES
    with Recording(session) as one, Recording(report.path) as other:
        assert [event.text for event in other.events] == ["begin"]
        for name in ("frames/monotonic_s", "frames/device_s"):
            np.testing.assert_array_equal(one.clock(name), other.clock(name))
        for region in one.regions:
            assert one.samples(region).tobytes() == other.samples(region).tobytes()


def damage_header(path: Path, name: str) -> None:
    """Flip a bit in what HDF5 keeps of a dataset or group, which then cannot be opened."""
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file[name].id).addr
    data = bytearray(path.read_bytes())
    data[place + 12] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["samples/mouth", "labels/labels", "frames/flags", "gaps"])
def test_one_broken_table_hides_no_other(session: Path, name: str) -> None:
    damage_header(session, name)
    with Recording(session) as recording:
        assert any(problem.startswith(f"{name}: cannot be read") for problem in recording.problems)
        assert len(recording) == made.SOUND_FRAMES
    report = recover(session)
    assert any(f"all of {name} could not be read" in sentence for sentence in report.losses)
    with Recording(report.path) as recording:
        assert len(recording) == made.SOUND_FRAMES
        assert len(recording.samples("nostrils")) == made.SOUND_FRAMES


def test_traces_are_recovered_though_all_frames_are_lost(session: Path) -> None:
    damage_header(session, "frames/counts")
    with pytest.raises(FormatError, match=r"frames/counts.*recover the session"):
        Recording(session)
    report = recover(session)
    assert any("frames/counts" in sentence for sentence in report.losses)
    with Recording(report.path) as recording:
        assert len(recording) == 0
        assert len(recording.samples("nostrils")) == made.SOUND_FRAMES
        assert recording.counts.dropped == made.SOUND_FRAMES


class TestStrangers:
    """What a newer program has written into the file."""

    @pytest.fixture
    def newer(self, session: Path) -> Path:
        with h5py.File(session, "r+") as file:
            rows = file["samples/nostrils"][:]
            wider = np.zeros(len(rows), [*rows.dtype.descr, ("skewness", "<f4")])
            for name in rows.dtype.names:
                wider[name] = rows[name]
            wider["skewness"] = np.arange(len(rows))
            del file["samples/nostrils"]
            file.create_dataset(
                "samples/nostrils", data=wider, maxshape=(None,), chunks=(256,), fletcher32=True
            )
            file.create_dataset(
                "pulse/rate", data=np.arange(300.0), maxshape=(None,), chunks=(256,)
            )
            file["pulse/method"] = np.arange(3)
            file.attrs["moon"] = "waxing"
            file.attrs["format_minor"] = np.int64(7)
        return session

    def test_they_are_copied_as_they_are(self, newer: Path) -> None:
        report = recover(newer)
        assert report.losses == ()
        with h5py.File(report.path) as copy:
            assert copy.attrs["moon"] == "waxing"
            assert copy.attrs["format_minor"] == 7
            assert copy["pulse/rate"][:].tolist() == list(range(300))
            assert copy["pulse/method"][:].tolist() == [0, 1, 2]
            skewness = copy["samples/nostrils"].fields("skewness")[:]
            assert skewness.tolist() == list(range(len(skewness)))

    def test_what_points_elsewhere_is_told_and_not_followed(
        self, newer: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "secret.bin").write_bytes(bytes(800))
        with h5py.File(newer, "r+") as file:
            file["soft"] = h5py.SoftLink("/frames")
            file["far"] = h5py.ExternalLink("elsewhere.h5", "/x")
            file.create_dataset(
                "outside", (100,), "<f8", external=[(str(tmp_path / "secret.bin"), 0, 800)]
            )
            file["objects"] = np.array([file.ref], h5py.ref_dtype)
        report = recover(newer)
        assert len(report.losses) == 4
        with h5py.File(report.path) as copy:
            assert not {"soft", "far", "outside", "objects"} & set(copy)


def test_a_session_still_being_recorded_is_left_alone(
    make_recorder: MakeRecorder, wait_for: WaitFor
) -> None:
    recorder = make_recorder()
    recorder.offer(made.made_frame(0, made.made_info()))
    wait_for(lambda: recorder.status().recorded == 1)
    with pytest.raises(RecordingError, match="still being recorded; stop"):
        recover(recorder.path)
    assert find_unfinished(recorder.path.parent) == []


def test_an_event_line_that_the_crash_cut_off_is_left_out(crashed: Crash) -> None:
    path = crashed()
    with path.with_suffix(".events.jsonl").open("ab") as lines:
        lines.write(b'{"time_s": 1.0, "wall_ti')
    with Recording(path) as recording:
        assert [event.text for event in recording.events] == ["begin"]


def test_a_damaged_unfinished_file_is_refused_at_once(crashed: Crash) -> None:
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


def test_a_recovery_that_is_killed_leaves_nothing(
    session: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-m", "thermoseg", "recover", str(session), "--out", str(folder)]
    with subprocess.Popen(command, text=True) as recovering:
        copying = hold_copying(psutil.Process(recovering.pid), wait_for)
        assert list(folder.iterdir()) != []
        recovering.kill()
    copying.resume()
    wait_for(lambda: not list(folder.iterdir()))


class TestViewAsClosed:
    def test_the_checksum_is_the_one_that_its_author_published(self) -> None:
        # lookup3.c, driver5, with initial value 0.
        assert lookup3(b"Four score and seven years ago") == 0x17770551

    def test_the_checksum_is_the_one_that_hdf5_writes(self, recorded: Record) -> None:
        superblock = recorded(1).read_bytes()[:48]
        assert struct.unpack("<I", superblock[44:]) == (lookup3(superblock[:44]),)

    def test_the_file_itself_does_not_change(self, crashed: Crash) -> None:
        path = crashed()
        before = path.read_bytes()
        with view_as_closed(path) as view:
            assert view.read(12)[11] == 0
            view.seek(48)
            assert view.read(len(before) - 48) == before[48:]
        assert path.read_bytes() == before

    def test_a_sound_file_needs_no_view(self, session: Path) -> None:
        with pytest.raises(ValueError, match="neither was it being written nor is it cut off"):
            view_as_closed(session)
