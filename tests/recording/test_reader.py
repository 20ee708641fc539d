"""Reads what was written, at once, while it grows or broken, and believes no hostile file."""

import errno
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.recording.conftest import Change, MakeRecorder, Record, Tamper
from tests.recording.made_frames import running_writer
from thermoseg.errors import FormatError
from thermoseg.radiometry import RelativeCounts
from thermoseg.recording.layout import PICTURES, TABLES
from thermoseg.recording.opening import is_session
from thermoseg.recording.reader import Recording

PAGE = Path(__file__).parents[2] / "docs" / "session-file.md"


def chunk_place(path: Path, dataset: str, row: int) -> tuple[int, int]:
    """Return where the bytes of one chunk lie in the file."""
    with h5py.File(path) as file:
        stored = file[dataset]
        info = stored.id.get_chunk_info_by_coord((row,) + (0,) * (stored.ndim - 1))
        return info.byte_offset, info.size


def flip_bit(path: Path, place: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def read_everything(path: Path) -> list[object]:
    """Return all that a user can see of a session."""
    with Recording(path) as recording:
        frames = [recording.frame(i) for i in range(len(recording))]
        labels = [recording.labels(i) for i in range(len(recording))]
        seen: list[object] = [frame.counts.tobytes() for frame in frames]
        seen += [(frame.index, frame.time_s, frame.wall_time, frame.flags) for frame in frames]
        seen += [None if mask is None else mask.tobytes() for mask in labels]
        seen += [recording.samples("nostrils").tobytes(), recording.events, recording.gaps]
        seen += [recording.counts, recording.info, recording.address, recording.model]
        return seen


def test_the_script_in_the_documentation_reads_a_session(recorded: Record, tmp_path: Path) -> None:
    script = tmp_path / "read_session.py"
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    script.write_text(found[1])
    assert len(script.read_text().splitlines()) <= 15
    assert "thermoseg" not in script.read_text()
    command = [sys.executable, str(script), str(recorded(3))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "0.000 s: -273.15 to 382.20 °C"
    assert len(done.stdout.splitlines()) == 3


def test_the_documentation_names_every_dataset_and_attribute(recorded: Record) -> None:
    page = PAGE.read_text()
    with h5py.File(recorded(1)) as file:
        names = list(file.attrs) + [n for n in PICTURES | TABLES if "samples" not in n]
        assert [name for name in names if f"`{name}`" not in page] == []


def test_negative_positions_count_from_the_end_and_others_are_refused(recorded: Record) -> None:
    with Recording(recorded(5)) as recording:
        assert recording.frame(-1).index == 4
        for position in (5, -6):
            with pytest.raises(IndexError, match="5 frames"):
                recording.frame(position)


def test_a_growing_file_opens_read_only(make_recorder: MakeRecorder, wait_for: WaitFor) -> None:
    info = made.made_info()
    recorder = make_recorder()
    for index in range(30):
        recorder.offer(made.made_frame(index, info))
    recorder.note_event("begin", 0.25)
    wait_for(lambda: running_writer(recorder).control["flushed"] == 30)
    before = recorder.path.stat()
    with Recording(recorder.path) as recording:
        assert (recording.complete, recording.ended, len(recording)) == (False, "", 30)
        assert recording.counts.recorded == 30
        assert [event.text for event in recording.events] == ["begin"]
        np.testing.assert_array_equal(recording.frame(29).counts, made.made_counts(29, info))
    assert recorder.path.stat().st_size == before.st_size
    recorder.offer(made.made_frame(30, info))
    assert recorder.stop().recorded == 31


def test_an_empty_recording_is_read(recorded: Record) -> None:
    path = recorded(0)
    assert read_everything(path)
    with Recording(path) as recording:
        assert (len(recording), recording.complete) == (0, True)


def test_relative_counts_stay_relative(recorded: Record) -> None:
    info = made.made_info()
    info = type(info)("8 bit", "", 160, 120, 0.0, RelativeCounts("8-bit picture"), False)
    with Recording(recorded(2, info=info)) as recording:
        assert recording.info.radiometry == RelativeCounts("8-bit picture")
        assert not recording.frame(0).radiometric


def test_a_damaged_frame_is_named_and_the_others_are_read(recorded: Record) -> None:
    path = recorded(6)
    offset, size = chunk_place(path, "frames/counts", 2)
    flip_bit(path, offset + size // 2)
    with Recording(path) as recording:
        with pytest.raises(FormatError, match=r"session\.h5: frame 2 is damaged"):
            recording.frame(2)
        for index in (0, 1, 3, 4, 5):
            counts = recording.frame(index).counts
            np.testing.assert_array_equal(counts, made.made_counts(index, made.made_info()))


def test_damaged_times_are_never_believed(recorded: Record) -> None:
    path = recorded(6)
    offset, _ = chunk_place(path, "frames/time_s", 0)
    flip_bit(path, offset + 15, bit=3)
    with Recording(path) as recording:
        assert len(recording) == 0
        assert "frames/time_s: 6 of 6 rows are damaged or cut off; they are left out" in (
            recording.problems
        )


def flips_that_change_what_is_seen(path: Path, flips: int, seed: int) -> tuple[int, int]:
    """Flip one bit at a time.

    Returns how many were refused or told, and how many changed what is seen without a word.
    """
    sane, seen = path.read_bytes(), read_everything(path)
    rng = random.Random(seed)
    refused = silent = 0
    for _ in range(flips):
        flip_bit(path, rng.randrange(len(sane)), rng.randrange(8))
        try:
            changed = read_everything(path) != seen
            with Recording(path) as recording:
                told = bool(recording.problems)
            refused += told
            silent += changed and not told
        except FormatError:
            refused += 1
        path.write_bytes(sane)
    return refused, silent


def test_no_flipped_bit_changes_anything_silently(recorded: Record) -> None:
    refused, silent = flips_that_change_what_is_seen(recorded(8), 40, seed=1)
    assert silent == 0
    assert refused > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_bit_of_many_changes_anything_silently(
    recorded: Record, record_property: Callable[[str, object], None]
) -> None:
    refused, silent = flips_that_change_what_is_seen(recorded(8), 1000, seed=2)
    record_property("refused", refused)
    assert silent == 0


class TestHostileFiles:
    """None is believed, and none makes the reader look into another file."""

    @pytest.fixture
    def tampered(self, recorded: Record) -> Tamper:
        """Let a function change a sound session, then return its path."""

        def tamper(change: Change) -> Path:
            path = recorded(3)
            with h5py.File(path, "r+", libver="latest") as file:
                change(file)
            return path

        return tamper

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret.h5"
        with h5py.File(path, "w") as file:
            group = file.create_group("frames")
            group["counts"] = np.full((3, 120, 160), 4711, np.uint16)
            group["index"] = np.arange(3)
        return path

    def refuse(self, path: Path, match: str) -> None:
        with pytest.raises(FormatError, match=match) as refusal:
            Recording(path)
        assert path.name in str(refusal.value)

    def replace(self, name: str, **options: object) -> Change:
        def change(file: h5py.File) -> None:
            del file[name]
            file.create_dataset(name, **options)

        return change

    @pytest.mark.parametrize("name", ["frames/counts", "labels/labels", "frames/index", "events"])
    def test_an_external_link(self, tampered: Tamper, secret: Path, name: str) -> None:
        def change(file: h5py.File) -> None:
            del file[name]
            file[name] = h5py.ExternalLink(secret.name, "/frames/counts")

        self.refuse(tampered(change), f"“{name}” is a link")

    def test_an_external_link_in_the_middle_of_a_path(self, tampered: Tamper, secret: Path) -> None:
        def change(file: h5py.File) -> None:
            file.move("frames", "moved")
            file["frames"] = h5py.ExternalLink(secret.name, "/frames")

        self.refuse(tampered(change), "is a link")

    def test_a_soft_link_in_the_middle_of_a_path(self, tampered: Tamper) -> None:
        def change(file: h5py.File) -> None:
            file.move("frames", "moved")
            file["frames"] = h5py.SoftLink("/moved")

        self.refuse(tampered(change), "is a link")

    def test_a_soft_link_at_the_end_of_a_path(self, tampered: Tamper) -> None:
        def change(file: h5py.File) -> None:
            file.move("samples/nose", "moved")
            file["samples/nose"] = h5py.SoftLink("/moved")

        self.refuse(tampered(change), "“samples/nose” is a link")

    def test_external_storage(self, tampered: Tamper, tmp_path: Path) -> None:
        (tmp_path / "secret.bin").write_bytes(bytes(3 * 120 * 160 * 2))
        external = [(str(tmp_path / "secret.bin"), 0, 3 * 120 * 160 * 2)]
        change = self.replace("frames/counts", shape=(3, 120, 160), dtype="<u2", external=external)
        self.refuse(tampered(change), "takes its values from another file")

    def test_a_virtual_dataset(self, tampered: Tamper, secret: Path) -> None:
        def change(file: h5py.File) -> None:
            del file["frames/counts"]
            layout = h5py.VirtualLayout((3, 120, 160), "<u2")
            layout[:] = h5py.VirtualSource(str(secret), "frames/counts", (3, 120, 160))
            file.create_virtual_dataset("frames/counts", layout)

        self.refuse(tampered(change), "takes its values from another file")

    def test_more_frames_than_the_file_holds(self, tampered: Tamper) -> None:
        self.refuse(
            tampered(lambda file: file["frames/counts"].resize(10**9, 0)), "not in the file"
        )

    def test_more_rows_than_an_unfinished_file_holds_are_not_believed(
        self, tampered: Tamper
    ) -> None:
        def change(file: h5py.File) -> None:
            file.attrs["complete"] = np.int64(0)
            for name in ("frames/counts", "frames/index", "frames/time_s", "samples/nostrils"):
                file[name].resize(10**12, 0)
            for name in ("frames/wall_time", "frames/flags"):
                file[name].resize(200, 0)

        with Recording(tampered(change)) as recording:
            assert recording.indices.tolist() == [0, 1, 2]
            assert len(recording.samples("nostrils")) == 3

    @pytest.mark.parametrize("name", ["frames/index", "events", "samples/chin", "reasons", "gaps"])
    def test_more_rows_than_the_file_holds(self, tampered: Tamper, name: str) -> None:
        self.refuse(tampered(lambda file: file[name].resize(10**12, 0)), "not in the file")

    def test_a_table_that_unpacks_to_far_more_than_its_size(self, tampered: Tamper) -> None:
        change = self.replace(
            "frames/index", data=np.zeros(10**6, "<i8"), chunks=(10**6,), compression="gzip"
        )
        self.refuse(tampered(change), "filters|in chunks of")

    def test_pictures_of_absurd_size(self, tampered: Tamper) -> None:
        shape = (0, 2**17, 2**17)
        change = self.replace(
            "frames/counts",
            shape=shape,
            maxshape=(None, *shape[1:]),
            dtype="<u2",
            chunks=(1, 2**15, 2**14),
        )
        self.refuse(tampered(change), "frames/counts")

    @pytest.mark.parametrize("name", ["frames/counts", "frames/index", "frames/time_s"])
    def test_a_missing_dataset(self, tampered: Tamper, name: str) -> None:
        def change(file: h5py.File) -> None:
            del file[name]

        self.refuse(tampered(change), f"“{name}” is missing")

    def test_a_group_in_place_of_a_dataset(self, tampered: Tamper) -> None:
        def change(file: h5py.File) -> None:
            del file["gaps"]
            file.create_group("gaps")

        self.refuse(tampered(change), "is not a dataset")

    @pytest.mark.parametrize("dtype", ["<f4", ">u2", "S2", h5py.string_dtype()])
    def test_another_type(self, tampered: Tamper, dtype: object) -> None:
        change = self.replace(
            "frames/counts", shape=(3, 120, 160), dtype=dtype, chunks=(1, 120, 160)
        )
        self.refuse(tampered(change), "has type")

    def test_an_unknown_filter(self, tampered: Tamper) -> None:
        change = self.replace(
            "frames/counts",
            data=np.zeros((3, 120, 160), "<u2"),
            chunks=(1, 120, 160),
            compression="lzf",
        )
        self.refuse(tampered(change), "filters")

    def test_several_frames_in_a_chunk(self, tampered: Tamper) -> None:
        change = self.replace(
            "frames/counts", data=np.zeros((3, 120, 160), "<u2"), chunks=(3, 120, 160)
        )
        self.refuse(tampered(change), "in chunks of")

    def test_a_frame_that_was_never_written_is_no_black_picture(self, tampered: Tamper) -> None:
        def change(file: h5py.File) -> None:
            del file["frames/counts"]
            counts = file.create_dataset(
                "frames/counts", (3, 120, 160), "<u2", maxshape=(9, 120, 160), chunks=(1, 120, 160)
            )
            for row in (0, 2):
                counts[row] = 1
            counts.resize(4, 0)
            counts[3] = 1
            counts.resize(3, 0)
            file.attrs["complete"] = np.int64(0)

        with (
            pytest.raises(FormatError, match="frame 1 is damaged"),
            Recording(tampered(change)) as r,
        ):
            r.frame(1)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("format", "another format"),
            ("format_version", 2),
            ("format_version", "one"),
            ("width", 161),
            ("radiometry", "{"),
            ("radiometry", "[" * 100_000),
            ("radiometry", json.dumps({"kind": "exec", "code": "1"})),
            ("radiometry", json.dumps({"kind": "linear", "scale_k": "much"})),
        ],
    )
    def test_a_strange_attribute(self, tampered: Tamper, name: str, value: object) -> None:
        def change(file: h5py.File) -> None:
            del file.attrs[name]
            file.attrs[name] = value

        self.refuse(tampered(change), "session")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("rate_hz", float("nan")),
            ("camera_model", 5),
            ("address", np.arange(3)),
            ("complete", "yes"),
        ],
    )
    def test_a_strange_attribute_that_only_describes(
        self, tampered: Tamper, name: str, value: object
    ) -> None:
        def change(file: h5py.File) -> None:
            del file.attrs[name]
            file.attrs[name] = value

        with Recording(tampered(change)) as recording:
            assert any(f"“{name}” is missing or damaged" in said for said in recording.problems)

    def test_a_missing_attribute(self, tampered: Tamper) -> None:
        self.refuse(tampered(lambda file: file.attrs.__delitem__("width")), "“width”")

    def test_another_hdf5_file(self, secret: Path) -> None:
        self.refuse(secret, "no ThermoSeg session")
        assert is_session(secret)

    @pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n", bytes(5000)])
    def test_something_else_altogether(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "thing.h5"
        path.write_bytes(content)
        self.refuse(path, "cannot be opened as a session")

    def test_nothing(self, tmp_path: Path) -> None:
        self.refuse(tmp_path / "absent.h5", "does not exist")
        assert not is_session(tmp_path / "absent.h5")


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    sound_session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(FormatError, match=r"read \(Permission denied\); check its rights"):
        Recording(sound_session)
