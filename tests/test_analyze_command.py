"""`thermoseg analyze` as its user meets it: what it writes, prints and returns."""

import shutil
import sys
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.recording.made_frames import MODEL, made_frame, made_info
from thermoseg import cli
from thermoseg.analysis_reading import read_analysis
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder


class Everywhere:
    """Stands in for a network: all is nose."""

    model_name = "everywhere"
    model_sha256 = "0" * 64
    backend = "comparison"

    def segment(self, frame: Frame) -> Segmentation:
        labels = np.full(frame.celsius.shape, 5, np.uint8)
        return Segmentation(labels, np.ones(labels.shape, np.float32), frame.index)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    info = made_info(24, 32, live=False)
    path = tmp_path_factory.mktemp("recorded") / "talk.h5"
    recorder = Recorder(path, info, "made:", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for index in range(6):
        recorder.offer(made_frame(index, info))
    recorder.stop()
    return path


@pytest.fixture
def session(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(recorded, tmp_path))


@pytest.fixture(autouse=True)
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Model and mode of each segmenter that was asked for."""
    asked: list[tuple[str, str]] = []

    def choose(model: str, backend: str = "auto", mode: str = "live") -> Everywhere:
        asked.append((model, mode))
        return Everywhere()

    monkeypatch.setattr("thermoseg.inference.choose.choose_segmenter", choose)
    monkeypatch.setenv("THERMOSEG_SETTINGS", str(tmp_path / "no-settings.toml"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return asked


def run(*arguments: object) -> int:
    return cli.main(["analyze", *map(str, arguments)])


def flip(path: Path, name: str, row: int) -> None:
    """Damage one picture."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(row)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(data)


def test_each_session_gets_an_analysis_beside_it(
    session: Path, chosen: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    second = Path(shutil.copy(session, session.with_name("rest.h5")))

    exit_code = run(session, second, "--model", "mine", "--mode", "best")

    assert exit_code == 0
    assert chosen == [("mine", "best")] * 2
    assert capsys.readouterr().out.splitlines() == [
        f"{session.parent}/talk.analysis-1.h5 (6 frames)",
        f"{session.parent}/rest.analysis-1.h5 (6 frames)",
    ]
    with (
        Recording(session) as recording,
        closing(read_analysis(session.with_name("talk.analysis-1.h5"), recording)) as analysis,
    ):
        assert analysis.model.name == "everywhere"
        assert analysis.header.settings.mode == "best"
        assert len(analysis) == 6


def test_a_session_that_is_none_does_not_stop_the_others(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(session.with_name("a.npy"), np.full((24, 32), 30.0))

    exit_code = run(session.with_name("a.npy"), session, "--out", session.parent / "new")

    told = capsys.readouterr()
    assert exit_code == 1
    assert "a.npy is no session" in told.err
    assert told.out.count("\n") == 1
    assert (session.parent / "new" / "talk.analysis-1.h5").is_file()


def test_a_damaged_frame_is_told_with_exit_code_3(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(session, "frames/counts", 2)

    exit_code = run(session)

    told = capsys.readouterr()
    assert exit_code == 3
    assert "frame 2 is damaged" in told.err
    assert "(5 frames)" in told.out


def test_info_tells_what_an_analysis_is_and_of_which_session(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(session, "--mode", "best") == 0
    analysis = session.with_name("talk.analysis-1.h5")
    with Recording(session) as recording:
        session_id = recording.session_id
    capsys.readouterr()

    assert cli.main(["info", str(analysis)]) == 0
    told = capsys.readouterr().out
    for line in (
        "kind               analysis of a session",
        "session            talk.h5",
        f"session id         {session_id}",
        "model              everywhere (000000000000) on comparison",
        "mode               best",
        "emissivity         the session's",
        "frames             6 of 6 analysed",
    ):
        assert f"{line}\n" in told
    session.unlink()
    assert cli.main(["info", str(analysis)]) == 0
    assert "session            talk.h5 (not in this folder)\n" in capsys.readouterr().out


def test_verify_reads_every_mask_of_an_analysis(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(session) == 0
    analysis = session.with_name("talk.analysis-1.h5")
    capsys.readouterr()
    assert cli.main(["verify", str(analysis), str(session)]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == (
        f"{analysis}: sound (analysis of talk.h5, 6 pictures of labels)"
    )
    assert told.err == ""

    flip(analysis, "labels/labels", 2)
    assert cli.main(["verify", str(analysis)]) == 3
    told = capsys.readouterr()
    assert told.out == f"{analysis}: damaged (analysis of talk.h5, 6 pictures of labels)\n"
    assert "mask 2 is damaged; analyse the session again" in told.err

    analysis.write_bytes(analysis.read_bytes()[:-100])
    assert cli.main(["verify", str(analysis)]) == 1
    assert "unreadable" in capsys.readouterr().out
    assert cli.main(["info", str(analysis)]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--emissivity", "1.5"], "“emissivity”"),
        (["--emissivity", "high"], "“emissivity”"),
        (["--reflected", "-400"], "“reflected_c”"),
        (["--emissivity", "0.9"], "talk.h5 holds finished temperatures"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    session: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = run(session, *arguments)

    told = capsys.readouterr().err
    assert exit_code == 1
    assert words in told
    assert told.count("\n") == 1
    assert list(session.parent.glob("*.analysis-*")) == []


def test_ctrl_c_ends_it_without_a_file(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import signal

    class Interrupting(Everywhere):
        def segment(self, frame: Frame) -> Segmentation:
            if frame.index == 2:
                signal.raise_signal(signal.SIGINT)
            return super().segment(frame)

    monkeypatch.setattr(
        "thermoseg.inference.choose.choose_segmenter",
        lambda _model, backend="auto", mode="live": Interrupting(),
    )

    exit_code = run(session)

    assert exit_code == 130
    assert "talk.h5 was ended early" in capsys.readouterr().err
    assert [path.name for path in session.parent.iterdir()] == ["talk.h5"]


def test_an_analysis_is_not_segmented_with_its_folder(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(session)
    capsys.readouterr()

    exit_code = cli.main(["segment", str(session.parent), "--out", str(session.parent / "out")])

    assert exit_code == 0
    assert "6 frames of 1 file segmented" in capsys.readouterr().out
