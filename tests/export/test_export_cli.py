"""`thermoseg export` as it is typed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

from tests.export.hand_made import damage, write_session
from thermoseg import cli
from thermoseg.export.formats import FORMATS
from thermoseg.export.job import Watch
from thermoseg.recording.verification import State, verify


def run(*arguments: object) -> int:
    return cli.main(["export", *map(str, arguments)])


@pytest.mark.parametrize("kind", [kind.name for kind in FORMATS])
def test_each_kind_writes_and_prints_its_files(
    kind: str, session: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kind, session, "--out", out) == 0

    printed = capsys.readouterr()
    assert sorted(printed.out.splitlines()) == sorted(map(str, out.iterdir()))
    assert printed.err == ""


def test_sessions_of_one_name_do_not_overwrite_each_other(tmp_path: Path, out: Path) -> None:
    sessions = []
    for day in ("mon", "tue"):
        (tmp_path / day).mkdir()
        sessions.append(write_session(tmp_path / day / "rest.h5"))
    assert run("tiff", *sessions, "--out", out) == 0

    assert sorted(path.name for path in out.iterdir()) == ["rest-2.tif", "rest.tif"]


def test_a_second_run_overwrites_nothing_and_says_so(
    session: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("csv", session, "--out", out)
    assert run("csv", session, "--out", out) == 1

    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1
    assert "rest_samples.csv” exists already and is not overwritten" in complaints[0]


def test_one_bad_session_does_not_stop_the_others(
    session: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.h5").write_text("dear diary")
    assert run("tiff", tmp_path / "bad.h5", session, "--out", out) == 1

    assert [path.name for path in out.iterdir()] == ["rest.tif"]
    assert "bad.h5 cannot be opened as a session" in capsys.readouterr().err


def test_damage_is_told_and_is_exit_code_3(
    session: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(session, "frames/counts", 3)
    assert run("tiff", session, "--out", out) == 3

    assert "1 frame is damaged and left out (first: 3)" in capsys.readouterr().err
    with tifffile.TiffFile(out / "rest.tif") as file:
        assert len(file.pages) == 7


def test_pixels_of_a_region_and_a_frame(session: Path, out: Path) -> None:
    assert run("csv", session, "--region", "nose", "--frame", 3, "--out", out) == 0
    assert run("csv", session, "--frame", 3, "--out", out) == 0

    names = sorted(path.name for path in out.iterdir())
    assert names == ["rest_frame-000003.csv", "rest_frame-000003_nose_pixels.csv"]


def test_a_cut_by_seconds_or_by_frames(session: Path, out: Path) -> None:
    assert run("cut", session, "--from", 0.6, "--to", 1.0, "--out", out) == 0
    assert run("cut", session, "--frames", 5, 8, "--out", out) == 0

    names = sorted(path.name for path in out.iterdir())
    cuts = ("rest_0.6-1s", "rest_3-3.2s")
    assert names == [f"{cut}{suffix}" for cut in cuts for suffix in (".h5", ".json")]
    assert [verify(out / f"{cut}.h5").state for cut in cuts] == [State.SOUND] * 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cut", "--from", 1, "--frames", 1, 2), "goes by seconds or by frames"),
        (("mp4", "--palette", "Rust"), "no palette is called “Rust”"),
        (("csv", "--region", "elbow"), "has no region “elbow”"),
        (("csv", "--frame", 99), "has no frame 99"),
    ],
)
def test_a_wrong_wish_is_one_sentence(
    session: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
    sentence: str,
) -> None:
    kind, *options = arguments
    assert run(kind, session, *options, "--out", out) == 1

    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1
    assert sentence in complaints[0]


def test_ctrl_c_leaves_no_half_file(
    session: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Watch.step

    def interrupt(watch: Watch, done: int, total: int) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGINT)
        step(watch, done, total)

    monkeypatch.setattr(Watch, "step", interrupt)
    assert run("tiff", session, session.with_name("later.h5"), "--out", out) == 130

    assert list(out.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("options", [("--from", "soon"), ("--from", "nan"), ("--frames", "1")])
def test_nonsense_is_wrong_usage(session: Path, out: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("cut", session, *options, "--out", out)
    assert ended.value.code == 2


def test_the_help_names_every_kind_without_loading_numpy() -> None:
    program = (
        "import sys; from thermoseg.cli import build_parser\n"
        "kinds = build_parser().parse_args(['export', 'mp4', 'a.h5', '--out', 'b'])\n"
        "print(kinds.kind.name, 'numpy' in sys.modules, 'av' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["mp4", "False", "False"]
