"""A recording of traces only: no picture of anybody, and everything else as always."""

from pathlib import Path

import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from thermoseg import cli
from thermoseg.errors import FormatError
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.recovery import recover
from thermoseg.recording.verification import State, verify


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    recorder = Recorder(
        tmp_path / "a.h5",
        made.made_info(),
        "made:",
        made.MODEL,
        DiskLimits(0, 0, 0, 0),
        pictures=False,
    )
    recorder.start()
    for index in (0, 1, 2, 5, 6):
        frame = made.made_frame(index, made.made_info())
        recorder.offer(frame)
        recorder.offer_result(made.made_result(frame, made.made_info()))
    return recorder


def check(path: Path) -> None:
    with Recording(path) as recording:
        assert not recording.has_pictures
        assert recording.problems == ()
        assert recording.indices.tolist() == [0, 1, 2, 5, 6]
        assert recording.samples("nostrils")["mean_c"].tolist() == [34.5] * 5
        assert [(gap.frames, gap.cause) for gap in recording.gaps] == [(2, "camera")]
        assert (recording.counts.recorded, recording.counts.missed) == (5, 2)
        assert recording.info.frame_count == 5
        assert recording.labels(0) is None
        with pytest.raises(FormatError, match="traces only and has no pictures"):
            recording.frame(0)


def test_frames_are_counted_and_timed_without_their_pictures(recorder: Recorder) -> None:
    summary = recorder.stop()
    check(summary.path)
    assert summary.recorded == 5
    verdict = verify(summary.path)
    assert (verdict.state, verdict.problems) == (State.SOUND, ())


def test_a_crash_leaves_the_traces(recorder: Recorder, wait_for: WaitFor) -> None:
    writer = made.running_writer(recorder)
    wait_for(lambda: writer.control["flushed"] == 5)
    writer._process.kill()
    assert "ended unexpectedly" in recorder.stop().failed
    check(recorder.path)
    assert verify(recorder.path).state is State.UNFINISHED

    report = recover(recorder.path)
    assert report.losses == ()
    check(report.path)
    assert verify(report.path).state is State.SOUND


def test_commands_say_that_there_are_no_pictures(
    recorder: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(recorder.stop().path)
    assert cli.main(["info", path]) == cli.OK
    assert "none, traces only" in capsys.readouterr().out
    assert cli.main(["verify", path]) == cli.OK
    assert "sound (5 frames without pictures)" in capsys.readouterr().out
    for command in (
        ["segment", path, "--out", str(tmp_path / "out")],
        ["record", f"file:{path}", "--out", str(tmp_path / "b.h5"), "--duration", "1"],
    ):
        assert cli.main([*command, "--model", "face-compact"]) == cli.FAILED
        assert "was recorded as traces only and has no pictures" in capsys.readouterr().err


def test_no_byte_of_a_picture_is_in_the_file(recorder: Recorder) -> None:
    path = recorder.stop().path
    info = made.made_info()
    assert path.stat().st_size < 200_000
    assert made.made_counts(0, info).tobytes()[:64] not in path.read_bytes()
