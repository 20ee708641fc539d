"""A study's folder: what `study.toml` may hold, who may sit for it, and where the files go."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import ConfigError
from thermoseg.study_file import (
    Condition,
    Sitting,
    StudyFile,
    check_sitting,
    planned_path,
    read_study,
    study_fields,
    write_study,
)

printable = st.characters(exclude_categories=("C", "Zl", "Zp"))
names = st.text(printable, max_size=60).filter(lambda name: name == name.strip() != "")
different = st.lists(names, unique=True, max_size=9).map(tuple)
temperatures = st.floats(-50, 100, allow_nan=False)


@st.composite
def studies(draw: st.DrawFn) -> StudyFile:
    fields = draw(different.filter(lambda names: not {n.lower() for n in names} & RESERVED))
    span = draw(st.tuples(temperatures, temperatures).filter(lambda span: span[0] < span[1]))
    return StudyFile(
        name=draw(names),
        camera=draw(st.text(max_size=80)),
        emissivity=draw(st.floats(0.01, 1)),
        reflected_c=draw(st.none() | temperatures),
        span_c=draw(st.none() | st.just(span)),
        rois=(DrawnRoi.spot("tip", *draw(st.tuples(st.integers(2, 600), st.integers(2, 400)))),),
        markers=draw(different),
        conditions=tuple(
            Condition(name=name, duration_s=draw(st.floats(0.1, 3600))) for name in draw(different)
        ),
        fields=fields,
        required=fields[:2],
        pre_record_s=draw(st.floats(0, 30)),
        corrections=draw(st.sampled_from(["automatic", "between trials"])),
        pictures=draw(st.booleans()),
    )


RESERVED = {"participant", "session", "task", "run", "study", "emissivity", "reflected_c"}


@settings(deadline=None, max_examples=60)
@given(study=studies())
def test_a_study_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, study: StudyFile
) -> None:
    folder = tmp_path_factory.mktemp("study") / "new"
    write_study(folder, study)
    assert read_study(folder) == study
    assert [path.name for path in folder.iterdir()] == ["study.toml"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("span_c = [40.0, 30.0]", "“span_c”.*must be below"),
        ("emissivity = 1.2", "“emissivity”"),
        ('emissivity = "0.98"', "“emissivity”.*valid number"),
        ("pictures = 1", "“pictures”.*boolean"),
        ('markers = ["a", "a"]', "“a” stands there twice"),
        ('markers = ["1","2","3","4","5","6","7","8","9","10"]', "at most 9"),
        ('required = ["age"]', "“age” is required and is none of the fields"),
        ('fields = ["Run"]', "“Run” is in every recording anyway"),
        ('conditions = [{name = "rest", duration_s = -1.0}]', "duration_s"),
        ('rois = [{name = "nose", outline_px = [[1, 1], [2, 1], [2, 2]]}]', "region of the face"),
        ("nonsense = 3", "unknown key “nonsense”"),
        ("pre_record_s = 31", "pre_record_s"),
        ('markers = [" a"]', "markers.0"),
        (r'markers = ["a\u001b[2J"]', "markers.0"),
        (r'fields = ["a\nb"]', "fields.0"),
    ],
)
def test_what_a_study_cannot_have_is_refused_with_its_key(
    tmp_path: Path, line: str, complaint: str
) -> None:
    (tmp_path / "study.toml").write_text(f'name = "rest"\n{line}\n')
    with pytest.raises(ConfigError, match=complaint):
        read_study(tmp_path)


def test_a_folder_without_a_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.toml” cannot be read \(No such file"):
        read_study(tmp_path)


def test_a_study_that_cannot_be_written_is_told_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_study(tmp_path / "file", StudyFile(name="rest"))


STUDY = StudyFile(name="rest", fields=("age", "hand"), required=("age",), reflected_c=21.0)


def test_each_field_of_a_sitting_is_complained_of_by_its_name() -> None:
    sitting = Sitting("", "01 a", "x" * 41, {"age": " ", "shoe": "42", "hand": "y" * 2001})
    complaints = check_sitting(STUDY, sitting)
    assert complaints["participant"] == "the participant is missing"
    assert "letters A–Z and digits only" in complaints["session"]
    assert "longer than 40 characters" in complaints["task"]
    assert complaints["age"] == "“age” is missing"
    assert "is no field of this study (it has age, hand)" in complaints["shoe"]
    assert "longer than 2000" in complaints["hand"]
    with pytest.raises(ConfigError, match=r"participant is missing, .*; correct the sitting"):
        study_fields(STUDY, sitting)


@pytest.mark.parametrize("label", ["ü", "a-b", "a_b", "../x", "a/b", "a\n", "٣"])
def test_what_bids_allows_in_no_name_is_complained_of(label: str) -> None:
    assert list(check_sitting(StudyFile(name="x"), Sitting(label, "01", "rest"))) == ["participant"]


def test_a_fit_sitting_gives_the_fields_of_its_recordings() -> None:
    sitting = Sitting("07", "01", "rest", {"age": "31", "hand": ""})
    assert check_sitting(STUDY, sitting) == {}
    assert study_fields(STUDY, sitting) == {
        "study": "rest",
        "participant": "07",
        "session": "01",
        "task": "rest",
        "emissivity": 0.98,
        "reflected_c": 21.0,
        "age": "31",
    }


@pytest.mark.parametrize(
    ("there", "run"),
    [
        ([], "01"),
        (["sub-07_ses-01_task-rest_run-01_thermal.h5"], "02"),
        (["sub-07_ses-01_task-rest_run-09_thermal.h5.RECORDING"], "10"),
        (["sub-07_ses-01_task-rest_run-04_thermal.events.jsonl"], "05"),
        (["sub-07_ses-01_task-rest_run-99_thermal.json"], "100"),
        (["sub-07_ses-01_task-resting_run-03_thermal.h5", "notes.txt"], "01"),
        (["sub-07_ses-01_task-rest_run-2_thermal.recovered.h5"], "03"),
    ],
)
def test_the_planned_run_follows_the_last_one_that_left_anything(
    tmp_path: Path, there: list[str], run: str
) -> None:
    folder = tmp_path / "sourcedata" / "sub-07" / "ses-01"
    folder.mkdir(parents=True)
    for name in there:
        (folder / name).touch()
    planned = planned_path(tmp_path, Sitting("07", "01", "rest"))
    assert planned == folder / f"sub-07_ses-01_task-rest_run-{run}_thermal.h5"


def test_a_study_adds_its_conditions_up() -> None:
    conditions = (Condition(name="rest", duration_s=60), Condition(name="task", duration_s=90.5))
    assert StudyFile(name="x", conditions=conditions).sitting_s == 150.5
    assert StudyFile(name="x").sitting_s == 0


def test_the_study_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "study.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "study.toml").write_text(found[1], encoding="utf-8")
    study = read_study(tmp_path)
    assert study.sitting_s == 420
    assert [roi.name for roi in study.rois] == ["forehead"]
    assert set(StudyFile.model_fields) == set(study.model_fields_set)
