"""A finished file that was cut off gives back what lies before the cut, and says what is not."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from drivers.file_sources import open_source
from drivers.frame_source import FileOptions
from tests.recording import made_frames as made
from thermoseg import cli, exit_codes
from thermoseg.commands import segment
from thermoseg.errors import FormatError
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.recording.crashed import missing_bytes
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover

PAGE = 4096


def ends_of_pictures(path: Path) -> list[int]:
    """Return where the bytes of each picture of the frames end, in the order of the frames."""
    ends: dict[int, int] = {}
    with h5py.File(path) as file:
        file["frames/counts"].id.chunk_iter(
            lambda chunk: ends.update({chunk.chunk_offset[0]: chunk.byte_offset + chunk.size})
        )
    return [ends[row] for row in range(len(ends))]


def check_frames(recording: Recording) -> None:
    """Compare every frame with its generator."""
    info = made.made_info(*made.KILLED_SIZE)
    for position, index in enumerate(recording.indices.tolist()):
        frame = recording.frame(position)
        np.testing.assert_array_equal(frame.counts, made.made_counts(index, info))
        assert frame.time_s == index / made.RATE_HZ
        labels = recording.labels(position) if index % 7 == 0 else None
        if labels is not None:
            np.testing.assert_array_equal(labels, made.made_labels(index, info))


def cut(path: Path, size: int) -> None:
    with path.open("rb+") as file:
        file.truncate(size)


def test_one_byte_less_costs_one_picture_at_most(session: Path) -> None:
    cut(session, session.stat().st_size - 1)
    with Recording(session) as recording:
        assert recording.problems[0].startswith("the file is cut off: 1 of ")
        assert len(recording) >= made.SOUND_FRAMES - 1
        assert len(recording.samples("nostrils")) == made.SOUND_FRAMES
        check_frames(recording)
    report = recover(session)
    assert "cut off" in report.losses[0]
    with Recording(report.path) as recording:
        assert recording.problems == ()
        assert len(recording) >= made.SOUND_FRAMES - 1


def test_a_file_cut_at_any_page_of_its_end_is_read_up_to_there(
    session: Path, sound_session: Path
) -> None:
    size = session.stat().st_size
    for whole in range(size - 1, size - 40 * PAGE, -PAGE):
        cut(session, whole)
        held = sum(end <= whole for end in ends_of_pictures(sound_session))
        with Recording(session) as recording:
            assert len(recording) == held, whole
            assert recording.indices.tolist() == list(range(held))
            assert recording.counts.dropped == made.SOUND_FRAMES - held


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_file_cut_anywhere_gives_all_that_its_index_leads_to(session: Path, share: float) -> None:
    whole = int(share * session.stat().st_size)
    ends = ends_of_pictures(session)
    cut(session, whole)
    held = sum(end <= whole for end in ends)
    with Recording(session) as recording:
        assert recording.problems
        # HDF5 gives a stretch of frames its part of the index when they leave its cache of 1 MB;
        # of pictures as small as these the last may lie before the cut and their index behind it.
        assert held - 120 <= len(recording) <= held
        check_frames(recording)
        kept = recording.indices.tolist()
    with Recording(recover(session).path) as recording:
        assert recording.indices.tolist() == kept
        assert sum(gap.frames for gap in recording.gaps) == made.SOUND_FRAMES - len(kept)
        check_frames(recording)


def test_a_cut_file_is_played_as_far_as_it_goes(session: Path) -> None:
    cut(session, session.stat().st_size // 2)
    source = open_source(session, FileOptions())
    frames = [source.frame(row) for row in range(len(source))]
    source.close()
    assert len(frames) > made.SOUND_FRAMES / 4
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_file_of_which_only_its_beginning_is_left_is_refused(session: Path) -> None:
    cut(session, 1000)
    with pytest.raises(FormatError, match=r"session\.h5.*copy it again from its source"):
        Recording(session)


def test_a_sound_file_misses_nothing(session: Path) -> None:
    assert missing_bytes(session) == 0
    cut(session, session.stat().st_size - 17)
    assert missing_bytes(session) == 17


def test_what_was_zero_is_not_believed_beyond_the_cut(session: Path) -> None:
    """The checksum of zeros is zero: a table of flags that was cut off would look sound."""
    with h5py.File(session) as file:
        info = file["frames/flags"].id.get_chunk_info(2)
    cut(session, info.byte_offset + 100)
    with Recording(session) as recording:
        assert any(problem.startswith("frames/flags: ") for problem in recording.problems)


def test_a_program_may_end_without_closing_a_cut_file(session: Path) -> None:
    cut(session, session.stat().st_size - 1)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from thermoseg.recording.reader import Recording\n"
        "recording = Recording(Path(sys.argv[1]))\n"
        "print(len(recording) > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(session)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


class SeesNothing:
    """Stands in for a network: everything is background."""

    model_name, model_sha256, backend = "sees-nothing", "0" * 64, "comparison"

    def segment(self, frame: Frame) -> Segmentation:
        """Label nothing."""
        labels = np.zeros(frame.counts.shape, np.uint8)
        return Segmentation(labels, np.ones(labels.shape, np.float32), frame.index)


def test_segmenting_tells_what_was_cut_off(
    session: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(segment, "choose_model", lambda *_arguments, **_options: SeesNothing())
    cut(session, session.stat().st_size // 5)
    with Recording(session) as recording:
        assert 0 < len(recording) < made.SOUND_FRAMES
        problems = recording.problems

    code = cli.main(["segment", str(session), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.splitlines()
    assert code == exit_codes.DAMAGED
    assert said == [f"thermoseg: {session}: {problem}" for problem in problems]
