"""`thermoseg record --study`: the command line records what the window would."""

import json
from pathlib import Path

import pytest

from thermoseg import cli, exit_codes
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.recording.reader import Recording
from thermoseg.recording.verification import State, verify
from thermoseg.study_file import Condition, StudyFile, write_study

CAMERA = "simulated:?width=80&height=60&rate_hz=20&frames=6&realtime=false"
STUDY = StudyFile(
    name="rest",
    camera=CAMERA,
    model="none",
    conditions=(Condition(name="rest", duration_s=30.0),),
    fields=("age", "hand"),
    required=("age",),
)
SITTING = ("--participant", "07", "--session", "01", "--task", "rest", "--field", "age=31")


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.h5"))


def test_a_sitting_is_recorded_as_its_study_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path, STUDY)
    for run in (1, 2):
        assert cli.main(["record", "--study", str(tmp_path), *SITTING, "--json"]) == exit_codes.OK
        file = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["file"])
        folder = tmp_path / "sourcedata" / "sub-07" / "ses-01"
        assert file == folder / f"sub-07_ses-01_task-rest_run-0{run}_thermal.h5"
        assert file.with_suffix(".json").exists()
        assert verify(file).state is State.SOUND
        with Recording(file) as recording:
            assert (len(recording), recording.address, recording.model) == (6, CAMERA, None)
            assert (recording.study["age"], recording.study["run"]) == ("31", run)


def test_a_sitting_is_measured_as_its_study_says(tmp_path: Path) -> None:
    changes = {"emissivity": 0.95, "reflected_c": 18.0, "rois": (DrawnRoi.spot("tip", 9, 9),)}
    write_study(tmp_path, STUDY.model_copy(update=changes))
    assert cli.main(["record", "--study", str(tmp_path), *SITTING]) == exit_codes.OK
    (name,) = names_in(tmp_path)
    with Recording(tmp_path / name) as recording:
        scene = recording.frame(0).scene
        assert scene is not None
        assert (scene.emissivity, scene.reflected_c) == (0.95, 18.0)
        assert recording.drawn_rois == changes["rois"]
        assert len(recording.samples("tip")) == 6


def test_the_command_goes_before_the_study(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY)
    camera = CAMERA.replace("frames=6", "frames=3")
    arguments = [camera, "--duration", "9", "--traces-only", "--model", "none"]
    assert cli.main(["record", "--study", str(tmp_path), *SITTING, *arguments]) == exit_codes.OK
    (name,) = names_in(tmp_path)
    with Recording(tmp_path / name) as recording:
        assert (len(recording), recording.address) == (3, camera)
        assert not recording.has_pictures


def test_fields_that_are_missing_or_unfit_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path, STUDY)
    arguments = ["--participant", "0 7", "--task", "rest", "--field", "shoe=42"]
    assert cli.main(["record", "--study", str(tmp_path), *arguments]) == exit_codes.FAILED
    said = capsys.readouterr().err
    assert "the participant “0 7” may hold letters A–Z and digits only" in said
    assert "the session is missing, “age” is missing" in said
    assert "“shoe” is no field of this study (it has age, hand)" in said
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"camera": ""}, "the study names no camera; give its address as well"),
        ({"conditions": ()}, "the study names no conditions; give --duration as well"),
    ],
)
def test_what_neither_study_nor_command_names_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], complaint: str
) -> None:
    write_study(tmp_path, STUDY.model_copy(update=changes))
    assert cli.main(["record", "--study", str(tmp_path), *SITTING]) == exit_codes.FAILED
    assert complaint in capsys.readouterr().err


def test_a_folder_that_is_no_study_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["record", "--study", str(tmp_path / "none"), *SITTING]) == exit_codes.FAILED
    assert "study.toml” cannot be read (No such file or directory)" in capsys.readouterr().err


def test_runs_that_a_crash_has_left_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path, STUDY)
    folder = tmp_path / "sourcedata" / "sub-03" / "ses-02"
    folder.mkdir(parents=True)
    torn = folder / "sub-03_ses-02_task-rest_run-01_thermal.h5"
    torn.touch()
    torn.with_name(torn.name + ".RECORDING").write_text("{}")
    assert cli.main(["record", "--study", str(tmp_path), *SITTING]) == exit_codes.OK
    assert f"{torn} was not finished (a crash?)" in capsys.readouterr().err
